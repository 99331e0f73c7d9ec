//! What is wrong with trackers, seen by those who ask them.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chatp2p_core::clock::Wall;
use chatp2p_core::identity::Identity;
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::tracker::{Claim, HttpTracker, SignedClaim, Tracker};
use chatp2p_service::{Limits, serve};
use poem::{Request, Response, endpoint::make};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::ask::{connects, diagnosis, fails, finds, is_well, with_flags};
use crate::http;
use crate::play::{self, Program, running, tracker_command};
use crate::tap::Wire;

/// Registers somebody who has a key and no program.
pub(crate) async fn register(name: &str, endpoints: &[String], tracker: SocketAddr) {
    let (identity, tracker) = (Identity::generate().unwrap(), HttpTracker::new(&format!("http://{tracker}")).unwrap());
    let endpoints = endpoints.iter().map(|text| text.parse().unwrap()).collect();
    let (username, peer_id) = (name.parse().unwrap(), identity.peer_id());
    let record = PeerRecord { username, peer_id, endpoints, seq: 1, pre_keys: None, letterboxes: Vec::new() };
    let record = SignedRecord::sign(&identity, record).unwrap();
    let claim = SignedClaim::sign(&identity, record, tracker.health().await.unwrap().tracker_id);
    tracker.register(Claim::Signed(claim)).await.unwrap();
}

