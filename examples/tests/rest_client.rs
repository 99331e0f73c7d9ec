//! The client in Python, against the peers of a demo and against peers that do not keep to their document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use poem::endpoint::make_sync;
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Response, Route, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use program::{WITHIN, end, example};

/// Short enough to be read before one writes one's own.
const MAX_LINES: usize = 120;

/// The client with these arguments, or nothing where there is no Python that runs it.
async fn client(arguments: &[&str]) -> Option<Output> {
    let version =
        Command::new("python3").args(["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]).output().await;
    if !version.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: there is no python3 of 3.10 or newer here");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rest_client.py");
    let mut command = Command::new("python3");
    // As somewhere where a proxy is set that cannot reach the loopback.
    command.env("http_proxy", "http://127.0.0.1:9").env("PYTHONIOENCODING", "utf-8").arg(script).args(arguments);
    Some(end(command.stdin(Stdio::null())).await)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A demo on free ports, and the addresses of alice and bob.
async fn demo() -> (Child, [String; 2]) {
    let mut command = example("demo");
    command.args(["--tracker-port", "0", "--alice-port", "0", "--bob-port", "0"]);
    let mut demo = command.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    let reading = async {
        while !said.last().is_some_and(|line: &String| line.contains("Ctrl+C stops all")) {
            said.push(lines.next_line().await.unwrap().expect("a demo that runs"));
        }
    };
    timeout(WITHIN, reading).await.expect("a demo that says where it is");
    let urls = ["alice", "bob"].map(|name| {
        let line = said.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        // Scheme and authority, whatever page is named there.
        line.split_whitespace().nth(1).unwrap().split('/').take(3).collect::<Vec<_>>().join("/")
    });
    (demo, urls)
}

#[tokio::test]
async fn alice_talks_to_bob_through_what_their_documents_say() {
    let (_demo, [alice, bob]) = demo().await;
    let Some(output) = client(&["--check", &alice, &bob]).await else { return };
    let (said, trouble) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), trouble), (Some(0), ""), "{said}");
    for line in ["connect: {", "send: {", "messages: {", "check passed"] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line}: {said}");
    }
    let status = client(&[&alice]).await.unwrap();
    assert!(text(&status.stdout).starts_with("status: {"), "{status:?}");
    assert!(text(&status.stdout).contains("'username': 'alice'"), "{status:?}");
}

#[tokio::test]
async fn a_refusal_is_one_line_with_its_code() {
    let (_demo, [alice, _]) = demo().await;
    let Some(output) = client(&["--check", &alice, &alice]).await else { return };
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("connect: ") && text(&output.stderr).contains("(oneself)"));
}

/// Serves alice's real document, and this as her status.
async fn liar(status: &'static str) -> SocketAddr {
    let document = include_str!("../../docs/openapi/peer.json");
    let json = |body: &'static str| make_sync(move |_| Response::builder().content_type("application/json").body(body));
    let app = Route::new().at("/openapi.json", json(document)).at("/status", json(status));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app.map_to_response()));
    address
}

#[tokio::test]
async fn an_answer_that_breaks_the_document_is_noticed() {
    for (status, complaint) in [
        ("{}", "status has no running"),
        (r#"{"running": "yes"}"#, "status.running is no boolean"),
        (r#"{"running": true, "endpoints": [1]}"#, "status.endpoints[0] is no string"),
        ("[]", "status is no object"),
    ] {
        let at = liar(status).await;
        let Some(output) = client(&[&format!("http://{at}")]).await else { return };
        let trouble = text(&output.stderr);
        assert!(output.status.code() == Some(1) && trouble.contains(complaint), "{complaint}: {output:?}");
    }
}

#[test]
fn it_is_short() {
    let lines = include_str!("../rest_client.py").lines().count();
    assert!(lines <= MAX_LINES, "{lines} lines");
}
