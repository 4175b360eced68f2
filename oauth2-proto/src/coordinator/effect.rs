//! What a coordinator asks for, what it is asked, and what it is told.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use http::Request;

use crate::error::Error;
use crate::machine::State;
use crate::value::{AccessToken, Body, Generation, Moment};

/// What a caller wants, and for how long it waits.
#[derive(Debug)]
pub struct Ask {
    pub(super) want: Want,
    /// For which resource, if not for the login itself.
    pub(super) resource: Option<String>,
    /// On the clock that only goes on.
    pub(super) until: Duration,
    /// The failures before this caller came are not its own.
    pub(super) failures: u64,
}

impl Ask {
    /// How long the caller still waits.
    #[must_use]
    pub const fn patience(&self, now: Moment) -> Duration {
        self.until.saturating_sub(now.elapsed())
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
#[expect(clippy::large_enum_variant, reason = "it is matched at once")]
pub enum Effect<'c> {
    /// Read the login, and report to [`loaded`](crate::Coordinator::loaded).
    Load,
    /// Replace the stored login if it still has this version (`None`: if there is none), and
    /// report to [`swapped`](crate::Coordinator::swapped).
    Swap(Option<Version>, &'c State, Purpose),
    /// Send this request now, give it up after this long, and report to
    /// [`received`](crate::Coordinator::received) or [`lost`](crate::Coordinator::lost).
    Send(Request<Body>, Duration),
    /// Poll again after this long, or when another caller's effect has been reported.
    Wait(Duration),
    /// An effect that another caller got is still out: poll again when it has been reported, or
    /// after this long.
    Busy(Duration),
    /// This is what the caller asked for.
    Give(Result<Given<'c>, Error>),
}

/// What a swap is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// It keeps others from sending while a request is on its way.
    Lease,
    /// The same, where another holder's lease is over and nobody knows what became of its request.
    TakeOver,
    /// It saves what has been learnt.
    Save,
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
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version([u8; 16]);

impl Version {
    /// The version with this number.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Version").field(&self.number()).finish()
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
