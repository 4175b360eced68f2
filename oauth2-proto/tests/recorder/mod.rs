//! A subscriber that keeps every span, event and field, and canaries that must not be among them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]

use core::fmt::{self, Debug, Write};
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps everything. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Log>);

#[derive(Default)]
struct Log {
    names: AtomicU64,
    /// Spans by their id, and events.
    spans: Mutex<BTreeMap<u64, Entry>>,
    events: Mutex<Vec<Entry>>,
    entered: Mutex<Vec<(ThreadId, u64)>>,
}

/// A span or an event.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) level: Level,
    pub(crate) target: String,
    /// A span's name, or an event's message.
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The span that it is in.
    pub(crate) parent: Option<u64>,
    /// How often a span was entered.
    pub(crate) entered: usize,
    /// Every text that it consists of, in both of Rust's forms for people who debug.
    texts: Vec<String>,
}

impl Recorder {
    /// Runs something whose spans and events are kept.
    pub(crate) fn during<T>(&self, act: impl FnOnce() -> T) -> T {
        keep_callsites_alive();
        tracing::subscriber::with_default(self.clone(), act)
    }

    /// Keeps what this thread does from now on.
    pub(crate) fn start(&self) -> DefaultGuard {
        keep_callsites_alive();
        tracing::subscriber::set_default(self.clone())
    }

    pub(crate) fn spans(&self) -> Vec<Entry> {
        lock(&self.0.spans).values().cloned().collect()
    }

    pub(crate) fn span(&self, id: u64) -> Entry {
        lock(&self.0.spans).get(&id).expect("a span that there was").clone()
    }

    pub(crate) fn events(&self) -> Vec<Entry> {
        lock(&self.0.events).clone()
    }

    /// The events of these targets, each on a line.
    pub(crate) fn lines(&self, target: &str) -> Vec<String> {
        let events = self.events();
        events.iter().filter(|it| it.target.starts_with(target)).map(ToString::to_string).collect()
    }

    /// The only event with this message.
    #[track_caller]
    pub(crate) fn event(&self, message: &str) -> Entry {
        let events = self.events();
        let mut found = events.iter().filter(|event| event.name == message);
        match (found.next(), found.next()) {
            (Some(event), None) => event.clone(),
            (None, _) | (_, Some(_)) => panic!("{message} is not there once: {self}"),
        }
    }

    pub(crate) fn count(&self, message: &str) -> usize {
        self.events().iter().filter(|event| event.name == message).count()
    }

    /// Fails where a part of a canary is in any name, field or text, however it is spelled.
    #[track_caller]
    pub(crate) fn assert_silent<T: AsRef<str>>(&self, canaries: impl IntoIterator<Item = T>) {
        if let Some(leak) = self.leak(canaries) {
            panic!("{leak}\nof\n{self}");
        }
    }

    /// Where a canary is.
    pub(crate) fn leak<T: AsRef<str>>(
        &self,
        canaries: impl IntoIterator<Item = T>,
    ) -> Option<String> {
        let entries: Vec<_> = self.spans().into_iter().chain(self.events()).collect();
        assert!(!entries.is_empty(), "nothing was recorded");
        canaries.into_iter().flat_map(|canary| spellings(canary.as_ref())).find_map(|spelling| {
            let mut texts =
                entries.iter().flat_map(|entry| entry.texts.iter().map(move |it| (entry, it)));
            let (entry, _) = texts.find(|(_, text)| text.contains(&spelling))?;
            Some(format!("a canary sings as {spelling}: {entry}"))
        })
    }

    /// Every name that spans and events of these targets used, with the names of their fields.
    pub(crate) fn names(&self, target: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut names = BTreeMap::<_, BTreeSet<_>>::new();
        let entries = self.spans().into_iter().chain(self.events());
        for entry in entries.filter(|entry| entry.target.starts_with(target)) {
            names.entry(entry.name).or_default().extend(entry.fields.into_keys());
        }
        names
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.spans().iter().chain(&self.events()) {
            writeln!(f, "{} {entry}", entry.target)?;
        }
        Ok(())
    }
}

