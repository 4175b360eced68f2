//! The change hook: told once of every change, in order, and harmless whatever it does.
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

mod small_world;

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Wake;

use http::HeaderValue;
use oauth2_proto::agent::{Agent, Change, Logins, Record, Store};
use oauth2_proto::{Challenge, Reason, State};
use small_world::{Fate, Fault, Faulty, KEY, LIFETIME, World, number, poll_once, seed};

/// What a hook was told: tokens by their number, ends by their reason.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn by<S: Store>(&self, agent: Agent<World, S>) -> Agent<World, S> {
        let told = self.clone();
        agent.with_change_hook(move |_, state| told.note(state))
    }

    fn note(&self, state: &State) {
        let text = match state {
            State::Unauthorized(state) => format!("{:?}", state.reason()),
            State::Authorized(state) => {
                let token = state.token(state.expires_at().unwrap().before(LIFETIME)).unwrap();
                token.generation().number().to_string()
            }
            State::Authorizing(_) | State::Refreshing(_) => panic!("no change: {state:?}"),
        };
        self.0.lock().unwrap().push(text);
    }

    #[track_caller]
    fn assert(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expected);
    }
}

fn refuses(error: &str) -> Fate {
    Fate::Says(400, format!(r#"{{"error":"{error}"}}"#))
}

/// A store with a login in it, and an agent that has loaded it.
fn stored(world: &World, told: &Told) -> (Faulty, Agent<World, Faulty>) {
    let store = world.store();
    store.put(Some(&world.login(1).0.into()));
    let agent = told.by(world.open(&store, 1));
    assert_eq!(number(&world.run(agent.token())), 1);
    (store, agent)
}

// When it is told

#[test]
fn what_an_agent_begins_with_is_no_change() {
    let (world, told) = (World::new(), Told::default());
    let agent = told.by(world.agent());
    world.run(agent.token()).unwrap();
    world.run(agent.settle()).unwrap();
    told.assert(&[]);
    assert!(poll_once(pin!(agent.changes().next())).is_pending());
}

#[test]
fn what_is_loaded_first_is_no_change() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    told.assert(&[]);
    // Nor is the same, read again.
    world.pass(LIFETIME / 2);
    store.put(Some(&store.state()));
    world.run(agent.sign_out()).unwrap();
    told.assert(&["SignedOut"]);
}

#[test]
fn each_refresh_is_told_once() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    for refresh in 2..5 {
        world.pass(LIFETIME);
        assert_eq!(number(&world.run(agent.token())), refresh);
    }
    world.run(agent.refresh()).unwrap();
    world.run(agent.settle()).unwrap();
    told.assert(&["2", "3", "4", "5"]);
    assert!(matches!(store.state(), State::Authorized(_)));
}

