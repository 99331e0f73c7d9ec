//! The web page: that its source is in order, that the committed bundle is what the source builds, and that it works in a
//! real browser. Needs Node.js; where there is none, the bundle's own hashes are still compared by the peer's tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::tools::{find, run, works};

/// The oldest Node.js that the build tools run on.
const NODE: &str = "20.19";

/// What stands for the folder of the source.
fn frontend() -> PathBuf {
    crate::workspace().join("frontend")
}

/// Where the built page is committed.
fn webui() -> PathBuf {
    crate::workspace().join("chatp2p-peer").join("webui")
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(frontend()).args(arguments);
    command
}

/// Whether the page's tools can be run here; else, how to get what they need.
fn tools() -> Result<(), String> {
    let fits = format!(
        "const [a, b] = process.versions.node.split('.'), [c, d] = '{NODE}'.split('.'); process.exit(+a > +c || (a === c && +b >= +d) ? 0 : 1)"
    );
    if find("npm", &[]).is_some() && works(&mut command("node", &["-e", &fits])) {
        return Ok(());
    }
    Err(format!("Node.js {NODE} or newer is not installed, so the page is not built and tried (https://nodejs.org)"))
}

/// Checks the source, runs its tests, builds it, and compares the result with the committed bundle byte by byte.
pub(crate) fn source() -> Result<Outcome> {
    if let Err(how) = tools() {
        return Ok(Outcome::Skipped(how));
    }
    let built = crate::workspace().join("target").join("webui");
    let to = built.to_string_lossy();
    let mut steps = vec![
        command(
            "npx",
            &["openapi-typescript", "../docs/openapi/peer.json", "--check", "-o", "src/api/gen/schema.d.ts"],
        ),
        command("npm", &["run", "--silent", "check"]),
        command("npm", &["run", "--silent", "test"]),
        command("npx", &["vite", "build", "--logLevel", "warn", "--emptyOutDir", "--outDir", &to]),
        command("node", &["scripts/proof.mjs", &to]),
        command("node", &["scripts/budget.mjs", &to]),
    ];
    if !is_installed() {
        steps.insert(0, command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]));
    }
    for mut step in steps {
        let outcome = run(&mut step)?;
        if !matches!(outcome, Outcome::Passed) {
            return Ok(outcome);
        }
    }
    compare(&files(&built)?, &files(&webui())?)
}

/// Has people chat by the page, in this browser.
pub(crate) fn browser(chromium: Option<&Path>, variable: &str) -> Result<Outcome> {
    if let Err(how) = tools() {
        return Ok(Outcome::Skipped(how));
    }
    let Some(chromium) = chromium else {
        return Ok(Outcome::Skipped("Chromium is not installed, so nobody chats by the page".to_owned()));
    };
    // Beside this program lie the others of the workspace.
    let programs = std::env::current_exe()?.parent().map(Path::to_owned).context("this program lies nowhere")?;
    let mut plays = command("npx", &["playwright", "test"]);
    plays.env(variable, chromium).env("CHATP2P_PROGRAMS", programs);
    run(&mut plays)
}

/// Whether what the lock names is installed already.
fn is_installed() -> bool {
    let changed = |file: &str| std::fs::metadata(frontend().join(file)).and_then(|found| found.modified()).ok();
    changed("node_modules/.package-lock.json")
        .is_some_and(|installed| changed("package-lock.json").is_some_and(|lock| lock <= installed))
}

fn compare(built: &BTreeMap<String, Vec<u8>>, committed: &BTreeMap<String, Vec<u8>>) -> Result<Outcome> {
    let names = built.keys().chain(committed.keys());
    let mut differ: Vec<&String> = names.filter(|name| built.get(*name) != committed.get(*name)).collect();
    differ.sort();
    differ.dedup();
    if differ.is_empty() {
        return Ok(Outcome::Passed);
    }
    println!("chatp2p-peer/webui is not what frontend/ builds: {differ:?}; run `npm run build` there and commit both");
    Ok(Outcome::Failed("the committed page is not the built one".to_owned()))
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
                found.insert(name, std::fs::read(&path)?);
            }
        }
    }
    Ok(found)
}
