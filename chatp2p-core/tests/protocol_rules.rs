//! What an honest peer never does, and a state must not fall for: hostile acknowledgements, entries out of nowhere, borrowed
//! names. The simulator plays honest peers only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "protocol_rules/clocked.rs"]
mod clocked;
#[path = "protocol_rules/doubt.rs"]
mod doubt;
#[path = "protocol_rules/nuisance.rs"]
mod nuisance;
#[path = "protocol_rules/posts.rs"]
mod posts;
#[path = "protocol_rules/unreadable.rs"]
mod unreadable;

use std::time::Duration;

use chatp2p_core::clock::{Now, Wall};
use chatp2p_core::crypto::{Keyring, Nack, Offer, Olm};
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::message::{Conversation, Epoch, LogHash, Position};
use chatp2p_core::protocol::wire::{Content, EpochEnd, Frame, Letter, LogEntry, Reason, encode_letter};
use chatp2p_core::protocol::{
    Ask, Command, CommandId, Decision, Effect, Event, Found, Input, LinkId, Loaded, Me, State,
};
use chatp2p_core::record::{ExchangeKey, PeerRecord, PreKeys, SignedRecord};
use chatp2p_core::storage::{Change, Committed, LoggedEntry, Snapshot};
use chatp2p_core::testing::node::Correspondent;

const LINK: LinkId = LinkId(1);

fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn bob() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn record(who: &Identity, name: &str) -> SignedRecord {
    signed(&Correspondent::new(who), name)
}

fn signed(pen: &Correspondent, name: &str) -> SignedRecord {
    pen.record(&name.parse().unwrap(), vec![format!("memory:{name}").parse().unwrap()], 1)
}

/// Bob's state, whose every commit succeeds, and the pen of alice, who writes to him by hand.
struct Bob(State, Correspondent);

impl Bob {
    fn new() -> Self {
        let keyring = Keyring::load(bob(), &Olm, Vec::new(), [8; 32], now().wall).unwrap();
        let record = PeerRecord {
            username: "bob".parse().unwrap(),
            peer_id: bob().peer_id(),
            endpoints: Vec::new(),
            seq: 1,
            pre_keys: Some(keyring.pre_keys()),
            letterboxes: Vec::new(),
        };
        let record = SignedRecord::sign(&bob(), record).unwrap();
        let mut pen = Correspondent::new(&alice());
        pen.meet(&record);
        let me = Me { peer_id: bob().peer_id(), username: "bob".parse().unwrap(), record };
        Self(State::new(me, keyring, Snapshot::default(), [7; 32], now()), pen)
    }

    fn takes(&mut self, input: Input) -> (Vec<Ask>, Vec<Effect>) {
        let mut decision = Decision::new();
        self.0.handle(input, now(), &mut decision);
        self.0.conclude(&mut decision).unwrap();
        decision.release(&Committed::default())
    }

    fn hears(&mut self, frame: Frame) -> Vec<Effect> {
        self.takes(Input::Frame { link: LINK, frame }).1
    }

    /// Alice, a stranger, comes up on a link.
    fn with_alice() -> Self {
        let mut state = Self::new();
        state.takes(Input::LinkUp { link: LINK, peer: alice().peer_id(), dialled: false });
        let record = signed(&state.1, "alice");
        state.hears(Frame::Hello { record: record.clone() });
        let answer = Found::Record(Box::new(record));
        state.takes(Input::Found { name: "alice".parse().unwrap(), answer });
        let effects = state.hears(Frame::Greeting { have: Vec::new(), offer: None, watchword: None });
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(Event::PeerConnected(_)))), "{effects:?}");
        state
    }
}

fn now() -> Now {
    Now { mono: Duration::from_secs(1), wall: Wall::from_millis(1_700_000_000_000) }
}

fn content(id: u8) -> Content {
    Correspondent::saying(id, format!("number {id}"))
}

fn at(state: &mut Bob, n: u64, before: Option<LogHash>) -> Frame {
    state.1.entry(Epoch::new(5), n, before, content(u8::try_from(n).unwrap()))
}

