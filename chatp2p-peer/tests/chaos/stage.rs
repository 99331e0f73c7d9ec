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
pub(crate) struct Stage(BTreeMap<Part, Player>);

impl Stage {
    /// Starts all, one after the other.
    pub(crate) async fn set() -> Self {
        let mut stage = Self::default();
        for part in Part::ALL {
            let (proxy, data) = (Arc::new(Proxy::open().await), TempDir::new().unwrap());
            let peer = stage.start(part, &proxy, data).await;
            let api = watch::Sender::new(peer.program.api);
            stage.0.insert(part, Player { peer, proxy, api });
        }
        stage
    }

    async fn start(&self, part: Part, proxy: &Proxy, data: TempDir) -> Peer {
        let program = Program::start(&mut part.command(proxy, data.path(), self)).await;
        Peer { program, name: part.name().to_owned(), data }
    }

    /// Ends a program as a power cut would, and starts it again after a while with what it has kept, where it was.
    pub(crate) async fn kill(&mut self, part: Part, away: Duration) {
        let Player { peer, proxy, api } = self.0.remove(&part).unwrap();
        peer.program.kill().await;
        sleep(away).await;
        let peer = self.start(part, &proxy, peer.data).await;
        api.send_replace(peer.program.api);
        self.0.insert(part, Player { peer, proxy, api });
    }

    pub(crate) fn peer(&self, part: Part) -> &Peer {
        &self.0[&part].peer
    }

    pub(crate) fn proxy(&self, part: Part) -> &Arc<Proxy> {
        &self.0[&part].proxy
    }

    /// Where its API is, which moves when it is started again.
    pub(crate) fn api(&self, part: Part) -> watch::Receiver<SocketAddr> {
        self.0[&part].api.subscribe()
    }
}
