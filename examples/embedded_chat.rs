//! The whole library in one short program: alice and bob chat in one process. What was sent must have arrived, in order.
//!
//! `cargo run --example embedded_chat`

use std::{error::Error, sync::Arc};

use chatp2p_core::node::{Event, Node, PeerNode};
use chatp2p_core::{record::Endpoint, tracker::LocalTracker, transport::MemoryTransport};

const LINES: [&str; 3] = ["hello, bob", "this stays in memory: no network, no files 🙂", "over to you"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A tracker helps peers find each other; a transport carries their links. In your app: HttpTracker, WebSocketTransport.
    let tracker = Arc::new(LocalTracker::in_memory().await?);
    let network = Arc::new(MemoryTransport::new());
    let peer = |name: &str| {
        let node = Node::builder(name.parse()?, tracker.clone()).transport(network.clone());
        Ok::<_, Box<dyn Error>>(node.listen(Endpoint::memory(name)?))
    };
    let (alice, bob) = (peer("alice")?.start().await?, peer("bob")?.start().await?);
    let mut heard = bob.subscribe();

    alice.connect(bob.username()).await?;
    for line in LINES {
        alice.send(bob.username(), line.to_owned()).await?;
    }
    let mut arrived = Vec::new();
    while arrived.len() < LINES.len() {
        if let Some(Event::Message(message)) = heard.next().await {
            println!("{} to {}: {}", message.from, message.to, message.content);
            arrived.push(message.content);
        }
    }
    assert_eq!(arrived, LINES, "what arrived is not what was sent");
    Ok(alice.stop().await.and(bob.stop().await)?)
}
