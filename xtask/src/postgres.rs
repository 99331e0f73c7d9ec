//! A PostgreSQL server of our own, in a temporary folder and on a free port of the loopback, gone with this value.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tools;

/// The account that Debian's package makes; the server refuses to run as root.
const ACCOUNT: &str = "postgres";

/// How long the server may take to come up and to go down, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a port may turn out to be taken between being found free and being used.
const ATTEMPTS: u32 = 3;

/// A running server.
pub(crate) struct Server {
    server: Child,
    folder: PathBuf,
    url: String,
}

impl Server {
    /// Starts a server, if PostgreSQL is installed here.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = std::env::temp_dir().join(format!("chatp2p-postgres-{}", std::process::id()));
        let started = Self::start_in(&programs, &folder);
        if started.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        started.map(Some)
    }

    fn start_in(programs: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        // Others on this machine may reach the loopback as well.
        let password = random();
        let secret = folder.join("password");
        fs::write(&secret, &password)?;
        if tools::is_root() {
            let mut chown = Command::new("chown");
            let given = tools::works(chown.arg("-R").arg(ACCOUNT).arg(folder));
            anyhow::ensure!(given, "there is no account {ACCOUNT} to run the server under");
        }
        let data = folder.join("data");
        let mut initdb = as_account(&programs.join("initdb"));
        initdb.args(["--no-sync", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "-U", "chatp2p"]);
        initdb.arg("--pwfile").arg(&secret).arg("-D").arg(&data);
        anyhow::ensure!(tools::works(&mut initdb), "initdb failed");
        for _ in 0..ATTEMPTS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let log = fs::File::create(folder.join("log"))?;
            let mut postgres = as_account(&programs.join("postgres"));
            postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", "", "-F"]);
            let server = postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
            let url = format!("postgres://chatp2p:{password}@127.0.0.1:{port}/postgres");
            let mut running = Self { server, folder: folder.to_owned(), url };
            if running.is_ready(&programs.join("pg_isready"), port)? {
                return Ok(running);
            }
            // The folder is still needed.
            running.folder = PathBuf::new();
        }
        bail!("the server does not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default())
    }

    /// How to connect to it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn is_ready(&mut self, pg_isready: &Path, port: u16) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.server.try_wait()?.is_some() {
                return Ok(false);
            }
            let port = port.to_string();
            if tools::works(Command::new(pg_isready).args(["-q", "-h", "127.0.0.1", "-p", &port])) {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A fast shutdown takes its shared memory along, which killing would leave behind.
        let asked = tools::works(Command::new("kill").args(["-INT", &self.server.id().to_string()]));
        let deadline = Instant::now() + PATIENCE;
        while asked && Instant::now() < deadline && matches!(self.server.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The folder of the server's programs. Debian keeps them out of the search path, a folder a version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    let initdb = tools::find("initdb", &folders)?;
    // The real place, where its neighbours are as well.
    let folder = initdb.canonicalize().ok()?.parent()?.to_owned();
    let whole = ["postgres", "pg_isready"].iter().all(|program| folder.join(program).is_file());
    whole.then_some(folder)
}

/// A command under the server's account, where we are root. `setpriv` becomes the command, so that its process is ours to end.
fn as_account(program: &Path) -> Command {
    if !tools::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]).arg(program).current_dir("/");
    command
}

fn random() -> String {
    (0..2_u8).map(|half| format!("{:016x}", RandomState::new().hash_one(half))).collect()
}
