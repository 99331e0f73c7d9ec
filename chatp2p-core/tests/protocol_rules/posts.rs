//! Mail whose mailbox, or whose reader, is not to be relied on: what was lost is mailed again, and what is repeated is not
//! answered for ever.

use chatp2p_core::identity::Identity;
use chatp2p_core::message::LogHash;
use chatp2p_core::protocol::wire::{Frame, LogEntry};
use chatp2p_core::protocol::{Ask, Command, CommandId, Effect, Input, LinkId, Loaded, MAIL_AGAIN, MailId};
use chatp2p_core::record::{ExchangeKey, Letterbox, LetterboxId, PeerRecord, SignedRecord};
use chatp2p_core::storage::{Change, LoggedEntry};

use super::clocked::Clocked;
use super::{LINK, acks, alice, at, entries, first_hash, on_their_way, signed};

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// Longer than any post rests.
const REST: u64 = 30_000;

/// Bob, who has written two texts to alice. She has gone before they came, and he leaves them in her letterbox.
struct Mailing {
    clocked: Clocked,
    record: SignedRecord,
    logged: Vec<LoggedEntry>,
    post: LinkId,
}

impl Mailing {
    /// The link is gone, and nothing else has happened yet.
    fn parted() -> Self {
        let mut clocked = Clocked::with_alice();
        let [mailbox, drawn] = [4, 5].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
        let endpoints = vec!["ws://192.0.2.7:5001".parse().unwrap()];
        let seal = ExchangeKey::from_bytes([7; 32]);
        let letterboxes = vec![Letterbox { mailbox, endpoints, id: LetterboxId::of(drawn), seal }];
        let record = signed(&clocked.bob.1, "alice").record().clone();
        let record = SignedRecord::sign(&alice(), PeerRecord { seq: 2, letterboxes, ..record }).unwrap();
        let (_, logged) = on_their_way(&mut clocked.bob);
        let mut mailing = Self { clocked, record, logged, post: LINK };
        mailing.mail(Vec::new());
        mailing.clocked.takes(Input::LinkDown(LINK));
        mailing
    }

    fn of_two() -> Self {
        let mut mailing = Self::parted();
        let (asks, _) = mailing.clocked.passes(500);
        assert!(matches!(asks[..], [Ask::Find { .. }]), "{asks:?}");
        mailing.clocked.finds_alice();
        let opened = mailing.clocked.dial_fails();
        assert_eq!(mailing.hands_over(opened), [1, 2]);
        mailing
    }

    /// The post is opened where it was not, and given what is asked for; which entries are handed over.
    fn hands_over(&mut self, (asks, effects): (Vec<Ask>, Vec<Effect>)) -> Vec<u64> {
        let opened = effects.iter().find_map(|effect| match effect {
            Effect::OpenPost { link, .. } => Some(*link),
            _ => None,
        });
        self.post = opened.unwrap_or(self.post);
        let logged = asks.iter().find_map(|ask| match ask {
            Ask::Logged { load, range, .. } => Some((*load, range.clone())),
            _ => None,
        });
        let Some((load, range)) = logged else { return Vec::new() };
        let some = self.logged.iter().filter(|entry| range.contains(&entry.n)).cloned().collect();
        let (_, effects) = self.clocked.takes(Input::Loaded { load, entries: Some(Loaded::Logged(some)) });
        entries(&effects).iter().map(|entry| entry.n).collect()
    }

    fn posted(&mut self, entries: usize) {
        let (asks, _) = self.clocked.takes(Input::Posted { link: self.post, entries });
        assert!(asks.is_empty(), "{asks:?}");
    }

    /// The visit fails, and there is another one. Which entries are handed over at that.
    fn fails_once(&mut self) -> Vec<u64> {
        self.clocked.takes(Input::NotPosted(self.post));
        let opened = self.clocked.passes(REST);
        self.hands_over(opened)
    }

    fn passes(&mut self, millis: u64) -> Vec<u64> {
        let woken = self.clocked.passes(millis);
        self.hands_over(woken)
    }

    /// What bob collects from alice.
    fn mail(&mut self, frames: Vec<Frame>) -> (Vec<Ask>, Vec<Effect>) {
        self.clocked.takes(Input::Mail { mail: MailId(1), from: Box::new(self.record.clone()), frames })
    }

    /// Alice says that she has nothing.
    fn asks_for_all(&mut self) -> Vec<u64> {
        let asked = self.mail(vec![Frame::Greeting { have: Vec::new(), offer: None, watchword: None }]);
        self.hands_over(asked)
    }
}

fn greetings(effects: &[Effect]) -> usize {
    let is_greeting = |effect: &&Effect| matches!(effect, Effect::Send { frame: Frame::Greeting { .. }, .. });
    effects.iter().filter(is_greeting).count()
}

#[test]
fn nothing_is_mailed_before_a_dial_has_failed() {
    let mut bob = Mailing::parted();
    let command = Command::Send { to: "alice".parse().unwrap(), text: "three".to_owned() };
    let (_, effects) = bob.clocked.takes(Input::Command { id: CommandId(3), command });
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::OpenPost { .. })), "{effects:?}");
}

#[test]
fn what_a_mailbox_keeps_is_not_handed_over_at_the_next_visit() {
    let mut bob = Mailing::of_two();
    bob.posted(1);
    assert_eq!(bob.fails_once(), [2]);
    bob.posted(1);
    assert_eq!(bob.fails_once(), [0; 0]);
}

