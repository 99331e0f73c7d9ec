//! Both logs of a conversation: which place comes next, what a position of the other end means, what may be taken.

use std::collections::VecDeque;

use crate::clock::Wall;
use crate::crypto::Ciphertext;
use crate::identity::PeerId;
use crate::message::{Conversation, Entry, EntryId, Epoch, LogHash, Place, Position};
use crate::storage::{EpochLog, Logs, MAX_THEIR_EPOCHS, Mailed, Unacknowledged};

use super::draw::Draw;
use super::wire::{Content, EpochEnd, Letter, LogEntry, MAX_POSITIONS};

/// The most entries that are sent on a link and not yet acknowledged: some ten round trips' worth of the fastest traffic.
pub const MAX_IN_FLIGHT: usize = 1_024;

/// The most bytes that are sent on a link and not yet acknowledged: four of the largest texts.
pub const MAX_IN_FLIGHT_BYTES: usize = 4 << 20;

/// The most entries that wait for one contact: a year of chatting to somebody who is away.
pub const MAX_OUTBOX: u64 = 10_000;

/// The most bytes that wait for one contact.
pub const MAX_OUTBOX_BYTES: u64 = 64 << 20;

/// What a node holds in memory of a conversation: positions and counts, no texts.
#[derive(Debug)]
pub(super) struct Talk {
    conversation: Conversation,
    /// My log. All epochs but the last are wholly acknowledged, and none is empty.
    epochs: Vec<EpochLog>,
    /// Whether the last epoch was begun in an earlier life, and therefore may not grow.
    sealed: bool,
    unacknowledged: VecDeque<Unacknowledged>,
    unacknowledged_bytes: u64,
    queued: u64,
    queued_bytes: u64,
    /// Their log: the last position of each epoch, oldest first.
    theirs: Vec<Position>,
    /// Up to where I have read it, as far as they may know.
    read: Option<Place>,
}

/// A place in my log, with all that stands around an entry there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) epoch: Epoch,
    pub(super) n: u64,
    pub(super) before: Option<LogHash>,
    pub(super) follows: Option<EpochEnd>,
}

impl Slot {
    pub(super) fn letter(self, from: PeerId, to: PeerId, content: Content) -> Letter {
        let Self { epoch, n, before, follows } = self;
        Letter { conversation: Conversation::direct(from, to), from, to, epoch, n, before, follows, content }
    }

    pub(super) fn entry(self, ciphertext: Ciphertext) -> LogEntry {
        let Self { epoch, n, before, follows } = self;
        LogEntry { epoch, n, before, follows, ciphertext }
    }
}

/// The next thing to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Entries that have a place, up to and including `last`.
    Logged {
        epoch: Epoch,
        first: u64,
        last: u64,
    },
    /// Entries that wait for one.
    Queued,
    Nothing,
}

/// What to do with an entry of their log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Next,
    /// It was taken before; this is where its epoch stands.
    Repeat(Position),
    /// Something before it is missing.
    Gap,
}

impl Talk {
    pub(super) fn new(me: PeerId, peer: PeerId) -> Self {
        Self {
            conversation: Conversation::direct(me, peer),
            epochs: Vec::new(),
            sealed: false,
            unacknowledged: VecDeque::new(),
            unacknowledged_bytes: 0,
            queued: 0,
            queued_bytes: 0,
            theirs: Vec::new(),
            read: None,
        }
    }

    pub(super) fn load(me: PeerId, logs: Logs) -> Self {
        let mut talk = Self::new(me, logs.peer);
        talk.sealed = !logs.mine.is_empty();
        talk.epochs = logs.mine;
        talk.unacknowledged_bytes = logs.unacknowledged.iter().map(|entry| entry.weight as u64).sum();
        talk.unacknowledged = logs.unacknowledged.into();
        (talk.queued, talk.queued_bytes) = logs.queued;
        talk.theirs = logs.theirs;
        talk.read = logs.read;
        talk.forget_old_epochs();
        talk
    }

    /// Whether anything waits to be acknowledged.
    pub(super) fn has_outbox(&self) -> bool {
        self.queued > 0 || !self.unacknowledged.is_empty()
    }

    /// Whether this node's user has ever written to them.
    pub(super) fn has_written(&self) -> bool {
        !self.epochs.is_empty() || self.queued > 0
    }

