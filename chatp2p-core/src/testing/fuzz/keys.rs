//! Real encryption: ciphertexts that were changed on their way, and two keyrings to which everything happens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use super::{Choices, Depth};
use crate::clock::Wall;
use crate::crypto::{
    Ciphertext, CiphertextHash, KeyRow, KeyRowId, Keyring, MAX_SESSIONS, Olm, SessionId, Suite, TheirKeys,
};
use crate::identity::{Identity, PeerId, random};
use crate::record::PreKeys;

/// Somebody with a keyring and a disk.
pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) keyring: Keyring,
    pub(super) disk: BTreeMap<KeyRowId, KeyRow>,
}

impl Person {
    pub(super) fn live(identity: Identity, disk: BTreeMap<KeyRowId, KeyRow>) -> Self {
        let seed = *random().unwrap();
        let rows = disk.values().cloned().collect();
        let keyring = Keyring::load(identity.clone(), &Olm, rows, seed, Wall::default()).unwrap();
        let mut person = Self { identity, keyring, disk };
        person.commit();
        person
    }

    fn commit(&mut self) {
        for row in self.keyring.take_changes().unwrap() {
            let known = self.disk.insert(row.id, row.clone());
            assert!(known.is_none_or(|known| known.version < row.version), "a version rises");
        }
    }

    pub(super) fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    fn keys_for(&mut self, other: PeerId, one_time: bool) -> TheirKeys {
        let one_time = one_time.then(|| self.keyring.offer(other).key);
        self.commit();
        TheirKeys { pre_keys: self.keyring.pre_keys(), one_time }
    }

    fn says(&mut self, to: &mut Self, one_time: bool, text: &[u8]) -> Ciphertext {
        let mut keys = to.keys_for(self.id(), one_time);
        let ciphertext = self.keyring.encrypt(to.id(), &mut keys, text).unwrap();
        self.commit();
        ciphertext
    }
}

/// Two who have talked, and what the one has not read yet.
pub(super) struct Past {
    pub(super) bob: Identity,
    pub(super) rows: Vec<KeyRow>,
    pub(super) alice: PeerId,
    pub(super) alices_keys: PreKeys,
    pub(super) unread: Vec<(Ciphertext, Vec<u8>)>,
}

pub(super) fn past() -> &'static Past {
    static PAST: OnceLock<Past> = OnceLock::new();
    PAST.get_or_init(|| {
        let [mut alice, mut bob] = [1, 2].map(|seed| Person::live(Identity::from_seed(&[seed; 32]), BTreeMap::new()));
        let keys = alice.keyring.pre_keys();
        let said = alice.says(&mut bob, true, b"hello");
        bob.keyring.decrypt(alice.id(), &keys, &said).unwrap();
        let answer = bob.says(&mut alice, true, b"hello yourself");
        alice.keyring.decrypt(bob.id(), &bob.keyring.pre_keys(), &answer).unwrap();
        let mut unread = Vec::new();
        let mut say = |alice: &mut Person, bob: &mut Person, one_time, text: &str| {
            unread.push((alice.says(bob, one_time, text.as_bytes()), text.as_bytes().to_vec()));
        };
        // In the session that both know; in one by a one-time key; in one by the fallback key.
        for text in ["how are you?", "", "and the weather?"] {
            say(&mut alice, &mut bob, true, text);
        }
        for one_time in [true, false] {
            alice = Person::live(alice.identity, alice.disk);
            say(&mut alice, &mut bob, one_time, "another life");
        }
        bob.commit();
        let rows = bob.disk.into_values().collect();
        Past { bob: bob.identity, rows, alice: alice.identity.peer_id(), alices_keys: keys, unread }
    })
}

