//! A profile in memory. [`ProfileData`] is the plain data with the rules of [`Change`], for the simulator, which copies
//! it to put an old database back; [`MemoryProfile`] is the port around it.

mod port;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use crate::crypto::{Ciphertext, KeyRow, KeyRowId};
use crate::identity::{PeerId, Username};
use crate::message::{Author, Entry, EntryId, Epoch, LogHash, Place, Position};
use crate::storage::heads::{Heads, damaged};
use crate::storage::{
    Change, Committed, Contact, ConversationQuery, EpochLog, HistoryQuery, LoadLimit, LoggedEntry, Logs,
    MAX_HISTORY_PAGE, Request, Snapshot, StorageError, StoredConversations, StoredMessage, Unacknowledged,
};

pub use port::MemoryProfile;
use undo::Undo;

/// All that a profile holds, as data. Nothing here costs more than the logarithm of what is held, but for copying it,
/// [`snapshot`](Self::snapshot), which costs what it brings, and [`conversations`](Self::conversations), which looks at
/// every contact.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProfileData {
    contacts: BTreeMap<PeerId, Contact>,
    talks: BTreeMap<PeerId, Talk>,
    /// Every entry by its ordinal: the order in which they were first committed here.
    entries: BTreeMap<u64, Held>,
    /// Who ever held an entry of this id, erased ones too. Ids are random, so that a second holder is a broadcast or
    /// mischief.
    by_id: BTreeMap<EntryId, BTreeMap<(PeerId, Author), u64>>,
    /// The ids of those of my entries that were erased, by their ordinals.
    erased: BTreeMap<u64, EntryId>,
    requests: BTreeMap<PeerId, Request>,
    hides_reading: bool,
    /// The last ordinal that was given out. Never falls, so that an erased entry's is not given out again.
    last: u64,
    seq: u64,
    keys: BTreeMap<KeyRowId, KeyRow>,
}

/// One conversation; the numbers are ordinals.
#[derive(Clone, Default, PartialEq, Eq)]
struct Talk {
    heads: Heads,
    all: BTreeSet<u64>,
    queued: BTreeSet<u64>,
    queued_bytes: u64,
    /// By their places; what an erased one leaves behind is its hash.
    placed: BTreeMap<(Epoch, u64), (LogHash, u64)>,
    /// As what those were sent that are not acknowledged.
    ciphertexts: BTreeMap<(Epoch, u64), Ciphertext>,
}

#[derive(Clone, PartialEq, Eq)]
struct Held {
    peer: PeerId,
    author: Author,
    entry: Entry,
    place: Option<Position>,
}

impl ProfileData {
    /// Applies the changes in order; all, or none.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when a change contradicts what is held.
    pub fn apply(&mut self, changes: &[Change]) -> Result<Committed, StorageError> {
        let (last, seq, hides_reading, mut undo) = (self.last, self.seq, self.hides_reading, Undo::default());
        let mut committed = Committed::default();
        for change in changes {
            if let Err(error) = self.apply_one(change, last, &mut undo, &mut committed) {
                self.roll_back(last, undo);
                (self.seq, self.hides_reading) = (seq, hides_reading);
                return Err(error);
            }
        }
        Ok(committed)
    }

    /// All but the entries: contacts and logs by key.
    pub fn snapshot(&self) -> Snapshot {
        let logs = self.talks.iter().filter_map(|(peer, talk)| self.logs(*peer, talk));
        Snapshot {
            contacts: self.contacts.values().cloned().collect(),
            logs: logs.collect(),
            seq: self.seq,
            keys: self.keys.values().cloned().collect(),
            requests: self.requests.values().cloned().collect(),
            hides_reading: self.hides_reading,
        }
    }

    /// As [`ProfileStore::queued`](crate::storage::ProfileStore::queued).
    pub fn queued(&self, peer: PeerId, limit: LoadLimit) -> Vec<Entry> {
        let queued = self.talks.get(&peer).into_iter().flat_map(|talk| &talk.queued);
        let entries = queued.filter_map(|ordinal| self.entries.get(ordinal)).map(|held| held.entry.clone());
        limit.take(entries, Entry::weight)
    }

