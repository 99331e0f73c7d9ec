//! POST /heartbeat, for names that no key owns.

use serde_json::{Value, json};

use crate::process::{Tracker, problem};

#[tokio::test]
async fn a_known_name_is_kept() {
    let tracker = Tracker::start().await;
    let registered = tracker.registered("alice", 5001).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let answer = tracker.beat("alice").await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["message"].is_string());
    assert_eq!(answer["username"], "alice");
    let listed = tracker.listed().await;
    assert!(listed[0]["last_heartbeat"].as_str() > registered["last_heartbeat"].as_str(), "a beat shows at once");
}

#[tokio::test]
async fn an_expired_peer_is_listed_again() {
    let tracker = Tracker::with(&["--ttl", "1"]).await;
    tracker.registered("alice", 5001).await;
    tracker.until_empty().await;
    assert_eq!(tracker.beat("alice").await.status(), 200);
    assert_eq!(tracker.names().await, ["alice"]);
}

#[tokio::test]
async fn an_unknown_name_is_404() {
    let tracker = Tracker::start().await;
    for name in ["alice", "two words", ""] {
        problem(tracker.beat(name).await, 404, "unknown_peer").await;
    }
}

#[tokio::test]
async fn a_name_that_unregistered_is_404() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    tracker.delete("/unregister/alice").await;
    problem(tracker.beat("alice").await, 404, "unknown_peer").await;
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_422() {
    let tracker = Tracker::start().await;
    for body in [json!({}), json!([]), json!({"username": 5}), json!({"username": "alice", "counter": 1})] {
        problem(tracker.post("/heartbeat", body).await, 422, "invalid_input").await;
    }
    problem(tracker.post_raw("/heartbeat", "{").await, 400, "invalid_json").await;
}
