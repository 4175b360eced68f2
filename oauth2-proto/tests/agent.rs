//! The agent: one refresh for all callers, whoever comes, goes, panics or forgets to poll, under
//! tokio, smol, and executors of a few lines.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod agent_support;

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Wake;

use agent_support::{
    Executor, Fate, Fault, Faulty, LIFETIME, OLD_ENOUGH, PATIENCE, World, all, block_on, number,
    pause, run, seed, stored, take,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use oauth2_proto::agent::{
    Agent, Change, Deadline, Host, MemoryStore, Origins, Record, Rest, Store,
};
use oauth2_proto::{
    AccessToken, Body, Challenge, Challenged, Error, Expired, Lost, Misuse, Moment, Outage, Reason,
    Seed, State, Timestamp,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const CALLERS: usize = 1000;

type Asked = Result<AccessToken, Error>;

fn outage(asked: &Asked) -> Option<Outage> {
    match asked {
        Err(Error::Unavailable(unavailable)) => Some(unavailable.cause()),
        _ => None,
    }
}

fn ended(asked: &Asked) -> Option<&Reason> {
    match asked {
        Err(Error::Expired(Expired::Login(reason))) => Some(reason),
        _ => None,
    }
}

fn invalid_token() -> Challenge {
    let mut headers = HeaderMap::new();
    let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
    headers.insert("www-authenticate", challenge);
    Challenge::from_headers(&headers).into_iter().next().unwrap()
}

/// A resource server refuses the token that this agent holds, which is old enough.
fn reject<H: Host, S: Store>(world: &World, agent: &Agent<H, S>, token: &AccessToken) {
    world.pass(OLD_ENOUGH);
    assert_eq!(agent.challenged(token.generation(), &invalid_token()), Challenged::Rejected);
}

async fn token<H: Host, S: Store>(agent: Agent<H, S>) -> Asked {
    agent.token().await
}

fn expired() -> (World, Agent<World>) {
    let world = World::new();
    let agent = world.agent();
    world.pass(LIFETIME);
    (world, agent)
}

fn rejected() -> (World, Agent<World>) {
    let world = World::new();
    let agent = world.agent();
    let token = run(&world, token(agent.clone()));
    reject(&world, &agent, &token.unwrap());
    (world, agent)
}

mod many_callers_cause_one_refresh {
    use super::*;

    fn check(world: &World, tokens: &[Asked]) {
        assert_eq!(tokens.len(), CALLERS);
        assert_eq!(world.requests(), 1);
        assert!(tokens.iter().all(|token| number(token) == 1));
    }

    #[test]
    fn with_an_executor_of_a_few_lines() {
        for (world, agent) in [expired(), rejected()] {
            let tokens = block_on(all((0..CALLERS).map(|_| token(agent.clone()))));
            check(&world, &tokens);
        }
    }

    #[test]
    fn one_task_each_in_any_order() {
        for order in 0..20 {
            for (world, agent) in [expired(), rejected()] {
                let mut executor = Executor::shuffled(world.clone(), order);
                let outcomes: Vec<_> =
                    (0..CALLERS).map(|_| executor.spawn(token(agent.clone()))).collect();
                executor.run_at_once();
                check(&world, &outcomes.iter().map(take).collect::<Vec<_>>());
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn under_tokio() {
        for (world, agent) in [expired(), rejected()] {
            let callers: Vec<_> =
                (0..CALLERS).map(|_| tokio::spawn(token(agent.clone()))).collect();
            let mut tokens = Vec::new();
            for caller in callers {
                tokens.push(caller.await.unwrap());
            }
            check(&world, &tokens);
        }
    }

    #[test]
    fn under_smol() {
        for (world, agent) in [expired(), rejected()] {
            let callers: Vec<_> = (0..CALLERS).map(|_| smol::spawn(token(agent.clone()))).collect();
            check(&world, &smol::block_on(all(callers)));
        }
    }

    #[test]
    fn also_when_they_insist_on_a_newer_token() {
        let world = World::new();
        let agent = world.agent();
        let mut executor = Executor::new(world.clone());
        world.hold_answers(true);
        let refresh = |agent: Agent<World>| async move { agent.refresh().await };
        let outcomes: Vec<_> =
            (0..CALLERS).map(|_| executor.spawn(refresh(agent.clone()))).collect();
        executor.settle();
        world.hold_answers(false);
        executor.run_at_once();
        check(&world, &outcomes.iter().map(take).collect::<Vec<_>>());
        assert_eq!(number(&run(&world, token(agent))), 1);
        assert_eq!(world.requests(), 1, "nobody asked for another one");
    }

    #[test]
    fn also_of_two_agents_on_one_store() {
        for order in 0..50 {
            let world = World::new();
            let store = Faulty::new(world.store());
            let agents = [world.open(store.clone()), world.open(store)];
            world.pass(LIFETIME);
            let mut executor = Executor::shuffled(world.clone(), order);
            let outcomes: Vec<_> = (0..CALLERS)
                .zip(agents.iter().cycle())
                .map(|(_, agent)| executor.spawn(token(agent.clone())))
                .collect();
            executor.run();
            check(&world, &outcomes.iter().map(take).collect::<Vec<_>>());
            assert!(!world.theft());
        }
    }
}

#[test]
fn in_the_window_before_expiry_the_old_token_is_given_meanwhile() {
    let world = World::new();
    let agent = world.agent();
    world.pass(LIFETIME - 60);
    world.hold_answers(true);
    let mut executor = Executor::new(world.clone());
    let first = executor.spawn(token(agent.clone()));
    executor.settle();
    assert_eq!(world.requests(), 1);
    assert_eq!(number(&run(&world, token(agent.clone()))), 0);
    world.hold_answers(false);
    executor.run_at_once();
    assert_eq!(number(&take(&first)), 1);
    assert_eq!(number(&run(&world, token(agent))), 1);
    assert_eq!(world.requests(), 1);
}

mod callers_that_go_away {
    use super::*;

    #[test]
    fn another_one_finishes_what_the_first_began() {
        let (world, agent) = expired();
        world.hold_answers(true);
        let mut executor = Executor::new(world.clone());
        executor.spawn(token(agent.clone()));
        executor.settle();
        let second = executor.spawn(token(agent));
        executor.settle();
        assert_eq!(world.requests(), 1, "the server has replaced the refresh token");
        executor.cancel(0);
        world.hold_answers(false);
        executor.run_at_once();
        assert_eq!(number(&take(&second)), 1);
        assert_eq!((world.requests(), world.theft()), (1, false));
    }

    #[test]
    fn a_later_one_finishes_what_all_others_left() {
        let (world, agent) = expired();
        world.hold_answers(true);
        let mut executor = Executor::new(world.clone());
        for _ in 0..10 {
            executor.spawn(token(agent.clone()));
        }
        executor.settle();
        (0..10).for_each(|nth| executor.cancel(nth));
        world.hold_answers(false);
        // Long after the lease.
        world.pass(600);
        assert_eq!(number(&run(&world, token(agent))), 1);
        assert_eq!((world.requests(), world.theft()), (1, false));
    }

    #[test]
    fn at_no_moment_does_that_lose_anything() {
        let mut unfinished = 0;
        for moments in 0..40 {
            for others in [0, 1, 2] {
                let world = World::new();
                let agent = world.open(Faulty::new(world.store()));
                world.pass(LIFETIME);
                let mut executor = Executor::new(world.clone());
                let first = executor.spawn(token(agent.clone()));
                let others: Vec<_> =
                    (0..others).map(|_| executor.spawn(token(agent.clone()))).collect();
                for moment in 0..moments {
                    executor.poll(moment % (others.len() + 1));
                }
                unfinished += usize::from(first.borrow().is_none());
                executor.cancel(0);
                executor.run_at_once();
                assert!(others.iter().all(|other| number(&take(other)) == 1));
                assert_eq!(number(&run(&world, token(agent))), 1, "after {moments} polls");
                assert_eq!((world.requests(), world.theft()), (1, false));
            }
        }
        assert!(unfinished > 20, "it was dropped {unfinished} times only");
    }

    #[test]
    fn one_that_is_kept_but_not_polled_any_more_holds_up_nobody() {
        let (world, agent) = expired();
        world.hold_answers(true);
        let mut forgotten = Box::pin(token(agent.clone()));
        for _ in 0..20 {
            let mut context = Context::from_waker(Waker::noop());
            assert!(forgotten.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(world.requests(), 1);
        world.hold_answers(false);
        let mut executor = Executor::new(world.clone());
        let others: Vec<_> = (0..3).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run_at_once();
        assert!(others.iter().all(|other| number(&take(other)) == 1));
        drop(forgotten);
        assert_eq!(world.requests(), 1);
    }

    #[test]
    fn one_that_is_kept_but_not_polled_any_more_does_not_keep_its_neighbours_asleep() {
        // All wait before the first is forgotten.
        let (world, agent) = expired();
        world.hold_answers(true);
        let mut forgotten = Box::pin(token(agent.clone()));
        let mut executor = Executor::new(world.clone());
        let mut others = Vec::new();
        for nth in 0..20 {
            let mut context = Context::from_waker(Waker::noop());
            assert!(forgotten.as_mut().poll(&mut context).is_pending());
            if nth == 10 {
                others.extend((0..3).map(|_| executor.spawn(token(agent.clone()))));
                executor.settle();
            }
        }
        world.hold_answers(false);
        executor.run_at_once();
        assert!(others.iter().all(|other| number(&take(other)) == 1));
    }

    #[test]
    fn the_next_one_stays_for_a_refresh_that_all_others_left() {
        for moments in 1..5 {
            let world = World::new();
            let agent = world.agent();
            world.pass(LIFETIME - 60);
            let mut executor = Executor::new(world.clone());
            executor.spawn(token(agent.clone()));
            (0..moments).for_each(|_| executor.poll(0));
            executor.cancel(0);
            // It could have the old one at once; but then nobody would go on with the refresh.
            let next = executor.spawn(token(agent));
            executor.run_at_once();
            assert_eq!(number(&take(&next)), 1, "after {moments} polls");
        }
    }

    #[test]
    fn they_leave_no_waker_behind() {
        struct Quiet;
        impl Wake for Quiet {
            fn wake(self: Arc<Self>) {}
        }
        let (world, agent) = expired();
        world.hold_answers(true);
        let quiet = Arc::new(Quiet);
        let waker = Waker::from(Arc::clone(&quiet));
        let mut changes = agent.changes();
        for _ in 0..10 {
            let mut caller = Box::pin(agent.token());
            assert!(caller.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let mut change = Box::pin(changes.next());
            let _ = change.as_mut().poll(&mut Context::from_waker(&waker));
        }
        drop((changes, waker));
        assert_eq!(Arc::strong_count(&quiet), 1);
    }

    #[test]
    fn those_that_got_an_answer_leave_no_waker_behind_either() {
        struct Quiet;
        impl Wake for Quiet {
            fn wake(self: Arc<Self>) {}
        }
        let world = World::new();
        let store = world.store();
        let (other, agent) = (world.open(store.clone()), world.open(store));
        world.pass(LIFETIME);
        world.hold_answers(true);
        let mut executor = Executor::new(world.clone());
        executor.spawn(token(other));
        executor.settle();
        // It waits for the lease of another process.
        let agent = agent.with_patience(Duration::from_secs(1));
        let quiet = Arc::new(Quiet);
        let waker = Waker::from(Arc::clone(&quiet));
        let mut caller = Box::pin(agent.token());
        let mut context = Context::from_waker(&waker);
        let asked = loop {
            match caller.as_mut().poll(&mut context) {
                Poll::Ready(asked) => break asked,
                Poll::Pending => assert!(world.pass_to_next()),
            }
        };
        assert_eq!(outage(&asked), Some(Outage::Waiting), "{asked:?}");
        drop((caller, waker));
        assert_eq!(Arc::strong_count(&quiet), 1);
    }

    type Rests<S> = Arc<Mutex<Vec<Rest<World, S>>>>;

    /// An agent over an empty store, and the tasks that it wants to be run.
    fn with_rests(world: &World) -> (Agent<World, Faulty>, Rests<Faulty>, MemoryStore) {
        let (store, rests) = (MemoryStore::new(), Rests::default());
        let spawned = Arc::clone(&rests);
        let agent = world.open(Faulty::new(store.clone()));
        let agent = agent.with_spawn(move |rest| spawned.lock().unwrap().push(rest));
        (agent, rests, store)
    }

    /// Runs the tasks, also those that others want to be run meanwhile.
    fn run_rests(world: &World, rests: &Rests<Faulty>) {
        loop {
            let next = rests.lock().unwrap().pop();
            let Some(rest) = next else { return };
            run(world, rest);
        }
    }

    #[test]
    fn one_that_logs_in_leaves_the_new_login_to_a_task() {
        for moments in 1..20 {
            for others in [0, 1] {
                let world = World::new();
                let (agent, rests, store) = with_rests(&world);
                let mut executor = Executor::new(world.clone());
                // Whoever is here first loads what is stored.
                (0..others).for_each(|_| drop(executor.spawn(token(agent.clone()))));
                (0..others).for_each(|nth| executor.poll(nth));
                let login = world.login();
                executor.spawn(async move { agent.log_in(login).await });
                (0..moments).for_each(|_| executor.poll(others));
                (0..=others).for_each(|nth| executor.cancel(nth));
                run_rests(&world, &rests);
                let saved = block_on(store.load("login")).unwrap();
                assert!(saved.is_some(), "after {moments} polls, with {others} others");
            }
        }
    }

    #[test]
    fn one_that_signs_out_has_ended_the_login_everywhere_or_nowhere() {
        for moments in 1..20 {
            let world = World::new();
            let (agent, rests, store) = with_rests(&world);
            let (login, logging_in) = (world.login(), agent.clone());
            run(&world, async move { logging_in.log_in(login).await }).unwrap();
            run_rests(&world, &rests);
            let mut executor = Executor::new(world.clone());
            let signing_out = agent.clone();
            executor.spawn(async move { signing_out.sign_out().await });
            (0..moments).for_each(|_| executor.poll(0));
            executor.cancel(0);
            let ended = agent.with_state(|state| matches!(state, Some(State::Unauthorized(_))));
            drop(agent);
            run_rests(&world, &rests);
            let stored = matches!(stored(&store), State::Unauthorized(_));
            let revoked = !world.revoked().is_empty();
            assert_eq!((stored, revoked), (ended, ended), "after {moments} polls");
        }
    }

    /// A host that has something else happen while its exchange is being polled.
    struct Meanwhile {
        world: World,
        happens: Happening,
    }

    type Happening = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

    impl Host for Meanwhile {
        type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>> + Send>>;
        type Sleeping = <World as Host>::Sleeping;

        fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
            let mut sending = self.world.send(request, time_out);
            let happens = Arc::clone(&self.happens);
            Box::pin(core::future::poll_fn(move |context| {
                if let Some(happens) = happens.lock().unwrap().take() {
                    // It becomes ready, and is polled by somebody else, before this poll is over.
                    context.waker().wake_by_ref();
                    happens();
                    return Poll::Pending;
                }
                Pin::new(&mut sending).poll(context)
            }))
        }

        fn sleep(&self, pause: Duration) -> Self::Sleeping {
            self.world.sleep(pause)
        }

        fn now(&self) -> Moment {
            self.world.now()
        }
    }

    #[test]
    fn one_that_is_dropped_after_it_was_polled_at_the_same_time_as_another_leaves_that_awake() {
        let world = World::new();
        let happens = Happening::default();
        let host = Meanwhile { world: world.clone(), happens: Arc::clone(&happens) };
        let mut seed = Seed::new(&mut rand::rng()).unwrap();
        let agent = Agent::new(world.client(), host, &mut seed, world.login()).unwrap();
        world.pass(LIFETIME);

        let other = Arc::new(Mutex::new(Box::pin(token(agent.clone()))));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (polled, polling) = (Arc::clone(&other), waker.clone());
        *happens.lock().unwrap() = Some(Box::new(move || {
            let mut polled = polled.lock().unwrap();
            assert!(polled.as_mut().poll(&mut Context::from_waker(&polling)).is_pending());
        }));
        let mut first = Box::pin(token(agent));
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(first);
        let mut other = other.lock().unwrap();
        loop {
            assert!(woken.0.swap(false, Ordering::SeqCst), "it was not woken");
            if let Poll::Ready(asked) = other.as_mut().poll(&mut Context::from_waker(&waker)) {
                assert_eq!(number(&asked), 1);
                break;
            }
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// A waker that looks at the agent when it is dropped, as one does that is the last to hold a
    /// task which calls the agent.
    struct Nosy(Agent<World>);

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.0.with_state(|state| assert!(state.is_some()));
        }
    }

    #[test]
    fn no_waker_is_dropped_while_the_agent_is_locked() {
        let (done, waiting) = mpsc::channel();
        std::thread::spawn(move || {
            let (world, agent) = expired();
            world.hold_answers(true);
            let mut changes = agent.changes();
            let mut first = Box::pin(agent.token());
            let mut second = Box::pin(agent.token());
            for _ in 0..10 {
                let waker = Waker::from(Arc::new(Nosy(agent.clone())));
                let mut context = Context::from_waker(&waker);
                assert!(first.as_mut().poll(&mut context).is_pending());
                assert!(second.as_mut().poll(&mut context).is_pending());
                let mut change = Box::pin(changes.next());
                let _ = change.as_mut().poll(&mut context);
            }
            drop((first, second, changes));
            done.send(()).unwrap();
        });
        waiting.recv_timeout(Duration::from_secs(20)).expect("a deadlock");
    }
}

mod panics {
    use super::*;

    /// Has a task panic, and catches it.
    fn panics(world: &World, agent: &Agent<World, Faulty>) {
        let (world, agent) = (world.clone(), agent.clone());
        let caller = std::thread::spawn(move || run(&world, token(agent)));
        assert!(caller.join().is_err(), "nobody panicked");
    }

    fn world() -> (World, Faulty, Agent<World, Faulty>) {
        let world = World::new();
        let store = Faulty::new(world.store());
        let agent = world.open(store.clone());
        world.pass(LIFETIME);
        (world, store, agent)
    }

    #[test]
    fn of_the_host_are_recovered_from() {
        for fate in [Fate::Panics, Fate::PanicsAtOnce] {
            let (world, _, agent) = world();
            world.fates([fate]);
            panics(&world, &agent);
            assert_eq!(number(&run(&world, token(agent))), 1, "after {fate:?}");
            assert_eq!((world.requests(), world.theft()), (1, false));
        }
    }

    #[test]
    fn of_the_host_leave_nobody_waiting() {
        for fate in [Fate::Panics, Fate::PanicsAtOnce] {
            let (world, _, agent) = world();
            world.fates([fate]);
            let mut executor = Executor::new(world.clone());
            executor.spawn({
                let agent = agent.clone();
                async move {
                    let mut caller = Box::pin(agent.token());
                    core::future::poll_fn(|context| {
                        let poll = || caller.as_mut().poll(context).is_ready();
                        match std::panic::catch_unwind(core::panic::AssertUnwindSafe(poll)) {
                            Ok(ready) => {
                                assert!(!ready, "nobody panicked");
                                Poll::Pending
                            }
                            Err(_) => Poll::Ready(()),
                        }
                    })
                    .await;
                }
            });
            let other = executor.spawn(token(agent));
            executor.run();
            assert_eq!(number(&take(&other)), 1, "after {fate:?}");
        }
    }

    #[test]
    fn of_one_caller_wake_those_who_slept() {
        let (world, _, agent) = world();
        world.fates([Fate::HangsThenPanics]);
        let mut executor = Executor::new(world.clone());
        let others = [executor.spawn(token(agent.clone())), executor.spawn(token(agent.clone()))];
        assert_eq!(executor.settle(), 2);
        world.hold_answers(true);
        panics(&world, &agent);
        world.hold_answers(false);
        assert!(executor.is_woken(0) && executor.is_woken(1));
        executor.run();
        assert!(others.iter().all(|other| number(&take(other)) == 1));
    }

    #[test]
    fn of_the_store_are_recovered_from() {
        for fault in [Fault::Panics, Fault::PanicsAtOnce] {
            // In the first operation, which loads; in the second, which takes the lease; in the
            // third, which saves the new tokens.
            for before in 0..3 {
                let (world, store, agent) = world();
                store.faults((0..before).map(|_| Fault::None).chain([fault]));
                panics(&world, &agent);
                assert_eq!(number(&run(&world, token(agent))), 1, "{fault:?} after {before}");
                assert_eq!((world.requests(), world.theft()), (1, false));
            }
        }
    }
}

mod stores {
    use super::*;

    fn world() -> (World, Faulty, Agent<World, Faulty>) {
        let world = World::new();
        let store = Faulty::new(world.store());
        let agent = world.open(store.clone());
        (world, store, agent)
    }

    #[test]
    fn one_that_fails_is_asked_again() {
        for fault in [Fault::Fails, Fault::FailsLate] {
            for before in 0..3 {
                let (world, store, agent) = world();
                world.pass(LIFETIME);
                store.faults((0..before).map(|_| Fault::None).chain([fault, fault]));
                assert_eq!(number(&run(&world, token(agent.clone()))), 1, "{fault:?} {before}");
                run(&world, async move { agent.settle().await }).unwrap();
                assert_eq!((world.requests(), world.theft()), (1, false));
                assert!(matches!(stored(&store.store), State::Authorized(_)));
            }
        }
    }

    #[test]
    fn one_that_is_down_is_an_outage() {
        let (world, store, agent) = world();
        store.faults([Fault::Fails; 50]);
        assert_eq!(outage(&run(&world, token(agent))), Some(Outage::Store));
        assert!(world.seconds() <= PATIENCE.as_secs());
        assert_eq!(world.requests(), 0);
    }

    #[test]
    fn one_that_is_down_stops_nobody_whose_token_is_good() {
        let (world, store, agent) = world();
        assert_eq!(number(&run(&world, token(agent.clone()))), 0);
        let old = run(&world, token(agent.clone())).unwrap();
        reject(&world, &agent, &old);
        // The lease is taken; then the store goes down.
        store.faults([Fault::None, Fault::None].into_iter().chain([Fault::Fails; 50]));
        assert_eq!(number(&run(&world, token(agent.clone()))), 1);
        for _ in 0..10 {
            world.pass(1);
            assert_eq!(number(&run(&world, token(agent.clone()))), 1);
        }
        assert_eq!((world.requests(), world.theft()), (1, false));
    }

    #[test]
    fn one_that_hangs_does_not_outlast_a_callers_patience() {
        let (world, store, agent) = world();
        store.faults([Fault::Hangs; 50]);
        let mut executor = Executor::new(world.clone());
        let callers: Vec<_> = (0..3).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run();
        for caller in &callers {
            assert!(matches!(take(caller), Err(error) if error.is_retryable()));
        }
        assert!(world.seconds() >= PATIENCE.as_secs());
        assert!(world.seconds() <= PATIENCE.as_secs() + 2);
    }

    #[test]
    fn one_that_hangs_once_is_asked_again_after_fifteen_seconds() {
        let (world, store, agent) = world();
        store.faults([Fault::Hangs]);
        assert_eq!(number(&run(&world, token(agent))), 0);
        assert!((15..=17).contains(&world.seconds()), "{}", world.seconds());
    }

    #[test]
    fn one_that_hangs_while_saving_stops_nobody_whose_token_is_good() {
        let (world, store, agent) = world();
        world.pass(LIFETIME);
        // It loads and leases, and then never says whether the new tokens are saved.
        store.faults([Fault::None, Fault::None, Fault::Hangs]);
        let mut executor = Executor::new(world.clone());
        let callers: Vec<_> = (0..3).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run();
        assert!(callers.iter().all(|caller| number(&take(caller)) == 1));
        assert_eq!(number(&run(&world, token(agent))), 1);
        assert_eq!(world.requests(), 1);
    }

    #[test]
    fn a_conflict_adopts_what_another_process_has_stored() {
        let (world, store, agent) = world();
        let other = world.open(store.store.clone());
        assert_eq!(number(&run(&world, token(agent.clone()))), 0);
        let refreshed = run(&world, async move { other.refresh().await });
        assert_eq!(number(&refreshed), 1);
        let refreshed = run(&world, async move { agent.refresh().await });
        assert_eq!(number(&refreshed), 1, "what the other one has got is newer");
        assert_eq!((world.requests(), world.theft()), (1, false));
    }

    #[test]
    fn a_deleted_login_is_over() {
        let (world, store, agent) = world();
        assert_eq!(number(&run(&world, token(agent.clone()))), 0);
        let (version, _) = block_on(store.store.load("login")).unwrap().unwrap();
        assert!(block_on(store.store.swap("login", Some(version), None)).is_ok());
        world.pass(LIFETIME);
        let asked = run(&world, token(agent));
        assert_eq!(ended(&asked), Some(&Reason::NotStarted), "{asked:?}");
    }

    #[test]
    fn one_whose_record_cannot_be_read_has_no_login_until_somebody_logs_in() {
        for damaged in ["", "sealed", r#"{"version":99}"#] {
            let (world, store) = (World::new(), MemoryStore::new());
            let record = Record::new(damaged);
            assert!(block_on(store.swap("login", None, Some(record.clone()))).is_ok());
            let agent = world.open(store.clone());
            let stored_login = Err(Error::Misuse(Misuse::StoredLogin));
            for _ in 0..3 {
                let asked = run(&world, token(agent.clone()));
                assert_eq!(asked.map(drop), stored_login);
                world.pass(1);
            }
            let (settling, signing_out) = (agent.clone(), agent.clone());
            assert_eq!(run(&world, async move { settling.settle().await }), stored_login);
            assert_eq!(run(&world, async move { signing_out.sign_out().await }), stored_login);
            let (_, left) = block_on(store.load("login")).unwrap().unwrap();
            assert_eq!(left, record, "nothing but a new login replaces it");
            let (login, logging_in) = (world.login(), agent.clone());
            run(&world, async move { logging_in.log_in(login).await }).unwrap();
            assert_eq!(number(&run(&world, token(agent))), 0);
            assert!(matches!(stored(&store), State::Authorized(_)));
        }
    }

    #[test]
    fn an_empty_one_has_no_login_until_somebody_logs_in() {
        let world = World::new();
        let agent = world.open(MemoryStore::new());
        let asked = run(&world, token(agent.clone()));
        assert_eq!(ended(&asked), Some(&Reason::NotStarted));
        assert!(asked.unwrap_err().needs_login());
        let login = world.login();
        let (world, agent) = (&world, &agent);
        let logging_in = agent.clone();
        run(world, async move { logging_in.log_in(login).await }).unwrap();
        assert_eq!(number(&run(world, token(agent.clone()))), 0);
    }
}

mod patience {
    use super::*;

    #[test]
    fn is_shorter_than_a_server_that_hangs() {
        let world = World::new();
        let agent = world.agent().with_patience(Duration::from_secs(5));
        world.pass(LIFETIME);
        world.fates([Fate::Hangs]);
        let begun = world.seconds();
        let mut executor = Executor::new(world.clone());
        let callers: Vec<_> = (0..3).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run();
        for caller in &callers {
            let asked = take(caller);
            assert!(matches!(&asked, Err(error) if error.is_retryable()), "{asked:?}");
        }
        let waited = world.seconds() - begun;
        assert!((5..=7).contains(&waited), "they waited for {waited} seconds");
        assert_eq!(world.requests(), 1);
        // The attempt goes on without them, and a more patient program gets its token.
        for _ in 0..30 {
            world.pass(1);
        }
        assert_eq!(number(&run(&world, token(agent))), 1);
        assert_eq!((world.requests(), world.theft()), (2, false));
    }

    #[test]
    fn ends_with_the_old_token_where_that_is_good() {
        let world = World::new();
        let agent = world.agent().with_patience(Duration::from_secs(5));
        world.pass(LIFETIME - 60);
        world.fates([Fate::Hangs]);
        let asked = run(&world, token(agent));
        assert_eq!(number(&asked), 0);
        assert!(world.seconds() <= LIFETIME - 60 + 7);
    }

    #[test]
    fn is_not_cut_short_when_somebody_sets_the_clock() {
        let (world, agent) = expired();
        world.fates([Fate::Hangs]);
        let mut executor = Executor::new(world.clone());
        let caller = executor.spawn(token(agent));
        executor.settle();
        world.set_forward(3600);
        executor.run();
        assert_eq!(number(&take(&caller)), 1);
    }

    #[test]
    fn outlasts_the_lease_of_a_process_that_is_gone() {
        let world = World::new();
        let store = world.store();
        let (gone, agent) = (world.open(store.clone()), world.open(store));
        world.pass(LIFETIME);
        world.fates([Fate::Hangs]);
        let mut executor = Executor::new(world.clone());
        executor.spawn(token(gone.clone()));
        executor.settle();
        executor.cancel(0);
        drop(gone);
        let begun = world.seconds();
        assert_eq!(number(&run(&world, token(agent))), 1);
        let waited = world.seconds() - begun;
        assert!((35..37).contains(&waited), "{waited} s, not a lease and its margin");
        assert!(waited < PATIENCE.as_secs());
    }

    #[test]
    fn outlasts_a_server_that_is_down_for_a_moment() {
        let (world, agent) = expired();
        world.fates([Fate::Unsent, Fate::Unavailable, Fate::Unsent]);
        assert_eq!(number(&run(&world, token(agent))), 1);
        assert_eq!((world.requests(), world.theft()), (2, false));
    }

    #[test]
    fn ends_when_the_server_stays_down() {
        let (world, agent) = expired();
        world.fates([Fate::Unavailable; 50]);
        let begun = world.seconds();
        let asked = run(&world, token(agent));
        assert!(matches!(outage(&asked), Some(Outage::Status(_))), "{asked:?}");
        assert!(world.seconds() - begun <= PATIENCE.as_secs());
    }

    #[test]
    fn of_a_thousand_callers_costs_one_request_per_attempt() {
        let (world, agent) = expired();
        world.fates([Fate::Unavailable; 3]);
        let mut executor = Executor::new(world.clone());
        let callers: Vec<_> = (0..CALLERS).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run();
        assert!(callers.iter().all(|caller| number(&take(caller)) == 1));
        assert_eq!(world.requests(), 4);
    }
}

#[test]
fn what_nobody_shares_is_taken_over_as_soon_as_its_time_stamp_says_so() {
    let world = World::new();
    world.pass(LIFETIME);
    let now = world.now().time();
    let (_, refreshing) = world.login().refresh(&world.client(), now).unwrap();
    // The program is started anew.
    world.pass(LIFETIME);
    let agent = Agent::new(world.client(), world.clone(), &mut seed(), refreshing).unwrap();
    let begun = world.seconds();
    assert_eq!(number(&run(&world, token(agent))), 1);
    assert_eq!(world.seconds(), begun);
}

#[test]
fn an_answer_that_was_lost_ends_the_login_and_says_so() {
    let (world, agent) = expired();
    world.fates([Fate::AnswerLost]);
    let asked = run(&world, token(agent.clone()));
    assert!(matches!(&asked, Err(Error::Denied(denied)) if denied.error() == "invalid_grant"));
    let asked = run(&world, token(agent));
    assert_eq!(ended(&asked), Some(&Reason::AnswerLost), "{asked:?}");
    assert_eq!(world.requests(), 2);
}

mod signing_out {
    use super::*;

    async fn sign_out<H: Host, S: Store>(agent: Agent<H, S>) -> Result<(), Error> {
        agent.sign_out().await
    }

    #[test]
    fn revokes_the_tokens_and_ends_the_login() {
        let world = World::new();
        let store = world.store();
        let agent = world.open(store.clone());
        run(&world, sign_out(agent.clone())).unwrap();
        assert_eq!(world.revoked(), ["refresh-0", "access-0"]);
        assert!(matches!(
            stored(&store),
            State::Unauthorized(ended) if *ended.reason() == Reason::SignedOut
        ));
        let asked = run(&world, token(agent));
        assert_eq!(ended(&asked), Some(&Reason::SignedOut));
    }

    #[test]
    fn waits_for_a_refresh_and_revokes_what_it_brought() {
        let (world, agent) = expired();
        world.hold_answers(true);
        let mut executor = Executor::new(world.clone());
        let caller = executor.spawn(token(agent.clone()));
        executor.settle();
        let signed_out = executor.spawn(sign_out(agent));
        executor.settle();
        world.hold_answers(false);
        executor.run_at_once();
        assert_eq!(number(&take(&caller)), 1);
        take(&signed_out).unwrap();
        assert_eq!(world.revoked(), ["refresh-1", "access-1"]);
    }

    #[test]
    fn goes_on_when_who_asked_for_it_is_gone() {
        for moments in 0..12 {
            let world = World::new();
            let store = world.store();
            let agent = world.open(Faulty::new(store.clone()));
            let mut executor = Executor::new(world.clone());
            executor.spawn(sign_out(agent.clone()));
            (0..moments).for_each(|_| executor.poll(0));
            executor.cancel(0);
            run(&world, sign_out(agent)).unwrap();
            assert_eq!(world.revoked(), ["refresh-0", "access-0"], "after {moments} polls");
        }
    }
}

#[test]
fn logging_in_replaces_the_login_and_saves_it() {
    let world = World::new();
    let store = world.store();
    let agent = world.open(store.clone());
    let old = run(&world, token(agent.clone())).unwrap();
    let login = world.login();
    let new = login.login();
    let logging_in = agent.clone();
    run(&world, async move { logging_in.log_in(login).await }).unwrap();
    let token = run(&world, token(agent.clone())).unwrap();
    assert_eq!(token.generation().login(), new);
    assert_ne!(old.generation().login(), new);
    assert_eq!(stored(&store).login(), new);
    assert_eq!(agent.challenged(old.generation(), &invalid_token()), Challenged::Superseded);
}

mod deadlines {
    use super::*;

    const TIME_OUT: Duration = Duration::from_secs(25);

    /// After so many milliseconds, with the time of day so many seconds later.
    fn moment(elapsed: u64, time: i64) -> Moment {
        let noon = Timestamp::from_unix_seconds(1_700_000_000);
        let span = Duration::from_secs(time.unsigned_abs());
        let time = if time < 0 { noon.before(span) } else { noon.after(span) };
        Moment::new(time, Duration::from_secs(100) + Duration::from_millis(elapsed))
    }

    fn left(elapsed: u64, time: i64) -> u128 {
        Deadline::new(TIME_OUT, moment(0, 0)).left(moment(elapsed, time)).as_millis()
    }

    #[test]
    fn end_when_the_time_has_elapsed() {
        assert_eq!(left(0, 0), 25_000);
        assert_eq!(left(24_999, 24), 1);
        assert_eq!(left(24_999, 25), 1, "the time of day is cut to whole seconds");
        assert_eq!(left(25_000, 25), 0);
        assert_eq!(left(90_000, 90), 0);
    }

    #[test]
    fn are_not_put_off_by_a_clock_that_is_set_back() {
        assert_eq!(left(10_000, -3600), 15_000);
        assert_eq!(left(25_000, -3600), 0);
    }

    #[test]
    fn end_while_a_machine_sleeps() {
        // What has elapsed stands still; one second may be due to the cut of the time of day.
        assert_eq!(left(0, 1), 25_000);
        assert_eq!(left(0, 2), 23_000);
        assert_eq!(left(0, 25), 0);
        assert_eq!(left(0, 3600), 0);
    }

    /// A host that once, when it has read the clock, has another thread hold the agent's lock for a
    /// minute.
    struct Contended {
        world: World,
        store: MemoryStore,
        reads: Mutex<u32>,
        agent: Arc<OnceLock<Agent<Self, MemoryStore>>>,
    }

    impl Host for Contended {
        type Sending = <World as Host>::Sending;
        type Sleeping = <World as Host>::Sleeping;

        fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
            let leased = if let State::Refreshing(leased) = stored(&self.store) {
                leased.deadline()
            } else {
                Timestamp::from_unix_seconds(0)
            };
            assert!(self.world.now().time().after(time_out) <= leased);
            self.world.send(request, time_out)
        }

        fn sleep(&self, pause: Duration) -> Self::Sleeping {
            self.world.sleep(pause)
        }

        fn now(&self) -> Moment {
            let now = self.world.now();
            let is_last = {
                let mut reads = self.reads.lock().unwrap();
                *reads = reads.saturating_sub(1);
                *reads == 1
            };
            if is_last {
                let (locked, waiting) = mpsc::channel();
                let (world, agent) = (self.world.clone(), self.agent.get().unwrap().clone());
                std::thread::spawn(move || {
                    agent.with_state(|_| {
                        let _ = locked.send(());
                        world.pass(60);
                    });
                });
                // Where the clock is read under the lock, nobody else gets it.
                let _ = waiting.recv_timeout(Duration::from_millis(50));
            }
            now
        }
    }

    #[test]
    fn of_requests_come_before_the_end_of_the_lease_however_long_ago_the_clock_was_read() {
        for reads in 2..12 {
            let world = World::new();
            let store = world.store();
            let (reads, login, agent) = (Mutex::new(reads), store.login("login"), Arc::default());
            let host = Contended { world: world.clone(), store, reads, agent: Arc::clone(&agent) };
            let contended = Agent::open(world.client(), host, &mut seed(), login);
            assert!(agent.set(contended.clone()).is_ok());
            world.pass(LIFETIME);
            let contended = contended.with_patience(Duration::from_secs(600));
            assert_eq!(number(&run(&world, token(contended))), 1);
        }
    }

    #[test]
    fn of_no_time_at_all_are_over() {
        assert!(Deadline::new(Duration::ZERO, moment(0, 0)).left(moment(0, 0)).is_zero());
    }
}

mod changes {
    use super::*;

    /// Has a watcher listen while something happens.
    fn heard<S: Store + 'static>(
        world: &World,
        agent: &Agent<World, S>,
        happens: impl Future<Output = ()> + 'static,
    ) -> Vec<Change> {
        let mut changes = agent.changes();
        let mut executor = Executor::new(world.clone());
        let list = Rc::new(core::cell::RefCell::new(Vec::new()));
        let log = Rc::clone(&list);
        executor.spawn(async move {
            loop {
                let change = changes.next().await;
                log.borrow_mut().push(change);
            }
        });
        executor.settle();
        let done = executor.spawn(happens);
        while done.borrow().is_none() {
            executor.settle();
            assert!(done.borrow().is_some() || world.pass_to_next(), "nothing happens");
        }
        executor.settle();
        list.take()
    }

    #[test]
    fn tell_of_new_tokens_and_of_the_end() {
        let world = World::new();
        let agent = world.agent();
        let first = run(&world, token(agent.clone())).unwrap().generation();
        let happens = {
            let agent = agent.clone();
            async move {
                agent.refresh().await.unwrap();
                pause().await;
                agent.refresh().await.unwrap();
                pause().await;
                agent.sign_out().await.unwrap();
            }
        };
        let changes = heard(&world, &agent, happens);
        let generations: Vec<_> = changes
            .iter()
            .filter_map(|change| {
                if let Change::Tokens(generation) = change {
                    Some(generation.number())
                } else {
                    None
                }
            })
            .collect();
        let next = first.number() + 1;
        assert_eq!(generations, [next, next + 1]);
        assert_eq!(changes.last(), Some(&Change::Ended(Reason::SignedOut)));
        assert_eq!(changes.len(), 3);
    }

    #[test]
    fn tell_that_the_server_has_ended_the_login() {
        let (world, agent) = expired();
        world.fates([Fate::AnswerLost]);
        let asking = agent.clone();
        let changes = heard(&world, &agent, async move { drop(asking.token().await) });
        assert_eq!(changes.last(), Some(&Change::Ended(Reason::AnswerLost)), "{changes:?}");
    }

    #[test]
    fn tell_that_a_token_which_nothing_renews_has_expired() {
        for reads_the_store in [false, true] {
            let world = World::new();
            let store = MemoryStore::new();
            let login = world.login_with("");
            assert!(
                block_on(store.swap("login", None, Some(Record::of(&login.into()).unwrap())))
                    .is_ok()
            );
            let agent = world.open(store);
            // What was read within this second is not read again.
            world.pass(LIFETIME - u64::from(reads_the_store));
            let (settling, asking) = (agent.clone(), agent.clone());
            run(&world, async move { settling.settle().await }).unwrap();
            world.pass(u64::from(reads_the_store));
            let changes = heard(&world, &agent, async move {
                assert_eq!(ended(&asking.token().await), Some(&Reason::TokenExpired));
            });
            assert_eq!(changes, [Change::Ended(Reason::TokenExpired)]);
        }
    }
}

mod attaching {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn is_for_the_named_origins_only() {
        let world = World::new();
        let agent = world.agent();
        let named = Origins::new(["https://api.example", "http://127.0.0.1:8080"]).unwrap();
        for (uri, allowed) in [
            ("https://api.example/me", true),
            ("https://API.example:443/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://api.example/me", false),
            ("https://api.example:8443/me", false),
            ("https://api.example:99999/me", false),
            ("https://api.example.evil.example/me", false),
            ("https://evil.example/?https://api.example", false),
            ("http://127.0.0.1:8081/", false),
            ("/me", false),
        ] {
            let agent = agent.clone();
            assert_eq!(named.contain(&uri.parse().unwrap()), allowed, "{uri}");
            let mut request = request(uri);
            let attached = block_on(agent.attach(&mut request));
            assert_eq!(attached, Err(Misuse::Origin.into()), "no origin is named: {uri}");
            assert!(request.headers().is_empty());
        }
        let agent = world.agent().with_origins(named);
        let mut request = request("https://api.example/me");
        assert!(block_on(agent.attach(&mut request)).is_ok());
        assert_eq!(request.headers()["authorization"], "Bearer access-0");
        assert!(request.headers()["authorization"].is_sensitive());
    }

    #[test]
    fn a_refusal_is_worth_a_retry_where_it_asks_for_another_token() {
        let world = World::new();
        let agent = world.agent();
        let token = run(&world, token(agent.clone())).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("www-authenticate", HeaderValue::from_static("Basic realm=\"x\""));
        let retry = |status, headers: &_| agent.should_retry(token.generation(), status, headers);
        world.pass(OLD_ENOUGH);
        assert!(!retry(StatusCode::UNAUTHORIZED, &headers));
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        headers.append("www-authenticate", challenge);
        assert!(!retry(StatusCode::FORBIDDEN, &headers));
        assert!(retry(StatusCode::UNAUTHORIZED, &headers));
    }
}

mod executors {
    use super::*;

    type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    /// What a library writes that is generic over its users' hosts and stores.
    fn boxed<H, S>(agent: Agent<H, S>) -> Boxed<Asked>
    where
        H: Host<Sending: Send, Sleeping: Send> + Send + Sync + 'static,
        S: Store<Loading: Send, Swapping: Send> + Send + Sync + 'static,
    {
        Box::pin(async move {
            agent.settle().await?;
            agent.refresh().await?;
            let mut request = Request::new(());
            drop(agent.attach(&mut request).await);
            agent.token().await
        })
    }

    fn boxed_changes<H, S>(agent: Agent<H, S>) -> Boxed<Change>
    where
        H: Host<Sending: Send, Sleeping: Send> + Send + Sync + 'static,
        S: Store<Loading: Send, Swapping: Send> + Send + Sync + 'static,
    {
        Box::pin(async move { agent.changes().next().await })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_boxed_future_over_any_host_is_send() {
        let world = World::new();
        let agent = world.open(Faulty::new(world.store()));
        let change = tokio::spawn(boxed_changes(agent.clone()));
        assert_eq!(number(&tokio::spawn(boxed(agent)).await.unwrap()), 1);
        assert!(matches!(change.await.unwrap(), Change::Tokens(_)));
    }

    /// A host that stays on its thread, as in a browser.
    #[derive(Clone)]
    struct Local(Rc<World>);

    impl Host for Local {
        type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>>>>;
        type Sleeping = Pin<Box<dyn Future<Output = ()>>>;

        fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
            let host = Rc::clone(&self.0);
            Box::pin(async move { host.send(request, time_out).await })
        }

        fn sleep(&self, pause: Duration) -> Self::Sleeping {
            let host = Rc::clone(&self.0);
            Box::pin(async move { host.sleep(pause).await })
        }

        fn now(&self) -> Moment {
            self.0.now()
        }
    }

    fn local() -> (World, Agent<Local>) {
        let world = World::new();
        let mut seed = Seed::new(&mut rand::rng()).unwrap();
        let host = Local(Rc::new(world.clone()));
        let agent = Agent::new(world.client(), host, &mut seed, world.login()).unwrap();
        world.pass(LIFETIME);
        world.fates([Fate::Unavailable]);
        (world, agent)
    }

    #[test]
    fn a_host_that_is_not_send_works() {
        let (world, agent) = local();
        let mut executor = Executor::new(world.clone());
        let callers: Vec<_> = (0..CALLERS).map(|_| executor.spawn(token(agent.clone()))).collect();
        executor.run();
        assert!(callers.iter().all(|caller| number(&take(caller)) == 1));
        assert_eq!(world.requests(), 2);
    }

    #[test]
    fn a_host_that_is_not_send_works_under_smol_and_tokio() {
        let (world, agent) = local();
        let local = smol::LocalExecutor::new();
        let callers: Vec<_> = (0..CALLERS).map(|_| local.spawn(token(agent.clone()))).collect();
        let clock = world.clone();
        let ticking = local.spawn(async move {
            loop {
                clock.pass(1);
                smol::future::yield_now().await;
            }
        });
        let tokens = smol::block_on(local.run(all(callers)));
        assert!(tokens.iter().all(|token| number(token) == 1));
        drop(ticking);

        let (world, agent) = self::local();
        let tokens = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(
            tokio::task::LocalSet::new().run_until(async move {
                let callers: Vec<_> =
                    (0..CALLERS).map(|_| tokio::task::spawn_local(token(agent.clone()))).collect();
                tokio::task::spawn_local(async move {
                    loop {
                        world.pass(1);
                        tokio::task::yield_now().await;
                    }
                });
                all(callers).await
            }),
        );
        assert!(tokens.into_iter().all(|token| number(&token.unwrap()) == 1));
    }
}

#[test]
fn two_agents_whose_callers_come_and_go_never_use_a_refresh_token_twice() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World::new();
        let store = Faulty::new(world.store());
        let agents = [world.open(store.clone()), world.open(store.clone())];
        let mut executor = Executor::shuffled(world.clone(), seed);
        let mut callers = 0;
        for _ in 0..60 {
            let agent = agents.get(random.random_range(0..2)).unwrap().clone();
            match random.random_range(0..10) {
                0..=3 => {
                    executor.spawn(token(agent));
                    callers += 1;
                }
                4 => {
                    executor.spawn(async move { agent.refresh().await });
                    callers += 1;
                }
                5 if callers > 0 => executor.cancel(random.random_range(0..callers)),
                6 if callers > 0 => executor.poll(random.random_range(0..callers)),
                7 => {
                    store.faults([Fault::None, Fault::Fails, Fault::FailsLate]);
                    world.fates([Fate::Unsent, Fate::Unavailable]);
                }
                8 => {
                    if let Ok(token) = &run(&world, token(agent.clone())) {
                        let _ = agent.challenged(token.generation(), &invalid_token());
                    }
                }
                _ => {
                    // What is on its way arrives before its lease is over, as it does with a host
                    // that keeps to the deadline by itself.
                    for agent in &agents {
                        let agent = agent.clone();
                        executor.spawn(async move { agent.settle().await });
                        callers += 1;
                    }
                    executor.settle();
                    world.pass(random.random_range(1..1000));
                }
            }
        }
        executor.run();
        assert!(!world.theft(), "seed {seed}");
        for agent in agents {
            world.pass(LIFETIME);
            // Whatever still goes wrong has an end.
            let recovered = (0..120).any(|_| {
                let asked = run(&world, token(agent.clone()));
                world.pass(60);
                assert!(!asked.as_ref().is_err_and(|error| !error.is_retryable()), "{asked:?}");
                asked.is_ok()
            });
            assert!(recovered, "seed {seed}");
        }
        assert!(!world.theft(), "seed {seed}");
    }
}

/// Polls a future so many times at most, and drops it then.
async fn impatient<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = core::pin::pin!(future);
    let mut left = polls;
    core::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn many_threads_with_callers_that_come_and_go_lose_neither_wake_ups_nor_tokens() {
    const TASKS: u64 = 64;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    runtime.block_on(async move {
        let world = World::new();
        let store = Faulty::new(world.store());
        let agent = world.open(store).with_patience(Duration::MAX);
        let clock = world.clone();
        let ticking = tokio::spawn(async move {
            for second in 1_u32.. {
                clock.pass(1);
                if second.is_multiple_of(2000) {
                    clock.fates([Fate::Unsent, Fate::Unavailable]);
                }
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let tasks = (0..TASKS).map(|nth| {
            let agent = agent.clone();
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(nth));
            tokio::spawn(async move {
                for _ in 0..1000 {
                    let polls = random.random_range(0..12);
                    let asked = match random.random_range(0..20) {
                        0 => impatient(polls, agent.refresh()).await,
                        1..=9 => impatient(polls, agent.token()).await,
                        _ => Some(agent.token().await),
                    };
                    if let Some(Err(error)) = &asked {
                        assert!(error.is_retryable(), "{error}");
                    }
                    if let Some(Ok(token)) = asked
                        && random.random_range(0..100) == 0
                    {
                        let _ = agent.challenged(token.generation(), &invalid_token());
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let finished = tokio::time::timeout(Duration::from_secs(120), all(tasks)).await;
        for task in finished.expect("a wake-up was lost") {
            task.unwrap();
        }
        ticking.abort();
        assert!(!world.theft(), "a refresh token was used twice");
        println!("{} requests in {} seconds of that world", world.requests(), world.seconds());
    });
}

mod a_device_login {
    use super::*;

    /// Asks again and again until there is a token, as a program does that shows the codes.
    async fn until_token<S: Store>(agent: Agent<World, S>) -> Asked {
        loop {
            match agent.token().await {
                Err(error) if error.is_retryable() => {}
                asked => return asked,
            }
        }
    }

    #[test]
    fn is_driven_to_its_token() {
        let world = World::new();
        let login = world.device_login();
        let agent = Agent::new(world.client(), world.clone(), &mut seed(), login).unwrap();
        assert_eq!(number(&run(&world, until_token(agent.clone()))), 0);
        assert_eq!(world.polls(), [5, 10, 15, 20], "nobody polls faster than the interval");
        // From there on it is a login like any other.
        world.pass(LIFETIME);
        assert_eq!(number(&run(&world, token(agent))), 1);
    }

    #[test]
    fn is_polled_once_for_all_callers() {
        for order in 0..10 {
            let world = World::new();
            let login = world.device_login();
            let agent = Agent::new(world.client(), world.clone(), &mut seed(), login).unwrap();
            let mut executor = Executor::shuffled(world.clone(), order);
            let outcomes: Vec<_> =
                (0..20).map(|_| executor.spawn(until_token(agent.clone()))).collect();
            executor.run();
            assert!(outcomes.iter().all(|outcome| number(&take(outcome)) == 0));
            assert_eq!(world.polls(), [5, 10, 15, 20]);
        }
    }

    #[test]
    fn is_driven_by_whichever_process_lives() {
        let world = World::new();
        let store = MemoryStore::new();
        let first = world.open(store.clone());
        let login = world.device_login();
        assert!(block_on(first.log_in(login)).is_ok());
        let second = world.open(store);
        // The first one polls once, and is gone.
        world.pass(5);
        let mut executor = Executor::new(world.clone());
        let asked = executor.spawn(until_token(first.clone()));
        executor.settle();
        assert_eq!(world.polls(), [5]);
        executor.cancel(0);
        drop((asked, first));
        assert_eq!(number(&run(&world, until_token(second))), 0);
        assert!(world.polls().windows(2).all(|pair| pair[1] - pair[0] >= 5), "{:?}", world.polls());
    }

    #[test]
    fn that_is_refused_needs_a_person() {
        let world = World::new();
        let login = world.device_login();
        let agent = Agent::new(world.client(), world.clone(), &mut seed(), login).unwrap();
        // The codes expire while nobody asks.
        world.pass(600);
        let asked = run(&world, token(agent));
        assert_eq!(ended(&asked), Some(&Reason::Deadline));
        assert!(world.polls().is_empty());
    }
}

mod tokens_for_resources {
    use super::*;

    const CALENDAR: &str = "https://cal.example/";
    const CONTACTS: &str = "https://contacts.example/";

    async fn token_for(agent: Agent<World>, resource: &'static str) -> Asked {
        agent.token_for(resource).await
    }

    #[test]
    fn share_one_refresh_token() {
        let world = World::new();
        let agent = world.agent();
        let calendar = run(&world, token_for(agent.clone(), CALENDAR));
        let contacts = run(&world, token_for(agent.clone(), CONTACTS));
        let own = run(&world, token(agent.clone()));
        assert_eq!((number(&calendar), number(&contacts), number(&own)), (1, 2, 0));
        assert!(!world.theft(), "each refresh has shown the refresh token of the one before");
        assert_eq!(world.resources(), [Some(CALENDAR.into()), Some(CONTACTS.into())]);
        // They are held.
        assert_eq!(number(&run(&world, token_for(agent, CALENDAR))), 1);
        assert_eq!(world.requests(), 2);
    }

    #[test]
    fn are_asked_for_once_each_by_any_number_of_callers_at_once() {
        for order in 0..10 {
            let world = World::new();
            let agent = world.agent();
            let mut executor = Executor::shuffled(world.clone(), order);
            let resources = [CALENDAR, CONTACTS].into_iter().cycle().take(20);
            let outcomes: Vec<_> = resources
                .map(|resource| executor.spawn(token_for(agent.clone(), resource)))
                .collect();
            executor.run();
            assert!(outcomes.iter().all(|outcome| take(outcome).is_ok()));
            assert_eq!(world.requests(), 2);
            assert!(!world.theft());
        }
    }

    #[test]
    fn are_refreshed_and_rejected_one_by_one() {
        let world = World::new();
        let agent = world.agent();
        let calendar = run(&world, token_for(agent.clone(), CALENDAR)).unwrap();
        reject(&world, &agent, &calendar);
        assert_eq!(number(&run(&world, token(agent.clone()))), 0, "the login's own is good");
        assert_eq!(number(&run(&world, token_for(agent, CALENDAR))), 2);
    }

    #[test]
    fn are_refused_for_what_is_no_absolute_uri() {
        let world = World::new();
        let asked = run(&world, token_for(world.agent(), "cal"));
        assert!(matches!(asked, Err(Error::Misuse(Misuse::Url("resource", _)))), "{asked:?}");
        assert_eq!(world.requests(), 0);
    }
}
