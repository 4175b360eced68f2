//! Many logins of one process over one store, whose callers come, go, and are cancelled. The clock is
//! tokio's, paused: it goes on when everybody waits.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test world fails loudly")]

use core::pin::Pin;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use oauth2_proto::agent::{Host, Logins, MemoryStore, Record, Store};
use oauth2_proto::{
    Body, Callback, Client, Lost, Moment, Seed, Server, Swapped, Timestamp, Unknown, Version,
};
use tokio::time::{Instant, Sleep, sleep, timeout};

const START: u64 = 1_700_000_000;
const LIFETIME: u64 = 3600;

/// An authorization server that replaces refresh tokens, and a host that reaches it.
#[derive(Clone)]
struct World {
    begun: Instant,
    server: Arc<Mutex<Provider>>,
}

#[derive(Default)]
struct Provider {
    /// How long an answer takes.
    slow: Duration,
    requests: u64,
    current: u64,
    /// A refresh token was used twice.
    theft: bool,
}

impl World {
    fn new() -> Self {
        Self { begun: Instant::now(), server: Arc::default() }
    }

    fn server(&self) -> MutexGuard<'_, Provider> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client() -> Client {
        Client::new(
            "test",
            Server::new("https://as.example/authorize", "https://as.example/token").unwrap(),
        )
    }

    /// A store with a login under each key, whose tokens were given out just now.
    async fn store(&self, keys: &[&str]) -> MemoryStore {
        let (store, client, now) = (MemoryStore::new(), Self::client(), self.now().time());
        for key in keys {
            let request = client.authorize("https://app.example/callback");
            let (url, pending) = request.begin(&mut rand::rng(), now).unwrap();
            let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
            let callback = format!("code=fine&state={state}");
            let code = pending.accept(&client, Callback::query(&callback), now).unwrap();
            let (_, awaiting) = code.redeem(&client, now).unwrap();
            let login = awaiting.receive(&client, &tokens(0), now).unwrap();
            let swapped = store.swap(key, None, Some(Record::of(&login.into()).unwrap())).await;
            assert!(matches!(swapped, Ok(Swapped::Stored(_))));
        }
        store
    }

    /// One process. What it leaves behind is finished by tasks of its own.
    fn process<S>(&self, store: S) -> Logins<Self, S>
    where
        S: Store<Loading: Send, Swapping: Send> + Send + Sync + 'static,
    {
        let seed = Seed::new(&mut rand::rng()).unwrap();
        Logins::new(Arc::new(Self::client()), self.clone(), seed, store)
            .with_spawn(|rest| drop(tokio::spawn(rest)))
    }
}

fn tokens(number: u64) -> Response<Vec<u8>> {
    let body = format!(
        r#"{{"access_token":"access-{number}","refresh_token":"refresh-{number}","token_type":"Bearer","expires_in":{LIFETIME}}}"#
    );
    Response::new(body.into_bytes())
}

impl Host for World {
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>> + Send>>;
    type Sleeping = Sleep;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        let world = self.clone();
        Box::pin(async move {
            let form: Vec<(String, String)> =
                serde_urlencoded::from_bytes(request.body().as_ref()).unwrap();
            let (_, shown) = form.iter().find(|(name, _)| name == "refresh_token").unwrap();
            let (answer, slow) = {
                let mut server = world.server();
                server.requests += 1;
                server.theft |= *shown != format!("refresh-{}", server.current);
                server.current += 1;
                (tokens(server.current), server.slow)
            };
            timeout(time_out, sleep(slow)).await.map_err(|_| Lost::Unanswered)?;
            Ok(answer)
        })
    }

    fn sleep(&self, pause: Duration) -> Sleep {
        sleep(pause)
    }

    fn now(&self) -> Moment {
        let elapsed = self.begun.elapsed();
        Moment::new(Timestamp::from_unix_seconds(START + elapsed.as_secs()), elapsed)
    }
}

/// What a store does wrong until this moment.
#[derive(Clone, Copy)]
enum Trouble {
    Hangs,
    SwapsFail,
}

#[derive(Clone)]
struct Troubled {
    store: MemoryStore,
    trouble: Trouble,
    until: Instant,
    loads: Arc<Mutex<u32>>,
}

impl Troubled {
    fn new(store: MemoryStore, trouble: Trouble, seconds: u64) -> Self {
        let until = Instant::now() + Duration::from_secs(seconds);
        Self { store, trouble, until, loads: Arc::default() }
    }

    fn loads(&self) -> u32 {
        *self.loads.lock().unwrap()
    }
}

type Operation<T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send>>;

impl Store for Troubled {
    type Loading = Operation<Option<(Version, Record)>>;
    type Swapping = Operation<Swapped>;