    /// How many entries are not acknowledged, and their bytes.
    pub(super) fn outbox(&self) -> (u64, u64) {
        (self.queued + self.unacknowledged.len() as u64, self.queued_bytes + self.unacknowledged_bytes)
    }

    /// Whether the outbox takes one more entry of this weight.
    pub(super) fn has_room_for(&self, weight: usize) -> bool {
        let (entries, bytes) = self.outbox();
        entries < MAX_OUTBOX && bytes + weight as u64 <= MAX_OUTBOX_BYTES
    }

    pub(super) fn queue(&mut self, weight: usize) {
        self.queued += 1;
        self.queued_bytes += weight as u64;
    }

    /// Takes an entry out of the queue, because it is about to get its place.
    pub(super) fn unqueue(&mut self, weight: usize) {
        self.queued = self.queued.saturating_sub(1);
        self.queued_bytes = self.queued_bytes.saturating_sub(weight as u64);
    }

    /// What was said is erased: what waits for a place is gone, what has one weighs nothing any more.
    pub(super) fn erase(&mut self) {
        (self.queued, self.queued_bytes, self.unacknowledged_bytes) = (0, 0, 0);
        self.unacknowledged.iter_mut().for_each(|entry| entry.weight = 0);
    }

    /// Whether an entry can be given a place now. A new epoch begins only when the one before is wholly acknowledged.
    pub(super) fn can_place(&self) -> bool {
        !self.sealed || self.unacknowledged.is_empty()
    }

    /// The next place of my log. It is taken with [`place`](Self::place).
    pub(super) fn next_slot(&self, draw: &mut Draw) -> Slot {
        match self.epochs.last() {
            Some(log) if !self.sealed => {
                Slot { epoch: log.epoch, n: log.head + 1, before: self.head_hash(), follows: None }
            }
            past => Slot { epoch: draw.epoch(), n: 1, before: None, follows: past.map(EpochEnd::from) },
        }
    }

    /// Gives an entry the next place of my log.
    pub(super) fn place(&mut self, entry: &Entry, slot: Slot) -> Position {
        let Slot { epoch, n, before, .. } = slot;
        match self.epochs.last_mut() {
            Some(log) if !self.sealed => log.head = n,
            _ => {
                let (acknowledged, acknowledged_hash, read, mailed) = (0, None, 0, None);
                self.epochs.push(EpochLog { epoch, head: n, acknowledged, acknowledged_hash, read, mailed });
            }
        }
        self.sealed = false;
        let hash = entry.chain(self.conversation, epoch, n, before);
        let weight = entry.weight();
        self.unacknowledged.push_back(Unacknowledged { id: entry.id, n, hash, weight });
        self.unacknowledged_bytes += weight as u64;
        Position { epoch, n, hash }
    }

    fn head_hash(&self) -> Option<LogHash> {
        let last = self.epochs.last()?;
        match self.unacknowledged.back() {
            Some(entry) => Some(entry.hash),
            None => last.acknowledged_hash,
        }
    }

    /// The last of my entries that somebody holds who stands at one of these positions, given oldest first.
    ///
    /// What it holds of epochs that are not known here was written by a later state of this node than its database
    /// remembers; there is nothing to say about that.
    pub(super) fn resume(&self, have: &[Position]) -> Option<Position> {
        have.iter().rev().find_map(|position| self.meet(*position))
    }

    /// The last of my entries that somebody holds who stands at this position. It may stand further in an epoch than
    /// this database remembers. `None` for positions that contradict mine.
    pub(super) fn meet(&self, position: Position) -> Option<Position> {
        let index = self.index(position.epoch)?;
        let log = self.epochs.get(index)?;
        if position.n > log.head {
            let hash = if index + 1 == self.epochs.len() { self.head_hash() } else { log.acknowledged_hash };
            return Some(Position { epoch: log.epoch, n: log.head, hash: hash? });
        }
        // Up to the acknowledged entry it has told this hash before, and a place never means two things.
        let agrees = position.n <= log.acknowledged || self.unacknowledged_at(position).is_some();
        (agrees && position.n > 0).then_some(position)
    }

