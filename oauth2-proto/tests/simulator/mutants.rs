//! Does the simulator bite? Each file in `mutants/` breaks one rule of the protocol in a copy of the
//! crate, which the simulator then has to refuse.
//!
//! A file says what it breaks, then in which file which text is replaced by which. The copy has a
//! target folder of its own, so that what it depends on is compiled once.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::random::{Breach, run};

/// One mutant at a time: they share a folder.
static COPY: Mutex<()> = Mutex::new(());

macro_rules! mutants {
    ($($name:ident: $file:literal by $by:literal,)*) => {$(
        #[test]
        fn $name() {
            is_caught($file, include_str!(concat!("mutants/", $file)), $by);
        }
    )*};
}

mutants! {
    a_request_that_stays_after_its_lease_is_noticed: "slow_holder.txt" by "one_fault",
    a_request_that_leaves_after_its_machine_slept_is_noticed: "slept_holder.txt" by "one_fault",
    a_taker_that_judges_by_the_time_of_day_is_noticed: "time_of_day.txt" by "one_fault",
    a_taker_without_a_margin_is_noticed: "no_margin.txt" by "clocks_that_differ",
    a_taker_that_counts_the_time_in_which_the_store_fails_is_noticed: "failing_store.txt" by "outage",
    a_late_success_that_is_thrown_away_is_noticed: "late_success.txt" by "one_fault",
    a_late_success_that_does_not_undo_a_doubtful_end_is_noticed: "doubtful_end.txt" by "clocks_that_differ",
    a_late_refusal_that_overwrites_is_noticed: "late_refusal.txt" by "one_fault",
    a_doubt_that_an_unsent_request_undoes_is_noticed: "doubt_forgotten.txt" by "two_faults",
    a_doubt_that_a_taker_does_not_inherit_is_noticed: "doubt_not_inherited.txt" by "one_fault",
    an_unknown_swap_that_is_taken_for_a_refusal_is_noticed: "unknown_is_refusal.txt" by "one_fault",
    an_unknown_swap_that_is_taken_for_a_success_is_noticed: "unknown_is_success.txt" by "one_fault",
    a_successor_that_is_saved_only_once_is_noticed: "saved_once.txt" by "one_fault",
    a_login_that_is_made_again_and_overwritten_is_noticed: "any_login.txt" by "random",
    a_rejected_token_that_is_used_again_is_noticed: "rejected_again.txt" by "random",
    a_rejection_that_is_overwritten_is_noticed: "rejection_overwritten.txt" by "random",
    older_tokens_that_overwrite_newer_ones_are_noticed: "older_over_newer.txt" by "random",
    a_store_that_is_asked_without_a_pause_is_noticed: "hammered_store.txt" by "outage",
    a_sign_out_that_is_undone_is_noticed: "sign_out_undone.txt" by "random",
    late_tokens_that_are_not_revoked_are_noticed: "not_revoked.txt" by "random",
    a_person_who_is_sent_away_too_early_is_noticed: "sent_away.txt" by "random",
}

/// `by` is a part of the name of the test that notices it.
fn is_caught(file: &str, mutant: &str, by: &str) {
    let _copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = Copy::new();
    let (path, changed) = copy.mutate(file, mutant);
    let original = read(&path);
    fs::write(&path, changed).unwrap_or_else(|error| panic!("{error}"));
    let built = copy.cargo(&["--no-run"]);
    let ran = copy.cargo(&["--", "--nocapture", by]);
    fs::write(&path, original).unwrap_or_else(|error| panic!("{error}"));
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(built.status.success(), "{file} does not compile: {}", said(&built));
    let said = said(&ran);
    let Some(caught) = said.lines().find_map(|line| line.strip_prefix("violated: ")) else {
        let (out, status) = (String::from_utf8_lossy(&ran.stdout), ran.status);
        panic!("{file} is not noticed ({status}): {said} {out}")
    };
    println!("{file}: {caught}");
}

/// The crate's sources and this simulator, without what other tests depend on.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = read(&here.join("../Cargo.toml"));
        let workspace = workspace.lines().map(|line| match line.starts_with("members = ") {
            true => r#"members = ["oauth2-proto"]"#,
            false => line,
        });
        put(&root.join("Cargo.toml"), &workspace.collect::<Vec<_>>().join("\n"));
        put(&root.join("Cargo.lock"), &read(&here.join("../Cargo.lock")));
        let mut kept = true;
        let manifest = read(&here.join("Cargo.toml"));
        let manifest = manifest.lines().filter(|line| {
            if line.starts_with('[') {
                kept = !matches!(*line, "[dev-dependencies]" | "[[test]]" | "[lints]");
            }
            kept
        });
        let manifest = manifest.collect::<Vec<_>>().join("\n");
        put(&root.join("oauth2-proto/Cargo.toml"), &manifest);
        for folder in ["src", "docs", "tests/simulator"] {
            copy(&here.join(folder), &root.join("oauth2-proto").join(folder));
        }
        Self { root }
    }

    /// The file that is changed, and what it says then.
    fn mutate(&self, file: &str, mutant: &str) -> (PathBuf, String) {
        let parts: Option<(&str, &str, &str)> = mutant.split_once("\nin ").and_then(|(_, rest)| {
            let (path, rest) = rest.split_once("\n<<<<\n")?;
            let (old, rest) = rest.split_once("\n====\n")?;
            Some((path, old, rest.strip_suffix("\n>>>>\n")?))
        });
        let Some((path, old, new)) = parts else { panic!("{file} is not a mutant") };
        let path = self.root.join("oauth2-proto").join(path);
        let source = read(&path);
        let found = source.matches(old).count();
        assert_eq!(found, 1, "{file} has to be brought up to date: its text is there so often");
        let changed = source.replace(old, new);
        (path, changed)
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).args(["test", "--offline", "--quiet"]);
        command.args(["-p", "oauth2-proto", "--test", "simulator", "--target-dir", "target"]);
        command.args(arguments).env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.env("SIMULATOR_RUNS", "10000").env("RUST_BACKTRACE", "0");
        for unwanted in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "SIMULATOR_SEED"] {
            command.env_remove(unwanted);
        }
        command.output().unwrap_or_else(|error| panic!("cargo can't be started: {error}"))
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes what has changed, and leaves the rest as old as it is.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|own| own == text) {
        return;
    }
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    if let Err(error) = written.and_then(|()| fs::write(path, text)) {
        panic!("{}: {error}", path.display());
    }
}

fn copy(from: &Path, to: &Path) {
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries.flatten() {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        match fs::read_to_string(&path) {
            Ok(text) => put(&copied, &text),
            Err(error) if error.kind() == ErrorKind::IsADirectory => copy(&path, &copied),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// Some of these runs has to fail.
fn is_noticed(breach: Breach) {
    let found = (1..3000).find_map(|seed| run(seed, breach).err().map(|found| (seed, found)));
    let Some((runs, found)) = found else { panic!("{breach:?} is not noticed") };
    println!("{breach:?}: {} ({}), after {runs} runs", found.violation.rule, found.violation.how);
}

#[test]
fn a_store_whose_versions_come_back_is_noticed() {
    is_noticed(Breach { versions_come_back: true, ..Breach::default() });
}

#[test]
fn a_host_that_ignores_time_outs_is_noticed() {
    is_noticed(Breach { hosts_ignore_time_outs: true, ..Breach::default() });
}
