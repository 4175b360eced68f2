//! The test world: one client, one hostile authorization server, two clocks that a test turns by
//! hand, and a login in any state in one line.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]
#![expect(dead_code, reason = "each test crate visits a part of the world")]

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use oauth2_proto::{
    Authorized, AwaitingCallback, AwaitingFragment, AwaitingToken, Body, Callback, Challenge,
    Client, Code, Error, Failed, Lost, Moment, Polling, Reason, Refreshing, Server, Session, State,
    Step, Swapped, Ticket, Timestamp, Unauthorized, Unknown, Version,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;

/// When every world begins.
pub(crate) const START: u64 = 1_700_000_000;
pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";
pub(crate) const SCOPE: &str = "read write";
const CLIENT_ID: &str = "s6BhdRkqt3";
const SECRET: &str = "gX1fBat3bV";
/// Id and secret as RFC 6749 §2.3.1 writes them.
const BASIC: &str = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW";

/// The moment that lies this many seconds after the world began.
pub(crate) const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(START.saturating_add(seconds))
}

pub(crate) fn json(state: &impl Serialize) -> String {
    serde_json::to_string(state).expect("a state can be stored")
}

/// The state as a restarted program finds it.
pub(crate) fn reload(state: &State) -> State {
    serde_json::from_str(&json(state)).expect("what was stored can be loaded")
}

pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.into()).unwrap()
}

/// An answer with status 503 or the like that says when to come back.
pub(crate) fn busy(status: u16, retry_after: &str) -> Response<Vec<u8>> {
    let response = Response::builder().status(status).header("retry-after", retry_after);
    response.body(Vec::new()).unwrap()
}