/// A ciphertext that was changed is refused, and everything is as it was; one that was not is read once.
pub(super) fn ciphertext(input: &[u8]) -> Depth {
    let past = past();
    let mut keyring = Keyring::load(past.bob.clone(), &Olm, past.rows.clone(), [0; 32], Wall::default()).unwrap();
    let mut choices = Choices::new(input);
    let (original, text) = &past.unread[choices.below(past.unread.len())];
    let mut read = |ciphertext: &Ciphertext| keyring.decrypt(past.alice, &past.alices_keys, ciphertext);
    let mut changed = original.clone();
    match choices.byte() % 8 {
        0 => changed.suite = changed.suite.wrapping_add(choices.byte()),
        1 => changed.begins = !changed.begins,
        2 => changed.session = past.unread[choices.below(past.unread.len())].0.session,
        3 => changed.session = SessionId::from_bytes([choices.byte(); 32]),
        4 => changed.message = past.unread[choices.below(past.unread.len())].0.message.clone(),
        5 => changed.message = choices.rest().to_vec(),
        _ => {}
    }
    if changed.message.len() < 4_096 {
        changed.message = choices.edit(&changed.message);
    }
    // Whole ones of hers, put together again, are hers.
    let real = past.unread.iter().find(|(real, _)| *real == changed);
    match read(&changed) {
        Ok(plaintext) => {
            assert_eq!(Some(&plaintext), real.map(|(_, text)| text), "something was read that nobody wrote")
        }
        Err(_) => {
            assert!(real.is_none(), "what she wrote cannot be read");
            assert!(keyring.take_changes().unwrap().is_empty(), "what is refused changes nothing");
        }
    }
    let mut read = |ciphertext: &Ciphertext| keyring.decrypt(past.alice, &past.alices_keys, ciphertext);
    if real.is_none() {
        assert_eq!(read(original).as_ref(), Ok(text), "what is right is read after what is wrong");
    }
    assert!(real.is_some_and(|(real, _)| real != original) || read(original).is_err(), "read twice");
    keyring.take_changes().unwrap();
    Depth::of(Olm.message_key(&changed).is_some())
}

pub(super) fn ciphertext_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for which in 0..5 {
        for more in
            [&[7, 0][..], &[7, 1, 0, 0, 9, 1], &[0, 1, 0], &[1, 0], &[2, 0, 4, 0], &[4, 0, 3, 0], &[5, 3, 10, 0]]
        {
            seeds.push([&[0, which][..], more].concat());
        }
    }
    seeds
}

/// Something on its way.
#[derive(Clone)]
struct Parcel {
    ciphertext: Ciphertext,
    text: Vec<u8>,
}

struct Two {
    people: [Option<Person>; 2],
    copies: [Vec<BTreeMap<KeyRowId, KeyRow>>; 2],
    /// To each.
    ways: [VecDeque<Parcel>; 2],
    used: BTreeMap<([u8; 32], u64), CiphertextHash>,
    said: u32,
    read: u32,
}

impl Two {
    fn person(&mut self, who: usize) -> &mut Person {
        self.people[who].as_mut().unwrap()
    }

    /// One encrypts for the other; with a key that is kept for them, or without.
    fn say(&mut self, who: usize, one_time: bool) {
        self.said += 1;
        let text = self.said.to_be_bytes().to_vec();
        let me = self.person(who).id();
        let mut keys = self.person(1 - who).keys_for(me, one_time);
        let to = self.person(1 - who).id();
        let ciphertext = self.person(who).keyring.encrypt(to, &mut keys, &text).unwrap();
        self.person(who).commit();
        let key = Olm.message_key(&ciphertext).unwrap();
        assert!(self.used.insert(key, ciphertext.hash()).is_none(), "a key made two messages");
        self.ways[1 - who].push_back(Parcel { ciphertext, text });
    }

