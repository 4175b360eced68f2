//! A small world for agents: a server that says what a test has it say, a store that fails on
//! request, two clocks that stand still unless somebody sleeps, and a runner that turns them.
#![expect(dead_code, reason = "each test crate uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]

use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use oauth2_proto::agent::{Agent, Host, MemoryStore, Record, Store};
use oauth2_proto::{
    AccessToken, Authorized, Body, Callback, Client, Error, Lost, Moment, Polling, Seed, Server,
    State, Swapped, Timestamp, Unauthorized, Unknown, Version,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// When every world begins.
const START: u64 = 1_700_000_000;
/// How long an access token lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";
pub(crate) const KEY: &str = "sEsSiOnIdOfSoMeBoDy-0123456789";

pub(crate) const CLIENT_SECRET: &str = "cLiEnTsEcReTnOcAnArYmAySiNg01";
pub(crate) const ACCESS_TOKEN: &str = "aCcEsStOkEnNoCaNaRyMaYsInG02";
pub(crate) const REFRESH_TOKEN: &str = "rEfReShToKeNnOcAnArYmAySiNg03";
pub(crate) const ID_TOKEN: &str = "iDtOkEnNoCaNaRyMaYsInG04OrSo";
pub(crate) const EXTRA: &str = "eXtRaMeMbErNoCaNaRyMaYsInG05";
pub(crate) const CODE: &str = "cOdEnOcAnArYmAySiNg06AtAlLhErE";
pub(crate) const DEVICE_CODE: &str = "dEvIcEcOdEnOcAnArYmAySiNg07At";
pub(crate) const USER_CODE: &str = "uSeRcOdEnOcAnArYmAySiNg08AtAl";

/// What the server, or the way to it, or the host, makes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// The next set of tokens.
    Tokens,
    /// This status and body.
    Says(u16, String),
    Unsent,
    Unanswered,
    /// Nothing, until [`World::release`] is called; then as [`Fate::Tokens`].
    Held,
    /// The host panics when the exchange is polled.
    Panics,
}

/// What becomes of one call of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It does not answer, and did nothing.
    Nothing,
    /// It does not answer, and did what it should.
    Silent,
    /// It never ends.
    Hangs,
}

/// The host, and what it connects an agent with. Clones share all of it.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Inner>>);

struct Inner {
    elapsed: Duration,
    sleepers: Vec<Duration>,
    fates: VecDeque<Fate>,
    released: bool,
    requests: Vec<String>,
    tokens: usize,
    faults: VecDeque<Option<Fault>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            elapsed: Duration::ZERO,
            sleepers: Vec::new(),
            fates: VecDeque::new(),
            released: false,
            requests: Vec::new(),
            tokens: 0,
            faults: VecDeque::new(),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fates(&self, fates: impl IntoIterator<Item = Fate>) {
        self.inner().fates.extend(fates);
    }

    /// What the next calls of the store come to, if not to what they should.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.inner().faults.extend(faults);
    }

    pub(crate) fn release(&self) {
        self.inner().released = true;
    }

    /// Answers are held again.
    pub(crate) fn hold(&self) {
        self.inner().released = false;
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.inner().elapsed += time;
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.inner().requests.clone()
    }

    /// Turns the clocks to the moment at which the first sleeper wakes.
    fn pass_to_next(&self) {
        let mut inner = self.inner();
        let now = inner.elapsed;
        inner.sleepers.retain(|at| *at > now);
        let next = inner.sleepers.iter().min().copied();
        inner.elapsed = next.unwrap_or(now + Duration::from_millis(1));
    }

    /// Runs a future to its end; time passes while it waits.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        for _ in 0..10_000 {
            if let Poll::Ready(value) = poll_once(future.as_mut()) {
                return value;
            }
            self.pass_to_next();
        }
        panic!("it never ends");
    }

    pub(crate) fn client(&self) -> Arc<Client> {
        let server = Server::new("https://as.example/authorize", "https://as.example/token")
            .and_then(|server| server.with_revocation("https://as.example/revoke"))
            .and_then(|server| server.with_device_authorization("https://as.example/device"))
            .unwrap();
        Arc::new(Client::new("s6BhdRkqt3", server).with_secret(CLIENT_SECRET))
    }

    /// A login by code. Says, too, what must not be seen of it: `state` and verifier.
    pub(crate) fn login(&self, seed: u64) -> (Authorized, Vec<String>) {
        let (client, now) = (self.client(), self.now().time());
        let mut rng = StdRng::seed_from_u64(seed);
        let (url, pending) = client.authorize(REDIRECT_URI).begin(&mut rng, now).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let callback = format!("code={CODE}&state={state}");
        let code = pending.accept(&client, Callback::query(&callback), now).unwrap();
        let (request, awaiting) = code.redeem(&client, now).unwrap();
        let form = String::from_utf8(request.into_body().into_vec()).unwrap();
        let verifier = form.split('&').find_map(|it| it.strip_prefix("code_verifier=")).unwrap();
        let secrets = vec![state, verifier.into()];
        let answer = Response::new(self.next_tokens());
        (awaiting.receive(&client, &answer, now).unwrap(), secrets)
    }

    /// A device login whose code has been shown to a person.
    pub(crate) fn device(&self, seed: u64) -> Polling {
        let (client, now) = (self.client(), self.now().time());
        let mut rng = StdRng::seed_from_u64(seed);
        let (_, awaiting) = client.device_authorization().begin(&mut rng, now).unwrap();
        let codes = format!(
            r#"{{"device_code":"{DEVICE_CODE}","user_code":"{USER_CODE}","verification_uri":"https://as.example/activate","expires_in":1800,"interval":5}}"#
        );
        awaiting.receive(&client, &Response::new(codes), now).unwrap()
    }

    /// The login of a service.
    pub(crate) fn service(&self, seed: u64) -> Unauthorized {
        let mut rng = StdRng::seed_from_u64(seed);
        self.client().client_credentials().scope("read").ready(&mut rng).unwrap()
    }

    fn next_tokens(&self) -> String {
        let mut inner = self.inner();
        inner.tokens += 1;
        let (number, lifetime) = (inner.tokens, LIFETIME.as_secs());
        format!(
            r#"{{"access_token":"{ACCESS_TOKEN}-{number}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"{REFRESH_TOKEN}-{number}","id_token":"{ID_TOKEN}","extra":"{EXTRA}"}}"#
        )
    }

    /// An agent with a login of its own.
    pub(crate) fn agent(&self) -> Agent<Self> {
        let (login, _) = self.login(1);
        Agent::new(self.client(), self.clone(), &mut seed(1), login).unwrap()
    }

    /// An agent on a store that others may share.
    pub(crate) fn open(&self, store: &Faulty, number: u64) -> Agent<Self, Faulty> {
        Agent::open(self.client(), self.clone(), &mut seed(number), store.login(KEY))
    }

    /// A store without logins.
    pub(crate) fn store(&self) -> Faulty {
        Faulty { world: self.clone(), store: MemoryStore::new() }
    }
}

