//! The project's own chores. `cargo xtask test` runs every test there is; `cargo xtask mutate` shows that the tests of
//! the protocol notice what they are there for.

mod api;
mod fuzz;
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

  test      formatting, lints, build, tests, documentation, feature sets, the demo, the page, the APIs, dependencies
  mutate    breaks the protocol in many ways, one at a time, and checks that the tests notice each
  fuzz      [TARGET] [--seconds N]: tries every reader of what comes from outside with inputs that nobody would send
  api       [tracker | peer]: the step of that name alone; with CHATP2P_API_CASES=1000 in the environment, with many
            more cases";

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("test") => steps::test(),
        Some("mutate") => mutate::mutate(),
        Some("api") => steps::api(std::env::args().nth(2).as_deref()),
        Some("fuzz") => fuzz::fuzz(std::env::args().skip(2)),
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
