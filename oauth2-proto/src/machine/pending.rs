//! What every login in a browser keeps until the browser comes back, and the checks of its callback
//! that do not depend on what was asked for.

use alloc::string::String;
use alloc::vec::Vec;

use rand::TryCryptoRng;
use zeroize::Zeroizing;

use super::{Login, Unauthorized};
use crate::client::Client;
use crate::error::{
    Denied, Error, Expired, Forged, Malformed, Outage, Problem, Reason, Unavailable,
};
use crate::value::{RandomText, Scope, Timestamp};
use crate::wire::{Callback, CallbackParameters, ReturnedIn, came_to, unchecked_issuer};

/// A login whose browser is away.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) login: Login,
    pub(crate) state: RandomText,
    /// OpenID Connect Core §3.1.2.1: sent where an ID token is asked for, and kept to be compared.
    pub(crate) nonce: Option<RandomText>,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Scope,
    /// The provider's own callback parameters that stay with the tokens.
    pub(crate) kept: Vec<String>,
    pub(crate) returned_in: ReturnedIn,
    pub(crate) deadline: Timestamp,
}

impl Pending {
    /// Checks everything up to the server's own word, in the order of law 5: same client, deadline,
    /// duplicates, redirect URI, `iss`, `state`, `error`. What is left to look at comes back, with
    /// the provider's own parameters that are `wanted`.
    pub(super) fn check<'c>(
        &self,
        client: &Client,
        callback: &'c Callback<'_>,
        wanted: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<CallbackParameters<'c>, Error> {
        self.login.check(client)?;
        if now > self.deadline {
            return Err(Error::Expired(Expired::Callback));
        }
        let found = callback.parameters(
            self.returned_in,
            |name| client.callback_parameter(name),
            wanted,
        )?;
        if let Some(url) = found.url
            && !came_to(&self.redirect_uri, url)?
        {
            return Err(Error::Forged(Forged::RedirectUri));
        }
        // OpenID Connect Core §3.2.2.5, §3.3.2.5: where an ID token was asked for, it is signed by an
        // issuer, too. RFC 9207 §2.4: both MUST be the same.
        let asked = found.id_token.as_deref().filter(|_| self.nonce.is_some());
        let beside = asked.and_then(unchecked_issuer);
        if let (Some(iss), Some(beside)) = (&found.iss, &beside)
            && **iss != **beside
        {
            return Err(Error::Forged(Forged::Issuer));
        }
        check_issuer(client, found.iss.as_deref().or(beside.as_deref()))?;
        // RFC 6749 §10.12: the client MUST check that the state matches the user agent's.
        if !self.has_state_of(&found) {
            return Err(Error::Forged(Forged::State));
        }
        if let Some(error) = found.error.as_ref().filter(|error| !error.is_empty()) {
            let description = found.error_description.as_deref();
            let denied = Denied::new(error, description, found.error_uri.as_deref());
            return Err(Error::Denied(denied));
        }
        Ok(found)
    }

    /// Whether a callback carries this login's `state`, whatever else is wrong with it.
    pub(super) fn is_answered_by(
        &self,
        client: &Client,
        callback: &Callback<'_>,
    ) -> Result<bool, Error> {
        self.login.check(client)?;
        let found = callback.parameters(
            self.returned_in,
            |name| client.callback_parameter(name),
            |_| false,
        )?;
        Ok(self.has_state_of(&found))
    }

    fn has_state_of(&self, found: &CallbackParameters<'_>) -> bool {
        found.state.as_ref().is_some_and(|state| self.state.matches(state))
    }

    /// Those of the provider's own parameters that stay with the tokens.
    pub(super) fn kept(
        &self,
        client: &Client,
        found: &CallbackParameters<'_>,
    ) -> Result<Vec<(String, String)>, Error> {
        let kept = found.others.iter().filter(|(name, _)| self.keeps(client, name));
        // They come through the browser, and are stored for as long as the login lives.
        if kept.clone().any(|(_, value)| value.len() > LONGEST_KEPT) {
            return Err(Error::Malformed(Malformed::new(Problem::KeptTooLong(LONGEST_KEPT))));
        }
        Ok(kept.map(|(name, value)| (name.clone(), value.clone().into_owned())).collect())
    }

    pub(super) fn keeps(&self, client: &Client, name: &str) -> bool {
        self.kept.iter().any(|own| own == name) || client.keeps_callback_parameter(name)
    }

    /// The login after its callback was refused with this error; `None` where it still awaits the
    /// right one.
    pub(super) fn ended_by(&self, error: &Error) -> Option<Unauthorized> {
        let reason = match error {
            Error::Denied(denied) => Reason::Denied(denied.error().into()),
            Error::Expired(_) => Reason::Deadline,
            Error::Forged(_) | Error::Malformed(_) | Error::Misuse(_) | Error::Unavailable(_) => {
                return None;
            }
        };
        Some(Unauthorized::ended(self.login, reason, self.scope.clone()))
    }
}

/// The longest callback parameter that is kept, in bytes.
const LONGEST_KEPT: usize = 4096;

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

pub(super) fn random_text<R: TryCryptoRng>(rng: &mut R) -> Result<RandomText, Error> {
    let mut random = Zeroizing::new([0; 32]);
    rng.try_fill_bytes(&mut *random).map_err(|_| no_randomness())?;
    Ok(RandomText::new(&random))
}

pub(super) const fn no_randomness() -> Error {
    Error::Unavailable(Unavailable::new(Outage::Randomness, None))
}
