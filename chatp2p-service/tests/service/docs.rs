//! The documentation is complete in itself and runs under a strict policy.

use chatp2p_service::{Beside, Dress, Limits, docs};
use poem::Route;
use poem_openapi::payload::PlainText;
use poem_openapi::{OpenApi, OpenApiService};

use crate::client::Server;

struct Api;

#[OpenApi]
impl Api {
    /// Says hello.
    #[oai(path = "/hello", method = "get")]
    async fn hello(&self) -> PlainText<&'static str> {
        PlainText("hello")
    }
}

async fn server() -> Server {
    let service = OpenApiService::new(Api, "test", "1").server("/");
    let pages = docs::routes(Route::new(), &service, "A test");
    Server::start(Dress::default().around(Beside::new(pages, docs::PATHS, service)), Limits::default()).await
}

#[tokio::test]
async fn the_page_and_all_it_needs_come_from_here() {
    let server = server().await;
    let page = server.bare("GET", "/docs", "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(!page.body.contains("http"), "{page:?}");
    let mut asked = 0;
    for path in page.body.split(['"', '\'']).filter(|part| part.starts_with("docs/")) {
        let piece = server.bare("GET", &format!("/{path}"), "").await;
        assert_eq!(piece.status, 200, "{path}");
        assert!(piece.body.len() > 20, "{path}");
        asked += 1;
    }
    assert_eq!(asked, 3);
    let script = server.bare("GET", "/docs/swagger-ui.js", "").await;
    assert!(script.body.contains("SwaggerUIBundle"));
    let style = server.bare("GET", "/docs/swagger-ui.css", "").await;
    assert!(style.body.contains(".swagger-ui"));
}

#[tokio::test]
async fn the_policy_allows_no_inline_script_and_no_other_host() {
    let page = server().await.bare("GET", "/docs", "").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
    for (_, script) in page.body.match_indices("<script").map(|(at, _)| page.body.split_at(at)) {
        assert!(script.starts_with("<script src="), "{script}");
    }
}

#[tokio::test]
async fn the_specification_is_served_and_names_no_host() {
    let answer = server().await.bare("GET", "/openapi.json", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let spec = answer.json();
    assert!(spec["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(spec["servers"][0]["url"], "/");
    assert!(spec["paths"]["/hello"]["get"].is_object());
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_page() {
    let answer = server().await.bare("GET", "/docs/", "").await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("../docs")));
}