fn first_hash() -> LogHash {
    let Content::Entry(entry) = content(1) else { panic!("a tombstone") };
    entry.chain(Conversation::direct(alice().peer_id(), bob().peer_id()), Epoch::new(5), 1, None)
}

fn acks(effects: &[Effect]) -> Vec<u64> {
    let ack = |effect: &Effect| match effect {
        Effect::Send { frame: Frame::Ack(position), .. } => Some(position.n),
        _ => None,
    };
    effects.iter().filter_map(ack).collect()
}

fn refusals(effects: &[Effect]) -> Vec<String> {
    let code = |effect: &Effect| match effect {
        Effect::Send { frame: Frame::Goodbye { reason: Reason::Refused(code) }, .. } => Some(code.clone()),
        _ => None,
    };
    effects.iter().filter_map(code).collect()
}

#[test]
fn an_entry_is_taken_only_after_the_one_that_it_names() {
    let mut state = Bob::with_alice();
    let mut hears = |n, before| {
        let entry = at(&mut state, n, before);
        acks(&state.hears(entry))
    };
    assert_eq!(hears(1, None), [1]);
    assert_eq!(hears(2, Some(LogHash::from_bytes([0; 32]))), [0; 0], "another past");
    assert_eq!(hears(3, Some(first_hash())), [0; 0], "beyond a gap");
    assert_eq!(hears(2, Some(first_hash())), [2]);
    assert_eq!(hears(1, None), [2], "a repeat is acknowledged where the log stands");
}

#[test]
fn an_acknowledgement_counts_only_with_the_hash_of_what_was_sent() {
    let mut state = Bob::with_alice();
    let command = Command::Send { to: "alice".parse().unwrap(), text: "hello".to_owned() };
    let (_, effects) = state.takes(Input::Command { id: CommandId(1), command });
    let sent = effects.iter().find_map(|effect| match effect {
        Effect::Send { frame: Frame::Entry(entry), .. } => Some(entry.clone()),
        _ => None,
    });
    let sent = sent.unwrap();
    let letter = state.1.read(&sent);
    let Content::Entry(content) = letter.content else { panic!("a tombstone") };
    let talk = Conversation::direct(alice().peer_id(), bob().peer_id());
    let right = Position { epoch: sent.epoch, n: 1, hash: content.chain(talk, sent.epoch, 1, None) };
    let delivered =
        |effects: Vec<Effect>| effects.iter().any(|effect| matches!(effect, Effect::Tell(Event::Delivered { .. })));
    for wrong in [
        Position { hash: LogHash::from_bytes([0; 32]), ..right },
        Position { epoch: Epoch::new(1), ..right },
        Position { n: 0, ..right },
    ] {
        assert!(!delivered(state.hears(Frame::Ack(wrong))), "{wrong:?}");
    }
    assert!(delivered(state.hears(Frame::Ack(right))));
    assert!(!delivered(state.hears(Frame::Ack(right))), "told twice");
}

#[test]
fn nobody_comes_in_under_a_borrowed_record_or_name() {
    let eve = Identity::from_seed(&[3; 32]);
    let up = |peer: &Identity| Input::LinkUp { link: LINK, peer: peer.peer_id(), dialled: false };
    // With somebody else's record.
    let mut state = Bob::new();
    state.takes(up(&eve));
    assert_eq!(refusals(&state.hears(Frame::Hello { record: record(&alice(), "alice") })), ["name_unproved"]);
    // With her own record, under a name that the tracker lists for another key, or for nobody.
    for answer in [Found::Record(Box::new(record(&alice(), "alice"))), Found::Unsigned, Found::Nobody] {
        let mut state = Bob::new();
        state.takes(up(&eve));
        assert_eq!(refusals(&state.hears(Frame::Hello { record: record(&eve, "alice") })), [""; 0]);
        let (_, effects) = state.takes(Input::Found { name: "alice".parse().unwrap(), answer });
        assert_eq!(refusals(&effects), ["name_unproved"]);
    }
    // Under the name of somebody who is known already, whatever the tracker says, and under bob's own.
    for name in ["alice", "bob"] {
        let mut state = Bob::with_alice();
        let link = LinkId(2);
        state.takes(Input::LinkUp { link, peer: eve.peer_id(), dialled: false });
        let (asks, effects) = state.takes(Input::Frame { link, frame: Frame::Hello { record: record(&eve, name) } });
        assert_eq!((refusals(&effects), asks), (vec!["key_changed".to_owned()], Vec::new()));
    }
}

