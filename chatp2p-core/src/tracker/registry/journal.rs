//! What a turn has changed: to be kept, and then settled or undone. Every change of a slot that must be durable goes
//! through here, so that the indexes cannot drift from the slots.

use crate::clock::Wall;
use crate::identity::Username;
use crate::tracker::Registration;

use super::{Listed, Registry, Slot};

/// What the store has to be told before anybody else is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// Registrations that are new or other than before.
    pub put: Vec<Registration>,
    /// Names that made room for others.
    pub forget: Vec<Username>,
}

impl Registry {
    /// What was decided since the turn began and must be durable before it is told.
    pub fn unsaved(&self) -> Unsaved {
        let mut unsaved = Unsaved::default();
        for (name, before) in &self.journal {
            match self.slots.get(name) {
                Some(slot) => unsaved.put.push(slot.stored()),
                None if before.is_some() => unsaved.forget.push(name.clone()),
                None => {}
            }
        }
        unsaved
    }

    /// Whether this turn has changed the name in a way that is not durable yet.
    pub fn is_unsaved(&self, name: &Username) -> bool {
        self.journal.contains_key(name)
    }

    /// Ends the turn: what it changed is durable. Gives the names.
    pub fn settle(&mut self) -> Vec<Username> {
        std::mem::take(&mut self.journal).into_keys().collect()
    }

    /// Ends the turn: what it changed could not be kept, and everything is as before. Gives the names.
    pub fn undo(&mut self) -> Vec<Username> {
        let journal = std::mem::take(&mut self.journal);
        let names = journal.keys().cloned().collect();
        for (name, before) in journal {
            self.set(&name, before);
        }
        names
    }

    /// Takes over what the store has of a name, if that is something else: a commit that failed may have been kept. Nothing
    /// is heard of such a registration but its last beat, and it has no lease.
    pub fn reconcile(&mut self, name: &Username, kept: Option<Registration>) {
        let known = self.slots.get(name);
        let same = match (known, &kept) {
            (None, None) => true,
            (Some(slot), Some(kept)) => {
                Registration { last_heartbeat: kept.last_heartbeat, ..(*slot.registration).clone() } == *kept
            }
            _ => false,
        };
        if !same {
            let alive_until = kept.as_ref().map_or(Wall::default(), |kept| kept.last_heartbeat.plus(self.rules.ttl));
            self.restore(name, kept, alive_until);
        }
    }

    /// A registration as it is kept.
    pub fn stored(&self, name: &Username) -> Option<Registration> {
        self.slots.get(name).map(Slot::stored)
    }

    /// The name as it is to be listed, unless it has left or is not known.
    pub fn listed(&self, name: &Username) -> Option<Listed> {
        let slot = self.slots.get(name).filter(|slot| !slot.has_left())?;
        Some(Listed {
            registration: slot.registration.clone(),
            last_heartbeat: slot.last_heartbeat,
            alive_until: slot.alive_until,
        })
    }

    /// Every name that has not left, as it is to be listed.
    pub fn all_listed(&self) -> impl Iterator<Item = Listed> {
        self.slots.keys().filter_map(|name| self.listed(name))
    }

    pub(super) fn restore(&mut self, name: &Username, kept: Option<Registration>, alive_until: Wall) {
        let slot = kept.map(|registration| {
            self.next_id = self.next_id.max(registration.id.saturating_add(1));
            Slot {
                last_heartbeat: registration.last_heartbeat,
                registration: registration.into(),
                alive_until,
                lease: None,
                spare_from: None,
            }
        });
        self.set(name, slot);
    }

    /// Changes a name, to be kept.
    pub(super) fn change(&mut self, name: &Username, slot: Option<Slot>) {
        let before = self.set(name, slot);
        self.journal.entry(name.clone()).or_insert(before);
    }

    fn set(&mut self, name: &Username, slot: Option<Slot>) -> Option<Slot> {
        let before = self.slots.remove(name);
        if let Some(from) = before.as_ref().and_then(|slot| slot.spare_from) {
            self.spare.remove(&(from, name.clone()));
        }
        let shows = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.has_key() || !slot.has_left());
        match (shows(&before), shows(&slot)) {
            (false, true) => self.shapes.add(name),
            (true, false) => self.shapes.remove(name),
            _ => {}
        }
        if let Some(slot) = slot {
            self.slots.insert(name.clone(), Slot { spare_from: None, ..slot });
            self.file_as_spare(name);
        }
        before
    }

    /// Notes when a name can make room.
    pub(super) fn file_as_spare(&mut self, name: &Username) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        if let Some(from) = slot.spare_from.take() {
            self.spare.remove(&(from, name.clone()));
        }
        let from = if slot.has_left() { slot.last_heartbeat } else { slot.alive_until };
        let from = from.max(slot.owned_until(&self.rules));
        slot.spare_from = Some(from);
        self.spare.insert((from, name.clone()));
    }
}
