//! Friends who tell each other where others are: who asks whom, about whom, how often; what is answered, and what is believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::time::Duration;

use chatp2p_core::clock::{Now, Wall};
use chatp2p_core::crypto::{Keyring, Mark, Olm, Watchword};
use chatp2p_core::identity::{Identity, SafetyNumber, Username};
use chatp2p_core::protocol::wire::{Frame, MAX_RECORDS, MAX_SOUGHT};
use chatp2p_core::protocol::{Command, CommandId, ContactCommand, Decision, Effect, Found, Input, LinkId, Me, State};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::storage::{Change, Committed, Snapshot};
use chatp2p_core::testing::node::{Correspondent, alice, bob, carol, eve};

const SALT: [u8; 16] = [9; 16];

/// Each has one link at most, which is named by its peer.
fn link_of(who: &Identity) -> LinkId {
    LinkId(who.peer_id().as_bytes().iter().take(7).fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn called(who: &Identity) -> Username {
    format!("peer-{}", link_of(who).0).parse().unwrap()
}

/// What somebody signs about themselves: where they are follows from the number.
fn record(who: &Identity, seq: u64) -> SignedRecord {
    Correspondent::new(who).record(&called(who), vec![format!("memory:at-{seq}").parse().unwrap()], seq)
}

fn mark(of: &Identity, asker: &Identity, asked: &Identity) -> Mark {
    Watchword::of(of).mark(of.peer_id(), &SALT, asker.peer_id(), asked.peer_id())
}

fn seek(of: &[Mark]) -> Frame {
    Frame::Seek { salt: SALT, of: of.to_vec() }
}

/// The state of somebody whose every commit succeeds, and what it did last.
struct Mind {
    state: State,
    at: Duration,
    changes: Vec<Change>,
}

impl Mind {
    fn of(who: &Identity) -> Self {
        let at = Duration::from_secs(1);
        let now = Now { mono: at, wall: Wall::default() };
        let keyring = Keyring::load(who.clone(), &Olm, Vec::new(), [8; 32], now.wall).unwrap();
        let (username, peer_id) = (called(who), who.peer_id());
        let record = PeerRecord {
            username: username.clone(),
            peer_id,
            endpoints: Vec::new(),
            seq: 1,
            pre_keys: Some(keyring.pre_keys()),
            letterboxes: Vec::new(),
        };
        let me = Me { peer_id, username, record: SignedRecord::sign(who, record).unwrap() };
        let state = State::new(me, keyring, Snapshot::default(), [7; 32], now);
        Self { state, at, changes: Vec::new() }
    }

    fn takes(&mut self, input: Input) -> Vec<Effect> {
        let now = Now { mono: self.at, wall: Wall::default() };
        let mut decision = Decision::new();
        self.state.handle(input, now, &mut decision);
        self.changes = self.state.conclude(&mut decision).unwrap();
        self.changes.retain(|change| matches!(change, Change::Contact(_)));
        decision.release(&Committed::default()).1
    }

    fn hears(&mut self, from: &Identity, frame: Frame) -> Vec<Effect> {
        self.takes(Input::Frame { link: link_of(from), frame })
    }

    /// Somebody connects, with a record of this number; and is known by a word, unless their node is an old one.
    fn meets_with(&mut self, who: &Identity, seq: u64, watchword: Option<Watchword>) -> Vec<Effect> {
        let (link, record) = (link_of(who), record(who, seq));
        self.takes(Input::LinkUp { link, peer: who.peer_id(), dialled: false });
        self.hears(who, Frame::Hello { record: record.clone() });
        self.takes(Input::Found { name: called(who), answer: Found::Record(Box::new(record)) });
        let effects = self.hears(who, Frame::Greeting { have: Vec::new(), offer: None, watchword });
        assert!(self.state.is_connected(who.peer_id()));
        effects
    }

    fn meets(&mut self, who: &Identity, seq: u64) -> Vec<Effect> {
        self.meets_with(who, seq, Some(Watchword::of(who)))
    }

    fn writes(&mut self, to: &Identity) {
        let command = Command::Send { to: called(to), text: "hello".to_owned() };
        self.takes(Input::Command { id: CommandId(1), command });
    }

    /// Somebody whose safety number was compared, which counts as much as having written to them.
    fn has_friend(&mut self, who: &Identity) {
        self.meets(who, 1);
        let shown = SafetyNumber::new(self.state.me().peer_id, who.peer_id()).to_string();
        let command = Command::Contact(ContactCommand::Verify { name: called(who), shown });
        self.takes(Input::Command { id: CommandId(1), command });
    }

    fn blocks(&mut self, who: &Identity) {
        let command = Command::Contact(ContactCommand::Block { name: called(who), blocked: true });
        self.takes(Input::Command { id: CommandId(2), command });
    }

    /// Their link breaks, no tracker answers, and nobody is where they were.
    fn loses(&mut self, who: &Identity) -> Vec<Effect> {
        self.takes(Input::LinkDown(link_of(who)));
        self.dials_in_vain(who)
    }

    fn dials_in_vain(&mut self, who: &Identity) -> Vec<Effect> {
        self.at += Duration::from_secs(31);
        self.takes(Input::Wake);
        let trouble = chatp2p_core::code::Code::TrackerUnreachable;
        self.takes(Input::Found { name: called(who), answer: Found::Trouble(trouble) });
        self.takes(Input::DialFailed { peer: who.peer_id(), reason: "nobody is there".to_owned() })
    }

    fn knows(&self, who: &Identity) -> u64 {
        self.state.contact(who.peer_id()).unwrap().record.as_ref().unwrap().record().seq
    }
}

/// What was asked, by the link.
fn questions(effects: &[Effect]) -> Vec<(LinkId, [u8; 16], Vec<Mark>)> {
    let question = |effect: &Effect| match effect {
        Effect::Send { link, frame: Frame::Seek { salt, of } } => Some((*link, *salt, of.clone())),
        _ => None,
    };
    effects.iter().filter_map(question).collect()
}

/// Of whom something was told on the link to this one, and the numbers of the records.
fn told(effects: &[Effect], to: &Identity) -> Vec<(Username, u64)> {
    let told = |effect: &Effect| match effect {
        Effect::Send { link, frame: Frame::Records { records } } if *link == link_of(to) => Some(records.clone()),
        _ => None,
    };
    let records = effects.iter().filter_map(told).flatten();
    records.map(|record| (record.record().username.clone(), record.record().seq)).collect()
}

fn dialled(effects: &[Effect]) -> Vec<String> {
    let endpoints = |effect: &Effect| match effect {
        Effect::Dial { endpoints, .. } => endpoints.first().map(ToString::to_string),
        _ => None,
    };
    effects.iter().filter_map(endpoints).collect()
}

/// Alice, who has lost bob and asked carol.
fn alice_who_asked_carol() -> Mind {
    let mut a = Mind::of(&alice());
    a.has_friend(&carol());
    a.has_friend(&bob());
    assert_eq!(questions(&a.loses(&bob())).len(), 1);
    a
}

fn crowd(count: u8) -> Vec<Identity> {
    (0..count).map(|number| Identity::from_seed(&[100 + number; 32])).collect()
}

#[test]
fn whoever_cannot_be_reached_is_asked_for_and_dialled_at_once_where_a_friend_says() {
    let mut a = Mind::of(&alice());
    a.has_friend(&carol());
    a.has_friend(&bob());
    let asked = questions(&a.loses(&bob()));
    let [(link, salt, of)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((*link, of.len()), (link_of(&carol()), MAX_SOUGHT), "how many are missed is nobody's business");
    let expected = Watchword::of(&bob()).mark(bob().peer_id(), salt, alice().peer_id(), carol().peer_id());
    assert_eq!(of.iter().filter(|mark| **mark == expected).count(), 1);
    assert!(of.is_sorted(), "nor where in their order the real ones are");
    let effects = a.hears(&carol(), Frame::Records { records: vec![record(&bob(), 2)] });
    assert_eq!((dialled(&effects), a.knows(&bob())), (vec!["memory:at-2".to_owned()], 2));
    assert_eq!(a.changes.len(), 1, "and that is kept");
    // Found now, and not again; whatever else is said of him belongs to another question.
    for seq in [2, 3] {
        let effects = a.hears(&carol(), Frame::Records { records: vec![record(&bob(), seq)] });
        assert_eq!((effects.len(), a.changes.len(), a.knows(&bob())), (0, 0, 2));
    }
}

#[test]
fn a_record_that_is_not_newer_changes_nothing() {
    let mut a = alice_who_asked_carol();
    for seq in [0, 1] {
        let effects = a.hears(&carol(), Frame::Records { records: vec![record(&bob(), seq)] });
        assert_eq!((effects.len(), a.changes.len(), a.knows(&bob())), (0, 0, 1));
    }
}

#[test]
fn what_was_not_asked_on_this_link_is_not_taken() {
    let mut a = alice_who_asked_carol();
    // She may be asked when she comes; that she was not yet is what matters here.
    a.meets(&eve(), 1);
    for (from, of) in [(eve(), bob()), (carol(), eve()), (carol(), crowd(1).remove(0))] {
        let effects = a.hears(&from, Frame::Records { records: vec![record(&of, 2)] });
        assert_eq!((effects.len(), a.changes.len()), (0, 0));
    }
    assert_eq!((a.knows(&bob()), a.knows(&eve())), (1, 1));
    // Nor what is about somebody who was blocked meanwhile.
    a.blocks(&bob());
    let effects = a.hears(&carol(), Frame::Records { records: vec![record(&bob(), 2)] });
    assert_eq!((effects.len(), a.changes.len(), a.knows(&bob())), (0, 0, 1));
}

#[test]
fn only_a_link_with_somebody_one_has_written_to_and_who_knows_of_it_is_asked() {
    let mut a = Mind::of(&alice());
    let old = crowd(1).remove(0);
    a.has_friend(&bob());
    a.meets(&carol(), 1);
    a.meets_with(&old, 1, None);
    a.writes(&old);
    assert_eq!(questions(&a.loses(&bob())), [], "carol is no friend, and the other would break the link");
    a.writes(&carol());
    assert_eq!(questions(&a.dials_in_vain(&bob())).len(), 1);
}

#[test]
fn whoever_comes_later_is_asked_when_their_link_is_up() {
    let mut a = Mind::of(&alice());
    a.has_friend(&carol());
    a.has_friend(&bob());
    a.takes(Input::LinkDown(link_of(&carol())));
    assert_eq!(questions(&a.loses(&bob())), []);
    assert_eq!(questions(&a.meets(&carol(), 1)).len(), 1);
}

#[test]
fn a_link_is_asked_once_a_minute_and_answers_once_in_ten_seconds() {
    let mut a = alice_who_asked_carol();
    let first = a.at;
    let asked = (0..20).filter(|_| !questions(&a.dials_in_vain(&bob())).is_empty()).count();
    let minutes = (a.at - first).as_secs() / 60;
    assert!((1..=usize::try_from(minutes).unwrap()).contains(&asked), "{asked} in {minutes} minutes");

    let mut c = Mind::of(&carol());
    c.has_friend(&alice());
    c.has_friend(&bob());
    let question = seek(&[mark(&bob(), &alice(), &carol())]);
    let answers = |c: &mut Mind| told(&c.hears(&alice(), question.clone()), &alice()).len();
    assert_eq!((answers(&mut c), answers(&mut c)), (1, 0));
    c.at += Duration::from_secs(9);
    assert_eq!(answers(&mut c), 0);
    c.at += Duration::from_secs(1);
    assert_eq!(answers(&mut c), 1);
}

#[test]
fn what_is_told_is_of_those_alone_who_were_asked_for_and_are_known_to_both() {
    let mut c = Mind::of(&carol());
    let [dave, erin, blocked, forgotten] = &crowd(4)[..] else { panic!("four") };
    for friend in [&alice(), &bob(), dave, blocked, forgotten] {
        c.has_friend(friend);
    }
    c.blocks(blocked);
    c.takes(Input::Command { id: CommandId(3), command: Command::ForgetKey(called(forgotten)) });
    let mut asks = |of: &[Mark]| {
        c.at += Duration::from_secs(10);
        told(&c.hears(&alice(), seek(of)), &alice())
    };
    let of = |who: &Identity| mark(who, &alice(), &carol());
    assert_eq!(asks(&[]), []);
    assert_eq!(asks(&[of(erin), of(blocked), of(forgotten), of(&alice()), of(&carol())]), []);
    // Who knows a key and not the word can make no mark.
    let guess = Watchword::from_bytes([0; 32]).mark(bob().peer_id(), &SALT, alice().peer_id(), carol().peer_id());
    // Nor is a question answered that somebody else was asked, or asked.
    assert_eq!(asks(&[guess, mark(&bob(), &alice(), dave), mark(&bob(), dave, &carol())]), []);
    assert_eq!(asks(&[of(erin), of(&bob())]), [(called(&bob()), 1)]);
}

#[test]
fn strangers_who_were_let_in_and_those_who_are_blocked_are_told_nothing() {
    let mut c = Mind::of(&carol());
    c.has_friend(&bob());
    c.meets(&eve(), 1);
    let question = seek(&[mark(&bob(), &eve(), &carol())]);
    assert_eq!(told(&c.hears(&eve(), question.clone()), &eve()), []);
    c.writes(&eve());
    assert_eq!(told(&c.hears(&eve(), question.clone()), &eve()), [(called(&bob()), 1)]);
    c.blocks(&eve());
    c.at += Duration::from_secs(10);
    assert_eq!(told(&c.hears(&eve(), question), &eve()), []);
    // Nor later, when there is news.
    c.takes(Input::LinkDown(link_of(&bob())));
    assert_eq!(told(&c.meets(&bob(), 2), &eve()), []);
}

#[test]
fn whoever_asked_is_told_as_soon_as_the_other_is_there_and_once() {
    let mut c = Mind::of(&carol());
    c.has_friend(&alice());
    c.has_friend(&bob());
    c.takes(Input::LinkDown(link_of(&bob())));
    assert_eq!(told(&c.hears(&alice(), seek(&[mark(&bob(), &alice(), &carol())])), &alice()), [(called(&bob()), 1)]);
    assert_eq!(told(&c.meets(&bob(), 2), &alice()), [(called(&bob()), 2)]);
    c.takes(Input::LinkDown(link_of(&bob())));
    assert_eq!(told(&c.meets(&bob(), 3), &alice()), []);
}

#[test]
fn questions_and_answers_are_bounded_and_get_round_to_everybody() {
    let mut a = Mind::of(&alice());
    a.has_friend(&carol());
    let missing = crowd(40);
    missing.iter().for_each(|who| a.has_friend(who));
    missing.iter().for_each(|who| drop(a.takes(Input::LinkDown(link_of(who)))));
    let mut sought = BTreeSet::new();
    for _ in 0..200 {
        let effects: Vec<Effect> = missing.iter().flat_map(|who| a.dials_in_vain(who)).collect();
        for (_, salt, of) in questions(&effects) {
            assert_eq!(of.len(), MAX_SOUGHT);
            let name =
                |who: &Identity| Watchword::of(who).mark(who.peer_id(), &salt, alice().peer_id(), carol().peer_id());
            sought.extend(missing.iter().filter(|who| of.contains(&name(who))).map(called));
        }
        if sought.len() == missing.len() {
            break;
        }
    }
    assert_eq!(sought.len(), missing.len());

    let mut c = Mind::of(&carol());
    c.has_friend(&alice());
    missing.iter().for_each(|who| c.has_friend(who));
    // One of them is here.
    missing.iter().take(39).for_each(|who| drop(c.takes(Input::LinkDown(link_of(who)))));
    let of: Vec<Mark> = missing.iter().skip(8).map(|who| mark(who, &alice(), &carol())).collect();
    let told = told(&c.hears(&alice(), seek(&of)), &alice());
    assert_eq!((told.len(), &told[0].0), (MAX_RECORDS, &called(&missing[39])));
}

#[test]
fn what_was_learnt_of_a_contact_is_kept_for_the_next_life() {
    let mut a = Mind::of(&alice());
    a.meets(&bob(), 1);
    let Some(Change::Contact(kept)) = a.changes.last() else { panic!("{:?}", a.changes) };
    assert_eq!(kept.watchword, Some(Watchword::of(&bob())));
    // Who says nothing of it takes nothing back.
    a.takes(Input::LinkDown(link_of(&bob())));
    a.meets_with(&bob(), 2, None);
    assert_eq!(a.state.contact(bob().peer_id()).unwrap().watchword, Some(Watchword::of(&bob())));
}