#[test]
fn what_comes_before_its_time_counts_for_nothing() {
    let mut state = Bob::new();
    state.takes(Input::LinkUp { link: LINK, peer: alice().peer_id(), dialled: false });
    let entry = at(&mut state, 1, None);
    for frame in [entry.clone(), Frame::Greeting { have: Vec::new(), offer: None, watchword: None }] {
        assert!(state.hears(frame).is_empty());
    }
    state.hears(Frame::Hello { record: record(&alice(), "alice") });
    assert_eq!(acks(&state.hears(entry)), [0; 0], "a stranger is still being judged");
    assert!(state.0.connected().is_empty());
}

fn entries(effects: &[Effect]) -> Vec<LogEntry> {
    let entry = |effect: &Effect| match effect {
        Effect::Send { frame: Frame::Entry(entry), .. } => Some(entry.clone()),
        _ => None,
    };
    effects.iter().filter_map(entry).collect()
}

fn nacks(effects: &[Effect]) -> Vec<Nack> {
    let nack = |effect: &Effect| match effect {
        Effect::Send { frame: Frame::Nack(nack), .. } => Some(*nack),
        _ => None,
    };
    effects.iter().filter_map(nack).collect()
}

fn is_closed(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Close(_)))
}

/// What is inside must be what stands outside: who wrote it, to whom, where, after what.
#[test]
fn a_letter_that_says_something_else_than_its_envelope_is_not_taken() {
    let carol = Identity::from_seed(&[4; 32]);
    let (from, to) = (alice().peer_id(), bob().peer_id());
    let right = Letter {
        conversation: Conversation::direct(from, to),
        from,
        to,
        epoch: Epoch::new(5),
        n: 1,
        before: None,
        follows: None,
        content: content(1),
    };
    let hash = Some(LogHash::from_bytes([1; 32]));
    let end = Some(EpochEnd { epoch: Epoch::new(1), n: 1 });
    let wrong = [
        ("another author", Letter { from: carol.peer_id(), ..right.clone() }),
        ("another reader", Letter { to: carol.peer_id(), ..right.clone() }),
        ("another conversation", Letter { conversation: Conversation::direct(from, carol.peer_id()), ..right.clone() }),
        ("another epoch", Letter { epoch: Epoch::new(6), ..right.clone() }),
        ("another number", Letter { n: 2, ..right.clone() }),
        ("another past", Letter { before: hash, ..right.clone() }),
        ("another end of the epoch before", Letter { follows: end, ..right.clone() }),
    ];
    let show = |state: &mut Bob, plaintext: &[u8]| {
        let ciphertext = state.1.encrypt(plaintext);
        state.hears(Frame::Entry(LogEntry { epoch: right.epoch, n: 1, before: None, follows: None, ciphertext }))
    };
    for (what, letter) in wrong {
        let mut state = Bob::with_alice();
        let effects = show(&mut state, &encode_letter(&letter));
        assert_eq!((acks(&effects), nacks(&effects).len()), (vec![], 1), "{what}");
        assert_eq!(acks(&show(&mut state, &encode_letter(&right))), [1], "the right one, after {what}");
    }
    let mut state = Bob::with_alice();
    for nonsense in [&b""[..], b"hello", &[0xff; 300]] {
        assert_eq!(nacks(&show(&mut state, nonsense)).len(), 1);
    }
}

#[test]
fn what_is_never_readable_ends_the_link_and_not_the_patience_of_anybody_else() {
    let mut state = Bob::with_alice();
    for attempt in 1..=9 {
        let effects = state.hears(Frame::Entry(LogEntry {
            epoch: Epoch::new(5),
            n: 1,
            before: None,
            follows: None,
            ciphertext: chatp2p_core::testing::profile_store::ciphertext(attempt),
        }));
        if is_closed(&effects) {
            assert_eq!(attempt, 5, "after four attempts");
            return;
        }
        assert_eq!(nacks(&effects).len(), 1);
        let offers = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Send { frame: Frame::Greeting { offer: Some(_), .. }, .. }));
        assert_eq!(offers.count(), 1, "with a key to try again");
    }
    panic!("nine unreadable messages, and the link is still there");
}

