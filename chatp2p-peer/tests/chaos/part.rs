//! The parts of the play: which programs there are, and how each is started.

use std::path::Path;

use tokio::process::Command;

use crate::play::tracker_command;
use crate::proxy::Proxy;
use crate::stage::Stage;
use crate::tap::behind;

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    OneTracker,
    OtherTracker,
    /// A third peer, who keeps mail for the two.
    Mailbox,
    Alice,
    Bob,
}

impl Part {
    /// All of them, in the order in which they are started: each knows those before it.
    pub(crate) const ALL: [Self; 5] = [Self::OneTracker, Self::OtherTracker, Self::Mailbox, Self::Alice, Self::Bob];

    pub(crate) const TRACKERS: [Self; 2] = [Self::OneTracker, Self::OtherTracker];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OneTracker => "one tracker",
            Self::OtherTracker => "other tracker",
            Self::Mailbox => "carol",
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// What starts it with this data, where others reach it through its proxy alone, and it reaches them through theirs.
    pub(crate) fn command(self, proxy: &Proxy, data: &Path, stage: &Stage) -> Command {
        match self {
            Self::OneTracker | Self::OtherTracker => tracker_command(&proxy.to.to_string(), Some(data)),
            Self::Mailbox | Self::Alice | Self::Bob => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
                let trackers = Self::TRACKERS.map(|tracker| stage.proxy(tracker).at);
                behind((proxy.at, proxy.to), &mut command, self.name(), data, &trackers);
                match stage.mailbox() {
                    Some(address) if self != Self::Mailbox => command.args(["--use-mailbox", address]),
                    _ => command.arg("--mailbox"),
                };
                command
            }
        }
    }
}
