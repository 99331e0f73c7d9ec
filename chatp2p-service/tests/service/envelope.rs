//! Every refusal has the one shape, whoever makes it; bad input is never a defect.

use chatp2p_core::code::Code;
use chatp2p_service::problem::Allowed;
use chatp2p_service::{Beside, BodyLimit, Dress, JsonBody, Limits, Problem, Refused, Statuses, utf8_query};
use poem::http::StatusCode;
use poem::{Route, get, handler};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService};
use serde::Deserialize;

use crate::client::Server;

const LIMIT: usize = 1000;

#[derive(Debug, Object, Deserialize)]
struct Greeting {
    name: String,
    port: u16,
    note: Option<String>,
}

struct Refusals;

impl Statuses for Refusals {
    const STATUSES: &'static [(u16, &'static str)] = &[(409, "Taken."), (422, "Not within the rules.")];
}

struct Api;

#[OpenApi]
impl Api {
    /// Greets.
    #[oai(path = "/greet", method = "post")]
    async fn greet(&self, JsonBody(greeting): JsonBody<Greeting>) -> Result<Json<String>, Refused<Refusals>> {
        if greeting.name == "taken" {
            return Err(Problem::new(StatusCode::CONFLICT, Code::NameTaken, "the name is taken").into());
        }
        Ok(Json(format!("{}:{}{}", greeting.name, greeting.port, greeting.note.unwrap_or_default())))
    }

    /// Counts.
    #[oai(path = "/count/:n", method = "get", transform = "utf8_query")]
    async fn count(&self, n: Path<u8>, times: Query<u8>) -> Json<u32> {
        Json(u32::from(n.0) * u32::from(times.0))
    }
}

#[handler]
fn broken() -> poem::Result<()> {
    Err(poem::error::InternalServerError(std::io::Error::other("a secret of the house")))
}

async fn server() -> Server {
    let service = OpenApiService::new(Api, "test", "1");
    let allowed = Allowed::from_spec(&service.spec());
    let pages = Route::new().at("/broken", get(broken));
    let dress = Dress { allowed, body: BodyLimit(LIMIT), ..Dress::default() };
    Server::start(dress.around(Beside::new(pages, &["/broken"], service)), Limits::default()).await
}

#[tokio::test]
async fn a_good_request_passes_with_any_charset_and_unknown_fields() {
    let server = server().await;
    let body = r#"{"name":"José-ñandú","port":1,"unheard":{"of":[]}}"#;
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        let answer = server.post_as("/greet", content_type, body).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "\"José-ñandú:1\""), "{content_type}");
    }
}

