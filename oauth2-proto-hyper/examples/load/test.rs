//! The test, from filling the store to the verdict.

use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

use oauth2_proto::State;
use oauth2_proto::agent::Store;
use oauth2_proto_stores::RedisStore;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::arguments::{Arguments, PATIENCE, Part, Role, key};
use crate::crew::Member;
use crate::faults::Rates;
use crate::filling::fill;
use crate::keeper::Memory;
use crate::mint::{Mint, now};
use crate::phase::{Phase, per};
use crate::redis::Server as Redis;
use crate::redis_load::RedisLoad;
use crate::server::AuthorizationServer;
use crate::worker::{Report, users};

/// What is left of the time for the end: callers finish what they have begun.
const END: Duration = Duration::from_secs(5);

/// The other processes, and those whose place they take, have numbers from here.
const FIRST: u32 = 1;

struct Test {
    arguments: Arguments,
    redis: Redis,
    server: AuthorizationServer,
    crew: Vec<Member>,
    next_number: u32,
    role: Role,
    store: RedisStore,
}

/// Runs it; says whether all promises were kept.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let end = Instant::now() + Duration::from_secs(arguments.seconds).saturating_sub(END);
    // Saved once a second: what is tested here is not what Redis forgets.
    let Some(redis) = Redis::start(&["--appendfsync", "everysec"]) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut test = Test::prepare(arguments, redis).await?;
    let memory = test.keep().await?;

    let left = end.saturating_duration_since(Instant::now());
    let calm = test.phase("phase 1: no faults", left * 2 / 5, false).await?;
    test.server.families().rates = Rates::HOSTILE;
    let left = end.saturating_duration_since(Instant::now());
    let hostile = test.phase("phase 2: faults", left, true).await?;

    calm.print();
    hostile.print();
    print_taken_over(&test.server.families().taken_over);
    print_memory(&memory);

    let mut violations = test.check_store().await?;
    let families = test.server.families();
    violations.extend(calm.violations(&families, false));
    violations.extend(hostile.violations(&families, true));
    violations.extend(families.violations.iter().cloned());
    for violation in violations.iter().take(20) {
        println!("VIOLATION: {violation}");
    }
    if violations.is_empty() {
        println!("\nall promises kept");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("\n{} violations", violations.len());
        Ok(ExitCode::FAILURE)
    }
}

impl Test {
    /// Starts everything, and fills the store.
    async fn prepare(arguments: Arguments, redis: Redis) -> Result<Self, Failure> {
        let seed = match arguments.seed {
            Some(seed) => seed,
            None => SysRng.try_next_u64()?,
        };
        println!("{arguments:?}\n--seed {seed}");
        let lifetime = Duration::from_secs(arguments.lifetime);
        let server = AuthorizationServer::start(Mint(seed), lifetime, seed).await?;
        let role = Role {
            part: Part::Worker,
            number: 0,
            redis: redis.url(),
            token_url: server.token_url(),
            key: seed,
            seed,
            lease: arguments.lease,
            callers: arguments.callers,
            logins: arguments.active,
            stride: arguments.stride(),
        };
        let users = users(&role)?;
        let store = users.store().clone();
        let before = RedisLoad::of(&redis.client()).await?;
        let filling = fill(arguments, &server, &store, users.client()).await?;
        let memory = RedisLoad::of(&redis.client()).await?.memory - before.memory;
        println!(
            "{} logins stored in {:.1} s ({:.0}/s), {:.0} bytes each in Redis",
            arguments.logins,
            filling.as_secs_f64(),
            f64::from(arguments.logins) / filling.as_secs_f64(),
            per(memory, arguments.logins.into()),
        );
        let mut test =
            Self { arguments, redis, server, crew: Vec::new(), next_number: FIRST, role, store };
        for _ in 0..arguments.processes {
            let member = test.recruit()?;
            test.crew.push(member);
        }
        Ok(test)
    }

    fn recruit(&mut self) -> Result<Member, Failure> {
        let number = self.next_number;
        self.next_number += 1;
        Member::start(Role { number, ..self.role.clone() })
    }

