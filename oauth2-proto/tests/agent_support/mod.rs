//! A world for agents: an authorization server in memory that replaces refresh tokens and takes a
//! second use of one for theft, clocks that a test turns by hand, a store that misbehaves on
//! request, and an executor that notices when nobody will ever be woken again.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread::{self, Thread};

use http::{Request, Response};
use oauth2_proto::agent::{Agent, Host, MemoryStore, Record, Store};
use oauth2_proto::{
    AccessToken, Authorized, Body, Callback, Client, Error, Lost, Moment, Polling, Seed, Server,
    State, Swapped, Timestamp, Unknown, Version,
};
use rand::{TryCryptoRng, TryRng};

/// When every world begins.
const START: u64 = 1_700_000_000;
/// How long an access token lives, in seconds.
pub(crate) const LIFETIME: u64 = 3600;
/// How often a request pauses on its way to the server, and an answer on its way back.
const PAUSES: u32 = 2;

/// What the server, or the way to it, does to one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Answered.
    Answered,
    /// Acted upon; the answer is lost.
    AnswerLost,
    /// Never sent.
    Unsent,
    /// Answered with 503, not acted upon.
    Unavailable,
    /// Not answered before the deadline, nor acted upon.
    Hangs,
    /// As `Hangs`, but the host panics when the exchange is polled after that.
    HangsThenPanics,
    /// The host panics when the exchange is polled.
    Panics,
    /// The host panics before there is an exchange.
    PanicsAtOnce,
}

/// The authorization server, the clocks, and the host that connects an agent with both.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<Inner>>);

struct Inner {
    elapsed: Duration,
    /// By how much the time of day is ahead of what has elapsed since the beginning, in seconds.
    ahead: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    names: u64,
    /// What happens to the next requests; after that they are answered.
    fates: VecDeque<Fate>,
    /// While set, the server has acted, and its answers stay on the way.
    answers_held: bool,
    held: Vec<Waker>,
    requests: Vec<BTreeMap<String, String>>,
    /// The number of the refresh token that is good.
    current: u64,
    /// Somebody has used a refresh token twice.
    theft: bool,
    /// So many polls come before the person of a device login has agreed.
    undecided: usize,
    /// When each poll came.
    polls: Vec<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            elapsed: Duration::ZERO,
            ahead: 0,
            sleepers: BTreeMap::new(),
            names: 0,
            fates: VecDeque::new(),
            answers_held: false,
            held: Vec::new(),
            requests: Vec::new(),
            current: 0,
            theft: false,
            undecided: 3,
            polls: Vec::new(),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fates(&self, fates: impl IntoIterator<Item = Fate>) {
        self.inner().fates.extend(fates);
    }

