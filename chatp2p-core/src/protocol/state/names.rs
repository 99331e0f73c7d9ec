//! By which names contacts are known: one name a contact here, whatever they go by at the tracker.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{PeerId, Username};
use crate::storage::Contact;

/// The names of all contacts that are not forgotten.
#[derive(Debug, Default)]
pub(super) struct Names {
    here: BTreeMap<Username, PeerId>,
    at_tracker: BTreeMap<Username, BTreeSet<PeerId>>,
}

impl Names {
    pub(super) fn insert(&mut self, contact: &Contact) {
        if !contact.forgotten {
            self.here.insert(contact.name.clone(), contact.peer_id);
            self.at_tracker.entry(contact.name_at_tracker().clone()).or_default().insert(contact.peer_id);
        }
    }

    pub(super) fn remove(&mut self, contact: &Contact) {
        if self.here.get(&contact.name) == Some(&contact.peer_id) {
            self.here.remove(&contact.name);
        }
        if let Some(holders) = self.at_tracker.get_mut(contact.name_at_tracker()) {
            holders.remove(&contact.peer_id);
            if holders.is_empty() {
                self.at_tracker.remove(contact.name_at_tracker());
            }
        }
    }

    /// Who is known by this name here; else the only one who goes by it at the tracker.
    pub(super) fn find(&self, name: &Username) -> Option<PeerId> {
        self.here(name).or_else(|| {
            let holders = self.at_tracker.get(name).filter(|holders| holders.len() == 1)?;
            holders.first().copied()
        })
    }

    /// Who is known by exactly this name here.
    pub(super) fn here(&self, name: &Username) -> Option<PeerId> {
        self.here.get(name).copied()
    }

    /// Whose keys are pinned to this name at the tracker.
    pub(super) fn holders(&self, name: &Username) -> BTreeSet<PeerId> {
        self.at_tracker.get(name).cloned().unwrap_or_default()
    }

    /// Whose key is pinned to this name at the tracker, unless this key is among them.
    pub(super) fn rivals(&self, name: &Username, key: PeerId) -> Vec<PeerId> {
        let holders = self.at_tracker.get(name).filter(|holders| !holders.contains(&key));
        holders.into_iter().flatten().copied().collect()
    }

    /// All names here.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Username, PeerId)> {
        self.here.iter().map(|(name, peer)| (name, *peer))
    }
}
