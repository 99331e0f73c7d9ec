//! A tracker's memory that lasts as long as the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::identity::Username;
use crate::storage::{RegistrySnapshot, RegistryStore, StorageError, random};
use crate::tracker::Registration;

/// A [`RegistryStore`] in memory.
#[derive(Default)]
pub struct MemoryRegistry {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tracker_id: Option<[u8; 16]>,
    registrations: BTreeMap<Username, Registration>,
    released: BTreeSet<Username>,
}

impl MemoryRegistry {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing can panic between two of its changes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RegistryStore for MemoryRegistry {
    async fn load(&self) -> Result<RegistrySnapshot, StorageError> {
        let mut kept = self.kept();
        let tracker_id = match kept.tracker_id {
            Some(id) => id,
            None => *kept.tracker_id.insert(*random()?),
        };
        Ok(RegistrySnapshot { tracker_id, registrations: kept.registrations.values().cloned().collect() })
    }

    async fn commit(&self, registrations: Vec<Registration>) -> Result<(), StorageError> {
        let mut kept = self.kept();
        for registration in registrations {
            kept.registrations.insert(registration.username.clone(), registration);
        }
        Ok(())
    }

    async fn forget(&self, names: Vec<Username>) -> Result<(), StorageError> {
        let mut kept = self.kept();
        for name in names {
            kept.registrations.remove(&name);
            kept.released.remove(&name);
        }
        Ok(())
    }

    async fn release(&self, name: &Username) -> Result<bool, StorageError> {
        let mut kept = self.kept();
        let known = kept.registrations.contains_key(name);
        if known {
            kept.released.insert(name.clone());
        }
        Ok(known)
    }

    async fn released(&self) -> Result<Vec<Username>, StorageError> {
        Ok(self.kept().released.iter().cloned().collect())
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRegistry")
            .field("registrations", &self.kept().registrations.len())
            .finish_non_exhaustive()
    }
}
