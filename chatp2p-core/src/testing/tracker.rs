//! What every [`Tracker`] must do, near or far.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, lent to other crates")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::identity::{Identity, Username};
use crate::record::{PeerRecord, SignedRecord};
use crate::tracker::{
    Claim, ClassicClaim, Lease, LeaseAction, PeerQuery, Registration, SignedClaim, Tracker, TrackerError, TrackerId,
};

/// A TTL that no test outlives.
pub const LASTING: Duration = Duration::from_secs(600);

/// A TTL that tests wait for.
pub const BRIEF: Duration = Duration::from_millis(700);

/// When a test gives up waiting for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One named test for each thing that a [`Tracker`] must do. Takes the path of an `async fn(ttl: Duration) -> (T, G)` that gives an
/// empty tracker with that TTL and whatever must live as long as it.
#[macro_export]
macro_rules! tracker_contract {
    ($start:path) => {
        $crate::tracker_contract! { @cases $start;
            LASTING: [
                a_classic_name_is_listed_where_it_said
                the_same_address_again_is_the_same_registration
                an_active_name_cannot_be_taken_over
                a_name_that_left_is_free
                a_farewell_can_be_said_again
                names_that_are_unknown_or_left_have_no_heart
                look_alikes_are_refused
                sixty_strangers_at_once_make_one_registration
                sixty_copies_at_once_make_one_registration
                a_key_owns_its_name
                a_key_does_not_take_a_name_that_is_in_use
                an_owner_moves_at_once
                an_older_record_is_stale
                a_replayed_claim_gives_no_secret
                a_claim_names_its_tracker
                a_stranger_can_do_nothing_with_an_owned_name
                a_proof_counts_once
                an_owner_leaves_and_comes_back
                the_list_comes_in_pages
                names_of_every_script_are_at_home
                the_tracker_counts_its_peers
            ]
            BRIEF: [
                an_expired_name_is_free
                a_beat_lists_an_expired_name_again
                an_owners_beat_lists_it_again
                beats_keep_a_name_listed
                a_replayed_claim_keeps_nothing_alive
                a_strangers_beat_keeps_nothing_alive
            ]
        }
    };
    (@cases $start:path; $($ttl:ident: [$($case:ident)*])*) => {
        $($(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (tracker, guard) = $start($crate::testing::tracker::$ttl).await;
            $crate::testing::tracker::$case(&tracker).await;
            drop(guard);
        })*)*
    };
}

/// A username that is known to be one.
pub fn name(text: &str) -> Username {
    text.parse().expect("a username")
}

/// A classic claim on a name at a port of a host that is nobody's.
pub fn classic(text: &str, port: u16) -> Claim {
    Claim::Classic(ClassicClaim::new(name(text), "192.0.2.1", port).expect("an address"))
}

/// A claim signed with the key of this seed.
pub fn signed(seed: u8, text: &str, port: u16, seq: u64, tracker: TrackerId) -> Claim {
    let identity = Identity::from_seed(&[seed; 32]);
    let record = PeerRecord {
        username: name(text),
        peer_id: identity.peer_id(),
        endpoints: vec![format!("ws://192.0.2.7:{port}").parse().expect("an endpoint")],
        seq,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&identity, record).expect("a record within its bounds");
    Claim::Signed(SignedClaim::sign(&identity, record, tracker))
}

async fn id(tracker: &dyn Tracker) -> TrackerId {
    tracker.health().await.unwrap().tracker_id
}

async fn found(tracker: &dyn Tracker, text: &str) -> Option<Registration> {
    tracker.find(&name(text)).await.unwrap()
}

async fn names(tracker: &dyn Tracker, query: PeerQuery) -> (Vec<String>, bool) {
    let page = tracker.peers(query).await.unwrap();
    (page.items.iter().map(|peer| peer.username.to_string()).collect(), page.more)
}

async fn until_unlisted(tracker: &dyn Tracker, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    while found(tracker, text).await.is_some() {
        assert!(Instant::now() < deadline, "{text} never expired");
        sleep(BRIEF / 20).await;
    }
}

/// Asserts which error it was, and shows what else there was instead.
macro_rules! assert_refused {
    ($result:expr, $error:pat $(if $guard:expr)?) => {
        match $result {
            Err($error) $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($error)),
        }
    };
}