pub(crate) fn seed(number: u64) -> Seed {
    Seed::new(&mut StdRng::seed_from_u64(number)).unwrap()
}

/// The number of a token.
pub(crate) fn number(token: &Result<AccessToken, Error>) -> u64 {
    token.as_ref().expect("a token").generation().number()
}

pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl Host for World {
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>> + Send>>;
    type Sleeping = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn send(&self, request: Request<Body>, _: Duration) -> Self::Sending {
        let mut inner = self.inner();
        let revocation = request.uri().path() == "/revoke";
        let usual = if revocation { Fate::Says(200, String::new()) } else { Fate::Tokens };
        let fate = inner.fates.pop_front().unwrap_or(usual);
        inner.requests.push(String::from_utf8(request.into_body().into_vec()).unwrap());
        drop(inner);
        let world = self.clone();
        let says = |status: u16, body: String| {
            Ok(Response::builder().status(status).body(body.into_bytes()).unwrap())
        };
        Box::pin(async move {
            match fate {
                Fate::Tokens => says(200, world.next_tokens()),
                Fate::Says(status, body) => says(status, body),
                Fate::Unsent => Err(Lost::Unsent),
                Fate::Unanswered => Err(Lost::Unanswered),
                Fate::Held => {
                    core::future::poll_fn(|_| match world.inner().released {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    })
                    .await;
                    says(200, world.next_tokens())
                }
                Fate::Panics => panic!("the host panics, as it was told to"),
            }
        })
    }

    fn sleep(&self, pause: Duration) -> Self::Sleeping {
        let mut inner = self.inner();
        let until = inner.elapsed + pause;
        inner.sleepers.push(until);
        drop(inner);
        let world = self.clone();
        Box::pin(core::future::poll_fn(move |_| match world.inner().elapsed >= until {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }

    fn now(&self) -> Moment {
        let elapsed = self.inner().elapsed;
        Moment::new(Timestamp::from_unix_seconds(START).after(elapsed), elapsed)
    }
}

/// A store that does as the world says. Clones share the logins.
#[derive(Clone)]
pub(crate) struct Faulty {
    world: World,
    pub(crate) store: MemoryStore,
}

impl Faulty {
    fn fault(&self) -> Option<Fault> {
        self.world.inner().faults.pop_front().flatten()
    }

    /// Writes whatever is there over, as another process would.
    pub(crate) fn put(&self, state: Option<&State>) {
        let version = self.world.run(self.store.load(KEY)).unwrap().map(|(version, _)| version);
        let record = state.map(|state| Record::of(state).unwrap());
        self.world.run(self.store.swap(KEY, version, record)).unwrap();
    }

    pub(crate) fn state(&self) -> State {
        self.world.run(self.store.load(KEY)).unwrap().unwrap().1.state().unwrap()
    }
}

type Calling<T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send>>;

impl Store for Faulty {
    type Loading = Calling<Option<(Version, Record)>>;
    type Swapping = Calling<Swapped>;

    fn load(&self, key: &str) -> Self::Loading {
        let fault = self.fault();
        let loading = self.store.load(key);
        Box::pin(async move {
            match fault {
                None => loading.await,
                Some(Fault::Hangs) => core::future::pending().await,
                Some(Fault::Nothing | Fault::Silent) => Err(Unknown),
            }
        })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let fault = self.fault();
        let swapping = match fault {
            None | Some(Fault::Silent) => Some(self.store.swap(key, expected, new)),
            Some(Fault::Nothing | Fault::Hangs) => None,
        };
        Box::pin(async move {
            match (fault, swapping) {
                (None, Some(swapping)) => swapping.await,
                (Some(Fault::Hangs), _) => core::future::pending().await,
                (_, _) => Err(Unknown),
            }
        })
    }
}
