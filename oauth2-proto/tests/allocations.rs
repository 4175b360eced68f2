//! What each transition asks of the allocator: new blocks and reallocations of blocks. Unlike time
//! these counts are exact, so they are asserted; `docs/performance.md` says where they come from.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::alloc::System;
use std::sync::Arc;

use http::Request;
use oauth2_proto::{Authorized, Callback, Session, Step};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{
    NOW, REDIRECT_URI, SCOPE, TOKENS, after, answer, authorized, client, code, pending, redeem,
    refreshing, rng,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test of this program: the allocator counts for all threads.
#[test]
fn each_transition_allocates_what_it_keeps_and_sends() {
    let client = Arc::new(client().with_secret("7Fjfp0ZBr1KtDRbnfVdmIw"));
    let tokens = answer(200, TOKENS);
    let with_extras =
        answer(200, r#"{"access_token":"a","token_type":"Bearer","id_token":"b","x":1,"y":"z"}"#);
    let (pending, query) = pending(&client);
    let request = || {
        let mut request = Request::get("https://api.example/").body(()).unwrap();
        request.headers_mut().reserve(1);
        request
    };
    let attached = |authorized: &Authorized, mut request: Request<()>| {
        authorized.attach(&client, &mut request, NOW).unwrap();
        request
    };
    let held = authorized(&client, TOKENS);
    let session = || Session::new(Arc::clone(&client), authorized(&client, TOKENS)).unwrap();

    // The URL, which grows twice; scope and redirect URI for later.
    let begin = |()| client.authorize(REDIRECT_URI).scope(SCOPE).begin(&mut rng(), NOW).unwrap();
    assert_eq!(allocations(|| (), begin), 5, "begin");

    // The code, and what the pending login keeps for other callbacks: redirect URI and scope.
    let accept = |()| pending.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!(allocations(|| (), accept), 3, "accept");

    // The form, and two for the map of header fields.
    let code = || code(&client);
    assert_eq!(allocations(code, |code| code.redeem(&client, NOW).unwrap()), 3, "redeem");

    // Two for the header field of the access token, the refresh token, the scope asked for.
    let awaiting = || redeem(&client).1;
    let receive = |response| {
        allocations(awaiting, |awaiting| awaiting.receive(&client, response, NOW).unwrap())
    };
    assert_eq!(receive(&tokens), 4, "receive, after a code");

    // The ID token instead of the refresh token; the list and the text of the extras.
    assert_eq!(receive(&with_extras), 6, "receive, with extras");

    // As for a code.
    let authorized = || authorized(&client, TOKENS);
    let refresh = |held: Authorized| held.refresh(&client, NOW).unwrap();
    assert_eq!(allocations(authorized, refresh), 3, "refresh");

    // The header field again and the refresh token; the scopes move over.
    let refreshing = || refreshing(&client).1;
    let received = allocations(refreshing, |state| state.receive(&client, &tokens, NOW).unwrap());
    assert_eq!(received, 3, "receive, after a refresh");

    assert_eq!(allocations(request, |request| attached(&held, request)), 0, "attach");

    let used = allocations(session, |mut session| {
        assert!(matches!(session.step(NOW), Step::Use(_)));
        session
    });
    assert_eq!(used, 0, "a step that says: use the token");

    let waited = allocations(
        || {
            let mut session = session();
            assert!(matches!(session.step(after(3590)), Step::Send(_, _)));
            session
        },
        |mut session| {
            assert!(matches!(session.step(after(3595)), Step::Use(_)));
            assert!(matches!(session.step(after(3601)), Step::Wait(_)));
            session
        },
    );
    assert_eq!(waited, 0, "steps while an answer is awaited");
}

/// How often `act` calls the allocator for memory. It gives back what it made, so that dropping that
/// is not part of it. The least of some runs: the threads of the test harness may allocate, too.
fn allocations<S, T>(prepare: impl Fn() -> S, act: impl Fn(S) -> T) -> usize {
    let run = |_| {
        let state = prepare();
        let region = Region::new(ALLOCATOR);
        let made = act(state);
        let change = region.change();
        drop(made);
        change.allocations + change.reallocations
    };
    (0..5).map(run).min().unwrap_or_default()
}