/// Bob has sent two entries to alice, which are on their way; also as his store has them.
fn on_their_way(state: &mut Bob) -> (Vec<LogEntry>, Vec<LoggedEntry>) {
    let mut sent = Vec::new();
    for (n, text) in ["one", "two"].into_iter().enumerate() {
        let command = Command::Send { to: "alice".parse().unwrap(), text: text.to_owned() };
        let (_, effects) = state.takes(Input::Command { id: CommandId(n as u64), command });
        sent.extend(entries(&effects));
    }
    assert_eq!(sent.len(), 2);
    let stored = |entry: &LogEntry| {
        let Content::Entry(content) = state.1.read(entry).content else { panic!("a tombstone") };
        let talk = Conversation::direct(alice().peer_id(), bob().peer_id());
        let hash = content.chain(talk, entry.epoch, entry.n, entry.before);
        LoggedEntry { n: entry.n, hash, entry: Some(content), ciphertext: Some(entry.ciphertext.clone()) }
    };
    let logged = sent.iter().map(stored).collect();
    (sent, logged)
}

/// Alice asks for everything again, and bob's store gives it.
fn again(state: &mut Bob, logged: &[LoggedEntry]) -> Vec<LogEntry> {
    let greeting = Frame::Greeting { have: Vec::new(), offer: None, watchword: None };
    let (asks, _) = state.takes(Input::Frame { link: LINK, frame: greeting });
    let [Ask::Logged { load, .. }] = asks[..] else { panic!("{asks:?}") };
    entries(&state.takes(Input::Loaded { load, entries: Some(Loaded::Logged(logged.to_vec())) }).1)
}

#[test]
fn an_entry_is_encrypted_anew_for_the_right_nack_and_for_nothing_else() {
    let carol = Identity::from_seed(&[4; 32]);
    let (me, them) = (bob().peer_id(), alice().peer_id());
    let nack = |who: &Identity, to, entry: &LogEntry, n, ciphertext| {
        Frame::Nack(Nack::sign(who, to, entry.epoch, n, ciphertext))
    };
    // For the wrong reasons: the same bytes again.
    for what in ["nothing", "of carol", "to carol", "another number", "another ciphertext", "another epoch"] {
        let mut state = Bob::with_alice();
        let (sent, logged) = on_their_way(&mut state);
        let first = sent.first().unwrap();
        let hash = first.ciphertext.hash();
        let said = match what {
            "nothing" => None,
            "of carol" => Some(nack(&carol, me, first, 1, hash)),
            "to carol" => Some(nack(&alice(), carol.peer_id(), first, 1, hash)),
            "another number" => Some(nack(&alice(), me, first, 2, hash)),
            "another ciphertext" => Some(nack(&alice(), me, first, 1, [0; 32])),
            _ => Some(Frame::Nack(Nack::sign(&alice(), me, Epoch::new(1), 1, hash))),
        };
        said.into_iter().for_each(|said| drop(state.hears(said)));
        assert_eq!(again(&mut state, &logged), sent, "{what}");
    }
    // For the right one: everything from there on, in another session, and then never again the old bytes.
    let mut state = Bob::with_alice();
    let (sent, mut logged) = on_their_way(&mut state);
    let first = sent.first().unwrap();
    let right = nack(&alice(), me, first, 1, first.ciphertext.hash());
    state.hears(right.clone());
    let anew = again(&mut state, &logged);
    assert_eq!(anew.len(), 2);
    for (before, after) in sent.iter().zip(&anew) {
        assert_eq!((before.epoch, before.n, before.before), (after.epoch, after.n, after.before), "its place stays");
        assert_ne!(before.ciphertext.session, after.ciphertext.session);
        assert_eq!(state.1.read(after).to, them);
    }
    // The same word again means a ciphertext that was not the last: nothing more is made.
    state.hears(right);
    for (logged, entry) in logged.iter_mut().zip(&anew) {
        logged.ciphertext = Some(entry.ciphertext.clone());
    }
    assert_eq!(again(&mut state, &logged), anew);
}

