//! What every [`RegistryStore`] must do, and one that fails and dawdles on demand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, lent to other crates")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::clock::Wall;
use crate::identity::{Identity, Username};
use crate::record::{PeerRecord, SignedRecord};
use crate::storage::{RegistrySnapshot, RegistryStore, StorageError};
use crate::tracker::Registration;

/// One named test for each thing that a [`RegistryStore`] must do. Takes the path of an `async fn() -> (S, G)` that gives an empty
/// store and whatever must live as long as it; and, where that needs something that not every machine has, a condition
/// under which the tests do nothing.
#[macro_export]
macro_rules! registry_store_contract {
    ($open:path) => {
        $crate::registry_store_contract! { $open, unless false }
    };
    ($open:path, unless $missing:expr) => {
        $crate::registry_store_contract! { @cases $open, $missing;
            the_id_is_made_once
            an_empty_store_knows_nobody
            registrations_read_back_as_they_were_kept
            a_name_is_kept_once
            names_that_differ_at_all_are_different
            many_are_kept_at_once
            the_forgotten_are_gone
            a_name_is_to_be_freed_until_it_is_forgotten
            nothing_to_do_is_no_error
        }
    };
    (@cases $open:path, $missing:expr; $($case:ident)*) => {
        $(#[::tokio::test]
        async fn $case() {
            if $missing {
                return;
            }
            let (store, guard) = $open().await;
            $crate::testing::registry_store::$case(&store).await;
            drop(guard);
        })*
    };
}

/// What the operator wants is kept until it is done.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_name_is_to_be_freed_until_it_is_forgotten(store: &dyn RegistryStore) {
    let [alice, bob]: [Username; 2] = ["alice", "bob"].map(|name| name.parse().expect("a username"));
    store.load().await.unwrap();
    store.commit(vec![registration(1, "alice")]).await.unwrap();
    assert!(!store.release(&bob).await.unwrap());
    assert_eq!(store.released().await.unwrap(), []);
    assert!(store.release(&alice).await.unwrap());
    assert!(store.release(&alice).await.unwrap());
    store.commit(vec![registration(1, "alice")]).await.unwrap();
    assert_eq!(store.released().await.unwrap(), std::slice::from_ref(&alice));
    store.forget(vec![alice]).await.unwrap();
    assert_eq!(store.released().await.unwrap(), []);
    assert_eq!(store.load().await.unwrap().registrations, []);
}

/// A classic registration.
pub fn registration(id: i64, name: &str) -> Registration {
    Registration {
        id,
        username: name.parse().expect("a username"),
        host: "192.0.2.1".to_owned(),
        port: 5001,
        is_active: true,
        last_heartbeat: Wall::from_millis(1_700_000_000_123),
        record: None,
    }
}

fn signed(id: i64, name: &str, endpoint: &str) -> Registration {
    let identity = Identity::from_seed(&[11; 32]);
    let record = PeerRecord {
        username: name.parse().expect("a username"),
        peer_id: identity.peer_id(),
        endpoints: vec![endpoint.parse().expect("an endpoint")],
        seq: u64::MAX,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&identity, record).expect("a record within its bounds");
    Registration { port: 0, record: Some(record), ..registration(id, name) }
}

/// All that is kept, by id: a store may give it in any order.
async fn kept(store: &dyn RegistryStore) -> Vec<Registration> {
    let mut kept = store.load().await.expect("the store can be read").registrations;
    kept.sort_by_key(|registration| registration.id);
    kept
}

/// The tracker's id is random, made at the first reading and the same ever after.
pub async fn the_id_is_made_once(store: &dyn RegistryStore) {
    let id = store.load().await.unwrap().tracker_id;
    assert_ne!(id, [0; 16]);
    store.commit(vec![registration(1, "alice")]).await.unwrap();
    assert_eq!(store.load().await.unwrap().tracker_id, id);
}

/// A new store has no registrations.
pub async fn an_empty_store_knows_nobody(store: &dyn RegistryStore) {
    assert_eq!(kept(store).await, []);
}

/// Every field survives, at its limits too.
pub async fn registrations_read_back_as_they_were_kept(store: &dyn RegistryStore) {
    let all = vec![
        registration(1, "alice"),
        signed(2, "bob", "memory:bob"),
        Registration { port: 65_535, host: "x".repeat(253), is_active: false, ..registration(3, "José-ñandú") },
        Registration { last_heartbeat: Wall::from_millis(0), ..signed(i64::MAX, "小明", "ws://[2001:db8::1]:5001") },
    ];
    store.commit(all.clone()).await.unwrap();
    assert_eq!(kept(store).await, all);
}

