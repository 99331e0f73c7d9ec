//! The project's own chores. `cargo xtask test` runs every test there is; `cargo xtask mutate` shows that the tests of
//! the protocol notice what they are there for.

mod mutate;
mod mutations;
mod page;
mod postgres;
mod report;
mod steps;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test      formatting, lints, build, tests, documentation, feature sets, the demo, the page, dependencies
  mutate    breaks the protocol in many ways, one at a time, and checks that the tests notice each";

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("test") => steps::test(),
        Some("mutate") => mutate::mutate(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where the workspace is, from wherever this was called.
fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
