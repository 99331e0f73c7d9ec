//! Tokens: who needs one, what it is good for, and how it ends.

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::keys::{closed, command, create, socket, with};
use crate::play::idle;

#[tokio::test]
async fn without_the_flag_programs_of_this_machine_stay_free_and_a_token_counts_all_the_same() {
    let peer = idle(&[]).await;
    assert_eq!(peer.get("/status").await.status, 200);
    socket(&peer, &[]).await.expect("a socket as ever");
    let (token, _) = create(peer.data.path(), "read").await;
    assert_eq!(with(&peer, &token, "GET", "/status", None).await.status, 200);
    with(&peer, &token, "POST", "/stop", None).await.refuses(403, "scope_too_small");
    with(&peer, "chatp2p_wrong", "GET", "/status", None).await.refuses(401, "token_invalid");
    // Somebody else's password is none of ours: a proxy may pass its own on.
    assert_eq!(peer.raw("GET", "/status", &[("authorization", "Basic YTpi")], None).await.status, 200);
}

#[tokio::test]
async fn with_the_flag_everybody_needs_one_and_is_told_how_to_get_it() {
    let peer = idle(&["--require-token"]).await;
    let missing = peer.get("/status").await;
    missing.refuses(401, "token_required");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"chatp2p\""));
    assert!(missing.json()["next"].as_str().unwrap().contains("chatp2p-peer token create"), "{missing:?}");
    let wrong = with(&peer, "chatp2p_wrong", "GET", "/status", None).await;
    wrong.refuses(401, "token_invalid");
    assert!(wrong.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    // Before anything is said about what there is.
    peer.get("/nowhere").await.refuses(401, "token_required");
    assert_eq!(socket(&peer, &[]).await.unwrap_err(), 401);
    for path in ["/health", "/docs", "/docs/start.js", "/openapi.json", "/", "/app/"] {
        // Without the page there is nothing at its address, for everybody.
        assert!([200, 307, 404].contains(&peer.get(path).await.status), "{path}");
    }
    // Other peers prove keys of their own.
    peer.get("/p2p").await.refuses(426, "upgrade_required");
    let (token, _) = create(peer.data.path(), "send").await;
    assert_eq!(with(&peer, &token, "GET", "/status", None).await.status, 200);
    let body = json!({"peer_username": "bob", "content": "hi"});
    with(&peer, &token, "POST", "/send", Some(&body)).await.refuses(400, "not_running");
    let small = with(&peer, &token, "POST", "/stop", None).await;
    small.refuses(403, "scope_too_small");
    assert!(small.header("www-authenticate").unwrap().contains("scope=\"admin\""));
    with(&peer, &token, "GET", "/nowhere", None).await.refuses(404, "unknown_path");
}

#[tokio::test]
async fn an_environment_variable_asks_for_tokens_too() {
    let data = tempfile::tempdir().unwrap();
    let mut command = crate::play::peer_command(data.path());
    let program = crate::play::Program::start(command.env("CHATP2P_PEER_REQUIRE_TOKEN", "true")).await;
    let peer = crate::play::Peer { program, name: String::new(), data };
    peer.get("/status").await.refuses(401, "token_required");
}

#[tokio::test]
async fn a_token_works_from_its_making_to_its_end_and_its_socket_ends_with_it() {
    let peer = idle(&["--require-token"]).await;
    let data = peer.data.path();
    let (token, id) = create(data, "read").await;
    let (other, _) = create(data, "admin").await;
    let bearer = format!("Bearer {token}");
    let (listening, _) = socket(&peer, &[("authorization", &bearer)]).await.unwrap();
    let (_, list, _) = command(data, &["token", "list"]).await;
    assert!(list.contains(&id) && list.contains("read") && list.contains("a label"), "{list}");
    assert!(!list.contains(&token) && !list.contains(&other), "{list}");
    assert_eq!(with(&peer, &token, "GET", "/status", None).await.status, 200);
    assert_eq!(command(data, &["token", "revoke", &id]).await.0, Some(0));
    with(&peer, &token, "GET", "/status", None).await.refuses(401, "token_invalid");
    assert_eq!(socket(&peer, &[("authorization", &bearer)]).await.unwrap_err(), 401);
    assert_eq!(closed(listening).await, CloseCode::Policy);
    assert_eq!(with(&peer, &other, "GET", "/status", None).await.status, 200, "the other one is as it was");
    let (code, _, said) = command(data, &["token", "revoke", &id]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("token list"), "{said}");
}

#[tokio::test]
async fn who_fails_too_often_has_to_wait_and_who_is_right_on_this_machine_never_has_to() {
    let peer = idle(&["--require-token"]).await;
    let (token, _) = create(peer.data.path(), "read").await;
    let mut told = 0;
    let refused = loop {
        let answer = with(&peer, "chatp2p_wrong", "GET", "/status", None).await;
        if answer.status != 401 {
            break answer;
        }
        told += 1;
        assert!(told < 50, "it never ends");
    };
    assert!(told >= 10, "after {told}");
    refused.refuses(429, "too_many_failures");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    // A code is tried no more often than a token.
    crate::keys::exchange(&peer, "guess").await.refuses(429, "too_many_failures");
    assert_eq!(with(&peer, &token, "GET", "/status", None).await.status, 200);
    let code = crate::keys::link(peer.data.path()).await;
    assert_eq!(crate::keys::exchange(&peer, &code).await.status, 200);
    peer.get("/status").await.refuses(401, "token_required");
}

#[tokio::test]
async fn a_token_counts_in_its_header_alone() {
    let peer = idle(&["--require-token"]).await;
    let (token, _) = create(peer.data.path(), "admin").await;
    for query in ["token", "access_token", "code"] {
        peer.get(&format!("/status?{query}={token}")).await.refuses(401, "token_required");
    }
    let cookie = format!("token={token}; session={token}");
    let answer = peer.raw("GET", "/status", &[("cookie", &cookie)], None).await;
    answer.refuses(401, "token_required");
    let bearer = format!("Bearer {token}");
    let twice = [("authorization", &*bearer), ("authorization", &*bearer)];
    peer.raw("GET", "/status", &twice, None).await.refuses(401, "token_invalid");
}
