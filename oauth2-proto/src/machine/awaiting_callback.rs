//! The browser is away: the state that a pending login is kept in, and the proof it leads to.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand::TryCryptoRng;
use url::Url;

use super::code::Added;
use super::pending::{Pending, no_randomness, random_text};
use super::{Code, Login, State};
use crate::client::{AuthorizationRequest, Client};
use crate::error::{Error, Malformed, Problem};
use crate::value::{LoginId, RandomText, Secret, Timestamp, code_challenge};
use crate::wire::Callback;

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
    pub(crate) pending: Pending,
    pub(crate) verifier: RandomText,
    pub(crate) resources: Vec<String>,
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
        let client = self.client;
        let (url, pending) = self.prepared(rng, now)?;
        Ok((client.visited(url), pending))
    }

    /// The login, and its URL in the words of the RFC.
    pub(super) fn prepared<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Url, AwaitingCallback), Error> {
        let scope = self.check()?;
        let state = random_text(rng)?;
        let verifier = random_text(rng)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        let nonce = if self.wants_id_token(&scope) { Some(random_text(rng)?) } else { None };
        let challenge = code_challenge(&verifier);
        let challenge = core::str::from_utf8(&challenge).unwrap_or_default();
        let nonce_text = nonce.as_ref().map(RandomText::as_str);
        let url = self.url(&scope, state.as_str(), Some(challenge), nonce_text)?;
        let pending = Pending {
            login: Login::begin(login, self.client),
            state,
            nonce,
            redirect_uri: self.redirect_uri.into(),
            scope,
            kept: self.kept.iter().map(|&name| name.into()).collect(),
            returned_in: self.returned_in(),
            deadline: now.after(self.within),
        };
        let resources = self.params.resources.iter().map(|&resource| resource.into()).collect();
        Ok((url, AwaitingCallback { pending, verifier, resources }))
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
        let callback = callback.into();
        let wanted = |name: &str| self.pending.keeps(client, name);
        let found = self.pending.check(client, &callback, wanted, now)?;
        let kept = self.pending.kept(client, &found)?;
        let Some(code) = found.code.filter(|code| !code.is_empty()) else {
            return Err(Error::Malformed(Malformed::new(Problem::CodeMissing)));
        };
        // RFC 6749 Appendix A.11: code = 1*VSCHAR.
        if !code.bytes().all(|byte| matches!(byte, 0x20..=0x7E)) {
            return Err(Error::Malformed(Malformed::new(Problem::Code)));
        }
        Ok(Code {
            login: self.pending.login,
            code: Secret::new(code.into_owned()),
            verifier: self.verifier.clone(),
            nonce: self.pending.nonce.clone().map(Box::new),
            id_token: found.id_token.map(Secret::new),
            kept,
            redirect_uri: self.pending.redirect_uri.clone(),
            scope: self.pending.scope.clone(),
            added: self.resources.iter().cloned().map(Added::Resource).collect(),
        })
    }

    /// Whether a callback carries the `state` of this login: several that began in one browser are
    /// told apart by it.
    ///
    /// Ask only those that the browser's own cookie led to, never all that there are; and then
    /// [`accept`](Self::accept) the callback, of which nothing else has been checked.
    ///
    /// # Errors
    /// [`Error::Misuse`]: another client's state. [`Error::Forged`] when a parameter comes twice.
    ///
    /// See [RFC 6749 §10.12](https://www.rfc-editor.org/rfc/rfc6749#section-10.12).
    pub fn is_answered_by<'c>(
        &self,
        client: &Client,
        callback: impl Into<Callback<'c>>,
    ) -> Result<bool, Error> {
        self.pending.is_answered_by(client, &callback.into())
    }

    /// The state that the login is in after [`accept`](Self::accept) refused with this error:
    /// `Unauthorized` when the server itself said no or the deadline passed, else still this one.
    #[must_use]
    pub fn after(self, error: &Error) -> State {
        self.pending.ended_by(error).map_or_else(|| self.into(), State::from)
    }

    /// When the login is given up: a store can forget it then.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.pending.deadline
    }

    /// The login that this is the beginning of.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.pending.login.id
    }

    /// The redirect URI that the callback is awaited at.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.pending.redirect_uri
    }
}

impl fmt::Debug for AwaitingCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingCallback")
            .field("login", &self.pending.login)
            .field("redirect_uri", &self.pending.redirect_uri)
            .field("scope", &self.pending.scope)
            .field("deadline", &self.pending.deadline)
            .finish_non_exhaustive()
    }
}