/// A registration takes the place of the one with the same name.
pub async fn a_name_is_kept_once(store: &dyn RegistryStore) {
    store.commit(vec![registration(1, "alice"), registration(2, "bob")]).await.unwrap();
    let moved =
        Registration { host: "192.0.2.9".to_owned(), is_active: false, ..signed(1, "alice", "ws://192.0.2.9:1") };
    store.commit(vec![moved.clone()]).await.unwrap();
    assert_eq!(kept(store).await, [moved, registration(2, "bob")]);
    store.commit(vec![registration(1, "alice")]).await.unwrap();
    assert_eq!(kept(store).await, [registration(1, "alice"), registration(2, "bob")], "a record can go again");
}

/// Upper and lower case, accents and scripts make different names: who may have which is not for the store to say.
pub async fn names_that_differ_at_all_are_different(store: &dyn RegistryStore) {
    let all: Vec<_> =
        (1..).zip(["ALICE", "alice", "alicé", "аӏісе"]).map(|(id, name)| registration(id, name)).collect();
    store.commit(all.clone()).await.unwrap();
    assert_eq!(kept(store).await, all);
}

/// A commit may carry thousands.
pub async fn many_are_kept_at_once(store: &dyn RegistryStore) {
    let all: Vec<_> = (0..5_000).map(|n| registration(n + 1, &format!("peer-{n:04}"))).collect();
    store.commit(all.clone()).await.unwrap();
    assert_eq!(kept(store).await, all);
    let later: Vec<_> = all
        .into_iter()
        .map(|one| Registration { last_heartbeat: Wall::from_millis(1_800_000_000_000), ..one })
        .collect();
    store.commit(later.clone()).await.unwrap();
    assert_eq!(kept(store).await, later);
}

/// Forgetting deletes those names and no others.
pub async fn the_forgotten_are_gone(store: &dyn RegistryStore) {
    store.commit(vec![registration(1, "alice"), registration(2, "bob"), registration(3, "eve")]).await.unwrap();
    let names = ["alice", "eve", "nobody"].map(|name| name.parse::<Username>().unwrap());
    store.forget(names.to_vec()).await.unwrap();
    assert_eq!(kept(store).await, [registration(2, "bob")]);
}

/// Empty lists are fine.
pub async fn nothing_to_do_is_no_error(store: &dyn RegistryStore) {
    store.commit(Vec::new()).await.unwrap();
    store.forget(Vec::new()).await.unwrap();
    assert_eq!(kept(store).await, []);
}

/// A store that fails, dawdles and counts, around one that works.
#[derive(Debug, Clone)]
pub struct FaultyRegistry {
    inner: Arc<dyn RegistryStore>,
    gate: Arc<Mutex<()>>,
    failing: Arc<AtomicUsize>,
    failing_loads: Arc<AtomicUsize>,
    lying: Arc<AtomicUsize>,
    commits: Arc<AtomicUsize>,
}

impl FaultyRegistry {
    /// Puts a store behind one that works as well until it is told otherwise.
    pub fn new(inner: Arc<dyn RegistryStore>) -> Self {
        Self {
            inner,
            gate: Arc::default(),
            failing: Arc::default(),
            failing_loads: Arc::default(),
            lying: Arc::default(),
            commits: Arc::default(),
        }
    }

    /// The next so many commits fail, and nothing of them is kept.
    pub fn fail_commits(&self, count: usize) {
        self.failing.store(count, Ordering::SeqCst);
    }

    /// The next so many commits are kept and reported as failed, as when a connection breaks at the wrong moment.
    pub fn lie_about_commits(&self, count: usize) {
        self.lying.store(count, Ordering::SeqCst);
    }

    /// The next so many readings fail.
    pub fn fail_loads(&self, count: usize) {
        self.failing_loads.store(count, Ordering::SeqCst);
    }

    /// Commits wait until the guard is dropped.
    pub async fn hold_commits(&self) -> OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }

    /// How many commits have begun.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

fn taken(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn refused() -> StorageError {
    StorageError::Unavailable { reason: "told to fail".to_owned(), source: None }
}

#[async_trait]
impl RegistryStore for FaultyRegistry {
    async fn load(&self) -> Result<RegistrySnapshot, StorageError> {
        if taken(&self.failing_loads) { Err(refused()) } else { self.inner.load().await }
    }

    async fn commit(&self, registrations: Vec<Registration>) -> Result<(), StorageError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.lock().await;
        if taken(&self.failing) {
            return Err(refused());
        }
        self.inner.commit(registrations).await?;
        if taken(&self.lying) { Err(refused()) } else { Ok(()) }
    }

    async fn forget(&self, names: Vec<Username>) -> Result<(), StorageError> {
        self.inner.forget(names).await
    }

    async fn release(&self, name: &Username) -> Result<bool, StorageError> {
        self.inner.release(name).await
    }

    async fn released(&self) -> Result<Vec<Username>, StorageError> {
        self.inner.released().await
    }
}
