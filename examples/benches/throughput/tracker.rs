//! The tracker over HTTP: beats of names that a key owns, and registrations of new names.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::tracker::{Claim, Lease, LeaseAction, LocalTracker, SignedClaim, Tracker};
use chatp2p_tracker::config::Database;
use data_encoding::BASE64URL_NOPAD;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::connections::{CONNECTIONS, rate};
use crate::table::{Table, Unit};
use crate::{Scale, bare};

/// More names than can be registered while it is measured.
const NAMES: usize = 10_000_000;

/// Something that answers beats and registrations.
#[derive(Debug)]
struct Server {
    address: SocketAddr,
    leases: Arc<Vec<Lease>>,
    /// Names that nobody has registered yet.
    names: Arc<AtomicU64>,
}

pub(crate) async fn measure(scale: Scale, home: &Path, table: &mut Table) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    let bare = Server::new(bare::serve(&mut tasks).await?, leases()?);
    let memory = Server::start(&Database::Memory, &mut tasks).await?;
    let sqlite = Server::start(&Database::Sqlite(home.join("tracker.sqlite")), &mut tasks).await?;
    for _ in 0..scale.rounds {
        let baseline = [("bare poem-openapi handler", bare.beats(scale).await?)];
        table.add("tracker, heartbeats, memory", Unit::PerSecond, memory.beats(scale).await?, &baseline);
        table.add("tracker, heartbeats, SQLite", Unit::PerSecond, sqlite.beats(scale).await?, &baseline);
        let baseline = [("bare poem-openapi handler", bare.registrations(scale).await?)];
        table.add("tracker, new names, memory", Unit::PerSecond, memory.registrations(scale).await?, &baseline);
        table.add("tracker, new names, SQLite", Unit::PerSecond, sqlite.registrations(scale).await?, &baseline);
    }
    tasks.shutdown().await;
    Ok(())
}

impl Server {
    fn new(address: SocketAddr, leases: Vec<Lease>) -> Self {
        Self { address, leases: Arc::new(leases), names: Arc::default() }
    }

    async fn start(database: &Database, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<Self> {
        let builder = LocalTracker::builder().store(database.open().await?).max_registrations(NAMES);
        let tracker = builder.start().await?;
        let mut leases = Vec::with_capacity(CONNECTIONS);
        for client in 0..CONNECTIONS {
            leases.push(tracker.register(claim(client, &tracker)?).await?);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let options = chatp2p_tracker::Options::default();
        tasks.spawn(chatp2p_tracker::run(listener, tracker, options, std::future::pending()));
        Ok(Self::new(address, leases))
    }

    async fn beats(&self, scale: Scale) -> anyhow::Result<f64> {
        let leases = Arc::clone(&self.leases);
        let body = move |client: usize| leases.get(client).and_then(beat).unwrap_or_default();
        rate(self.address, "/heartbeat", scale.requests_for, Arc::new(body)).await
    }

    async fn registrations(&self, scale: Scale) -> anyhow::Result<f64> {
        let names = Arc::clone(&self.names);
        let body = move |_| {
            let name = names.fetch_add(1, Ordering::Relaxed);
            format!(r#"{{"username":"peer-{name}","host":"192.0.2.1","port":5001}}"#)
        };
        rate(self.address, "/register", scale.requests_for, Arc::new(body)).await
    }
}

fn name(client: usize) -> anyhow::Result<Username> {
    Ok(format!("owner-{client}").parse()?)
}

/// What a node of ours registers with.
fn claim(client: usize, tracker: &LocalTracker) -> anyhow::Result<Claim> {
    let identity = Identity::generate()?;
    let endpoints = vec!["ws://192.0.2.1:5001/p2p".parse()?];
    let record = PeerRecord {
        username: name(client)?,
        peer_id: identity.peer_id(),
        endpoints,
        seq: 1,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&identity, record)?;
    Ok(Claim::Signed(SignedClaim::sign(&identity, record, tracker.id())))
}

/// Leases of the same names that nobody gave.
fn leases() -> anyhow::Result<Vec<Lease>> {
    (0..CONNECTIONS).map(|client| Ok(Lease::new(name(client)?, Some([7; 32])))).collect()
}

/// The next beat under a lease, as our nodes send it.
fn beat(lease: &Lease) -> Option<String> {
    let proof = lease.prove(LeaseAction::Heartbeat)?;
    let mac = BASE64URL_NOPAD.encode(&proof.mac);
    Some(format!(r#"{{"username":"{}","counter":{},"mac":"{mac}"}}"#, lease.username(), proof.counter))
}
