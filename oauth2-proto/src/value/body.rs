//! The body of a token request: bytes that hold codes, secrets and refresh tokens.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize;

/// The bytes of a request to an authorization server, or of an answer that a hook changes.
///
/// A `Vec<u8>` would print its bytes in `Debug`; this prints only how many there are, and
/// overwrites them when it is dropped. Hand them to an HTTP client with
/// [`into_vec`](Self::into_vec), or borrow them through `AsRef<[u8]>`.
#[derive(Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// The bytes for an HTTP client, without copying them; from here on they are not wiped.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }

    /// How many bytes there are, for a `Content-Length`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // Emptied first, as in `wipe`.
        self.0.clear();
        self.0.zeroize();
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