#[test]
fn where_a_reader_asks_to_go_on_from_is_not_forgotten_when_the_visit_fails() {
    for kept_before in [true, false] {
        let mut bob = Mailing::of_two();
        if kept_before {
            bob.posted(2);
        }
        assert_eq!(bob.asks_for_all(), [1, 2]);
        if !kept_before {
            // Of what was handed over before alice asked for it again.
            bob.posted(2);
        }
        assert_eq!(bob.fails_once(), [1, 2], "kept before: {kept_before}");
        bob.posted(1);
        assert_eq!(bob.fails_once(), [2]);
    }
}

#[test]
fn what_is_mailed_again_after_a_week_is_not_forgotten_when_the_visit_fails() {
    let mut bob = Mailing::of_two();
    bob.posted(2);
    assert_eq!(bob.passes(7 * DAY), [1, 2]);
    assert_eq!(bob.fails_once(), [1, 2]);
}

#[test]
fn a_week_after_the_oldest_was_mailed_all_is_mailed_again_whatever_came_between() {
    let mut bob = Mailing::of_two();
    bob.posted(1);
    assert_eq!(bob.passes(4 * DAY), [0; 0]);
    // Something newer is kept, and visits fail.
    bob.posted(1);
    assert_eq!(bob.passes(2 * DAY), [0; 0]);
    assert_eq!(bob.fails_once(), [0; 0]);
    assert_eq!(bob.passes(DAY), [1, 2]);
    bob.posted(2);
    assert_eq!(bob.passes(6 * DAY), [0; 0], "and not sooner");
    assert_eq!(bob.passes(DAY), [1, 2]);
}

#[test]
fn the_next_life_knows_since_when_mail_waits_and_that_it_was_mailed_again() {
    let mut bob = Mailing::of_two();
    bob.clocked.changes.clear();
    let begun = bob.clocked.millis;
    bob.posted(1);
    bob.passes(4 * DAY);
    bob.posted(1);
    bob.passes(3 * DAY);
    let again = bob.clocked.millis;
    // Of what is mailed again nothing counts before the last of it.
    bob.posted(1);
    bob.passes(DAY);
    bob.posted(1);
    let mailed = |change: &Change| match change {
        Change::Mailed { place, at, .. } => Some((place.n, at.as_millis())),
        _ => None,
    };
    let mailed: Vec<_> = bob.clocked.changes.iter().filter_map(mailed).collect();
    assert_eq!(mailed, [(1, begun), (2, begun), (2, again)]);
    assert_eq!(u128::from(again - begun), MAIL_AGAIN.as_millis());
}

#[test]
fn mail_that_is_repeated_is_answered_a_few_times_and_again_once_something_new_came() {
    let mut bob = Mailing::of_two();
    let first = at(&mut bob.clocked.bob, 1, None);
    bob.posted(2);
    let answers = |bob: &mut Mailing, frame: &Frame| {
        let mails = (0..1_000).map(|_| acks(&bob.mail(vec![frame.clone()]).1).len());
        mails.sum::<usize>()
    };
    assert_eq!(answers(&mut bob, &first), 1 + 8);
    let second = at(&mut bob.clocked.bob, 2, Some(first_hash()));
    assert_eq!(answers(&mut bob, &second), 1 + 8);
    bob.passes(7 * DAY);
    assert_eq!(answers(&mut bob, &second), 8, "a week later the answers may be lost");
}

#[test]
fn mail_beyond_a_gap_asks_to_go_on_once_and_again_after_a_while() {
    let mut bob = Mailing::of_two();
    bob.posted(2);
    let beyond = at(&mut bob.clocked.bob, 3, Some(LogHash::from_bytes([3; 32])));
    let asked = |bob: &mut Mailing| greetings(&bob.mail(vec![beyond.clone(), beyond.clone()]).1);
    assert_eq!(asked(&mut bob), 1);
    assert_eq!((0..100).map(|_| asked(&mut bob)).sum::<usize>(), 0);
    bob.passes(DAY);
    assert_eq!(asked(&mut bob), 1, "the answer may be lost");
    assert_eq!(asked(&mut bob), 0);
}

#[test]
fn mail_that_goes_back_behind_what_went_before_is_taken() {
    let mut bob = Mailing::of_two();
    let beyond = at(&mut bob.clocked.bob, 2, Some(first_hash()));
    let first = at(&mut bob.clocked.bob, 1, None);
    let (_, effects) = bob.mail(vec![beyond.clone(), first, beyond]);
    assert_eq!((acks(&effects), greetings(&effects)), (vec![2], 0));
}

#[test]
fn of_mail_that_cannot_be_read_a_few_entries_are_tried() {
    let mut bob = Mailing::of_two();
    let Frame::Entry(entry) = at(&mut bob.clocked.bob, 1, None) else { panic!("an entry") };
    // Each at the place of the next, and each with another ciphertext.
    let unreadable = |n: u8| {
        let mut entry: LogEntry = entry.clone();
        entry.ciphertext.message = vec![n; 200];
        Frame::Entry(entry)
    };
    let nacks = |effects: &[Effect]| {
        let is_nack = |effect: &&Effect| matches!(effect, Effect::Send { frame: Frame::Nack(_), .. });
        effects.iter().filter(is_nack).count()
    };
    let behind = |some: u8| (0..some).map(unreadable).chain([Frame::Entry(entry.clone())]).collect();
    let (_, effects) = bob.mail(behind(4));
    assert_eq!((nacks(&effects), acks(&effects)), (1, Vec::new()));
    let (_, effects) = bob.mail(behind(3));
    assert_eq!((nacks(&effects), acks(&effects)), (0, vec![1]), "mail that goes back may bring it behind them");
}
