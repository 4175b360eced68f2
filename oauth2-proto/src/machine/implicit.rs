//! The implicit grant (RFC 6749 §4.2): the token itself comes back in the callback's fragment. Kept
//! for servers that offer nothing better.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::fmt;
use core::time::Duration;

use http::Response;
use rand::TryCryptoRng;
use url::Url;
use zeroize::Zeroizing;

use super::pending::{Pending, no_randomness, random_text};
use super::{Authorized, Login, Setbacks, State};
use crate::client::{AuthorizationRequest, Client, RequestKind};
use crate::error::{Error, Malformed};
use crate::value::{LoginId, RandomText, Timestamp};
use crate::wire::{Answer, Callback};

/// A login by the implicit grant that is about to begin. **Legacy**: the token travels through the
/// browser's address bar and history, and no PKCE protects it (RFC 9700 §2.1.2 advises against it).
///
/// Made by [`Client::legacy_implicit`].
#[derive(Debug)]
pub struct LegacyImplicitRequest<'a>(AuthorizationRequest<'a>);

impl Client {
    /// Prepares a login by the implicit grant. **Legacy**: use [`authorize`](Self::authorize)
    /// wherever the server offers the authorization code grant.
    ///
    /// See [RFC 6749 §4.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2).
    #[must_use]
    pub fn legacy_implicit<'a>(&'a self, redirect_uri: &'a str) -> LegacyImplicitRequest<'a> {
        LegacyImplicitRequest(self.authorize(redirect_uri).implicit())
    }
}

impl<'a> LegacyImplicitRequest<'a> {
    /// Asks for this scope: tokens separated by spaces.
    #[must_use]
    pub fn scope(self, scope: &'a str) -> Self {
        Self(self.0.scope(scope))
    }

    /// Adds a parameter of the provider's own.
    #[must_use]
    pub fn param(self, name: &'a str, value: &'a str) -> Self {
        Self(self.0.param(name, value))
    }

    /// Keeps a parameter that the provider adds to the callback, as
    /// [`AuthorizationRequest::keep`] does.
    #[must_use]
    pub fn keep(self, name: &'a str) -> Self {
        Self(self.0.keep(name))
    }

    /// Asks for an ID token beside the token, which some servers insist on. Read it with
    /// [`Authorized::id_token`]; **its signature is not checked here**.
    ///
    /// See [OpenID Connect Core §3.2](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitFlowAuth).
    #[must_use]
    pub fn with_id_token(self) -> Self {
        Self(self.0.implicit_with_id_token())
    }

    /// Waits this long for the callback (10 minutes unless told).
    #[must_use]
    pub fn within(self, duration: Duration) -> Self {
        Self(self.0.within(duration))
    }

    /// Begins the login: send the person to the URL, keep the state for the callback.
    ///
    /// # Errors
    /// As [`AuthorizationRequest::begin`].
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Url, AwaitingFragment), Error> {
        let Self(request) = self;
        let scope = request.check()?;
        let state = random_text(rng)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        let nonce = if request.wants_id_token(&scope) { Some(random_text(rng)?) } else { None };
        let url =
            request.url(&scope, state.as_str(), None, nonce.as_ref().map(RandomText::as_str))?;
        let pending = Pending {
            login: Login::begin(login, request.client),
            state,
            nonce,
            redirect_uri: request.redirect_uri.into(),
            scope,
            kept: request.kept.iter().map(|&name| name.into()).collect(),
            returned_in: request.returned_in(),
            deadline: now.after(request.within),
        };
        Ok((request.client.visited(url), AwaitingFragment { pending }))
    }
}

/// A login by the implicit grant whose browser has not come back yet.
///
/// Keep it as an [`AwaitingCallback`](crate::AwaitingCallback): found by the browser's own cookie or
/// in the app's memory, never by the callback's `state`, and taken out when it is answered.
pub struct AwaitingFragment {
    pub(crate) pending: Pending,
}

impl AwaitingFragment {
    /// Checks a callback, in the order of [`AwaitingCallback::accept`], and takes its token.
    ///
    /// A browser does not send the fragment to a server: a page or app has to hand it over. There is
    /// no refresh token; when the token expires, a new login is due.
    ///
    /// # Errors
    /// As [`AwaitingCallback::accept`]; [`Error::Malformed`] when the token cannot be read.
    ///
    /// See [RFC 6749 §4.2.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2.2).
    ///
    /// [`AwaitingCallback::accept`]: crate::AwaitingCallback::accept
    pub fn accept<'c>(
        &self,
        client: &Client,
        callback: impl Into<Callback<'c>>,
        now: Timestamp,
    ) -> Result<Authorized, Error> {
        let callback = callback.into();
        let found = self.pending.check(client, &callback, |_| true, now)?;
        let kept = self.pending.kept(client, &found)?;
        // RFC 6749 §4.2.2: the authorization server MUST NOT issue a refresh token.
        let members = found.others.iter().filter(|(name, _)| *name != "refresh_token");
        let members: BTreeMap<&str, &str> = members
            .map(|(name, value)| (&**name, &**value))
            .chain(found.id_token.as_ref().map(|token| ("id_token", &**token)))
            .collect();
        // Texts are always JSON.
        let answer =
            Response::new(Zeroizing::new(serde_json::to_vec(&members).unwrap_or_default()));
        let login = self.pending.login;
        let heard = client.hear(RequestKind::Authorization, None, now, &answer);
        let generation = login.next().generation();
        match Answer::read(heard.reply("authorization endpoint"), generation) {
            Answer::Granted(granted) => {
                let mut tokens =
                    Authorized::new(login, client, &granted, Setbacks::default(), now, now);
                tokens.asked_for(self.pending.scope.clone(), &granted);
                tokens.in_browser(self.pending.nonce.clone().map(Box::new), &kept);
                Ok(tokens)
            }
            Answer::Denied(denied) => Err(Error::Denied(denied)),
            Answer::Unavailable(unavailable) => Err(Error::Unavailable(unavailable)),
            // The message was made here; what its diagnostics say would mislead.
            Answer::Unreadable(malformed) => {
                let problem = malformed.problem().clone();
                Err(Error::Malformed(Malformed::new(problem).of("authorization endpoint")))
            }
        }
    }

    /// The state that the login is in after [`accept`](Self::accept) refused with this error.
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
}

impl fmt::Debug for AwaitingFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingFragment")
            .field("login", &self.pending.login)
            .field("redirect_uri", &self.pending.redirect_uri)
            .field("scope", &self.pending.scope)
            .field("deadline", &self.pending.deadline)
            .finish_non_exhaustive()
    }
}
