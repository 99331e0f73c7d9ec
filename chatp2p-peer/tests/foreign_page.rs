//! A web page that the user happens to visit can neither read nor drive the node: a real browser runs a hostile page
//! against a real peer. And the peer's own pages work in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "foreign_page/browser.rs"]
mod browser;
#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "foreign_page/site.rs"]
mod site;
#[path = "wire/tap.rs"]
#[allow(dead_code, reason = "other tests hold it")]
mod tap;

use serde_json::{Value, json};
use tempfile::TempDir;

use browser::{Browser, REBOUND};
use play::{Peer, Program, peer_command, running, tracker, until};
use site::Site;
use tap::Wire;

/// Two who are connected; the pages of this origin may use alice's API.
async fn pair(tracker: &Program, allowed: &str) -> (Peer, Peer) {
    let data = TempDir::new().unwrap();
    let url = format!("http://{}", tracker.api);
    let mut command = peer_command(data.path());
    command.args(["--username", "alice", "--tracker", &url, "--allow-origin", allowed]);
    let alice = Peer { program: Program::start(&mut command).await, name: "alice".to_owned(), data };
    let bob = running("bob", tracker).await;
    assert_eq!(alice.connect("bob").await.status, 200);
    assert_eq!(alice.say("bob", "a secret").await.status, 200);
    bob.heard("alice", &[("alice", "a secret")]).await;
    until("the tick", async || {
        let told = alice.get("/messages").await.json();
        (told["messages"][0]["delivery"] == "delivered").then_some(())
    })
    .await;
    (alice, bob)
}

/// All that a page could have changed.
async fn state(of: &Peer) -> Value {
    let mut status = of.get("/status").await.json();
    // Heartbeats go on.
    status["tracker"].take();
    status["trackers"].take();
    json!([status, of.connected().await, of.get("/messages").await.json()])
}

/// The outcomes that are no good, of attempts that are to come to nothing.
fn leaks(report: &[(String, String)]) -> Vec<&(String, String)> {
    report.iter().filter(|(_, outcome)| outcome != "error" && outcome != "opaque").collect()
}

/// Has a page note what its policy forbade it.
const LISTEN: &str = "addEventListener('securitypolicyviolation', e => (window.violations ??= []).push(e.blockedURI))";

/// What the browser has loaded from elsewhere than this peer.
fn loaded_elsewhere<'a>(browser: &'a Browser, peer: &Peer) -> Vec<&'a str> {
    let own = format!("http://{}/", peer.program.api);
    let loaded = browser.told("Network.requestWillBeSent").into_iter();
    let urls = loaded.map(|told| told["request"]["url"].as_str().unwrap());
    urls.filter(|url| !url.starts_with(&own) && !url.starts_with("data:")).collect()
}

