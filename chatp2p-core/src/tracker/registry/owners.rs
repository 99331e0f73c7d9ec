//! How long a key owns a name: as long as it is used, for a while after that, and never against the operator's word.

use super::tests::{HERE, alive, at, classic, name, registry, rules, signed};
use super::*;

const DAY: u64 = 86_400;

fn last_of_the_name() -> Wall {
    Wall::from_millis(at(90 * DAY).as_millis() - 1)
}

#[test]
fn a_name_that_its_owner_does_not_use_is_free_after_its_time_and_not_before() {
    for seconds in [121, DAY, 89 * DAY] {
        let mut registry = registry(10);
        registry.enrol(&signed(1, "alice", &[], 1), [0; 32], at(0)).unwrap();
        for claim in [signed(2, "alice", &[], 9), signed(2, "ALICE", &[], 9), classic("alice", 1), classic("a1ice", 1)]
        {
            assert!(registry.enrol(&claim, [0; 32], at(seconds)).is_err(), "{claim:?} after {seconds}");
            assert!(registry.enrol(&claim, [0; 32], last_of_the_name()).is_err(), "{claim:?}");
        }
    }
    for claim in [signed(2, "alice", &[], 9), signed(2, "ALICE", &[], 9), classic("alice", 1), classic("a1ice", 1)] {
        let mut registry = registry(10);
        registry.enrol(&signed(1, "alice", &[], 1), [0; 32], at(0)).unwrap();
        let granted = registry.enrol(&claim, [0; 32], at(90 * DAY)).unwrap();
        assert_eq!(granted.registration.username, *claim.username());
        let back = registry.enrol(&signed(1, "alice", &[], 2), [0; 32], at(90 * DAY + 1));
        assert!(back.is_err(), "two beside each other: {claim:?}");
    }
}

#[test]
fn a_beat_counts_as_use_and_a_restart_forgets_none() {
    let mut registry = registry(10);
    registry.enrol(&signed(1, "alice", &[], 1), [7; 32], at(0)).unwrap();
    let lease = super::super::Lease::new(name("alice"), Some([7; 32]));
    registry.beat(&name("alice"), lease.prove(LeaseAction::Heartbeat), at(60 * DAY)).unwrap();
    registry.settle();
    let kept = registry.stored(&name("alice")).unwrap();
    let snapshot = RegistrySnapshot { tracker_id: HERE.0, registrations: vec![kept] };
    let mut again = Registry::new(snapshot, rules(10), at(100 * DAY));
    assert!(again.enrol(&signed(2, "alice", &[], 1), [0; 32], at(149 * DAY)).is_err());
    again.enrol(&signed(2, "alice", &[], 1), [0; 32], at(150 * DAY)).unwrap();
}

#[test]
fn an_owner_who_comes_back_in_time_or_to_a_free_name_owns_it_again() {
    let mut registry = registry(10);
    registry.enrol(&signed(1, "alice", &[], 5), [0; 32], at(0)).unwrap();
    let stale = registry.enrol(&signed(1, "alice", &[], 5), [0; 32], at(100 * DAY));
    assert!(matches!(stale, Err(TrackerError::RecordStale { known: 5 })), "an old record revives nothing: {stale:?}");
    registry.enrol(&signed(1, "alice", &[], 6), [0; 32], at(100 * DAY)).unwrap();
    assert!(registry.enrol(&signed(2, "alice", &[], 7), [0; 32], at(101 * DAY)).is_err());
}

#[test]
fn names_out_of_use_make_room_and_names_in_use_never_do() {
    let mut registry = registry(2);
    registry.enrol(&signed(1, "alice", &[], 1), [0; 32], at(0)).unwrap();
    registry.enrol(&signed(2, "bob", &[], 1), [0; 32], at(50 * DAY)).unwrap();
    assert!(matches!(registry.enrol(&classic("carol", 1), [0; 32], last_of_the_name()), Err(TrackerError::Full)));
    registry.enrol(&classic("carol", 1), [0; 32], at(90 * DAY)).unwrap();
    assert!(registry.stored(&name("alice")).is_none() && registry.stored(&name("bob")).is_some());
}

#[test]
fn a_released_name_is_anybodys() {
    let mut registry = registry(10);
    registry.enrol(&signed(1, "alice", &[], 1), [0; 32], at(0)).unwrap();
    registry.settle();
    registry.release(&name("alice"));
    registry.release(&name("nobody"));
    assert_eq!(registry.unsaved().forget, [name("alice")]);
    registry.settle();
    registry.enrol(&signed(2, "alice", &[], 1), [0; 32], at(1)).unwrap();
}

#[test]
fn where_all_must_sign_classic_clients_are_turned_away() {
    let snapshot = RegistrySnapshot { tracker_id: HERE.0, registrations: Vec::new() };
    let mut lax = Registry::new(snapshot.clone(), rules(10), at(0));
    lax.enrol(&classic("oldie", 1), [0; 32], at(0)).unwrap();
    let snapshot = RegistrySnapshot { registrations: vec![lax.stored(&name("oldie")).unwrap()], ..snapshot };
    let mut strict = Registry::new(snapshot, Rules { require_signed: true, ..rules(10) }, at(0));
    let refused = |outcome: Result<(), TrackerError>| matches!(outcome, Err(TrackerError::SignatureRequired { .. }));
    assert!(refused(strict.enrol(&classic("alice", 1), [0; 32], at(0)).map(drop)));
    assert!(refused(strict.beat(&name("oldie"), None, at(0))));
    assert!(refused(strict.leave(&name("oldie"), None, at(0))));
    strict.enrol(&signed(1, "alice", &[], 1), [0; 32], at(0)).unwrap();
    assert!(!alive(&strict, "oldie", at(120)), "those that were there before fade away");
}
