//! The browser is away: the state that a pending login is kept in, and the proof it leads to.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand::TryCryptoRng;
use url::Url;
use zeroize::Zeroizing;

use super::{Code, Login, State, Unauthorized};
use crate::client::{AuthorizationRequest, Client};
use crate::error::{
    Denied, Error, Expired, Forged, Malformed, Outage, Problem, Reason, Unavailable,
};
use crate::value::{LoginId, RandomText, Scope, Secret, Timestamp, code_challenge};
use crate::wire::{Callback, came_to};

/// A login in a browser that has not come back yet.
///
/// # Where it may be kept
///
/// It holds the PKCE verifier and the `state`. Keep it where only *this* browser's callback finds
/// it: in memory of a native app, or on a server under the browser's own session cookie. Never look
/// it up by the callback's `state`: then any browser's callback would find its match, and an
/// attacker could log a victim's browser in to the attacker's account (login CSRF).
///
/// Take it *out* of its store before the code is redeemed, and on denial too: a pending login that
/// can be found twice can be answered twice.
pub struct AwaitingCallback {
    pub(crate) login: Login,
    pub(crate) state: RandomText,
    pub(crate) verifier: RandomText,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Scope,
    pub(crate) resources: Vec<String>,
    pub(crate) deadline: Timestamp,
}

impl AuthorizationRequest<'_> {
    /// Begins the login: send the person to the URL, keep the state for the callback.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the redirect URI, scope or a parameter is not usable, or the server
    /// was made without an authorization endpoint; [`Error::Unavailable`] when a fallible source
    /// of randomness fails.
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Url, AwaitingCallback), Error> {
        let scope = self.check()?;
        let state = random_text(rng)?;
        let verifier = random_text(rng)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        let challenge = code_challenge(&verifier);
        let challenge = core::str::from_utf8(&challenge).unwrap_or_default();
        let url = self.url(&scope, state.as_str(), challenge)?;
        let pending = AwaitingCallback {
            login: Login::begin(login, self.client),
            state,
            verifier,
            redirect_uri: self.redirect_uri.into(),
            scope,
            resources: self.params.resources.iter().map(|&resource| resource.into()).collect(),
            deadline: now.after(self.within),
        };
        Ok((url, pending))
    }
}

impl AwaitingCallback {
    /// Checks a callback; what comes back proves that it answers this login.
    ///
    /// Checked in this order: same client, deadline, duplicate parameters, redirect URI (when the
    /// full URL is given), `iss`, `state`, and only then what the callback says: `error`, `code`.
    /// Then [redeem](Code::redeem) the code.
    ///
    /// # Errors
    /// A refused callback changes nothing. After [`Error::Forged`] or [`Error::Malformed`] answer
    /// with an error page and go on waiting. After [`Error::Denied`] (the server's own answer) and
    /// [`Error::Expired`] the login is over: take it out of its store. [`Error::Misuse`]: another
    /// client's state.
    ///
    /// See [RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2) and
    /// [RFC 9207 §2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4).
    pub fn accept<'c>(
        &self,
        client: &Client,
        callback: impl Into<Callback<'c>>,
        now: Timestamp,
    ) -> Result<Code, Error> {
        self.login.check(client)?;
        if now > self.deadline {
            return Err(Error::Expired(Expired::Callback));
        }
        let callback = callback.into();
        let found = callback.parameters(|name| client.callback_parameter(name))?;
        if let Some(url) = found.url
            && !came_to(&self.redirect_uri, url)?
        {
            return Err(Error::Forged(Forged::RedirectUri));
        }
        check_issuer(client, found.iss.as_deref())?;
        // RFC 6749 §10.12: the client MUST check that the state matches the user agent's.
        if !found.state.is_some_and(|state| self.state.matches(&state)) {
            return Err(Error::Forged(Forged::State));
        }
        if let Some(error) = found.error.filter(|error| !error.is_empty()) {
            let description = found.error_description.as_deref();
            return Err(Error::Denied(Denied::new(
                &error,
                description,
                found.error_uri.as_deref(),
            )));
        }
        let Some(code) = found.code.filter(|code| !code.is_empty()) else {
            return Err(Error::Malformed(Malformed::new(Problem::CodeMissing)));
        };
        // RFC 6749 Appendix A.11: code = 1*VSCHAR.
        if !code.bytes().all(|byte| matches!(byte, 0x20..=0x7E)) {
            return Err(Error::Malformed(Malformed::new(Problem::Code)));
        }
        Ok(Code {
            login: self.login,
            code: Secret::new(code.into_owned()),
            verifier: self.verifier.clone(),
            redirect_uri: self.redirect_uri.clone(),
            scope: self.scope.clone(),
            resources: self.resources.clone(),
        })
    }

    /// The state that the login is in after [`accept`](Self::accept) refused with this error:
    /// `Unauthorized` when the server itself said no or the deadline passed, else still this one.
    #[must_use]
    pub fn after(self, error: &Error) -> State {
        let reason = match error {
            Error::Denied(denied) => Reason::Denied(denied.error().into()),
            Error::Expired(_) => Reason::Deadline,
            Error::Forged(_) | Error::Malformed(_) | Error::Misuse(_) | Error::Unavailable(_) => {
                return self.into();
            }
        };
        Unauthorized::ended(self.login, reason, self.scope).into()
    }

    /// When the login is given up: a store can forget it then.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The login that this is the beginning of.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login.id
    }

    /// The redirect URI that the callback is awaited at.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }
}

impl fmt::Debug for AwaitingCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingCallback")
            .field("login", &self.login)
            .field("redirect_uri", &self.redirect_uri)
            .field("scope", &self.scope)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// RFC 9207 §2.4: compared as plain strings; and MUST be there if the server is known to send it.
fn check_issuer(client: &Client, iss: Option<&str>) -> Result<(), Error> {
    match (client.server().issuer(), iss) {
        (Some(issuer), Some(iss)) if !client.is_issuer(issuer, iss) => {
            Err(Error::Forged(Forged::Issuer))
        }
        (Some(_), None) if client.server().issuer_required() => {
            Err(Error::Forged(Forged::IssuerMissing))
        }
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn random_text<R: TryCryptoRng>(rng: &mut R) -> Result<RandomText, Error> {
    let mut random = Zeroizing::new([0; 32]);
    rng.try_fill_bytes(&mut *random).map_err(|_| no_randomness())?;
    Ok(RandomText::new(&random))
}

pub(super) const fn no_randomness() -> Error {
    Error::Unavailable(Unavailable::new(Outage::Randomness, None))
}
