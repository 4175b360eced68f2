//! The keys that seal and open.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use oauth2_proto::Secret;
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 32 bytes that seal and open. Clones share them.
///
/// It is a secret that opens all the others: keep it where the database is not. `Debug` shows
/// nothing of it, and its memory is wiped when the last clone is dropped.
#[derive(Clone)]
pub struct SealingKey(Arc<Zeroizing<[u8; LENGTH]>>);

const LENGTH: usize = 32;

impl SealingKey {
    /// A key of these bytes, which are random: no password, and nothing that was derived from one.
    /// The array that they come from is not wiped.
    #[must_use]
    pub fn new(bytes: [u8; LENGTH]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// A new key, of the system's randomness. [Write it down](Self::to_base64): what it seals, no
    /// other opens.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        SysRng.try_fill_bytes(&mut *bytes).map_err(|_| KeyError::Randomness)?;
        Ok(Self(Arc::new(bytes)))
    }

    /// A key that was written down as base64, such as by `openssl rand -base64 32`: in either
    /// alphabet, with padding or without, and with space around it.
    ///
    /// # Errors
    /// [`KeyError::Text`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; LENGTH + 4]);
        let written = [STANDARD, URL_SAFE]
            .iter()
            .find_map(|alphabet| base64(alphabet).decode_slice(text, &mut *bytes).ok());
        match (written, bytes.first_chunk()) {
            (Some(LENGTH), Some(key)) => Ok(Self(Arc::new(Zeroizing::new(*key)))),
            _ => Err(KeyError::Text),
        }
    }

    /// The key, to be written down: 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> Secret {
        Secret::new(base64(&STANDARD).encode(self.bytes()))
    }

    pub(super) fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

fn base64(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new();
    GeneralPurpose::new(alphabet, config.with_decode_padding_mode(DecodePaddingMode::Indifferent))
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// One key that seals, and those that only open any longer. Clones share them.
///
/// # Changing the key
///
/// Each key has an id, a number that stands unencrypted in what it seals: never give the same one
/// to another key. To change the key,
///
/// 1. make a new one with an id of its own, and let every process open with it;
/// 2. when all do, let it seal, and the former one only [open](Self::with_opening). Each login is
///    sealed anew when it is next written, which is at its next refresh;
/// 3. take the former key out when what it has sealed is no longer needed: pending logins in
///    cookies are over in minutes; logins that were not refreshed since have to be made anew.
///
/// With one process, step 1 can be left out.
#[derive(Clone)]
pub struct SealingKeys {
    id: u32,
    sealing: SealingKey,
    opening: Arc<BTreeMap<u32, SealingKey>>,
}

impl SealingKeys {
    /// Seals and opens with this key.
    #[must_use]
    pub fn new(id: u32, key: SealingKey) -> Self {
        Self { id, sealing: key, opening: Arc::default() }
    }

    /// Opens with this key, too.
    ///
    /// # Errors
    /// [`KeyError::SameId`] when one of the keys has this id; [`KeyError::SameKey`] when one of them
    /// is this very key: then it has not been changed.
    pub fn with_opening(mut self, id: u32, key: SealingKey) -> Result<Self, KeyError> {
        if self.find(id).is_some() {
            return Err(KeyError::SameId(id));
        }
        if let Some((own, _)) = self.all().find(|(_, own)| own.bytes().ct_eq(key.bytes()).into()) {
            return Err(KeyError::SameKey(own, id));
        }
        Arc::make_mut(&mut self.opening).insert(id, key);
        Ok(self)
    }

    pub(super) const fn sealing(&self) -> (u32, &SealingKey) {
        (self.id, &self.sealing)
    }

    pub(super) fn find(&self, id: u32) -> Option<&SealingKey> {
        if id == self.id { Some(&self.sealing) } else { self.opening.get(&id) }
    }

    fn all(&self) -> impl Iterator<Item = (u32, &SealingKey)> {
        let opening = self.opening.iter().map(|(id, key)| (*id, key));
        core::iter::once(self.sealing()).chain(opening)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKeys")
            .field("sealing", &self.id)
            .field("opening", &self.opening.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why a key cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not base64 of 32 bytes.
    Text,
    /// Two keys have this id.
    SameId(u32),
    /// The keys of these two ids are the same.
    SameKey(u32, u32),
    /// The system gave no random numbers.
    Randomness,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str(
                "a sealing key is 32 random bytes as base64, such as `openssl rand -base64 32` makes",
            ),
            Self::SameId(id) => write!(f, "two sealing keys have the id {id}: number them"),
            Self::SameKey(one, two) => {
                write!(f, "the sealing keys {one} and {two} are the same: make a new one")
            }
            Self::Randomness => f.write_str("the system gave no random numbers"),
        }
    }
}

impl core::error::Error for KeyError {}
