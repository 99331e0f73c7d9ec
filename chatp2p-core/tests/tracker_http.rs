//! The tracker somewhere else, against answers of every kind: what is asked, what is believed, and what is not. The
//! contract suite runs on it beside the service itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chatp2p_core::identity::Identity;
use chatp2p_core::record::{PeerRecord, Reach, SignedRecord};
use chatp2p_core::testing::tracker::{classic, name, signed};
use chatp2p_core::tracker::{
    Claim, HttpTracker, Lease, LeaseAction, LeaseProof, PeerQuery, Tracker, TrackerError, TrackerId,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// One answer of the scripted tracker: status line, further header lines, body.
type Answer = (&'static str, String, Vec<u8>);

struct Asked {
    line: String,
    body: Value,
}

fn ok(body: &Value) -> Answer {
    ("200 OK", String::new(), body.to_string().into_bytes())
}

fn problem(status: &'static str, body: &Value) -> Answer {
    (status, "Content-Type: application/problem+json\r\n".to_owned(), body.to_string().into_bytes())
}

async fn read_request(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let (head, body_start) = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request broke off");
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).unwrap(), end + 4);
        }
    };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < body_start + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the body broke off");
    }
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    Asked { line, body: serde_json::from_slice(&bytes[body_start..]).unwrap_or(Value::Null) }
}

/// A tracker that gives these answers one after the other, and then tells what it was asked.
async fn script(answers: Vec<Answer>) -> (HttpTracker, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let tracker = HttpTracker::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, headers, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            asked.push(read_request(&mut stream).await);
            let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
            // A client that has read enough hangs up.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
        }
        asked
    });
    (tracker, asked)
}

fn listed(text: &str, port: u16) -> Value {
    json!({"id": 1, "username": text, "host": "192.0.2.1", "port": port, "is_active": true, "last_heartbeat": "2023-11-14T22:13:20.123Z"})
}

fn record(seed: u8, text: &str) -> SignedRecord {
    let identity = Identity::from_seed(&[seed; 32]);
    let endpoints = vec!["ws://192.0.2.7:5001".parse().unwrap()];
    SignedRecord::sign(
        &identity,
        PeerRecord {
            username: name(text),
            peer_id: identity.peer_id(),
            endpoints,
            seq: 1,
            pre_keys: None,
            letterboxes: Vec::new(),
        },
    )
    .unwrap()
}

fn listed_with(text: &str, record: &[u8]) -> Value {
    let mut value = listed(text, 6666);
    value["record"] = BASE64URL_NOPAD.encode(record).into();
    value
}

#[tokio::test]
async fn a_signed_claim_travels_whole_and_brings_a_secret() {
    let mut answer = listed("alice", 5001);
    answer["lease_secret"] = BASE64URL_NOPAD.encode(&[7; 32]).into();
    let (tracker, asked) = script(vec![ok(&answer)]).await;
    let claim = signed(1, "alice", 5001, 1, TrackerId([0xab; 16]));
    let lease = tracker.register(claim.clone()).await.unwrap();
    assert_eq!(lease.secret(), Some(&[7; 32]));
    let Claim::Signed(claim) = claim else { panic!("a signed claim") };
    let asked = asked.await.unwrap().remove(0);
    assert_eq!(asked.line, "POST /register");
    let expected = json!({
        "username": "alice", "host": "192.0.2.7", "port": 5001,
        "record": BASE64URL_NOPAD.encode(&claim.record().encode()),
        "signature": BASE64URL_NOPAD.encode(claim.signature()),
        "tracker_id": "ab".repeat(16),
    });
    assert_eq!(asked.body, expected);
}

#[tokio::test]
async fn a_classic_claim_is_what_classic_clients_send() {
    let (tracker, asked) =
        script(vec![ok(&listed("José", 5001)), ok(&json!({"message": "ok", "username": "José"}))]).await;
    let lease = tracker.register(classic("José", 5001)).await.unwrap();
    assert_eq!(lease.secret(), None);
    tracker.heartbeat(&lease).await.unwrap();
    let asked = asked.await.unwrap();
    assert_eq!(asked[0].body, json!({"username": "José", "host": "192.0.2.1", "port": 5001}));
    assert_eq!((asked[1].line.as_str(), &asked[1].body), ("POST /heartbeat", &json!({"username": "José"})));
}

