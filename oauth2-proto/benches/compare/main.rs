//! Compares the cost of one operation between published OAuth 2 clients, a hand-written floor and
//! this crate: instructions, allocations, bytes and time, as a Markdown table.
//!
//! - without arguments: allocations, bytes and time;
//! - `--callgrind`: instructions as well, which takes `valgrind` and about a minute;
//! - `--only <operation>/<contender>`: only that row; either half may be `*`;
//! - `--only <operation>/<contender> --iterations <n>`: does only the work, for a profiler;
//! - `--show`: prints the outcome of each operation instead of its cost;
//! - `--counts`: prints bare counts, for the sister program `compare-allocations`.

pub(crate) mod floor;
pub(crate) mod harness;
pub(crate) mod ours;
pub(crate) mod peers;

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use self::floor::Floor;
use self::harness::{
    Contender, Measured, NotOffered, Operation, Outcome, Report, STOCK, Task, perform,
};
use self::ours::Ours;
use self::peers::io_oauth::IoOauth;
use self::peers::oauth2::Oauth2;

type Perform = fn(Operation, &Task) -> Outcome<Report>;

/// Rows of each operation, in this order.
const CONTENDERS: [(&str, Perform); 4] = [
    (Ours::NAME, perform::<Ours>),
    (Oauth2::NAME, perform::<Oauth2>),
    (IoOauth::NAME, perform::<IoOauth>),
    (Floor::NAME, perform::<Floor>),
];

/// The two run lengths whose difference leaves out start-up and the making of inputs.
const SHORT: usize = 100;
const LONG: usize = 1_100;
const _: () = assert!(LONG <= STOCK);

struct Arguments {
    only: String,
    output: Output,
    callgrind: bool,
}

#[derive(Clone, Copy)]
enum Output {
    Table,
    Counts,
    Shown,
    Nothing { iterations: usize },
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut parsed = Self { only: "*/*".to_owned(), output: Output::Table, callgrind: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--only" => {
                    parsed.only = arguments.next().ok_or("--only takes <operation>/<contender>")?;
                }
                "--iterations" => {
                    let iterations = arguments.next().ok_or("--iterations takes a number")?;
                    parsed.output = Output::Nothing { iterations: iterations.parse()? };
                }
                "--callgrind" => parsed.callgrind = true,
                "--counts" => parsed.output = Output::Counts,
                "--show" => parsed.output = Output::Shown,
                // What `cargo bench` adds of its own accord.
                "--bench" => {}
                unknown => return Err(format!("unknown argument {unknown}").into()),
            }
        }
        Ok(parsed)
    }

    fn selected(&self) -> Outcome<Vec<Row>> {
        let (operations, contenders) =
            self.only.split_once('/').ok_or("--only takes <operation>/<contender>")?;
        let matches = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let rows: Vec<_> = Operation::ALL
            .into_iter()
            .filter(|operation| matches(operations, operation.name()))
            .flat_map(|operation| {
                CONTENDERS
                    .into_iter()
                    .filter(|(contender, _)| matches(contenders, contender))
                    .map(move |(contender, perform)| Row { operation, contender, perform })
            })
            .collect();
        if rows.is_empty() {
            return Err(format!("nothing is called {}", self.only).into());
        }
        Ok(rows)
    }
}

#[derive(Clone, Copy)]
struct Row {
    operation: Operation,
    contender: &'static str,
    perform: Perform,
}

impl Row {
    fn name(&self) -> String {
        format!("{}/{}", self.operation.name(), self.contender)
    }

    /// Nothing where the contender does not offer the operation.
    fn perform(&self, task: &Task) -> Outcome<Option<Report>> {
        match (self.perform)(self.operation, task) {
            Ok(report) => Ok(Some(report)),
            Err(failed) if failed.is::<NotOffered>() => Ok(None),
            Err(failed) => Err(format!("{}: {failed}", self.name()).into()),
        }
    }

