//! What is still to be done when every caller may be gone.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::turn::Turn;
use super::{Host, Store};
use crate::coordinator::Ask;

/// What an agent has begun and every caller may leave behind: a request on its way, an answer to be
/// read, new tokens to be saved. Run it as a task: see
/// [`Agent::with_spawn`](super::Agent::with_spawn).
///
/// It ends when that is done; where the store does not answer, it tries until it does.
#[must_use = "it does nothing unless it is run"]
pub struct Rest<H: Host, S: Store> {
    turn: Turn<H, S>,
    ask: Ask,
}

impl<H: Host, S: Store> Rest<H, S> {
    pub(super) const fn new(turn: Turn<H, S>, ask: Ask) -> Self {
        Self { turn, ask }
    }
}

impl<H: Host, S: Store> Future for Rest<H, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Self { turn, ask } = self.get_mut();
        turn.poll(ask, context).map(drop)
    }
}

impl<H: Host, S: Store> fmt::Debug for Rest<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}
