//! Keyrings that write to each other with real encryption: over restarts, old copies, lost keys and hostile ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use chatp2p_core::clock::Wall;
use chatp2p_core::crypto::{
    CipherError, Ciphertext, KeyRow, KeyRowId, Keyring, MAX_OFFERS, MAX_OFFERS_OF_ONE, MAX_SESSIONS, Nack, Offer, Olm,
    Suite, TheirKeys,
};
use chatp2p_core::identity::{Identity, PeerId};
use chatp2p_core::message::Epoch;
use chatp2p_core::protocol::wire::{self, Frame};
use chatp2p_core::record::{ExchangeKey, PeerRecord, PreKeys, SignedRecord};

const DAY: u64 = 86_400_000;

/// Somebody with a keyring, and the disk on which its rows are kept.
struct Person {
    identity: Identity,
    keyring: Keyring,
    disk: BTreeMap<KeyRowId, KeyRow>,
}

impl Person {
    fn new(seed: u8) -> Self {
        Self::live(Identity::from_seed(&[seed; 32]), BTreeMap::new(), Wall::default())
    }

    /// A new life from this disk.
    fn live(identity: Identity, disk: BTreeMap<KeyRowId, KeyRow>, now: Wall) -> Self {
        let seed = Identity::generate().unwrap().to_seed();
        let rows = disk.values().cloned().collect();
        let keyring = Keyring::load(identity.clone(), &Olm, rows, seed, now).unwrap();
        let mut person = Self { identity, keyring, disk };
        person.commit();
        person
    }

    fn restarted(&self) -> Self {
        Self::live(self.identity.clone(), self.disk.clone(), Wall::default())
    }

    fn commit(&mut self) {
        for row in self.keyring.take_changes().unwrap() {
            let known = self.disk.insert(row.id, row.clone());
            assert!(known.is_none_or(|known| known.version < row.version), "a version rises");
        }
    }

    fn id(&self) -> PeerId {
        self.identity.peer_id()
    }

    /// What `other` needs to begin a session with this one.
    fn offers(&mut self, other: &Self) -> TheirKeys {
        let offer = self.keyring.offer(other.id());
        let pre_keys = self.keyring.pre_keys();
        assert!(offer.is_from(self.id(), &pre_keys, other.id()));
        self.commit();
        TheirKeys { pre_keys, one_time: Some(offer.key) }
    }

    fn says(&mut self, to: &mut Self, text: &str) -> Ciphertext {
        let mut keys = to.offers(self);
        self.writes(to, &mut keys, text)
    }

    fn writes(&mut self, to: &Self, keys: &mut TheirKeys, text: &str) -> Ciphertext {
        let ciphertext = self.keyring.encrypt(to.id(), keys, text.as_bytes()).unwrap();
        self.commit();
        ciphertext
    }

    fn reads(&mut self, from: &Self, ciphertext: &Ciphertext) -> Result<String, CipherError> {
        let keys = from.keyring.pre_keys();
        let plaintext = self.keyring.decrypt(from.id(), &keys, ciphertext)?;
        self.commit();
        Ok(String::from_utf8(plaintext).unwrap())
    }
}

fn pair() -> (Person, Person) {
    (Person::new(1), Person::new(2))
}

fn key(ciphertext: &Ciphertext) -> ([u8; 32], u64) {
    Olm.message_key(ciphertext).unwrap()
}

#[test]
fn what_one_writes_the_other_reads_both_ways() {
    let (mut alice, mut bob) = pair();
    let mut keys = BTreeSet::new();
    for n in 0..20 {
        let text = format!("number {n}, ñ 😀");
        let there = alice.says(&mut bob, &text);
        assert_eq!(bob.reads(&alice, &there), Ok(text.clone()));
        let back = bob.says(&mut alice, &text);
        assert_eq!(alice.reads(&bob, &back), Ok(text.clone()));
        assert_eq!(there.session, back.session, "one session serves both");
        assert!(!there.message.windows(6).any(|bytes| bytes == b"number"));
        assert!(keys.insert(key(&there)) && keys.insert(key(&back)));
    }
}

