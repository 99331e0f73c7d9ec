//! Two networks of the test's own, with a wire between them: nothing of it is seen by the rest of the machine, and it is gone
//! with the processes in it. Only Linux has them, and only for those whom the system lets.

use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::play::until;

/// Set where the test runs in a network of its own already.
const INSIDE: &str = "CHATP2P_TEST_NETWORK";

/// With and without being the system's administrator.
const WAYS: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];

/// What ends each of the two ends of the wire has for a name.
const HOME: &str = "home";
const AWAY: &str = "away";

/// Runs a test again in a network of its own; true for the one in there, which is to go on. Where there is none to be had,
/// says so and that nothing was tried.
pub(crate) async fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    for way in WAYS {
        let mut may = Command::new("unshare");
        let may = may.args(way).args(["ip", "link"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !may.await.is_ok_and(|status| status.success()) {
            continue;
        }
        let mut again = Command::new("unshare");
        again.args(way).arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
        let status = again.env(INSIDE, "yes").kill_on_drop(true).status().await.unwrap();
        assert!(status.success(), "in a network of its own: {status}");
        return false;
    }
    eprintln!("SKIPPED: {test} needs `ip` and `unshare --net`, which this system does not have or does not allow");
    false
}

/// Another machine, as far as its network goes.
pub(crate) struct Machine {
    /// Holds the network while no program runs there.
    holder: Child,
}

impl Machine {
    /// One that is reached by a wire from here, where the address is this one.
    pub(crate) async fn beside(here: &str) -> Self {
        ip(&["link", "set", "lo", "up"]).await;
        ip(&["link", "add", HOME, "type", "veth", "peer", "name", AWAY]).await;
        ip(&["address", "add", here, "dev", HOME]).await;
        ip(&["link", "set", HOME, "up"]).await;
        let mut holder = Command::new("unshare");
        let holder = holder.args(["--net", "sleep", "infinity"]).kill_on_drop(true).spawn().unwrap();
        let machine = Self { holder };
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        until("another network", async || {
            std::fs::read_link(machine.network()).ok().filter(|theirs| *theirs != ours).map(drop)
        })
        .await;
        ip(&["link", "set", AWAY, "netns", &machine.id()]).await;
        machine.does(&["link", "set", "lo", "up"]).await;
        machine.does(&["link", "set", AWAY, "up"]).await;
        machine
    }

    /// It has this address from now on, and no other.
    pub(crate) async fn moves_to(&self, address: &str) {
        self.does(&["-4", "address", "flush", "dev", AWAY]).await;
        self.does(&["address", "add", address, "dev", AWAY]).await;
    }

    /// The command that runs a program there.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.network())).arg(program);
        command
    }

    async fn does(&self, args: &[&str]) {
        succeeds(self.command("ip").args(args)).await;
    }

    fn id(&self) -> String {
        self.holder.id().expect("a running program").to_string()
    }

    fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.id())
    }
}

async fn ip(args: &[&str]) {
    succeeds(Command::new("ip").args(args)).await;
}

async fn succeeds(command: &mut Command) {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
