//! Several trackers: each may be away or lie, and the others make up for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chatp2p_core::code::Code;
use chatp2p_core::identity::{ContactLink, Username};
use chatp2p_core::message::Delivery;
use chatp2p_core::node::{ContactBook, Event, MAX_TRACKERS, Node, PeerNode};
use chatp2p_core::record::{Reach, SignedRecord};
use chatp2p_core::testing::node::{FaultyTracker, Trouble, alice, bob, eve, in_time, name, next_event, until};
use chatp2p_core::tracker::{Claim, Lease, Page, PeerQuery, Registration, Tracker, TrackerError, TrackerHealth};
use tokio::time::{Instant, sleep};

use crate::town::{Person, Town, all_delivered, introduce, is_connected, meet, say};

/// What a dial takes on these machines, with much to spare; a tracker that says nothing is waited for ten times as long.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A town with a second tracker, which everybody uses, too.
struct Twice {
    town: Town,
    second: FaultyTracker,
}

impl Twice {
    async fn new(town: Town) -> Self {
        Self { town, second: FaultyTracker::start().await }
    }

    async fn in_memory() -> Self {
        Self::new(Town::in_memory().await).await
    }

    fn both(&self, mut person: Person) -> Person {
        person.trackers.push(self.second.clone());
        person
    }

    fn alice(&self) -> Person {
        self.both(self.town.alice())
    }

    fn bob(&self) -> Person {
        self.both(self.town.bob())
    }

    async fn alice_and_bob(&self) -> (Person, Node, Person, Node) {
        let (alice, bob) = (self.alice(), self.bob());
        let (a, b) = (alice.start().await, bob.start().await);
        introduce(&a, &b).await;
        (alice, a, bob, b)
    }

    /// Eve, who goes by the name of bob where that is free: at the second tracker.
    async fn eve_as_bob(&self) -> Node {
        let mut person = self.town.person("bob", eve());
        person.at = chatp2p_core::record::Endpoint::memory("eve").unwrap();
        person.trackers = vec![self.second.clone()];
        person.start().await
    }

    fn set(&self, trouble: Trouble) {
        self.town.tracker.set(trouble);
        self.second.set(trouble);
    }
}

/// What a tracker has of this name.
async fn record_at(tracker: &FaultyTracker, of: &Username) -> Option<SignedRecord> {
    tracker.find(of).await.unwrap()?.record
}

async fn troubles(node: &Node) -> Vec<Option<Code>> {
    node.status().await.unwrap().trackers.iter().map(|tracker| tracker.trouble).collect()
}

async fn available(node: &Node) -> Vec<Username> {
    node.available().await.unwrap().into_iter().map(|other| other.username).collect()
}

