//! What servers and resources say about themselves and about clients (RFC 8414, 9728, 7591, 7592).
//! Whatever they say, nothing goes to an origin that was not given.

use http::{Request, Response, Uri};
use oauth2_proto::{
    Body, Client, ClientRegistration, Discovery, Error, LearntUrl, Origins, RegisteredClient,
    ResourceDiscovery, ResourceMetadata, ServerMetadata,
};
use url::Url;

use super::scenario::{ISSUER, assert_showable, response, stored};

/// A client that is managed on the server's own origin.
const HELD: &str = r#"{"client_id":"held","client_secret":"secret","registration_access_token":"token","registration_client_uri":"https://as.example/register/held"}"#;

/// Reads `status LF (name: value LF)* LF body` as the metadata of a server and of a resource, and as
/// the answer to a registration and to its management.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Some(response) = response(data) else { return };
    discover(&response);
    match ResourceDiscovery::new(ISSUER).expect("https").receive(&response) {
        Ok(metadata) => assert_resource(&metadata),
        Err(error) => assert_showable(&error),
    }
    register(&response);
    manage(&response);
}

fn discover(response: &Response<&[u8]>) {
    let mut discovery = Discovery::new(ISSUER).expect("https");
    // There are at most three places.
    for _ in 0..3 {
        assert_own(discovery.request().uri());
        match discovery.receive(response) {
            Ok(metadata) => return assert_server(&metadata),
            Err(undiscovered) => {
                assert_showable(undiscovered.error());
                let Ok(next) = undiscovered.next() else { return };
                discovery = next;
            }
        }
    }
    unreachable!("there is no fourth place");
}

fn assert_server(metadata: &ServerMetadata) {
    assert_eq!(metadata.issuer(), ISSUER);
    let endpoints = [
        metadata.authorization_endpoint(),
        metadata.token_endpoint(),
        metadata.registration_endpoint(),
        metadata.revocation_endpoint(),
        metadata.introspection_endpoint(),
        metadata.device_authorization_endpoint(),
        metadata.pushed_authorization_request_endpoint(),
        metadata.jwks_uri(),
        metadata.userinfo_endpoint(),
    ];
    endpoints.into_iter().flatten().for_each(assert_learnt);
    match metadata.server() {
        Ok(server) => assert_eq!(server.issuer(), Some(ISSUER)),
        Err(error) => assert_from_the_peer(&error),
    }
    match metadata.authentication("secret") {
        Ok(authentication) => assert!(!format!("{authentication:?}").contains("secret")),
        Err(error) => assert_from_the_peer(&error),
    }
}

fn assert_resource(metadata: &ResourceMetadata) {
    assert_eq!(metadata.resource(), ISSUER);
    metadata.jwks_uri().into_iter().for_each(assert_learnt);
    for issuer in metadata.authorization_servers() {
        assert_learnt(issuer);
        match Discovery::learnt(issuer, &Origins::default()) {
            Ok(discovery) => assert_own(discovery.request().uri()),
            Err(error) => assert_from_the_peer(&error),
        }
        // Where its origin is accepted, nothing else can be wrong with it.
        let origins = Origins::new([&*issuer.origin()]).expect("it is https");
        assert!(Discovery::learnt(issuer, &origins).is_ok());
    }
}

fn register(response: &Response<&[u8]>) {
    let registration = ClientRegistration::new().client_name("fuzz");
    let (_, registering) =
        registration.register("https://as.example/register", None).expect("https");
    match registering.receive(response) {
        Ok(registered) => assert_registered(&registered),
        Err(error) => assert_showable(&error),
    }
}

fn manage(response: &Response<&[u8]>) {
    let mut held = Response::new(HELD);
    *held.status_mut() = http::StatusCode::CREATED;
    let (_, registering) =
        ClientRegistration::new().register("https://as.example/register", None).expect("https");
    let held = registering.receive(&held).expect("a good answer");
    let management = held.manage().expect("on the same origin");
    let (request, managing) = management.read();
    assert_own(request.uri());
    match managing.receive(response) {
        Ok(registered) => {
            assert_eq!(registered.client_id(), "held");
            assert!(registered.client_secret().is_some());
            assert_registered(&registered);
        }
        Err(error) => assert_showable(&error),
    }
    let (_, deleting) = management.delete();
    match deleting.receive(response) {
        Ok(()) => assert_eq!(response.status(), http::StatusCode::NO_CONTENT),
        Err(error) => assert_showable(&error),
    }
}

fn assert_registered(registered: &RegisteredClient) {
    let text = stored(registered);
    let loaded: RegisteredClient = serde_json::from_str(&text).expect("what was stored loads");
    assert_eq!(&loaded, registered);
    if let Some(uri) = registered.registration_client_uri() {
        assert_learnt(uri);
    }
    if let Ok(management) = registered.manage() {
        let again = management.update(&registered.registration());
        let requests = [Some(management.read().0), again.ok().map(|(request, _)| request)];
        requests.iter().flatten().for_each(|request: &Request<Body>| assert_own(request.uri()));
    }
    let server = oauth2_proto::Server::token_only("https://as.example/token").expect("https");
    let client: Result<Client, Error> = registered.client(server);
    if let Err(error) = client {
        assert_from_the_peer(&error);
    }
}

/// What was learnt is given out for its own origin, and the text is what it says it is.
fn assert_learnt(learnt: &LearntUrl) {
    let url = Url::parse(&learnt.to_string()).expect("it was parsed");
    assert_eq!(url.scheme(), "https");
    assert_eq!(url.origin().ascii_serialization(), learnt.origin());
    match learnt.same_origin() {
        Ok(text) => assert_own(&text.parse().expect("a URI")),
        Err(error) => {
            assert_from_the_peer(&error);
            assert_ne!(learnt.origin(), ISSUER);
        }
    }
}

fn assert_own(uri: &Uri) {
    assert!(uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")));
    assert!(uri.host().is_some_and(|host| host.eq_ignore_ascii_case("as.example")), "{uri}");
    assert_eq!(uri.port_u16().unwrap_or(443), 443);
}

/// A misuse is never caused by what a peer sends.
fn assert_from_the_peer(error: &Error) {
    assert_showable(error);
    assert!(matches!(error, Error::Malformed(_)), "{error:?}");
}