async fn ask(at: SocketAddr, method: &str, path: &str, body: Option<Value>) {
    let host = at.to_string();
    let headers = [("host", host.as_str()), ("content-type", "application/json")];
    let answer = http::send(at, method, path, &headers, body.map(|body| body.to_string()).as_deref()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A tracker that keeps what it knows over its end.
async fn lasting(bind: &str, data: &std::path::Path) -> Program {
    Program::start(&mut tracker_command(bind, Some(data))).await
}

#[tokio::test]
async fn a_tracker_that_is_away_is_told_and_mended_by_starting_it() {
    let data = tempdir().unwrap();
    let tracker = lasting("127.0.0.1:0", data.path()).await;
    let (alice, _bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    is_well(&alice).await;
    let at = tracker.api;
    tracker.kill().await;
    fails(&alice, "bob", "found", "tracker_unreachable", "Check that the tracker runs").await;
    finds(&alice, "tracker_unreachable", "Check that the tracker runs").await;
    let _tracker = lasting(&at.to_string(), data.path()).await;
    connects(&alice, "bob").await;
    is_well(&alice).await;
    let shown = alice.get("/diagnostics").await.json()["trackers"].clone();
    assert_eq!(shown[0]["url"], format!("http://{at}/"), "{shown:#}");
    assert!(shown[0]["answered_in_ms"].is_u64() && shown[0]["confirmed"].is_string(), "{shown:#}");
}

#[tokio::test]
async fn a_client_without_a_key_is_told_and_mended_by_a_program_that_has_one() {
    let tracker = play::tracker().await;
    let alice = running("alice", &tracker).await;
    ask(tracker.api, "POST", "/register", Some(json!({"username": "bob", "host": "127.0.0.1", "port": 9}))).await;
    fails(&alice, "bob", "found", "peer_without_key", "such as chatp2p-peer").await;
    ask(tracker.api, "DELETE", "/unregister/bob", None).await;
    let _bob = running("bob", &tracker).await;
    connects(&alice, "bob").await;
}

/// Answers from one tracker about bob, and from the other about everybody else.
async fn between(of_bob: SocketAddr, of_others: SocketAddr, tasks: &mut JoinSet<std::io::Result<()>>) -> SocketAddr {
    proxy(tasks, move |path| if path == "/peers/bob" { of_bob } else { of_others }, Arc::default()).await
}

/// A tracker that another answers for, with its clock put forward by so many milliseconds.
async fn proxy(
    tasks: &mut JoinSet<std::io::Result<()>>,
    choose: impl Fn(&str) -> SocketAddr + Send + Sync + 'static,
    forward: Arc<AtomicI64>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let choose = Arc::new(choose);
    let app = make(move |mut request: Request| {
        let (choose, forward) = (Arc::clone(&choose), Arc::clone(&forward));
        async move {
            let path = request.original_uri().path_and_query().unwrap().as_str().to_owned();
            let body = request.take_body().into_string().await.unwrap();
            let to = choose(&path);
            let host = to.to_string();
            let headers = [("host", host.as_str()), ("content-type", "application/json")];
            let body = Some(body).filter(|body| !body.is_empty());
            let answer = http::send(to, request.method().as_str(), &path, &headers, body.as_deref()).await;
            let body = match (path.as_str(), forward.load(Ordering::SeqCst)) {
                ("/health", by @ 1..) => {
                    let mut health = answer.json();
                    let now = std::time::SystemTime::now() + Duration::from_millis(by.unsigned_abs());
                    health["timestamp"] = Wall::from(now).to_string().into();
                    health.to_string()
                }
                _ => answer.body,
            };
            let status = poem::http::StatusCode::from_u16(answer.status).unwrap();
            Ok::<_, poem::Error>(Response::builder().status(status).content_type("application/json").body(body))
        }
    });
    tasks.spawn(serve(listener, app, Limits::default(), std::future::pending()));
    at
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_and_mended_by_setting_it() {
    let (tracker, mut tasks, forward) = (play::tracker().await, JoinSet::new(), Arc::new(AtomicI64::new(0)));
    let to = tracker.api;
    let at = proxy(&mut tasks, move |_| to, Arc::clone(&forward)).await;
    let alice = with_flags("alice", at, tempdir().unwrap(), &[]).await;
    is_well(&alice).await;
    forward.store(3_600_000, Ordering::SeqCst);
    finds(&alice, "clock_off", "Set the clock").await;
    forward.store(0, Ordering::SeqCst);
    is_well(&alice).await;
}

#[tokio::test]
async fn two_peers_at_different_trackers_are_told_and_mended_by_one_tracker() {
    let (hers, his, mut tasks) = (play::tracker().await, play::tracker().await, JoinSet::new());
    let at = between(his.api, hers.api, &mut tasks).await;
    let (alice, _bob) = (with_flags("alice", at, tempdir().unwrap(), &[]).await, running("bob", &his).await);
    fails(&alice, "bob", "accepted", "name_unproved", "registered at the same tracker").await;
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(alice.start("alice", 0, his.api).await.status, 200);
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn a_tracker_that_is_silent_to_the_other_end_is_told_and_mended_there() {
    let tracker = play::tracker().await;
    let wire = Wire::to(tracker.api).await;
    let alice = running("alice", &tracker).await;
    let _bob = with_flags("bob", wire.at, tempdir().unwrap(), &[]).await;
    wire.hold();
    fails(&alice, "bob", "accepted", "tracker_trouble_there", "GET /diagnostics there").await;
    wire.release();
    connects(&alice, "bob").await;
}

/// An address of this machine by which it is reached from beyond.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent.
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[tokio::test]
async fn an_address_of_this_machine_named_from_afar_is_told_and_mended_by_a_tracker_as_near() {
    let Some(own) = own_address() else {
        println!("skipped: this machine has no address but its loopback");
        return;
    };
    let tracker = play::tracker_at("0.0.0.0:0").await;
    let near = SocketAddr::new([127, 0, 0, 1].into(), tracker.api.port());
    let far = SocketAddr::new(own, near.port());
    // The flag for where that address is a public one.
    let alice = with_flags("alice", far, tempdir().unwrap(), &["--insecure-http"]).await;
    let _bob = with_flags("bob", near, tempdir().unwrap(), &["--advertise", "127.0.0.1"]).await;
    fails(&alice, "bob", "resolved", "address_withheld", "Use a tracker in the same network").await;
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(alice.start("alice", 0, near).await.status, 200);
    connects(&alice, "bob").await;
    let told = diagnosis(&alice, "bob").await;
    assert_eq!(told["link"]["dialled"], true, "{told:#}");
}