    fn load(&self, key: &str) -> Self::Loading {
        let (this, key) = (self.clone(), key.to_owned());
        *self.loads.lock().unwrap() += 1;
        Box::pin(async move {
            match this.trouble {
                Trouble::Hangs if Instant::now() < this.until => core::future::pending().await,
                Trouble::Hangs | Trouble::SwapsFail => this.store.load(&key).await,
            }
        })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let (this, key) = (self.clone(), key.to_owned());
        Box::pin(async move {
            let saves = new.as_ref().is_some_and(|new| {
                String::from_utf8_lossy(new.as_bytes()).contains(r#""Authorized""#)
            });
            match this.trouble {
                Trouble::SwapsFail if saves && Instant::now() < this.until => Err(Unknown),
                Trouble::Hangs | Trouble::SwapsFail => this.store.swap(&key, expected, new).await,
            }
        })
    }
}

async fn token<S: Store>(logins: &Logins<World, S>, key: &str) -> String {
    match logins.login(key).token().await {
        Ok(token) => token.expose().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_finished_when_every_caller_is_gone() {
    let world = World::new();
    let store = world.store(&["alice"]).await;
    sleep(Duration::from_secs(LIFETIME)).await;
    world.server().slow = Duration::from_secs(5);

    let process = world.process(store.clone());
    let alice = process.login("alice");
    let hung_up = timeout(Duration::from_secs(1), alice.token()).await;
    assert!(hung_up.is_err(), "the answer takes longer");
    drop((alice, process));

    sleep(Duration::from_secs(5)).await;
    let other = world.process(store);
    assert_eq!(token(&other, "alice").await, "access-1");
    let server = world.server();
    assert_eq!((server.requests, server.theft), (1, false));
}

#[tokio::test(start_paused = true)]
async fn a_good_token_is_given_out_while_it_is_renewed() {
    let world = World::new();
    let process = world.process(world.store(&["alice"]).await);
    sleep(Duration::from_secs(LIFETIME - 30)).await;
    world.server().slow = Duration::from_secs(5);

    let asked = Instant::now();
    assert_eq!(token(&process, "alice").await, "access-0");
    assert_eq!(asked.elapsed(), Duration::ZERO, "nobody waits for a token while one is good");
    sleep(Duration::from_secs(6)).await;
    assert_eq!(token(&process, "alice").await, "access-1");
    assert_eq!(world.server().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_for_a_login_share_it_as_long_as_one_of_them_uses_it() {
    let world = World::new();
    let store = world.store(&["alice", "bob"]).await;
    let store = Troubled::new(store, Trouble::SwapsFail, 0);
    let process = world.process(store.clone());
    let (one, other) = (process.login("alice"), process.clone().login("alice"));
    let bob = process.login("bob");
    assert_eq!(one.token().await.unwrap().expose(), "access-0");
    assert_eq!(other.token().await.unwrap().expose(), "access-0");
    assert_eq!(store.loads(), 1);
    assert_eq!(bob.token().await.unwrap().expose(), "access-0");
    assert_eq!(store.loads(), 2);
    drop(one);
    assert_eq!(token(&process, "alice").await, "access-0");
    assert_eq!(store.loads(), 2, "somebody still uses it");
    drop(other);
    assert_eq!(token(&process, "alice").await, "access-0");
    assert_eq!(store.loads(), 3, "nobody did");
}

#[tokio::test(start_paused = true)]
async fn logins_that_nobody_uses_are_forgotten() {
    let world = World::new();
    let process = world.process(MemoryStore::new());
    let held = process.login("held");
    for number in 0..10_000 {
        drop(process.login(&number.to_string()));
    }
    let shown = format!("{process:?}");
    let (_, open) = shown.split_once("open: ").unwrap();
    let (open, _) = open.split_once(',').unwrap();
    assert!(open.parse::<u32>().unwrap() < 200, "{shown}");
    assert!(held.token().await.is_err(), "and the one that is used is not");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up_and_asked_again() {
    let world = World::new();
    let store = world.store(&["alice"]).await;
    let process = world.process(Troubled::new(store, Trouble::Hangs, 1));
    let asked = Instant::now();
    assert_eq!(token(&process, "alice").await, "access-0");
    let waited = asked.elapsed().as_secs();
    assert!((15..17).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn new_tokens_are_saved_however_long_the_store_fails_and_whoever_is_gone() {
    let world = World::new();
    let store = world.store(&["alice"]).await;
    sleep(Duration::from_secs(LIFETIME)).await;
    let process = world.process(Troubled::new(store.clone(), Trouble::SwapsFail, 600));
    let alice = process.login("alice");
    let asked = Instant::now();
    assert_eq!(alice.token().await.unwrap().expose(), "access-1");
    assert!(asked.elapsed() < Duration::from_secs(1), "it is used before it is saved");
    drop((alice, process));

    sleep(Duration::from_secs(605)).await;
    let other = world.process(store);
    assert_eq!(token(&other, "alice").await, "access-1");
    let server = world.server();
    assert_eq!((server.requests, server.theft), (1, false));
}