pub(crate) fn refusal(error: &str) -> Response<Vec<u8>> {
    let status = if error == "invalid_client" { 401 } else { 400 };
    reply(status, format!(r#"{{"error":"{error}"}}"#))
}

/// Answers that nobody can read.
pub(crate) fn unreadable() -> [Response<Vec<u8>>; 5] {
    [
        reply(200, "<html>Welcome to our portal</html>"),
        reply(404, "<html>Not here</html>"),
        reply(200, r#"{"access_token":"cut off he"#),
        reply(302, ""),
        reply(200, r#"{"token_type":"Bearer"}"#),
    ]
}

/// What a resource server says to a token that it does not take.
pub(crate) fn invalid_token() -> Challenge {
    challenge(r#"Bearer realm="example", error="invalid_token""#)
}

pub(crate) fn challenge(header: &str) -> Challenge {
    let response = Response::builder().status(401).header("www-authenticate", header);
    Challenge::from_response(&response.body(()).unwrap()).remove(0)
}

/// What a token request says, by name.
pub(crate) fn form(request: &Request<Body>) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(request.body().as_ref()).expect("a form");
    pairs.into_iter().collect()
}

/// The refresh token that a request shows; empty when it shows none.
pub(crate) fn refresh_token(request: &Request<Body>) -> String {
    form(request).remove("refresh_token").unwrap_or_default()
}

/// A client of the same server that is not the one whose logins these are.
pub(crate) fn stranger() -> Client {
    Client::new("a stranger", endpoints()).with_secret(SECRET)
}

fn endpoints() -> Server {
    Server::new("https://as.example/authorize", "https://as.example/token")
        .and_then(|server| server.with_revocation("https://as.example/revoke"))
        .and_then(|server| server.with_device_authorization("https://as.example/device"))
        .expect("the endpoints are https")
}

/// A transition that was refused: the state is the same, byte for byte.
pub(crate) fn refused<T>(result: Result<T, Failed>, before: &str) -> Error {
    let Err(failed) = result else { panic!("this transition is to be refused") };
    assert_eq!(json(&*failed.state), before, "a refused call changes nothing");
    failed.error
}

/// What a step asked for, without what it lends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The token itself.
    Use(String),
    Send,
    /// Seconds from now.
    Wait(u64),
    Login(Reason),
}

/// Takes a step and drops whatever it hands out, a ticket as well.
pub(crate) fn look(session: &mut Session, now: Timestamp) -> Seen {
    match session.step(now) {
        Step::Use(token) => Seen::Use(token.expose().into()),
        Step::Send(_, _) => Seen::Send,
        Step::Wait(until) => {
            assert!(until > now, "a wake-up in the past is a hot loop");
            Seen::Wait(until.since(now).as_secs())
        }
        Step::Login(reason) => Seen::Login(reason.clone()),
    }
}

/// Takes a step that has to send something.
pub(crate) fn sent(session: &mut Session, now: Timestamp) -> (Ticket, Request<Body>) {
    match session.step(now) {
        Step::Send(ticket, request) => (ticket, request),
        other @ (Step::Use(_) | Step::Wait(_) | Step::Login(_)) => panic!("{other:?}, not Send"),
    }
}

pub(crate) struct Scenario {
    pub(crate) client: Arc<Client>,
    pub(crate) server: AuthorizationServer,
    /// The time of day.
    pub(crate) now: Timestamp,
    /// What has passed on the clock that only goes on.
    pub(crate) elapsed: Duration,
    pub(crate) rng: StdRng,
}

impl Scenario {
    pub(crate) fn new() -> Self {
        Self {
            client: Arc::new(Client::new(CLIENT_ID, endpoints()).with_secret(SECRET)),
            server: AuthorizationServer::default(),
            now: at(0),
            elapsed: Duration::ZERO,
            rng: StdRng::seed_from_u64(7),
        }
    }

    /// A server whose tokens live this many seconds.
    pub(crate) fn living(seconds: u64) -> Self {
        let mut world = Self::new();
        world.server.lifetime = Some(seconds);
        world
    }

    /// A server that never gives refresh tokens away.
    pub(crate) fn without_refresh_tokens() -> Self {
        let mut world = Self::new();
        world.server.refreshable = false;
        world
    }

    /// Lets time pass, by both clocks.
    pub(crate) fn pass(&mut self, seconds: u64) -> Timestamp {
        self.wait(Duration::from_secs(seconds));
        self.now
    }

    /// The same to the nanosecond; the time of day is in whole seconds.
    pub(crate) fn wait(&mut self, pause: Duration) {
        let before = self.elapsed.as_secs();
        self.elapsed += pause;
        self.now = self.now.after(Duration::from_secs(self.elapsed.as_secs() - before));
    }

    /// Sets the time of day, by so many seconds.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        let span = Duration::from_secs(seconds.unsigned_abs());
        self.now = if seconds < 0 { self.now.before(span) } else { self.now.after(span) };
    }

    /// This moment, by both clocks.
    pub(crate) const fn moment(&self) -> Moment {
        Moment::new(self.now, self.elapsed)
    }

    pub(crate) fn begin(&mut self) -> (Url, AwaitingCallback) {
        let request = self.client.authorize(REDIRECT_URI).scope(SCOPE);
        request.begin(&mut self.rng, self.now).expect("a usable login")
    }

    /// A login whose person has consented: the callback's URL is on its way.
    pub(crate) fn awaiting_callback(&mut self) -> (AwaitingCallback, String) {
        let (url, pending) = self.begin();
        let callback = self.server.consent(&url);
        (pending, callback)
    }

    pub(crate) fn code(&mut self) -> Code {
        let (pending, callback) = self.awaiting_callback();
        pending
            .accept(&self.client, Callback::url(&callback), self.now)
            .expect("an honest callback")
    }

    pub(crate) fn awaiting_token(&mut self) -> (Request<Body>, AwaitingToken) {
        self.code().redeem(&self.client, self.now).expect("the same client")
    }

    pub(crate) fn authorized(&mut self) -> Authorized {
        let (request, awaiting) = self.awaiting_token();
        let answer = self.answer(&request);
        awaiting.receive(&self.client, &answer, self.now).expect("an honest answer")
    }

    /// Tokens that have been asked for just now, while the old ones are good.
    pub(crate) fn refreshing(&mut self) -> (Request<Body>, Refreshing) {
        self.authorized().refresh(&self.client, self.now).expect("there is a refresh token")
    }

    /// A refresh of which one earlier attempt is in doubt.
    pub(crate) fn refreshing_in_doubt(&mut self) -> (Request<Body>, Refreshing) {
        let (_, refreshing) = self.refreshing();
        let refreshing = refreshing.unanswered(self.now);
        let due = refreshing.retry_at(self.now);
        self.now = due;
        refreshing.retry(&self.client, due).expect("it is due")
    }

    /// A login that the server has ended.
    pub(crate) fn unauthorized(&mut self) -> Unauthorized {
        let (_, refreshing) = self.refreshing();
        let ended = refreshing.receive(&self.client, &refusal("invalid_grant"), self.now);
        let State::Unauthorized(ended) = *ended.expect_err("a refusal").state else {
            panic!("the server ended this login");
        };
        ended
    }

    /// A login of the program itself that has not been sent.
    pub(crate) fn service(&mut self) -> Unauthorized {
        self.client.client_credentials().scope(SCOPE).ready(&mut self.rng).expect("a usable login")
    }

    pub(crate) fn service_awaiting(&mut self) -> (Request<Body>, AwaitingToken) {
        self.service().renew(&self.client, self.now).expect("it can be repeated")
    }

    pub(crate) fn service_authorized(&mut self) -> Authorized {
        let (request, awaiting) = self.service_awaiting();
        let answer = self.answer(&request);
        awaiting.receive(&self.client, &answer, self.now).expect("an honest answer")
    }

    pub(crate) fn service_refreshing(&mut self) -> (Request<Body>, Refreshing) {
        self.service_authorized().refresh(&self.client, self.now).expect("it can be repeated")
    }

    /// A login by the implicit grant whose person has consented.
    pub(crate) fn awaiting_fragment(&mut self) -> (AwaitingFragment, String) {
        let request = self.client.legacy_implicit(REDIRECT_URI).scope(SCOPE);
        let (url, pending) = request.begin(&mut self.rng, self.now).expect("a usable login");
        let mut asked = url.query_pairs().filter(|(name, _)| name == "state");
        let state = asked.next().expect("there is a state").1.into_owned();
        let fragment =
            format!("access_token=fragment&token_type=Bearer&expires_in=60&state={state}");
        (pending, format!("{REDIRECT_URI}#{fragment}"))
    }

    /// A login on a device whose person has not decided yet; the first poll is due in 5 seconds.
    pub(crate) fn polling(&mut self) -> Polling {
        let request = self.client.device_authorization().scope(SCOPE);
        let (request, awaiting) = request.begin(&mut self.rng, self.now).expect("a usable login");
        let answer = self.answer(&request);
        awaiting.receive(&self.client, &answer, self.now).expect("an honest answer")
    }

    /// A poll at its moment.
    pub(crate) fn polled(&mut self) -> (Request<Body>, Polling) {
        let polling = self.polling();
        self.now = polling.next_poll();
        polling.poll(&self.client, self.now).expect("it is due")
    }

    pub(crate) fn session(&self, state: impl Into<State>) -> Session {
        Session::new(Arc::clone(&self.client), state).expect("a login that needs no browser")
    }

    /// A session over tokens that were given at the beginning of the world.
    pub(crate) fn driving(&mut self) -> Session {
        let state = self.authorized();
        self.session(state)
    }

    /// A session that has sent a refresh because its token has expired.
    pub(crate) fn driving_refresh(&mut self) -> (Session, Ticket, Request<Body>) {
        let mut session = self.driving();
        self.pass(4000);
        let (ticket, request) = sent(&mut session, self.now);
        (session, ticket, request)
    }

    /// The server's answer to a request that arrives.
    pub(crate) fn answer(&mut self, request: &Request<Body>) -> Response<Vec<u8>> {
        let Outcome::Answer { response, .. } = self.server.serve(request, self.now) else {
            panic!("this request or its answer was lost")
        };
        response
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Served,
    /// Served, and the answer arrives this many seconds later.
    Slow(u64),
    NeverLeft,
    RequestLost,
    /// Served, and nobody hears of it.
    AnswerLost,
    /// Refused before it was read: a status, and `Retry-After`.
    Turned(u16, Option<u64>),
    /// Served, and then a gateway's time-out answers.
    Gateway,
    /// A portal's page instead of the server.
    Html,
    /// Served, and the answer is cut in half.
    HalfJson,
    Redirected,
    /// An error in OAuth's words.
    Refused(&'static str),
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Answer { response: Response<Vec<u8>>, seconds: u64 },
    Lost(Lost),
}

/// An authorization server in memory. It rotates refresh tokens, takes the second use of one for
/// theft, checks PKCE and the client's secret, and meets requests with the fates that it is told.
pub(crate) struct AuthorizationServer {
    pub(crate) lifetime: Option<u64>,
    pub(crate) refreshable: bool,
    pub(crate) rotates: bool,
    /// For so many seconds after a rotation the old refresh token is honoured, too.
    pub(crate) grace: u64,
    /// What becomes of the next requests; served when there is nothing here.
    pub(crate) fates: VecDeque<Fate>,
    /// The grant types of the token requests that have arrived.
    pub(crate) arrived: Vec<String>,
    /// How often a refresh token was shown that had been replaced.
    pub(crate) reuses: u32,
    /// Whether the people of device logins have agreed; `None` while they think.
    pub(crate) decided: Option<bool>,
    /// Seconds: how long device codes live, and how often they may be polled with.
    pub(crate) device_lifetime: u64,
    pub(crate) interval: u64,
    devices: BTreeMap<String, Device>,
    codes: BTreeMap<String, Pending>,
    families: Vec<Family>,
    access: BTreeMap<String, usize>,
    issued: u32,
}

struct Device {
    scope: String,
    expires_at: Timestamp,
}

struct Pending {
    code_challenge: String,
    redirect_uri: String,
    scope: String,
}

/// The tokens that descend from one consent.
struct Family {
    scope: String,
    current: Option<String>,
    spent: Vec<String>,
    rotated_at: Timestamp,
    revoked: bool,
}

impl Default for AuthorizationServer {
    fn default() -> Self {
        Self {
            lifetime: Some(3600),
            refreshable: true,
            rotates: true,
            grace: 0,
            fates: VecDeque::new(),
            arrived: Vec::new(),
            reuses: 0,
            decided: None,
            device_lifetime: 1800,
            interval: 5,
            devices: BTreeMap::new(),
            codes: BTreeMap::new(),
            families: Vec::new(),
            access: BTreeMap::new(),
            issued: 0,
        }
    }
}

impl AuthorizationServer {
    /// The person consents: the URL that the browser then visits.
    pub(crate) fn consent(&mut self, url: &Url) -> String {
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT_ID);
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = self.fresh("code");
        let pending = Pending {
            code_challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            scope: asked.get("scope").cloned().unwrap_or_default(),
        };
        let mut callback = Url::parse(&pending.redirect_uri).expect("a redirect URI");
        callback.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
        self.codes.insert(code, pending);
        callback.into()
    }

    /// A request sets out.
    pub(crate) fn serve(&mut self, request: &Request<Body>, now: Timestamp) -> Outcome {
        let fate = self.fates.pop_front().unwrap_or(Fate::Served);
        self.meet(fate, request, now)
    }

    pub(crate) fn meet(&mut self, fate: Fate, request: &Request<Body>, now: Timestamp) -> Outcome {
        let arrive = |response| Outcome::Answer { response, seconds: 0 };
        match fate {
            Fate::Served => arrive(self.act(request, now)),
            Fate::Slow(seconds) => Outcome::Answer { response: self.act(request, now), seconds },
            Fate::NeverLeft => Outcome::Lost(Lost::Unsent),
            Fate::RequestLost => Outcome::Lost(Lost::Unanswered),
            Fate::AnswerLost => {
                self.act(request, now);
                Outcome::Lost(Lost::Unanswered)
            }
            Fate::Turned(status, Some(seconds)) => arrive(busy(status, &seconds.to_string())),
            Fate::Turned(status, None) => arrive(reply(status, "come back later")),
            Fate::Gateway => {
                self.act(request, now);
                arrive(reply(504, "<html>Gateway time-out</html>"))
            }
            Fate::Html => arrive(reply(200, "<html>Sign in to this network</html>")),
            Fate::HalfJson => {
                let mut response = self.act(request, now);
                let half = response.body().len() / 2;
                response.body_mut().truncate(half);
                arrive(response)
            }
            Fate::Redirected => {
                let response =
                    Response::builder().status(307).header("location", "https://evil.example/");
                arrive(response.body(Vec::new()).unwrap())
            }
            Fate::Refused(error) => arrive(refusal(error)),
        }
    }

    /// The server ends the login that this access token belongs to, of its own accord.
    pub(crate) fn end(&mut self, access_token: &str) {
        let family = self.access.get(access_token).copied();
        if let Some(family) = family.and_then(|index| self.families.get_mut(index)) {
            family.revoked = true;
        }
    }

    /// Whether this refresh token would bring new tokens now.
    pub(crate) fn honours(&self, refresh_token: &str, now: Timestamp) -> bool {
        self.families.iter().any(|family| {
            !family.revoked
                && (family.current.as_deref() == Some(refresh_token)
                    || self.in_grace(family, refresh_token, now))
        })
    }

    /// Whether a resource server would take this access token, its expiry apart.
    pub(crate) fn accepts(&self, access_token: &str) -> bool {
        self.access
            .get(access_token)
            .and_then(|family| self.families.get(*family))
            .is_some_and(|family| !family.revoked)
    }

    fn in_grace(&self, family: &Family, refresh_token: &str, now: Timestamp) -> bool {
        family.spent.last().is_some_and(|last| last == refresh_token)
            && now < family.rotated_at.after(Duration::from_secs(self.grace))
    }

    fn act(&mut self, request: &Request<Body>, now: Timestamp) -> Response<Vec<u8>> {
        assert_eq!(request.method(), http::Method::POST);
        if request.headers().get("authorization").is_none_or(|own| own != BASIC) {
            return refusal("invalid_client");
        }
        let form = form(request);
        if request.uri().path() == "/revoke" {
            return self.revoke(&form["token"]);
        }
        if request.uri().path() == "/device" {
            return self.begin_device(&form, now);
        }
        assert_eq!(request.uri(), "https://as.example/token");
        let grant = form["grant_type"].clone();
        self.arrived.push(grant.clone());
        match grant.as_str() {
            "authorization_code" => self.exchange(&form, now),
            "urn:ietf:params:oauth:grant-type:device_code" => {
                self.poll_device(&form["device_code"], now)
            }
            "refresh_token" => self.refresh(&form["refresh_token"], now),
            "client_credentials" => {
                let scope = form.get("scope").cloned().unwrap_or_default();
                let family = self.family(scope, None, now);
                self.grant(family, None)
            }
            other => panic!("nobody asks for {other}"),
        }
    }

    fn exchange(&mut self, form: &BTreeMap<String, String>, now: Timestamp) -> Response<Vec<u8>> {
        // A code works once, whatever comes of it.
        let Some(pending) = self.codes.remove(&form["code"]) else {
            return refusal("invalid_grant");
        };
        let digest = Sha256::digest(form["code_verifier"].as_bytes());
        if URL_SAFE_NO_PAD.encode(digest) != pending.code_challenge
            || form["redirect_uri"] != pending.redirect_uri
        {
            return refusal("invalid_grant");
        }
        let refresh = self.refreshable.then(|| self.fresh("refresh"));
        let family = self.family(pending.scope, refresh.clone(), now);
        self.grant(family, refresh)
    }

    fn begin_device(
        &mut self,
        form: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        let device_code = self.fresh("device");
        let scope = form.get("scope").cloned().unwrap_or_default();
        let expires_at = now.after(Duration::from_secs(self.device_lifetime));
        self.devices.insert(device_code.clone(), Device { scope, expires_at });
        let body = serde_json::json!({
            "device_code": device_code, "user_code": "WDJB-MJHT",
            "verification_uri": "https://as.example/activate",
            "expires_in": self.device_lifetime, "interval": self.interval,
        });
        reply(200, body.to_string())
    }

    fn poll_device(&mut self, device_code: &str, now: Timestamp) -> Response<Vec<u8>> {
        let Some(device) = self.devices.get(device_code) else { return refusal("invalid_grant") };
        if now >= device.expires_at {
            return refusal("expired_token");
        }
        match self.decided {
            None => return refusal("authorization_pending"),
            Some(false) => return refusal("access_denied"),
            Some(true) => {}
        }
        // A device code works once.
        let scope = self.devices.remove(device_code).unwrap().scope;
        let refresh = self.refreshable.then(|| self.fresh("refresh"));
        let family = self.family(scope, refresh.clone(), now);
        self.grant(family, refresh)
    }

    fn refresh(&mut self, shown: &str, now: Timestamp) -> Response<Vec<u8>> {
        let knows = |family: &Family| {
            family.current.as_deref() == Some(shown) || family.spent.iter().any(|old| old == shown)
        };
        let Some(index) = self.families.iter().position(knows) else {
            return refusal("invalid_grant");
        };
        if !self.honours(shown, now) {
            // A second use: one of the two is a thief, so nobody keeps anything.
            let family = self.families.get_mut(index).unwrap();
            if !family.revoked {
                self.reuses += 1;
                family.revoked = true;
            }
            return refusal("invalid_grant");
        }
        if !self.rotates {
            return self.grant(index, None);
        }
        let refresh = self.fresh("refresh");
        let family = self.families.get_mut(index).unwrap();
        let replaced = family.current.replace(refresh.clone());
        // Within the grace period the old one stays the last that was spent.
        if replaced.as_deref() == Some(shown) {
            family.rotated_at = now;
            family.spent.extend(replaced);
        } else {
            let last = family.spent.len().saturating_sub(1);
            replaced.into_iter().for_each(|old| family.spent.insert(last, old));
        }
        self.grant(index, Some(refresh))
    }

    fn revoke(&mut self, token: &str) -> Response<Vec<u8>> {
        let family =
            self.access.get(token).copied().or_else(|| {
                self.families.iter().position(|own| own.current.as_deref() == Some(token))
            });
        if let Some(family) = family.and_then(|index| self.families.get_mut(index)) {
            family.revoked = true;
        }
        reply(200, "")
    }

    fn family(&mut self, scope: String, current: Option<String>, now: Timestamp) -> usize {
        let spent = Vec::new();
        self.families.push(Family { scope, current, spent, rotated_at: now, revoked: false });
        self.families.len() - 1
    }

    fn grant(&mut self, family: usize, refresh: Option<String>) -> Response<Vec<u8>> {
        let access = self.fresh("access");
        self.access.insert(access.clone(), family);
        let scope = &self.families.get(family).unwrap().scope;
        let mut body = serde_json::json!({
            "access_token": access, "token_type": "Bearer", "scope": scope,
        });
        if let Some(lifetime) = self.lifetime {
            body["expires_in"] = lifetime.into();
        }
        if let Some(refresh) = refresh {
            body["refresh_token"] = refresh.into();
        }
        reply(200, body.to_string())
    }

    fn fresh(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}-{}", self.issued)
    }
}

/// How a call to the store fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It did not happen, and nobody learns that.
    Undone,
    /// It happened, and nobody learns that.
    Done,
}

/// One login in a database that compares and swaps.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) stored: Option<(Version, String)>,
    pub(crate) versions: u128,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) down: bool,
}

