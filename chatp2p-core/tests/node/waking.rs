//! Machines that sleep, and nodes that move: their links look alive and are dead, and nobody waits until that is noticed.

use std::slice::from_ref;
use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::node::{Event, Node, PeerNode};
use chatp2p_core::protocol::ACK_TIMEOUT;
use chatp2p_core::record::{Endpoint, SignedRecord};
use chatp2p_core::testing::node::{self, FaultyTracker, Trouble, arrivals, name, texts_from, until};
use chatp2p_core::tracker::Tracker;
use futures_util::{FutureExt, Stream, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, advance, sleep};

use crate::town::{Person, Town, all_delivered, introduce, is_connected, meet, numbered, say};

/// A doubt, the dial and both greetings, with much to spare, and long before a half-open link is noticed.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Of those who never notice that they have slept.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// Alice by her key, who is higher or lower than bob.
struct Two {
    town: Town,
    alice: Person,
    bob: Person,
}

impl Two {
    async fn with(ids: [Identity; 2]) -> Self {
        let town = Town::in_memory().await;
        let [alice, bob] = ids;
        let (alice, bob) = (town.person("alice", alice), town.person("bob", bob));
        Self { town, alice, bob }
    }

    async fn new() -> Self {
        Self::with([node::alice(), node::bob()]).await
    }

    /// Alice, who notices when she has slept, and bob, who does not.
    async fn meet(&self) -> (Node, Node) {
        let a = self.alice.start().await;
        let b = self.bob.builder().look_every(NEVER).start().await.unwrap();
        introduce(&a, &b).await;
        (a, b)
    }

    fn live(&self) -> usize {
        self.alice.lines.live() + self.bob.lines.live()
    }
}

fn both_orders() -> [[Identity; 2]; 2] {
    [[node::alice(), node::bob()], [node::bob(), node::alice()]]
}

/// The lid is closed for a while: not as long as what is on its way may take to be acknowledged, which would end a link, too.
async fn the_machine_sleeps() {
    advance(ACK_TIMEOUT / 2).await;
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::PeerDisconnected(_))
}

