//! What goes wrong on purpose, and how often.

use core::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// What goes wrong with one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The connection is closed before the server acts.
    RequestLost,
    /// The connection is closed after the server has acted.
    AnswerLost,
    /// 503.
    Unavailable,
    /// The answer takes longer than a token is refreshed before it expires.
    Slow(Duration),
    /// The sender is killed after the server has acted.
    SenderKilled,
}

/// So many of a thousand requests meet each fault.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Rates {
    request_lost: u32,
    answer_lost: u32,
    unavailable: u32,
    slow: u32,
}

impl Rates {
    /// A bad day.
    pub(crate) const HOSTILE: Self =
        Self { request_lost: 20, answer_lost: 10, unavailable: 20, slow: 20 };

    /// What this request meets.
    pub(crate) fn draw(self, rng: &mut StdRng) -> Option<Fault> {
        let slow = Fault::Slow(Duration::from_millis(rng.random_range(300..2000)));
        let mut drawn = rng.random_range(0..1000);
        let faults = [
            (self.request_lost, Fault::RequestLost),
            (self.answer_lost, Fault::AnswerLost),
            (self.unavailable, Fault::Unavailable),
            (self.slow, slow),
        ];
        for (rate, fault) in faults {
            if drawn < rate {
                return Some(fault);
            }
            drawn -= rate;
        }
        None
    }
}