#[test]
fn both_may_begin_at_the_same_time() {
    let (mut alice, mut bob) = pair();
    let (there, back) = (alice.says(&mut bob, "me first"), bob.says(&mut alice, "no, me"));
    assert_ne!(there.session, back.session);
    assert_eq!(bob.reads(&alice, &there).as_deref(), Ok("me first"));
    assert_eq!(alice.reads(&bob, &back).as_deref(), Ok("no, me"));
    for n in 0..50 {
        let there = alice.says(&mut bob, &format!("{n}"));
        let back = bob.says(&mut alice, &format!("{n}"));
        assert_eq!(bob.reads(&alice, &there), Ok(n.to_string()));
        assert_eq!(alice.reads(&bob, &back), Ok(n.to_string()));
    }
}

#[test]
fn each_life_encrypts_in_a_session_of_its_own_and_reads_those_before() {
    let (mut alice, mut bob) = pair();
    let mut sessions = BTreeSet::new();
    let mut late = Vec::new();
    for life in 0..MAX_SESSIONS {
        let said = alice.says(&mut bob, "good morning");
        assert!(sessions.insert(said.session), "life {life}");
        late.push(alice.says(&mut bob, "on its way"));
        assert_eq!(bob.reads(&alice, &said).as_deref(), Ok("good morning"));
        alice = alice.restarted();
        bob = bob.restarted();
    }
    for said in late {
        assert_eq!(bob.reads(&alice, &said).as_deref(), Ok("on its way"));
    }
    // And the answer is encrypted in none of them.
    assert!(!sessions.contains(&bob.says(&mut alice, "good evening").session));
}

#[test]
fn an_old_copy_put_back_uses_no_key_again() {
    let (mut alice, mut bob) = pair();
    let said = alice.says(&mut bob, "first");
    bob.reads(&alice, &said).unwrap();
    let answer = bob.says(&mut alice, "second");
    let mut used = BTreeSet::from([key(&said), key(&answer)]);
    alice.reads(&bob, &answer).unwrap();
    let copies = [alice.disk.clone(), bob.disk.clone()];
    for round in 0..10 {
        for _ in 0..3 {
            // Whether it arrives or is lost with the copy that is put back.
            let arrives = round % 2 == 0;
            arrives_or_is_said_again(&mut alice, &mut bob, arrives, &mut used);
            arrives_or_is_said_again(&mut bob, &mut alice, arrives, &mut used);
        }
        alice = Person::live(alice.identity, copies[0].clone(), Wall::default());
        if round % 3 == 0 {
            bob = Person::live(bob.identity, copies[1].clone(), Wall::default());
        }
    }
    assert!(used.len() >= 62, "{}", used.len());
}

/// One who was put back may not know the session: then it is said once more, in another.
fn arrives_or_is_said_again(from: &mut Person, to: &mut Person, arrives: bool, used: &mut BTreeSet<([u8; 32], u64)>) {
    let said = from.says(to, "hello");
    assert!(used.insert(key(&said)), "a key was used twice");
    if arrives && to.reads(from, &said).is_err() {
        from.keyring.give_up(to.id(), said.session);
        let again = from.says(to, "hello");
        assert!(used.insert(key(&again)), "a key was used twice");
        assert_eq!(to.reads(from, &again).as_deref(), Ok("hello"));
    }
}

#[test]
fn what_cannot_be_read_is_written_anew_in_another_session() {
    let (mut alice, mut bob) = pair();
    let past = bob.disk.clone();
    let said = alice.says(&mut bob, "hello");
    bob.reads(&alice, &said).unwrap();
    let answer = bob.says(&mut alice, "hello yourself");
    alice.reads(&bob, &answer).unwrap();
    // Bob's disk is put back to before they met: he has no session, and alice writes as if he had.
    bob = Person::live(bob.identity, past, Wall::default());
    let lost = alice.says(&mut bob, "are you there?");
    assert_eq!(bob.reads(&alice, &lost), Err(CipherError::Unreadable));
    assert!(!alice.keyring.is_given_up(bob.id(), lost.session));
    alice.keyring.give_up(bob.id(), lost.session);
    assert!(alice.keyring.is_given_up(bob.id(), lost.session));
    let again = alice.says(&mut bob, "are you there?");
    assert_ne!(again.session, lost.session);
    assert_eq!(bob.reads(&alice, &again).as_deref(), Ok("are you there?"));
}

