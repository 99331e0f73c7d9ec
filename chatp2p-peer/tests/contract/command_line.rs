//! The command line: what scripts and service files rely on.

use std::path::Path;

use crate::play::{Peer, Program, idle, link, output, peer_command, running, tracker};

#[tokio::test]
async fn the_committed_openapi_document_is_what_the_program_prints_and_serves() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi/peer.json");
    let (code, printed, _) = output(&["openapi"]).await;
    assert_eq!(code, Some(0));
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == printed, "run `chatp2p-peer openapi > docs/openapi/peer.json`");
    assert_eq!(idle(&[]).await.get("/openapi.json").await.body.trim_end(), printed.trim_end());
}

#[tokio::test]
async fn every_operation_is_described_with_examples_and_its_refusals() {
    let (_, printed, _) = output(&["openapi"]).await;
    let spec: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let mut operations = 0;
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            for field in ["summary", "description", "operationId"] {
                assert!(operation[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {method} {path}");
            }
            let responses = operation["responses"].as_object().unwrap();
            let schema = &responses["200"]["content"]["application/json; charset=utf-8"]["schema"]["$ref"];
            let name = schema.as_str().unwrap().rsplit('/').next().unwrap();
            assert!(spec["components"]["schemas"][name]["example"].is_object(), "example of {method} {path}");
            assert!(path == "/health" || responses.contains_key("421"), "refusals of {method} {path}");
        }
    }
    assert_eq!(operations, 34);
}

#[tokio::test]
async fn version_and_help_tell_what_there_is() {
    let (code, version, _) = output(&["--version"]).await;
    assert_eq!((code, version.trim()), (Some(0), concat!("chatp2p-peer ", env!("CARGO_PKG_VERSION"))));
    let (code, help, _) = output(&["--help"]).await;
    assert_eq!(code, Some(0));
    for flag in [
        "bind",
        "data-dir",
        "username",
        "p2p",
        "advertise",
        "tracker",
        "allow-origin",
        "allow-host",
        "passphrase-file",
        "inbound",
        "require-token",
        "tls-cert",
        "tls-key",
        "insecure-http",
    ] {
        let variable = format!("CHATP2P_PEER_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&format!("--{flag}")) && help.contains(&variable), "{flag}");
    }
}

#[tokio::test]
async fn every_flag_can_come_from_the_environment() {
    let data = tempfile::tempdir().unwrap();
    let mut command = peer_command(data.path());
    let output = command.env("CHATP2P_PEER_USERNAME", "two words").kill_on_drop(true).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn a_flag_without_a_value_takes_any_usual_word_from_the_environment() {
    for (word, asks) in
        [("1", true), ("yes", true), ("TRUE", true), ("true", true), ("0", false), ("no", false), ("", false)]
    {
        let data = tempfile::tempdir().unwrap();
        let mut command = peer_command(data.path());
        let program = Program::start(command.env("CHATP2P_PEER_REQUIRE_TOKEN", word)).await;
        let peer = Peer { program, name: String::new(), data };
        assert_eq!(peer.get("/status").await.status == 401, asks, "{word:?}");
    }
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_whether_the_node_runs_or_not() {
    assert_eq!(idle(&[]).await.program.terminate().await.code(), Some(0));
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (mut of_alice, mut events) = link(&alice, &bob).await;
    assert_eq!(alice.program.terminate().await.code(), Some(0));
    // It said goodbye, left the tracker, and closed the sockets of its page.
    assert_eq!(events.happens().await, serde_json::json!({"type": "peer_disconnected", "peer": "alice"}));
    assert_eq!(bob.get("/peers").await.json(), serde_json::json!({"peers": []}));
    while of_alice.next().await.is_some() {}
}

#[tokio::test]
async fn with_a_username_the_node_starts_at_once() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let status = alice.get("/status").await.json();
    assert_eq!((&status["running"], &status["username"]), (&true.into(), &"alice".into()));
}

#[tokio::test]
async fn what_cannot_start_names_the_flag_in_a_line_and_exits_with_1() {
    let (data, taken) = (tempfile::tempdir().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let (data, taken) = (data.path().to_str().unwrap(), taken.local_addr().unwrap().to_string());
    let tracker = tracker().await;
    let url = format!("http://{}", tracker.api);
    let free = "127.0.0.1:0";
    for (bind, p2p, tracker, flag) in [
        (&*taken, free, &*url, "--bind"),
        (free, &*taken, &*url, "--p2p"),
        (free, free, "http://127.0.0.1:1", "--tracker"),
    ] {
        let flags = ["--bind", bind, "--p2p", p2p, "--tracker", tracker, "--data-dir", data, "--username", "alice"];
        let (code, _, said) = output(&flags).await;
        assert_eq!(code, Some(1), "{said}");
        let line = said.lines().find(|line| line.starts_with("chatp2p-peer: ")).expect("a line for people");
        assert!(line.contains(flag), "{flag}: {line}");
    }
}
