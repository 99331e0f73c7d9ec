//! The page: a link that opens it once, a ticket for its socket, and what another page of the same browser can do.

use serde_json::json;

use crate::http::Answer;
use crate::keys::{Socket, closed, command, exchange, link, socket, with};
use crate::play::{Peer, WITHIN, idle};

async fn page(peer: &Peer) -> String {
    let answer = exchange(peer, &link(peer.data.path()).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["scope"], "admin");
    answer.json()["token"].as_str().unwrap().to_owned()
}

async fn ticket(peer: &Peer, token: &str) -> String {
    let answer = with(peer, token, "POST", "/tickets", None).await;
    assert_eq!((answer.status, &answer.json()["expires_in"]), (200, &json!(30)), "{answer:?}");
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

async fn by_ticket(peer: &Peer, ticket: &str, more: &[(&'static str, &str)]) -> Result<(Socket, Option<String>), u16> {
    let protocol = format!("chatp2p.ticket.{ticket}");
    socket(peer, &[&[("sec-websocket-protocol", &*protocol)], more].concat()).await
}

#[tokio::test]
async fn a_link_opens_the_page_once_and_the_page_may_then_do_everything() {
    let peer = idle(&["--require-token"]).await;
    let code = link(peer.data.path()).await;
    let token = exchange(&peer, &code).await.json()["token"].as_str().unwrap().to_owned();
    let used = exchange(&peer, &code).await;
    used.refuses(403, "link_invalid");
    assert!(used.json()["next"].as_str().unwrap().contains("chatp2p-peer link"), "{used:?}");
    with(&peer, &token, "POST", "/stop", None).await.refuses(400, "not_running");
    for nonsense in ["", "x", &token] {
        exchange(&peer, nonsense).await.refuses(403, "link_invalid");
    }
    peer.ask("POST", "/sessions", Some(&json!({}))).await.refuses(422, "invalid_input");
    // It is a token like any other: it is listed, and ends where it is revoked.
    let (_, list, _) = command(peer.data.path(), &["token", "list"]).await;
    let line = list.lines().find(|line| line.contains("a page that a link opened")).expect("the page's own");
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(command(peer.data.path(), &["token", "revoke", id]).await.0, Some(0));
    with(&peer, &token, "GET", "/status", None).await.refuses(401, "token_invalid");
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_gets_in() {
    let peer = idle(&["--require-token"]).await;
    let code = link(peer.data.path()).await;
    let answers: Vec<Answer> = futures_util::future::join_all((0..8).map(|_| exchange(&peer, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn the_page_stays_signed_in_when_the_program_starts_again() {
    let peer = idle(&["--require-token"]).await;
    let token = page(&peer).await;
    assert_eq!(peer.program.terminate().await.code(), Some(0));
    let program = crate::play::Program::start(crate::play::peer_command(peer.data.path()).arg("--require-token")).await;
    let again = Peer { program, name: String::new(), data: peer.data };
    assert_eq!(with(&again, &token, "GET", "/status", None).await.status, 200);
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_nothing_else() {
    let peer = idle(&["--require-token"]).await;
    let token = page(&peer).await;
    let one = ticket(&peer, &token).await;
    let protocol = format!("chatp2p.ticket.{one}");
    peer.raw("GET", "/status", &[("sec-websocket-protocol", &protocol)], None).await.refuses(401, "token_required");
    let (open, chosen) = by_ticket(&peer, &one, &[]).await.unwrap();
    assert_eq!(chosen, Some(protocol), "a browser closes a socket that does not take what it offers");
    assert_eq!(by_ticket(&peer, &one, &[]).await.unwrap_err(), 401, "used");
    assert_eq!(by_ticket(&peer, "guess", &[]).await.unwrap_err(), 401);
    drop(open);
    let bearer = format!("Bearer {token}");
    let (_, chosen) = socket(&peer, &[("authorization", &bearer)]).await.expect("programs send the token itself");
    assert_eq!(chosen, None);
}

#[tokio::test]
async fn a_ticket_and_its_socket_end_with_the_token() {
    let peer = idle(&["--require-token"]).await;
    let token = page(&peer).await;
    let (open, _) = by_ticket(&peer, &ticket(&peer, &token).await, &[]).await.unwrap();
    let unused = ticket(&peer, &token).await;
    let (_, list, _) = command(peer.data.path(), &["token", "list"]).await;
    let id = list.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap().to_owned();
    assert_eq!(command(peer.data.path(), &["token", "revoke", &id]).await.0, Some(0));
    assert_eq!(by_ticket(&peer, &unused, &[]).await.unwrap_err(), 401);
    closed(open).await;
}

#[tokio::test]
async fn a_page_of_another_port_gets_no_socket_before_any_frame_not_even_with_a_ticket() {
    let peer = idle(&["--require-token"]).await;
    let token = page(&peer).await;
    let api = peer.program.api;
    for origin in ["http://127.0.0.1:1", "http://localhost:1", "http://evil.example", "null"] {
        let stolen = ticket(&peer, &token).await;
        assert_eq!(by_ticket(&peer, &stolen, &[("origin", origin)]).await.unwrap_err(), 403, "{origin}");
        let bearer = format!("Bearer {token}");
        let headers = [("origin", origin), ("authorization", &*bearer)];
        assert_eq!(socket(&peer, &headers).await.unwrap_err(), 403, "{origin}");
        peer.raw("GET", "/status", &headers, None).await.refuses(403, "foreign_origin");
        peer.raw("POST", "/tickets", &headers, None).await.refuses(403, "foreign_origin");
        let code = link(peer.data.path()).await;
        let body = json!({"code": code}).to_string();
        peer.raw("POST", "/sessions", &[("origin", origin)], Some(&body)).await.refuses(403, "foreign_origin");
    }
    // The page's own origin, without a ticket and with one.
    let own = format!("http://{api}");
    assert_eq!(socket(&peer, &[("origin", &own)]).await.unwrap_err(), 401);
    by_ticket(&peer, &ticket(&peer, &token).await, &[("origin", &own)]).await.unwrap();
}

#[tokio::test]
async fn nothing_is_kept_in_cookies_which_all_ports_of_this_machine_share() {
    let peer = idle(&["--require-token"]).await;
    let code = link(peer.data.path()).await;
    let answers =
        [exchange(&peer, &code).await, peer.get("/").await, peer.get("/status").await, peer.get("/app/").await];
    for answer in answers {
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
}

#[tokio::test]
async fn a_link_needs_a_peer_that_runs_and_asks_for_tokens() {
    let data = tempfile::tempdir().unwrap();
    let (code, out, said) = command(data.path(), &["link"]).await;
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(said.contains("--require-token"), "{said}");
    let peer = idle(&["--require-token"]).await;
    let Peer { program, data, .. } = peer;
    tokio::time::timeout(WITHIN, program.terminate()).await.unwrap();
    let (code, out, said) = command(data.path(), &["link"]).await;
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(said.contains("start the peer"), "{said}");
}
