//! GET /peers and GET /peers/{username}.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::process::{PATIENCE, Tracker, problem};

#[tokio::test]
async fn the_list_is_a_bare_array_of_registrations() {
    let tracker = Tracker::start().await;
    assert!(tracker.listed().await.is_empty());
    let bob = tracker.registered("bob", 5002).await;
    let alice = tracker.registered("alice", 5001).await;
    let answer = tracker.get("/peers").await;
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    assert_eq!(answer.json::<Vec<Value>>().await.unwrap(), [alice, bob]);
}

#[tokio::test]
async fn only_the_active_are_listed() {
    let tracker = Tracker::with(&["--ttl", "1"]).await;
    tracker.registered("alice", 5001).await;
    tracker.until_empty().await;
    tracker.registered("bob", 5002).await;
    assert_eq!(tracker.names().await, ["bob"]);
}

#[tokio::test]
async fn changes_show_at_once() {
    let tracker = Tracker::start().await;
    for round in 0..20 {
        let name = format!("peer-{round}");
        tracker.registered(&name, 5001).await;
        assert_eq!(tracker.names().await, std::slice::from_ref(&name));
        tracker.delete(&format!("/unregister/{name}")).await;
        assert!(tracker.names().await.is_empty());
    }
}

#[tokio::test]
async fn pages_follow_one_another_and_miss_nobody() {
    let tracker = Tracker::start().await;
    for name in ["carol", "alice", "José", "bob", "dora"] {
        tracker.registered(name, 5001).await;
    }
    let (mut path, mut names, mut pages) = ("/peers?limit=2".to_owned(), Vec::new(), 0);
    loop {
        let answer = tracker.get(&path).await;
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let page: Vec<Value> = answer.json().await.unwrap();
        assert!(page.len() <= 2);
        pages += 1;
        names.extend(page.iter().map(|peer| peer["username"].as_str().unwrap().to_owned()));
        let Some(link) = link else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(path.starts_with("/peers?"), "{path}");
    }
    assert_eq!((pages, names), (3, ["José", "alice", "bob", "carol", "dora"].map(str::to_owned).into()));
}

#[tokio::test]
async fn a_prefix_narrows_the_list() {
    let tracker = Tracker::start().await;
    for name in ["alice", "alfred", "bob"] {
        tracker.registered(name, 5001).await;
    }
    let page: Vec<Value> = tracker.get("/peers?prefix=al&limit=1").await.json().await.unwrap();
    assert_eq!(page[0]["username"], "alfred");
    let page = tracker.get("/peers?prefix=al&limit=1&cursor=alfred").await;
    assert!(page.headers().get("link").is_none(), "bob is not of them");
    assert_eq!(page.json::<Vec<Value>>().await.unwrap()[0]["username"], "alice");
}

#[tokio::test]
async fn a_limit_is_a_number_from_1_to_1000() {
    let tracker = Tracker::start().await;
    for limit in ["0", "1001", "-1", "x", "99999999999999999999"] {
        problem(tracker.get(&format!("/peers?limit={limit}")).await, 422, "invalid_input").await;
    }
    assert_eq!(tracker.get("/peers?limit=1000").await.status(), 200);
}

#[tokio::test]
async fn the_tag_ignores_heartbeats_and_nothing_else() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    for path in ["/peers", "/peers?limit=1"] {
        let tag = tracker.get(path).await.headers()["etag"].clone();
        assert_eq!(tracker.beat("alice").await.status(), 200);
        let unchanged = tracker.request(Method::GET, path).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((unchanged.status().as_u16(), &unchanged.headers()["etag"]), (304, &tag));
        assert_eq!(unchanged.text().await.unwrap(), "");
        tracker.registered(&format!("bob{}", path.len()), 5002).await;
        let changed = tracker.request(Method::GET, path).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(changed.status(), 200);
        assert_ne!(changed.headers()["etag"], tag);
    }
}

#[tokio::test]
async fn one_peer_is_found_by_name() {
    let tracker = Tracker::start().await;
    let jose = tracker.registered("José-ñandú", 5001).await;
    let answer = tracker.get("/peers/Jos%C3%A9-%C3%B1and%C3%BA").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap(), jose);
}

#[tokio::test]
async fn nobody_is_found_by_other_names() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    tracker.delete("/unregister/alice").await;
    for name in ["alice", "bob", "two%20words"] {
        let refusal = problem(tracker.get(&format!("/peers/{name}")).await, 404, "unknown_peer").await;
        assert!(!refusal["detail"].as_str().unwrap().contains("register again"), "{refusal}");
    }
}

#[tokio::test]
async fn above_a_thousand_peers_a_change_shows_within_a_second() {
    let tracker = Tracker::with(&["--database", "memory"]).await;
    let names: Vec<String> = (0..1_001).map(|n| format!("peer-{n}")).collect();
    for some in names.chunks(50) {
        for answer in futures_util::future::join_all(some.iter().map(|name| tracker.register(name, 5001))).await {
            assert_eq!(answer.status(), 200);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while tracker.listed().await.len() != 1_001 {
        assert!(Instant::now() < deadline, "not everybody is listed");
    }
    assert_eq!(tracker.delete("/unregister/peer-7").await.status(), 200);
    let changed = Instant::now();
    while tracker.names().await.contains(&"peer-7".to_owned()) {
        assert!(changed.elapsed() < Duration::from_secs(3), "a second, and time for the answer itself");
    }
}
