//! The rules of a tracker, and nothing else: who may have which name, who may keep it and who may take it back. Pure: the
//! time and every secret are arguments, nothing is awaited, and nothing is durable before the caller has made it so.
//!
//! Decisions are taken one after the other and stand at once, so that the next one sees them; [`Registry::unsaved`] tells
//! what to keep, and [`Registry::settle`] or [`Registry::undo`] ends the turn.

mod journal;
mod listing;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Wall;
use crate::identity::Username;
use crate::record::SignedRecord;
use crate::storage::RegistrySnapshot;

use super::{Claim, ClassicClaim, LeaseAction, LeaseProof, Registration, SignedClaim, TrackerError, TrackerId};

pub use journal::Unsaved;
pub use listing::{Listed, Listing};

use names::Shapes;

/// How far the clock may fall back before that is taken for a correction: less happens by itself between two readings.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// What a tracker can be told to do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a registration is listed after its last beat.
    pub ttl: Duration,
    /// The most registrations, listed or not.
    pub max_registrations: usize,
    /// How long a key owns a name after its last beat.
    pub name_ttl: Duration,
    /// Whether names are listed for those alone who sign.
    pub require_signed: bool,
}

/// What a claim that was granted gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The registration as it stands now.
    pub registration: Registration,
    /// The secret of the lease; `None` when nobody owns the name, and when the same claim was granted before.
    pub secret: Option<[u8; 32]>,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment").field("registration", &self.registration).finish_non_exhaustive()
    }
}

/// All registrations of a tracker.
#[derive(Debug)]
pub struct Registry {
    tracker_id: TrackerId,
    rules: Rules,
    slots: BTreeMap<Username, Slot>,
    /// What the names look like that are held, or would be again with a beat.
    shapes: Shapes,
    /// All names, by when they can make room for others; may be early, never late.
    spare: BTreeSet<(Wall, Username)>,
    /// What the names were like that changed in this turn; `None` for those that are new.
    journal: BTreeMap<Username, Option<Slot>>,
    next_id: i64,
    clock: Wall,
}

/// One name, listed or not.
#[derive(Debug, Clone)]
struct Slot {
    /// All but the time of the last beat, which changes too often to be copied around.
    registration: Arc<Registration>,
    last_heartbeat: Wall,
    alive_until: Wall,
    lease: Option<LeaseState>,
    /// When this name stands in `spare`, if it does.
    spare_from: Option<Wall>,
}

#[derive(Clone, Copy)]
struct LeaseState {
    secret: [u8; 32],
    /// The highest counter that was used.
    counter: u64,
}

impl std::fmt::Debug for LeaseState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseState").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl Slot {
    fn record(&self) -> Option<&SignedRecord> {
        self.registration.record.as_ref()
    }

    /// Whether a key has claimed the name, now or long ago.
    fn has_key(&self) -> bool {
        self.registration.record.is_some()
    }

    /// Until when a key owns the name unless it uses it again; the beginning of time for a name without a key.
    fn owned_until(&self, rules: &Rules) -> Wall {
        if self.has_key() { self.last_heartbeat.plus(rules.name_ttl) } else { Wall::default() }
    }

    fn has_left(&self) -> bool {
        !self.registration.is_active
    }

    fn is_active(&self, now: Wall) -> bool {
        !self.has_left() && now < self.alive_until
    }

    /// Whether nobody else may come near the name.
    fn is_held(&self, rules: &Rules, now: Wall) -> bool {
        now < self.owned_until(rules) || self.is_active(now)
    }

    fn is_at(&self, claim: &ClassicClaim) -> bool {
        self.registration.host == claim.host() && self.registration.port == claim.port()
    }

    /// The registration as it is kept: `is_active` says only that it has not left.
    fn stored(&self) -> Registration {
        Registration { last_heartbeat: self.last_heartbeat, ..(*self.registration).clone() }
    }
}

impl Registry {
    /// The registry that was kept. Every registration that has not left counts as listed for one TTL from now, because
    /// its beats were kept late and could not reach a tracker that was down.
    pub fn new(snapshot: RegistrySnapshot, rules: Rules, now: Wall) -> Self {
        let mut registry = Self {
            tracker_id: TrackerId(snapshot.tracker_id),
            rules,
            slots: BTreeMap::new(),
            shapes: Shapes::default(),
            spare: BTreeSet::new(),
            journal: BTreeMap::new(),
            next_id: 1,
            clock: now,
        };
        for registration in snapshot.registrations {
            let name = registration.username.clone();
            registry.restore(&name, Some(registration), now.plus(rules.ttl));
        }
        while registry.slots.len() > rules.max_registrations && registry.make_room(now) {}
        registry
    }