#[tokio::test]
async fn proofs_travel_with_beats_and_farewells() {
    let done = ok(&json!({"message": "done"}));
    let (tracker, asked) = script(vec![done.clone(), done]).await;
    let lease = Lease::new(name("小明"), Some([7; 32]));
    tracker.heartbeat(&lease).await.unwrap();
    tracker.unregister(&lease).await.unwrap();
    let asked = asked.await.unwrap();
    let mac = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap().try_into().unwrap();
    let beat = LeaseProof {
        counter: asked[0].body["counter"].as_u64().unwrap(),
        mac: mac(asked[0].body["mac"].as_str().unwrap()),
    };
    assert!(beat.holds(&[7; 32], LeaseAction::Heartbeat, lease.username()));
    let proof = asked[1].line.strip_prefix("DELETE /unregister/%E5%B0%8F%E6%98%8E?counter=2&mac=").unwrap();
    assert!(LeaseProof { counter: 2, mac: mac(proof) }.holds(&[7; 32], LeaseAction::Unregister, lease.username()));
}

#[tokio::test]
async fn every_refusal_is_the_error_it_was_over_there() {
    let refusal = |code: &str| json!({"title": "x", "detail": "because", "code": code, "known": 7, "other": "alice"});
    let mut seen = Vec::new();
    for code in [
        "name_taken",
        "name_confusable",
        "proof_required",
        "proof_invalid",
        "wrong_tracker",
        "record_stale",
        "unknown_peer",
        "invalid_input",
        "tracker_full",
        "storage_failed",
        "tracker_unreachable",
        "no_such_code",
    ] {
        let (tracker, _asked) = script(vec![problem("409 Conflict", &refusal(code))]).await;
        let error = tracker.register(classic("ALICE", 1)).await.expect_err(code);
        let expected = if code == "no_such_code" { "tracker_protocol" } else { code };
        assert_eq!(error.code().as_str(), expected, "{error:?}");
        seen.push(error);
    }
    assert!(seen.iter().any(|error| matches!(error, TrackerError::RecordStale { known: 7 })));
    assert!(seen.iter().any(|error| {
        matches!(error, TrackerError::NameConfusable { name, other } if (name.as_str(), other.as_str()) == ("ALICE", "alice"))
    }));
    assert!(seen.iter().any(|error| matches!(error, TrackerError::Invalid { reason } if reason == "because")));
}

#[tokio::test]
async fn what_answers_like_no_tracker_is_named_as_such() {
    let page = || ("200 OK", String::new(), b"<html>Log in to the hotel</html>".to_vec());
    let away = |status| (status, String::new(), b"Not Found".to_vec());
    let secretive = {
        let mut value = listed("alice", 1);
        value["lease_secret"] = "abc".into();
        value
    };
    let answers =
        [page(), away("404 Not Found"), ok(&json!({})), ok(&listed("bob", 1)), ok(&secretive), ok(&listed("alice", 0))];
    for answer in answers {
        let shown = format!("{answer:?}");
        let (tracker, _asked) = script(vec![answer]).await;
        let refused = tracker.register(classic("alice", 1)).await;
        assert!(matches!(refused, Err(TrackerError::Protocol { .. })), "{shown}: {refused:?}");
    }
    let (tracker, _asked) = script(vec![page(), page(), away("404 Not Found"), page(), away("502 Bad Gateway")]).await;
    let lease = Lease::new(name("alice"), None);
    assert!(matches!(tracker.heartbeat(&lease).await, Err(TrackerError::Protocol { .. })));
    assert!(matches!(tracker.health().await, Err(TrackerError::Protocol { .. })));
    assert!(matches!(tracker.find(&name("alice")).await, Err(TrackerError::Protocol { .. })));
    assert!(matches!(tracker.peers(PeerQuery::default()).await, Err(TrackerError::Protocol { .. })));
    assert!(matches!(tracker.health().await, Err(TrackerError::Unreachable { .. })));
}

