//! `cargo xtask fuzz`: builds the fuzzer with the flags that it needs and lets it run. Any stable toolchain will do: what
//! libFuzzer wants to know is asked of LLVM directly.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::report::{Outcome, Report};
use crate::tools::{cargo, find, run};

/// How long each target runs unless it is said otherwise.
const SECONDS: u64 = 60;

/// Far above what a peer of one conversation needs; a target that needs more has found something.
const MEGABYTES: u32 = 512;

/// The longest that one input may take, in seconds, on a machine that is busy.
const PATIENCE: u32 = 20;

/// Coverage for libFuzzer, and nothing else. Not `--cfg fuzzing`, which would switch authentication off (decision 21), and no
/// sanitizer: there is no unsafe code of ours, and they need a nightly toolchain.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// What was asked for.
struct Wish {
    target: Option<String>,
    seconds: u64,
}

fn wish(words: impl Iterator<Item = String>) -> Result<Wish> {
    let mut wish = Wish { target: None, seconds: SECONDS };
    let mut words = words;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                wish.seconds = number.context("--seconds needs a number")?;
            }
            flag if flag.starts_with('-') => bail!("{flag} is not known: cargo xtask fuzz [TARGET] [--seconds N]"),
            _ => wish.target = Some(word),
        }
    }
    Ok(wish)
}

fn folder() -> PathBuf {
    crate::workspace().join("fuzz")
}

/// The targets, by the folders of what was kept of each.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder().join("corpus")).context("fuzz/corpus is not there")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Runs one target or all of them, one after the other, until the first that finds something.
pub(crate) fn fuzz(words: impl Iterator<Item = String>) -> Result<bool> {
    let wish = wish(words)?;
    let mut names = targets()?;
    if let Some(target) = &wish.target {
        anyhow::ensure!(names.contains(target), "there is no target {target}; there are: {}", names.join(" "));
        names.retain(|name| name == target);
    }
    if find("c++", &[]).is_none() && std::env::var_os("CXX").is_none() {
        bail!("libFuzzer is compiled with a C++ compiler, and there is none (apt-get install g++, or set CXX)");
    }
    let mut report = Report::new();
    let host = host()?;
    report.step("build", || build(&host));
    let program = folder().join("target").join(&host).join("debug").join("fuzz");
    for name in names {
        report.step(Box::leak(name.clone().into_boxed_str()), || hunt(&program, &name, wish.seconds));
    }
    Ok(report.sum_up())
}

/// The machine that this is, by the name that Rust has for it. Naming it keeps the flags from build scripts.
fn host() -> Result<String> {
    let said = Command::new("rustc").arg("-vV").output().context("rustc is not installed (https://rustup.rs)")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it compiles for")
}

/// Whether the fuzzer, which is a workspace of its own, has followed what core depends on: `--locked` builds nothing else.
pub(crate) fn is_locked() -> Result<Outcome> {
    let mut resolve = cargo();
    let said = resolve.current_dir(folder()).args(["metadata", "--locked", "--format-version", "1"]).output()?;
    let said = (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned());
    Ok(match said {
        (true, _) => Outcome::Passed,
        (false, why) if why.contains("--locked") => {
            Outcome::Failed("fuzz/Cargo.lock is behind (cargo update --workspace, in fuzz)".to_owned())
        }
        (false, why) => Outcome::Skipped(format!("what the fuzzer is made of cannot be had: {}", why.trim())),
    })
}

fn build(host: &str) -> Result<Outcome> {
    let mut build = cargo();
    build.current_dir(folder()).args(["build", "--locked", "--target", host]).env("RUSTFLAGS", FLAGS.join(" "));
    run(&mut build)
}

/// Begins with what is kept and with what was found before on this machine. What makes a target fail is left in
/// `fuzz/artifacts`; what is new to it, in `fuzz/target/found`.
fn hunt(program: &Path, name: &str, seconds: u64) -> Result<Outcome> {
    let (found, artifacts) = (folder().join("target").join("found").join(name), folder().join("artifacts"));
    std::fs::create_dir_all(&found)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut hunt = Command::new(program);
    hunt.env("CHATP2P_FUZZ_TARGET", name).arg(&found).arg(folder().join("corpus").join(name)).args([
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEGABYTES}"),
        format!("-timeout={PATIENCE}"),
        format!("-artifact_prefix={}/{name}-", artifacts.display()),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    run(&mut hunt)
}
