#![doc = include_str!("../docs/front.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "agent")]
extern crate std;

#[cfg(feature = "agent")]
pub mod agent;
mod client;
mod coordinator;
mod error;
pub mod machine;
#[cfg(feature = "providers")]
pub mod providers;
mod session;
mod value;
mod wire;

/// How a server deviates from the RFCs: the parts of a [`Dialect`].
pub mod dialect {
    pub use crate::client::dialect::*;
}

pub use client::{
    Authenticate, Authentication, AuthorizationRequest, AwaitingIntrospection, AwaitingRevocation,
    Client, ClientRegistration, ClientRequest, Deregistering, Dialect, Hook, Introspection,
    Management, Managing, RegisteredClient, Registering, RequestKind, Server,
};
pub use coordinator::{Ask, Coordinator, Effect, Given, Purpose, Swapped, Unknown, Version};
pub use error::{
    Denied, Diagnostics, Error, Expired, Forged, Malformed, Mismatch, Misuse, Outage, Problem,
    Reason, UnacceptedOrigin, Unavailable, UnusableUrl,
};
pub use machine::{
    Authorized, Authorizing, AwaitingCallback, AwaitingFragment, AwaitingRequestUri, AwaitingToken,
    AwaitingUserCode, ClientCredentialsRequest, Code, DeviceAuthorizationRequest, Discovery,
    Failed, Insufficient, LegacyImplicitRequest, Polled, Polling, Refresh, Refreshing,
    ResourceDiscovery, State, StepUp, TokenExchange, TokenRecord, TokenRequest, Unauthorized,
    Undiscovered,
};
pub use session::{Challenged, Lost, Received, Session, Step, Ticket};
pub use value::{
    AccessToken, Body, Generation, LearntUrl, LoginId, Moment, Origins, Scope, Secret, Seed,
    Timestamp,
};
pub use wire::{Callback, Challenge, ResourceMetadata, ServerMetadata};

#[cfg(doc)]
#[doc = include_str!("../docs/guide.md")]
pub mod guide {
    #[doc = include_str!("../docs/secrets.md")]
    pub mod secrets {}

    #[doc = include_str!("../docs/performance.md")]
    pub mod performance {}

    #[doc = include_str!("../docs/presentation.md")]
    pub mod presentation {}

    #[doc = include_str!("../docs/requirements.md")]
    pub mod requirements {}

    #[doc = include_str!("../docs/requests_oauthlib.md")]
    pub mod requests_oauthlib {}

    #[doc = include_str!("../docs/servers.md")]
    pub mod servers {}

    #[doc = include_str!("../docs/sharing.md")]
    pub mod sharing {}

    #[doc = include_str!("../docs/tracing.md")]
    pub mod tracing {}
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
