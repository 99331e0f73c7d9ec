//! Who asks too much hears for how long to wait, in the shape of every other refusal; and this machine never does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;

use chatp2p_core::tracker::{HttpTracker, LocalTracker, PeerQuery, Tracker as _, TrackerError};
use chatp2p_tracker::{Options, Quotas, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

async fn start(quotas: Quotas) -> (SocketAddr, JoinSet<anyhow::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let tracker = LocalTracker::in_memory().await.unwrap();
    let mut service = JoinSet::new();
    service.spawn(run(listener, tracker, Options { quotas, ..Options::default() }, std::future::pending()));
    (at, service)
}

/// Asks so often over one connection, and gives the answers' heads.
async fn ask(at: SocketAddr, request: &str, times: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let asking = async {
        for n in 0..times {
            let close = if n + 1 == times { "connection: close\r\n" } else { "" };
            let request = request.replacen("\r\n", &format!("\r\nhost: test\r\n{close}"), 1);
            writing.write_all(request.as_bytes()).await.unwrap();
        }
    };
    let mut text = String::new();
    let (read, ()) = tokio::join!(reading.read_to_string(&mut text), asking);
    read.unwrap();
    text.split("HTTP/1.1 ").skip(1).map(str::to_lowercase).collect()
}

#[tokio::test]
async fn whoever_asks_too_much_hears_how_long_to_wait() {
    let (at, _service) = start(Quotas::Everybody).await;
    let body = r#"{"username": "alice", "host": "192.0.2.1", "port": 5001}"#;
    let register = format!(
        "POST /register HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answers = ask(at, &register, 700).await;
    assert_eq!(answers.len(), 700);
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.starts_with("200")).collect();
    assert!((1..=100).contains(&refused.len()), "{}", refused.len());
    for answer in refused {
        assert!(answer.starts_with("429") && answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains(r#""code":"too_many_requests""#),
            "{answer}"
        );
    }
    // Each kind for itself.
    assert!(ask(at, "GET /peers HTTP/1.1\r\n\r\n", 10).await.iter().all(|answer| answer.starts_with("200")));
    ask(at, "GET /peers/alice HTTP/1.1\r\n\r\n", 4_000).await;
    let far = HttpTracker::new(&format!("http://{at}")).unwrap();
    let mut outcome = Ok(());
    for _ in 0..1_000 {
        outcome = far.peers(PeerQuery::default()).await.map(drop);
        if outcome.is_err() {
            break;
        }
    }
    assert!(matches!(outcome, Err(TrackerError::TooManyRequests { .. })), "{outcome:?}");
}

#[tokio::test]
async fn this_machine_may_ask_as_it_likes() {
    let (at, _service) = start(Quotas::default()).await;
    let answers = ask(at, "GET /health HTTP/1.1\r\n\r\n", 5_000).await;
    assert_eq!(answers.iter().filter(|answer| answer.starts_with("200")).count(), 5_000);
}
