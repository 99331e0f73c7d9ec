//! A town of people who each have a key, a store, lines of their own, and a tracker in common.

use std::sync::Arc;

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::message::Delivery;
use chatp2p_core::node::{HistoryPage, Node, NodeBuilder, PeerNode};
use chatp2p_core::record::Endpoint;
use chatp2p_core::testing::node::{self, FaultyProfile, FaultyTracker, Lines, name};
use chatp2p_core::transport::{MemoryTransport, Transport, WebSocketTransport};

pub(crate) struct Town {
    pub(crate) tracker: FaultyTracker,
    pub(crate) network: Arc<dyn Transport>,
    address: fn(&str) -> Endpoint,
}

pub(crate) struct Person {
    pub(crate) who: Identity,
    pub(crate) name: Username,
    pub(crate) at: Endpoint,
    pub(crate) store: FaultyProfile,
    pub(crate) lines: Lines,
    /// The town's alone, unless it is changed.
    pub(crate) trackers: Vec<FaultyTracker>,
}

impl Town {
    pub(crate) async fn in_memory() -> Self {
        let address = |name: &str| Endpoint::memory(name).unwrap();
        Self { tracker: FaultyTracker::start().await, network: Arc::new(MemoryTransport::new()), address }
    }

    pub(crate) async fn over_sockets() -> Self {
        let address = |_: &str| "ws://127.0.0.1:0".parse().unwrap();
        Self { tracker: FaultyTracker::start().await, network: Arc::new(WebSocketTransport::new()), address }
    }

    pub(crate) fn person(&self, called: &str, who: Identity) -> Person {
        Person {
            who,
            name: name(called),
            at: (self.address)(called),
            store: FaultyProfile::default(),
            lines: Lines::new(self.network.clone()),
            trackers: vec![self.tracker.clone()],
        }
    }

    pub(crate) fn alice(&self) -> Person {
        self.person("alice", node::alice())
    }

    pub(crate) fn bob(&self) -> Person {
        self.person("bob", node::bob())
    }

    pub(crate) fn carol(&self) -> Person {
        self.person("carol", node::carol())
    }

    /// Alice and bob, whom alice has dialled.
    pub(crate) async fn alice_and_bob(&self) -> (Person, Node, Person, Node) {
        let (alice, bob) = (self.alice(), self.bob());
        let (a, b) = (alice.start().await, bob.start().await);
        introduce(&a, &b).await;
        (alice, a, bob, b)
    }
}

impl Person {
    pub(crate) fn builder(&self) -> NodeBuilder {
        let (first, others) = self.trackers.split_first().expect("a tracker");
        let node = Node::builder(self.name.clone(), Arc::new(first.clone()));
        let node = others.iter().fold(node, |node, other| node.tracker(Arc::new(other.clone())));
        node.identity(self.who.clone())
            .store(Arc::new(self.store.clone()))
            .transport(Arc::new(self.lines.clone()))
            .listen(self.at.clone())
    }

    pub(crate) async fn start(&self) -> Node {
        self.builder().start().await.expect("starts")
    }
}

/// One dials the other, and both say that they are connected.
pub(crate) async fn introduce(one: &Node, other: &Node) {
    one.connect(other.username()).await.expect("connects");
    meet(one, other).await;
}

/// Both say that they are connected.
pub(crate) async fn meet(one: &Node, other: &Node) {
    node::until("both are connected", async || is_connected(one, other).await && is_connected(other, one).await).await;
}

pub(crate) async fn is_connected(node: &Node, to: &Node) -> bool {
    // A node whose store is out of order just now cannot say.
    node.connected().await.is_ok_and(|connected| connected.contains(to.username()))
}

/// Where a node says that it can be dialled.
pub(crate) async fn address(node: &Node) -> Endpoint {
    node.status().await.unwrap().endpoints.remove(0)
}

pub(crate) async fn say(from: &Node, to: &Node, text: impl Into<String>) {
    from.send(to.username(), text.into()).await.expect("is durable");
}

/// How far each message that this node wrote got, oldest first.
pub(crate) async fn ticks(node: &Node) -> Vec<(String, Delivery)> {
    let page = node.history(HistoryPage { peer: None, before: None, limit: 1_000 }).await.expect("a history");
    let mine = page.into_iter().filter(|message| message.from == *node.username());
    mine.map(|message| (message.content, message.delivery)).collect()
}

/// Waits until everything that this node wrote has arrived, as its own ticks say.
pub(crate) async fn all_delivered(node: &Node) {
    let delivered = async || ticks(node).await.iter().all(|(_, delivery)| *delivery == Delivery::Delivered);
    node::until("all is delivered", delivered).await;
}

/// `what 0`, `what 1`, …
pub(crate) fn numbered(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{what} {n}")).collect()
}