    /// One reads what is next. Who cannot says so, and the author gives the session up.
    fn read(&mut self, who: usize) -> bool {
        let Some(parcel) = self.ways[who].pop_front() else { return false };
        let (from, keys) = (self.person(1 - who).id(), self.person(1 - who).keyring.pre_keys());
        let person = self.person(who);
        let read = person.keyring.decrypt(from, &keys, &parcel.ciphertext);
        if let Ok(text) = &read {
            assert_eq!(*text, parcel.text, "something else was read than was written");
            assert!(person.keyring.decrypt(from, &keys, &parcel.ciphertext).is_err(), "read twice");
            person.commit();
            self.read += 1;
        } else {
            let to = self.person(who).id();
            self.person(1 - who).keyring.give_up(to, parcel.ciphertext.session);
        }
        read.is_ok()
    }

    /// A new life, from the disk or from an older copy of it.
    fn live_again(&mut self, who: usize, copy: Option<usize>) {
        let Person { identity, mut disk, .. } = self.people[who].take().unwrap();
        if let Some(copy) = copy.and_then(|copy| self.copies[who].get(copy % self.copies[who].len().max(1))) {
            disk = copy.clone();
        }
        self.people[who] = Some(Person::live(identity, disk));
    }
}

/// Two keyrings that say, read, lose, repeat and reorder, die, and are put back to older copies: no key ever makes two
/// messages, nothing is read as something else, and in the end a few words heal everything.
pub(super) fn keyrings(input: &[u8]) -> Depth {
    /// Longer inputs say nothing new.
    const MAX_ACTIONS: usize = 96;
    let people = [1, 2].map(|seed| Some(Person::live(Identity::from_seed(&[seed; 32]), BTreeMap::new())));
    let (copies, ways) = (<[Vec<_>; 2]>::default(), <[VecDeque<Parcel>; 2]>::default());
    let mut two = Two { people, copies, ways, used: BTreeMap::new(), said: 0, read: 0 };
    let mut lives = 0;
    for action in input.iter().take(MAX_ACTIONS) {
        let (who, number) = (usize::from(action >> 7), usize::from(action >> 4 & 7));
        match action & 15 {
            0..=2 => two.say(who, number % 2 == 0),
            3..=6 => drop(two.read(who)),
            7 => drop(two.ways[who].pop_front()),
            8 => {
                let again = two.ways[who].front().cloned();
                two.ways[who].extend(again);
            }
            9 if two.ways[who].len() > 1 => two.ways[who].swap(0, 1),
            10 | 11 => {
                lives += 1;
                two.live_again(who, None);
            }
            12 if two.copies[who].len() < 4 => {
                let copy = two.person(who).disk.clone();
                two.copies[who].push(copy);
            }
            13 => {
                lives += 1;
                two.live_again(who, Some(number));
            }
            14 => {
                // A week goes by, and the key in the record is another.
                let later = Wall::from_millis(u64::from(two.said + 1) * 700_000_000);
                two.person(who).keyring.turn_fallback_key_if_due(later);
                two.person(who).commit();
            }
            15 => {
                two.say(who, true);
                two.say(1 - who, true);
            }
            _ => {}
        }
    }
    let deep = two.read > 0 && lives > 0;
    for who in [0, 1] {
        two.ways[1 - who].clear();
        let healed = (0..=MAX_SESSIONS + 1).any(|_| {
            two.say(who, true);
            two.read(1 - who)
        });
        assert!(healed, "they cannot talk any more");
    }
    Depth::of(deep)
}

pub(super) fn keyrings_seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0x00, 0x83, 0x80, 0x03, 0x0a, 0x00, 0x83],
        vec![0x0f, 0x03, 0x83, 0x00, 0x80, 0x03, 0x83, 0x8a, 0x0a, 0x0f, 0x83, 0x03],
        vec![
            0x00, 0x83, 0x8c, 0x0c, 0x80, 0x03, 0x00, 0x83, 0x8d, 0x00, 0x83, 0x80, 0x03, 0x0d, 0x00, 0x83, 0x80, 0x03,
        ],
        vec![0x10, 0x10, 0x10, 0x89, 0x83, 0x88, 0x87, 0x83, 0x8e, 0x0a, 0x10, 0x83],
    ]
}
