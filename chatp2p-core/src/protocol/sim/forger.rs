//! A peer that keeps to no rule. It has the keys of the one in whose place it writes, so that what it says is well formed,
//! encrypted and signed as it should be, and as true as the choices want it: the lies that no damage on the way would make.

use std::collections::BTreeMap;

use crate::clock::Wall;
use crate::crypto::{CiphertextHash, Keyring, Nack, Offer, Seeded, TheirKeys};
use crate::identity::{Identity, PeerId};
use crate::message::{Body, Conversation, Entry, EntryId, Epoch, LogHash, Place, Position};
use crate::record::{Endpoint, PeerRecord, PreKeys, SignedRecord};

use super::super::log::Slot;
use super::super::wire::{Content, EpochEnd, Frame, LogEntry, Reason, encode_letter};
use super::choices::Choices;
use super::player::Player;

/// How many places of the other end's log are remembered, to say something false about them.
const MAX_HEARD: usize = 64;

/// How many of its own frames are remembered, to say them again.
const MAX_SAID: usize = 64;

/// How many epochs are named one by one. Few, so that a choice meets one that was begun before.
const NAMED_EPOCHS: u8 = 8;

/// As many as are begun in a row: more than anybody remembers.
const EPOCHS_IN_A_ROW: u8 = 128;

/// With the largest factor that a byte gives, a little more than the longest text.
const LONG: usize = 4_113;

pub(super) struct Forger {
    identity: Identity,
    keyring: Keyring,
    to: PeerId,
    keys: TheirKeys,
    own_keys: PreKeys,
    /// Where the epochs that it makes up stand.
    ends: BTreeMap<u64, Position>,
    /// The last of those that were begun in a row.
    last_epoch: u64,
    /// Places of the other end's log, and as what they were sent.
    heard: Vec<(Position, CiphertextHash)>,
    said: Vec<Frame>,
    entries: u64,
}

/// What is said, before anything about it is twisted.
struct Draft {
    slot: Slot,
    content: Content,
}

impl Forger {
    /// Writes in the place of `author`, whose keys lie on its disk. `None` while one of the two has never lived.
    pub(super) fn new(author: &Player, reader: &Player, seed: [u8; 32]) -> Option<Self> {
        let identity = author.identity.clone();
        let suite = Seeded::new(blake3::derive_key("chatp2p forged keys", &seed));
        let rows = author.disk.snapshot().keys;
        let keyring = Keyring::load(identity.clone(), &suite, rows, seed, Wall::default()).ok()?;
        let keys = TheirKeys { pre_keys: reader.record()?.record().pre_keys?, one_time: None };
        let (own_keys, to) = (keyring.pre_keys(), reader.peer_id());
        let (ends, heard, said, last_epoch) = (BTreeMap::new(), Vec::new(), Vec::new(), u64::from(NAMED_EPOCHS));
        Some(Self { identity, keyring, to, keys, own_keys, ends, last_epoch, heard, said, entries: 0 })
    }

    /// Takes note of what the other end says.
    pub(super) fn hear(&mut self, frame: &Frame) {
        match frame {
            Frame::Greeting { offer: Some(offer), .. } => self.keys.one_time = Some(offer.key),
            Frame::Entry(entry) if self.heard.len() < MAX_HEARD => {
                let hash = LogHash::from_bytes([0; 32]);
                self.heard.push((Position { epoch: entry.epoch, n: entry.n, hash }, entry.ciphertext.hash()));
                // What an entry follows is all that there is to know of a hash without reading it.
                let before = entry.n.checked_sub(1).zip(entry.before);
                if let Some((n, hash)) = before {
                    let past = self.heard.iter_mut().filter(|(past, _)| (past.epoch, past.n) == (entry.epoch, n));
                    past.for_each(|(past, _)| past.hash = hash);
                }
            }
            _ => {}
        }
    }