#[test]
fn nothing_is_read_twice_or_changed_or_out_of_the_wrong_hands() {
    let (mut alice, mut bob) = pair();
    let eve = Person::new(3);
    for text in ["the first, which begins", "the second"] {
        let said = alice.says(&mut bob, text);
        for bit in 0..said.message.len() * 8 {
            let mut forged = said.clone();
            forged.message[bit / 8] ^= 1 << (bit % 8);
            assert!(bob.reads(&alice, &forged).is_err(), "bit {bit} of {text}");
        }
        for end in 0..said.message.len() {
            let cut = Ciphertext { message: said.message[..end].to_vec(), ..said.clone() };
            assert!(bob.reads(&alice, &cut).is_err(), "{end} bytes of {text}");
        }
        assert!(bob.reads(&alice, &Ciphertext { suite: 2, ..said.clone() }).is_err());
        assert!(bob.reads(&alice, &Ciphertext { begins: !said.begins, ..said.clone() }).is_err());
        // Said by alice, shown as eve's: her record names another key.
        assert!(bob.reads(&eve, &said).is_err());
        assert_eq!(bob.reads(&alice, &said).as_deref(), Ok(text));
        assert_eq!(bob.reads(&alice, &said), Err(CipherError::Unreadable), "again");
    }
}

#[test]
fn an_older_version_of_the_ratchet_is_refused() {
    let (mut alice, mut bob) = pair();
    let first = alice.says(&mut bob, "hello");
    bob.reads(&alice, &first).unwrap();
    let answer = bob.says(&mut alice, "hi");
    // Cut to the eight bytes of authentication that version 3 of a message has.
    let mut message = answer.message.clone();
    assert_eq!(message[0], 4);
    message[0] = 3;
    message.truncate(message.len() - 24);
    assert!(vodozemac::olm::Message::from_bytes(&message).is_ok(), "it is one");
    assert_eq!(alice.reads(&bob, &Ciphertext { message, ..answer.clone() }), Err(CipherError::Unreadable));
    assert_eq!(alice.reads(&bob, &answer).as_deref(), Ok("hi"));
}

/// The points of small order on the curve, and their other spellings: with any of them everybody knows the secret.
const LOW: [&str; 8] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
];

fn low() -> impl Iterator<Item = [u8; 32]> {
    LOW.iter().map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap())
}

#[test]
fn keys_that_lead_to_no_secret_are_refused_wherever_they_stand() {
    let (mut alice, mut bob) = pair();
    let good = bob.offers(&alice);
    let (said, answer) = {
        let said = alice.says(&mut bob, "hello");
        let mut other = bob.restarted();
        other.reads(&alice, &said).unwrap();
        let answer = other.says(&mut alice, "hi");
        (said, answer)
    };
    let first = vodozemac::olm::PreKeyMessage::from_bytes(&said.message).unwrap();
    let places = [first.base_key(), first.identity_key(), first.one_time_key(), first.message().ratchet_key()];
    let turn = vodozemac::olm::Message::from_bytes(&answer.message).unwrap().ratchet_key();
    let mut refused = 0;
    for bytes in low() {
        let point = ExchangeKey::from_bytes(bytes);
        for mut keys in [
            TheirKeys { pre_keys: PreKeys { identity: point, ..good.pre_keys }, ..good },
            TheirKeys { pre_keys: PreKeys { fallback: point, ..good.pre_keys }, one_time: None },
            TheirKeys { one_time: Some(point), ..good },
        ] {
            let mut fresh = Person::new(1);
            assert_eq!(fresh.keyring.encrypt(bob.id(), &mut keys, b"hello"), Err(CipherError::BadKey), "{bytes:02x?}");
            refused += 1;
        }
        // In the place of each key that a message names.
        for place in &places {
            let forged = Ciphertext { message: replaced(&said.message, place.as_bytes(), &bytes), ..said.clone() };
            assert!(bob.reads(&alice, &forged).is_err(), "{bytes:02x?} for {place:?}");
            refused += 1;
        }
        let forged = Ciphertext { message: replaced(&answer.message, turn.as_bytes(), &bytes), ..answer.clone() };
        assert!(alice.reads(&bob, &forged).is_err(), "{bytes:02x?} as the next key");
        refused += 1;
    }
    assert_eq!(refused, 8 * 8);
    assert_eq!(bob.reads(&alice, &said).as_deref(), Ok("hello"));
}

fn replaced(message: &[u8], from: &[u8; 32], to: &[u8; 32]) -> Vec<u8> {
    let at = message.windows(32).position(|bytes| bytes == from).expect("the key is in the message");
    [&message[..at], to, &message[at + 32..]].concat()
}