    fn measure(&self) -> Outcome<Option<Measured>> {
        Ok(self.perform(&Task::Measure)?.and_then(|report| match report {
            Report::Measured(measured) => Some(measured),
            Report::Done | Report::Shown(_) => None,
        }))
    }
}

pub(crate) fn main() -> Outcome<()> {
    let arguments = Arguments::parse(env::args().skip(1))?;
    let rows = arguments.selected()?;
    match arguments.output {
        Output::Table => table(&rows, &arguments),
        Output::Counts => {
            for row in rows {
                if let Some(Measured { allocations, reallocations, bytes, .. }) = row.measure()? {
                    println!("{}\t{allocations} + {reallocations}\t{bytes}", row.name());
                }
            }
            Ok(())
        }
        Output::Shown => {
            for row in rows {
                if let Some(Report::Shown(outcome)) = row.perform(&Task::Show)? {
                    println!("{}\n{outcome}\n", row.name());
                }
            }
            Ok(())
        }
        Output::Nothing { iterations } => {
            for row in rows {
                row.perform(&Task::Repeat(iterations))?;
            }
            Ok(())
        }
    }
}

fn table(rows: &[Row], arguments: &Arguments) -> Outcome<()> {
    let with_instructions =
        arguments.callgrind && Command::new("valgrind").arg("--version").output().is_ok();
    if arguments.callgrind && !with_instructions {
        println!("valgrind is not installed: no instruction counts.\n");
    }
    let counts = counts(&arguments.only)?;
    println!("| Operation | Contender | Instructions | Allocations | Bytes | Nanoseconds |");
    println!("|---|---|---:|---:|---:|---:|");
    for row in rows {
        print!("| {} | {} | ", row.operation.name(), row.contender);
        let Some(measured) = row.measure()? else {
            println!("– | – | – | – |");
            continue;
        };
        let instructions = if with_instructions {
            grouped(&instructions(&row.name())?.to_string())
        } else {
            "–".to_owned()
        };
        let (allocations, bytes) =
            counts.get(&row.name()).map_or(("–", "–"), |(calls, bytes)| (calls, bytes));
        println!(
            "{instructions} | {allocations} | {} | {} |",
            grouped(bytes),
            grouped(&measured.nanoseconds.to_string()),
        );
    }
    println!();
    println!(
        "Allocations: new blocks + reallocations of a block. Bytes: what new blocks asked for"
    );
    println!(
        "plus what reallocations grew by. Time: the median of batches, allocator not counting."
    );
    println!("Dropping the outcome is part of each operation.");
    Ok(())
}

/// What `compare-allocations` counts, built with the same profile into the same directory: calls
/// and bytes by row. Empty if cargo cannot run it, and the columns show dashes.
fn counts(only: &str) -> Outcome<BTreeMap<String, (String, String)>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "bench",
        "--quiet",
        "--bench",
        "compare-allocations",
    ]);
    // The program lies in <target>/<profile>/deps.
    if let Some(target) = env::current_exe()?.ancestors().nth(3) {
        cargo.arg("--target-dir").arg(target);
    }
    let output = cargo.args(["--", "--counts", "--only", only]).output()?;
    if !output.status.success() {
        println!("No allocation counts: {}\n", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| {
            let (name, counts) = line.split_once('\t')?;
            let (calls, bytes) = counts.split_once('\t')?;
            Some((name.to_owned(), (calls.to_owned(), bytes.to_owned())))
        })
        .collect())
}

/// Instructions of one operation, by two runs of this program under callgrind.
fn instructions(name: &str) -> Outcome<u64> {
    let short = collected(name, SHORT)?;
    let long = collected(name, LONG)?;
    let operations = u64::try_from(LONG - SHORT)?;
    Ok(long.saturating_sub(short).saturating_add(operations / 2) / operations)
}

fn collected(name: &str, iterations: usize) -> Outcome<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["--only", name, "--iterations", &iterations.to_string()])
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("callgrind failed: {log}").into());
    }
    let total = log
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .ok_or_else(|| format!("callgrind told no total: {log}"))?;
    Ok(total.1.trim().parse()?)
}

/// `12345` as `12,345`.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
