//! `cargo xtask mutate`: breaks the protocol on purpose, one way at a time, in a copy of the workspace, and checks that
//! its tests notice. A mutation that survives is a promise that nothing guards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::mutations::{MUTATIONS, Mutation};
use crate::report::seconds;
use crate::tools;

/// The tests that must notice.
const TESTS: &[&str] = &[
    "--lib",
    "--test",
    "crypto",
    "--test",
    "protocol_rules",
    "--test",
    "seeking",
    "--test",
    "simulation",
    "--test",
    "wire",
    "--test",
    "protocol_vectors",
];

/// How many worlds the simulator plays for each mutation, unless `CHATP2P_SIM_SEEDS` says otherwise.
const SEEDS: &str = "60";

/// A mutant that takes so many times as long as the unchanged code runs in circles, which is noticed by every user. It has
/// at least a minute, as a machine is not always as busy as it was.
const TIMES_AS_LONG: u32 = 3;
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

/// How long the unchanged code may take, on whatever machine.
const LONGEST: Duration = Duration::from_secs(1_800);

/// What the tests made of a mutant.
enum Verdict {
    Noticed(String),
    Survived,
}

/// Tries all mutations, or those whose name has one of the further arguments in it, and says whether each was noticed.
pub(crate) fn mutate() -> Result<bool> {
    let only: Vec<String> = std::env::args().skip(2).collect();
    let tree = copy_workspace()?;
    println!("trying the tests on the unchanged code");
    build(&tree)?;
    let begun = Instant::now();
    if let Verdict::Noticed(what) = try_out(&tree, LONGEST)? {
        bail!("the tests fail on the unchanged code: {what}");
    }
    let patience = (begun.elapsed() * TIMES_AS_LONG).max(LEAST_PATIENCE);
    let wanted = |mutation: &&Mutation| only.is_empty() || only.iter().any(|part| mutation.name.contains(part));
    let chosen: Vec<&Mutation> = MUTATIONS.iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no mutation is called anything like {only:?}");
    let mut table = Vec::new();
    for mutation in chosen {
        let start = Instant::now();
        let verdict = with_mutation(&tree, mutation, patience)?;
        let (word, how) = match &verdict {
            Verdict::Noticed(how) => ("red", how.as_str()),
            Verdict::Survived => ("SURVIVED", mutation.breaks),
        };
        println!("{word:>8}  {}  ({})  {how}", mutation.name, seconds(start.elapsed()));
        table.push((word, mutation, how.to_owned()));
    }
    println!("\n| mutation | what it breaks | verdict | noticed by |\n| --- | --- | --- | --- |");
    for (word, mutation, how) in &table {
        let how = if *word == "red" { how } else { "" };
        println!("| {} | {} | {word} | {how} |", mutation.name, mutation.breaks);
    }
    let survivors = table.iter().filter(|(word, ..)| *word != "red").count();
    println!("\n{} of {} mutations were noticed", table.len() - survivors, table.len());
    Ok(survivors == 0)
}

fn with_mutation(tree: &Path, mutation: &Mutation, patience: Duration) -> Result<Verdict> {
    let file = tree.join(mutation.file);
    let whole = fs::read_to_string(&file).with_context(|| format!("{}: no such file", mutation.file))?;
    let times = whole.matches(mutation.text).count();
    ensure!(times == 1, "{}: the text to replace stands in {} {times} times", mutation.name, mutation.file);
    fs::write(&file, whole.replace(mutation.text, mutation.replacement))?;
    let verdict = build(tree).and_then(|()| try_out(tree, patience)).with_context(|| mutation.name);
    fs::write(&file, whole)?;
    verdict
}

fn tests(tree: &Path) -> Command {
    let mut cargo = tools::cargo();
    cargo.current_dir(tree).args(["test", "--quiet", "--locked", "-p", "chatp2p-core"]).args(TESTS);
    cargo
        .env("CARGO_TARGET_DIR", home().join("target"))
        .env("RUST_BACKTRACE", "0")
        .env("RUSTFLAGS", "")
        .env_remove("RUSTC_WRAPPER");
    if std::env::var_os("CHATP2P_SIM_SEEDS").is_none() {
        cargo.env("CHATP2P_SIM_SEEDS", SEEDS);
    }
    cargo
}

/// Compiles the tests. A mutant that does not compile shows nothing and is an error.
fn build(tree: &Path) -> Result<()> {
    let built = tests(tree).arg("--no-run").stdin(Stdio::null()).output()?;
    ensure!(built.status.success(), "does not compile: {}", String::from_utf8_lossy(&built.stderr));
    Ok(())
}

/// Runs the tests, for so long.
fn try_out(tree: &Path, patience: Duration) -> Result<Verdict> {
    let log = tree.join("mutant.log");
    let out = fs::File::create(&log)?;
    let mut command = tests(tree);
    let mut running = own_group(&mut command).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?;
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = running.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            // The test is a child of cargo's: both are in a group of their own.
            tools::works(Command::new("kill").args(["-KILL", "--", &format!("-{}", running.id())]));
            running.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    Ok(match status {
        Some(status) if status.success() => Verdict::Survived,
        Some(_) => Verdict::Noticed(what_failed(&fs::read_to_string(&log)?)),
        None => Verdict::Noticed(format!("it was not done after {}", seconds(patience))),
    })
}

#[cfg(unix)]
fn own_group(command: &mut Command) -> &mut Command {
    std::os::unix::process::CommandExt::process_group(command, 0)
}

#[cfg(not(unix))]
fn own_group(command: &mut Command) -> &mut Command {
    command
}

/// The first failing test and what was wrong.
fn what_failed(log: &str) -> String {
    let mut lines = log.lines().map(str::trim).skip_while(|line| !line.starts_with("---- "));
    let name = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("a test");
    // The simulator's own words, where it is the simulator's test: those of a kept seed, or of the first that broke.
    let words = lines.find(|line| line.starts_with("left: Err(") || line.starts_with('"'));
    let words: String = words.unwrap_or_default().chars().filter(|c| *c != '|').take(110).collect();
    format!("{name}: {words}")
}

/// Where mutants live. Cargo gives what it builds from a copy the same file names as what it builds from the original, so
/// they must not share a folder.
fn home() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| crate::workspace().join("target"), PathBuf::from).join("mutants")
}

/// Copies the sources to a place that stays the same, so that little is compiled the next time.
fn copy_workspace() -> Result<PathBuf> {
    let tree = home().join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    copy(&crate::workspace(), &tree)?;
    Ok(tree)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let left_out = ["target", "node_modules", ".git"].iter().any(|left_out| name == *left_out);
        if left_out {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_finds_its_place() {
        for mutation in MUTATIONS {
            let whole = fs::read_to_string(crate::workspace().join(mutation.file)).unwrap();
            assert_eq!(whole.matches(mutation.text).count(), 1, "{} in {}", mutation.name, mutation.file);
        }
    }
}
