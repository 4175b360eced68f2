//! What can happen to a session, and how it is read from two bytes.

use core::time::Duration;

use http::StatusCode;

/// What can happen to a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Step,
    /// A token for one of two resources is needed.
    StepFor(usize),
    /// Waits until the moment that the step just before has named.
    Sleep,
    Advance(Duration),
    /// Somebody sets the clock back.
    SetBack(Duration),
    /// The answer to one of the requests arrives, in time or not.
    Answer(usize, Answer),
    /// One of the requests brings no answer.
    Lost(usize, Fate),
    /// A resource server refuses one of the tokens that were used, with this error.
    Challenge(usize, &'static str),
    /// The server forgets the refresh token.
    Revoke,
    RefreshNow,
    SignOut,
    /// The state goes through a store into another process.
    Reload,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// The server acts on it, if it honours the grant.
    Honest { expires_in: Option<u64>, rotates: bool },
    /// The server dislikes the client or the request, not the grant.
    Refused(&'static str),
    /// The server is down for now.
    Unavailable(StatusCode, Option<u16>),
    /// Something in between answers in the server's place.
    Unreadable(StatusCode, &'static str),
    /// The server acts on it, and something in between spoils what it says.
    Garbled,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Unsent,
    NeverArrived,
    AnswerLost,
}

impl Operation {
    pub(super) fn decode(kind: u8, argument: u8) -> Self {
        let (which, variant) = (usize::from(argument >> 4), argument & 0x0F);
        let seconds = Duration::from_secs(argument.into());
        match kind % 16 {
            0 => Self::Sleep,
            1 => Self::Advance(seconds),
            2 => Self::Advance(seconds * 60),
            3 => Self::SetBack(seconds),
            4 => Self::SetBack(seconds * 60),
            5 | 6 => Self::Answer(which, Answer::decode(variant)),
            7 => Self::Lost(which, Fate::decode(variant)),
            8 if variant == 0 => Self::Challenge(which, "insufficient_scope"),
            8 => Self::Challenge(which, "invalid_token"),
            9 => Self::Revoke,
            10 => Self::RefreshNow,
            11 => Self::SignOut,
            12 => Self::Reload,
            14 => Self::StepFor(which),
            _ => Self::Step,
        }
    }
}

impl Answer {
    fn decode(variant: u8) -> Self {
        let honest = |expires_in, rotates| Self::Honest { expires_in, rotates };
        match variant {
            0 => honest(Some(3600), true),
            1 => honest(Some(3600), false),
            2 => honest(None, true),
            3 => honest(Some(0), true),
            4 => honest(Some(2), true),
            5 => honest(Some(60), false),
            6 => honest(Some(u64::MAX), true),
            7 => Self::Refused("invalid_client"),
            8 => Self::Refused("access_denied"),
            9 => Self::Unavailable(StatusCode::SERVICE_UNAVAILABLE, Some(120)),
            10 => Self::Unavailable(StatusCode::TOO_MANY_REQUESTS, Some(u16::MAX)),
            11 => Self::Unavailable(StatusCode::BAD_GATEWAY, None),
            12 => Self::Unreadable(StatusCode::OK, "<html>"),
            13 => Self::Unreadable(StatusCode::TEMPORARY_REDIRECT, ""),
            14 => Self::Unreadable(StatusCode::BAD_REQUEST, r#"{"error":"slow_down"}"#),
            _ => Self::Garbled,
        }
    }
}

impl Fate {
    fn decode(variant: u8) -> Self {
        match variant % 3 {
            0 => Self::Unsent,
            1 => Self::NeverArrived,
            _ => Self::AnswerLost,
        }
    }
}
