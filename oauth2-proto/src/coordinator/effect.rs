//! What a coordinator asks for, what it is asked, and what it is told.

use alloc::string::String;

use http::Request;

use crate::error::Error;
use crate::machine::State;
use crate::value::{AccessToken, Body, Generation, Timestamp};

/// What a caller wants, and for how long it waits.
#[derive(Debug)]
pub struct Ask {
    pub(super) want: Want,
    /// For which resource, if not for the login itself.
    pub(super) resource: Option<String>,
    pub(super) until: Timestamp,
    /// The failures before this caller came are not its own.
    pub(super) failures: u64,
}

impl Ask {
    /// The last moment at which the caller waits: once it is past, [`Effect::Busy`] ends.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    Token,
    /// A token of another generation than this one.
    Newer(Option<Generation>),
    /// That everything is loaded and saved, and every request has been sent.
    Settled,
}

/// What to do next for a caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect<'c> {
    /// Read the login, and report to [`loaded`](crate::Coordinator::loaded).
    Load,
    /// Replace the stored login if it still has this version (`None`: if there is none), and
    /// report to [`swapped`](crate::Coordinator::swapped).
    Swap(Option<Version>, &'c State),
    /// Send this request, give it up at this moment, and report to
    /// [`received`](crate::Coordinator::received) or [`lost`](crate::Coordinator::lost).
    Send(Request<Body>, Timestamp),
    /// Poll again at this moment, or when another caller's effect has been reported.
    Wait(Timestamp),
    /// An effect that another caller got is still out: poll again when it has been reported.
    Busy,
    /// This is what the caller asked for.
    Give(Result<Given<'c>, Error>),
}

/// What a caller gets.
#[derive(Debug)]
#[non_exhaustive]
pub enum Given<'c> {
    /// A token that is good now.
    Token(&'c AccessToken),
    /// Everything is loaded and saved, and every request has been sent.
    Settled,
}

/// Which write of a key this is. A store never gives the same one twice for a key, not even after
/// the key was deleted and made again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Version(u128);

impl Version {
    /// The version with this number.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0
    }
}

/// What became of a swap whose outcome is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third possibility")]
pub enum Swapped {
    /// It is stored, under this version.
    Stored(Version),
    /// Something else was stored meanwhile; nothing has been changed.
    Conflict,
}

/// The store did not answer: what became of the operation is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to say about it")]
pub struct Unknown;
