//! Every Host × Origin × Sec-Fetch-Site × operation of the document, through all that stands before an operation: exactly
//! the combinations that are listed here pass. The operations are read from the document, so that none is forgotten; what
//! is expected is written down by hand and not computed the way the guard does it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_peer::App;
use chatp2p_peer::access::{Access, Scope, token};
use chatp2p_peer::config::TokenCommand;
use chatp2p_peer::start::{Order, Start, StartError, Started};
use poem::http::{HeaderName, HeaderValue, Method};
use poem::{Endpoint, IntoResponse, Request};
use serde_json::Value;

/// Hosts that are ours, with the origins of their own pages.
const OURS: &[(&[&str], &[&str])] = &[
    (&["localhost:3000"], &["http://localhost:3000"]),
    (&["LOCALHOST:3000"], &["http://localhost:3000"]),
    (&["localhost"], &["http://localhost"]),
    (&["127.0.0.1:3000"], &["http://127.0.0.1:3000"]),
    (&["127.0.0.1:80"], &["http://127.0.0.1"]),
    (&["[::1]:3000"], &["http://[::1]:3000"]),
    (&["chat.example"], &["http://chat.example", "https://chat.example"]),
    (&["192.168.1.5:3000"], &["http://192.168.1.5:3000", "https://192.168.1.5:3000"]),
];

const OTHERS: &[&[&str]] = &[
    &[],
    &[""],
    &["localhost:3000", "localhost:3000"],
    &["localhost:3000", "evil.example"],
    &["127.evil.com"],
    &["127.0.0.1.evil.com:3000"],
    &["localhost.evil"],
    &["localhost.evil:3000"],
    &["localhost."],
    &["evil.localhost"],
    &["0.0.0.0"],
    &["0.0.0.0:3000"],
    &["127.0.0.2:3000"],
    &["127.1:3000"],
    &["2130706433:3000"],
    &["0x7f000001:3000"],
    &["[::]:3000"],
    &["[::ffff:127.0.0.1]:3000"],
    &["::1"],
    &["[::1"],
    &["localhost:"],
    &["localhost:+3000"],
    &["localhost:65536"],
    &["localhost:3000:3000"],
    &["user@localhost:3000"],
    &["localhost:3000/"],
    &["localhost, evil.example"],
    &["evil.example"],
    &["192.168.1.6:3000"],
    &["chat.example.evil"],
    &["notchat.example"],
    &["xn--lcalhost-54a:3000"],
];

/// The origins of `--allow-origin`.
const ALLOWED: &[&str] = &["http://localhost:8080", "https://pages.example"];

const FOREIGN: &[&[&str]] = &[
    &["null"],
    &[""],
    &["http://evil.example"],
    &["http://localhost:3001"],
    &["http://127.0.0.1:3001"],
    &["https://localhost:3000"],
    &["http://localhost:8081"],
    &["https://localhost:8080"],
    &["http://localhost:8080.evil.example"],
    &["http://localhost:8080/"],
    &["http://localhost:8080@evil.example"],
    &["http://127.evil.com"],
    &["http://pages.example"],
    &["https://pages.example.evil"],
    &["*"],
    &["http://localhost:8080", "http://localhost:8080"],
    &["http://localhost:8080", "http://evil.example"],
    &["http://localhost:8080 http://evil.example"],
];

/// What `Sec-Fetch-Site` may say, and whether a request without an Origin passes that reads or has a body, and one that
/// changes something without a body.
const SITES: &[(&[&str], bool, bool)] = &[
    (&[], true, true),
    (&["none"], true, false),
    (&["same-origin"], true, false),
    (&["same-site"], false, false),
    (&["cross-site"], false, false),
    (&["none", "none"], false, false),
    (&["None"], false, false),
];

/// What each operation needs of a token: nothing, or one of the scopes. An operation that is not here fails the test.
const NEEDS: &[(&str, Option<Scope>)] = &[
    ("health", None),
    ("open_session", None),
    ("status", Some(Scope::Read)),
    ("diagnostics", Some(Scope::Read)),
    ("diagnose", Some(Scope::Read)),
    ("peers", Some(Scope::Read)),
    ("connected_peers", Some(Scope::Read)),
    ("messages", Some(Scope::Read)),
    ("conversations", Some(Scope::Read)),
    ("get_ticket", Some(Scope::Read)),
    ("connect", Some(Scope::Send)),
    ("disconnect", Some(Scope::Send)),
    ("send", Some(Scope::Send)),
    ("broadcast", Some(Scope::Send)),
    ("start", Some(Scope::Admin)),
    ("stop", Some(Scope::Admin)),
    ("forget_key", Some(Scope::Admin)),
    ("contacts", Some(Scope::Read)),
    ("contact", Some(Scope::Read)),
    ("safety_number", Some(Scope::Read)),
    ("requests", Some(Scope::Read)),
    ("identity", Some(Scope::Read)),
    ("add_contact", Some(Scope::Admin)),
    ("change_contact", Some(Scope::Admin)),
    ("remove_contact", Some(Scope::Admin)),
    ("accept_key", Some(Scope::Admin)),
    ("verify_contact", Some(Scope::Admin)),
    ("unverify_contact", Some(Scope::Admin)),
    ("change_passphrase", Some(Scope::Admin)),
    ("mark_read", Some(Scope::Send)),
    ("settings", Some(Scope::Read)),
    ("change_settings", Some(Scope::Admin)),
    ("accept_request", Some(Scope::Admin)),
    ("refuse_request", Some(Scope::Admin)),
];