impl Entry {
    fn new(metadata: &'static Metadata<'static>, parent: Option<u64>) -> Self {
        let mut texts: Vec<_> = metadata.fields().iter().map(|it| it.name().to_owned()).collect();
        texts.extend([metadata.target().to_owned(), metadata.name().to_owned()]);
        Self {
            level: *metadata.level(),
            target: metadata.target().into(),
            name: metadata.name().into(),
            fields: BTreeMap::new(),
            parent,
            entered: 0,
            texts,
        }
    }

    /// A field's value, as text; empty without one.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.name)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        // A pretty-printed list of bytes has one byte per line.
        let pretty = format!("{value:#?}").split_whitespace().collect::<Vec<_>>().join(" ");
        self.texts.extend([text.clone(), pretty]);
        if field.name() == "message" {
            self.name = text;
        } else {
            self.fields.insert(field.name().into(), text);
        }
    }
}

impl Recorder {
    fn innermost(&self) -> Option<u64> {
        let here = thread::current().id();
        let entered = lock(&self.0.entered);
        entered.iter().rev().find(|(thread, _)| *thread == here).map(|(_, id)| *id)
    }

    fn parent(&self, contextual: bool, explicit: Option<&Id>) -> Option<u64> {
        explicit.map(Id::into_u64).or_else(|| self.innermost().filter(|_| contextual))
    }
}

/// Tests run at the same time, and each has a subscriber of its own. When the last of them went just as
/// another one came, an event could be missed: callsites remember that nobody is interested.
fn keep_callsites_alive() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Nobody).expect("there is no other"));
}

/// Hears nothing, for ever.
struct Nobody;

impl Subscriber for Nobody {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Subscriber for Recorder {
    // Other tests have subscribers of their own.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.names.fetch_add(1, Ordering::SeqCst) + 1;
        let parent = self.parent(span.is_contextual(), span.parent());
        let mut entry = Entry::new(span.metadata(), parent);
        span.record(&mut entry);
        lock(&self.0.spans).insert(id, entry);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(entry) = lock(&self.0.spans).get_mut(&span.into_u64()) {
            values.record(entry);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let parent = self.parent(event.is_contextual(), event.parent());
        let mut entry = Entry::new(event.metadata(), parent);
        event.record(&mut entry);
        lock(&self.0.events).push(entry);
    }

    fn enter(&self, span: &Id) {
        lock(&self.0.entered).push((thread::current().id(), span.into_u64()));
        if let Some(entry) = lock(&self.0.spans).get_mut(&span.into_u64()) {
            entry.entered += 1;
        }
    }

    fn exit(&self, span: &Id) {
        let here = (thread::current().id(), span.into_u64());
        let mut entered = lock(&self.0.entered);
        if let Some(at) = entered.iter().rposition(|it| *it == here) {
            entered.remove(at);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every spelling in which a part of a canary is recognised.
fn spellings(canary: &str) -> Vec<String> {
    let mut spellings: Vec<String> =
        canary.as_bytes().windows(10).map(|it| String::from_utf8_lossy(it).into()).collect();
    let some = &canary.as_bytes()[..8];
    let mut list = |between: &str, spell: fn(&mut String, u8)| {
        let each = some.iter().map(|byte| {
            let mut text = String::new();
            spell(&mut text, *byte);
            text
        });
        spellings.push(each.collect::<Vec<_>>().join(between));
    };
    list(", ", |text, byte| write!(text, "{byte}").unwrap());
    list(", ", |text, byte| write!(text, "{byte:#x}").unwrap());
    list(", ", |text, byte| write!(text, "{byte:x}").unwrap());
    list("", |text, byte| write!(text, "{byte:02x}").unwrap());
    list("", |text, byte| write!(text, "{byte:02X}").unwrap());
    list("", |text, byte| write!(text, "%{byte:02X}").unwrap());
    // Base64 looks different for each position modulo 3; the groups at the edges are left out.
    for before in ["", "x", "xy"] {
        for engine in [STANDARD, URL_SAFE] {
            spellings.push(engine.encode(format!("{before}{canary}"))[4..16].to_owned());
        }
    }
    spellings
}
