//! The three services, each as its own program would run it: real sockets, real databases, on loopback alone.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chatp2p_core::tracker::LocalTracker;
use chatp2p_peer::Options;
use chatp2p_tracker::config::Database;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where to serve; 0 for a free port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) tracker: u16,
    pub(crate) alice: u16,
    pub(crate) bob: u16,
}

/// The sockets of the services, taken before anything starts.
#[derive(Debug)]
pub(crate) struct Sockets {
    tracker: TcpListener,
    alice: TcpListener,
    bob: TcpListener,
}

/// Where the services are reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) tracker: SocketAddr,
    pub(crate) alice: SocketAddr,
    pub(crate) bob: SocketAddr,
}

/// Where everything is kept.
#[derive(Debug)]
pub(crate) enum Home {
    Kept(PathBuf),
    Temporary(TempDir),
}

/// The services, running.
#[derive(Debug)]
pub(crate) struct Stage {
    tracker: Service,
    alice: Service,
    bob: Service,
}

#[derive(Debug)]
struct Service {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Sockets {
    pub(crate) async fn bind(ports: &Ports) -> anyhow::Result<Self> {
        Ok(Self {
            tracker: bind(ports.tracker, "the tracker", "--tracker-port").await?,
            alice: bind(ports.alice, "alice", "--alice-port").await?,
            bob: bind(ports.bob, "bob", "--bob-port").await?,
        })
    }
}

async fn bind(port: u16, whose: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {port} is taken; {flag} PORT moves {whose}, and {flag} 0 to a free port")
        }
        _ => anyhow::anyhow!("{whose} cannot have port {port}: {error}; {flag} PORT moves {whose}"),
    })
}

impl Home {
    pub(crate) fn new(kept: Option<PathBuf>) -> anyhow::Result<Self> {
        match kept {
            Some(folder) => Ok(Self::Kept(folder)),
            None => {
                let folder = tempfile::Builder::new().prefix("chatp2p-demo-").tempdir();
                Ok(Self::Temporary(folder.context("there is no place for temporary files; --data-dir DIR gives one")?))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }

    pub(crate) fn remove(self) -> anyhow::Result<()> {
        match self {
            Self::Kept(_) => Ok(()),
            Self::Temporary(folder) => folder.close().context("the temporary files cannot be removed"),
        }
    }
}

impl Stage {
    /// Starts the tracker, and then the peers, whose nodes are registered when this returns.
    pub(crate) async fn start(sockets: Sockets, home: &Path) -> anyhow::Result<Self> {
        let database = Database::Sqlite(home.join("tracker.sqlite"));
        let registry = LocalTracker::builder().store(database.open().await?).start().await?;
        let address = sockets.tracker.local_addr()?;
        let (stop, told) = oneshot::channel();
        let serving = chatp2p_tracker::run(sockets.tracker, registry, chatp2p_tracker::Options::default(), heard(told));
        let tracker = Service { address, stop, serving: tokio::spawn(serving) };
        let (alice, bob) = tokio::try_join!(
            peer("alice", sockets.alice, home, tracker.address),
            peer("bob", sockets.bob, home, tracker.address),
        )?;
        Ok(Self { tracker, alice, bob })
    }

    pub(crate) const fn addresses(&self) -> Addresses {
        Addresses { tracker: self.tracker.address, alice: self.alice.address, bob: self.bob.address }
    }

    /// Completes when a service ends that nobody asked to.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let (whose, ended) = tokio::select! {
            ended = &mut self.tracker.serving => ("the tracker", ended),
            ended = &mut self.alice.serving => ("alice", ended),
            ended = &mut self.bob.serving => ("bob", ended),
        };
        match ended {
            Ok(Err(error)) => error.context(format!("{whose} ended")),
            Ok(Ok(())) | Err(_) => anyhow::anyhow!("{whose} ended by itself"),
        }
    }

    /// Stops the peers, who say goodbye and leave the tracker, and then the tracker.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let (alice, bob) = tokio::join!(self.alice.stop(), self.bob.stop());
        let tracker = self.tracker.stop().await;
        alice.context("alice")?;
        bob.context("bob")?;
        tracker.context("the tracker")
    }
}

async fn peer(name: &str, listener: TcpListener, home: &Path, tracker: SocketAddr) -> anyhow::Result<Service> {
    let options = Options {
        username: Some(name.parse()?),
        // A free port; the usual one would be open to the network.
        p2p: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        trackers: vec![format!("http://{tracker}")],
        ..Options::new(home)
    };
    // What `chatp2p_peer::run` does, in two steps: after the first one the node is registered.
    let address = listener.local_addr()?;
    let app = chatp2p_peer::open(address, options).await?;
    let (stop, told) = oneshot::channel();
    Ok(Service { address, stop, serving: tokio::spawn(app.serve(listener, heard(told))) })
}

impl Service {
    async fn stop(self) -> anyhow::Result<()> {
        // One that has ended already hears nothing any more.
        let _ = self.stop.send(());
        self.serving.await?
    }
}

/// Completes when a service is to stop.
async fn heard(told: oneshot::Receiver<()>) {
    let _ = told.await;
}