#[test]
fn a_token_for_a_resource_is_told() {
    let (world, told) = (World::new(), Told::default());
    let (_, agent) = stored(&world, &told);
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    // The first hook stays.
    let agent = agent.with_change_hook(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    world.run(agent.token_for("https://api.example/")).unwrap();
    assert_eq!(told.0.lock().unwrap().len(), 1);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[test]
fn first_tokens_are_told_however_they_come() {
    // A service asks for them.
    let (world, told) = (World::new(), Told::default());
    let agent = Agent::new(world.client(), world.clone(), &mut seed(1), world.service(1)).unwrap();
    let agent = told.by(agent);
    world.run(agent.token()).unwrap();
    told.assert(&["1"]);

    // A person allows them, on another device; nothing is told of the time before.
    let told = Told::default();
    let agent = Agent::new(world.client(), world.clone(), &mut seed(1), world.device(1)).unwrap();
    let agent = told.by(agent);
    world.fates([refuses("authorization_pending"), refuses("slow_down")]);
    world.run(agent.token()).unwrap();
    told.assert(&["1"]);

    // The program hands them in.
    let (store, told) = (world.store(), Told::default());
    let agent = told.by(world.open(&store, 1));
    world.run(agent.log_in(world.login(1).0)).unwrap();
    told.assert(&["1"]);
    world.run(agent.log_in(world.login(2).0)).unwrap();
    told.assert(&["1", "1"]);

    // Another process stores them.
    let (store, told) = (world.store(), Told::default());
    let agent = told.by(world.open(&store, 1));
    world.run(agent.token()).unwrap_err();
    store.put(Some(&world.login(1).0.into()));
    world.pass(Duration::from_secs(2));
    world.run(agent.token()).unwrap();
    told.assert(&["1"]);
}

#[test]
fn a_device_login_that_fails_is_told_even_after_another_that_failed_in_the_same_way() {
    let (world, told) = (World::new(), Told::default());
    let agent = told.by(world.open(&world.store(), 1));
    for attempt in 1..3 {
        world.run(agent.log_in(world.device(attempt))).unwrap();
        world.fates([refuses("access_denied")]);
        world.run(agent.token()).unwrap_err();
    }
    told.assert(&[r#"Denied("access_denied")"#, r#"Denied("access_denied")"#]);
}

#[test]
fn a_service_that_is_refused_again_and_again_is_told_of_it_once() {
    let (world, told) = (World::new(), Told::default());
    let agent = Agent::new(world.client(), world.clone(), &mut seed(1), world.service(1)).unwrap();
    let agent = told.by(agent);
    world.fates([(); 3].map(|()| refuses("unauthorized_client")));
    for _ in 0..3 {
        world.run(agent.token()).unwrap_err();
        world.pass(LIFETIME);
    }
    world.run(agent.token()).unwrap();
    told.assert(&[r#"Denied("unauthorized_client")"#, "1"]);
}

#[test]
fn what_another_process_has_stored_is_told_once() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    world.pass(LIFETIME);
    let other = world.open(&store, 2);
    assert_eq!(number(&world.run(other.token())), 2);
    assert_eq!(number(&world.run(agent.token())), 2);
    assert_eq!(number(&world.run(agent.token())), 2);
    told.assert(&["2"]);

    world.run(other.sign_out()).unwrap();
    world.pass(LIFETIME);
    world.run(agent.token()).unwrap_err();
    told.assert(&["2", "SignedOut"]);
}

#[test]
fn a_late_success_is_told_once_although_another_process_has_taken_the_lease_over() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    world.pass(LIFETIME);
    world.fates([Fate::Held]);
    world.fates([(); 9].map(|()| Fate::Unanswered));
    let mut first = Box::pin(agent.token());
    while world.requests().is_empty() {
        assert!(poll_once(first.as_mut()).is_pending());
    }
    // Its lease ends; another one asks in its place, and hears nothing.
    let other = world.open(&store, 2).with_patience(Duration::from_secs(38));
    world.run(other.token()).unwrap_err();
    assert!(world.requests().len() > 1);
    assert!(matches!(store.state(), State::Refreshing(_)));
    world.release();
    assert_eq!(number(&world.run(first)), 2);
    world.run(agent.settle()).unwrap();
    told.assert(&["2"]);
    assert!(matches!(store.state(), State::Authorized(_)));
}

#[test]
fn the_end_of_a_login_is_told_once() {
    let (world, told) = (World::new(), Told::default());
    let (_, agent) = stored(&world, &told);
    world.pass(LIFETIME);
    world.fates([refuses("invalid_grant")]);
    for _ in 0..3 {
        world.run(agent.token()).unwrap_err();
        world.pass(LIFETIME);
    }
    told.assert(&[r#"Denied("invalid_grant")"#]);
}

#[test]
fn signing_out_is_told_once_whatever_the_store_does() {
    for fault in [None, Some(Fault::Nothing), Some(Fault::Silent), Some(Fault::Hangs)] {
        let (world, told) = (World::new(), Told::default());
        let (store, agent) = stored(&world, &told);
        // The store is read before.
        world.faults([None, fault]);
        world.run(agent.sign_out()).unwrap();
        world.run(agent.settle()).unwrap();
        told.assert(&["SignedOut"]);
        assert!(matches!(store.state(), State::Unauthorized(_)));
    }
}

#[test]
fn a_login_that_somebody_deleted_is_told_as_one_that_has_not_started() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    let id = agent.with_state(|state| state.unwrap().login());
    let deleted = Arc::new(Mutex::new(None));
    let (log, same) = (Arc::clone(&deleted), store.clone());
    let watcher = world.open(&store, 3).with_change_hook(move |_, state| {
        *log.lock().unwrap() = Some(state.login());
    });
    world.run(watcher.token()).unwrap();
    let mut changes = agent.changes();
    same.put(None);
    world.pass(LIFETIME);
    for agent in [&agent, &watcher] {
        world.run(agent.token()).unwrap_err();
        world.run(agent.token()).unwrap_err();
    }
    told.assert(&["NotStarted"]);
    assert_eq!(*deleted.lock().unwrap(), Some(id));
    assert_eq!(poll_once(pin!(changes.next())), Poll::Ready(Change::Ended(Reason::NotStarted)));
}

#[test]
fn what_cannot_be_read_is_not_told() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    let (version, _) = world.run(store.load(KEY)).unwrap().unwrap();
    let sealed = Record::new(&b"sealed"[..]);
    world.run(store.swap(KEY, Some(version), Some(sealed))).unwrap();
    world.pass(LIFETIME);
    world.run(agent.token()).unwrap_err();
    told.assert(&[]);
}

#[test]
fn a_challenge_is_no_change_and_what_it_causes_is() {
    let (world, told) = (World::new(), Told::default());
    let (_, agent) = stored(&world, &told);
    let generation = world.run(agent.token()).unwrap().generation();
    world.pass(Duration::from_secs(60));
    let mut headers = http::HeaderMap::new();
    let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
    headers.insert("www-authenticate", challenge);
    let _ = agent.challenged(generation, &Challenge::from_headers(&headers)[0]);
    told.assert(&[]);
    assert_eq!(number(&world.run(agent.token())), 2);
    told.assert(&["2"]);
}

// What it is told, and how

#[test]
fn it_hears_the_key_of_each_login() {
    let world = World::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let logins = Logins::new(world.client(), world.clone(), seed(1), world.store())
        .with_change_hook(move |key, _| log.lock().unwrap().push(key.to_owned()));
    for key in ["alice", "bob"] {
        world.run(logins.login(key).log_in(world.login(1).0)).unwrap();
    }
    world.pass(LIFETIME);
    world.run(logins.login("bob").token()).unwrap();
    assert_eq!(*told.lock().unwrap(), ["alice", "bob", "bob"]);
}

#[test]
fn it_hears_of_new_tokens_before_the_caller_and_before_the_store() {
    let (world, told) = (World::new(), Told::default());
    let (store, agent) = stored(&world, &told);
    world.pass(LIFETIME);
    world.fates([Fate::Held]);
    let mut caller = Box::pin(agent.token());
    while world.requests().is_empty() {
        assert!(poll_once(caller.as_mut()).is_pending());
    }
    world.release();
    world.faults([Some(Fault::Hangs)]);
    assert!(matches!(poll_once(caller.as_mut()), Poll::Ready(Ok(_)) | Poll::Pending));
    told.assert(&["2"]);
    assert!(matches!(store.state(), State::Refreshing(_)));
}

#[test]
fn many_threads_hear_of_each_change_once_and_in_order() {
    let (world, told) = (World::new(), Told::default());
    let agent = told.by(world.agent());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    // The clocks stand still: no thread waits longer than another one works.
                    let mut refreshing = pin!(agent.refresh());
                    let token = loop {
                        match poll_once(refreshing.as_mut()) {
                            Poll::Ready(token) => break token,
                            Poll::Pending => std::thread::yield_now(),
                        }
                    };
                    token.unwrap();
                }
            });
        }
    });
    let told = told.0.lock().unwrap().clone();
    let expected: Vec<_> = (2..told.len() + 2).map(|number| number.to_string()).collect();
    assert_eq!(told, expected);
    assert!(told.len() >= 50, "{}", told.len());
}