#[test]
fn offers_are_bounded_and_used_once_and_the_fallback_key_serves_whoever_has_none() {
    let mut bob = Person::new(2);
    let mut all: Vec<(Person, TheirKeys)> = Vec::new();
    for seed in 10..=255_u8 {
        let person = Person::new(seed);
        let keys = bob.offers(&person);
        all.push((person, keys));
        if all.len() > MAX_OFFERS {
            break;
        }
    }
    let mut read = 0;
    for (n, (person, keys)) in all.iter_mut().enumerate() {
        let said = person.writes(&bob, keys, "hello");
        assert_eq!(keys.one_time, None, "it is used up");
        let heard = bob.reads(person, &said);
        assert_eq!(heard.is_ok(), n > 0, "the oldest has made room, number {n}");
        read += usize::from(heard.is_ok());
    }
    assert_eq!(read, MAX_OFFERS);
    // One peer has no more than two.
    let alice = Person::new(1);
    let mut keys: Vec<TheirKeys> = (0..=MAX_OFFERS_OF_ONE).map(|_| bob.offers(&alice)).collect();
    let heard: Vec<bool> = keys
        .iter_mut()
        .map(|keys| {
            let mut alice = alice.restarted();
            let said = alice.writes(&bob, keys, "hello");
            bob.reads(&alice, &said).is_ok()
        })
        .collect();
    assert_eq!(heard, [false, true, true]);
    let mut none = TheirKeys { pre_keys: bob.keyring.pre_keys(), one_time: None };
    let mut alice = alice.restarted();
    let said = alice.writes(&bob, &mut none, "hello");
    assert_eq!(bob.reads(&alice, &said).as_deref(), Ok("hello"));
}

#[test]
fn the_fallback_key_turns_after_a_week_and_the_one_before_goes_on_working() {
    let (mut alice, mut bob) = pair();
    let first = bob.keyring.pre_keys();
    let at = |days| Wall::from_millis(days * DAY);
    bob.keyring.turn_fallback_key_if_due(at(6));
    assert_eq!(bob.keyring.pre_keys(), first);
    bob.keyring.turn_fallback_key_if_due(at(7));
    bob.commit();
    let second = bob.keyring.pre_keys();
    assert_eq!(second.identity, first.identity);
    assert_ne!(second.fallback, first.fallback);
    bob = Person::live(bob.identity, bob.disk, at(8));
    assert_eq!(bob.keyring.pre_keys(), second, "it is kept");
    let said = alice.writes(&bob, &mut TheirKeys { pre_keys: first, one_time: None }, "hello");
    assert_eq!(bob.reads(&alice, &said).as_deref(), Ok("hello"));
    bob.keyring.turn_fallback_key_if_due(at(14));
    let late = alice.restarted().writes(&bob, &mut TheirKeys { pre_keys: first, one_time: None }, "hello");
    assert!(bob.reads(&alice, &late).is_err(), "two weeks later");
    // A clock that was put back turns it too, and stops nothing.
    bob.keyring.turn_fallback_key_if_due(at(1));
    assert_ne!(bob.keyring.pre_keys().fallback, second.fallback);
}

#[test]
fn rows_of_somebody_else_or_of_another_time_are_refused() {
    let (mut alice, mut bob) = pair();
    let said = alice.says(&mut bob, "hello");
    bob.reads(&alice, &said).unwrap();
    let load = |identity: &Identity, rows: Vec<KeyRow>| {
        Keyring::load(identity.clone(), &Olm, rows, [1; 32], Wall::default()).map(drop).map_err(|error| error.row)
    };
    let rows: Vec<KeyRow> = bob.disk.values().cloned().collect();
    assert_eq!(load(&bob.identity, rows.clone()), Ok(()));
    assert_eq!(load(&alice.identity, rows.clone()), Err(KeyRowId::Account));
    let (account, sessions) = (rows[0].clone(), rows[1].clone());
    assert_eq!(sessions.id, KeyRowId::Peer(alice.id()));
    assert_eq!(load(&bob.identity, vec![sessions.clone()]), Err(sessions.id), "sessions without their account");
    let older = KeyRow { version: account.version - 1, ..account.clone() };
    assert_eq!(load(&bob.identity, vec![older]), Err(KeyRowId::Account));
    let moved = KeyRow { id: KeyRowId::Peer(bob.id()), ..sessions.clone() };
    assert_eq!(load(&bob.identity, vec![account.clone(), moved]), Err(KeyRowId::Peer(bob.id())));
    let mut damaged = sessions;
    damaged.sealed.pop();
    assert_eq!(load(&bob.identity, vec![account, damaged.clone()]), Err(damaged.id));
}