#[tokio::test(start_paused = true)]
async fn a_node_is_listed_at_all_of_them_with_one_record_and_leaves_all() {
    let world = Twice::in_memory().await;
    let a = world.alice().start().await;
    let [one, other] = [&world.town.tracker, &world.second];
    let record = record_at(one, a.username()).await.expect("listed");
    assert_eq!(record_at(other, a.username()).await, Some(record));
    assert_eq!(troubles(&a).await, [None, None]);
    assert!(a.status().await.unwrap().trackers.iter().all(|tracker| tracker.latency.is_some()));
    a.stop().await.unwrap();
    for tracker in [one, other] {
        assert_eq!(tracker.find(&name("alice")).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_down_at_the_start_is_joined_when_it_comes_back() {
    for trouble in [Trouble::Down, Trouble::Silent] {
        let world = Twice::in_memory().await;
        world.second.set(trouble);
        let a = world.alice().start().await;
        let mut events = a.subscribe();
        let status = a.status().await.unwrap();
        assert_eq!(status.trackers[1].trouble, Some(Code::TrackerUnreachable));
        assert_eq!(status.trackers[1].confirmed, None);
        assert_eq!(status.tracker, status.trackers[0], "the one that is well stands for both");
        sleep(Duration::from_secs(60)).await;
        world.second.set(Trouble::None);
        sleep(Duration::from_secs(11)).await;
        let record = record_at(&world.second, a.username()).await.expect("listed");
        assert_eq!(Some(record), record_at(&world.town.tracker, a.username()).await, "nothing had to be signed anew");
        assert_eq!(troubles(&a).await, [None, None]);
        // And the lease is a good one.
        sleep(Duration::from_secs(300)).await;
        assert!(record_at(&world.second, a.username()).await.is_some());
        let b = world.bob().start().await;
        introduce(&a, &b).await;
        let told = std::iter::from_fn(|| futures_util::FutureExt::now_or_never(events.next()).flatten());
        assert!(
            !told.into_iter().any(|event| matches!(event, Event::TrackerTrouble(_))),
            "the node was listed all along"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_lost_its_data_lists_the_node_again_and_so_do_two_at_once() {
    let world = Twice::in_memory().await;
    let (_, a, _, b) = world.alice_and_bob().await;
    let trackers = [&world.town.tracker, &world.second];
    for forgetful in [&trackers[1..], &trackers[..1], &trackers[..]] {
        for tracker in forgetful {
            tracker.lose_everything().await;
        }
        sleep(Duration::from_secs(45)).await;
        for node in [&a, &b] {
            for tracker in trackers {
                assert!(record_at(tracker, node.username()).await.is_some());
            }
            assert_eq!(troubles(node).await, [None, None]);
        }
        sleep(Duration::from_secs(300)).await;
        assert!(
            record_at(trackers[0], a.username()).await.is_some()
                && record_at(trackers[1], b.username()).await.is_some()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn while_one_is_dead_people_find_each_other_at_the_other() {
    for (trouble, dead) in [(Trouble::Down, 0), (Trouble::Down, 1), (Trouble::Silent, 0), (Trouble::Silent, 1)] {
        let world = Twice::in_memory().await;
        let a = world.alice().start().await;
        let mut events = a.subscribe();
        [&world.town.tracker, &world.second][dead].set(trouble);
        sleep(Duration::from_secs(60)).await;
        let mut expected = [None, None];
        expected[dead] = Some(Code::TrackerUnreachable);
        assert_eq!(troubles(&a).await, expected);
        let b = world.bob().start().await;
        assert_eq!(available(&a).await, [name("bob")]);
        introduce(&a, &b).await;
        say(&a, &b, "found you").await;
        all_delivered(&a).await;
        let first = next_event("the first thing told", &mut events, Some).await;
        assert!(!matches!(first, Event::TrackerTrouble(_)), "no reason for alarm while one is well: {first:?}");
        world.set(Trouble::Down);
        let told = Event::TrackerTrouble(Code::TrackerUnreachable);
        sleep(Duration::from_secs(45)).await;
        next_event("now there is", &mut events, |event| (event == told).then_some(())).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_never_answers_holds_up_no_dial_to_a_contact_and_no_list() {
    let world = Twice::in_memory().await;
    let (_, a, _, b) = world.alice_and_bob().await;
    for silent in [&world.second, &world.town.tracker] {
        silent.set(Trouble::Silent);
        a.disconnect(b.username()).await.unwrap();
        until("both are alone", async || !is_connected(&a, &b).await && !is_connected(&b, &a).await).await;
        let begun = Instant::now();
        a.connect(b.username()).await.unwrap();
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        let begun = Instant::now();
        assert_eq!(available(&a).await, [name("bob")]);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        silent.set(Trouble::None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_anothers_at_any_of_them_is_refused_and_listed_nowhere() {
    let world = Twice::in_memory().await;
    let _eve = world.eve_as_bob().await;
    let refused = world.bob().builder().start().await.expect_err("it means two people");
    assert_eq!(refused.code(), Code::NameTaken);
    assert_eq!(world.town.tracker.find(&name("bob")).await.unwrap(), None);
    let unlisted = world.bob().builder().may_start_unlisted(true).start().await;
    assert_eq!(unlisted.expect_err("it still does").code(), Code::NameTaken);
}

#[tokio::test(start_paused = true)]
async fn when_they_name_different_keys_for_an_unknown_name_nobody_is_let_in_under_it() {
    let world = Twice::in_memory().await;
    let (a, b, e) = (world.alice().start().await, world.town.bob().start().await, world.eve_as_bob().await);
    let disputed = in_time("it is seen", a.connect(&name("bob"))).await.expect_err("whose is it?");
    assert_eq!(disputed.code(), Code::NameDisputed);
    for caller in [&b, &e] {
        let refused = in_time("she looks", caller.connect(&name("alice"))).await.expect_err("who is it?");
        assert!(refused.to_string().contains("name_disputed"), "{refused}");
    }
    assert_eq!(a.contacts().await.unwrap(), []);
    // The link says whose it is.
    a.add_contact(&ContactLink::new(bob().peer_id(), name("bob")), None).await.unwrap();
    a.connect(&name("bob")).await.unwrap();
    meet(&a, &b).await;
    assert_eq!(e.connected().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_pinned_key_wins_over_another_that_one_of_them_names_and_that_is_told() {
    let world = Twice::in_memory().await;
    let (alice, bob) = (world.alice(), world.town.bob());
    let (a, b) = (alice.start().await, bob.start().await);
    introduce(&a, &b).await;
    let e = world.eve_as_bob().await;
    let mut events = a.subscribe();
    a.disconnect(b.username()).await.unwrap();
    until("both are alone", async || !is_connected(&a, &b).await && !is_connected(&b, &a).await).await;
    a.connect(b.username()).await.expect("bob is there");
    meet(&a, &b).await;
    let warned = Event::KeyChanged { peer: name("bob"), presented: eve().peer_id() };
    next_event("alice is warned", &mut events, |event| (event == warned).then_some(())).await;
    say(&a, &b, "for your eyes").await;
    all_delivered(&a).await;
    let listed = a.available().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].record.as_ref().unwrap().record().peer_id, b.peer_id(), "eve's is the newer one");
    assert_eq!(e.connected().await.unwrap(), []);
    // Where only the liar answers, it is as with one tracker that lies.
    a.disconnect(b.username()).await.unwrap();
    world.town.tracker.set(Trouble::Down);
    assert_eq!(a.connect(b.username()).await.unwrap_err().code(), Code::KeyChanged);
}

async fn contacts_find_each_other_without(town: Town) {
    let world = Twice::new(town).await;
    let (alice, a, bob, b) = world.alice_and_bob().await;
    world.set(Trouble::Down);
    say(&a, &b, "they are gone").await;
    say(&b, &a, "so what?").await;
    all_delivered(&a).await;
    // A link that breaks needs none of them.
    alice.lines.cut();
    say(&b, &a, "still there?").await;
    all_delivered(&b).await;
    // Nor does somebody who starts again, and may be elsewhere now.
    drop(b);
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    assert_eq!(a.send(&bob.name, "come back".to_owned()).await.unwrap().delivery, Delivery::Queued);
    let refused = bob.builder().start().await.expect_err("nobody said that it may");
    assert_eq!(refused.code(), Code::TrackerUnreachable);
    let b = bob.builder().may_start_unlisted(true).start().await.unwrap();
    assert_eq!(b.status().await.unwrap().tracker.trouble, Some(Code::TrackerUnreachable));
    meet(&a, &b).await;
    all_delivered(&a).await;
    // Who knows nobody is of no use to anybody.
    let carol = world.both(world.town.carol());
    let refused = carol.builder().may_start_unlisted(true).start().await.expect_err("nobody is there to be found");
    assert_eq!(refused.code(), Code::TrackerUnreachable);
    world.set(Trouble::None);
    until("bob is listed again", async || {
        record_at(&world.town.tracker, &bob.name).await.is_some() && record_at(&world.second, &bob.name).await.is_some()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn when_all_are_dead_contacts_find_each_other_where_they_were_in_memory() {
    contacts_find_each_other_without(Town::in_memory().await).await;
}

#[tokio::test]
async fn when_all_are_dead_contacts_find_each_other_where_they_were_over_sockets() {
    contacts_find_each_other_without(Town::over_sockets().await).await;
}

/// A tracker that is not quite right.
#[derive(Debug)]
struct Crooked {
    honest: FaultyTracker,
    /// What becomes of a registration.
    registered: fn(usize, Result<Lease, TrackerError>) -> Result<Lease, TrackerError>,
    /// How many there were.
    registrations: AtomicUsize,
}

impl Crooked {
    fn new(
        honest: &FaultyTracker,
        registered: fn(usize, Result<Lease, TrackerError>) -> Result<Lease, TrackerError>,
    ) -> Arc<Self> {
        Arc::new(Self { honest: honest.clone(), registered, registrations: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Tracker for Crooked {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        let answer = self.honest.register(claim).await;
        (self.registered)(self.registrations.fetch_add(1, Ordering::SeqCst), answer)
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.honest.heartbeat(lease).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.honest.unregister(lease).await
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        self.honest.find(name).await
    }

    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        self.honest.peers(query).await
    }

    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        self.honest.health().await
    }

    fn reach(&self) -> Reach {
        self.honest.reach()
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_lies_about_numbers_cannot_use_them_up_for_the_others() {
    let world = Twice::in_memory().await;
    let liar = || Crooked::new(&world.second, |_, _| Err(TrackerError::RecordStale { known: u64::MAX - 1 }));
    let a = world.town.alice().builder().tracker(liar()).start().await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(troubles(&a).await, [None, Some(Code::TrackerProtocol)]);
    world.town.tracker.lose_everything().await;
    sleep(Duration::from_secs(45)).await;
    let record = record_at(&world.town.tracker, a.username()).await.expect("listed again");
    assert!(record.record().seq < u64::MAX / 2, "{}", record.record().seq);
    let alone = Node::builder(name("alice"), liar()).identity(alice()).start().await;
    assert_eq!(alone.expect_err("it does not list anybody").code(), Code::TrackerProtocol);
}

#[tokio::test(start_paused = true)]
async fn where_the_answer_to_a_registration_was_lost_a_newer_record_brings_a_lease() {
    let world = Twice::in_memory().await;
    let lossy = Crooked::new(&world.second, |before, answer| match before {
        0 => Err(TrackerError::Unreachable { url: "test:".to_owned(), source: None }),
        _ => answer,
    });
    let a = world.town.alice().builder().tracker(lossy).start().await.unwrap();
    assert_eq!(troubles(&a).await, [None, Some(Code::TrackerUnreachable)]);
    let first = record_at(&world.second, a.username()).await.expect("it was heard all the same");
    sleep(Duration::from_secs(10)).await;
    // The beats after it are what a lease without its secret would not do for.
    for _ in 0..10 {
        assert_eq!(troubles(&a).await, [None, None]);
        sleep(Duration::from_secs(30)).await;
    }
    let now = record_at(&world.second, a.username()).await.expect("listed");
    assert!(now.record().seq > first.record().seq);
}

#[tokio::test]
async fn there_are_not_too_many() {
    let world = Twice::in_memory().await;
    let mut alice = world.town.alice();
    alice.trackers = vec![world.second.clone(); MAX_TRACKERS + 1];
    assert_eq!(alice.builder().start().await.expect_err("one too many").code(), Code::InvalidInput);
}
