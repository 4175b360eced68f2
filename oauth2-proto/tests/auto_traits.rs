//! What every public type can be used for: sent to another thread, shared, moved, kept.

use core::error::Error as StdError;
use core::fmt::{Debug, Display};
use core::hash::Hash;

use oauth2_proto::{
    AccessToken, Ask, Authentication, AuthorizationRequest, Authorized, Authorizing,
    AwaitingCallback, AwaitingIntrospection, AwaitingRequestUri, AwaitingRevocation, AwaitingToken,
    Body, Callback, Challenge, Challenged, Client, ClientCredentialsRequest, ClientRegistration,
    Code, Coordinator, Denied, Deregistering, Diagnostics, Discovery, Effect, Error, Expired,
    Failed, Forged, Generation, Given, Insufficient, Introspection, LearntUrl, LoginId, Lost,
    Malformed, Management, Managing, Mismatch, Misuse, Origins, Outage, Problem, Reason, Received,
    Refreshing, RegisteredClient, Registering, ResourceDiscovery, ResourceMetadata, Scope, Secret,
    Seed, Server, ServerMetadata, Session, State, Step, StepUp, Swapped, Ticket, Timestamp,
    TokenRecord, UnacceptedOrigin, Unauthorized, Unavailable, Undiscovered, Unknown, UnusableUrl,
    Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const fn is_free<T: Debug + Send + Sync + Unpin + 'static>() {}

#[test]
fn every_type_can_be_sent_shared_moved_and_kept() {
    is_free::<AccessToken>();
    is_free::<Ask>();
    is_free::<Authentication>();
    is_free::<AuthorizationRequest<'static>>();
    is_free::<Authorized>();
    is_free::<Authorizing>();
    is_free::<AwaitingCallback>();
    is_free::<AwaitingIntrospection>();
    is_free::<AwaitingRequestUri>();
    is_free::<AwaitingRevocation>();
    is_free::<AwaitingToken>();
    is_free::<Body>();
    is_free::<Callback<'static>>();
    is_free::<Challenge>();
    is_free::<Challenged>();
    is_free::<Client>();
    is_free::<ClientRegistration>();
    is_free::<Code>();
    is_free::<Coordinator>();
    is_free::<Denied>();
    is_free::<Deregistering>();
    is_free::<Diagnostics>();
    is_free::<Discovery>();
    is_free::<Effect<'static>>();
    is_free::<Error>();
    is_free::<Expired>();
    is_free::<Failed>();
    is_free::<Forged>();
    is_free::<Generation>();
    is_free::<Given<'static>>();
    is_free::<Insufficient>();
    is_free::<Introspection>();
    is_free::<LearntUrl>();
    is_free::<LoginId>();
    is_free::<Lost>();
    is_free::<Malformed>();
    is_free::<Management<'static>>();
    is_free::<Managing>();
    is_free::<Mismatch>();
    is_free::<Misuse>();
    is_free::<Origins>();
    is_free::<Outage>();
    is_free::<Problem>();
    is_free::<Reason>();
    is_free::<Received>();
    is_free::<Refreshing>();
    is_free::<RegisteredClient>();
    is_free::<Registering>();
    is_free::<ResourceDiscovery>();
    is_free::<ResourceMetadata>();
    is_free::<Scope>();
    is_free::<Secret>();
    is_free::<Seed>();
    is_free::<Server>();
    is_free::<ServerMetadata>();
    is_free::<Session>();
    is_free::<State>();
    is_free::<Step<'static>>();
    is_free::<StepUp>();
    is_free::<Swapped>();
    is_free::<Ticket>();
    is_free::<Timestamp>();
    is_free::<TokenRecord>();
    is_free::<ClientCredentialsRequest<'static>>();
    is_free::<UnacceptedOrigin>();
    is_free::<Unauthorized>();
    is_free::<Unavailable>();
    is_free::<Undiscovered>();
    is_free::<Unknown>();
    is_free::<UnusableUrl>();
    is_free::<Version>();
}

#[cfg(feature = "agent")]
#[test]
fn the_agents_own_types_can_be_sent_shared_moved_and_kept() {
    use oauth2_proto::agent::{Change, MemoryStore, Origins};
    is_free::<Change>();
    is_free::<MemoryStore>();
    is_free::<Origins>();
}

#[test]
fn what_can_fail_fails_with_an_error_for_people() {
    const fn is_error<T: StdError + Display + Send + Sync + 'static>() {}
    is_error::<Error>();
    is_error::<Failed>();
    is_error::<Misuse>();
    is_error::<Lost>();
}

#[test]
fn every_state_can_be_stored_and_loaded() {
    const fn is_stored<T: Serialize + DeserializeOwned>() {}
    is_stored::<State>();
    is_stored::<Unauthorized>();
    is_stored::<AwaitingCallback>();
    is_stored::<Authorized>();
    is_stored::<Refreshing>();
}

#[test]
fn ids_and_times_can_be_keys() {
    const fn is_key<T: Copy + Eq + Hash>() {}
    is_key::<LoginId>();
    is_key::<Generation>();
    is_key::<Timestamp>();
    is_key::<Version>();
}

/// Errors are moved through every call; `Failed` boxes its state for that reason.
#[test]
fn results_are_small() {
    assert!(size_of::<Error>() <= 64, "{} bytes", size_of::<Error>());
    assert!(size_of::<Failed>() <= 72, "{} bytes", size_of::<Failed>());
}
