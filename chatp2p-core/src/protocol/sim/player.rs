//! One node of a play: its disk, its mind while it lives, and its inbox.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::{Now, Wall};
use crate::crypto::{Keyring, Olm, Seeded, Suite};
use crate::identity::{Identity, PeerId, Username};
use crate::record::{Endpoint, ExchangeKey, Letterbox, LetterboxId, PeerRecord, PreKeys, SignedRecord};
use crate::storage::{Change, ProfileData};

use super::super::draw::Draw;
use super::super::input::Input;
use super::super::state::{Me, State};
use super::{Cipher, Mail, Script};

/// How many older copies of its database a node keeps.
const MAX_BACKUPS: usize = 3;

/// How long mail waits for an answer: some times as long as it may lie in a mailbox of a play.
const MAIL_AGAIN: Duration = Duration::from_secs(60);

/// By how much a clock that lies is wrong, and for how long it keeps to that: shorter than most lives.
const TEN_YEARS_MS: u64 = 10 * 365 * 86_400_000;
const LIES_FOR: Duration = Duration::from_secs(7);

/// One node.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) identity: Identity,
    pub(super) name: Username,
    /// What is on its disk.
    pub(super) disk: ProfileData,
    pub(super) backups: Vec<ProfileData>,
    cipher: Cipher,
    mail: Mail,
    /// How far its wall clock is ahead of others in the turns of its lie; `None` for one that is right.
    lie: Option<u64>,
    /// Those in its record, once it has lived.
    pre_keys: Option<PreKeys>,
    /// Its mind; `None` while it is down.
    pub(super) state: Option<State>,
    /// How often it was started. What was meant for an earlier life reaches nobody.
    pub(super) life: u32,
    pub(super) born: Duration,
    pub(super) inbox: VecDeque<Input>,
    pub(super) turn_planned: bool,
    /// The next time it asked to be woken.
    pub(super) wake: Option<Duration>,
    /// The dials under way, by a number that tells an earlier one from a later one.
    pub(super) dials: BTreeMap<PeerId, u64>,
}

impl Player {
    pub(super) fn new(number: usize, seed: u64, script: &Script) -> Option<Self> {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        key[8] = u8::try_from(number).ok()?;
        let name = ["alice", "bob", "carol", "dave", "erin"].get(number)?;
        Some(Self {
            identity: Identity::from_seed(&key),
            name: name.parse().ok()?,
            disk: ProfileData::default(),
            backups: Vec::new(),
            cipher: script.cipher,
            mail: script.mail,
            lie: script.lying_clocks.then_some(u64::from(key[8])),
            pre_keys: None,
            state: None,
            life: 0,
            born: Duration::ZERO,
            inbox: VecDeque::new(),
            turn_planned: false,
            wake: None,
            dials: BTreeMap::new(),
        })
    }

    pub(super) fn peer_id(&self) -> PeerId {
        self.identity.peer_id()
    }

    /// What the tracker knows of this node.
    pub(super) fn record(&self) -> Option<SignedRecord> {
        let record = PeerRecord {
            username: self.name.clone(),
            peer_id: self.peer_id(),
            endpoints: vec![Endpoint::memory(self.name.as_str()).ok()?],
            seq: u64::from(self.life) + 1,
            pre_keys: self.pre_keys,
            letterboxes: self.letterbox().into_iter().collect(),
        };
        SignedRecord::sign(&self.identity, record).ok()
    }

    /// Where mail is left for it: another one in every third life.
    fn letterbox(&self) -> Option<Letterbox> {
        if self.mail == Mail::None {
            return None;
        }
        let mut seed = self.identity.to_seed();
        seed[24..28].copy_from_slice(&(self.life / 3).to_be_bytes());
        seed[31] = 0xb0;
        let id = LetterboxId::of(Identity::from_seed(&seed).peer_id());
        let endpoints = vec![Endpoint::memory("mailbox").ok()?];
        Some(Letterbox { mailbox: self.peer_id(), endpoints, id, seal: ExchangeKey::from_bytes(seed) })
    }

    /// Begins a new life from what is on the disk.
    pub(super) fn start(&mut self, now: Duration, draw: &mut Draw) {
        self.life += 1;
        self.born = now;
        self.think_anew(now, draw);
    }

    /// Reads the mind from the disk again, in the same life.
    pub(super) fn think_anew(&mut self, now: Duration, draw: &mut Draw) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&draw.number().to_be_bytes());
        seed[8..16].copy_from_slice(&draw.number().to_be_bytes());
        let suite: Box<dyn Suite> = match self.cipher {
            // What is drawn in one life is never drawn again, whatever is restored.
            Cipher::Seeded => Box::new(Seeded::new(blake3::derive_key("chatp2p simulated keys", &seed))),
            Cipher::Olm => Box::new(Olm),
        };
        self.inbox.clear();
        self.dials.clear();
        self.wake = None;
        let (name, peer_id) = (self.name.clone(), self.peer_id());
        let now = self.now(now);
        let mut snapshot = self.disk.snapshot();
        let rows = std::mem::take(&mut snapshot.keys);
        let Ok(mut keyring) = Keyring::load(self.identity.clone(), &*suite, rows, seed, now.wall) else { return };
        keyring.turn_fallback_key_if_due(now.wall);
        self.pre_keys = Some(keyring.pre_keys());
        let keys = keyring.take_changes().unwrap_or_default();
        let keys: Vec<Change> = keys.into_iter().map(Change::Keys).collect();
        if self.disk.apply(&keys).is_err() {
            return;
        }
        self.state = self.record().map(|record| {
            let me = Me { peer_id, username: name, record };
            State::new(me, keyring, snapshot, seed, now).mailing_again_after(MAIL_AGAIN)
        });
    }

    pub(super) fn die(&mut self) {
        self.state = None;
        self.inbox.clear();
        self.dials.clear();
        self.wake = None;
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.is_some()
    }

    /// The time on this node's own clocks.
    pub(super) fn now(&self, now: Duration) -> Now {
        let right = Wall::from_millis(1_800_000_000_000).plus(now);
        // Ten years behind, right, ten years ahead, and again; each at another time.
        let wall = match self.lie.map(|lie| (now.as_secs() / LIES_FOR.as_secs() + lie) % 3) {
            Some(0) => Wall::from_millis(right.as_millis().saturating_sub(TEN_YEARS_MS)),
            Some(2) => right.plus(Duration::from_millis(TEN_YEARS_MS)),
            _ => right,
        };
        Now { mono: now.saturating_sub(self.born), wall }
    }

    pub(super) fn back_up(&mut self) {
        if self.backups.len() == MAX_BACKUPS {
            self.backups.remove(0);
        }
        self.backups.push(self.disk.clone());
    }
}
