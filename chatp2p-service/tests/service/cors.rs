//! Pages of origins that were named may call and read everything; all others get no CORS header.

use chatp2p_service::{Dress, Limits, Origins};
use poem::{IntoEndpoint, Route, get, handler};

use crate::client::{Answer, Server};

const FRIEND: &str = "http://localhost:8080";

#[handler]
fn hello() -> &'static str {
    "hello"
}

async fn server(origins: &[&str]) -> Server {
    let origins: Origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    let dress = Dress { origins, ..Dress::default() };
    Server::start(dress.around(Route::new().at("/hello", get(hello)).into_endpoint()), Limits::default()).await
}

fn preflight(origin: &str, method: &str) -> String {
    format!(
        "origin: {origin}\r\naccess-control-request-method: {method}\r\naccess-control-request-headers: content-type\r\n"
    )
}

#[track_caller]
fn assert_silent(answer: &Answer) {
    for header in ["origin", "methods", "headers", "credentials", "max-age"] {
        assert_eq!(answer.header(&format!("access-control-allow-{header}")), None, "{answer:?}");
    }
    assert_eq!(answer.header("access-control-max-age"), None, "{answer:?}");
    assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
}

#[tokio::test]
async fn a_preflight_of_a_friend_is_answered() {
    let server = server(&["http://other.example", FRIEND]).await;
    for method in ["GET", "POST", "DELETE"] {
        let answer = server.bare("OPTIONS", "/hello", &preflight(FRIEND, method)).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(FRIEND));
        assert!(answer.header("access-control-allow-methods").unwrap().split(", ").any(|m| m == method));
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization, content-type"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn a_friend_reads_answers_and_refusals() {
    let server = server(&[FRIEND]).await;
    let origin = format!("origin: {FRIEND}\r\n");
    for (method, path, status) in [("GET", "/hello", 200), ("GET", "/nothing", 404), ("DELETE", "/hello", 405)] {
        let answer = server.bare(method, path, &origin).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(FRIEND), "{method} {path}");
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn strangers_get_no_cors_header() {
    let server = server(&[FRIEND]).await;
    for origin in
        ["http://evil.example", "null", "http://localhost:8081", "https://localhost:8080", "http://localhost:8080.evil"]
    {
        assert_silent(&server.bare("OPTIONS", "/hello", &preflight(origin, "POST")).await);
        assert_silent(&server.bare("GET", "/hello", &format!("origin: {origin}\r\n")).await);
    }
    let twice = format!("origin: {FRIEND}\r\norigin: {FRIEND}\r\n");
    assert_silent(&server.bare("GET", "/hello", &twice).await);
}

#[tokio::test]
async fn an_empty_list_is_nobody() {
    let server = server(&[]).await;
    assert_silent(&server.bare("OPTIONS", "/hello", &preflight(FRIEND, "POST")).await);
    assert_silent(&server.bare("GET", "/hello", &format!("origin: {FRIEND}\r\n")).await);
}

#[tokio::test]
async fn whoever_is_no_page_is_served_as_ever() {
    let server = server(&[FRIEND]).await;
    let answer = server.bare("GET", "/hello", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_silent(&answer);
}
