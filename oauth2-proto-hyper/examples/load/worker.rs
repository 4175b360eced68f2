//! A process that uses logins: callers who ask for tokens as a service would, and look closely at
//! what they get.

use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::{HeaderName, HeaderValue, Request};
use oauth2_proto::agent::{Agent, Logins};
use oauth2_proto::{AccessToken, Body, Client, Error, Hook, RequestKind, Seed, Server, State};
use oauth2_proto_hyper::HyperHost;
use oauth2_proto_stores::RedisStore;
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::arguments::{PATIENCE, Role, key};
use crate::latencies::Latencies;
use crate::mint::{Mint, now};
use crate::server::SENDER;
use crate::{CLIENT, Failure};

/// How long a caller does something else between two calls, in milliseconds; at most.
const PAUSE: u64 = 10;

/// One in so many of the active logins is left alone until its token has expired, and is then asked
/// for by all callers at once.
const RARE: u32 = 10;

/// How often that happens to one of them.
const HERD: u64 = 250;

/// What a process is asked to do, on a line of its input.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) milliseconds: u64,
}

/// What has come of it, on a line of its output.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
pub(crate) struct Report {
    /// Calls that got the token that the process had already.
    pub(crate) fresh: Latencies,
    /// Calls that got a newer one than the process had before, or had to wait.
    pub(crate) refresh: Latencies,
    /// Those of them that had to wait.
    pub(crate) waited: Latencies,
    /// The first calls for a login in this process, which load it.
    pub(crate) first: Latencies,
    /// Calls that got an error.
    pub(crate) refused: Latencies,
    /// What callers left behind, from the first write to the last.
    pub(crate) rests: Latencies,
    /// The access tokens that were given, and for which login.
    pub(crate) tokens: Vec<(u32, u32)>,
    /// The logins that were lost, and why.
    pub(crate) lost: BTreeMap<u32, String>,
    /// Other errors that callers got.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What must not happen.
    pub(crate) violations: Vec<String>,
}

struct Process {
    role: Role,
    users: Logins<HyperHost, RedisStore>,
    /// Holds them, as a service with sessions does.
    active: Vec<Active>,
    report: Arc<Mutex<Report>>,
    rests: Arc<AtomicU32>,
}

/// A login that is used.
struct Active {
    login: u32,
    key: String,
    held: Agent<HyperHost, RedisStore>,
    /// The newest token that this process has had; they count from 1 here.
    known: AtomicU64,
    lost: AtomicU32,
}

/// Says which process a request comes from.
#[derive(Debug)]
struct Sender(HeaderValue);

impl Hook for Sender {
    fn request(&self, _: RequestKind, request: &mut Request<Body>) {
        request.headers_mut().insert(HeaderName::from_static(SENDER), self.0.clone());
    }
}

/// Opens the logins of a process; nothing is loaded yet.
pub(crate) fn users(role: &Role) -> Result<Logins<HyperHost, RedisStore>, Failure> {
    let server = Server::token_only(&role.token_url)?;
    let client = Client::new(CLIENT, server)
        .with_lease(Duration::from_secs(role.lease))
        .with_hook(Arc::new(Sender(role.number.into())));
    let store = RedisStore::open(&role.redis)?;
    let seed = Seed::new(&mut SysRng)?;
    Ok(Logins::new(Arc::new(client), HyperHost::new()?, seed, store).with_patience(PATIENCE))
}

