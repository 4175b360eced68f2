//! What is told of requests with the feature `tracing`, and that nothing is without it: the names are
//! those of the core's guide. Of a protected request only the origin is, for its path may be a secret.

#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod on;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{Call, Http, failed, timed_out};
#[cfg(feature = "tracing")]
pub(crate) use on::{Call, Http, failed, timed_out};