    /// What a login costs that is held, and not used.
    async fn keep(&self) -> Result<Memory, Failure> {
        let logins = self.arguments.idle.min(self.arguments.logins.saturating_sub(1));
        let keeper = Role { part: Part::Keeper, logins, stride: 1, ..self.role.clone() };
        Member::start(keeper)?.report(PATIENCE).await
    }

    /// Has all processes call for so long.
    async fn phase(
        &mut self,
        name: &'static str,
        duration: Duration,
        kill: bool,
    ) -> Result<Phase, Failure> {
        let client = self.redis.client();
        let counts = self.server.families().counts;
        let redis = RedisLoad::of(&client).await?;
        let begun = Instant::now();
        for member in &mut self.crew {
            member.order(duration).await?;
        }
        if kill {
            self.kill_some(begun + duration).await?;
        }
        let mut report = Report::default();
        for member in &mut self.crew {
            let left = (begun + duration).saturating_duration_since(Instant::now());
            report.merge(member.report(left + PATIENCE + PATIENCE).await?);
        }
        let counts = self.server.families().counts.since(&counts);
        let redis = RedisLoad::of(&client).await?.since(&redis);
        Ok(Phase { name, took: begun.elapsed(), report, counts, redis })
    }

    /// Kills one process between its request and the answer, and another one in the middle of many.
    /// Others take their places.
    async fn kill_some(&mut self, until: Instant) -> Result<(), Failure> {
        sleep(Duration::from_secs(1)).await;
        let waiting = self.crew.first().ok_or("no process")?.role.number;
        let asked = self.server.next_request_of(waiting);
        let left = until.saturating_duration_since(Instant::now());
        timeout(left, asked).await.map_err(|_| "there was no time to kill a process")??;
        self.replace(0, until).await?;
        if self.crew.len() > 1 {
            // Times are whole seconds to the machine, so refreshes come in waves: into one of them.
            sleep(Duration::from_millis(2015 - now() % 1000)).await;
            self.replace(1, until).await?;
        }
        Ok(())
    }

    async fn replace(&mut self, place: usize, until: Instant) -> Result<(), Failure> {
        let mut successor = self.recruit()?;
        let place = self.crew.get_mut(place).ok_or("no process")?;
        self.server.families().killed(place.role.number);
        place.kill().await?;
        successor.order(until.saturating_duration_since(Instant::now())).await?;
        *place = successor;
        Ok(())
    }

    /// Whether what is stored in the end is what it has to be: those logins have ended that the
    /// server has ended, and no others.
    async fn check_store(&self) -> Result<Vec<String>, Failure> {
        let ended = self.server.families().ended();
        let mut violations = Vec::new();
        for index in 0..self.arguments.active {
            let login = index * self.role.stride;
            let stored = self.store.load(&key(login)).await;
            let stored = stored.map_err(|_| "Redis does not answer")?;
            let (_, record) =
                stored.ok_or_else(|| format!("login {login} is not stored any more"))?;
            let over = match record.state()? {
                State::Unauthorized(state) => Some(format!("{:?}", state.reason())),
                State::Authorizing(_) | State::Authorized(_) | State::Refreshing(_) => None,
            };
            if over.is_some() != ended.contains(&login) {
                violations.push(format!("login {login} is stored as {over:?}"));
            }
        }
        Ok(violations)
    }
}

fn print_taken_over(after: &[Duration]) {
    if let (Some(first), Some(last)) = (after.iter().min(), after.iter().max()) {
        let count = after.len();
        println!(
            "  {count} requests of killed processes taken over, {first:.1?} to {last:.1?} later"
        );
    }
}

fn print_memory(memory: &Memory) {
    let Memory { held, blocks, resident, left, loading } = memory;
    let row = |what: &str, value: String| println!("  {what:<42}{value}");
    println!("\nmemory of a login that is loaded and idle, in bytes");
    row("handed out by the allocator", format!("{held:.0} in {blocks:.1} blocks"));
    row("by the growth of VmRSS", format!("{resident:.0}"));
    row("when its agent has been dropped", format!("{left:.0}"));
    row("time to load one", format!("{loading:.0?}"));
}