#[tokio::test]
async fn a_page_of_somebody_else_can_neither_read_nor_drive_the_node() {
    let Some(mut browser) = Browser::start().await else { return };
    let (tracker, mut foreign, mut allowed) = (tracker().await, Site::open().await, Site::open().await);
    let _carol = running("carol", &tracker).await;
    let (alice, bob) = pair(&tracker, &format!("http://{}", allowed.at)).await;
    let mut events = alice.events().await;
    let before = (state(&alice).await, state(&bob).await);
    let wire = Wire::to(alice.program.api).await;
    let port = wire.at.port();
    let at = |name: &str| format!("http://{name}:{port}");
    // Of the same site, and of another one.
    for from in ["127.0.0.1", REBOUND] {
        let bases = [at("127.0.0.1"), at("localhost"), at("[::1]"), at(REBOUND)];
        let query: Vec<(&str, &str)> = bases.iter().map(|base| ("base", base.as_str())).collect();
        browser.go(&foreign.page(from, &query)).await;
        let report = foreign.report().await;
        assert!(report.len() > 500, "it tried {} things", report.len());
        assert_eq!(leaks(&report), Vec::<&(String, String)>::new(), "from {from}");
        assert_eq!((state(&alice).await, state(&bob).await), before, "from {from}");
        // A link or a form that leads the whole window to the peer.
        for path in ["/broadcast?content=hi", "/status", "/messages", "/stop", "/openapi.json"] {
            browser.go(&foreign.page(from, &[])).await;
            browser.run(&format!("location.href = '{}{path}'; 0", at("127.0.0.1"))).await;
            browser.wait_for("document.body?.innerText.includes('foreign_origin') ?? false").await;
            browser.go(&foreign.page(from, &[])).await;
            let form = format!("<form method=post action='{}{path}'></form>", at("127.0.0.1"));
            browser.run(&format!("document.body.innerHTML = \"{form}\"; document.forms[0].submit(); 0")).await;
            browser.wait_for("document.body?.innerText.includes('foreign_origin') ?? false").await;
        }
        assert_eq!((state(&alice).await, state(&bob).await), before, "from {from}");
    }
    events.quiet().await;
    // All this did reach the peer: it was not the browser that held it back.
    let there = String::from_utf8_lossy(&wire.there()).to_lowercase();
    for sent in [
        "post /send http/1.1",
        "post /stop http/1.1",
        "options /send http/1.1",
        "options /disconnect/bob http/1.1",
        "get /ws http/1.1",
        "get /p2p http/1.1",
        "origin: null",
        "sec-fetch-site: same-site",
        "sec-fetch-site: cross-site",
        "sec-fetch-mode: navigate",
        "sec-fetch-dest: iframe",
        "sec-fetch-dest: script",
        "content-type: text/plain",
        &format!("host: {REBOUND}"),
    ] {
        assert!(there.contains(sent), "{sent} never came");
    }

    // The same page, where it is allowed, can do all that.
    let tries = async |browser: &mut Browser, allowed: &mut Site, only: &str| {
        browser.go(&allowed.page("127.0.0.1", &[("base", &at("127.0.0.1")), ("only", only)])).await;
        let report = allowed.report().await;
        assert_eq!(report.len(), 1, "{report:?}");
        report[0].1.clone()
    };
    let read = tries(&mut browser, &mut allowed, "fetch GET /status").await;
    assert!(read.starts_with("read 200") && read.contains("alice"), "{read}");
    let sent = tries(&mut browser, &mut allowed, "fetch POST /send as application/json").await;
    assert!(sent.starts_with("read 200"), "{sent}");
    bob.heard("alice", &[("alice", "a secret"), ("alice", "from a page")]).await;
    assert_eq!(tries(&mut browser, &mut allowed, "socket /ws").await, "read: it is open");
    let stopped = tries(&mut browser, &mut allowed, "XMLHttpRequest POST /stop").await;
    assert!(stopped.starts_with("read 200"), "{stopped}");
    alice.get("/status").await.is(&json!({"running": false}));
}

#[tokio::test]
async fn a_name_that_is_bound_to_this_machine_afterwards_leads_nowhere() {
    let Some(mut browser) = Browser::start().await else { return };
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker, "http://localhost:8080").await;
    let before = (state(&alice).await, state(&bob).await);
    let api = alice.program.api;
    for path in ["/", "/docs", "/status"] {
        browser.go(&format!("http://{REBOUND}:{}{path}", api.port())).await;
        browser.wait_for("document.body?.innerText.includes('wrong_host') ?? false").await;
    }
    // To the browser, what it has loaded from there and the peer are one origin now. The page would have a policy of its own.
    browser.call("Page.setBypassCSP", json!({"enabled": true})).await;
    browser.go(&format!("http://{REBOUND}:{}/", api.port())).await;
    assert_eq!(browser.run("location.origin").await, format!("http://{REBOUND}:{}", api.port()));
    let send = r#"JSON.stringify({peer_username: "bob", content: "rebound"})"#;
    for request in [
        "'/status'".to_owned(),
        "'/messages'".to_owned(),
        "'/stop', {method: 'POST'}".to_owned(),
        "'/broadcast?content=rebound', {method: 'POST'}".to_owned(),
        format!("'/send', {{method: 'POST', headers: {{'content-type': 'application/json'}}, body: {send}}}"),
    ] {
        let answer = browser.run(&format!("fetch({request}).then(a => a.text().then(t => [a.status, t]))")).await;
        assert_eq!(answer[0], 421, "{request}: {answer}");
        assert!(answer[1].as_str().unwrap().contains("wrong_host"), "{request}: {answer}");
    }
    let socket = "new Promise(done => { const s = new WebSocket('/ws'.replace('', 'ws://' + location.host)); \
                  s.onopen = () => done('open'); s.onerror = () => done('error'); })";
    assert_eq!(browser.run(socket).await, "error");
    assert_eq!((state(&alice).await, state(&bob).await), before);
    // The same from the peer's own name, where it is the peer's own page.
    browser.go(&format!("http://localhost:{}/", api.port())).await;
    let status = browser.run("fetch('/status').then(a => a.json())").await;
    assert_eq!(status["username"], "alice");
}

