//! POST /register, for names that no key owns.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::process::{Tracker, problem};

#[tokio::test]
async fn a_registration_is_answered_200_with_what_is_listed() {
    let tracker = Tracker::start().await;
    let alice = tracker.registered("alice", 5001).await;
    assert!(alice["id"].is_i64(), "{alice}");
    assert_eq!(alice["username"], "alice");
    assert_eq!(alice["host"], "192.0.2.1");
    assert_eq!(alice["port"], 5001);
    assert_eq!(alice["is_active"], true);
    let time = alice["last_heartbeat"].as_str().unwrap();
    assert!(time.len() == "2026-01-31T12:00:00.000Z".len() && time.ends_with('Z') && time.contains('T'), "{time}");
    assert!(alice.get("lease_secret").is_none(), "nobody owns it");
}

#[tokio::test]
async fn the_same_again_keeps_the_id_and_counts_as_a_heartbeat() {
    let tracker = Tracker::start().await;
    let first = tracker.registered("alice", 5001).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let second = tracker.registered("alice", 5001).await;
    assert_eq!(second["id"], first["id"]);
    assert!(second["last_heartbeat"].as_str() > first["last_heartbeat"].as_str());
    assert_eq!(tracker.names().await, ["alice"]);
}

#[tokio::test]
async fn a_name_that_left_is_free() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    assert_eq!(tracker.delete("/unregister/alice").await.status(), 200);
    assert_eq!(tracker.registered("alice", 6001).await["port"], 6001);
}

#[tokio::test]
async fn a_name_that_expired_is_free() {
    let tracker = Tracker::with(&["--ttl", "1"]).await;
    tracker.registered("alice", 5001).await;
    tracker.until_empty().await;
    assert_eq!(tracker.registered("alice", 6001).await["port"], 6001);
}

#[tokio::test]
async fn a_name_in_use_elsewhere_is_taken() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    let refusal = problem(tracker.register("alice", 6001).await, 409, "name_taken").await;
    assert!(refusal["next"].is_string());
    assert_eq!(tracker.listed().await[0]["port"], 5001);
}

#[tokio::test]
async fn a_name_too_like_anothers_is_refused_and_the_rule_is_named() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    for name in ["ALICE", "a1ice", "аӏісе"] {
        let refusal = problem(tracker.register(name, 5002).await, 409, "name_confusable").await;
        assert_eq!(refusal["other"], "alice");
        assert!(refusal["detail"].as_str().unwrap().contains("look alike"), "{refusal}");
    }
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_422() {
    let tracker = Tracker::start().await;
    for body in [
        json!({}),
        json!([]),
        json!(["alice", "192.0.2.1", 5001]),
        json!({"username": "alice", "host": "192.0.2.1"}),
        json!({"username": "alice", "port": 5001}),
        json!({"host": "192.0.2.1", "port": 5001}),
        json!({"username": 5, "host": "192.0.2.1", "port": 5001}),
        json!({"username": "alice", "host": null, "port": 5001}),
        json!({"username": "alice", "host": "192.0.2.1", "port": "five"}),
    ] {
        problem(tracker.post("/register", body).await, 422, "invalid_input").await;
    }
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let tracker = Tracker::start().await;
    for body in ["", "{", "nonsense", "{\"username\":\"alice\",}"] {
        problem(tracker.post_raw("/register", body).await, 400, "invalid_json").await;
    }
    problem(tracker.post_raw("/register", &b"{\"username\":\"\xff\"}"[..]).await, 400, "invalid_json").await;
    let bare = tracker.request(reqwest::Method::POST, "/register").send().await.unwrap();
    problem(bare, 400, "invalid_json").await;
}