/// Does what is ordered, until the input ends.
pub(crate) async fn run(role: Role) -> Result<(), Failure> {
    let report = Arc::<Mutex<Report>>::default();
    let rests = Arc::<AtomicU32>::default();
    let (timed, counted) = (Arc::clone(&report), Arc::clone(&rests));
    let users = users(&role)?.with_spawn(move |rest| {
        let (timed, counted) = (Arc::clone(&timed), Arc::clone(&counted));
        counted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let begun = Instant::now();
            rest.await;
            lock(&timed).rests.add(begun.elapsed());
            counted.fetch_sub(1, Ordering::SeqCst);
        });
    });
    let active = (0..role.logins).map(|index| {
        let login = index * role.stride;
        let key = key(login);
        let held = users.login(&key);
        Active { login, key, held, known: AtomicU64::new(0), lost: AtomicU32::new(0) }
    });
    let process = Process { active: active.collect(), role, users, report, rests };
    let process = Arc::new(process);
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(line) = orders.next_line().await? {
        let Order { milliseconds } = serde_json::from_str(&line)?;
        let until = Instant::now() + Duration::from_millis(milliseconds);
        tokio::select! {
            done = process.work(until) => done?,
            // Whoever has ordered it is gone.
            _ = orders.next_line() => break,
        }
        let report = core::mem::take(&mut *lock(&process.report));
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

impl Process {
    /// Has callers call until then, and waits until everything is done that they have begun.
    async fn work(self: &Arc<Self>, until: Instant) -> Result<(), Failure> {
        let mut callers = JoinSet::new();
        for caller in 0..self.role.callers {
            let number = u64::from(self.role.number) << 32 | u64::from(caller);
            callers.spawn(Arc::clone(self).call(self.role.seed ^ number, until));
        }
        while let Some(caller) = callers.join_next().await {
            caller?;
        }
        let waiting = Instant::now();
        while self.rests.load(Ordering::SeqCst) > 0 {
            if waiting.elapsed() > PATIENCE {
                lock(&self.report).violations.push("what callers have left is never done".into());
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// One caller.
    async fn call(self: Arc<Self>, seed: u64, until: Instant) {
        let mut rng = StdRng::seed_from_u64(seed);
        let rare = self.role.logins / RARE;
        let mut last_herd = now() / HERD;
        while Instant::now() < until {
            let herd = now() / HERD;
            let chosen = if herd != last_herd && rare > 0 {
                u32::try_from(herd % u64::from(rare)).unwrap_or(0)
            } else {
                rng.random_range(rare..self.role.logins)
            };
            last_herd = herd;
            let index = usize::try_from(chosen).unwrap_or(0);
            if let Some(active) = self.active.get(index)
                && active.lost.load(Ordering::SeqCst) == 0
            {
                self.ask(active).await;
            }
            sleep(Duration::from_millis(rng.random_range(0..=PAUSE))).await;
        }
    }

    /// One call.
    async fn ask(&self, active: &Active) {
        let agent = self.users.login(&active.key);
        let begun = Instant::now();
        let (given, polls, decided_at) = {
            let mut token = pin!(agent.token());
            let (mut polls, mut decided_at) = (0_u32, 0);
            let given = poll_fn(|context| {
                (polls, decided_at) = (polls + 1, now());
                token.as_mut().poll(context)
            });
            (given.await, polls, decided_at)
        };
        let took = begun.elapsed();
        if took > PATIENCE + Duration::from_secs(1) {
            let text = format!("a caller for login {} waited for {took:?}", active.login);
            lock(&self.report).violations.push(text);
        }
        match given {
            Ok(token) => self.given(active, &token, polls > 1, took, decided_at),
            Err(error) => self.refused(active, &error, took),
        }
    }

    fn given(
        &self,
        active: &Active,
        token: &AccessToken,
        waited: bool,
        took: Duration,
        decided_at: u64,
    ) {
        let read = Mint(self.role.key).read(token.expose());
        let mut report = lock(&self.report);
        let Some(access) = read.filter(|access| access.login == active.login) else {
            report.violations.push(format!("login {} was given an unknown token", active.login));
            return;
        };
        if access.expires_at <= decided_at {
            let late = decided_at - access.expires_at;
            let text = format!("login {}: a token {late} ms after its end", active.login);
            report.violations.push(text);
        }
        let number = u64::from(access.serial) + 1;
        let known = active.known.fetch_max(number, Ordering::SeqCst);
        if number > known {
            report.tokens.push((access.serial, access.login));
        }
        if known == 0 {
            report.first.add(took);
        } else if number > known || waited {
            report.refresh.add(took);
            if waited {
                report.waited.add(took);
            }
        } else {
            report.fresh.add(took);
        }
    }

    fn refused(&self, active: &Active, error: &Error, took: Duration) {
        let reason = active.held.with_state(|state| match state {
            Some(State::Unauthorized(state)) => Some(format!("{:?}", state.reason())),
            Some(State::Authorizing(_) | State::Authorized(_) | State::Refreshing(_)) | None => {
                None
            }
        });
        let mut report = lock(&self.report);
        report.refused.add(took);
        match reason {
            Some(reason) => {
                active.lost.store(1, Ordering::SeqCst);
                report.lost.insert(active.login, reason);
            }
            None => *report.errors.entry(error.to_string()).or_default() += 1,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
