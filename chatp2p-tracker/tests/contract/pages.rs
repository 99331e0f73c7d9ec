//! GET /health, the documentation, CORS, and what every path has in common.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::process::{Tracker, problem};

const FRIEND: &str = "http://localhost:8080";

#[tokio::test]
async fn health_counts_the_peers() {
    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    tracker.registered("bob", 5002).await;
    tracker.delete("/unregister/bob").await;
    let health: Value = tracker.get("/health").await.json().await.unwrap();
    assert_eq!(health["status"], "healthy");
    assert_eq!((health["total_peers"].as_u64(), health["active_peers"].as_u64()), (Some(2), Some(1)));
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
    let id = health["tracker_id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
}

#[tokio::test]
async fn the_documentation_is_served_and_needs_no_internet() {
    let page = Tracker::start().await.get("/docs").await;
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
    assert!(!page.text().await.unwrap().contains("http"));
}

#[tokio::test]
async fn the_specification_has_the_classic_paths() {
    let answer = Tracker::start().await.get("/openapi.json").await;
    assert_eq!(answer.status(), 200);
    let spec: Value = answer.json().await.unwrap();
    assert!(spec["openapi"].as_str().unwrap().starts_with("3."));
    for (path, method) in [
        ("/register", "post"),
        ("/heartbeat", "post"),
        ("/peers", "get"),
        ("/peers/{username}", "get"),
        ("/unregister/{username}", "delete"),
        ("/health", "get"),
    ] {
        let operation = &spec["paths"][path][method];
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_root_leads_to_the_documentation() {
    let tracker = Tracker::start().await;
    let answer = tracker.get("/").await;
    assert!(answer.status().is_redirection());
    let target = answer.url().join(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(target.path(), "/docs");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_have_the_same_envelope() {
    let tracker = Tracker::start().await;
    problem(tracker.get("/nothing").await, 404, "unknown_path").await;
    for (path, allow) in [("/register", "POST"), ("/unregister/alice", "DELETE"), ("/docs", "GET, HEAD")] {
        let answer = tracker.request(Method::PUT, path).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allow);
        problem(answer, 405, "wrong_method").await;
    }
}

async fn preflight(tracker: &Tracker, origin: &str, method: &str) -> Response {
    tracker
        .request(Method::OPTIONS, "/register")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_call() {
    let tracker = Tracker::with(&["--allow-origin", "http://other.example", "--allow-origin", FRIEND]).await;
    for method in ["POST", "DELETE"] {
        let answer = preflight(&tracker, FRIEND, method).await;
        assert!(answer.status().is_success());
        assert_eq!(answer.headers()["access-control-allow-origin"], FRIEND);
        assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains(method));
        assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("content-type"));
    }
    let refusal = tracker.request(Method::DELETE, "/unregister/nobody").header("origin", FRIEND).send().await.unwrap();
    assert_eq!(refusal.headers()["access-control-allow-origin"], FRIEND);
    let refusal = problem(refusal, 404, "unknown_peer").await;
    assert!(!refusal["detail"].as_str().unwrap().contains("register again"), "{refusal}");
}

#[tokio::test]
async fn pages_of_other_origins_get_no_cors_header() {
    for tracker in [Tracker::start().await, Tracker::with(&["--allow-origin", FRIEND]).await] {
        let plain =
            tracker.request(Method::GET, "/peers").header("origin", "http://evil.example").send().await.unwrap();
        for answer in [plain, preflight(&tracker, "http://evil.example", "POST").await] {
            let found = answer.headers().keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(found, None);
        }
    }
}
