//! Both HTTP APIs held against their own documents by schemathesis, which makes up requests, right and wrong ones, and
//! compares every answer with what is promised. The programs are the real ones, on ports of their own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::report::Outcome;
use crate::tools::{find, may_install, run, works};

/// The version whose checks the configuration is written for.
const VERSION: &str = "4.32.5";

/// The most cases that are made up for one operation, apart from those that follow from the document itself. A document
/// takes about half a minute with it.
const CASES: u32 = 60;

/// How to have more of them.
const CASES_VARIABLE: &str = "CHATP2P_API_CASES";

/// How long a program may take to say that it is there, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the peer is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whose APIs there are.
pub(crate) const APIS: [&str; 2] = ["tracker", "peer"];

/// Tries these APIs.
pub(crate) fn try_out(apis: &[&str]) -> Result<Outcome> {
    let Some(schemathesis) = schemathesis() else {
        let how = format!(
            "python3 -m venv target/schemathesis && target/schemathesis/bin/pip install schemathesis=={VERSION}"
        );
        return Ok(Outcome::Skipped(format!(
            "schemathesis {VERSION} is not installed, so the APIs are not tried ({how})"
        )));
    };
    let folder = crate::workspace().join("target").join("api");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let tracker = Program::start("chatp2p-tracker", "tracker", &folder, &["--database", "memory"])?;
    if apis.contains(&"tracker") {
        let outcome = attack(&schemathesis, "tracker", &tracker.url)?;
        if !matches!(outcome, Outcome::Passed) {
            return Ok(outcome);
        }
    }
    if apis.contains(&"peer") { try_peer(&schemathesis, &tracker, &folder) } else { Ok(Outcome::Passed) }
}

/// Tries the API of a peer who is connected to another one.
fn try_peer(schemathesis: &Path, tracker: &Program, folder: &Path) -> Result<Outcome> {
    let others = ["--tracker", tracker.url.as_str(), "--username"];
    let start = |name: &str| {
        let mut arguments = vec!["--p2p", "127.0.0.1:0", "--data-dir"];
        let data = folder.join(format!("{name}-data")).to_string_lossy().into_owned();
        arguments.push(&data);
        arguments.extend(others);
        arguments.push(name);
        Program::start("chatp2p-peer", name, folder, &arguments)
    };
    let _bob = start("bob")?;
    let alice = start("alice")?;
    let address = alice.address().to_owned();
    let is_over = AtomicBool::new(false);
    let keeper = Keeper { address: &address, tracker: &tracker.url, locked: AtomicUsize::new(0) };
    keeper.look()?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // What fails now is tried again in a moment.
                let _ = keeper.look();
                std::thread::sleep(LOOK_EVERY);
            }
        });
        let outcome = attack(schemathesis, "peer", &alice.url);
        is_over.store(true, Ordering::Relaxed);
        outcome
    })
}

fn attack(schemathesis: &Path, name: &str, url: &str) -> Result<Outcome> {
    let workspace = crate::workspace();
    let cases = std::env::var(CASES_VARIABLE).ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let mut attack = Command::new(schemathesis);
    attack.current_dir(workspace.join("target").join("api"));
    attack.arg("--config-file").arg(workspace.join("xtask").join("schemathesis.toml")).arg("run");
    attack.arg(workspace.join("docs").join("openapi").join(format!("{name}.json")));
    attack.args(["--url", url, "--no-color", "--continue-on-failure", "--suppress-health-check", "all"]);
    attack.args(["--warnings", "off", "--max-examples", &cases.to_string()]);
    run(&mut attack)
}

/// The program, where it is of the right version, or can be made so.
fn schemathesis() -> Option<PathBuf> {
    let own = crate::workspace().join("target").join("schemathesis");
    let program = own.join("bin").join("schemathesis");
    let fits = |program: &Path| {
        let said = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(VERSION))
    };
    if fits(&program) {
        return Some(program);
    }
    if let Some(found) = find("schemathesis", &[]).filter(|found| fits(found)) {
        return Some(found);
    }
    if !may_install() {
        return None;
    }
    println!("installing schemathesis {VERSION}");
    let made = works(Command::new("python3").args(["-m", "venv"]).arg(&own))
        && works(Command::new(own.join("bin").join("pip")).args([
            "install",
            "-q",
            &format!("schemathesis=={VERSION}"),
        ]));
    Some(program).filter(|program| made && fits(program))
}

/// A running program of this workspace, which ends with this value.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(program: &str, name: &str, folder: &Path, arguments: &[&str]) -> Result<Self> {
        // Beside this program lie the others of the workspace.
        let programs = std::env::current_exe()?.parent().map(Path::to_owned).context("this program lies nowhere")?;
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let mut command = Command::new(programs.join(program));
        command.args(["--bind", "127.0.0.1:0"]).args(arguments).env("RUST_LOG", "warn");
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        let mut started = Self { child: child.with_context(|| format!("cannot start {program}"))?, url: String::new() };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && started.child.try_wait()?.is_none() {
            let said = fs::read_to_string(&log)?;
            if let Some((_, rest)) = said.split_once(" listening on ")
                && let Some((url, _)) = rest.split_once('\n')
            {
                started.url = url.trim().to_owned();
                return Ok(started);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{program} does not come up: {}", fs::read_to_string(&log)?)
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the peer run and be connected, as most requests are about somebody who is there: `POST /stop` is tried like all others.
struct Keeper<'a> {
    address: &'a str,
    tracker: &'a str,
    /// How many profiles are locked with passphrases that were made up, and are lost to us.
    locked: AtomicUsize,
}

impl Keeper<'_> {
    fn look(&self) -> Result<()> {
        if self.ask("GET", "/status", "")?.contains("\"running\":false") {
            let name = match self.locked.load(Ordering::Relaxed) {
                0 => "alice".to_owned(),
                locked => format!("alice{locked}"),
            };
            let start = format!(r#"{{"username":"{name}","port":0,"tracker_url":"{}"}}"#, self.tracker);
            if self.ask("POST", "/start", &start)?.contains("\"passphrase_required\"") {
                self.locked.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !self.ask("GET", "/connected-peers", "")?.contains("\"bob\"") {
            self.ask("POST", "/connect", r#"{"peer_username":"bob"}"#)?;
        }
        Ok(())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, length) = (self.address, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