#[test]
fn a_key_that_somebody_else_offers_in_a_peers_name_is_not_used() {
    let mut state = Bob::with_alice();
    let (eve, to) = (Identity::from_seed(&[3; 32]), bob().peer_id());
    let pre_keys = signed(&state.1, "alice").record().pre_keys.unwrap();
    let key = ExchangeKey::from_bytes([9; 32]);
    for offer in [Offer::sign(&eve, &pre_keys, to, key), Offer::sign(&alice(), &pre_keys, eve.peer_id(), key)] {
        state.hears(Frame::Greeting { have: Vec::new(), offer: Some(offer), watchword: None });
    }
    let (sent, _) = on_their_way(&mut state);
    assert!(sent.first().unwrap().ciphertext.begins, "and alice could read it");
}

#[test]
fn a_peer_without_usable_keys_is_told_so_and_what_is_said_to_it_waits() {
    let name: Username = "alice".parse().unwrap();
    let shows = |pre_keys: Option<PreKeys>| {
        let endpoints = Vec::new();
        let record = PeerRecord {
            username: name.clone(),
            peer_id: alice().peer_id(),
            endpoints,
            seq: 2,
            pre_keys,
            letterboxes: Vec::new(),
        };
        SignedRecord::sign(&alice(), record).unwrap()
    };
    let usable = signed(&Correspondent::new(&alice()), "alice").record().pre_keys.unwrap();
    for pre_keys in [None, Some(PreKeys { suite: 9, ..usable })] {
        let mut state = Bob::new();
        state.takes(Input::LinkUp { link: LINK, peer: alice().peer_id(), dialled: false });
        assert_eq!(refusals(&state.hears(Frame::Hello { record: shows(pre_keys) })), ["keys_unusable"]);
    }
    // Keys with which everybody would know the secret are noticed when they are used.
    let zero = ExchangeKey::from_bytes([0; 32]);
    let mut state = Bob::new();
    let record = shows(Some(PreKeys { identity: zero, fallback: zero, ..usable }));
    state.takes(Input::LinkUp { link: LINK, peer: alice().peer_id(), dialled: false });
    state.hears(Frame::Hello { record: record.clone() });
    state.takes(Input::Found { name: name.clone(), answer: Found::Record(Box::new(record)) });
    state.hears(Frame::Greeting { have: Vec::new(), offer: None, watchword: None });
    let command = Command::Send { to: name, text: "hello".to_owned() };
    let mut decision = Decision::new();
    state.0.handle(Input::Command { id: CommandId(1), command }, now(), &mut decision);
    let changes = state.0.conclude(&mut decision).unwrap();
    let waits = |change: &Change| matches!(change, Change::Queue { place: None, ciphertext: None, .. });
    assert_eq!(changes.iter().filter(|change| waits(change)).count(), 1, "{changes:?}");
    let (_, effects) = decision.release(&Committed::default());
    assert_eq!(refusals(&effects), ["keys_unusable"]);
    assert!(entries(&effects).is_empty());
}

#[test]
fn a_contact_is_dialled_where_its_newest_record_says_and_then_where_the_other_does() {
    // What she greeted with has the number 1.
    for (seq, expected) in [(0, ["memory:alice", "memory:elsewhere"]), (2, ["memory:elsewhere", "memory:alice"])] {
        let mut state = Bob::with_alice();
        let name: Username = "alice".parse().unwrap();
        state.takes(Input::LinkDown(LINK));
        let command = Command::Connect(name.clone());
        let (asks, _) = state.takes(Input::Command { id: CommandId(1), command });
        assert_eq!(asks, [Ask::Find { name: name.clone(), known: [alice().peer_id()].into() }]);
        let said = state.1.record(&name, vec!["memory:elsewhere".parse().unwrap()], seq);
        let (_, effects) = state.takes(Input::Found { name, answer: Found::Record(Box::new(said)) });
        let [Effect::Dial { peer, endpoints }] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(*peer, alice().peer_id());
        assert_eq!(endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }
}