#[tokio::test(start_paused = true)]
async fn a_dead_link_is_replaced_as_soon_as_the_machine_wakes() {
    for ids in both_orders() {
        let two = Two::with(ids).await;
        let (a, b) = two.meet().await;
        let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
        say(&a, &b, "before").await;
        say(&b, &a, "before").await;
        all_delivered(&a).await;
        all_delivered(&b).await;
        two.alice.lines.freeze();
        say(&a, &b, "into the void").await;
        say(&b, &a, "into the void").await;
        the_machine_sleeps().await;
        let woken = Instant::now();
        all_delivered(&a).await;
        all_delivered(&b).await;
        assert!(woken.elapsed() < AT_ONCE, "{:?}", woken.elapsed());
        for (node, other, heard) in [(&a, &b, &mut at_a), (&b, &a, &mut at_b)] {
            assert_eq!(texts_from(node, other.username()).await, ["before", "into the void"]);
            assert_eq!(arrivals(heard, 2).await, ["before", "into the void"]);
            let rest: Vec<Event> = std::iter::from_fn(|| heard.next().now_or_never().flatten()).collect();
            assert!(!rest.iter().any(is_lost), "nobody was gone: {rest:?}");
            assert!(!rest.iter().any(|event| matches!(event, Event::Message(_))), "told twice: {rest:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_link_is_replaced_without_a_seam_and_one_is_left() {
    for ids in both_orders() {
        let two = Two::with(ids).await;
        let (a, b) = two.meet().await;
        let mut events = b.subscribe();
        let said = numbered("through it all", 200);
        for (at, text) in said.iter().enumerate() {
            say(&a, &b, text.clone()).await;
            if at % 20 == 10 {
                the_machine_sleeps().await;
            }
            // Half a second in all, so that something is said at every step of it.
            sleep(Duration::from_millis(25)).await;
        }
        all_delivered(&a).await;
        assert_eq!(arrivals(&mut events, said.len()).await, said, "each once and in order");
        sleep(AT_ONCE).await;
        until("one link remains", async || two.live() == 1).await;
        assert!(two.alice.lines.dials() > 5, "{} dials", two.alice.lines.dials());
        assert!(!std::iter::from_fn(|| events.next().now_or_never().flatten()).any(|event| is_lost(&event)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_link_is_kept_when_its_peer_cannot_be_dialled() {
    let two = Two::new().await;
    let (a, b) = two.meet().await;
    let mut events = a.subscribe();
    two.alice.lines.close(true);
    let before = two.alice.lines.dials();
    the_machine_sleeps().await;
    sleep(Duration::from_secs(600)).await;
    let dials = two.alice.lines.dials() - before;
    assert!((3..20).contains(&dials), "{dials} dials");
    say(&a, &b, "still here").await;
    say(&b, &a, "so am I").await;
    all_delivered(&a).await;
    all_delivered(&b).await;
    assert!(!std::iter::from_fn(|| events.next().now_or_never().flatten()).any(|event| is_lost(&event)));
    assert_eq!(two.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_back_some_seconds_after_the_machine_is_waited_for() {
    let two = Two::new().await;
    let (a, b) = two.meet().await;
    two.alice.lines.freeze();
    two.alice.lines.close(true);
    say(&a, &b, "into the void").await;
    the_machine_sleeps().await;
    sleep(Duration::from_secs(8)).await;
    two.alice.lines.close(false);
    let back = Instant::now();
    all_delivered(&a).await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_who_wake_at_once_are_left_with_one_link() {
    for round in 0..20 {
        let two = Two::with(both_orders()[round % 2].clone()).await;
        let (a, b) = (two.alice.start().await, two.bob.start().await);
        introduce(&a, &b).await;
        if round % 4 > 1 {
            two.alice.lines.freeze();
        }
        say(&a, &b, "good night").await;
        say(&b, &a, "good night").await;
        the_machine_sleeps().await;
        let woken = Instant::now();
        all_delivered(&a).await;
        all_delivered(&b).await;
        assert!(woken.elapsed() < AT_ONCE, "round {round}: {:?}", woken.elapsed());
        // A dead one is left to be noticed by whoever did not have to end it.
        two.alice.lines.thaw();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(two.live(), 1, "round {round}");
        assert!(is_connected(&a, &b).await && is_connected(&b, &a).await, "round {round}");
        say(&a, &b, "good morning").await;
        all_delivered(&a).await;
        assert_eq!(texts_from(&b, a.username()).await, ["good night", "good morning"], "round {round}");
    }
}

/// What a tracker has of this name.
async fn record_at(tracker: &FaultyTracker, of: &Username) -> SignedRecord {
    tracker.find(of).await.unwrap().and_then(|found| found.record).expect("listed")
}

/// Whoever tells a node where it is.
fn told() -> (mpsc::Sender<Vec<Endpoint>>, impl Stream<Item = Vec<Endpoint>> + Send + 'static) {
    let (sender, mut receiver) = mpsc::channel(4);
    (sender, stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

/// Bob, who lives at two places and says that he is at one of them.
async fn bob_who_moves(two: &Two, second: &FaultyTracker) -> (Node, mpsc::Sender<Vec<Endpoint>>, Endpoint) {
    let elsewhere = Endpoint::memory("elsewhere").unwrap();
    let (tell, moves) = told();
    let bob = two.bob.builder().tracker(std::sync::Arc::new(second.clone())).look_every(NEVER);
    let bob = bob.listen(elsewhere.clone()).advertise(vec![two.bob.at.clone()]).advertise_as_told(moves);
    (bob.start().await.unwrap(), tell, elsewhere)
}

#[tokio::test(start_paused = true)]
async fn who_moves_is_listed_anew_at_once_and_dials_its_contacts_from_there() {
    for ids in both_orders() {
        let (two, second) = (Two::with(ids).await, FaultyTracker::start().await);
        let a = two.alice.builder().look_every(NEVER).start().await.unwrap();
        let (b, tell, elsewhere) = bob_who_moves(&two, &second).await;
        introduce(&a, &b).await;
        let before = record_at(&second, b.username()).await;
        assert_eq!(b.status().await.unwrap().endpoints, from_ref(&two.bob.at));
        two.alice.lines.freeze();
        say(&a, &b, "where are you?").await;
        let moved = Instant::now();
        tell.send(vec![elsewhere.clone()]).await.unwrap();
        all_delivered(&a).await;
        until("all list it", async || {
            record_at(&two.town.tracker, b.username()).await == record_at(&second, b.username()).await
        })
        .await;
        assert!(moved.elapsed() < AT_ONCE, "{:?}", moved.elapsed());
        let after = record_at(&second, b.username()).await;
        assert_eq!(after.record().endpoints, from_ref(&elsewhere));
        assert!(after.record().seq > before.record().seq);
        assert_eq!(b.status().await.unwrap().endpoints, from_ref(&elsewhere));
        assert_eq!(b.diagnostics().await.unwrap().advertised, from_ref(&elsewhere));
        // The leases are good ones.
        sleep(Duration::from_secs(300)).await;
        assert_eq!(record_at(&two.town.tracker, b.username()).await, after);
        assert_eq!(record_at(&second, b.username()).await, after, "nothing had to be signed once more");
    }
}

#[tokio::test(start_paused = true)]
async fn contacts_know_the_new_address_by_the_next_link_and_need_no_tracker_for_it() {
    let (two, second) = (Two::new().await, FaultyTracker::start().await);
    let a = two.alice.start().await;
    let (b, tell, elsewhere) = bob_who_moves(&two, &second).await;
    introduce(&a, &b).await;
    for tracker in [&two.town.tracker, &second] {
        tracker.set(Trouble::Down);
    }
    tell.send(vec![elsewhere.clone()]).await.unwrap();
    until("bob calls", async || two.bob.lines.dials() == 1).await;
    meet(&a, &b).await;
    sleep(AT_ONCE).await;
    two.bob.lines.cut();
    two.bob.lines.close(true);
    until("alice calls", async || is_connected(&a, &b).await && two.live() == 1).await;
    let link = a.diagnose(&name("bob")).await.unwrap().link.unwrap();
    assert!(link.dialled);
    assert_eq!(link.endpoint, Some(elsewhere.to_string()));
}

#[tokio::test(start_paused = true)]
async fn a_tracker_that_was_away_when_a_node_moved_lists_the_new_address_when_it_is_back() {
    let (two, second) = (Two::new().await, FaultyTracker::start().await);
    let (b, tell, elsewhere) = bob_who_moves(&two, &second).await;
    second.set(Trouble::Down);
    tell.send(vec![elsewhere.clone()]).await.unwrap();
    until("the first one lists it", async || {
        record_at(&two.town.tracker, b.username()).await.record().endpoints == [elsewhere.clone()]
    })
    .await;
    until("it is known which one is away", async || {
        b.status().await.unwrap().trackers[1].trouble == Some(Code::TrackerUnreachable)
    })
    .await;
    second.set(Trouble::None);
    assert_eq!(record_at(&second, b.username()).await.record().endpoints, from_ref(&two.bob.at));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(record_at(&second, b.username()).await.record().endpoints, [elsewhere]);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_says_nothing_new_changes_nothing_and_an_end_leaves_the_last_one() {
    let (two, second) = (Two::new().await, FaultyTracker::start().await);
    let a = two.alice.start().await;
    let (b, tell, elsewhere) = bob_who_moves(&two, &second).await;
    introduce(&a, &b).await;
    let before = record_at(&second, b.username()).await;
    tell.send(vec![two.bob.at.clone()]).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(record_at(&second, b.username()).await, before);
    assert_eq!((two.alice.lines.dials(), two.bob.lines.dials()), (1, 0));
    tell.send(vec![elsewhere.clone()]).await.unwrap();
    drop(tell);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(record_at(&second, b.username()).await.record().endpoints, [elsewhere]);
    b.stop().await.unwrap();
}
