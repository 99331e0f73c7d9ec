//! A tracker that lives as long as the test.

use chatp2p_core::tracker::LocalTracker;
use tokio::net::TcpListener;

/// Serves an empty tracker; gives its address.
pub(crate) async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let registry = LocalTracker::in_memory().await.unwrap();
    let options = chatp2p_tracker::Options::default();
    tokio::spawn(chatp2p_tracker::run(listener, registry, options, std::future::pending()));
    url
}
