//! All programs of the play as they run, each with its proxy and its data.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::part::Part;
use crate::play::{Peer, Program};
use crate::proxy::Proxy;

/// One of them.
#[derive(Debug)]
struct Player {
    peer: Peer,
    proxy: Arc<Proxy>,
    api: watch::Sender<SocketAddr>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    players: BTreeMap<Part, Player>,
    /// What whoever keeps mail tells the others, for as long as the play lasts.
    mailbox: Option<String>,
}

impl Stage {
    /// Starts all, one after the other.
    pub(crate) async fn set() -> Self {
        let mut stage = Self::default();
        for part in Part::ALL {
            let (proxy, data) = (Arc::new(Proxy::open().await), TempDir::new().unwrap());
            let peer = stage.start(part, &proxy, data).await;
            let api = watch::Sender::new(peer.program.api);
            if part == Part::Mailbox {
                let address = peer.get("/status").await.json()["mailbox"]["address"].clone();
                stage.mailbox = Some(address.as_str().expect("a mailbox with an address").to_owned());
            }
            stage.players.insert(part, Player { peer, proxy, api });
        }
        stage
    }

    async fn start(&self, part: Part, proxy: &Proxy, data: TempDir) -> Peer {
        let program = Program::start(&mut part.command(proxy, data.path(), self)).await;
        Peer { program, name: part.name().to_owned(), data }
    }

    /// Ends a program as a power cut would, and starts it again after a while with what it has kept, where it was.
    pub(crate) async fn kill(&mut self, part: Part, away: Duration) {
        let Player { peer, proxy, api } = self.players.remove(&part).unwrap();
        peer.program.kill().await;
        sleep(away).await;
        let peer = self.start(part, &proxy, peer.data).await;
        api.send_replace(peer.program.api);
        self.players.insert(part, Player { peer, proxy, api });
    }

    /// The address of the mailbox, once there is one.
    pub(crate) fn mailbox(&self) -> Option<&str> {
        self.mailbox.as_deref()
    }

    /// Whether the last mail from one to the other was kept. Who is started anew knows nothing of the mail before.
    pub(crate) async fn has_mailed(&self, from: Part, to: Part) -> bool {
        let told = self.peer(from).get(&format!("/diagnostics/{}", to.name())).await;
        told.status == 200 && told.json()["mail"]["ok"] == true
    }

    pub(crate) fn peer(&self, part: Part) -> &Peer {
        &self.players[&part].peer
    }

    pub(crate) fn proxy(&self, part: Part) -> &Arc<Proxy> {
        &self.players[&part].proxy
    }

    /// Where its API is, which moves when it is started again.
    pub(crate) fn api(&self, part: Part) -> watch::Receiver<SocketAddr> {
        self.players[&part].api.subscribe()
    }
}
