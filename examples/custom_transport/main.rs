//! Your own transport: `unix.rs` carries links over Unix domain sockets, in some hundred lines. Here two nodes chat over it,
//! encrypted and with proved keys as over every transport.
//!
//! `cargo run --example custom_transport`

#[cfg(unix)]
mod unix;

#[cfg(unix)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    use std::sync::Arc;

    use anyhow::ensure;
    use chatp2p_core::node::{Event, Node, PeerNode};
    use chatp2p_core::tracker::LocalTracker;

    let folder = tempfile::tempdir()?;
    let transport = Arc::new(unix::UnixTransport::new(folder.path()));
    let tracker = Arc::new(LocalTracker::in_memory().await?);
    let peer = |name: &str| {
        let node = Node::builder(name.parse()?, tracker.clone()).transport(transport.clone());
        anyhow::Ok(node.listen(format!("unix:{name}").parse()?))
    };
    let (alice, bob) = (peer("alice")?.start().await?, peer("bob")?.start().await?);
    let (mut alice_hears, mut bob_hears) = (alice.subscribe(), bob.subscribe());

    // The tracker told alice where bob is: at a socket.
    alice.connect(bob.username()).await?;
    println!("alice dialled {:?}", bob.status().await?.endpoints);
    alice.send(bob.username(), "is this a file?".to_owned()).await?;
    while let Some(event) = bob_hears.next().await {
        if let Event::Message(message) = event {
            println!("{}: {}", message.from, message.content);
            ensure!(message.content == "is this a file?", "bob heard {:?}", message.content);
            bob.send(&message.from, "it is a socket".repeat(50_000)).await?;
            break;
        }
    }
    while let Some(event) = alice_hears.next().await {
        if let Event::Message(message) = event {
            println!("{}: it is a socket… ({} bytes)", message.from, message.content.len());
            ensure!(message.content == "it is a socket".repeat(50_000), "what bob said at length has changed");
            break;
        }
    }
    alice.stop().await?;
    bob.stop().await?;
    let left: Vec<_> = std::fs::read_dir(folder.path())?.filter_map(|file| Some(file.ok()?.file_name())).collect();
    ensure!(!left.iter().any(|name| name.to_string_lossy().ends_with(".sock")), "sockets are left behind: {left:?}");
    Ok(())
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("custom_transport: this example needs Unix domain sockets");
    std::process::ExitCode::FAILURE
}