#[tokio::test]
async fn a_record_is_believed_only_with_its_signature_and_under_its_name() {
    let good = record(1, "alice");
    let mut forged = good.encode();
    *forged.last_mut().unwrap() ^= 1;
    let (tracker, asked) = script(vec![
        ok(&listed_with("alice", &good.encode())),
        ok(&listed_with("alice", &forged)),
        ok(&listed_with("alice", &record(3, "eve").encode())),
        ok(&listed("bob", 1)),
        problem("404 Not Found", &json!({"code": "unknown_peer", "detail": "nobody"})),
    ])
    .await;
    let alice = tracker.find(&name("alice")).await.unwrap().unwrap();
    assert_eq!(alice.record.as_ref(), Some(&good));
    assert_eq!((alice.host.as_str(), alice.port), ("192.0.2.7", 5001), "the signed address, not the one beside it");
    assert_eq!(alice.last_heartbeat.to_string(), "2023-11-14T22:13:20.123Z");
    for _ in ["forged", "eve's", "bob's"] {
        assert!(matches!(tracker.find(&name("alice")).await, Err(TrackerError::Protocol { .. })));
    }
    assert_eq!(tracker.find(&name("alice")).await.unwrap(), None);
    assert!(asked.await.unwrap().iter().all(|asked| asked.line == "GET /peers/alice"));
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_without_its_liars() {
    let link = |next: &str| format!("Link: <{next}>; rel=\"next\"\r\n");
    let first = json!([listed("alice", 1), listed_with("bob", &record(3, "eve").encode()), listed("b&c=d", 2)]);
    let second = json!([listed("ñandú", 3)]);
    let third = json!([listed("not a name", 4), listed("小明", 5)]);
    let page = |value: &Value, link: String| ("200 OK", link, value.to_string().into_bytes());
    let (tracker, asked) = script(vec![
        page(&json!([listed("alice", 1), listed_with("bob", &record(3, "eve").encode())]), link("/peers?cursor=bob")),
        page(&second, link("/peers?cursor=x")),
        page(&third, String::new()),
        page(&first, link("/peers")),
    ])
    .await;
    let all = tracker.peers(PeerQuery { prefix: Some("a b".to_owned()), ..PeerQuery::default() }).await.unwrap();
    let names: Vec<_> = all.items.iter().map(|peer| peer.username.as_str()).collect();
    assert_eq!((names, all.more), (vec!["alice", "ñandú", "小明"], false));
    let some = tracker.peers(PeerQuery { limit: Some(3), after: Some("Z".to_owned()), prefix: None }).await.unwrap();
    assert_eq!((some.items.len(), some.more), (1, true), "what is skipped counts, and the rest is said to be there");
    let lines: Vec<_> = asked.await.unwrap().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /peers?limit=1000&prefix=a+b",
            "GET /peers?limit=1000&prefix=a+b&cursor=bob",
            "GET /peers?limit=1000&prefix=a+b&cursor=%C3%B1and%C3%BA",
            "GET /peers?limit=3&cursor=Z",
        ]
    );
}

#[tokio::test]
async fn a_list_that_turns_in_circles_is_left() {
    let page =
        ("200 OK", "Link: </peers>; rel=\"next\"\r\n".to_owned(), json!([listed("alice", 1)]).to_string().into_bytes());
    let (tracker, _asked) = script(vec![page.clone(), page]).await;
    assert!(matches!(tracker.peers(PeerQuery::default()).await, Err(TrackerError::Protocol { .. })));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let flood = || ("200 OK", String::new(), vec![b' '; 9 << 20]);
    let (tracker, _asked) = script(vec![flood(), flood()]).await;
    assert!(matches!(tracker.health().await, Err(TrackerError::Protocol { reason, .. }) if reason.contains("65536")));
    let listing = tracker.peers(PeerQuery::default()).await;
    assert!(matches!(listing, Err(TrackerError::Protocol { reason, .. }) if reason.contains("8388608")));
}

#[tokio::test]
async fn nobody_is_sent_somewhere_else() {
    let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let location = format!("Location: http://{}/health\r\n", elsewhere.local_addr().unwrap());
    let (tracker, _asked) = script(vec![("302 Found", location, Vec::new())]).await;
    assert!(matches!(tracker.health().await, Err(TrackerError::Protocol { .. })));
    assert!(timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err());
}

