//! What works and what does not while the node does not run; and the shape of every refusal.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::play::{idle, until};

#[tokio::test]
async fn before_start_the_calls_of_the_node_answer_400() {
    let peer = idle(&[]).await;
    for (method, path, body) in [
        ("GET", "/peers", None),
        ("GET", "/connected-peers", None),
        ("POST", "/connect", Some(json!({"peer_username": "bob"}))),
        ("POST", "/send", Some(json!({"peer_username": "bob", "content": "hi"}))),
        ("POST", "/broadcast?content=hi", None),
        ("DELETE", "/disconnect/bob", None),
        ("POST", "/stop", None),
        ("GET", "/messages", None),
        ("GET", "/conversations", None),
        ("DELETE", "/contacts/bob/key", None),
    ] {
        let answer = peer.ask(method, path, body.as_ref()).await;
        answer.refuses(400, "not_running");
        assert!(answer.json()["next"].as_str().unwrap().contains("/start"), "{method} {path}");
    }
}

#[tokio::test]
async fn before_start_status_pages_and_documents_work() {
    let peer = idle(&[]).await;
    peer.get("/status").await.is(&json!({"running": false}));
    let health = peer.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("healthy")));
    let spec = peer.get("/openapi.json").await;
    assert_eq!(spec.status, 200);
    assert!(spec.json()["openapi"].as_str().unwrap().starts_with("3."));
    assert!(spec.json()["paths"]["/disconnect/{peer_username}"]["delete"].is_object());
    // Without a page the front door leads to the documentation.
    for page in if cfg!(feature = "ui") { ["/", "/docs"] } else { ["/docs"; 2] } {
        let answer = peer.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{page}");
    }
}

#[tokio::test]
async fn any_text_on_ws_is_answered_with_a_pong_and_binary_is_ignored() {
    let peer = idle(&[]).await;
    let mut events = peer.events().await;
    events.say(Message::Binary(vec![1, 2, 3].into())).await;
    for said in ["ping", "", r#"{"type":"ping"}"#, "ñandú"] {
        events.say(Message::Text(said.into())).await;
        assert_eq!(events.next().await, Some(json!({"type": "pong"})), "{said}");
    }
}

#[tokio::test]
async fn every_refusal_has_the_one_shape() {
    let peer = idle(&[]).await;
    peer.get("/nowhere").await.refuses(404, "unknown_path");
    peer.get("/app/nowhere").await.refuses(404, "unknown_path");
    let wrong = peer.get("/start").await;
    wrong.refuses(405, "wrong_method");
    assert_eq!(wrong.header("allow"), Some("POST"));
    for path in ["/start", "/connect", "/send"] {
        let post = async |body| peer.raw("POST", path, &[], Some(body)).await;
        post("{").await.refuses(400, "invalid_json");
        post("").await.refuses(400, "invalid_json");
        post("\u{0}").await.refuses(400, "invalid_json");
        for body in ["{}", "[]", "null", "5", "\"text\"", r#"{"username": 5, "peer_username": 5}"#] {
            post(body).await.refuses(422, "invalid_input");
        }
        for (name, content_type) in [("form", "application/x-www-form-urlencoded"), ("text", "text/plain")] {
            let answer = peer.raw("POST", path, &[("content-type", content_type)], Some("{}")).await;
            assert_eq!(answer.status, 415, "{name} at {path}");
            answer.refuses(415, "unsupported_media_type");
        }
    }
}

#[tokio::test]
async fn a_missing_or_impossible_field_of_start_is_422() {
    let peer = idle(&[]).await;
    for body in [
        json!({"username": "alice"}),
        json!({"username": "alice", "port": null}),
        json!({"username": "alice", "port": "many"}),
        json!({"username": "alice", "port": true}),
        json!({"username": "alice", "port": -1}),
        json!({"username": "alice", "port": 65536}),
        json!({"username": "alice", "port": 1.5}),
        json!({"port": 5001}),
        json!({"username": "", "port": 5001}),
        json!({"username": "two words", "port": 5001}),
        json!({"username": "a".repeat(65), "port": 5001}),
        json!({"username": "<b>", "port": 5001}),
        json!({"username": "alice", "port": 5001, "tracker_url": 5}),
        json!({"username": "alice", "port": 5001, "tracker_url": "nonsense"}),
    ] {
        let answer = peer.ask("POST", "/start", Some(&body)).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        answer.refuses(422, "invalid_input");
    }
    peer.get("/status").await.is(&json!({"running": false}));
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    let peer = idle(&[]).await;
    let evil = [("origin", "http://evil.example")];
    peer.raw("GET", "/nowhere", &evil, None).await.refuses(403, "foreign_origin");
    peer.raw("POST", "/peers", &evil, None).await.refuses(403, "foreign_origin");
    peer.raw("POST", "/send", &evil, Some("{")).await.refuses(403, "foreign_origin");
    peer.raw("POST", "/nowhere", &[("content-type", "text/plain")], Some("{")).await.refuses(404, "unknown_path");
    peer.raw("PUT", "/send", &[("content-type", "text/plain")], Some("{")).await.refuses(405, "wrong_method");
    // The node does not run: yet the body is judged first.
    peer.ask("POST", "/send", Some(&json!({"peer_username": "bob"}))).await.refuses(422, "invalid_input");
    peer.ask("POST", "/broadcast", None).await.refuses(422, "invalid_input");
    for query in ["limit=0", "limit=1001", "limit=x", "before=x", "peer=two%20words"] {
        peer.get(&format!("/messages?{query}")).await.refuses(422, "invalid_input");
    }
}