#[tokio::test]
async fn json_with_a_charset_and_unknown_fields_are_accepted() {
    let tracker = Tracker::start().await;
    let answer = tracker
        .request(reqwest::Method::POST, "/register")
        .header("content-type", "application/json; charset=utf-8")
        .body(r#"{"username":"alice","host":"192.0.2.1","port":5001,"colour":"green"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn impossible_ports_are_422() {
    let tracker = Tracker::start().await;
    for port in [json!(-1), json!(0), json!(65536), json!(1_u64 << 63), json!(true), json!(1.5), json!("5001")] {
        let body = json!({"username": "alice", "host": "192.0.2.1", "port": port});
        let refusal = problem(tracker.post("/register", body).await, 422, "invalid_input").await;
        assert!(refusal["detail"].as_str().unwrap().contains("port"), "{refusal}");
    }
}

#[tokio::test]
async fn impossible_names_are_422() {
    let tracker = Tracker::start().await;
    let mut names: Vec<String> = ["", " ", "\t", "\u{3000}", "a\u{0}b", "a\u{7f}b", "."].map(str::to_owned).into();
    names.push("x".repeat(65));
    names.extend("<>\"'&/\\`".chars().map(|refused| format!("al{refused}ice")));
    for name in names {
        let refusal = problem(tracker.register(&name, 5001).await, 422, "invalid_input").await;
        assert!(refusal["detail"].as_str().unwrap().starts_with("username: "), "{name:?}: {refusal}");
    }
    assert_eq!(tracker.registered(&"x".repeat(64), 5001).await["username"], "x".repeat(64));
}

#[tokio::test]
async fn a_lone_surrogate_is_refused() {
    let tracker = Tracker::start().await;
    for body in [
        r#"{"username":"\ud800","host":"192.0.2.1","port":5001}"#,
        r#"{"username":"alice","host":"\udfff","port":5001}"#,
    ] {
        problem(tracker.post_raw("/register", body).await, 422, "invalid_input").await;
    }
}

#[tokio::test]
async fn impossible_hosts_are_422() {
    let tracker = Tracker::start().await;
    for host in ["", " ", "a b", "<b>", &"x".repeat(254)] {
        let body = json!({"username": "alice", "host": host, "port": 5001});
        let refusal = problem(tracker.post("/register", body).await, 422, "invalid_input").await;
        assert!(refusal["detail"].as_str().unwrap().contains("host"), "{refusal}");
    }
}

#[tokio::test]
async fn letters_of_any_script_pass_unchanged() {
    let tracker = Tracker::start().await;
    for name in ["José-ñandú", "Ольга", "李小龍", "さくら", "עברית"] {
        assert_eq!(tracker.registered(name, 5001).await["username"], name);
    }
}

#[tokio::test]
async fn a_space_does_not_pass_and_the_error_says_what_to_type() {
    let refusal = problem(Tracker::start().await.register("two words", 5001).await, 422, "invalid_input").await;
    assert!(refusal["detail"].as_str().unwrap().contains("hyphen"), "{refusal}");
}

#[tokio::test]
async fn one_new_name_from_sixty_clients_at_once_is_one_registration() {
    let tracker = Tracker::start().await;
    let all = (0..60).map(|client| tracker.register("alice", 5001 + client % 2));
    let (mut ids, mut refused) = (BTreeSet::new(), 0);
    for answer in futures_util::future::join_all(all).await {
        if answer.status() == 200 {
            ids.insert(answer.json::<Value>().await.unwrap()["id"].as_i64().unwrap());
        } else {
            problem(answer, 409, "name_taken").await;
            refused += 1;
        }
    }
    assert_eq!((ids.len(), refused), (1, 30));
    assert_eq!(tracker.names().await, ["alice"]);
}

#[tokio::test]
async fn a_body_without_end_is_413() {
    let tracker = Tracker::start().await;
    let body = format!(r#"{{"username":"alice","host":"{}","port":5001}}"#, "x".repeat(70_000));
    problem(tracker.post_raw("/register", body).await, 413, "body_too_large").await;
}

#[tokio::test]
async fn a_full_tracker_says_so() {
    let tracker = Tracker::with(&["--max-peers", "1"]).await;
    tracker.registered("alice", 5001).await;
    problem(tracker.register("bob", 5002).await, 507, "tracker_full").await;
}