#[tokio::test]
async fn health_reads_as_it_was_said() {
    let health = json!({"status": "healthy", "total_peers": 3, "active_peers": 2, "timestamp": "1970-01-01T00:00:01Z", "tracker_id": "0f".repeat(16)});
    let (tracker, asked) = script(vec![ok(&health)]).await;
    let health = tracker.health().await.unwrap();
    assert_eq!((health.total_peers, health.active_peers, health.now.as_millis()), (3, 2, 1_000));
    assert_eq!(health.tracker_id, TrackerId([0x0f; 16]));
    assert_eq!(asked.await.unwrap()[0].line, "GET /health");
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_both_unreachable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let tracker = HttpTracker::new(&format!("http://{address}/")).unwrap();
    assert_eq!(tracker.local_address().await, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    // Accepted by the system, and never answered.
    let silent = timeout(Duration::from_secs(30), tracker.health()).await.expect("it gives up by itself");
    assert!(matches!(silent, Err(TrackerError::Unreachable { .. })));
    drop(listener);
    assert!(matches!(tracker.health().await, Err(TrackerError::Unreachable { .. })));
    assert_eq!(tracker.local_address().await, None);
}

#[tokio::test]
async fn tls_needs_no_provider_of_the_process() {
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "or this shows nothing");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    // A system without certificates says so at once; one with them finds nobody who speaks TLS.
    let outcome = match HttpTracker::new(&format!("https://{}", listener.local_addr().unwrap())) {
        Ok(tracker) => {
            drop(listener);
            tracker.health().await.map(|_| ())
        }
        Err(error) => Err(error),
    };
    assert!(matches!(outcome, Err(TrackerError::Unreachable { .. })), "{outcome:?}");
}

#[test]
fn only_addresses_of_trackers_are_taken() {
    for url in [
        "",
        "tracker",
        "ftp://h",
        "http://",
        "http://u@h",
        "http://u:p@h",
        "http://h?x",
        "http://h#x",
        "unix:/x",
        "http://h:99999",
    ] {
        assert!(matches!(HttpTracker::new(url), Err(TrackerError::Invalid { .. })), "{url}");
    }
    for url in ["http://localhost:8000", "http://[::1]:8000/", " http://h/tracker/ ", "http://192.168.2.1"] {
        assert!(HttpTracker::new(url).is_ok(), "{url}");
    }
}

#[test]
fn beyond_the_local_network_a_tracker_needs_tls() {
    for url in [
        "http://192.0.2.1:8000",
        "http://8.8.8.8",
        "http://[2001:db8::1]",
        "http://0.0.0.0:8000",
        "http://[::ffff:8.8.8.8]",
    ] {
        assert!(matches!(HttpTracker::new(url), Err(TrackerError::Insecure { .. })), "{url}");
        assert!(HttpTracker::new_insecure(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn how_far_a_tracker_is_shows_when_it_answers() {
    let health = json!({"status": "healthy", "total_peers": 3, "active_peers": 2, "timestamp": "1970-01-01T00:00:01Z", "tracker_id": "0f".repeat(16)});
    let (tracker, _asked) = script(vec![ok(&health)]).await;
    tracker.health().await.unwrap();
    assert_eq!(tracker.reach(), Reach::Loopback);
    let before_it_answers = |url: &str| HttpTracker::new(url).unwrap().reach();
    for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
        assert_eq!(before_it_answers(url), Reach::Loopback, "{url}");
    }
    assert_eq!(before_it_answers("http://192.168.1.1:1"), Reach::Private);
    for url in ["http://localhost.example:1", "https://tracker.example", "http://printer.local"] {
        assert_eq!(before_it_answers(url), Reach::Public, "nobody knows: {url}");
    }
}

#[tokio::test]
async fn the_way_to_a_tracker_is_known_also_while_it_is_away() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let tracker = HttpTracker::new(&format!("http://{gone}/")).unwrap();
    assert_eq!(tracker.local_address().await, None);
    assert_eq!(tracker.departing_address().await, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
}

#[tokio::test]
async fn a_tracker_may_live_under_a_path() {
    let (tracker, asked) = script(vec![ok(&json!([]))]).await;
    let tracker = HttpTracker::new(&format!("{}chat/tracker/", tracker.url())).unwrap();
    assert!(tracker.peers(PeerQuery { limit: Some(0), ..PeerQuery::default() }).await.unwrap().items.is_empty());
    assert_eq!(asked.await.unwrap()[0].line, "GET /chat/tracker/peers?limit=1");
}
