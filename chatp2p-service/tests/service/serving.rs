//! The accept loop: its times, its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chatp2p_service::tls::self_signed;
use chatp2p_service::{Limits, Tls};
use futures_util::StreamExt;
use poem::endpoint::make;
use poem::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::client::{Answer, PATIENCE, Server};

fn hello() -> impl poem::Endpoint + 'static {
    make(|_| async { "hello" })
}

/// What tells the test that a request runs, and the request that it may end.
#[derive(Default)]
struct Slow {
    begun: Notify,
    go_on: Notify,
}

fn slow(signals: &Arc<Slow>) -> impl poem::Endpoint + 'static {
    let signals = Arc::clone(signals);
    make(move |_| {
        let signals = Arc::clone(&signals);
        async move {
            signals.begun.notify_one();
            signals.go_on.notified().await;
            "done at last"
        }
    })
}

#[tokio::test]
async fn a_request_is_answered() {
    let server = Server::start(hello(), Limits::default()).await;
    let answer = server.bare("GET", "/", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::start(hello(), Limits::default()).await;
    let two = "GET / HTTP/1.1\r\nhost: test\r\n\r\nGET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    assert_eq!(server.ask(two).await.body.matches("hello").count(), 2);
}

#[tokio::test]
async fn whoever_does_not_finish_a_request_head_is_cut_off() {
    let head = Duration::from_millis(200);
    let server = Server::start(hello(), Limits { head, ..Limits::default() }).await;
    for begun in ["", "GET / HTTP/1.1\r\nhost: te"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let start = Instant::now();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection is closed").unwrap();
        assert!(start.elapsed() >= head / 2, "{begun:?} was given its time");
    }
    assert_eq!(server.bare("GET", "/", "").await.status, 200);
}

/// Far more than the buffers of both sockets hold.
const LARGE: usize = 64 << 20;

#[tokio::test]
async fn whoever_takes_nothing_of_an_answer_is_cut_off() {
    let large = make(|_| async {
        let part = || Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'x'; 65_536]));
        let body = futures_util::stream::repeat_with(part).take(LARGE / 65_536);
        Response::builder().body(poem::Body::from_bytes_stream(body))
    });
    let stall = Duration::from_millis(300);
    let server = Server::start(large, Limits { stall, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    // Part of it is read slowly, which is no reason.
    let mut part = vec![0; 1 << 20];
    for _ in 0..4 {
        silent.read_exact(&mut part).await.unwrap();
        tokio::time::sleep(stall / 3).await;
    }
    let mut all = Vec::new();
    let cut = async {
        tokio::time::sleep(stall * 4).await;
        silent.read_to_end(&mut all).await
    };
    let _ = timeout(PATIENCE, cut).await.expect("the connection is closed");
    assert!(all.len() < LARGE / 2, "{}", all.len());
}

#[tokio::test]
async fn two_thousand_who_dribble_keep_nobody_waiting() {
    let server = Server::start(hello(), Limits::default()).await;
    let mut dribbling = Vec::new();
    for n in 0..2_000 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all([&b"GET / HTTP/1.1\r\nhost: te"[..], b"P"][n % 2]).await.unwrap();
        dribbling.push(stream);
    }
    for _ in 0..20 {
        let answer = timeout(PATIENCE, server.bare("GET", "/", "")).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        for stream in dribbling.iter_mut().step_by(20) {
            let _ = stream.write_all(b"s").await;
        }
    }
    // And they are sent away though they never fall silent.
    let mut rest = Vec::new();
    let first = dribbling.swap_remove(0);
    let (mut reading, mut writing) = first.into_split();
    let dripping = async {
        while writing.write_all(b"t").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = timeout(PATIENCE, reading.read_to_end(&mut rest)) => drop(ended.expect("it is sent away")),
        () = dripping => {}
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Server::start(hello(), Limits::default()).await;
    let head = format!("GET /{} HTTP/1.1\r\nhost: test\r\n\r\n", "x".repeat(200_000));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    assert!(!String::from_utf8_lossy(&bytes).starts_with("HTTP/1.1 200"));
    assert_eq!(server.bare("GET", "/", "").await.status, 200);
}

#[tokio::test]
async fn loopback_callers_are_never_too_many() {
    let limits = Limits { connections: 1, connections_per_address: 1, ..Limits::default() };
    let server = Server::start(hello(), limits).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_eq!(server.bare("GET", "/", "").await.status, 200);
}

#[tokio::test]
async fn the_end_waits_for_a_request_that_runs() {
    let signals = Arc::new(Slow::default());
    let mut server = Server::start(slow(&signals), Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    timeout(PATIENCE, signals.begun.notified()).await.expect("the request runs");
    server.stop();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(Instant::now() < deadline, "nobody new is accepted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signals.go_on.notify_one();
    assert_eq!(Answer::read(&mut stream).await.body, "done at last");
    server.stopped().await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let signals = Arc::new(Slow::default());
    let drain = Duration::from_millis(100);
    let mut server = Server::start(slow(&signals), Limits { drain, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    timeout(PATIENCE, signals.begun.notified()).await.expect("the request runs");
    server.stop();
    server.stopped().await;
}

#[tokio::test]
async fn the_end_waits_for_no_idle_connection() {
    let hour = Duration::from_secs(3600);
    let limits = Limits { head: hour, drain: hour, ..Limits::default() };
    let mut server = Server::start(hello(), limits).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut first = [0; 8];
    timeout(PATIENCE, kept.read_exact(&mut first)).await.expect("an answer").unwrap();
    server.stop();
    server.stopped().await;
}

#[tokio::test]
async fn a_panicking_request_ends_nothing_but_its_connection() {
    let app = make(|request: Request| async move {
        assert!(request.uri().path() != "/panic", "as asked");
        Response::from("hello")
    });
    let server = Server::start(app, Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    assert_eq!(server.bare("GET", "/", "").await.status, 200);
}

#[tokio::test]
async fn an_upgraded_connection_is_handed_over() {
    let app = make(|request: Request| async move {
        let upgrade = request.take_upgrade()?;
        tokio::spawn(async move {
            let mut stream = upgrade.await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let response = Response::builder().status(poem::http::StatusCode::SWITCHING_PROTOCOLS);
        Ok::<_, poem::Error>(response.header("connection", "upgrade").header("upgrade", "echo").finish())
    });
    let server = Server::start(app, Limits::default()).await;
    let ask = "GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nping";
    let answer = server.ask(ask).await;
    assert_eq!((answer.status, answer.body.as_str()), (101, "ping"));
}

fn identity() -> Tls {
    let made = self_signed(vec!["localhost".to_owned()]).unwrap();
    Tls::from_pem(made.cert.as_bytes(), made.key.as_bytes()).unwrap()
}

/// With the clock standing still it goes on by itself to the next thing that is waited for.
#[tokio::test(start_paused = true)]
async fn who_does_not_shake_hands_in_time_is_let_go() {
    let mut server = Server::start_over(Some(identity()), hello(), Limits::default()).await;
    let begun = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "nothing is said, and the connection is closed");
    assert_eq!(begun.elapsed().as_secs(), 10);
    // Nor does one hold up the end.
    let _waiting = TcpStream::connect(server.address).await.unwrap();
    server.stop();
    server.stopped().await;
}

#[tokio::test]
async fn who_speaks_no_tls_to_it_hears_no_http() {
    let server = Server::start_over(Some(identity()), hello(), Limits::default()).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    // It may be told so by an alert, or by a reset.
    timeout(PATIENCE, plain.read_to_end(&mut heard)).await.expect("an end").ok();
    assert!(!heard.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&heard));
}

/// How many requests one caller sends without waiting for an answer.
const AT_ONCE: usize = 400;

#[tokio::test]
async fn who_asks_a_lot_at_once_takes_turns_with_everybody_else() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let asking = std::sync::Arc::clone(&asked);
    let app = make(move |request: poem::Request| {
        asking.lock().unwrap().push(request.uri().path().to_owned());
        async { Response::builder().body("hello") }
    });
    let server = Server::start(app, Limits::default()).await;
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    let mut honest = TcpStream::connect(server.address).await.unwrap();
    // Both are known to the server, which waits for their requests.
    for stream in [&mut greedy, &mut honest] {
        stream.write_all(b"GET /first HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
    }
    // Neither write waits, so that the server sees both at the same time.
    let many = "GET /greedy HTTP/1.1\r\nhost: test\r\n\r\n".repeat(AT_ONCE);
    assert_eq!(greedy.try_write(many.as_bytes()).unwrap(), many.len());
    honest.try_write(b"GET /honest HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    assert!(timeout(PATIENCE, honest.read(&mut [0; 1_024])).await.expect("an answer").unwrap() > 0);
    let before = asked.lock().unwrap().iter().position(|path| path == "/honest").unwrap();
    assert!(before <= 2 + 3, "{before} requests were answered first");
    // And it gets all of its own.
    let mut answers = 0;
    let mut part = vec![0; 64 << 10];
    let all = async {
        while answers < AT_ONCE {
            let read = greedy.read(&mut part).await.unwrap();
            answers += String::from_utf8_lossy(&part[..read]).matches("HTTP/1.1 200").count();
        }
    };
    timeout(PATIENCE, all).await.expect("every answer");
}