/// Runs on a thread of its own; fails when that takes too long.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, waiting) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    if waiting.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it is stuck");
    }
    thread.join().unwrap();
}

#[test]
fn whoever_is_woken_finds_the_agent_unlocked() {
    /// Uses the agent when it is woken.
    struct Nosy(Agent<World>, AtomicUsize);

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            self.0.with_state(|_| ());
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    in_time(|| {
        let world = World::new();
        let agent = world.agent().with_change_hook(|_, _| ());
        let nosy = Arc::new(Nosy(agent.clone(), AtomicUsize::new(0)));
        let waker = Arc::clone(&nosy).into();
        let mut changes = agent.changes();
        let mut change = Box::pin(changes.next());
        assert!(change.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        world.run(agent.refresh()).unwrap();
        assert!(nosy.1.load(Ordering::SeqCst) > 0);
    });
}

#[test]
fn a_hook_that_panics_wedges_nobody_and_loses_nothing() {
    in_time(|| {
        let world = World::new();
        let store = world.store();
        store.put(Some(&world.login(1).0.into()));
        let panics = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&panics);
        let agent = world.open(&store, 1).with_change_hook(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("the hook panics, as it was told to");
        });
        world.run(agent.token()).unwrap();
        let mut changes = agent.changes();
        for refresh in 2..4 {
            world.pass(LIFETIME);
            world.fates([Fate::Held]);
            world.hold();
            let mut waiting = pin!(agent.token());
            assert!(poll_once(waiting.as_mut()).is_pending());
            world.release();
            assert_eq!(number(&world.run(agent.token())), refresh);
            assert_eq!(number(&world.run(waiting)), refresh);
            assert!(poll_once(pin!(changes.next())).is_ready());
            world.run(agent.settle()).unwrap();
            assert!(matches!(store.state(), State::Authorized(_)));
        }
        world.run(agent.sign_out()).unwrap();
        assert!(matches!(store.state(), State::Unauthorized(_)));
        assert_eq!(panics.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn an_exchange_that_panics_is_followed_by_one_that_is_told() {
    in_time(|| {
        let (world, told) = (World::new(), Told::default());
        let agent = told.by(world.agent());
        world.fates([Fate::Panics]);
        let refreshing = core::panic::AssertUnwindSafe(|| world.run(agent.refresh()));
        assert!(std::panic::catch_unwind(refreshing).is_err());
        world.pass(LIFETIME);
        assert_eq!(number(&world.run(agent.token())), 2);
        told.assert(&["2"]);
    });
}

#[test]
fn the_hook_of_a_login_may_use_the_agent_of_another() {
    in_time(|| {
        let world = World::new();
        let other = world.agent();
        let seen = other.clone();
        let agent = world.agent().with_change_hook(move |_, _| {
            assert!(seen.with_state(|state| state.is_some()));
        });
        world.run(agent.refresh()).unwrap();
    });
}
