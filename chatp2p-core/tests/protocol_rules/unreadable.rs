//! Links on which nothing can be read, each time: they are dialled ever more slowly.

use chatp2p_core::message::Epoch;
use chatp2p_core::protocol::wire::{Frame, LogEntry};
use chatp2p_core::protocol::{Ask, LinkId};
use chatp2p_core::testing::profile_store::ciphertext;

use super::clocked::Clocked;
use super::{LINK, acks, at, is_closed};

/// Alice brings what bob cannot read until he hangs up. How long he waits then before he dials her.
fn gives_up(bob: &mut Clocked, link: LinkId) -> u64 {
    for attempt in 1..=9 {
        let (epoch, ciphertext) = (Epoch::new(7), ciphertext(attempt));
        let entry = LogEntry { epoch, n: 1, before: None, follows: None, ciphertext };
        if is_closed(&bob.hears(link, Frame::Entry(entry))) {
            return bob.due().expect("a dial") - bob.millis;
        }
    }
    panic!("nine unreadable messages, and the link is still there");
}

/// He dials her, and she is there.
fn dials(bob: &mut Clocked, link: LinkId) {
    let (asks, _) = bob.passes(30_000);
    assert!(matches!(asks[..], [Ask::Find { .. }]), "{asks:?}");
    bob.finds_alice();
    bob.comes_up(link, true);
}

#[test]
fn the_wait_grows_until_something_is_read() {
    let mut bob = Clocked::with_alice();
    let mut waits = vec![gives_up(&mut bob, LINK)];
    for link in 2..=8 {
        dials(&mut bob, LinkId(link));
        waits.push(gives_up(&mut bob, LinkId(link)));
    }
    for (round, wait) in waits.iter().enumerate() {
        let full = (1_000 << round).min(30_000);
        assert!((full / 2..=full).contains(wait), "{waits:?}");
    }
    dials(&mut bob, LinkId(9));
    let entry = at(&mut bob.bob, 1, None);
    assert_eq!(acks(&bob.hears(LinkId(9), entry)), [1]);
    assert!((500..=1_000).contains(&gives_up(&mut bob, LinkId(9))), "as the first time");
}
