//! The table server × feature: read from the docs, filled by the run, and written back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{feature, server};

/// What came of a feature at a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Works,
    /// The server does not have it: for this reason.
    NotOffered(String),
    /// The server has it, and does not do what the RFC says: this.
    Bug(String),
}

/// An outcome, or what went wrong in the test or on our side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    Outcome(Outcome),
    Failed(String),
}

/// The table, with the outcomes of this run.
pub(crate) struct Table {
    /// The file with the table of an earlier run: what is before, in, and behind it.
    text: [String; 3],
    old: Outcomes,
    new: Outcomes,
    failures: Vec<String>,
}

/// Outcomes by feature and server.
type Outcomes = BTreeMap<(String, String), Outcome>;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../oauth2-proto/docs/servers.md");
const BEGIN: &str = "<!-- The test writes from here -->\n";
const END: &str = "<!-- to here. -->\n";

const WORKS: &str = "works";
const NOT_OFFERED: &str = "–";
const BUG: &str = "bug";

impl Table {
    pub(crate) fn read() -> Self {
        Self::of(&fs::read_to_string(Path::new(FILE)).unwrap())
    }

    fn of(text: &str) -> Self {
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (table, behind) = rest.split_once(END).unwrap();
        let text = [before, table, behind].map(str::to_owned);
        let old = parse(table);
        // Where a server is not installed, what is known about it stays.
        let listed: Vec<_> = feature::rows().iter().map(|row| row.name).collect();
        let mut new = old.clone();
        new.retain(|(feature, _), _| listed.contains(&&**feature));
        let gone = old.keys().filter(|cell| !new.contains_key(cell));
        let failures = gone.map(|(feature, name)| format!("{name}: {feature}: not tried any more"));
        Self { failures: failures.collect(), text, old, new }
    }

    /// Enters what one server did.
    pub(crate) fn put(&mut self, name: &str, cells: Vec<(&'static str, Cell)>) {
        for (feature, cell) in cells {
            let key = (feature.to_owned(), name.to_owned());
            let outcome = match cell {
                Cell::Outcome(outcome) => outcome,
                Cell::Failed(reason) => {
                    self.failures.push(format!("{name}: {feature}: {reason}"));
                    continue;
                }
            };
            match self.old.get(&key) {
                Some(old) if mark(old) != mark(&outcome) && outcome != Outcome::Works => {
                    self.failures.push(format!("{name}: {feature}: was {old:?}, is {outcome:?}"));
                }
                Some(_) | None => drop(self.new.insert(key, outcome)),
            }
        }
    }

    /// Fails where anything got worse; otherwise writes the table, if it has changed.
    pub(crate) fn finish(self) {
        assert!(self.failures.is_empty(), "\n{}\n", self.failures.join("\n"));
        let [before, old, behind] = self.text;
        let new = print(&self.new);
        if new != old {
            fs::write(FILE, format!("{before}{BEGIN}{new}{END}{behind}")).unwrap();
            println!("docs/servers.md has changed: read the difference and commit it");
        }
    }
}

fn mark(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Works => WORKS,
        Outcome::NotOffered(_) => NOT_OFFERED,
        Outcome::Bug(_) => BUG,
    }
}

fn print(outcomes: &Outcomes) -> String {
    let names = server::NAMES;
    let head = names.map(|name| format!("{name} {}", server::version(name))).join(" | ");
    let mut text = format!("| feature | {head} |\n|---|{}\n", "---|".repeat(names.len()));
    let mut notes = String::new();
    for row in feature::rows() {
        text += &format!("| {} |", row.name);
        for name in names {
            let outcome = outcomes.get(&(row.name.to_owned(), name.to_owned()));
            text += &format!(" {} |", outcome.map_or("", mark));
            if let Some(Outcome::NotOffered(why) | Outcome::Bug(why)) = outcome {
                notes += &format!("- {name}, {}: {why}\n", row.name);
            }
        }
        text += "\n";
    }
    format!("{text}\n{notes}")
}