    /// By which id claims must name this tracker.
    pub const fn tracker_id(&self) -> TrackerId {
        self.tracker_id
    }

    /// How many names are kept, listed or not.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no name is kept.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Decides a claim. `secret` becomes the lease's if the claim starts one; it must be fresh and random.
    ///
    /// # Errors
    /// As for [`Tracker::register`](super::Tracker::register).
    pub fn enrol(&mut self, claim: &Claim, secret: [u8; 32], now: Wall) -> Result<Enrolment, TrackerError> {
        self.follow(now);
        match claim {
            Claim::Classic(claim) => self.enrol_classic(claim, now),
            Claim::Signed(claim) => self.enrol_signed(claim, secret, now),
        }
    }

    fn enrol_classic(&mut self, claim: &ClassicClaim, now: Wall) -> Result<Enrolment, TrackerError> {
        let name = claim.username();
        if self.rules.require_signed {
            return Err(TrackerError::SignatureRequired { name: name.clone() });
        }
        let slot = self.slots.get(name);
        match slot {
            Some(slot) if slot.has_key() && slot.is_held(&self.rules, now) => {
                return Err(TrackerError::ProofRequired { name: name.clone() });
            }
            Some(slot) if slot.is_active(now) && !slot.is_at(claim) => {
                return Err(TrackerError::NameTaken { name: name.clone() });
            }
            Some(slot) if slot.is_active(now) => {}
            Some(_) | None => self.clear_the_way(name, now)?,
        }
        let (host, port) = (claim.host().to_owned(), claim.port());
        Ok(Enrolment { registration: self.take(name, host, port, None, None, now), secret: None })
    }

    fn enrol_signed(&mut self, claim: &SignedClaim, secret: [u8; 32], now: Wall) -> Result<Enrolment, TrackerError> {
        if claim.tracker() != self.tracker_id {
            return Err(TrackerError::WrongTracker);
        }
        let signed = claim.record();
        let record = signed.record();
        let name = &record.username;
        let slot = self.slots.get(name);
        match slot.map(|slot| (slot, slot.record())) {
            Some((slot, Some(known))) if known.record().peer_id == record.peer_id => {
                if known == signed && slot.is_active(now) {
                    // Whoever saw this claim on its way can send it again: it must neither keep the name alive nor
                    // bring a secret.
                    let registration = slot.stored();
                    return Ok(Enrolment { registration, secret: None });
                }
                if record.seq <= known.record().seq {
                    return Err(TrackerError::RecordStale { known: known.record().seq });
                }
                if !slot.is_held(&self.rules, now) {
                    // A look-alike may have come in the meantime.
                    self.clear_the_way(name, now)?;
                }
            }
            Some((slot, _)) if slot.is_held(&self.rules, now) => {
                return Err(TrackerError::NameTaken { name: name.clone() });
            }
            Some(_) | None => self.clear_the_way(name, now)?,
        }
        let (host, port) = address_of(signed);
        let lease = LeaseState { secret, counter: 0 };
        let registration = self.take(name, host, port, Some(signed.clone()), Some(lease), now);
        Ok(Enrolment { registration, secret: Some(secret) })
    }

    /// Makes sure that a name which nobody holds can be given away: no look-alike holds on to its own, and there is room.
    fn clear_the_way(&mut self, name: &Username, now: Wall) -> Result<(), TrackerError> {
        let mut expired = Vec::new();
        for other in self.shapes.like(name) {
            let Some(slot) = self.slots.get(&other) else { continue };
            if slot.is_held(&self.rules, now) {
                return Err(TrackerError::NameConfusable { name: name.clone(), other });
            }
            expired.push(other);
        }
        if !self.slots.contains_key(name) && self.slots.len() >= self.rules.max_registrations && !self.make_room(now) {
            return Err(TrackerError::Full);
        }
        // A beat would bring these back beside their look-alike.
        for other in expired {
            self.leave_name(&other);
        }
        Ok(())
    }

    fn take(
        &mut self,
        name: &Username,
        host: String,
        port: u16,
        record: Option<SignedRecord>,
        lease: Option<LeaseState>,
        now: Wall,
    ) -> Registration {
        let id = self.slots.get(name).map_or(self.next_id, |slot| slot.registration.id);
        if id == self.next_id {
            // Never taken back, even if the turn fails: the store may have kept what it said it had not.
            self.next_id = self.next_id.saturating_add(1);
        }
        let registration =
            Registration { id, username: name.clone(), host, port, is_active: true, last_heartbeat: now, record };
        let slot = Slot {
            registration: Arc::new(registration.clone()),
            last_heartbeat: now,
            alive_until: now.plus(self.rules.ttl),
            lease,
            spare_from: None,
        };
        self.change(name, Some(slot));
        registration
    }

