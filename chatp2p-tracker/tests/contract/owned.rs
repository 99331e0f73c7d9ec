//! Names that a key owns: signed registrations, and heartbeats and farewells proved under their lease.

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::tracker::{Lease, LeaseAction, SignedClaim, TrackerId};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use reqwest::Response;
use serde_json::{Value, json};

use crate::process::{Tracker, problem};

async fn id(tracker: &Tracker) -> TrackerId {
    let health: Value = tracker.get("/health").await.json().await.unwrap();
    TrackerId(HEXLOWER.decode(health["tracker_id"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap())
}

/// The body of a signed registration of alice.
fn claim(seed: u8, port: u16, seq: u64, tracker: TrackerId) -> Value {
    let identity = Identity::from_seed(&[seed; 32]);
    let record = PeerRecord {
        username: "alice".parse().unwrap(),
        peer_id: identity.peer_id(),
        endpoints: vec![format!("ws://192.0.2.7:{port}").parse().unwrap()],
        seq,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let claim = SignedClaim::sign(&identity, SignedRecord::sign(&identity, record).unwrap(), tracker);
    json!({
        "username": "alice",
        "host": "192.0.2.7",
        "port": port,
        "record": BASE64URL_NOPAD.encode(&claim.record().encode()),
        "signature": BASE64URL_NOPAD.encode(claim.signature()),
        "tracker_id": tracker.to_string(),
    })
}

/// Registers alice by her key and returns what she holds.
async fn owned(tracker: &Tracker) -> Lease {
    let answer = tracker.post("/register", claim(1, 5001, 1, id(tracker).await)).await;
    assert_eq!(answer.status(), 200);
    lease(&answer.json().await.unwrap())
}

fn lease(registered: &Value) -> Lease {
    let secret = BASE64URL_NOPAD.decode(registered["lease_secret"].as_str().unwrap().as_bytes()).unwrap();
    Lease::new("alice".parse::<Username>().unwrap(), Some(secret.try_into().unwrap()))
}

async fn beat(tracker: &Tracker, counter: u64, mac: &[u8; 32]) -> Response {
    let body = json!({"username": "alice", "counter": counter, "mac": BASE64URL_NOPAD.encode(mac)});
    tracker.post("/heartbeat", body).await
}

#[tokio::test]
async fn a_signed_registration_is_listed_with_its_key_and_record_but_not_its_secret() {
    let tracker = Tracker::start().await;
    let body = claim(1, 5001, 1, id(&tracker).await);
    let registered: Value = tracker.post("/register", body.clone()).await.json().await.unwrap();
    assert_eq!(registered["peer_id"], Identity::from_seed(&[1; 32]).peer_id().to_string());
    assert_eq!(registered["record"], body["record"]);
    assert!(registered["lease_secret"].is_string());
    for listed in [tracker.listed().await.remove(0), tracker.get("/peers/alice").await.json().await.unwrap()] {
        assert_eq!(listed["record"], body["record"]);
        assert_eq!((listed["host"].as_str(), listed["port"].as_u64()), (Some("192.0.2.7"), Some(5001)));
        assert!(listed.get("lease_secret").is_none());
    }
}

#[tokio::test]
async fn a_stranger_can_do_nothing_with_an_owned_name() {
    let tracker = Tracker::start().await;
    owned(&tracker).await;
    problem(tracker.register("alice", 5001).await, 403, "proof_required").await;
    problem(tracker.beat("alice").await, 403, "proof_required").await;
    problem(tracker.delete("/unregister/alice").await, 403, "proof_required").await;
    assert_eq!(tracker.names().await, ["alice"]);
}

#[tokio::test]
async fn the_owner_moves_at_once() {
    let tracker = Tracker::start().await;
    owned(&tracker).await;
    assert_eq!(tracker.post("/register", claim(1, 6001, 2, id(&tracker).await)).await.status(), 200);
    assert_eq!(tracker.listed().await[0]["port"], 6001);
}

#[tokio::test]
async fn another_key_does_not_get_the_name() {
    let tracker = Tracker::start().await;
    owned(&tracker).await;
    problem(tracker.post("/register", claim(2, 6001, 9, id(&tracker).await)).await, 409, "name_taken").await;
}

#[tokio::test]
async fn an_older_record_is_stale_and_the_known_number_is_told() {
    let tracker = Tracker::start().await;
    let here = id(&tracker).await;
    tracker.post("/register", claim(1, 5001, 7, here)).await;
    let refusal = problem(tracker.post("/register", claim(1, 6001, 6, here)).await, 409, "record_stale").await;
    assert_eq!(refusal["known"], 7);
}

#[tokio::test]
async fn a_claim_for_another_tracker_is_refused() {
    let tracker = Tracker::start().await;
    problem(tracker.post("/register", claim(1, 5001, 1, TrackerId([9; 16]))).await, 409, "wrong_tracker").await;
}

#[tokio::test]
async fn forged_and_faulty_claims_are_refused() {
    let tracker = Tracker::start().await;
    let here = id(&tracker).await;
    let good = claim(1, 5001, 1, here);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let other = claim(2, 5001, 1, here);
    problem(tracker.post("/register", with("signature", other["signature"].clone())).await, 403, "proof_invalid").await;
    let mut record = BASE64URL_NOPAD.decode(good["record"].as_str().unwrap().as_bytes()).unwrap();
    *record.last_mut().unwrap() ^= 1;
    let forged = with("record", BASE64URL_NOPAD.encode(&record).into());
    problem(tracker.post("/register", forged).await, 403, "proof_invalid").await;
    for (field, value) in [
        ("record", json!("AAAA")),
        ("record", json!("no base64!")),
        ("record", json!(5)),
        ("record", Value::Null),
        ("signature", json!("AAAA")),
        ("signature", Value::Null),
        ("tracker_id", json!("xyz")),
        ("tracker_id", Value::Null),
        ("username", json!("bob")),
    ] {
        problem(tracker.post("/register", with(field, value)).await, 422, "invalid_input").await;
    }
    assert!(tracker.names().await.is_empty());
}

#[tokio::test]
async fn a_heartbeat_is_proved_and_each_proof_counts_once() {
    let tracker = Tracker::start().await;
    let lease = owned(&tracker).await;
    let proof = lease.prove(LeaseAction::Heartbeat).unwrap();
    assert_eq!(beat(&tracker, proof.counter, &proof.mac).await.status(), 200);
    problem(beat(&tracker, proof.counter, &proof.mac).await, 403, "proof_invalid").await;
    problem(beat(&tracker, proof.counter + 1, &proof.mac).await, 403, "proof_invalid").await;
    let farewell = lease.prove(LeaseAction::Unregister).unwrap();
    problem(beat(&tracker, farewell.counter, &farewell.mac).await, 403, "proof_invalid").await;
}

#[tokio::test]
async fn a_farewell_is_proved_and_the_name_stays_the_keys() {
    let tracker = Tracker::start().await;
    let proof = owned(&tracker).await.prove(LeaseAction::Unregister).unwrap();
    let mac = BASE64URL_NOPAD.encode(&proof.mac);
    let answer = tracker.delete(&format!("/unregister/alice?counter={}&mac={mac}", proof.counter)).await;
    assert_eq!(answer.status(), 200);
    assert!(tracker.names().await.is_empty());
    problem(tracker.register("alice", 5001).await, 403, "proof_required").await;
}