    /// As [`ProfileStore::logged`](crate::storage::ProfileStore::logged).
    pub fn logged(&self, peer: PeerId, epoch: Epoch, range: RangeInclusive<u64>, limit: LoadLimit) -> Vec<LoggedEntry> {
        let (Some(talk), false) = (self.talks.get(&peer), range.is_empty()) else { return Vec::new() };
        let placed = talk.placed.range((epoch, *range.start())..=(epoch, *range.end()));
        let logged = placed.map(|(place, (hash, ordinal))| {
            let entry = self.entries.get(ordinal).map(|held| held.entry.clone());
            LoggedEntry { n: place.1, hash: *hash, entry, ciphertext: talk.ciphertexts.get(place).cloned() }
        });
        limit.take(logged, |logged| logged.entry.as_ref().map_or(0, Entry::weight))
    }

    /// As [`ProfileStore::history`](crate::storage::ProfileStore::history).
    ///
    /// # Errors
    /// [`StorageError::UnknownMessage`] when `before` names no message.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        let before = match query.before {
            Some(id) => self.ordinal_of(id, query.peers.as_ref()).ok_or(StorageError::UnknownMessage(id))?,
            None => u64::MAX,
        };
        let limit = query.limit.clamp(1, MAX_HISTORY_PAGE);
        let mut page: Vec<u64> = match &query.peers {
            None => self.entries.range(..before).rev().map(|(ordinal, _)| *ordinal).take(limit).collect(),
            Some(peers) => {
                let talks = peers.iter().filter_map(|peer| self.talks.get(peer));
                talks.flat_map(|talk| talk.all.range(..before).rev().take(limit).copied()).collect()
            }
        };
        page.sort_unstable();
        page.drain(..page.len().saturating_sub(limit));
        Ok(page.iter().filter_map(|ordinal| self.entries.get(ordinal)).map(|held| self.shown(held)).collect())
    }

    /// As [`ProfileStore::received`](crate::storage::ProfileStore::received).
    pub fn received(&self, id: EntryId) -> Vec<(PeerId, Place)> {
        let theirs = self.by_id.get(&id).into_iter().flatten().filter(|((_, author), _)| *author == Author::Them);
        let held = theirs.filter_map(|(_, ordinal)| self.entries.get(ordinal));
        held.filter_map(|held| held.place.map(|Position { epoch, n, .. }| (held.peer, Place { epoch, n }))).collect()
    }

    /// As [`ProfileStore::conversations`](crate::storage::ProfileStore::conversations).
    ///
    /// # Errors
    /// [`StorageError::UnknownMessage`] when `before` names no message.
    pub fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        let before = match query.before {
            Some(id) => self.ordinal_of(id, None).ok_or(StorageError::UnknownMessage(id))?,
            None => u64::MAX,
        };
        // By name: the newest ordinal under any of its keys, and whether one of them is not forgotten.
        let mut names: BTreeMap<&Username, (Option<u64>, bool)> = BTreeMap::new();
        for contact in self.contacts.values() {
            let newest = self.talks.get(&contact.peer_id).and_then(|talk| talk.all.last().copied());
            let name = names.entry(&contact.name).or_default();
            *name = (name.0.max(newest), name.1 || !contact.forgotten);
        }
        let newest: BTreeSet<u64> = names.values().filter_map(|(newest, _)| *newest).collect();
        let older = newest.range(..before).rev().filter_map(|ordinal| self.entries.get(ordinal));
        let messages = older.clone().map(|held| self.shown(held));
        let messages = query.limit.take(messages, |message| message.entry.weight());
        let silent = names.iter().filter(|(_, (newest, known))| newest.is_none() && *known);
        let silent = (messages.len() == older.count()).then(|| silent.map(|(name, _)| (*name).clone()).collect());
        Ok(StoredConversations { newest: messages, silent })
    }

    /// Forgets what an entry of theirs says, or one of mine that they have acknowledged. Its number and hash stay in
    /// the log, and its id stays known, so that it is not taken for a new one when it comes again. Returns whether there
    /// was one.
    pub fn erase(&mut self, peer: PeerId, id: EntryId) -> bool {
        let ordinals: Vec<u64> = [Author::Me, Author::Them]
            .iter()
            .filter_map(|author| self.by_id.get(&id)?.get(&(peer, *author)).copied())
            .filter(|ordinal| self.entries.get(ordinal).is_some_and(|held| self.shown(held).acknowledged))
            .collect();
        for ordinal in &ordinals {
            if let Some(held) = self.entries.remove(ordinal).filter(|held| held.author == Author::Me) {
                self.erased.insert(*ordinal, held.entry.id);
            }
            if let Some(talk) = self.talks.get_mut(&peer) {
                talk.all.remove(ordinal);
            }
        }
        !ordinals.is_empty()
    }

    /// Whether it says what this entry says: it was kept here, and not erased.
    pub fn holds(&self, peer: PeerId, author: Author, id: EntryId) -> bool {
        self.ordinal(peer, author, id).is_some_and(|ordinal| self.entries.contains_key(&ordinal))
    }

    /// Where the log of this peer stands here, one position for each epoch, oldest first.
    pub fn positions(&self, peer: PeerId) -> &[Position] {
        self.talks.get(&peer).map_or(&[], |talk| &talk.heads.theirs)
    }

    /// The log that is written to this peer, oldest epoch first.
    pub fn my_epochs(&self, peer: PeerId) -> &[EpochLog] {
        self.talks.get(&peer).map_or(&[], |talk| &talk.heads.mine)
    }

    /// Up to where the log of this peer was read here, as far as they may know.
    pub fn read(&self, peer: PeerId) -> Option<Place> {
        self.talks.get(&peer).and_then(|talk| talk.heads.read)
    }

    fn apply_one(
        &mut self,
        change: &Change,
        before: u64,
        undo: &mut Undo,
        committed: &mut Committed,
    ) -> Result<(), StorageError> {
        match change {
            Change::Contact(contact) => {
                let old = self.contacts.insert(contact.peer_id, contact.clone());
                undo.contacts.push((contact.peer_id, old));
            }
            Change::Seq(seq) => self.seq = self.seq.max(*seq),
            Change::Keys(row) => {
                let old = self.keys.insert(row.id, row.clone());
                undo.keys.push((row.id, old));
            }
            Change::Encrypted { peer, epoch, n, ciphertext } => {
                let talk = self.touch(*peer, undo);
                if !talk.heads.mine.iter().any(|log| log.epoch == *epoch && *n <= log.head) {
                    return Err(damaged("what is encrypted has no place in my log"));
                }
                self.keep(*peer, (*epoch, *n), Some(ciphertext), undo);
            }
            Change::Queue { peer, entry, place, ciphertext } => {
                if self.ordinal(*peer, Author::Me, entry.id).is_some() {
                    return Err(damaged("an entry is queued twice"));
                }
                let talk = self.touch(*peer, undo);
                if let Some(place) = place {
                    if !talk.queued.is_empty() {
                        return Err(damaged("an entry overtakes one that was queued before it"));
                    }
                    talk.heads.place(*place)?;
                }
                self.insert(Held { peer: *peer, author: Author::Me, entry: entry.clone(), place: *place });
                if let Some(place) = place {
                    self.keep(*peer, (place.epoch, place.n), ciphertext.as_ref(), undo);
                }
            }
            Change::Place { peer, id, place, ciphertext } => {
                let ordinal = self.ordinal(*peer, Author::Me, *id).ok_or_else(|| damaged("no entry has this id"))?;
                let talk = self.touch(*peer, undo);
                if talk.queued.first() != Some(&ordinal) {
                    return Err(damaged("an entry is placed that is not the next one in the queue"));
                }
                talk.heads.place(*place)?;
                undo.places.push((ordinal, self.put(ordinal, Some(*place))));
                self.keep(*peer, (place.epoch, place.n), ciphertext.as_ref(), undo);
            }
            Change::Acknowledged { peer, position } => {
                let talk = self.touch(*peer, undo);
                talk.heads.acknowledge(*position)?;
                let arrived = talk.ciphertexts.range((position.epoch, 0)..=(position.epoch, position.n));
                let arrived: Vec<_> = arrived.map(|(place, _)| *place).collect();
                arrived.into_iter().for_each(|place| self.keep(*peer, place, None, undo));
            }
            Change::Received { peer, entry, position } => {
                self.touch(*peer, undo).heads.advance(*position)?;
                match self.ordinal(*peer, Author::Them, entry.id) {
                    None => {
                        let place = Some(*position);
                        self.insert(Held { peer: *peer, author: Author::Them, entry: entry.clone(), place });
                    }
                    Some(held) if held <= before => {
                        committed.repeated.insert((*peer, entry.id));
                    }
                    // Came twice within this commit: nobody was told of it yet.
                    Some(_) => {}
                }
            }
            Change::Skipped { peer, position } => self.touch(*peer, undo).heads.advance(*position)?,
            Change::Request(request) => {
                let old = self.requests.insert(request.peer_id, request.clone());
                undo.requests.push((request.peer_id, old));
            }
            Change::RequestGone(peer) => undo.requests.push((*peer, self.requests.remove(peer))),
            Change::Erase(peer) => self.erase_all(*peer, undo),
            Change::ReadByThem { peer, place } => {
                let talk = self.touch(*peer, undo);
                talk.heads.read_by_them(*place)?;
                let ordinal = talk.placed.get(&(place.epoch, place.n)).map(|(_, ordinal)| *ordinal);
                let id = ordinal.and_then(|ordinal| self.id_of(ordinal));
                committed.read.extend(id.map(|id| (*peer, id)));
            }
            Change::ReadByMe { peer, place } => self.touch(*peer, undo).heads.read_by_me(*place)?,
            Change::HidesReading(hides) => self.hides_reading = *hides,
            Change::Mailed { peer, place, at } => self.touch(*peer, undo).heads.mail(*place, *at)?,
        }
        Ok(())
    }

    /// Keeps as what an entry of mine was sent, unless it has arrived; forgets it for `None`.
    fn keep(&mut self, peer: PeerId, place: (Epoch, u64), ciphertext: Option<&Ciphertext>, undo: &mut Undo) {
        let Some(talk) = self.talks.get_mut(&peer) else { return };
        let old = match ciphertext.filter(|_| !talk.heads.has_acknowledged(place.0, place.1)) {
            Some(ciphertext) => talk.ciphertexts.insert(place, ciphertext.clone()),
            None => talk.ciphertexts.remove(&place),
        };
        undo.ciphertexts.push((peer, place, old));
    }

    fn erase_all(&mut self, peer: PeerId, undo: &mut Undo) {
        let all: Vec<u64> = self.talks.get(&peer).map(|talk| talk.all.iter().copied().collect()).unwrap_or_default();
        for ordinal in all {
            let Some(held) = self.entries.get(&ordinal).cloned() else { continue };
            if held.place.is_none() {
                self.remove(ordinal);
            } else {
                self.entries.remove(&ordinal);
                self.erased.insert(ordinal, held.entry.id);
                if let Some(talk) = self.talks.get_mut(&peer) {
                    talk.all.remove(&ordinal);
                }
            }
            undo.erased.push((ordinal, held));
        }
        // What was erased is not to be sent any more either.
        let sent = self.talks.get(&peer).map(|talk| talk.ciphertexts.keys().copied().collect::<Vec<_>>());
        sent.unwrap_or_default().into_iter().for_each(|place| self.keep(peer, place, None, undo));
    }

    fn touch(&mut self, peer: PeerId, undo: &mut Undo) -> &mut Talk {
        let old = self.talks.get(&peer).map(|talk| &talk.heads);
        undo.heads.entry(peer).or_insert_with(|| old.cloned());
        self.talks.entry(peer).or_default()
    }

    fn insert(&mut self, held: Held) {
        self.last += 1;
        self.restore(self.last, held);
    }

    fn remove(&mut self, ordinal: u64) {
        let Some(held) = self.entries.remove(&ordinal) else { return };
        if let Some(holders) = self.by_id.get_mut(&held.entry.id) {
            holders.remove(&(held.peer, held.author));
            if holders.is_empty() {
                self.by_id.remove(&held.entry.id);
            }
        }
        if let Some(talk) = self.talks.get_mut(&held.peer) {
            talk.all.remove(&ordinal);
            talk.forget(ordinal, &held);
        }
    }

    /// Gives an entry of mine a place, or takes it away. Returns the place it had.
    fn put(&mut self, ordinal: u64, place: Option<Position>) -> Option<Position> {
        let held = self.entries.get_mut(&ordinal)?;
        let talk = self.talks.entry(held.peer).or_default();
        talk.forget(ordinal, held);
        let old = std::mem::replace(&mut held.place, place);
        talk.index(ordinal, held);
        old
    }

    /// The id of an entry of mine that has a place, be it erased.
    fn id_of(&self, ordinal: u64) -> Option<EntryId> {
        self.entries.get(&ordinal).map(|held| held.entry.id).or_else(|| self.erased.get(&ordinal).copied())
    }

    fn ordinal(&self, peer: PeerId, author: Author, id: EntryId) -> Option<u64> {
        self.by_id.get(&id)?.get(&(peer, author)).copied()
    }

    /// Where the message of this id stands; the oldest of several, those within the query first.
    fn ordinal_of(&self, id: EntryId, peers: Option<&BTreeSet<PeerId>>) -> Option<u64> {
        let there = |ordinal: &u64| self.entries.contains_key(ordinal);
        let holders = self.by_id.get(&id)?;
        let asked = holders.iter().filter(|((peer, _), _)| peers.is_none_or(|peers| peers.contains(peer)));
        let asked = asked.map(|(_, ordinal)| *ordinal).filter(there).min();
        asked.or_else(|| holders.values().copied().filter(there).min())
    }

    fn shown(&self, held: &Held) -> StoredMessage {
        let place = held.place.map(|place| (place.epoch, place.n));
        let heads = self.talks.get(&held.peer).map(|talk| &talk.heads);
        let got = |as_far: fn(&Heads, Epoch, u64) -> bool| {
            heads.zip(place).is_some_and(|(heads, (epoch, n))| as_far(heads, epoch, n))
        };
        let acknowledged = held.author == Author::Them || got(Heads::has_acknowledged);
        let read = held.author == Author::Me && got(Heads::has_read);
        let mailed = held.author == Author::Me && got(Heads::has_mailed);
        let entry = held.entry.clone();
        StoredMessage { peer: held.peer, author: held.author, entry, place, acknowledged, read, mailed }
    }

    fn logs(&self, peer: PeerId, talk: &Talk) -> Option<Logs> {
        let Heads { mine, theirs, read } = talk.heads.clone();
        if mine.is_empty() && theirs.is_empty() && talk.queued.is_empty() {
            return None;
        }
        let unacknowledged = mine.last().map_or_else(Vec::new, |last| {
            let after = (last.epoch, last.acknowledged.saturating_add(1))..=(last.epoch, u64::MAX);
            let open = talk.placed.range(after).filter_map(|((_, n), (hash, ordinal))| {
                let weight = self.entries.get(ordinal).map_or(0, |held| held.entry.weight());
                Some(Unacknowledged { id: self.id_of(*ordinal)?, n: *n, hash: *hash, weight })
            });
            open.collect()
        });
        Some(Logs { peer, mine, unacknowledged, queued: (talk.queued.len() as u64, talk.queued_bytes), theirs, read })
    }
}

impl Talk {
    fn index(&mut self, ordinal: u64, held: &Held) {
        match (held.author, held.place) {
            (Author::Them, _) => {}
            (Author::Me, Some(place)) => drop(self.placed.insert((place.epoch, place.n), (place.hash, ordinal))),
            (Author::Me, None) => {
                self.queued.insert(ordinal);
                self.queued_bytes += held.entry.weight() as u64;
            }
        }
    }

    fn forget(&mut self, ordinal: u64, held: &Held) {
        match (held.author, held.place) {
            (Author::Them, _) => {}
            (Author::Me, Some(place)) => drop(self.placed.remove(&(place.epoch, place.n))),
            (Author::Me, None) => {
                self.queued.remove(&ordinal);
                self.queued_bytes -= held.entry.weight() as u64;
            }
        }
    }
}

impl fmt::Debug for ProfileData {
    /// Counts only: what people wrote belongs into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileData")
            .field("contacts", &self.contacts.len())
            .field("entries", &self.entries.len())
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}
