//! What people rely on in requests-oauthlib, row by row, and its defects, which are not here.
//!
//! The table is `docs/requests_oauthlib.md`. A comment above each test says which of its rows it
//! is for; the tests in this file see to it that page and tests agree.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[cfg(feature = "agent")]
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../agent_support/mod.rs"]
mod agent_support;
mod authorization_url;
mod callback;
mod errors;
mod hooks;
mod refresh;
mod resource;
mod session;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
mod token_answer;
mod token_request;

use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../docs/requests_oauthlib.md");

const SOURCES: [(&str, &str); 9] = [
    ("session", include_str!("session.rs")),
    ("authorization_url", include_str!("authorization_url.rs")),
    ("callback", include_str!("callback.rs")),
    ("token_request", include_str!("token_request.rs")),
    ("token_answer", include_str!("token_answer.rs")),
    ("errors", include_str!("errors.rs")),
    ("refresh", include_str!("refresh.rs")),
    ("resource", include_str!("resource.rs")),
    ("hooks", include_str!("hooks.rs")),
];

/// Whether this is the name of a row: `27`, `44a`, `E3`, `H10`.
fn is_row(id: &str) -> bool {
    let number = id.strip_prefix(['E', 'H']).unwrap_or(id);
    let number = number.strip_suffix(['a', 'b', 'c', 'd', 'e', 'f']).unwrap_or(number);
    number.parse::<u32>().is_ok()
}

/// The cells of each row of the page's tables, by the name of the row.
fn rows() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut rows = BTreeMap::new();
    for line in PAGE.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let id = *cells.first().expect("a split text has a first part");
        if is_row(id) {
            assert_eq!(cells.len(), 4, "{line}");
            assert!(rows.insert(id, cells).is_none(), "row {id} is there twice");
        }
    }
    rows
}

/// The tests for each row, by the comments above them.
fn tests() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut tests = BTreeMap::<_, BTreeSet<_>>::new();
    for (module, source) in SOURCES {
        let mut due = Vec::new();
        for line in source.lines() {
            if let Some(comment) = line.strip_prefix("// ") {
                let ids = comment.split(", ").map(|id| id.strip_prefix("Row ").unwrap_or(id));
                due = ids.collect();
                assert!(due.iter().all(|id| is_row(id)), "{module}: {line}");
            } else if let Some(function) = line.strip_prefix("fn ") {
                let name =
                    function.split(['(', '<']).next().expect("a split text has a first part");
                for id in due.drain(..) {
                    tests.entry(id).or_default().insert(format!("{module}::{name}"));
                }
            }
        }
    }
    tests
}

#[test]
fn the_page_has_every_row_every_exception_and_every_hook() {
    let rows = rows();
    let expected: BTreeSet<String> = (1..=76)
        .map(|number| number.to_string())
        .chain(('a'..='f').map(|letter| format!("44{letter}")))
        .chain((1..=25).map(|number| format!("E{number}")))
        .chain((1..=17).map(|number| format!("H{number}")))
        .collect();
    let present: BTreeSet<String> = rows.keys().map(ToString::to_string).collect();
    assert_eq!(present, expected);
}

#[test]
fn every_row_of_the_page_names_the_tests_that_are_written_for_it() {
    let mut named = BTreeMap::new();
    for (id, cells) in rows() {
        let tests: BTreeSet<String> =
            cells[3].split(", ").map(|test| test.trim_matches('`').to_owned()).collect();
        named.insert(id, tests);
    }
    assert_eq!(named, tests());
}

#[test]
fn the_page_counts_its_rows() {
    let mut counts = BTreeMap::<_, usize>::new();
    let rows = rows();
    for cells in rows.values() {
        let verdict = cells[2].split("**").nth(1).expect("a verdict in bold letters");
        *counts.entry(verdict).or_default() += 1;
    }
    let verdicts = ["same", "better", "bug: absent", "not carried over"];
    let [same, better, absent, left] = verdicts.map(|it| counts.remove(it).unwrap_or_default());
    assert!(counts.is_empty(), "{counts:?}");
    let sentence = format!(
        "Of these {} rows, {same} are the same, {better} are better, {absent} bugs are absent, \
         and {left} are not carried over",
        rows.len()
    );
    assert!(PAGE.contains(&sentence), "the page should say: {sentence}");
}