    /// Decides a beat: the registration is listed for another TTL. Beats need not be kept at once.
    ///
    /// # Errors
    /// [`TrackerError::Unknown`], [`ProofRequired`](TrackerError::ProofRequired), [`ProofInvalid`](TrackerError::ProofInvalid).
    pub fn beat(&mut self, name: &Username, proof: Option<LeaseProof>, now: Wall) -> Result<(), TrackerError> {
        self.follow(now);
        self.let_in(name)?;
        let slot = permitted(&mut self.slots, name, proof, LeaseAction::Heartbeat)?;
        slot.last_heartbeat = now;
        slot.alive_until = now.plus(self.rules.ttl);
        Ok(())
    }

    /// Decides a farewell: the registration is no longer listed. Who owns the name goes on owning it.
    ///
    /// # Errors
    /// As for [`beat`](Self::beat).
    pub fn leave(&mut self, name: &Username, proof: Option<LeaseProof>, now: Wall) -> Result<(), TrackerError> {
        self.follow(now);
        self.let_in(name)?;
        permitted(&mut self.slots, name, proof, LeaseAction::Unregister)?;
        self.leave_name(name);
        Ok(())
    }

    /// Frees a name, whoever owns it: its operator wants it so.
    pub fn release(&mut self, name: &Username) {
        if self.slots.contains_key(name) {
            self.change(name, None);
        }
    }

    /// Turns those away who do not sign, where all must.
    fn let_in(&self, name: &Username) -> Result<(), TrackerError> {
        match self.slots.get(name) {
            Some(slot) if self.rules.require_signed && !slot.has_key() => {
                Err(TrackerError::SignatureRequired { name: name.clone() })
            }
            _ => Ok(()),
        }
    }

    fn leave_name(&mut self, name: &Username) {
        let Some(mut slot) = self.slots.get(name).cloned() else { return };
        slot.registration = Arc::new(Registration { is_active: false, ..(*slot.registration).clone() });
        slot.lease = None;
        self.change(name, Some(slot));
    }

    /// Drops the name that nobody holds and that has been away the longest. False when there is none.
    fn make_room(&mut self, now: Wall) -> bool {
        while let Some((from, name)) = self.spare.first().cloned() {
            if from > now {
                return false;
            }
            match self.slots.get(&name) {
                Some(slot) if slot.is_held(&self.rules, now) => self.file_as_spare(&name),
                Some(_) => {
                    self.change(&name, None);
                    return true;
                }
                None => {
                    self.spare.pop_first();
                }
            }
        }
        false
    }

    /// A clock that was set back would keep everybody alive until it has caught up.
    fn follow(&mut self, now: Wall) {
        if now.plus(CLOCK_SLACK) < self.clock {
            let latest = now.plus(self.rules.ttl);
            for slot in self.slots.values_mut() {
                slot.alive_until = slot.alive_until.min(latest);
            }
            let names: Vec<Username> = self.spare.iter().map(|(_, name)| name.clone()).collect();
            for name in names {
                self.file_as_spare(&name);
            }
        }
        self.clock = now;
    }
}

/// The registration that this beat or farewell may act on. A proof is used up by being looked at and found good.
fn permitted<'a>(
    slots: &'a mut BTreeMap<Username, Slot>,
    name: &Username,
    proof: Option<LeaseProof>,
    action: LeaseAction,
) -> Result<&'a mut Slot, TrackerError> {
    let unknown = || TrackerError::Unknown { name: name.clone() };
    let slot = slots.get_mut(name).ok_or_else(unknown)?;
    if slot.has_key() {
        let proof = proof.ok_or_else(|| TrackerError::ProofRequired { name: name.clone() })?;
        let lease = slot.lease.as_mut().ok_or_else(unknown)?;
        if proof.counter <= lease.counter || !proof.holds(&lease.secret, action, name) {
            return Err(TrackerError::ProofInvalid);
        }
        lease.counter = proof.counter;
    }
    if slot.has_left() { Err(unknown()) } else { Ok(slot) }
}

/// The address under which a record is listed for those who know hosts and ports only.
pub(crate) fn address_of(record: &SignedRecord) -> (String, u16) {
    let Some(first) = record.record().endpoints.first() else { return (String::new(), 0) };
    let host = match (first.host(), first.name()) {
        (Some(crate::record::Host::Ip(ip)), _) => ip.to_string(),
        (Some(crate::record::Host::Name(name)), _) => name.clone(),
        (None, name) => name.unwrap_or_default().to_owned(),
    };
    (host, first.port().unwrap_or(0))
}

#[cfg(test)]
mod owners;
#[cfg(test)]
mod tests;
