#![no_std]
#![doc = include_str!("../docs/front.md")]

extern crate alloc;

mod client;
mod error;
pub mod machine;
mod value;
mod wire;

pub use client::{Authentication, AuthorizationRequest, Client, Server};
pub use error::{
    Denied, Diagnostics, Error, Expired, Forged, Malformed, Misuse, Outage, Problem, Reason,
    Unavailable,
};
pub use machine::{
    Authorized, Authorizing, AwaitingCallback, AwaitingToken, Code, Failed, Refreshing, State,
    TokenRequest, Unauthorized,
};
pub use value::{AccessToken, Body, Generation, LoginId, Scope, Secret, Seed, Timestamp};
pub use wire::{Callback, Challenge};
