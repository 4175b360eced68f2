//! PKCE (RFC 7636) with S256, and the random text that serves as `code_verifier` and as `state`.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// 32 random bytes as 43 characters of base64url: the length and alphabet that RFC 7636 §4.1
/// recommends for a `code_verifier`. Held in place, so a login costs no allocation for it.
#[derive(Clone)]
pub(crate) struct RandomText([u8; 43]);

impl RandomText {
    pub(crate) fn new(random: &[u8; 32]) -> Self {
        Self(base64url(random))
    }

    pub(crate) fn as_str(&self) -> &str {
        // The alphabet is ASCII by construction and on load, so the fallback is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Compares in a time that does not depend on where the texts differ.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.ct_eq(text.as_bytes()).into()
    }

    /// Takes up what a stored state holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = <[u8; 43]>::try_from(text.as_bytes()).ok()?;
        let well_formed =
            bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        well_formed.then_some(Self(bytes))
    }
}

impl Drop for RandomText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RandomText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomText(..)")
    }
}

/// `BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))`.
///
/// See [RFC 7636 §4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2).
pub(crate) fn code_challenge(verifier: &RandomText) -> [u8; 43] {
    base64url(&Sha256::digest(verifier.0).into())
}

fn base64url(bytes: &[u8; 32]) -> [u8; 43] {
    let mut text = [0; 43];
    // 32 bytes are 43 characters without padding, so the slice always fits.
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(43));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both values are those of RFC 7636, Appendix B.
    #[test]
    fn the_challenge_of_rfc_7636_appendix_b() {
        let verifier = RandomText::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert_eq!(&code_challenge(&verifier), b"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_octets_of_rfc_7636_appendix_b() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = RandomText::new(&octets);
        assert_eq!(verifier.as_str(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