fn parse(text: &str) -> Outcomes {
    let mut outcomes = Outcomes::new();
    let notes: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let names: Vec<_> = rows
        .next()
        .iter()
        .flat_map(|head| head.split(" | "))
        .skip(1)
        .map(|name| name.rsplit_once(' ').unwrap_or((name, "")).0)
        .collect();
    for row in rows {
        let mut cells = row.split(" | ");
        let feature = cells.next().unwrap();
        for (name, cell) in names.iter().zip(cells) {
            let note = format!("{name}, {feature}: ");
            let why = notes.iter().find_map(|line| line.strip_prefix(&note));
            let why = why.unwrap_or_default().to_owned();
            let outcome = match cell.trim() {
                WORKS => Outcome::Works,
                NOT_OFFERED => Outcome::NotOffered(why),
                BUG => Outcome::Bug(why),
                _ => continue,
            };
            outcomes.insert((feature.to_owned(), (*name).to_owned()), outcome);
        }
    }
    outcomes
}

#[test]
fn what_is_written_is_read_again() {
    let outcomes = [
        Outcome::Works,
        Outcome::NotOffered("nobody asked for it".to_owned()),
        Outcome::Bug("says | yes: and no".to_owned()),
    ];
    let rows = feature::rows();
    let keys = rows
        .iter()
        .flat_map(|row| server::NAMES.map(|name| (row.name.to_owned(), name.to_owned())));
    let outcomes: Outcomes = keys.zip(outcomes.into_iter().cycle()).collect();
    assert_eq!(parse(&print(&outcomes)), outcomes);
}

/// A table in which the first server had this outcome for the first feature, and now has that.
#[cfg(test)]
fn after(was: Option<Outcome>, is: Cell) -> Table {
    let (feature, name) = (feature::rows()[0].name, server::NAMES[0]);
    let key = (feature.to_owned(), name.to_owned());
    let outcomes: Outcomes = was.into_iter().map(|was| (key.clone(), was)).collect();
    let mut table = Table::of(&format!("{BEGIN}{}{END}", print(&outcomes)));
    assert_eq!(table.failures, [""; 0]);
    table.put(name, vec![(feature, is)]);
    table
}

#[test]
fn what_gets_worse_is_a_failure() {
    let bug = || Outcome::Bug("no".to_owned());
    let not_offered = || Outcome::NotOffered("no".to_owned());
    for (was, is) in [
        (Some(Outcome::Works), Cell::Outcome(bug())),
        (Some(Outcome::Works), Cell::Outcome(not_offered())),
        (Some(bug()), Cell::Outcome(not_offered())),
        (Some(bug()), Cell::Failed("refused".to_owned())),
        (None, Cell::Failed("refused".to_owned())),
    ] {
        let table = after(was.clone(), is.clone());
        assert_eq!(table.failures.len(), 1, "{was:?} {is:?}");
        assert_eq!(table.new, table.old);
    }
}

#[test]
fn what_gets_better_and_what_is_new_is_entered() {
    let bug = |text: &str| Outcome::Bug(text.to_owned());
    for (was, is) in [
        (Some(bug("no")), Outcome::Works),
        (Some(bug("no")), bug("not yet")),
        (None, bug("no")),
        (None, Outcome::Works),
    ] {
        let table = after(was, Cell::Outcome(is.clone()));
        assert_eq!(table.failures, [""; 0]);
        assert_eq!(table.new.into_values().collect::<Vec<_>>(), [is]);
    }
}

#[test]
fn a_feature_that_is_not_tried_any_more_is_a_failure() {
    let text = format!("{BEGIN}| feature | a 1 |\n|---|---|\n| of old | works |\n{END}");
    assert_eq!(Table::of(&text).failures, ["a: of old: not tried any more"]);
}
