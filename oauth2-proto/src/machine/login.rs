//! What every stored state knows about the login that it belongs to.

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::Misuse;
use crate::value::{Fingerprint, Generation, LoginId};

/// Which login, how many token answers it has had, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) id: LoginId,
    pub(crate) number: u64,
    pub(crate) client: Fingerprint,
}

impl Login {
    pub(crate) const fn begin(id: LoginId, client: &Client) -> Self {
        Self { id, number: 0, client: client.fingerprint() }
    }

    /// The login as it was when tokens of this generation were held.
    pub(crate) const fn of(generation: Generation, client: &Client) -> Self {
        let (id, number) = (generation.login(), generation.number());
        Self { id, number, client: client.fingerprint() }
    }

    pub(crate) fn check(&self, client: &Client) -> Result<(), Misuse> {
        client.check(self.client)
    }

    pub(crate) const fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    pub(crate) const fn generation(&self) -> Generation {
        Generation::new(self.id, self.number)
    }
}
