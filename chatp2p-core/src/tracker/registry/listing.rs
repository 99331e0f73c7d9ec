//! What everybody may see: the registrations that are durable, have not left and have not expired. It stands beside the
//! registry, so that reading never waits for a decision that is still being made durable, and never shows one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Wall;
use crate::identity::Username;
use crate::tracker::{Page, PeerQuery, Registration};

use super::CLOCK_SLACK;

/// The listed names, in the order of their Unicode scalar values.
#[derive(Debug)]
pub struct Listing {
    ttl: Duration,
    listed: BTreeMap<String, Entry>,
    /// When to look at which name; may be early, never late.
    deadlines: BTreeSet<(Wall, String)>,
    total: usize,
    version: u64,
    clock: Wall,
}

/// A registration that is listed until it expires.
#[derive(Debug, Clone)]
pub struct Listed {
    /// All but the time of the last beat.
    pub registration: Arc<Registration>,
    /// When it was last heard of.
    pub last_heartbeat: Wall,
    /// When it expires.
    pub alive_until: Wall,
}

#[derive(Debug)]
struct Entry {
    listed: Listed,
    deadline: Wall,
}

impl Listed {
    /// The registration as it is shown.
    pub fn registration(&self) -> Registration {
        Registration { last_heartbeat: self.last_heartbeat, is_active: true, ..(*self.registration).clone() }
    }
}

impl Listing {
    /// An empty listing. `version` is the first number of [`version`](Self::version).
    pub const fn new(ttl: Duration, version: u64, now: Wall) -> Self {
        Self { ttl, listed: BTreeMap::new(), deadlines: BTreeSet::new(), total: 0, version, clock: now }
    }

    /// Shows a name as it stands now; `None` takes it off the list.
    pub fn show(&mut self, name: &Username, listed: Option<Listed>, now: Wall) {
        let listed = listed.filter(|listed| now < listed.alive_until);
        match (self.listed.get_mut(name.as_str()), listed) {
            (Some(entry), Some(listed)) => {
                if !Arc::ptr_eq(&entry.listed.registration, &listed.registration)
                    && differ(&entry.listed.registration, &listed.registration)
                {
                    self.version = self.version.wrapping_add(1);
                }
                let earlier = listed.alive_until < entry.deadline;
                entry.listed = listed;
                if earlier {
                    self.await_expiry(name.as_str());
                }
            }
            (None, Some(listed)) => {
                let deadline = listed.alive_until;
                self.listed.insert(name.as_str().to_owned(), Entry { listed, deadline });
                self.deadlines.insert((deadline, name.as_str().to_owned()));
                self.version = self.version.wrapping_add(1);
            }
            (Some(_), None) => self.remove(name.as_str()),
            (None, None) => {}
        }
    }

    /// Notes how many names are kept, listed or not.
    pub const fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    /// Whether [`advance`](Self::advance) has anything to do.
    pub fn is_due(&self, now: Wall) -> bool {
        self.deadlines.first().is_some_and(|(deadline, _)| *deadline <= now) || self.was_set_back(now)
    }

    /// Takes what has expired off the list.
    pub fn advance(&mut self, now: Wall) {
        if self.was_set_back(now) {
            let latest = now.plus(self.ttl);
            let names: Vec<String> = self.listed.keys().cloned().collect();
            for name in names {
                if let Some(entry) = self.listed.get_mut(&name) {
                    entry.listed.alive_until = entry.listed.alive_until.min(latest);
                }
                self.await_expiry(&name);
            }
        }
        self.clock = now;
        while let Some((deadline, name)) = self.deadlines.first().cloned() {
            if deadline > now {
                break;
            }
            if self.listed.get(&name).is_some_and(|entry| now < entry.listed.alive_until) {
                self.await_expiry(&name);
            } else {
                self.remove(&name);
                self.deadlines.remove(&(deadline, name));
            }
        }
    }

    fn was_set_back(&self, now: Wall) -> bool {
        now.plus(CLOCK_SLACK) < self.clock
    }

    fn await_expiry(&mut self, name: &str) {
        if let Some(entry) = self.listed.get_mut(name) {
            self.deadlines.remove(&(entry.deadline, name.to_owned()));
            entry.deadline = entry.listed.alive_until;
            self.deadlines.insert((entry.deadline, name.to_owned()));
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(entry) = self.listed.remove(name) {
            self.deadlines.remove(&(entry.deadline, name.to_owned()));
            self.version = self.version.wrapping_add(1);
        }
    }

    /// Who goes by this name. Needs [`advance`](Self::advance) first, as all readings do.
    pub fn find(&self, name: &Username) -> Option<Listed> {
        self.listed.get(name.as_str()).map(|entry| entry.listed.clone())
    }

    /// A page of the list.
    pub fn page(&self, query: &PeerQuery) -> Page<Listed> {
        let prefix = query.prefix.as_deref().unwrap_or("");
        let from = match query.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut rest = self
            .listed
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(_, entry)| &entry.listed)
            .take_while(|listed| listed.registration.username.as_str().starts_with(prefix));
        let items = rest.by_ref().take(query.limit.unwrap_or(usize::MAX)).cloned().collect();
        Page { items, more: rest.next().is_some() }
    }

    /// How many names are kept, listed or not.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// How many names are listed.
    pub fn active(&self) -> usize {
        self.listed.len()
    }

    /// Changes with every change of the list, except that of a `last_heartbeat`.
    pub const fn version(&self) -> u64 {
        self.version
    }
}

/// Whether two registrations are shown differently, whenever they were last heard of.
fn differ(one: &Registration, other: &Registration) -> bool {
    (one.id, &one.host, one.port, &one.record) != (other.id, &other.host, other.port, &other.record)
}