#[tokio::test]
async fn answers_of_our_own_stay_as_they_are() {
    let answer = server().await.post("/greet", r#"{"name":"taken","port":1}"#).await;
    answer.assert_problem(409, "name_taken");
    assert_eq!(answer.json()["detail"], "the name is taken");
    assert_eq!(answer.json()["next"], Code::NameTaken.next().unwrap());
}

#[tokio::test]
async fn missing_and_mistyped_fields_are_named() {
    let server = server().await;
    for (body, named) in [
        ("{}", "name"),
        (r#"{"name":"a"}"#, "port"),
        (r#"{"name":5,"port":1}"#, "name"),
        (r#"{"name":true,"port":1}"#, "name"),
        (r#"{"name":null,"port":1}"#, "name"),
        (r#"{"name":"a","port":"1"}"#, "port"),
        (r#"{"name":"a","port":true}"#, "port"),
        (r#"{"name":"a","port":-1}"#, "port"),
        (r#"{"name":"a","port":65536}"#, "port"),
        (r#"{"name":"a","port":9223372036854775808}"#, "port"),
        (r#"{"name":"a","port":1.5}"#, "port"),
        (r#"{"name":"a","port":1,"note":[]}"#, "note"),
        (r#"["a",1,null]"#, "object"),
        ("[]", "object"),
        ("null", "object"),
        ("\"text\"", "object"),
    ] {
        let answer = server.post("/greet", body).await;
        answer.assert_problem(422, "invalid_input");
        assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let server = server().await;
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"nonsense",
        b"{\"name\":\"a\",\"port\":1}x",
        b"{\"name\":\"\\ud80\",\"port\":1}",
        b"{\"name\":\"\\ud800\",\"port\":1}x",
        b"{\"name\":\"\xff\",\"port\":1}",
    ];
    for body in bodies {
        server.post("/greet", body).await.assert_problem(400, "invalid_json");
    }
    server.bare("POST", "/greet", "").await.assert_problem(400, "invalid_json");
}

#[tokio::test]
async fn json_that_says_nothing_is_422() {
    let server = server().await;
    let deep = [r#"{"name":"#, &"[".repeat(200), &"]".repeat(200), "}"].concat();
    for body in [
        r#"{"name":"\ud800","port":1}"#,
        r#"{"name":"\udfff","port":1}"#,
        r#"{"name":"\ud83d\ud83d","port":1}"#,
        r#"{"name":"a","port":1,"\ud800":0}"#,
        r#"{"name":"a","port":1e999}"#,
        &deep,
    ] {
        server.post("/greet", body).await.assert_problem(422, "invalid_input");
    }
    let pair = server.post("/greet", r#"{"name":"\ud83d\ude00","port":1}"#).await;
    assert_eq!((pair.status, pair.body.as_str()), (200, "\"\u{1f600}:1\""));
}

#[tokio::test]
async fn other_types_of_bodies_are_415() {
    let server = server().await;
    let body = r#"{"name":"a","port":1}"#;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "nonsense"] {
        server.post_as("/greet", content_type, body).await.assert_problem(415, "unsupported_media_type");
    }
    let untyped =
        format!("POST /greet HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 21\r\n\r\n{body}");
    server.ask(untyped).await.assert_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_413() {
    let server = server().await;
    let body = |length: usize| {
        let frame = r#"{"name":"a","port":1,"note":""}"#.len();
        format!(r#"{{"name":"a","port":1,"note":"{}"}}"#, "x".repeat(length - frame))
    };
    assert_eq!(server.post("/greet", body(LIMIT)).await.status, 200);
    for length in [LIMIT + 1, 3 * LIMIT, 100 * LIMIT] {
        server.post("/greet", body(length)).await.assert_problem(413, "body_too_large");
    }
    let chunk = "x".repeat(LIMIT);
    let head = "POST /greet HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{LIMIT:x}\r\n{chunk}\r\n1\r\nx\r\n0\r\n\r\n");
    server.ask(chunked).await.assert_problem(413, "body_too_large");
}

#[tokio::test]
async fn an_unknown_path_is_404_whatever_its_body() {
    let server = server().await;
    server.bare("GET", "/nothing", "").await.assert_problem(404, "unknown_path");
    server.post("/nothing", "x".repeat(2 * LIMIT)).await.assert_problem(404, "unknown_path");
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let server = server().await;
    for (method, path, allow) in
        [("GET", "/greet", "POST"), ("DELETE", "/count/1", "GET, HEAD"), ("POST", "/broken", "GET, HEAD")]
    {
        let answer = server.bare(method, path, "content-length: 0\r\n").await;
        answer.assert_problem(405, "wrong_method");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn odd_forms_of_requests_are_no_defects() {
    let server = server().await;
    for (request, status) in [
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT example.org:80 HTTP/1.1", 404),
        ("GET http://test/count/2?times=3 HTTP/1.1", 200),
        ("GET //count/1 HTTP/1.1", 404),
        ("GET /count/1?times=%ff HTTP/1.1", 422),
        ("GET /count/%?times=1 HTTP/1.1", 422),
        ("BREW /count/1 HTTP/1.1", 405),
    ] {
        let answer = server.ask(format!("{request}\r\nhost: test\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{request}: {answer:?}");
    }
}

#[tokio::test]
async fn mistyped_parameters_are_422() {
    let server = server().await;
    let (path, query) = ("a part of the path is", "times: missing, not of its type");
    for (request, said) in [
        ("/count/x?times=1", path),
        ("/count/256?times=1", path),
        ("/count/%ff?times=1", path),
        ("/count/1?times=x", query),
        ("/count/1", query),
        ("/count/1?times=1&note=%ff", "the query is not UTF-8"),
    ] {
        let answer = server.bare("GET", request, "").await;
        answer.assert_problem(422, "invalid_input");
        assert!(answer.json()["detail"].as_str().unwrap().starts_with(said), "{request}: {answer:?}");
    }
    assert_eq!(server.bare("GET", "/count/2?times=3&note=%C3%B1", "").await.body, "6");
}

#[tokio::test]
async fn a_defect_tells_strangers_nothing() {
    let answer = server().await.bare("GET", "/broken", "").await;
    answer.assert_problem(500, "internal");
    assert!(!answer.body.contains("secret"), "{answer:?}");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = server().await;
    for path in ["/count/1?times=1", "/nothing"] {
        let answer = server.bare("GET", path, "").await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    }
}

#[test]
fn refusals_are_documented_with_their_statuses() {
    let spec: serde_json::Value = serde_json::from_str(&OpenApiService::new(Api, "test", "1").spec()).unwrap();
    let taken = &spec["paths"]["/greet"]["post"]["responses"]["409"];
    assert_eq!(taken["description"], "Taken.");
    assert_eq!(taken["content"]["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem");
    assert!(spec["components"]["schemas"]["Problem"]["properties"]["code"].is_object());
}
