//! The page that the program brings with it: how its files are served.

use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::files::{below, webui};
use crate::http::Answer;
use crate::play::{Peer, Program, idle, peer_command};

/// What a browser says when somebody opens an address.
const OPENS: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

fn read(path: &str) -> Vec<u8> {
    std::fs::read(webui().join(path)).unwrap()
}

/// Some file that is named by its content.
fn asset() -> String {
    below(&webui(), "assets").into_iter().find(|path| path.ends_with(".js")).expect("a script")
}

fn tag(path: &str) -> String {
    format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(read(path))))
}

#[track_caller]
fn shows_the_page(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.bytes, read("index.html"));
}

/// What is said of a file whichever way it is asked for.
fn said(answer: &Answer) -> Vec<Option<&str>> {
    let names =
        ["etag", "cache-control", "content-security-policy", "cross-origin-opener-policy", "permissions-policy"];
    names.iter().map(|name| answer.header(name)).collect()
}

#[tokio::test]
async fn the_page_stands_at_the_front_door_and_at_its_own_address() {
    let peer = idle(&[]).await;
    for path in ["/", "/app/", "/app/index.html"] {
        shows_the_page(&peer.get(path).await);
    }
    for method in ["GET", "HEAD"] {
        let answer = peer.ask(method, "/app", None).await;
        assert_eq!((answer.status, answer.header("location")), (307, Some("app/")), "{method}");
    }
}

#[tokio::test]
async fn every_file_is_served_as_it_was_built() {
    let peer = idle(&[]).await;
    for path in below(&webui(), "") {
        let answer = peer.get(&format!("/app/{path}")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.bytes == read(&path), "{path} came different");
        assert_eq!(answer.header("etag"), Some(&*tag(&path)), "{path}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind != "application/octet-stream", "{path} has no type");
        let head = peer.ask("HEAD", &format!("/app/{path}"), None).await;
        assert_eq!((head.status, head.bytes.len(), head.header("content-type")), (200, 0, Some(kind)), "{path}");
        assert_eq!(head.header("content-length"), Some(&*read(&path).len().to_string()), "{path}");
        assert_eq!(said(&head), said(&answer), "{path}");
    }
}

#[tokio::test]
async fn what_is_named_by_its_content_is_kept_for_ever_and_the_rest_asked_about_each_time() {
    let peer = idle(&[]).await;
    for path in below(&webui(), "") {
        let kept = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let answer = peer.get(&format!("/app/{path}")).await;
        assert_eq!(answer.header("cache-control"), Some(kept), "{path}");
    }
}

#[tokio::test]
async fn who_has_a_file_already_is_not_sent_it_again() {
    let peer = idle(&[]).await;
    for (address, path) in [("", "index.html"), ("chats/bob", "index.html"), (&*asset(), &*asset())] {
        let (address, tag) = (format!("/app/{address}"), tag(path));
        let whole = peer.raw("GET", &address, &[OPENS], None).await;
        for has in
            ["*".to_owned(), tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), format!("W/\"x\",{tag} ,\"y\"")]
        {
            for method in ["GET", "HEAD"] {
                let answer = peer.raw(method, &address, &[OPENS, ("if-none-match", &has)], None).await;
                assert_eq!((answer.status, &*answer.body), (304, ""), "{method} {address} {has}");
                assert_eq!(said(&answer), said(&whole), "{method} {address} {has}");
            }
        }
        let lines = [OPENS, ("if-none-match", "\"x\""), ("if-none-match", &*tag)];
        assert_eq!(peer.raw("GET", &address, &lines, None).await.status, 304, "{address}");
        for other in ["\"x\"", tag.trim_matches('"'), "W/", "", "\"*\""] {
            let answer = peer.raw("GET", &address, &[OPENS, ("if-none-match", other)], None).await;
            assert_eq!((answer.status, &answer.bytes), (200, &read(path)), "{address} {other}");
        }
    }
}

