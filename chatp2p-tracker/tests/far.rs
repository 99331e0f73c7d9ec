//! A tracker that is reached over HTTP keeps the same promises as one in this process: the contract suite of core.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use chatp2p_core::tracker::{HttpTracker, LocalTracker};
use chatp2p_tracker::{Options, run};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The service, which ends with the test.
async fn start(ttl: Duration) -> (HttpTracker, JoinSet<anyhow::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = HttpTracker::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let tracker = LocalTracker::builder().ttl(ttl).start().await.unwrap();
    let mut service = JoinSet::new();
    service.spawn(run(listener, tracker, Options::default(), std::future::pending()));
    (far, service)
}

chatp2p_core::tracker_contract!(start);