/// Nothing ever runs: what passes is refused by the operation itself.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Start for Never {
    async fn start(&self, _: Order) -> Result<Started, StartError> {
        Err(StartError::Invalid("nothing is started here".to_owned()))
    }
}

fn app() -> App {
    let hosts = ["chat.example", "192.168.1.5"].map(|host| host.parse().unwrap()).to_vec();
    App::new(Arc::new(Never), hosts, ALLOWED.iter().map(|origin| origin.parse().unwrap()).collect())
}

#[derive(Debug)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    has_body: bool,
}

fn document() -> Value {
    serde_json::from_str(&chatp2p_peer::openapi()).unwrap()
}

/// All of the document, and what is beside it.
fn operations() -> Vec<Operation> {
    let document = document();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.replace("{peer_username}", "bob").replace("{name}", "bob"),
                has_body: operation["requestBody"].is_object(),
            });
        }
    }
    all
}

async fn answer(app: &impl Endpoint, operation: &Operation, headers: &[(&'static str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method(operation.method.clone()).uri(operation.path.parse().unwrap()).finish();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    let response = app.call(request).await.unwrap_or_else(|error| panic!("{error}")).into_response();
    let status = response.status().as_u16();
    let body = if status < 400 { Value::Null } else { response.into_body().into_json().await.unwrap_or_default() };
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// How many combinations came out which way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    wrong_host: usize,
    foreign_origin: usize,
}

#[tokio::test]
async fn exactly_the_listed_combinations_reach_an_operation() {
    let (app, operations) = (app().endpoint(), operations());
    assert!(operations.len() >= 15, "{operations:?}");
    // A stream of events would not end.
    let beside = ["/", "/app/", "/docs", "/openapi.json", "/ws", "/events?cursor=none"].map(|path| Operation {
        id: path.to_owned(),
        method: Method::GET,
        path: path.to_owned(),
        has_body: false,
    });
    let hosts = OURS.iter().copied().chain(OTHERS.iter().map(|hosts| (*hosts, &[][..])));
    let (mut expected, mut found) = (Count::default(), Count::default());
    for operation in operations.iter().chain(&beside) {
        for (hosts, own) in hosts.clone() {
            let named = own.iter().chain(ALLOWED).map(|origin| vec![*origin]);
            for origins in named.chain(FOREIGN.iter().map(|origins| origins.to_vec())).chain([vec![]]) {
                for (sites, plain, without_body) in SITES {
                    let headers: Vec<_> = (hosts.iter().map(|host| ("host", *host)))
                        .chain(origins.iter().map(|origin| ("origin", *origin)))
                        .chain(sites.iter().map(|site| ("sec-fetch-site", *site)))
                        .collect();
                    let changes_without_body = operation.method != Method::GET && !operation.has_body;
                    let passes = match &origins[..] {
                        [] if changes_without_body => *without_body,
                        [] => *plain,
                        [one] => own.contains(one) || ALLOWED.contains(one),
                        _ => false,
                    };
                    let (status, code) = answer(&app, operation, &headers).await;
                    let outcome = match (status, &*code) {
                        (421, "wrong_host") => 0,
                        (403, "foreign_origin") => 1,
                        _ => 2,
                    };
                    let listed = if own.is_empty() { 0 } else { 1 + usize::from(passes) };
                    assert_eq!(outcome, listed, "{operation:?} {headers:?}: {status} {code}");
                    for (count, outcome) in [(&mut expected, listed), (&mut found, outcome)] {
                        match outcome {
                            0 => count.wrong_host += 1,
                            1 => count.foreign_origin += 1,
                            _ => count.passed += 1,
                        }
                    }
                }
            }
        }
    }
    assert_eq!(found, expected);
    let all = found.passed + found.wrong_host + found.foreign_origin;
    println!(
        "{all} combinations of {} hosts, {} origins, {} Sec-Fetch-Site, {} routes: {found:?}",
        OURS.len() + OTHERS.len(),
        ALLOWED.len() + FOREIGN.len() + 2,
        SITES.len(),
        operations.len() + beside.len()
    );
}

/// What an operation answers to this path and body, from a program of this machine.
async fn status(app: &impl Endpoint, method: &Method, path: &str, body: Option<(&'static str, String)>) -> u16 {
    let request = Request::builder().method(method.clone()).uri(path.parse().unwrap()).header("host", "localhost:3000");
    let request = match body {
        Some((content_type, body)) => request.content_type(content_type).body(body),
        None => request.finish(),
    };
    app.call(request).await.unwrap_or_else(|error| panic!("{error}")).into_response().status().as_u16()
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_the_document_says() {
    let (app, document) = (app().endpoint(), document());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let said = format!("{method} {path}");
            let method: Method = method.to_uppercase().parse().unwrap();
            let named = path.replace(['{', '}'], "");
            let parts = path.split('/').map(|part| if part.starts_with('{') { "%FF" } else { part });
            let nameless = parts.collect::<Vec<_>>().join("/");
            let has_body = operation["requestBody"].is_object();
            let json = |body: &str| Some(("application/json", body.to_owned()));
            let good = if has_body { json("{}") } else { None };
            let mut tried = vec![
                (nameless.clone(), good.clone(), (nameless != *path).then_some(422)),
                (format!("{named}?limit=x&before=x&content=%FF"), good, None),
            ];
            if has_body {
                let bodies = [("{", 400), ("[]", 422), (r#"{"\ud800":0}"#, 422)];
                tried.extend(bodies.map(|(body, status)| (named.clone(), json(body), Some(status))));
                tried.push((named.clone(), Some(("text/plain", "hello".to_owned())), Some(415)));
                tried.push((named.clone(), json(&"x".repeat(7 << 20)), Some(413)));
            }
            for (path, body, expected) in tried {
                let found = status(&app, &method, &path, body).await;
                assert!(expected.is_none_or(|expected| found == expected), "{found} of {said} at {path}");
                assert!(operation["responses"][found.to_string()].is_object(), "{found} of {said} at {path}");
            }
        }
    }
}

fn make(data: &std::path::Path, scope: Scope) -> String {
    let mut out = Vec::new();
    let create = TokenCommand::Create { scope, name: String::new() };
    token(data, &create, &mut out, &mut Vec::new()).unwrap();
    String::from_utf8(out).unwrap().trim().to_owned()
}

#[tokio::test]
async fn each_operation_wants_a_token_of_its_scope_and_the_document_says_which() {
    let needs: BTreeMap<_, _> = NEEDS.iter().copied().collect();
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids, needs.keys().copied().collect(), "each operation is listed once");
    let data = tempfile::tempdir().unwrap();
    let tokens = [Scope::Read, Scope::Send, Scope::Admin].map(|scope| (scope, make(data.path(), scope)));
    let asking = app().admitting(Access::open(data.path(), true).unwrap()).endpoint();
    let free = app().admitting(Access::open(data.path(), false).unwrap()).endpoint();
    let wrong = format!("chatp2p_{}", "A".repeat(43));
    let mut tried = 0;
    for operation in &operations {
        let need = needs[&*operation.id];
        for (required, app) in [(true, &asking), (false, &free)] {
            for authorization in [None, Some("Basic YTpi".to_owned())] {
                let mut headers = vec![("host", "localhost:3000")];
                headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
                let (status, code) = answer(app, operation, &headers).await;
                let missing = required && need.is_some();
                assert_eq!((status, &*code) == (401, "token_required"), missing, "{operation:?}: {status} {code}");
                tried += 1;
            }
            for value in [format!("Bearer {wrong}"), "Bearer".to_owned(), format!("bearer {}x", tokens[2].1)] {
                let (status, code) =
                    answer(app, operation, &[("host", "localhost:3000"), ("authorization", &value)]).await;
                let refused = matches!((status, &*code), (401, "token_invalid") | (429, "too_many_failures"));
                assert!(refused, "a wrong one is refused everywhere: {operation:?} {status} {code}");
                tried += 1;
            }
            for (scope, token) in &tokens {
                let value = format!("Bearer {token}");
                let (status, code) =
                    answer(app, operation, &[("host", "localhost:3000"), ("authorization", &value)]).await;
                let too_small = need.is_some_and(|need| *scope < need);
                let refused = (status, &*code) == (403, "scope_too_small");
                assert_eq!(refused, too_small, "{operation:?} with {scope}: {status} {code}");
                assert!(![401, 429].contains(&status), "{operation:?} with {scope}: {status} {code}");
                tried += 1;
            }
        }
    }
    println!("{tried} combinations of {} operations with and without tokens", operations.len());
    let document = document();
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let id = operation["operationId"].as_str().unwrap();
        let said = operation["responses"]["403"]["description"].as_str().unwrap_or_default();
        match needs[id] {
            None => assert!(operation["security"].is_null(), "{id}"),
            Some(scope) => {
                assert_eq!(operation["security"], serde_json::json!([{"token": []}, {}]), "{id}");
                assert!(said.contains(&format!("`{scope}`")), "{id}: {said}");
            }
        }
    }
}