impl Store {
    pub(crate) fn holding(state: impl Into<State>) -> Self {
        let mut store = Self::default();
        store.put(&state.into());
        store
    }

    /// Somebody else's write.
    pub(crate) fn put(&mut self, state: &State) {
        self.versions += 1;
        self.stored = Some((Version::new(self.versions), json(state)));
    }

    pub(crate) fn state(&self) -> Option<State> {
        let (_, text) = self.stored.as_ref()?;
        Some(serde_json::from_str(text).expect("what was stored can be loaded"))
    }

    pub(crate) fn fault(&mut self) -> Option<Fault> {
        if self.down { Some(Fault::Undone) } else { self.faults.pop_front() }
    }

    pub(crate) fn load(&mut self) -> Result<Option<(Version, State)>, Unknown> {
        if self.fault().is_some() {
            return Err(Unknown);
        }
        let version = self.stored.as_ref().map(|(version, _)| *version);
        Ok(version.zip(self.state()))
    }

    pub(crate) fn swap(
        &mut self,
        expected: Option<Version>,
        state: &State,
    ) -> Result<Swapped, Unknown> {
        let fault = self.fault();
        let held = self.stored.as_ref().map(|(version, _)| *version);
        let swapped = if held == expected && !matches!(fault, Some(Fault::Undone)) {
            self.put(state);
            Swapped::Stored(Version::new(self.versions))
        } else {
            Swapped::Conflict
        };
        if fault.is_some() { Err(Unknown) } else { Ok(swapped) }
    }
}
