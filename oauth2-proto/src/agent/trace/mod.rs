//! What is told of an agent's work with the feature `tracing`, and that nothing is without it.
//!
//! [`Trace`] is the span of one effect, [`Watch`] tells what came of effects. Both see the coordinator
//! and no message, no token and no key of a store; `docs/tracing.md` lists every name that they use.

#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod on;

#[cfg(not(feature = "tracing"))]
pub(super) use off::{Trace, Watch, challenged, effect_panics, hook_panics};
#[cfg(feature = "tracing")]
pub(super) use on::{Trace, Watch, challenged, effect_panics, hook_panics};
