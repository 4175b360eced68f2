//! A request that could not even be built, such as when the key that signs it is out of reach: the
//! next attempt waits.

use super::{Attempt, Authorizing, Refreshing, Setbacks, State};
use crate::value::Timestamp;

impl State {
    /// Notes that the next request could not be built. An earlier one of which nobody has heard is
    /// given up: its time was over.
    pub(crate) fn set_back(&mut self, now: Timestamp) {
        match self {
            Self::Unauthorized(state) => state.setbacks.back_off(None, now),
            Self::Authorizing(Authorizing::AwaitingToken(state)) => {
                given_up(&mut state.attempt, &mut state.setbacks);
                state.setbacks.back_off(None, now);
            }
            Self::Authorizing(Authorizing::Polling(state)) => {
                given_up(&mut state.attempt, &mut state.setbacks);
                state.pause(None, now);
            }
            Self::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            ) => {}
            Self::Authorized(state) => state.setbacks.back_off(None, now),
            Self::Refreshing(Refreshing { held, attempt, .. }) => {
                given_up(attempt, &mut held.setbacks);
                held.setbacks.back_off(None, now);
            }
        }
    }
}

fn given_up(attempt: &mut Attempt, setbacks: &mut Setbacks) {
    if core::mem::take(&mut attempt.on_its_way) {
        setbacks.doubt();
    }
}