/// Registering shows in the list, by name and in the counts.
pub async fn a_classic_name_is_listed_where_it_said(tracker: &dyn Tracker) {
    assert_eq!(found(tracker, "alice").await, None);
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    assert_eq!(lease.username(), &name("alice"));
    assert_eq!(lease.secret(), None);
    let alice = found(tracker, "alice").await.unwrap();
    assert_eq!((alice.host.as_str(), alice.port, alice.is_active), ("192.0.2.1", 5001, true));
    assert_eq!(alice.record, None);
    assert_eq!(tracker.peers(PeerQuery::default()).await.unwrap().items, [alice]);
}

/// Registering again from the same place keeps the id and counts as a beat.
pub async fn the_same_address_again_is_the_same_registration(tracker: &dyn Tracker) {
    tracker.register(classic("alice", 5001)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    sleep(Duration::from_millis(5)).await;
    tracker.register(classic("alice", 5001)).await.unwrap();
    let second = found(tracker, "alice").await.unwrap();
    assert_eq!(second.id, first.id);
    assert!(second.last_heartbeat > first.last_heartbeat);
}

/// A name that is in use stays with its holder.
pub async fn an_active_name_cannot_be_taken_over(tracker: &dyn Tracker) {
    tracker.register(classic("alice", 5001)).await.unwrap();
    assert_refused!(tracker.register(classic("alice", 6666)).await, TrackerError::NameTaken { name } if name.as_str() == "alice");
    assert_eq!(found(tracker, "alice").await.map(|alice| alice.port), Some(5001));
}

/// After a farewell the name is free at once, and keeps its id.
pub async fn a_name_that_left_is_free(tracker: &dyn Tracker) {
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    assert_eq!(found(tracker, "alice").await, None);
    assert_eq!(names(tracker, PeerQuery::default()).await, (vec![], false));
    tracker.register(classic("alice", 6666)).await.unwrap();
    let second = found(tracker, "alice").await.unwrap();
    assert_eq!((second.id, second.port), (first.id, 6666));
}

/// A second farewell is harmless.
pub async fn a_farewell_can_be_said_again(tracker: &dyn Tracker) {
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    match tracker.unregister(&lease).await {
        Ok(()) | Err(TrackerError::Unknown { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_refused!(tracker.unregister(&Lease::new(name("nobody"), None)).await, TrackerError::Unknown { .. });
}

/// Beats do not bring back who left, nor make up who never came.
pub async fn names_that_are_unknown_or_left_have_no_heart(tracker: &dyn Tracker) {
    assert_refused!(tracker.heartbeat(&Lease::new(name("nobody"), None)).await, TrackerError::Unknown { name } if name.as_str() == "nobody");
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    tracker.heartbeat(&lease).await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    assert_refused!(tracker.heartbeat(&lease).await, TrackerError::Unknown { .. });
    assert_eq!(found(tracker, "alice").await, None);
}

/// A name that could be taken for one that is held is refused, and says for which.
pub async fn look_alikes_are_refused(tracker: &dyn Tracker) {
    let alice = tracker.register(classic("alice", 5001)).await.unwrap();
    for text in ["ALICE", "aIice", "Alice"] {
        assert_refused!(tracker.register(classic(text, 6666)).await, TrackerError::NameConfusable { name, other }
            if (name.as_str(), other.as_str()) == (text, "alice"));
    }
    let bob = tracker.register(signed(2, "bob", 5002, 1, id(tracker).await)).await.unwrap();
    tracker.unregister(&bob).await.unwrap();
    assert_refused!(tracker.register(classic("BOB", 6666)).await, TrackerError::NameConfusable { .. });
    tracker.unregister(&alice).await.unwrap();
    tracker.register(classic("ALICE", 6666)).await.unwrap();
    assert_refused!(tracker.register(classic("alice", 5001)).await, TrackerError::NameConfusable { .. });
}

/// Of sixty who want one name at once, one gets it, and all others hear that it is taken.
pub async fn sixty_strangers_at_once_make_one_registration(tracker: &dyn Tracker) {
    let answers = join_all((1..=60).map(|port| tracker.register(classic("alice", port)))).await;
    let granted: Vec<u16> = (1..=60).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(port, _)| port).collect();
    for answer in answers {
        match answer {
            Ok(_) | Err(TrackerError::NameTaken { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let alice = found(tracker, "alice").await.unwrap();
    assert_eq!(granted, [alice.port]);
    assert_eq!(tracker.peers(PeerQuery::default()).await.unwrap().items, [alice]);
}

/// Sixty times the same claim at once is one registration, and no error.
pub async fn sixty_copies_at_once_make_one_registration(tracker: &dyn Tracker) {
    for answer in join_all((0..60).map(|_| tracker.register(classic("alice", 5001)))).await {
        answer.unwrap();
    }
    let claim = signed(2, "bob", 5002, 1, id(tracker).await);
    let answers = join_all((0..60).map(|_| tracker.register(claim.clone()))).await;
    let secrets = answers.iter().filter(|answer| answer.as_ref().unwrap().secret().is_some()).count();
    assert_eq!(secrets, 1);
    let page = tracker.peers(PeerQuery::default()).await.unwrap();
    let ids: BTreeSet<i64> = page.items.iter().map(|peer| peer.id).collect();
    assert_eq!((page.items.len(), ids.len()), (2, 2));
}

/// Whoever registered with a key keeps the name, here or away.
pub async fn a_key_owns_its_name(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    let claim = signed(1, "alice", 5001, 1, here);
    let lease = tracker.register(claim.clone()).await.unwrap();
    assert!(lease.secret().is_some());
    let alice = found(tracker, "alice").await.unwrap();
    assert_eq!((alice.host.as_str(), alice.port), ("192.0.2.7", 5001));
    let Claim::Signed(claim) = claim else { panic!("a signed claim") };
    assert_eq!(alice.record.as_ref(), Some(claim.record()));
    for _ in ["here", "away"] {
        assert_refused!(tracker.register(classic("alice", 5001)).await, TrackerError::ProofRequired { .. });
        assert_refused!(tracker.register(signed(3, "alice", 6666, 9, here)).await, TrackerError::NameTaken { .. });
        let _ = tracker.unregister(&lease).await;
    }
    assert_eq!(found(tracker, "alice").await, None);
}

/// A key gets a name from a classic holder only once it is free.
pub async fn a_key_does_not_take_a_name_that_is_in_use(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    assert_refused!(tracker.register(signed(3, "alice", 6666, 1, here)).await, TrackerError::NameTaken { .. });
    tracker.unregister(&lease).await.unwrap();
    tracker.register(signed(3, "alice", 6666, 1, here)).await.unwrap();
    assert_refused!(tracker.register(classic("alice", 5001)).await, TrackerError::ProofRequired { .. });
}

/// A newer record takes effect while the old one is still listed, and ends the old lease.
pub async fn an_owner_moves_at_once(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    let old = tracker.register(signed(1, "alice", 5001, 1, here)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    let new = tracker.register(signed(1, "alice", 5002, 2, here)).await.unwrap();
    let second = found(tracker, "alice").await.unwrap();
    assert_eq!((second.id, second.port), (first.id, 5002));
    assert_refused!(tracker.heartbeat(&old).await, TrackerError::ProofInvalid);
    tracker.heartbeat(&new).await.unwrap();
}

/// Old records, and others with the same number, are refused with the number that is known.
pub async fn an_older_record_is_stale(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    tracker.register(signed(1, "alice", 5002, 7, here)).await.unwrap();
    assert_refused!(tracker.register(signed(1, "alice", 5001, 6, here)).await, TrackerError::RecordStale { known: 7 });
    assert_refused!(tracker.register(signed(1, "alice", 5003, 7, here)).await, TrackerError::RecordStale { known: 7 });
    assert_eq!(found(tracker, "alice").await.map(|alice| alice.port), Some(5002));
}

/// Who repeats a claim that was overheard gets nothing that could be used.
pub async fn a_replayed_claim_gives_no_secret(tracker: &dyn Tracker) {
    let claim = signed(1, "alice", 5001, 1, id(tracker).await);
    let lease = tracker.register(claim.clone()).await.unwrap();
    let before = found(tracker, "alice").await.unwrap();
    sleep(Duration::from_millis(5)).await;
    let replay = tracker.register(claim.clone()).await.unwrap();
    assert_eq!(replay.secret(), None);
    assert_eq!(found(tracker, "alice").await, Some(before), "not even the time has changed");
    assert_refused!(tracker.unregister(&replay).await, TrackerError::ProofRequired { .. });
    tracker.unregister(&lease).await.unwrap();
    assert_refused!(tracker.register(claim).await, TrackerError::RecordStale { known: 1 });
}

/// A claim that was made for another tracker is worth nothing here.
pub async fn a_claim_names_its_tracker(tracker: &dyn Tracker) {
    let claim = signed(1, "alice", 5001, 1, TrackerId([0; 16]));
    assert_refused!(tracker.register(claim).await, TrackerError::WrongTracker);
    assert_eq!(found(tracker, "alice").await, None);
}

/// Without the lease's secret nobody can move, remove or keep an owned name.
pub async fn a_stranger_can_do_nothing_with_an_owned_name(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    let lease = tracker.register(signed(1, "alice", 5001, 1, here)).await.unwrap();
    let before = found(tracker, "alice").await;
    let bob = tracker.register(signed(2, "bob", 5002, 1, here)).await.unwrap();
    for _ in 0..2 {
        let nothing = Lease::new(name("alice"), None);
        assert_refused!(tracker.heartbeat(&nothing).await, TrackerError::ProofRequired { .. });
        assert_refused!(tracker.unregister(&nothing).await, TrackerError::ProofRequired { .. });
        let guess = Lease::new(name("alice"), Some([7; 32]));
        assert_refused!(tracker.heartbeat(&guess).await, TrackerError::ProofInvalid);
        assert_refused!(tracker.unregister(&guess).await, TrackerError::ProofInvalid);
        let others = Lease::new(name("alice"), bob.secret().copied());
        assert_refused!(tracker.unregister(&others).await, TrackerError::ProofInvalid);
    }
    assert_refused!(tracker.register(classic("alice", 6666)).await, TrackerError::ProofRequired { .. });
    assert_refused!(tracker.register(signed(3, "alice", 6666, 2, here)).await, TrackerError::NameTaken { .. });
    assert_eq!(found(tracker, "alice").await, before);
    tracker.heartbeat(&lease).await.unwrap();
}

/// A proof that was overheard is used up, for a farewell too.
pub async fn a_proof_counts_once(tracker: &dyn Tracker) {
    let lease = tracker.register(signed(1, "alice", 5001, 1, id(tracker).await)).await.unwrap();
    let overheard = Lease::new(name("alice"), lease.secret().copied());
    tracker.heartbeat(&lease).await.unwrap();
    tracker.heartbeat(&lease).await.unwrap();
    assert_refused!(tracker.heartbeat(&overheard).await, TrackerError::ProofInvalid);
    assert_refused!(tracker.unregister(&overheard).await, TrackerError::ProofInvalid);
    assert!(overheard.prove(LeaseAction::Heartbeat).is_some());
    tracker.heartbeat(&lease).await.unwrap();
}

/// A farewell ends the lease, and a newer record starts another.
pub async fn an_owner_leaves_and_comes_back(tracker: &dyn Tracker) {
    let here = id(tracker).await;
    let lease = tracker.register(signed(1, "alice", 5001, 1, here)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    assert_eq!(found(tracker, "alice").await, None);
    assert_refused!(tracker.heartbeat(&lease).await, TrackerError::Unknown { .. });
    tracker.register(signed(1, "alice", 5001, 2, here)).await.unwrap();
    assert_eq!(found(tracker, "alice").await.map(|alice| alice.id), Some(first.id));
}

/// Pages follow each other by name, and say whether there is another.
pub async fn the_list_comes_in_pages(tracker: &dyn Tracker) {
    for (port, text) in (1..).zip(["dora", "Zoe", "alf", "ñandú", "albert", "bob"]) {
        tracker.register(classic(text, port)).await.unwrap();
    }
    let all = ["Zoe", "albert", "alf", "bob", "dora", "ñandú"].map(str::to_owned).to_vec();
    assert_eq!(names(tracker, PeerQuery::default()).await, (all.clone(), false));
    for size in 1..=7 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = PeerQuery { limit: Some(size), after: after.clone(), prefix: None };
            let (page, more) = names(tracker, query).await;
            assert_eq!(page.len(), size.min(all.len() - seen.len()), "pages are full but for the last");
            seen.extend(page);
            after = seen.last().cloned();
            if !more {
                break;
            }
        }
        assert_eq!(seen, all);
    }
    let al = |after: Option<&str>, limit| PeerQuery {
        prefix: Some("al".to_owned()),
        after: after.map(str::to_owned),
        limit,
    };
    assert_eq!(names(tracker, al(None, None)).await, (vec!["albert".to_owned(), "alf".to_owned()], false));
    assert_eq!(names(tracker, al(None, Some(1))).await, (vec!["albert".to_owned()], true));
    assert_eq!(names(tracker, al(Some("albert"), Some(1))).await, (vec!["alf".to_owned()], false));
    assert_eq!(names(tracker, al(Some("A"), Some(2))).await, (vec!["albert".to_owned(), "alf".to_owned()], false));
    assert_eq!(names(tracker, al(Some("zz"), None)).await, (vec![], false));
}

/// Every script that may be in a name can be asked for, beaten for and taken back.
pub async fn names_of_every_script_are_at_home(tracker: &dyn Tracker) {
    for text in ["José-ñandú", "小明", "Владимир", "عمر", "a.b_c-d", "x~y+z", "..."] {
        let Ok(name) = text.parse::<Username>() else { continue };
        let lease = tracker.register(classic(text, 5001)).await.unwrap();
        tracker.heartbeat(&lease).await.unwrap();
        assert_eq!(tracker.find(&name).await.unwrap().map(|peer| peer.username), Some(name.clone()));
        tracker.unregister(&lease).await.unwrap();
        assert_eq!(tracker.find(&name).await.unwrap(), None);
    }
}

/// Health counts who is kept and who is listed.
pub async fn the_tracker_counts_its_peers(tracker: &dyn Tracker) {
    let before = tracker.health().await.unwrap();
    assert_eq!((before.total_peers, before.active_peers), (0, 0));
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    tracker.register(classic("bob", 5002)).await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    let after = tracker.health().await.unwrap();
    assert_eq!((after.total_peers, after.active_peers), (2, 1));
    assert_eq!(after.tracker_id, before.tracker_id);
}

/// Who is silent for a TTL is unlisted, and the name is free.
pub async fn an_expired_name_is_free(tracker: &dyn Tracker) {
    tracker.register(classic("alice", 5001)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    until_unlisted(tracker, "alice").await;
    let health = tracker.health().await.unwrap();
    assert_eq!((health.total_peers, health.active_peers), (1, 0));
    tracker.register(classic("alice", 6666)).await.unwrap();
    let second = found(tracker, "alice").await.unwrap();
    assert_eq!((second.id, second.port), (first.id, 6666));
}

/// A classic peer that was silent too long only needs to beat.
pub async fn a_beat_lists_an_expired_name_again(tracker: &dyn Tracker) {
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    let first = found(tracker, "alice").await.unwrap();
    until_unlisted(tracker, "alice").await;
    tracker.heartbeat(&lease).await.unwrap();
    let second = found(tracker, "alice").await.unwrap();
    assert_eq!((second.id, second.port), (first.id, 5001));
    assert!(second.last_heartbeat > first.last_heartbeat);
}

/// So does an owner with its lease; but its old claim is worth nothing any more.
pub async fn an_owners_beat_lists_it_again(tracker: &dyn Tracker) {
    let claim = signed(1, "alice", 5001, 1, id(tracker).await);
    let lease = tracker.register(claim.clone()).await.unwrap();
    until_unlisted(tracker, "alice").await;
    assert_refused!(tracker.register(claim).await, TrackerError::RecordStale { known: 1 });
    assert_refused!(tracker.register(classic("alice", 6666)).await, TrackerError::ProofRequired { .. });
    tracker.heartbeat(&lease).await.unwrap();
    assert!(found(tracker, "alice").await.is_some());
}

/// With beats a name stays listed for longer than a TTL.
pub async fn beats_keep_a_name_listed(tracker: &dyn Tracker) {
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    tracker.register(classic("bob", 5002)).await.unwrap();
    let end = Instant::now() + BRIEF * 2;
    let mut gap = Instant::now();
    while Instant::now() < end {
        tracker.heartbeat(&lease).await.unwrap();
        // On a machine that stood still in between, nothing can be said.
        if gap.elapsed() < BRIEF / 2 {
            assert!(found(tracker, "alice").await.is_some());
        }
        gap = Instant::now();
        sleep(BRIEF / 20).await;
    }
    assert_eq!(found(tracker, "bob").await, None, "who does not beat is gone by then");
}

/// A claim that was overheard cannot keep a peer listed that is gone.
pub async fn a_replayed_claim_keeps_nothing_alive(tracker: &dyn Tracker) {
    let claim = signed(1, "alice", 5001, 1, id(tracker).await);
    tracker.register(claim.clone()).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match tracker.register(claim.clone()).await {
            Ok(lease) => assert_eq!(lease.secret(), None),
            Err(TrackerError::RecordStale { known: 1 }) => break,
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "the claim kept alice alive");
        sleep(BRIEF / 20).await;
    }
    assert_eq!(found(tracker, "alice").await, None);
}

/// Neither can anybody's beat.
pub async fn a_strangers_beat_keeps_nothing_alive(tracker: &dyn Tracker) {
    tracker.register(signed(1, "alice", 5001, 1, id(tracker).await)).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while found(tracker, "alice").await.is_some() {
        assert!(tracker.heartbeat(&Lease::new(name("alice"), None)).await.is_err());
        assert!(tracker.heartbeat(&Lease::new(name("alice"), Some([7; 32]))).await.is_err());
        assert!(Instant::now() < deadline, "a stranger kept alice alive");
        sleep(BRIEF / 20).await;
    }
}
