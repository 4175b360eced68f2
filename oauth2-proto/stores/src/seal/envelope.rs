//! The format of what is sealed: `E5 6F 32`, the version `01`, the id of the key (4 bytes, big
//! endian), the nonce (24 bytes), the ciphertext with its tag (16 bytes).
//!
//! Authenticated besides: the first eight bytes, then each part of the context with its length in
//! front. Everything else is refused, and no input panics.

use core::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;

use super::SealingKeys;

/// Why something could not be opened, or sealed. There is nothing in it of what was to be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SealError {
    /// It is not sealed.
    NotSealed,
    /// It is sealed in this version of the format, which a newer version of this crate knows.
    Version(u8),
    /// It is sealed with the key of this id, which is not among the keys.
    UnknownKey(u32),
    /// It was changed, belongs somewhere else, or was sealed with another key of this id.
    NotAuthentic(u32),
    /// It was cut off.
    CutOff,
    /// The system gave no random numbers, so nothing was sealed.
    Randomness,
    /// It is longer than 256 GiB, which the cipher cannot seal.
    TooLong,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => f.write_str("it is not sealed"),
            Self::Version(version) => write!(
                f,
                "it is sealed in version {version} of the format: a newer version of this program \
                 can open it"
            ),
            Self::UnknownKey(id) => write!(
                f,
                "it is sealed with key {id}, which is not among the keys: add it to open with, if \
                 it was left out by mistake"
            ),
            Self::NotAuthentic(id) => write!(
                f,
                "it was changed, moved from elsewhere, or sealed with another key {id} than this one"
            ),
            Self::CutOff => f.write_str("it was cut off"),
            Self::Randomness => {
                f.write_str("the system gave no random numbers, so nothing was sealed")
            }
            Self::TooLong => f.write_str("it is too long to be sealed"),
        }
    }
}

impl core::error::Error for SealError {}

/// In UTF-8 no `o` follows 0xE5: what begins like this is no text, so no JSON.
const MAGIC: [u8; 3] = *b"\xE5o2";
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Seals with the newest key. What is sealed opens only in the same context.
pub(crate) fn seal(
    keys: &SealingKeys,
    context: &[&str],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (id, key) = keys.sealing();
    // 192 random bits: 2^64 of them repeat one with a probability of 2^-65.
    let mut nonce = [0; NONCE];
    SysRng.try_fill_bytes(&mut nonce).map_err(|_| SealError::Randomness)?;
    let aad = authenticated(id, context);
    let ciphertext = XChaCha20Poly1305::new(key.bytes().into())
        .encrypt(&XNonce::from(nonce), Payload { msg: plaintext, aad: &aad })
        .map_err(|_| SealError::TooLong)?;
    Ok([&header(id)[..], &nonce, &ciphertext].concat())
}

/// Opens what was sealed in this context with one of these keys.
pub(crate) fn open(
    keys: &SealingKeys,
    context: &[&str],
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let rest = sealed.strip_prefix(&MAGIC).ok_or(SealError::NotSealed)?;
    let (version, rest) = rest.split_first().ok_or(SealError::CutOff)?;
    if *version != VERSION {
        return Err(SealError::Version(*version));
    }
    let (id, rest) = rest.split_first_chunk().ok_or(SealError::CutOff)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(SealError::CutOff)?;
    let id = u32::from_be_bytes(*id);
    let key = keys.find(id).ok_or(SealError::UnknownKey(id))?;
    let aad = authenticated(id, context);
    XChaCha20Poly1305::new(key.bytes().into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: &aad })
        .map_err(|_| SealError::NotAuthentic(id))
}

fn header(id: u32) -> [u8; 8] {
    let ([a, b, c], [d, e, f, g]) = (MAGIC, id.to_be_bytes());
    [a, b, c, VERSION, d, e, f, g]
}

fn authenticated(id: u32, context: &[&str]) -> Vec<u8> {
    let mut aad = header(id).to_vec();
    for part in context {
        // The length in front: no part can pass for the beginning of the next one.
        aad.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad
}
