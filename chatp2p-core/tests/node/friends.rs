//! No tracker is left, and somebody has moved: who was told where they are passes it on to those who know them, too.

use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_core::node::{Failure, Node, PeerNode};
use chatp2p_core::protocol::wire::Frame;
use chatp2p_core::record::Endpoint;
use chatp2p_core::storage::ProfileStore;
use chatp2p_core::testing::node::{Lines, Stranger, Trouble, eve, name, until};
use chatp2p_core::transport::{Clearance, Link, Listener, MemoryTransport, Transport, TransportError};

use crate::town::{Person, Town, address, all_delivered, introduce, is_connected, meet, say};

struct Three {
    people: [Person; 3],
    nodes: [Node; 3],
}

/// Alice, bob and carol, who know each other and have all written to each other; and then no tracker is there any more.
async fn friends(town: &Town) -> Three {
    let people = [town.alice(), town.bob(), town.carol()];
    let [a, b, c] = &people;
    let nodes = [a.start().await, b.start().await, c.start().await];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        introduce(&nodes[one], &nodes[other]).await;
        say(&nodes[one], &nodes[other], "hello").await;
        say(&nodes[other], &nodes[one], "hello").await;
    }
    for node in &nodes {
        all_delivered(node).await;
    }
    town.tracker.set(Trouble::Down);
    Three { people, nodes }
}

async fn start_unlisted(person: &Person) -> Node {
    person.builder().may_start_unlisted(true).start().await.expect("it knows people")
}

/// Both know where carol is, and neither where the other is now.
#[tokio::test]
async fn two_who_moved_find_each_other_by_a_friend_without_any_tracker_over_sockets() {
    let town = Town::over_sockets().await;
    let Three { people: [alice, bob, _], nodes: [a, b, c] } = friends(&town).await;
    let before = [address(&a).await, address(&b).await];
    drop((a, b));
    until("they are gone", async || c.connected().await.unwrap().is_empty()).await;
    let a = start_unlisted(&alice).await;
    meet(&a, &c).await;
    a.send(&bob.name, "where are you?".to_owned()).await.unwrap();
    let b = start_unlisted(&bob).await;
    assert!(before[0] != address(&a).await && before[1] != address(&b).await, "they have moved");
    meet(&a, &b).await;
    all_delivered(&a).await;
}

/// Reaches this one endpoint as if it were far away.
#[derive(Debug)]
struct FarAway {
    inner: Arc<dyn Transport>,
    which: Endpoint,
}

#[async_trait]
impl Transport for FarAway {
    fn schemes(&self) -> &'static [&'static str] {
        self.inner.schemes()
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        self.inner.listen(at).await
    }

    async fn dial(&self, to: &Endpoint, clearance: &Clearance) -> Result<Link, TransportError> {
        let link = self.inner.dial(to, clearance).await?;
        let remote = if *to == self.which { Some(([198, 41, 0, 4], 5001).into()) } else { link.remote };
        Ok(Link { remote, ..link })
    }
}

/// Eve calls, from far away, and says this until she is hung up on.
async fn eve_calls_from_afar(a: &Node, says: &[Frame]) {
    let (door, at) = (MemoryTransport::new(), Endpoint::memory("door").unwrap());
    let mut listener = door.listen(&at).await.unwrap();
    let who = eve();
    let calling = Stranger::dial(&door, &at, &who, a.peer_id());
    let (caller, ()) = tokio::join!(calling, async {
        let link = listener.accept().await.unwrap();
        a.accept(Link { remote: Some(([198, 41, 0, 4], 5001).into()), ..link }).await.unwrap();
    });
    let mut eve = caller.unwrap();
    for frame in says {
        eve.say(frame).await;
    }
    eve.hear_out().await;
}

/// What she shows was signed by bob, and he was not on her link.
#[tokio::test]
async fn a_stranger_far_away_who_shows_the_record_of_a_contact_moves_nobody_away() {
    let town = Town::over_sockets().await;
    let Three { people: [alice, bob, _], nodes: [a, b, c] } = friends(&town).await;
    let bobs = address(&b).await;
    drop(a);
    drop(c);
    // It is alice who dials, and only when eve has called.
    bob.lines.close(true);
    alice.lines.close(true);
    let a = start_unlisted(&alice).await;
    let seq = bob.store.load().await.unwrap().seq;
    let newer = |seq| Stranger::record(&bob.who, &bob.name, vec![bobs.clone()], seq);
    let hers = Stranger::record(&eve(), &name("eve"), Vec::new(), 1);
    eve_calls_from_afar(&a, &[Frame::Hello { record: newer(seq) }]).await;
    let told = Frame::Records { records: vec![newer(seq + 1)] };
    eve_calls_from_afar(&a, &[told.clone(), Frame::Hello { record: hers }, told]).await;
    alice.lines.close(false);
    meet(&a, &b).await;
}

/// What alice says of how bob was dialled at this address.
async fn attempt_at(a: &Node, bob: &Person, at: &Endpoint) -> Option<Failure> {
    let told = a.diagnose(&bob.name).await.unwrap();
    told.tried.into_iter().find(|tried| tried.endpoint == *at).and_then(|tried| tried.failure)
}

#[tokio::test]
async fn what_a_friend_far_away_passes_on_is_not_dialled_nearer_than_that() {
    let town = Town::over_sockets().await;
    let Three { people: [alice, bob, _], nodes: [a, b, c] } = friends(&town).await;
    let carols = address(&c).await;
    drop((a, b));
    until("they are gone", async || c.connected().await.unwrap().is_empty()).await;
    let b = start_unlisted(&bob).await;
    meet(&b, &c).await;
    // So that it is alice who dials.
    bob.lines.close(true);
    let far = Arc::new(FarAway { inner: town.network.clone(), which: carols });
    let a = start_unlisted(&Person { lines: Lines::new(far), ..alice }).await;
    meet(&a, &c).await;
    let bobs = address(&b).await;
    until("alice was told", async || attempt_at(&a, &bob, &bobs).await.is_some()).await;
    let failure = attempt_at(&a, &bob, &bobs).await.unwrap();
    assert!(failure.detail.contains("named by somebody who is not there"), "{failure:?}");
    assert!(!is_connected(&a, &b).await);
}