    /// Lets time pass, by both clocks.
    pub(crate) fn pass(&self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    /// Sets the time of day forward, and nothing else.
    pub(crate) fn set_forward(&self, seconds: u64) {
        self.inner().ahead += seconds;
    }

    fn wait(&self, pause: Duration) {
        let mut inner = self.inner();
        inner.elapsed += pause;
        let later = (inner.elapsed + Duration::from_nanos(1), 0);
        let later = inner.sleepers.split_off(&later);
        let due = core::mem::replace(&mut inner.sleepers, later);
        drop(inner);
        due.into_values().for_each(Waker::wake);
    }

    /// Turns the clocks to the moment that somebody waits for, if anybody does.
    pub(crate) fn pass_to_next(&self) -> bool {
        let inner = self.inner();
        let next = inner.sleepers.keys().next().map(|(at, _)| at.saturating_sub(inner.elapsed));
        drop(inner);
        next.map(|pause| self.wait(pause)).is_some()
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.inner().elapsed.as_secs()
    }

    /// Keeps the server's answers on their way, or lets them arrive.
    pub(crate) fn hold_answers(&self, held: bool) {
        let mut inner = self.inner();
        inner.answers_held = held;
        let wakers = if held { Vec::new() } else { core::mem::take(&mut inner.held) };
        drop(inner);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The token requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.inner().requests.iter().filter(|form| form.contains_key("grant_type")).count()
    }

    /// The tokens that somebody asked to be revoked.
    pub(crate) fn revoked(&self) -> Vec<String> {
        self.inner().requests.iter().filter_map(|form| form.get("token").cloned()).collect()
    }

    /// Whether the server has seen a refresh token twice, and has ended the login.
    pub(crate) fn theft(&self) -> bool {
        self.inner().theft
    }

    pub(crate) fn client(&self) -> Arc<Client> {
        let server = Server::new("https://as.example/authorize", "https://as.example/token");
        let server = server.unwrap().with_revocation("https://as.example/revoke").unwrap();
        let server = server.with_device_authorization("https://as.example/device").unwrap();
        Arc::new(Client::new("test", server))
    }

    /// A login with tokens number 0, of which the access token was given out just now.
    pub(crate) fn login(&self) -> Authorized {
        self.login_with(r#","refresh_token":"refresh-0""#)
    }

    pub(crate) fn login_with(&self, members: &str) -> Authorized {
        let (client, now) = (self.client(), self.now().time());
        let request = client.authorize("https://app.example/callback");
        let (url, pending) = request.begin(&mut rng(), now).unwrap();
        let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
        let callback = format!("code=fine&state={state}");
        let code = pending.accept(&client, Callback::query(&callback), now).unwrap();
        let (_, awaiting) = code.redeem(&client, now).unwrap();
        awaiting.receive(&client, &Response::new(tokens(0, members)), now).unwrap()
    }

    /// An agent for such a login.
    pub(crate) fn agent(&self) -> Agent<Self> {
        Agent::new(self.client(), self.clone(), &mut seed(), self.login()).unwrap()
    }

    /// A login on a device, just begun, that is polled every five seconds.
    pub(crate) fn device_login(&self) -> Polling {
        let (client, now) = (self.client(), self.now().time());
        let (_, awaiting) = client.device_authorization().begin(&mut rng(), now).unwrap();
        let codes = r#"{"device_code":"d","user_code":"u","verification_uri":"https://as.example/","expires_in":600}"#;
        awaiting.receive(&client, &Response::new(codes), now).unwrap()
    }

    /// When each poll came, in seconds.
    pub(crate) fn polls(&self) -> Vec<u64> {
        self.inner().polls.clone()
    }

    /// The resource that each token request has asked for.
    pub(crate) fn resources(&self) -> Vec<Option<String>> {
        self.inner().requests.iter().map(|form| form.get("resource").cloned()).collect()
    }

    /// An agent that shares a store with others.
    pub(crate) fn open<S: Store + Clone>(&self, store: S) -> Agent<Self, S> {
        Agent::open(self.client(), self.clone(), &mut seed(), store.login(KEY))
    }

    /// A store in which such a login is kept.
    pub(crate) fn store(&self) -> MemoryStore {
        let store = MemoryStore::new();
        let record = Record::of(&self.login().into()).unwrap();
        let swapped = block_on(store.swap(KEY, None, Some(record)));
        assert!(matches!(swapped, Ok(Swapped::Stored(_))));
        store
    }

    /// The server acts on a request.
    fn serve(&self, form: BTreeMap<String, String>) -> Response<String> {
        let mut inner = self.inner();
        inner.requests.push(form.clone());
        if form.contains_key("device_code") {
            let seconds = inner.elapsed.as_secs();
            inner.polls.push(seconds);
            if inner.polls.len() <= inner.undecided {
                let pending = Response::builder().status(400);
                return pending.body(r#"{"error":"authorization_pending"}"#.to_owned()).unwrap();
            }
            return Response::new(tokens(0, r#","refresh_token":"refresh-0""#));
        }
        let Some(token) = form.get("refresh_token") else { return Response::new(String::new()) };
        inner.theft |= *token != format!("refresh-{}", inner.current);
        if inner.theft {
            let refusal = Response::builder().status(400);
            return refusal.body(r#"{"error":"invalid_grant"}"#.to_owned()).unwrap();
        }
        inner.current += 1;
        let number = inner.current;
        Response::new(tokens(number, &format!(r#","refresh_token":"refresh-{number}""#)))
    }
}

const KEY: &str = "login";

fn tokens(number: u64, members: &str) -> String {
    format!(
        r#"{{"access_token":"access-{number}","token_type":"Bearer","expires_in":{LIFETIME}{members}}}"#
    )
}

/// The number of a token.
pub(crate) fn number(token: &Result<AccessToken, Error>) -> u64 {
    let token = token.as_ref().expect("there should be a token");
    token.expose().strip_prefix("access-").unwrap().parse().unwrap()
}

impl Host for World {
    type Sending = Sending;
    type Sleeping = Sleeping;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Sending {
        let mut inner = self.inner();
        let fate = inner.fates.pop_front().unwrap_or(Fate::Answered);
        drop(inner);
        assert!(!matches!(fate, Fate::PanicsAtOnce), "the host panics at once");
        let form = serde_urlencoded::from_bytes(request.body().as_ref()).unwrap();
        let deadline = self.sleep(time_out);
        Sending { world: self.clone(), form: Some(form), fate, answer: None, deadline, pauses: 0 }
    }

    fn sleep(&self, pause: Duration) -> Sleeping {
        let mut inner = self.inner();
        inner.names += 1;
        // Somebody may be ready to wait for ever.
        let at = inner.elapsed.saturating_add(pause);
        Sleeping { world: self.clone(), at: (at, inner.names) }
    }

    fn now(&self) -> Moment {
        let inner = self.inner();
        let ahead = Duration::from_secs(START + inner.ahead);
        Moment::new(Timestamp::from_unix(inner.elapsed + ahead), inner.elapsed)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World(..)")
    }
}

/// One request on its way, and its answer on the way back.
pub(crate) struct Sending {
    world: World,
    form: Option<BTreeMap<String, String>>,
    fate: Fate,
    answer: Option<Response<String>>,
    deadline: Sleeping,
    pauses: u32,
}

impl Future for Sending {
    type Output = Result<Response<Vec<u8>>, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.pauses += 1;
        if !this.pauses.is_multiple_of(PAUSES + 1) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(form) = this.form.take() {
            match this.fate {
                Fate::Answered | Fate::AnswerLost => this.answer = Some(this.world.serve(form)),
                Fate::Unavailable => {
                    this.world.inner().requests.push(form);
                    let busy = Response::builder().status(503);
                    this.answer = Some(busy.body(String::new()).unwrap());
                }
                Fate::Hangs | Fate::HangsThenPanics => this.world.inner().requests.push(form),
                Fate::Unsent => {}
                Fate::Panics | Fate::PanicsAtOnce => panic!("the host panics"),
            }
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.pauses -= 1;
        if matches!(this.fate, Fate::HangsThenPanics) {
            assert!(!this.world.inner().answers_held, "the host panics");
        }
        if matches!(this.fate, Fate::Hangs | Fate::HangsThenPanics) {
            return Pin::new(&mut this.deadline).poll(context).map(|()| Err(Lost::Unanswered));
        }
        let mut inner = this.world.inner();
        if inner.answers_held {
            inner.held.push(context.waker().clone());
            return Poll::Pending;
        }
        drop(inner);
        Poll::Ready(match this.fate {
            Fate::Unsent => Err(Lost::Unsent),
            Fate::AnswerLost => Err(Lost::Unanswered),
            Fate::Answered
            | Fate::Unavailable
            | Fate::Hangs
            | Fate::HangsThenPanics
            | Fate::Panics
            | Fate::PanicsAtOnce => {
                Ok(this.answer.take().expect("polled after completion").map(String::into_bytes))
            }
        })
    }
}

/// A pause by the world's clock that only goes on.
pub(crate) struct Sleeping {
    world: World,
    at: (Duration, u64),
}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.world.inner();
        if inner.elapsed >= self.at.0 {
            return Poll::Ready(());
        }
        inner.sleepers.insert(self.at, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        let waker = self.world.inner().sleepers.remove(&self.at);
        drop(waker);
    }
}

/// What a store does to one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing bad.
    None,
    /// It fails, and has done nothing.
    Fails,
    /// It fails after it has written.
    FailsLate,
    /// It never ends.
    Hangs,
    /// It panics when it is polled.
    Panics,
    /// It panics before there is an operation.
    PanicsAtOnce,
}

/// A store that pauses in every operation, and misbehaves in the next ones as it is told.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) store: MemoryStore,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Faulty {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self { store, faults: Arc::default() }
    }

    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    fn operate<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Unknown>> + Send + 'static,
    ) -> Operation<T> {
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        assert!(!matches!(fault, Fault::PanicsAtOnce), "the store panics at once");
        Box::pin(async move {
            pause().await;
            match fault {
                Fault::None => operation.await,
                Fault::Fails => Err(Unknown),
                Fault::FailsLate => operation.await.and(Err(Unknown)),
                Fault::Hangs => core::future::pending().await,
                Fault::Panics | Fault::PanicsAtOnce => panic!("the store panics"),
            }
        })
    }
}

type Operation<T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send>>;

impl Store for Faulty {
    type Loading = Operation<Option<(Version, Record)>>;
    type Swapping = Operation<Swapped>;

    fn load(&self, key: &str) -> Self::Loading {
        let (store, key) = (self.store.clone(), key.to_owned());
        self.operate(async move { store.load(&key).await })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let (store, key) = (self.store.clone(), key.to_owned());
        self.operate(async move { store.swap(&key, expected, new).await })
    }
}

/// The state in a store.
pub(crate) fn stored(store: &MemoryStore) -> State {
    let (_, record) = block_on(store.load(KEY)).unwrap().expect("something is stored");
    record.state().unwrap()
}

/// Lets others go first.
pub(crate) async fn pause() {
    let mut paused = false;
    core::future::poll_fn(|context| {
        if core::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs tasks one by one, each only when it was woken. When none is, it turns the clocks to what
/// somebody waits for; when nobody waits for the clock either, a wake-up has been lost.
pub(crate) struct Executor {
    world: World,
    tasks: Vec<Task>,
    order: u64,
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Where a task leaves what came of it.
pub(crate) type Outcome<T> = Rc<RefCell<Option<T>>>;

impl Executor {
    pub(crate) const fn new(world: World) -> Self {
        Self { world, tasks: Vec::new(), order: 0 }
    }

    /// Another order in which those who are ready run.
    pub(crate) const fn shuffled(world: World, order: u64) -> Self {
        Self { world, tasks: Vec::new(), order }
    }

    pub(crate) fn spawn<T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
    ) -> Outcome<T> {
        let outcome = Outcome::default();
        let result = Rc::clone(&outcome);
        let future = async move {
            let value = future.await;
            *result.borrow_mut() = Some(value);
        };
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        self.tasks.push(Task { future: Some(Box::pin(future)), woken });
        outcome
    }

    /// Whether the nth task is to be polled again.
    pub(crate) fn is_woken(&self, nth: usize) -> bool {
        self.tasks.get(nth).unwrap().woken.0.load(Ordering::SeqCst)
    }

    /// Drops the task that was spawned as the nth, from 0.
    pub(crate) fn cancel(&mut self, nth: usize) {
        self.tasks.get_mut(nth).unwrap().future = None;
    }

    /// Polls the nth task, whether it was woken or not.
    pub(crate) fn poll(&mut self, nth: usize) {
        let task = self.tasks.get_mut(nth).unwrap();
        task.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&task.woken));
        let Some(future) = &mut task.future else { return };
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            task.future = None;
        }
    }

    /// Runs until every task waits for something, and returns how many are not done.
    pub(crate) fn settle(&mut self) -> usize {
        loop {
            let ready: Vec<usize> = (0..self.tasks.len())
                .filter(|nth| {
                    self.tasks.get(*nth).is_some_and(|task| {
                        task.future.is_some() && task.woken.0.load(Ordering::SeqCst)
                    })
                })
                .collect();
            if ready.is_empty() {
                return self.tasks.iter().filter(|task| task.future.is_some()).count();
            }
            self.order = self.order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let first = usize::try_from(self.order >> 33).unwrap() % ready.len();
            if self.order == 1 {
                ready.into_iter().for_each(|nth| self.poll(nth));
                self.order = 0;
            } else {
                self.poll(*ready.get(first).unwrap());
            }
        }
    }

    /// Runs until every task is done, and turns the clocks whenever all wait for them.
    pub(crate) fn run(&mut self) {
        while self.settle() > 0 {
            assert!(self.world.pass_to_next(), "nobody will ever be woken again");
        }
    }

    /// Runs until every task is done, without time going by: a wake-up that is lost does not hide
    /// behind the end of somebody's patience.
    pub(crate) fn run_at_once(&mut self) {
        assert_eq!(self.settle(), 0, "somebody was not woken");
    }
}

/// Runs one task and returns what came of it.
pub(crate) fn run<T: 'static>(world: &World, future: impl Future<Output = T> + 'static) -> T {
    let mut executor = Executor::new(world.clone());
    let outcome = executor.spawn(future);
    executor.run();
    take(&outcome)
}

pub(crate) fn take<T>(outcome: &Outcome<T>) -> T {
    outcome.borrow_mut().take().expect("the task is done")
}

/// The smallest executor there is.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = core::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Polls every future whenever one is woken, until all are done.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    core::future::poll_fn(|context| {
        let mut done = true;
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
            done &= output.is_some();
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

/// A pause that is longer than a token may be young, so that it can be given up.
pub(crate) const OLD_ENOUGH: u64 = 31;
/// The patience of callers, unless they are told.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Randomness that is none.
struct Counting(u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from(self.0))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.0))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

fn rng() -> impl TryCryptoRng<Error = Infallible> {
    use core::sync::atomic::AtomicU8;
    static NEXT: AtomicU8 = AtomicU8::new(0);
    Counting(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The seed of one process.
pub(crate) fn seed() -> Seed {
    Seed::new(&mut rng()).unwrap()
}
