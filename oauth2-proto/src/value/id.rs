//! Identities that are not secret: of a login, of its token generations, of who holds a lease.

use alloc::string::String;
use core::fmt;
use core::num::NonZero;
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryCryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// 16 bytes, written as 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id([u8; 16]);

impl Id {
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (written == 16).then_some(Self(bytes))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 22];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        debug_assert_eq!(written, Ok(22));
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("expected 22 characters of base64url"))
    }
}

/// The identity of one login: random, made where the login begins, kept through every refresh.
///
/// Not a secret. It tells a login from one that later took its place in a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginId(Id);

impl LoginId {
    pub(crate) const fn from_random(random: [u8; 16]) -> Self {
        Self(Id(random))
    }

    /// Fills a new identity from the host's randomness.
    pub(crate) fn random<R: TryCryptoRng>(rng: &mut R) -> Result<Self, R::Error> {
        let mut random = [0; 16];
        rng.try_fill_bytes(&mut random)?;
        Ok(Self::from_random(random))
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Which set of tokens of which login: every token answer makes a new one.
///
/// A challenge from a resource server speaks of the generation of the token that was used, so that
/// a token which has been replaced meanwhile is not rejected for the sins of its predecessor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Generation {
    login: LoginId,
    number: u64,
}

impl Generation {
    pub(crate) const fn new(login: LoginId, number: u64) -> Self {
        Self { login, number }
    }

    /// The login that these tokens belong to.
    #[must_use]
    pub const fn login(self) -> LoginId {
        self.login
    }

    /// Counts the token answers of this login; the first set of tokens is number 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

/// Which client a state belongs to: a digest of client_id and issuer or token endpoint.
///
/// The secret is not part of it, so that a secret can be rotated without losing logins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fingerprint(Id);

impl Fingerprint {
    pub(crate) fn new(client_id: &str, server: [&str; 2]) -> Self {
        let mut digest = Sha256::new();
        for part in [client_id].into_iter().chain(server) {
            // The length in front: no part can pass for the beginning of the next one.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(Id(half))
    }
}

/// Who leased a refresh: one attempt of one holder, unique among all processes.
///
/// Two processes that decide the same in the same second would otherwise store equal states, and
/// after a swap with an unknown outcome each would take the other's lease for its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct HolderId(Id);

/// Where a process takes unique ids from: random once, then counted.
///
/// Make one per process, from the system's randomness, and never store it.
#[derive(Debug)]
pub struct Seed {
    random: [u8; 8],
    counter: u64,
}

impl Seed {
    /// Draws a seed from the host's randomness.
    ///
    /// # Errors
    /// The source's own error, when it has no randomness to give.
    pub fn new<R: TryCryptoRng>(rng: &mut R) -> Result<Self, R::Error> {
        let mut random = [0; 8];
        rng.try_fill_bytes(&mut random)?;
        Ok(Self { random, counter: 0 })
    }

    /// A seed for one login of this process, with four thousand million ids of its own.
    pub(crate) const fn split(&mut self) -> Self {
        self.counter = self.counter.wrapping_add(1 << 32);
        Self { random: self.random, counter: self.counter }
    }

    /// A new id, and the count by which [`holder_of`](Self::holder_of) finds it again.
    pub(crate) fn holder(&mut self) -> (HolderId, Option<NonZero<u64>>) {
        self.counter = self.counter.wrapping_add(1);
        (self.holder_of(self.counter), NonZero::new(self.counter))
    }

    /// The id that was taken at this count.
    pub(crate) fn holder_of(&self, count: u64) -> HolderId {
        let mut id = [0; 16];
        let bytes = self.random.into_iter().chain(count.to_be_bytes());
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        HolderId(Id(id))
    }

    /// A part of this span, to be added where many would do the same thing at the same moment.
    pub(crate) fn jitter(&mut self, span: Duration) -> Duration {
        self.counter = self.counter.wrapping_add(1);
        // The finalizer of SplitMix64 (Steele, Lea, Flood 2014): nobody has to be unable to guess it.
        let mut mixed = u64::from_be_bytes(self.random) ^ self.counter;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (span / 1024).saturating_mul(u32::try_from(mixed >> 54).unwrap_or(0))
    }
}