#[tokio::test]
async fn the_documentation_shows_every_operation_and_lets_people_try_them_within_its_policy() {
    let Some(mut browser) = Browser::start().await else { return };
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker, "http://localhost:8080").await;
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": LISTEN})).await;
    browser.go(&format!("http://{}/docs", alice.program.api)).await;
    let operations: usize = {
        let spec = alice.get("/openapi.json").await.json();
        spec["paths"].as_object().unwrap().values().map(|methods| methods.as_object().unwrap().len()).sum()
    };
    browser.wait_for(&format!("document.querySelectorAll('.opblock').length == {operations}")).await;
    // Opens an operation, and presses "Try it out" and "Execute" as they come.
    let press = |operation: &str, button: &str| {
        format!(
            "(() => {{ const b = document.querySelector('[id$=\"-{operation}\"] {button}'); b?.click(); return !!b; }})()"
        )
    };
    for operation in ["status", "send"] {
        for button in [".opblock-summary-control", ".try-out__btn", ".execute"] {
            browser.wait_for(&press(operation, button)).await;
        }
        let answered = format!(
            "document.querySelector('[id$=\"-{operation}\"] .live-responses-table tbody .response-col_status')"
        );
        browser.wait_for(&format!("{answered}?.innerText.trim().startsWith('200') ?? false")).await;
    }
    let shown = browser.run("document.querySelector('[id$=\"-status\"] .live-responses-table').innerText").await;
    assert!(shown.as_str().unwrap().contains("\"alice\""), "{shown}");
    // The body of the example.
    bob.heard("alice", &[("alice", "a secret"), ("alice", "Hello, Bob!")]).await;
    assert_eq!(browser.run("window.violations ?? []").await, json!([]));
    for kind in ["Log.entryAdded", "Runtime.exceptionThrown"] {
        assert_eq!(browser.told(kind), Vec::<&Value>::new());
    }
    assert_eq!(loaded_elsewhere(&browser, &alice), Vec::<&str>::new(), "it needs nobody else");
}

#[cfg(feature = "ui")]
#[tokio::test]
async fn the_page_opens_within_its_policy_and_needs_nobody_else() {
    let Some(mut browser) = Browser::start().await else { return };
    let peer = play::idle(&[]).await;
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": LISTEN})).await;
    for (path, shown_at) in [("/", "/app/"), ("/app", "/app/"), ("/app/chats/bob", "/app/")] {
        browser.go(&format!("http://{}{path}", peer.program.api)).await;
        // What it shows comes from its script: without one there is nothing in its body.
        browser.wait_for("(document.body?.innerText.trim() ?? '') != ''").await;
        let shown = browser.run("location.pathname").await;
        assert!(shown.as_str().unwrap().starts_with(shown_at), "{path} leads to {shown}");
        assert_eq!(browser.run("window.violations ?? []").await, json!([]), "{path}");
    }
    assert_eq!(browser.told("Runtime.exceptionThrown"), Vec::<&Value>::new());
    assert_eq!(loaded_elsewhere(&browser, &peer), Vec::<&str>::new());
}
