//! The whole list as bytes. Writing it down costs more than everything else that a tracker does, and everybody asks for it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chatp2p_core::tracker::{PeerQuery, Registration, Tracker, TrackerError};
use tokio::sync::Mutex;

use super::super::Shared;
use super::super::body::Listed;

/// Up to this many peers the list is written anew whenever it has changed. Above, that would take more than a millisecond
/// for each heartbeat of each of them.
const ALWAYS_FRESH: usize = 1_000;

/// How old the list may be where it is not always written anew, or was changed by someone else than this API.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// The list as it was last written down.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Option<List>>);

/// A list as bytes.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// JSON.
    pub(super) bytes: Bytes,
    /// The tracker's version that it shows, or a later one.
    pub(super) version: u64,
    peers: usize,
    changes: (u64, u64),
    written: Instant,
}

impl Cache {
    /// The list, as fresh as it has to be. Whoever asks while it is being written waits for that one.
    pub(super) async fn list(&self, shared: &Shared) -> Result<List, TrackerError> {
        let mut kept = self.0.lock().await;
        let changes = shared.changes();
        if let Some(list) = kept.as_ref()
            && list.written.elapsed() < STALE_AFTER
            && (list.peers > ALWAYS_FRESH || list.changes == changes)
        {
            return Ok(list.clone());
        }
        let written = Instant::now();
        let peers = shared.tracker.peers(PeerQuery::default()).await?.items;
        let (count, version) = (peers.len(), changes.0);
        let list = List { bytes: encode(peers).await, version, peers: count, changes, written };
        *kept = Some(list.clone());
        Ok(list)
    }
}

/// Registrations as a JSON array.
pub(super) async fn encode(peers: Vec<Registration>) -> Bytes {
    if peers.len() <= ALWAYS_FRESH {
        return write(&peers);
    }
    // A long list would keep everybody else waiting whose requests are on the same thread.
    match tokio::task::spawn_blocking(move || write(&peers)).await {
        Ok(bytes) => bytes,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn write(peers: &[Registration]) -> Bytes {
    let listed: Vec<Listed> = peers.iter().map(Listed::from).collect();
    // Plain data always has a JSON form.
    serde_json::to_vec(&listed).unwrap_or_default().into()
}
