//! What an honest peer never does, and a state must not fall for: hostile acknowledgements, entries out of nowhere, borrowed
//! names. The simulator plays honest peers only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use chatp2p_core::clock::{Now, Wall};
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Body, Conversation, Entry, EntryId, Epoch, LogHash, Position};
use chatp2p_core::protocol::wire::{Content, Frame, LogEntry, Reason};
use chatp2p_core::protocol::{Ask, Command, CommandId, Decision, Effect, Event, Found, Input, LinkId, Me, State};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::storage::{Committed, Snapshot};

const LINK: LinkId = LinkId(1);

fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn bob() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn record(who: &Identity, name: &str) -> SignedRecord {
    let endpoints = vec![format!("memory:{name}").parse().unwrap()];
    let record = PeerRecord { username: name.parse().unwrap(), peer_id: who.peer_id(), endpoints, seq: 1 };
    SignedRecord::sign(who, record).unwrap()
}

/// Bob's state, whose every commit succeeds.
struct Bob(State);

impl Bob {
    fn new() -> Self {
        let me = Me { peer_id: bob().peer_id(), username: "bob".parse().unwrap(), record: record(&bob(), "bob") };
        Self(State::new(me, Snapshot::default(), [7; 32], now()))
    }

    fn takes(&mut self, input: Input) -> (Vec<Ask>, Vec<Effect>) {
        let mut decision = Decision::new();
        self.0.handle(input, now(), &mut decision);
        decision.take_changes();
        decision.release(&Committed::default())
    }

    fn hears(&mut self, frame: Frame) -> Vec<Effect> {
        self.takes(Input::Frame { link: LINK, frame }).1
    }

    /// Alice, a stranger, comes up on a link.
    fn with_alice() -> Self {
        let mut state = Self::new();
        state.takes(Input::LinkUp { link: LINK, peer: alice().peer_id(), dialled: false });
        state.hears(Frame::Hello { record: record(&alice(), "alice") });
        let answer = Found::Record(Box::new(record(&alice(), "alice")));
        state.takes(Input::Found { name: "alice".parse().unwrap(), answer });
        let effects = state.hears(Frame::Greeting { have: Vec::new() });
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(Event::PeerConnected(_)))), "{effects:?}");
        state
    }
}

fn now() -> Now {
    Now { mono: Duration::from_secs(1), wall: Wall::from_millis(1_700_000_000_000) }
}

fn entry(id: u8) -> Entry {
    Entry { id: EntryId::from_bytes([id; 16]), written: now().wall, body: Body::Text(format!("number {id}")) }
}

fn at(n: u64, before: Option<LogHash>) -> Frame {
    let content = Content::Entry(entry(u8::try_from(n).unwrap()));
    Frame::Entry(LogEntry { epoch: Epoch::new(5), n, before, follows: None, content })
}

fn first_hash() -> LogHash {
    entry(1).chain(Conversation::direct(alice().peer_id(), bob().peer_id()), Epoch::new(5), 1, None)
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
    assert_eq!(acks(&state.hears(at(1, None))), [1]);
    assert_eq!(acks(&state.hears(at(2, Some(LogHash::from_bytes([0; 32]))))), [0; 0], "another past");
    assert_eq!(acks(&state.hears(at(3, Some(first_hash())))), [0; 0], "beyond a gap");
    assert_eq!(acks(&state.hears(at(2, Some(first_hash())))), [2]);
    assert_eq!(acks(&state.hears(at(1, None))), [2], "a repeat is acknowledged where the log stands");
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
    let Content::Entry(content) = sent.content else { panic!("a tombstone") };
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
    for frame in [at(1, None), Frame::Greeting { have: Vec::new() }] {
        assert!(state.hears(frame).is_empty());
    }
    state.hears(Frame::Hello { record: record(&alice(), "alice") });
    assert_eq!(acks(&state.hears(at(1, None))), [0; 0], "a stranger is still being judged");
    assert!(state.0.connected().is_empty());
}
