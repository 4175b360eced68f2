//! The canaries themselves, and the names that the guide lists.

use super::*;

#[test]
fn a_leak_would_be_found() {
    struct Bytes(&'static str);
    impl core::fmt::Debug for Bytes {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.debug_tuple("Bytes").field(&self.0.as_bytes()).finish()
        }
    }
    let (bytes, token) = (Bytes(ACCESS_TOKEN), ACCESS_TOKEN);
    let leaks: [&dyn Fn(); 10] = [
        &|| info!("{token}"),
        &|| info!(token, "a field"),
        &|| info!(%token, "a field's Display"),
        &|| info!(?token, "a field's Debug"),
        &|| info!(?bytes, "bytes"),
        &|| info!(url = format!("https://as.example/?t={}", &token[3..]), "a part"),
        &|| info!(basic = STANDARD.encode(format!("id:{token}")), "base64"),
        &|| drop(info_span!("a span", token)),
        &|| {
            let span = info_span!("a span", later = tracing::field::Empty);
            span.record("later", token);
        },
        &|| info!(target: "aCcEsStOkEnNoCaNaRyMaYsInG02", "the target"),
    ];
    for (nth, leak) in leaks.iter().enumerate() {
        let recorder = Recorder::default();
        recorder.during(leak);
        assert!(recorder.leak([token]).is_some(), "leak {nth} is not found: {recorder}");
    }
    let recorder = Recorder::default();
    recorder.during(|| info!(token = "aCcEsS", "nothing but a few letters"));
    assert_eq!(recorder.leak([token]), None);
}

#[test]
fn what_must_not_be_told_is_on_board() {
    let mut life = Life::new();
    let (store, agent) = life.stored();
    let (_, record) = life.world.run(store.load(KEY)).unwrap().unwrap();
    let stored = String::from_utf8_lossy(record.as_bytes()).into_owned();
    life.world.run(agent.refresh()).unwrap();
    for canary in [ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN, EXTRA] {
        assert!(stored.contains(canary), "{stored}");
    }
    assert!(life.world.requests()[0].contains(REFRESH_TOKEN));
    assert_eq!(life.secrets.len(), 2);
    assert!(life.secrets.iter().all(|secret| secret.len() >= 43));
}

/// The names of the tables in `docs/tracing.md`, with their fields.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let quoted = |cell: &str| {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let rows = include_str!("../../docs/tracing.md").lines().filter(|line| line.contains(TARGET));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, _, name, _, fields, ..] = &*cells else { return None };
        Some((name.trim_matches('`').to_owned(), quoted(fields)))
    })
    .collect()
}

#[test]
fn every_name_is_documented() {
    let documented = documented();
    assert!(documented.len() > 20, "{documented:#?}");
    let source = include_str!("../../src/agent/trace/on.rs");
    for name in documented.keys() {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is in the documentation only");
    }
    // Each message and span of the source.
    let literals = source.split('"').skip(1).step_by(2);
    for literal in literals.filter(|it| it.contains(' ')) {
        assert!(documented.contains_key(literal), "{literal} is not documented");
    }
}

/// Events and spans with the fields that they really have.
#[track_caller]
pub(super) fn assert_documented(recorder: &Recorder) {
    let documented = documented();
    for (name, fields) in recorder.names(TARGET) {
        let listed = documented.get(&name).expect(&name);
        assert!(fields.is_subset(listed), "{name} has {fields:?}, and {listed:?} are documented");
    }
}
