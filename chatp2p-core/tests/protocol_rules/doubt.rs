//! Links that may be dead while nobody has noticed: they serve on, somebody better is looked for, and nobody is given up for
//! a mere doubt.

use chatp2p_core::protocol::wire::{Frame, Reason};
use chatp2p_core::protocol::{Ask, Command, CommandId, Effect, Event, Input, LinkId, Loaded};

use super::clocked::Clocked;
use super::{LINK, acks, alice, at, entries, on_their_way};

/// By when whoever is doubted is dialled.
const SOON: u64 = 500;

/// Longer than any doubt.
const LONG: u64 = 60_000;

/// The link that takes the place of the first.
const SECOND: LinkId = LinkId(2);

impl Clocked {
    /// He doubts, and dials alice within half a second.
    fn doubts(&mut self) {
        let (asks, effects) = self.takes(Input::Doubt);
        assert!(asks.is_empty() && effects.is_empty(), "{asks:?} {effects:?}");
        let (asks, effects) = self.passes(SOON);
        assert!(matches!(&asks[..], [Ask::Find { name, .. }] if name.as_str() == "alice"), "{asks:?}");
        assert!(effects.is_empty(), "{effects:?}");
        self.finds_alice();
    }

    fn second_comes_up(&mut self, dialled: bool) -> (Vec<Ask>, Vec<Effect>) {
        self.comes_up(SECOND, dialled)
    }

    fn is_connected(&self) -> bool {
        self.bob.0.is_connected(alice().peer_id())
    }
}

fn is_told(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Tell(_)))
}

fn superseded(effects: &[Effect]) -> Vec<LinkId> {
    let goodbye = |effect: &Effect| match effect {
        Effect::Send { link, frame: Frame::Goodbye { reason: Reason::Superseded } } => Some(*link),
        _ => None,
    };
    effects.iter().filter_map(goodbye).collect()
}

#[test]
fn a_link_that_is_doubted_serves_on_while_its_peer_is_dialled_beside_it() {
    let mut bob = Clocked::with_alice();
    bob.doubts();
    let entry = at(&mut bob.bob, 1, None);
    let effects = bob.hears(LINK, entry);
    assert_eq!(acks(&effects), [1]);
    let command = Command::Send { to: "alice".parse().unwrap(), text: "still there?".to_owned() };
    let (_, effects) = bob.takes(Input::Command { id: CommandId(1), command });
    assert_eq!(entries(&effects).len(), 1, "{effects:?}");
    assert!(bob.is_connected());
}

#[test]
fn what_was_on_its_way_on_a_doubted_link_goes_out_again_on_its_successor_and_nobody_is_told() {
    for dialled in [true, false] {
        let mut bob = Clocked::with_alice();
        let (sent, logged) = on_their_way(&mut bob.bob);
        bob.doubts();
        let (asks, effects) = bob.second_comes_up(dialled);
        // Bob's key is the lower one, so that it is he who ends the old link.
        assert_eq!(superseded(&effects), [LINK]);
        assert!(!is_told(&effects), "{effects:?}");
        let cancelled = effects.iter().any(|effect| matches!(effect, Effect::CancelDial(_)));
        assert_eq!(cancelled, !dialled, "there is a dial to give up if she has called meanwhile");
        let [Ask::Logged { load, .. }] = asks[..] else { panic!("{asks:?}") };
        let (_, effects) = bob.takes(Input::Loaded { load, entries: Some(Loaded::Logged(logged)) });
        assert_eq!(entries(&effects), sent);
        let on_second = |effect: &Effect| !matches!(effect, Effect::Send { link, .. } if *link != SECOND);
        assert!(effects.iter().all(on_second), "{effects:?}");
        // At the other end of a dead link nobody answers the goodbye.
        let (asks, effects) = bob.passes(5_000);
        assert!(asks.is_empty() && matches!(effects[..], [Effect::Close(LINK)]), "{asks:?} {effects:?}");
        assert!(bob.is_connected());
    }
}