    /// What it says next.
    pub(super) fn forge(&mut self, choices: &mut Choices<'_>) -> Vec<Frame> {
        let frames: Vec<Frame> = match choices.byte() % 10 {
            0 | 1 => {
                let (name, twist) = (choices.byte() % NAMED_EPOCHS, choices.byte());
                self.say(u64::from(name), twist, choices).into_iter().collect()
            }
            2 => (0..=choices.byte() % EPOCHS_IN_A_ROW).filter_map(|_| self.begin_epoch(choices)).collect(),
            3 => vec![self.greeting(choices)],
            4 => vec![Frame::Ack(self.position(choices))],
            5 => vec![self.nack(choices)],
            6 => vec![Frame::Goodbye { reason: reason(choices) }],
            7 => self.hello(choices).into_iter().collect(),
            9 => {
                let Position { epoch, n, .. } = self.position(choices);
                vec![Frame::Read(Place { epoch, n })]
            }
            _ => return self.said.get(choices.below(self.said.len())).cloned().into_iter().collect(),
        };
        let room = MAX_SAID.saturating_sub(self.said.len());
        self.said.extend(frames.iter().take(room).cloned());
        frames
    }

    fn begin_epoch(&mut self, choices: &mut Choices<'_>) -> Option<Frame> {
        self.last_epoch += 1;
        self.say(self.last_epoch, 0, choices)
    }

    /// The next entry of an epoch, with one thing about it that is not as it should be; none for 0.
    fn say(&mut self, name: u64, twist: u8, choices: &mut Choices<'_>) -> Option<Frame> {
        self.entries += 1;
        let end = self.ends.get(&name).copied();
        let (epoch, n) = (Epoch::new(name), end.map_or(1, |end| end.n.saturating_add(1)));
        let slot = Slot { epoch, n, before: end.map(|end| end.hash), follows: None };
        let id = EntryId::from_bytes(u128::from(self.entries).to_be_bytes());
        let entry = Entry { id, written: Wall::from_millis(self.entries), body: Body::Text(String::new()) };
        let mut draft = Draft { slot, content: Content::Entry(entry) };
        let kind = twist % 13;
        draft.twist(kind, &self.ends, choices);
        let Draft { slot, content } = draft;
        let me = self.identity.peer_id();
        let mut letter = slot.letter(me, self.to, content.clone());
        match kind {
            7 => {
                std::mem::swap(&mut letter.from, &mut letter.to);
                letter.conversation = Conversation::direct(letter.from, me);
            }
            8 => letter.n = number(choices),
            _ => {}
        }
        let mut letter = encode_letter(&letter);
        if kind == 9 {
            letter = choices.edit(&letter);
        }
        let mut ciphertext = self.keyring.encrypt(self.to, &mut self.keys, &letter).ok()?;
        match kind {
            10 => ciphertext.message = choices.edit(&ciphertext.message),
            // What comes next is said in another session.
            11 => self.keyring.give_up(self.to, ciphertext.session),
            _ => {}
        }
        if !matches!(kind, 1 | 2 | 7..=10) {
            let hash = match &content {
                Content::Entry(entry) => entry.chain(Conversation::direct(me, self.to), epoch, n, slot.before),
                Content::Erased(hash) => *hash,
            };
            self.ends.insert(name, Position { epoch, n, hash });
        }
        let Slot { epoch, n, before, follows } = slot;
        Some(Frame::Entry(LogEntry { epoch, n, before, follows, ciphertext }))
    }

    fn greeting(&mut self, choices: &mut Choices<'_>) -> Frame {
        let count = choices.byte() % 10;
        let have = (0..count).map(|_| self.position(choices)).collect();
        let offer = match choices.byte() % 4 {
            0 => None,
            1 => Some(self.keyring.offer(self.to)),
            2 => Some(Offer::sign(&self.identity, &self.own_keys, self.to, self.own_keys.identity)),
            _ => Some(self.keyring.offer(self.identity.peer_id())),
        };
        Frame::Greeting { have, offer, watchword: Some(self.keyring.watchword()) }
    }

