//! `cargo xtask test`: every test there is, the quick ones first, until the first that fails.

use std::path::PathBuf;

use anyhow::Result;

use crate::api;
use crate::page;
use crate::postgres::Server;
use crate::report::{Outcome, Report};
use crate::tools::{self, cargo, run};

/// Where the tests that need a PostgreSQL server find one.
const POSTGRES: &str = "CHATP2P_TEST_POSTGRES";

/// Where the tests that need a browser find one.
const CHROMIUM: &str = "CHATP2P_TEST_CHROMIUM";

/// Features that people take apart from the rest. The default ones with everything are built anyway.
const FEATURE_SETS: &[(&str, &[&str])] = &[
    ("chatp2p-core", &["--no-default-features"]),
    ("chatp2p-core", &["--no-default-features", "--features", "http"]),
    ("chatp2p-core", &["--no-default-features", "--features", "sqlite,test-utils"]),
    ("chatp2p-core", &["--all-features"]),
    ("chatp2p-peer", &["--no-default-features"]),
];

/// What the tests are lent.
#[derive(Default)]
struct Loans {
    postgres: Option<String>,
    /// Ends the server with this.
    _server: Option<Server>,
    chromium: Option<PathBuf>,
}

/// Runs all steps and says whether all is well.
pub(crate) fn test() -> Result<bool> {
    let mut report = Report::new();
    let mut loans = Loans::default();
    report.step("fmt", || run(cargo().args(["fmt", "--all", "--", "--check"])));
    report.step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    });
    report.step("build", || run(cargo().args(["build", "--workspace", "--all-targets", "--locked"])));
    report.step("fuzz", crate::fuzz::is_locked);
    report.step("postgres", || lend_postgres(&mut loans));
    report.step("chromium", || Ok(lend_chromium(&mut loans)));
    report.step("tests", || tests(&loans));
    report.step("doctests", || run(cargo().args(["test", "--workspace", "--doc", "--locked", "--quiet"])));
    report.step("doc", || {
        let mut doc = cargo();
        doc.args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
        run(&mut doc)
    });
    report.step("features", features);
    report.step("demo", || {
        // Not quiet: where it hangs, what it said last is what one wants to know.
        run(cargo().args(["run", "--locked", "-p", "chatp2p-examples", "--example", "demo", "--", "--check"]))
    });
    report.step("page", page::source);
    report.step("browser", || page::browser(loans.chromium.as_deref(), CHROMIUM));
    report.step("api", || api::try_out(&api::APIS));
    report.step("deny", deny);
    drop(loans);
    Ok(report.sum_up())
}

/// Tries the two APIs, or the one that is named, and nothing else.
pub(crate) fn api(only: Option<&str>) -> Result<bool> {
    let apis = only.map_or_else(|| api::APIS.to_vec(), |only| vec![only]);
    anyhow::ensure!(apis.iter().all(|api| api::APIS.contains(api)), "there are the APIs {}", api::APIS.join(" and "));
    let mut report = Report::new();
    report.step("build", || run(cargo().args(["build", "--locked", "-p", "chatp2p-tracker", "-p", "chatp2p-peer"])));
    report.step("api", || api::try_out(&apis));
    Ok(report.sum_up())
}

fn tests(loans: &Loans) -> Result<Outcome> {
    let nextest = tools::works(cargo().args(["nextest", "--version"]));
    let mut command = cargo();
    if nextest {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
        command.args(["--status-level", "fail", "--final-status-level", "slow"]);
    } else {
        println!("cargo-nextest is not installed; using cargo test (cargo install cargo-nextest --locked gets it)");
        // Not all targets: benchmarks would be run as well.
        command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--locked"]);
    }
    if let Some(url) = &loans.postgres {
        command.env(POSTGRES, url);
    }
    if let Some(chromium) = &loans.chromium {
        command.env(CHROMIUM, chromium);
    }
    run(&mut command)
}

fn lend_postgres(loans: &mut Loans) -> Result<Outcome> {
    if std::env::var_os(POSTGRES).is_some() {
        println!("using the server in {POSTGRES}");
        return Ok(Outcome::Passed);
    }
    let mut server = Server::start()?;
    if server.is_none() && tools::may_install() && tools::install(&["postgresql"]) {
        server = Server::start()?;
    }
    let Some(server) = server else {
        let how = "apt-get install postgresql, or set CHATP2P_TEST_POSTGRES=postgres://…";
        return Ok(Outcome::Skipped(format!("PostgreSQL is not installed, so nothing is tried on it ({how})")));
    };
    loans.postgres = Some(server.url().to_owned());
    loans._server = Some(server);
    Ok(Outcome::Passed)
}

fn lend_chromium(loans: &mut Loans) -> Outcome {
    if let Some(given) = std::env::var_os(CHROMIUM) {
        println!("using the browser in {CHROMIUM}");
        loans.chromium = Some(given.into());
        return Outcome::Passed;
    }
    let installed = || ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|name| tools::find(name, &[]));
    let mut found = installed();
    if found.is_none() && tools::may_install() && tools::install(&["chromium", "fonts-noto-color-emoji"]) {
        found = installed();
    }
    loans.chromium = found;
    if loans.chromium.is_some() {
        Outcome::Passed
    } else {
        let how = "apt-get install chromium, or set CHATP2P_TEST_CHROMIUM=/path/to/chromium";
        Outcome::Skipped(format!("Chromium is not installed, so nothing is tried in a browser ({how})"))
    }
}

fn features() -> Result<Outcome> {
    for (package, set) in FEATURE_SETS {
        // As others compile it, without what its own tests switch on. Clippy checks as `check` does.
        let mut clippy = cargo();
        clippy.args(["clippy", "-p", package, "--lib", "--bins", "--locked", "--quiet"]).args(*set);
        let outcome = run(clippy.args(["--", "-D", "warnings"]))?;
        if !matches!(outcome, Outcome::Passed) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed)
}

fn deny() -> Result<Outcome> {
    if !tools::works(cargo().args(["deny", "--version"])) {
        let how = "cargo install cargo-deny --locked";
        return Ok(Outcome::Skipped(format!("licences and advisories are not looked at ({how})")));
    }
    run(cargo().args(["deny", "--workspace", "--locked", "check"]))
}