#[tokio::test]
async fn json_may_name_its_charset_and_carry_unknown_fields() {
    let peer = idle(&[]).await;
    let body = r#"{"peer_username": "bob", "content": "hi", "more": {"x": [1]}}"#;
    for content_type in ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"] {
        let answer = peer.raw("POST", "/send", &[("content-type", content_type)], Some(body)).await;
        answer.refuses(400, "not_running");
    }
}

#[tokio::test]
async fn a_text_may_have_a_mebibyte_however_it_is_escaped_and_not_more() {
    let peer = idle(&[]).await;
    let send = async |content: &str| {
        let body = format!(r#"{{"peer_username": "bob", "content": "{content}"}}"#);
        peer.raw("POST", "/send", &[], Some(&body)).await
    };
    const MEBI: usize = 1 << 20;
    send(&"x".repeat(MEBI)).await.refuses(400, "not_running");
    send(&"\\u0001".repeat(MEBI)).await.refuses(400, "not_running");
    send(&"ñ".repeat(MEBI / 2)).await.refuses(400, "not_running");
    send(&"x".repeat(MEBI + 1)).await.refuses(413, "text_too_large");
    send(&"ñ".repeat(MEBI / 2 + 1)).await.refuses(413, "text_too_large");
    send(&"x".repeat(8 * MEBI)).await.refuses(413, "body_too_large");
    let start = json!({"username": "alice", "port": 1, "more": "x".repeat(MEBI)});
    peer.ask("POST", "/start", Some(&start)).await.refuses(413, "body_too_large");
}

#[tokio::test]
async fn only_a_websocket_handshake_opens_ws_and_p2p() {
    let peer = idle(&[]).await;
    for path in ["/ws", "/p2p"] {
        let answer = peer.get(path).await;
        answer.refuses(426, "upgrade_required");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        peer.ask("POST", path, None).await.refuses(405, "wrong_method");
    }
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[tokio::test]
async fn a_link_needs_its_sub_protocol_and_a_running_node_and_comes_from_no_page() {
    let peer = idle(&[]).await;
    let dial = async |more: &[(&str, &str)]| peer.raw("GET", "/p2p", &[&HANDSHAKE[..], more].concat(), None).await;
    let protocol = ("sec-websocket-protocol", "chatp2p.v1");
    dial(&[protocol]).await.refuses(503, "not_running");
    dial(&[]).await.refuses(400, "upgrade_required");
    dial(&[("sec-websocket-protocol", "chatp2p.v2")]).await.refuses(400, "upgrade_required");
    for origin in ["http://evil.example", "null", &format!("http://{}", peer.program.api)] {
        dial(&[protocol, ("origin", origin)]).await.refuses(403, "foreign_origin");
    }
}

#[tokio::test]
async fn the_accept_key_is_that_of_the_standard() {
    let peer = idle(&[]).await;
    let answer = peer.raw("GET", "/ws", &HANDSHAKE, None).await;
    assert_eq!(answer.status, 101);
    // The example of RFC 6455, section 1.3.
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[tokio::test]
async fn as_many_event_sockets_as_there_can_be_and_no_more() {
    let peer = idle(&[]).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(peer.events().await);
    }
    peer.raw("GET", "/ws", &HANDSHAKE, None).await.refuses(503, "busy");
    open.pop();
    until("a free place", async || (peer.raw("GET", "/ws", &HANDSHAKE, None).await.status == 101).then_some(())).await;
}

#[tokio::test]
async fn odd_requests_are_refused_and_break_nothing() {
    let peer = idle(&[]).await;
    let (api, host) = (peer.program.api, peer.program.api.to_string());
    for (method, target, status) in [
        ("OPTIONS", "*", 404),
        ("CONNECT", host.as_str(), 404),
        ("GET", "http://evil.example/status", 421),
        ("GET", "//status", 404),
        ("GET", "/disconnect/%FF", 405),
        ("DELETE", "/disconnect/%FF", 422),
        ("DELETE", "/disconnect/", 404),
        ("BREW", "/status", 405),
    ] {
        let answer = crate::http::send(api, method, target, &[("host", &host)], None).await;
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {target}");
    }
    peer.get("/status").await.is(&json!({"running": false}));
}