    fn nack(&self, choices: &mut Choices<'_>) -> Frame {
        let heard = self.heard.get(choices.below(self.heard.len())).copied();
        let (Position { epoch, n, .. }, ciphertext) = heard.unwrap_or((self.position(choices), [0; 32]));
        let n = if choices.byte() % 4 == 3 { number(choices) } else { n };
        Frame::Nack(Nack::sign(&self.identity, self.to, epoch, n, ciphertext))
    }

    fn hello(&self, choices: &mut Choices<'_>) -> Option<Frame> {
        let names = ["bob", "alice", "b0b", "mallory"];
        let username = names.get(usize::from(choices.byte() % 4))?.parse().ok()?;
        let pre_keys = match choices.byte() % 4 {
            0 | 1 => Some(self.own_keys),
            2 => Some(self.keys.pre_keys),
            _ => None,
        };
        let endpoints = (0..choices.byte() % 4).filter_map(|_| Endpoint::memory("bob").ok()).collect();
        let (peer_id, seq) = (self.identity.peer_id(), number(choices));
        let record = PeerRecord { username, peer_id, endpoints, seq, pre_keys, letterboxes: Vec::new() };
        Some(Frame::Hello { record: SignedRecord::sign(&self.identity, record).ok()? })
    }

    /// A place of the other end's log, or what looks like one.
    fn position(&self, choices: &mut Choices<'_>) -> Position {
        let kind = choices.byte();
        let heard = self.heard.get(choices.below(self.heard.len())).map(|(position, _)| *position);
        let made_up = Position { epoch: Epoch::new(u64::from(kind)), n: 1, hash: LogHash::from_bytes([kind; 32]) };
        let position = heard.filter(|_| kind % 4 != 3).unwrap_or(made_up);
        match kind % 4 {
            0 => position,
            1 => Position { hash: made_up.hash, ..position },
            _ => Position { n: number(choices), ..position },
        }
    }
}

impl Draft {
    fn twist(&mut self, kind: u8, ends: &BTreeMap<u64, Position>, choices: &mut Choices<'_>) {
        match kind {
            1 => {
                self.slot.n = match choices.byte() % 4 {
                    0 => 1,
                    1 => self.slot.n.saturating_sub(1),
                    2 => self.slot.n.saturating_add(1),
                    _ => number(choices),
                }
            }
            2 => self.slot.before = Some(LogHash::from_bytes([choices.byte(); 32])),
            3 => {
                let past = ends.values().nth(choices.below(ends.len()));
                let epoch = past.map_or(self.slot.epoch, |past| past.epoch);
                self.slot.follows = Some(EpochEnd { epoch, n: number(choices) });
            }
            4 => self.content = Content::Erased(LogHash::from_bytes([choices.byte(); 32])),
            _ => {}
        }
        // With one too many, or without one, it would be no frame.
        let before = self.slot.before.unwrap_or(LogHash::from_bytes([0; 32]));
        self.slot.before = (self.slot.n != 1).then_some(before);
        if let Content::Entry(entry) = &mut self.content {
            match kind {
                5 => entry.id = EntryId::from_bytes(u128::from(choices.byte()).to_be_bytes()),
                6 => entry.written = Wall::from_millis(number(choices)),
                12 => entry.body = Body::Text("x".repeat(usize::from(choices.byte()) * LONG)),
                _ => {}
            }
        }
    }
}

/// A number that is remarkable.
fn number(choices: &mut Choices<'_>) -> u64 {
    match choices.byte() % 16 {
        12 => i64::MAX.unsigned_abs(),
        13 => i64::MAX.unsigned_abs() + 1,
        14 => u64::MAX - 1,
        15 => u64::MAX,
        small => u64::from(small),
    }
}

fn reason(choices: &mut Choices<'_>) -> Reason {
    match choices.byte() % 5 {
        0 => Reason::Disconnected,
        1 => Reason::Stopped,
        2 => Reason::Superseded,
        3 => Reason::Refused("key_changed".to_owned()),
        _ => {
            let length = usize::from(choices.byte());
            Reason::Refused(String::from_utf8_lossy(choices.take(length)).into_owned())
        }
    }
}