    fn index(&self, epoch: Epoch) -> Option<usize> {
        self.epochs.iter().rposition(|log| log.epoch == epoch)
    }

    fn unacknowledged_at(&self, position: Position) -> Option<usize> {
        self.epochs.last().filter(|log| log.epoch == position.epoch)?;
        let first = self.unacknowledged.front()?.n;
        let at = usize::try_from(position.n.checked_sub(first)?).ok()?;
        self.unacknowledged.get(at).filter(|entry| entry.hash == position.hash).map(|_| at)
    }

    /// What to send after this entry.
    pub(super) fn next(&self, after: Option<Position>) -> Next {
        let (index, n) = match after {
            None => (0, 0),
            Some(position) => match self.index(position.epoch) {
                Some(index) => (index, position.n),
                None => return Next::Nothing,
            },
        };
        let rest = self.epochs.get(index).filter(|log| n < log.head).map(|log| (log, n + 1));
        let rest = rest.or_else(|| self.epochs.get(index + 1).filter(|log| log.head > 0).map(|log| (log, 1)));
        match rest {
            Some((log, first)) => Next::Logged { epoch: log.epoch, first, last: log.head },
            None if self.queued > 0 && self.can_place() => Next::Queued,
            None => Next::Nothing,
        }
    }

    /// The place of an entry that is sent again, after the one that was sent before it.
    pub(super) fn slot(&self, after: Option<Position>, epoch: Epoch, n: u64) -> Slot {
        let first = n == 1;
        let before = if first { None } else { after.map(|position| position.hash) };
        let previous = || self.index(epoch)?.checked_sub(1).and_then(|index| self.epochs.get(index));
        let follows = if first { previous().map(EpochEnd::from) } else { None };
        Slot { epoch, n, before, follows }
    }

    /// Whether the other end has told that it has committed this entry of mine.
    pub(super) fn has_acknowledged(&self, epoch: Epoch, n: u64) -> bool {
        self.epochs.iter().any(|log| log.epoch == epoch && n <= log.acknowledged)
    }

    /// Whether `position` stands at or before `cursor` in my log.
    pub(super) fn is_sent(&self, epoch: Epoch, n: u64, cursor: Position) -> bool {
        match (self.index(epoch), self.index(cursor.epoch)) {
            (Some(one), Some(other)) => (one, n) <= (other, cursor.n),
            _ => false,
        }
    }

    /// Takes an acknowledgement. When it covers something new, says what.
    pub(super) fn acknowledge(&mut self, position: Position) -> Option<Unacknowledged> {
        let at = self.unacknowledged_at(position)?;
        let last = self.unacknowledged.get(at).copied()?;
        for entry in self.unacknowledged.drain(..=at) {
            self.unacknowledged_bytes -= entry.weight as u64;
        }
        let log = self.epochs.last_mut()?;
        log.acknowledged = position.n;
        log.acknowledged_hash = Some(position.hash);
        Some(last)
    }

    /// The last of my entries that they have told that they have.
    pub(super) fn acknowledged_so_far(&self) -> Option<Position> {
        let acknowledged = |log: &EpochLog| {
            let hash = log.acknowledged_hash?;
            Some(Position { epoch: log.epoch, n: log.acknowledged, hash })
        };
        self.epochs.iter().rev().find_map(acknowledged)
    }

    /// The last of my entries that they have, or that a mailbox has for them.
    pub(super) fn mailed_so_far(&self) -> Option<Position> {
        let log = self.epochs.last()?;
        let is_mailed = |entry: &&Unacknowledged| log.mailed.is_some_and(|mailed| entry.n <= mailed.n);
        let mailed = self.unacknowledged.iter().take_while(is_mailed).last();
        let mailed = mailed.map(|entry| Position { epoch: log.epoch, n: entry.n, hash: entry.hash });
        mailed.or_else(|| self.acknowledged_so_far())
    }

    /// Since when what a mailbox keeps for them waits for their answer.
    pub(super) fn mailed_since(&self) -> Option<Wall> {
        let log = self.epochs.last()?;
        log.mailed.filter(|mailed| mailed.n > log.acknowledged).map(|mailed| mailed.at)
    }

