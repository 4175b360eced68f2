//! The tokens of the authorization server: 40 bytes each, without a meaning to the client. Whoever
//! knows the key sees which login a token is for, which one it is, and until when it is good.

use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;
use std::time::UNIX_EPOCH;

/// Makes tokens, and reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mint(pub(crate) u64);

/// What an access token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Access {
    /// Which of all tokens it is.
    pub(crate) serial: u32,
    pub(crate) login: u32,
    /// Milliseconds since the Unix epoch.
    pub(crate) expires_at: u64,
}

impl Mint {
    pub(crate) fn access(self, access: Access) -> String {
        let Access { serial, login, expires_at } = access;
        let mark = self.mark(('a', serial, login, expires_at)) >> 16;
        format!("a{serial:08x}{login:07x}{expires_at:012x}{mark:012x}")
    }

    /// What a token says; `None` where this mint has not made it.
    pub(crate) fn read(self, token: &str) -> Option<Access> {
        let number = |from, to| u64::from_str_radix(token.get(from..to)?, 16).ok();
        let access = Access {
            serial: u32::try_from(number(1, 9)?).ok()?,
            login: u32::try_from(number(9, 16)?).ok()?,
            expires_at: number(16, 28)?,
        };
        (self.access(access) == token).then_some(access)
    }

    pub(crate) fn refresh(self, serial: u32, login: u32) -> String {
        let mark = self.mark(('r', serial, login, 0));
        format!("r{serial:08x}{login:07x}{mark:024x}")
    }

    /// Which token, of which login, a refresh token is.
    pub(crate) fn read_refresh(self, token: &str) -> Option<(u32, u32)> {
        let number = |from, to| u32::from_str_radix(token.get(from..to)?, 16).ok();
        let (serial, login) = (number(1, 9)?, number(9, 16)?);
        (self.refresh(serial, login) == token).then_some((serial, login))
    }

    fn mark(self, content: (char, u32, u32, u64)) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, content).hash(&mut hasher);
        hasher.finish()
    }
}

/// The present moment, in milliseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    u64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
