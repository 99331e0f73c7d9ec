//! What one contact can make a node do: little, and ever less often.

use chatp2p_core::protocol::wire::{Frame, Reason};
use chatp2p_core::protocol::{Ask, Command, CommandId, Effect, Input, LinkId, Outcome, Refusal};
use chatp2p_core::record::{PeerRecord, SignedRecord};

use super::clocked::Clocked;
use super::{LINK, alice, on_their_way, signed};

fn greeting() -> Frame {
    Frame::Greeting { have: Vec::new(), offer: None, watchword: None }
}

#[test]
fn who_asks_for_everything_again_and_again_is_listened_to_eight_times() {
    let mut bob = Clocked::with_alice();
    on_their_way(&mut bob.bob);
    let readings = |bob: &mut Clocked| {
        let asked = (0..1_000).map(|_| {
            let (asks, _) = bob.takes(Input::Frame { link: LINK, frame: greeting() });
            asks.iter().filter(|ask| matches!(ask, Ask::Logged { .. })).count()
        });
        asked.sum::<usize>()
    };
    assert_eq!(readings(&mut bob), 8);
    assert_eq!(readings(&mut bob), 0);
}

#[test]
fn a_peer_has_a_few_links_and_the_oldest_that_is_not_in_use_goes() {
    let mut bob = Clocked::with_alice();
    let mut closed = Vec::new();
    for link in 2..=20 {
        let up = Input::LinkUp { link: LinkId(link), peer: alice().peer_id(), dialled: false };
        closed.extend(bob.takes(up).1.into_iter().filter_map(|effect| match effect {
            Effect::Close(link) => Some(link.0),
            _ => None,
        }));
    }
    assert_eq!(closed, (2..=17).collect::<Vec<_>>());
    assert!(bob.bob.0.is_connected(alice().peer_id()));
}

/// Alice's record says nothing of the keys that she reads with.
fn comes_up_without_keys(bob: &mut Clocked, link: LinkId) -> Vec<Effect> {
    let record = signed(&bob.bob.1, "alice").record().clone();
    let record = SignedRecord::sign(&alice(), PeerRecord { pre_keys: None, ..record }).unwrap();
    bob.takes(Input::LinkUp { link, peer: alice().peer_id(), dialled: true });
    let effects = bob.hears(link, Frame::Hello { record });
    let refused = |effect: &Effect| matches!(effect, Effect::Send { frame: Frame::Goodbye { reason: Reason::Refused(code) }, .. } if code == "keys_unusable");
    assert!(effects.iter().any(refused), "{effects:?}");
    effects
}

#[test]
fn whom_this_end_refuses_is_dialled_ever_more_slowly_and_whoever_waits_hears_why() {
    let mut bob = Clocked::with_alice();
    bob.takes(Input::LinkDown(LINK));
    let mut waits = Vec::new();
    for link in 2..=8 {
        let (asks, _) = bob.passes(30_000);
        assert!(matches!(asks[..], [Ask::Find { .. }]), "{asks:?}");
        bob.finds_alice();
        comes_up_without_keys(&mut bob, LinkId(link));
        bob.takes(Input::LinkDown(LinkId(link)));
        waits.push(bob.due().expect("a dial") - bob.millis);
    }
    for (round, wait) in waits.iter().enumerate() {
        let full = (1_000 << round).min(30_000);
        assert!((full / 2..=full).contains(wait), "{waits:?}");
    }
    let command = Command::Connect("alice".parse().unwrap());
    bob.takes(Input::Command { id: CommandId(1), command });
    bob.finds_alice();
    let replied = comes_up_without_keys(&mut bob, LinkId(9)).into_iter().find_map(|effect| match effect {
        Effect::Reply { id: CommandId(1), outcome } => Some(outcome),
        _ => None,
    });
    let told: Option<Result<Outcome, Refusal>> = Some(Err(Refusal::Refused("keys_unusable".to_owned())));
    assert_eq!(replied, told);
}
