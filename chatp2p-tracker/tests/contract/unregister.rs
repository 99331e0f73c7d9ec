//! DELETE /unregister/{username}, for names that no key owns.

use serde_json::Value;

use crate::process::{Tracker, problem};

#[tokio::test]
async fn a_known_name_leaves_at_once() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    let answer = tracker.delete("/unregister/alice").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.unwrap()["message"].as_str().unwrap().contains("alice"));
    assert!(tracker.names().await.is_empty());
}

#[tokio::test]
async fn a_percent_encoded_name_is_decoded() {
    let tracker = Tracker::start().await;
    tracker.registered("José-ñandú", 5001).await;
    let answer = tracker.delete("/unregister/Jos%C3%A9-%C3%B1and%C3%BA").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.unwrap()["message"].as_str().unwrap().contains("José-ñandú"));
    assert!(tracker.names().await.is_empty());
}

#[tokio::test]
async fn a_farewell_can_be_said_again() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    tracker.delete("/unregister/alice").await;
    let again = tracker.delete("/unregister/alice").await.status();
    assert!([200, 404].contains(&again.as_u16()), "{again}");
}

#[tokio::test]
async fn an_unknown_name_is_404() {
    let tracker = Tracker::start().await;
    for name in ["alice", "two%20words", "a%2Fb"] {
        problem(tracker.delete(&format!("/unregister/{name}")).await, 404, "unknown_peer").await;
    }
}

#[tokio::test]
async fn half_a_proof_is_422() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    for query in ["counter=1", "mac=AAAA", "counter=x&mac=AAAA", "counter=1&mac=AAAA", "counter=1&mac=%2B%2B"] {
        problem(tracker.delete(&format!("/unregister/alice?{query}")).await, 422, "invalid_input").await;
    }
    assert_eq!(tracker.names().await, ["alice"]);
}