#[tokio::test]
async fn an_address_of_the_page_shows_it_to_whoever_wants_html_and_to_nobody_else() {
    let peer = idle(&[]).await;
    for address in ["/app/chats/bob", "/app/chats/jos%C3%A9?from=a-link", "/app/%FF", "/app/settings/", "/app//"] {
        for accept in [OPENS.1, "text/html", "application/json, TEXT/HTML ;q=0.5"] {
            let answer = peer.raw("GET", address, &[("accept", accept)], None).await;
            shows_the_page(&answer);
            let head = peer.raw("HEAD", address, &[("accept", accept)], None).await;
            assert_eq!((head.status, said(&head)), (200, said(&answer)), "{address}");
        }
        let lines = [("accept", "application/json"), ("accept", "text/html")];
        shows_the_page(&peer.raw("GET", address, &lines, None).await);
        for accept in ["*/*", "application/json", "text/css,*/*;q=0.1", "text/htmlx", ""] {
            peer.raw("GET", address, &[("accept", accept)], None).await.refuses(404, "unknown_path");
            assert_eq!(peer.raw("HEAD", address, &[("accept", accept)], None).await.status, 404, "{address}");
        }
        peer.get(address).await.refuses(404, "unknown_path");
    }
}

#[tokio::test]
async fn a_missing_asset_is_missing_whoever_asks_for_it() {
    let peer = idle(&[]).await;
    for path in ["/app/assets/", "/app/assets/gone-1a2b.js", "/app/assets/gone/", "/app/assets/index.html"] {
        peer.raw("GET", path, &[OPENS], None).await.refuses(404, "unknown_path");
        // The next one may bring it, so nobody is to remember.
        assert_eq!(peer.get(path).await.header("cache-control"), Some("no-store"), "{path}");
    }
    // Beside the page's paths, not below them.
    peer.raw("GET", "/application", &[OPENS], None).await.refuses(404, "unknown_path");
}

#[tokio::test]
async fn the_page_is_only_to_be_read() {
    let peer = idle(&[]).await;
    for path in ["/", "/app", "/app/", "/app/chats/bob", &format!("/app/{}", asset())] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = peer.raw(method, path, &[OPENS], None).await;
            answer.refuses(405, "wrong_method");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_page() {
    let peer = idle(&[]).await;
    for path in [
        "/app/../Cargo.toml",
        "/app/../webui/index.html",
        "/app/..%2fCargo.toml",
        "/app/%2e%2e/Cargo.toml",
        "/app/%2e%2e%2fCargo.toml",
        "/app/..%5cCargo.toml",
        "/app/..\\Cargo.toml",
        "/app/assets/../../Cargo.toml",
        "/app/assets/..%2f..%2fCargo.toml",
        "/app/assets/..%252f..%252fCargo.toml",
        "/app/./index.html",
        "/app/assets\\",
        "/app//etc/passwd",
        "/app/%2fetc/passwd",
        "/app/index.html%00.js",
        "/app/../status",
        "/app/%2e%2e/status",
    ] {
        peer.get(path).await.refuses(404, "unknown_path");
        // Whoever opens it in a browser sees the page, or nothing.
        let opened = peer.raw("GET", path, &[OPENS], None).await;
        assert!(opened.status == 404 || opened.bytes == read("index.html"), "{path}: {opened:?}");
    }
}

#[tokio::test]
async fn nothing_runs_in_the_page_but_itself() {
    let peer = idle(&[]).await;
    for path in ["/app/".to_owned(), "/app/chats/bob".to_owned(), format!("/app/{}", asset())] {
        let answer = peer.raw("GET", &path, &[OPENS], None).await;
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                 connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 require-trusted-types-for 'script'; trusted-types vue",
            ),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            let lines: Vec<_> = answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).collect();
            assert_eq!(lines.len(), 1, "{name} of {path}");
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

async fn in_an_empty_place(data: &Path) -> Peer {
    let place = tempfile::tempdir().unwrap();
    let program = Program::start(peer_command(data).env_clear().env("PATH", "").current_dir(place.path())).await;
    Peer { program, name: String::new(), data: place }
}

#[tokio::test]
async fn the_program_needs_nothing_beside_it_to_serve_the_page() {
    let data = tempfile::tempdir().unwrap();
    let peer = in_an_empty_place(data.path()).await;
    shows_the_page(&peer.get("/app/").await);
    let script = asset();
    assert!(peer.get(&format!("/app/{script}")).await.bytes == read(&script));
    // It did not come from the source either: it is in the program.
    let (program, page) = (std::fs::read(env!("CARGO_BIN_EXE_chatp2p-peer")).unwrap(), read("index.html"));
    assert!(program.windows(page.len()).any(|part| part == page), "the program does not hold the page");
}
