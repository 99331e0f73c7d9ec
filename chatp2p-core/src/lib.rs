//! Chat whose peers talk *directly* to each other; a tracker only helps them find each other.
//!
//! A [`Node`](node::Node) is a running peer. It has a key, which is who it is; a name at a
//! [`Tracker`](tracker::Tracker), which is how others find it; and links to other nodes, over which both ends prove
//! their keys and nobody in between can read, change or forge anything. What a node has accepted to send is on its
//! disk before it says so, and arrives once and in order, whatever crashes in between.
//!
//! ```
//! use std::sync::Arc;
//! use chatp2p_core::node::{Event, Node, PeerNode};
//! use chatp2p_core::record::Endpoint;
//! use chatp2p_core::tracker::LocalTracker;
//! use chatp2p_core::transport::MemoryTransport;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tracker = Arc::new(LocalTracker::in_memory().await?);
//! let network = Arc::new(MemoryTransport::new());
//! let peer = |name: &str| {
//!     let node = Node::builder(name.parse()?, tracker.clone()).transport(network.clone());
//!     Ok::<_, Box<dyn std::error::Error>>(node.listen(Endpoint::memory(name)?))
//! };
//! let (alice, bob) = (peer("alice")?.start().await?, peer("bob")?.start().await?);
//! let mut heard = bob.subscribe();
//!
//! alice.connect(bob.username()).await?;
//! alice.send(bob.username(), "hello, bob".to_owned()).await?;
//! while let Some(event) = heard.next().await {
//!     if let Event::Message(message) = event {
//!         assert_eq!((message.from.as_str(), message.content.as_str()), ("alice", "hello, bob"));
//!         bob.send(&message.from, "hello, alice".to_owned()).await?;
//!         break;
//!     }
//! }
//! # let mut replies = alice.subscribe();
//! # use chatp2p_core::node::HistoryPage;
//! # let page = HistoryPage { peer: None, before: None, limit: 10 };
//! # while alice.history(page.clone()).await?.len() < 2 { replies.next().await; }
//! # assert_eq!(alice.history(page).await?[1].content, "hello, alice");
//! # Ok(())
//! # }
//! ```
//!
//! # In which order to read
//!
//! [`identity`] says who somebody is and [`record`] where; [`message`] what they say. [`protocol`] is the heart: the
//! rules of the conversation as a pure state; [`crypto`] encrypts for it. [`tracker`], [`storage`] and [`transport`] are the ports through which a
//! node meets the world, each with an implementation in memory that is always there; bring your own by implementing
//! the trait, and hold it to the contract suites of `testing` (feature `test-utils`). [`mailbox`] keeps for others what it cannot
//! read. [`node`] puts it together.
//!
//! # Features
//!
//! `websocket` (default): links over WebSocket. `http`: a tracker reached over HTTP. `sqlite`: profiles,
//! registries and mail in SQLite. `postgres`: registries in PostgreSQL. `test-utils`: contract suites and the simulator.
//!
//! # Supported, and not
//!
//! Supported: conversations of two, encrypted for each other alone; delivery over restarts, crashes and restored
//! databases, and by mailboxes to those who are away; names owned by keys. Not yet: groups, files.

mod cbor;

pub mod identity;
pub mod record;

pub mod message;

pub mod clock;
pub mod code;
pub mod crypto;
pub mod protocol;

pub mod storage;
pub mod tracker;
pub mod transport;

pub mod mailbox;

pub mod node;

#[cfg(feature = "test-utils")]
pub mod testing;

/// The code in the crate's README and in the workspace's, so that it compiles.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../README.md")]
    mod of_the_crate {}
    #[doc = include_str!("../../README.md")]
    mod of_the_workspace {}
}