#[test]
fn nothing_secret_is_shown_when_debugged() {
    let (mut alice, mut bob) = pair();
    let said = alice.says(&mut bob, "hello");
    bob.reads(&alice, &said).unwrap();
    let shown = format!("{bob:?} {said:?}", bob = bob.keyring);
    assert!(shown.len() < 1_000, "{shown}");
    let seed = format!("{:?}", bob.identity.to_seed());
    assert!(!shown.contains(&seed[1..20]), "{shown}");
}

/// Random numbers that are the same in every run.
fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

fn mutated(bytes: &[u8], draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = |draw: &mut dyn FnMut(u64) -> u64, len: usize| usize::try_from(draw(len as u64)).unwrap();
    for _ in 0..=draw(3) {
        let i = at(draw, bytes.len());
        match draw(8) {
            0 => bytes.truncate(i.max(1)),
            1 => bytes.insert(i, u8::try_from(draw(256)).unwrap()),
            2 => drop(bytes.remove(i)),
            3 => bytes[i] = u8::try_from(draw(256)).unwrap(),
            _ => bytes[i] ^= 1 << draw(8),
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

#[test]
fn of_a_hundred_thousand_mutated_or_replayed_records_nacks_and_offers_none_is_accepted() {
    const EACH: usize = 100_000;
    let (mut alice, bob) = pair();
    let eve = Person::new(3);
    let mut draw = numbers(7);
    let record = PeerRecord {
        username: "alice".parse().unwrap(),
        peer_id: alice.id(),
        endpoints: vec!["ws://192.0.2.1:5001".parse().unwrap()],
        seq: 7,
        pre_keys: Some(alice.keyring.pre_keys()),
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&alice.identity, record).unwrap();
    let nack = alice.keyring.nack(bob.id(), Epoch::new(5), 9, [8; 32]);
    let offer = alice.keyring.offer(bob.id());
    let keys = alice.keyring.pre_keys();
    assert!(nack.is_from(alice.id(), bob.id()) && offer.is_from(alice.id(), &keys, bob.id()));
    // Replayed to somebody else, or as somebody else's.
    assert!(!nack.is_from(alice.id(), eve.id()) && !nack.is_from(eve.id(), bob.id()));
    assert!(!offer.is_from(alice.id(), &keys, eve.id()) && !offer.is_from(eve.id(), &keys, bob.id()));
    assert!(!offer.is_from(alice.id(), &bob.keyring.pre_keys(), bob.id()), "of another account");

    let bytes = record.encode();
    let (mut tried, mut well_formed) = (0, 0);
    while tried < EACH {
        let forged = mutated(&bytes, &mut draw);
        if forged != bytes {
            // Other spellings of the same signed bytes say the same.
            let told = SignedRecord::decode(&forged).ok();
            assert!(told.is_none_or(|told| told == record), "{forged:02x?}");
            tried += 1;
        }
    }
    for frame in [Frame::Nack(nack), Frame::Greeting { have: Vec::new(), offer: Some(offer), watchword: None }] {
        let bytes = wire::encode(&frame);
        let mut tried = 0;
        while tried < EACH {
            let Ok(forged) = wire::decode(&mutated(&bytes, &mut draw)) else {
                tried += 1;
                continue;
            };
            if forged != frame {
                assert!(!is_believed(&forged, &alice, &bob), "{forged:?}");
                well_formed += 1;
                tried += 1;
            }
        }
    }
    assert!(well_formed > EACH / 2, "only {well_formed} were looked at closely");
}

fn is_believed(frame: &Frame, alice: &Person, bob: &Person) -> bool {
    let nack = |nack: &Nack| nack.is_from(alice.id(), bob.id());
    let offer = |offer: &Offer| offer.is_from(alice.id(), &alice.keyring.pre_keys(), bob.id());
    match frame {
        Frame::Nack(said) => nack(said),
        Frame::Greeting { offer: Some(said), .. } => offer(said),
        _ => false,
    }
}