    /// A mailbox keeps my log up to here, and something of it since then without an answer. Says up to where it does now, if
    /// anything is new about that; and which entry that is, if it kept less before.
    ///
    /// What is mailed again counts once all of it is: a life that begins before that begins with all of it.
    pub(super) fn mailed(&mut self, position: Position, since: Wall) -> Option<(Place, Option<EntryId>)> {
        let id = self.unacknowledged.get(self.unacknowledged_at(position)?)?.id;
        let log = self.epochs.last_mut()?;
        let (mailed, before) = (Mailed { n: position.n, at: since }, log.mailed);
        if before == Some(mailed) || before.is_some_and(|before| before.n > mailed.n) {
            return None;
        }
        log.mailed = Some(mailed);
        let is_further = before.is_none_or(|before| before.n < mailed.n);
        Some((Place { epoch: log.epoch, n: mailed.n }, is_further.then_some(id)))
    }

    /// They say that they have read my log up to here. Says up to where, when that is news.
    ///
    /// They may have read further in an epoch than this database remembers, and nobody has read what has not arrived.
    pub(super) fn was_read(&mut self, place: Place) -> Option<Place> {
        let index = self.index(place.epoch)?;
        let known = self.epochs.iter().enumerate().rev().find(|(_, log)| log.read > 0);
        let known = known.map(|(index, log)| (index, log.read));
        let log = self.epochs.get_mut(index)?;
        let n = place.n.min(log.acknowledged);
        if n == 0 || known >= Some((index, n)) {
            return None;
        }
        log.read = n;
        Some(Place { n, ..place })
    }

    /// Notes that I have read their log up to here. Says whether that is news.
    pub(super) fn read(&mut self, place: Place) -> bool {
        let index = |place: Place| self.theirs.iter().position(|known| known.epoch == place.epoch);
        let is_here = |here: &usize| self.theirs.get(*here).is_some_and(|known| (1..=known.n).contains(&place.n));
        let Some(here) = index(place).filter(is_here) else { return false };
        let news = self.read.and_then(|read| Some((index(read)?, read.n))) < Some((here, place.n));
        if news {
            self.read = Some(place);
        }
        news
    }

    /// Up to where I have read their log, as far as they may know.
    pub(super) const fn read_so_far(&self) -> Option<Place> {
        self.read
    }

    /// What I hold of their log, for the greeting.
    pub(super) fn have(&self) -> Vec<Position> {
        self.theirs.iter().skip(self.theirs.len().saturating_sub(MAX_POSITIONS)).copied().collect()
    }

    /// Judges an entry of their log without taking it.
    pub(super) fn judge(&self, entry: &LogEntry) -> Verdict {
        // Not only the newest epoch may grow: an author whose database was put back may have more to give of an older one.
        if let Some(known) = self.theirs.iter().find(|known| known.epoch == entry.epoch) {
            return match entry.n.checked_sub(known.n) {
                None | Some(0) => Verdict::Repeat(*known),
                Some(1) if entry.before == Some(known.hash) => Verdict::Next,
                Some(_) => Verdict::Gap,
            };
        }
        let holds = |end: EpochEnd| self.theirs.iter().any(|past| past.epoch == end.epoch && past.n >= end.n);
        if entry.n == 1 && entry.follows.is_none_or(holds) { Verdict::Next } else { Verdict::Gap }
    }

    /// Where their log stands with the next entry.
    pub(super) fn position(&self, entry: &LogEntry, content: &Content) -> Position {
        let hash = match content {
            Content::Entry(content) => content.chain(self.conversation, entry.epoch, entry.n, entry.before),
            Content::Erased(hash) => *hash,
        };
        Position { epoch: entry.epoch, n: entry.n, hash }
    }

    /// Their log stands here now.
    pub(super) fn advance(&mut self, position: Position) {
        match self.theirs.iter_mut().find(|known| known.epoch == position.epoch) {
            Some(known) => *known = position,
            None => self.theirs.push(position),
        }
        self.forget_old_epochs();
    }

    fn forget_old_epochs(&mut self) {
        let surplus = self.theirs.len().saturating_sub(MAX_THEIR_EPOCHS);
        self.theirs.drain(..surplus);
    }
}

impl From<&EpochLog> for EpochEnd {
    fn from(log: &EpochLog) -> Self {
        Self { epoch: log.epoch, n: log.acknowledged }
    }
}