#[test]
fn a_link_whose_peer_cannot_be_dialled_is_kept_and_the_dial_repeated_until_there_is_no_doubt_any_more() {
    let mut bob = Clocked::with_alice();
    bob.doubts();
    let begun = bob.millis;
    let (mut dials, mut last) = (1, 0);
    for _ in 0..100 {
        let (_, effects) = bob.dial_fails();
        assert!(effects.is_empty(), "{effects:?}");
        let Some(due) = bob.due() else { break };
        assert!(due > bob.millis, "a dial that failed waits");
        let (asks, effects) = bob.passes(due - bob.millis);
        assert!(effects.is_empty() && bob.is_connected(), "{effects:?}");
        if asks.is_empty() {
            break;
        }
        bob.finds_alice();
        (dials, last) = (dials + 1, bob.millis - begun);
    }
    assert!((4..=12).contains(&dials) && (10_000..45_500).contains(&last), "{dials} dials within {last} ms");
    let (asks, effects) = bob.passes(10 * LONG);
    assert!(asks.is_empty() && effects.is_empty(), "{asks:?} {effects:?}");
    let entry = at(&mut bob.bob, 1, None);
    assert_eq!(acks(&bob.hears(LINK, entry)), [1], "and the link serves on");
    // What failed beside it does not count when it breaks at last.
    bob.takes(Input::LinkDown(LINK));
    assert!(bob.due().unwrap() <= bob.millis + SOON);
}

#[test]
fn a_link_that_breaks_while_it_is_doubted_is_dialled_as_soon_as_any() {
    let mut bob = Clocked::with_alice();
    bob.doubts();
    for _ in 0..4 {
        bob.dial_fails();
        let due = bob.due().unwrap();
        bob.passes(due - bob.millis);
        bob.finds_alice();
    }
    bob.dial_fails();
    assert!(bob.due().unwrap() > bob.millis + 2 * SOON, "the last pause is a long one");
    bob.takes(Input::LinkDown(LINK));
    assert!(bob.due().unwrap() <= bob.millis + SOON);
}

#[test]
fn a_link_that_does_not_get_as_far_as_being_up_replaces_nothing_and_is_tried_again() {
    let mut bob = Clocked::with_alice();
    bob.doubts();
    bob.takes(Input::LinkUp { link: SECOND, peer: alice().peer_id(), dialled: true });
    assert_eq!(bob.passes(SOON).0, [], "one that greets is waited for");
    let (_, effects) = bob.takes(Input::LinkDown(SECOND));
    assert!(effects.is_empty() && bob.is_connected(), "{effects:?}");
    let (asks, _) = bob.passes(SOON);
    assert!(matches!(asks[..], [Ask::Find { .. }]), "{asks:?}");
}

#[test]
fn a_link_that_came_up_after_the_doubt_is_not_doubted() {
    let mut bob = Clocked::with_alice();
    bob.takes(Input::Doubt);
    let (_, effects) = bob.second_comes_up(false);
    assert_eq!(superseded(&effects), [LINK]);
    assert!(bob.passes(LONG).0.is_empty(), "she has dialled already");
}

#[test]
fn a_peer_who_is_waited_for_is_dialled_at_once_and_the_waits_are_short_again() {
    let mut bob = Clocked::with_alice();
    bob.takes(Input::LinkDown(LINK));
    for _ in 0..20 {
        let due = bob.due().unwrap();
        bob.passes(due - bob.millis);
        bob.finds_alice();
        bob.dial_fails();
    }
    assert!(bob.due().unwrap() > bob.millis + 10_000, "half a minute at most, half of it at least");
    bob.doubts();
    bob.dial_fails();
    assert!(bob.due().unwrap() <= bob.millis + SOON);
}

#[test]
fn nobody_is_dialled_for_a_doubt_whom_nobody_wants_to_reach() {
    let mut bob = Clocked::with_alice();
    let goodbye = Frame::Goodbye { reason: Reason::Disconnected };
    bob.hears(LINK, goodbye);
    bob.takes(Input::Doubt);
    assert_eq!(bob.passes(LONG).0, []);
    let mut bob = Clocked::with_alice();
    let (_, effects) = bob.takes(Input::Command { id: CommandId(1), command: Command::Stop });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Tell(Event::PeerDisconnected(_)))));
    bob.takes(Input::Doubt);
    assert_eq!(bob.passes(LONG).0, []);
}

#[test]
fn those_who_are_doubted_at_once_are_not_dialled_at_the_same_instant() {
    let due = |draws: u64| {
        let mut bob = Clocked::with_alice();
        let text = "one more draw".to_owned();
        for id in 0..draws {
            let command = Command::Send { to: "alice".parse().unwrap(), text: text.clone() };
            bob.takes(Input::Command { id: CommandId(id), command });
        }
        bob.takes(Input::Doubt);
        bob.due().unwrap()
    };
    let instants: std::collections::BTreeSet<u64> = (0..8).map(due).collect();
    assert!(instants.len() > 4, "{instants:?}");
}
