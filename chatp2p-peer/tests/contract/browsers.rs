//! What pages may do: our own and those of allowed origins everything, all others nothing. The whole table is tested where the
//! guard is; here, that it stands before every door.

use serde_json::json;

use crate::http::{self, Answer};
use crate::play::{Peer, idle};

const ROUTES: [(&str, &str); 20] = [
    ("GET", "/"),
    ("GET", "/app/"),
    ("GET", "/app/assets/index.js"),
    ("GET", "/docs"),
    ("GET", "/docs/swagger-ui.js"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
    ("GET", "/status"),
    ("GET", "/peers"),
    ("GET", "/connected-peers"),
    ("GET", "/messages"),
    ("GET", "/conversations"),
    ("GET", "/ws"),
    ("POST", "/start"),
    ("POST", "/connect"),
    ("POST", "/send"),
    ("POST", "/broadcast?content=hi"),
    ("POST", "/stop"),
    ("DELETE", "/disconnect/bob"),
    ("DELETE", "/contacts/bob/key"),
];

async fn as_page(peer: &Peer, method: &str, path: &str, origin: &str) -> Answer {
    peer.raw(method, path, &[("origin", origin), ("sec-fetch-site", "cross-site")], None).await
}

#[tokio::test]
async fn a_foreign_page_gets_nothing_anywhere() {
    let peer = idle(&["--allow-origin", "http://localhost:8080"]).await;
    for (method, path) in ROUTES {
        for origin in ["http://evil.example", "http://localhost:8081", "null"] {
            let answer = as_page(&peer, method, path, origin).await;
            answer.refuses(403, "foreign_origin");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {path}");
        }
        // An image, a script or a form of some page.
        peer.raw(method, path, &[("sec-fetch-site", "cross-site")], None).await.refuses(403, "foreign_origin");
    }
}

#[tokio::test]
async fn another_host_is_refused_everywhere() {
    let peer = idle(&[]).await;
    let api = peer.program.api;
    for (method, path) in ROUTES {
        for host in ["evil.example", "127.evil.com", "localhost.evil", "0.0.0.0"] {
            let answer = http::send(api, method, path, &[("host", host)], None).await;
            answer.refuses(421, "wrong_host");
        }
        http::send(api, method, path, &[], None).await.refuses(421, "wrong_host");
        let twice = [("host", "localhost"), ("host", "localhost")];
        http::send(api, method, path, &twice, None).await.refuses(421, "wrong_host");
    }
}

#[tokio::test]
async fn a_name_that_was_allowed_is_a_host_too() {
    let peer = idle(&["--allow-host", "chat.example"]).await;
    let headers = [("host", "chat.example"), ("origin", "https://chat.example")];
    assert_eq!(http::send(peer.program.api, "GET", "/status", &headers, None).await.status, 200);
}

#[tokio::test]
async fn the_page_of_an_allowed_origin_works_preflights_and_readable_errors_included() {
    const PAGE: &str = "http://localhost:8080";
    let peer = idle(&["--allow-origin", PAGE]).await;
    for (path, method) in [("/start", "POST"), ("/send", "POST"), ("/disconnect/bob", "DELETE"), ("/status", "GET")] {
        let asking = [
            ("origin", PAGE),
            ("access-control-request-method", method),
            ("access-control-request-headers", "content-type"),
        ];
        let answer = peer.raw("OPTIONS", path, &asking, None).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
        assert!(answer.header("access-control-allow-headers").unwrap().contains("content-type"));
        let foreign = [("origin", "http://evil.example"), ("access-control-request-method", method)];
        let refused = peer.raw("OPTIONS", path, &foreign, None).await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None));
    }
    let status = as_page(&peer, "GET", "/status", PAGE).await;
    assert_eq!((status.status, status.header("access-control-allow-origin")), (200, Some(PAGE)));
    let headers = [("origin", PAGE), ("sec-fetch-site", "cross-site")];
    for (path, body, code) in [
        ("/stop", None, "not_running"),
        ("/send", Some("{}"), "invalid_input"),
        ("/start", Some("{"), "invalid_json"),
        ("/nowhere", None, "unknown_path"),
    ] {
        let answer = peer.raw("POST", path, &headers, body).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{path}");
        assert_eq!(answer.json()["code"], code);
        assert!(answer.json()["detail"].is_string());
    }
}

#[tokio::test]
async fn the_own_page_works_without_being_allowed() {
    let peer = idle(&[]).await;
    let own = format!("http://{}", peer.program.api);
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    peer.raw("POST", "/stop", &headers, None).await.refuses(400, "not_running");
    let read = peer.raw("GET", "/status", &[("sec-fetch-site", "same-origin")], None).await;
    read.is(&json!({"running": false}));
    // A link on any page may lead here.
    let followed = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(peer.raw("GET", "/", &followed, None).await.status, if cfg!(feature = "ui") { 200 } else { 307 });
    assert_eq!(peer.raw("GET", "/docs", &followed, None).await.status, 200);
    peer.raw("GET", "/messages", &followed, None).await.refuses(403, "foreign_origin");
}

#[tokio::test]
async fn nothing_is_shown_in_a_frame_and_no_answer_is_sniffed() {
    let peer = idle(&[]).await;
    for path in ["/", "/docs", "/status", "/nowhere"] {
        let answer = peer.get(path).await;
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}
