//! A real browser, driven over its own protocol.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::play::until;

/// Names the browser, where it is not where Linux distributions have it.
const VARIABLE: &str = "CHATP2P_TEST_CHROMIUM";
const USUAL: &str = "/usr/bin/chromium";

/// How long the browser may take for one thing; it starts and loads on a machine that does a lot else.
const WITHIN: Duration = Duration::from_secs(60);

/// A host name that leads to this machine, as an attacker's own name server can make it.
pub(crate) const REBOUND: &str = "evil.example";

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    socket: WebSocketStream<TcpStream>,
    session: Option<String>,
    calls: u64,
    /// What it has told without being asked.
    events: Vec<Value>,
    _process: Child,
    _profile: TempDir,
}

/// The browser of this machine; where there is none, says so.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        assert!(named.exists(), "{VARIABLE} names {}, which does not exist", named.display());
        return Some(named);
    }
    let usual = Path::new(USUAL);
    if !usual.exists() {
        eprintln!("SKIPPED: there is no browser at {USUAL}; install Chromium, or name one in {VARIABLE}");
        return None;
    }
    Some(usual.to_owned())
}

impl Browser {
    /// Starts a browser with an empty profile and an empty page, if this machine has one.
    pub(crate) async fn start() -> Option<Self> {
        let program = program()?;
        let profile = TempDir::new().unwrap();
        let mut command = Command::new(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--remote-debugging-port=0", &format!("--host-resolver-rules=MAP {REBOUND} 127.0.0.1")]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let told = profile.path().join("DevToolsActivePort");
        let (port, path) = until("the browser's port", async || {
            let told = std::fs::read_to_string(&told).ok()?;
            let (port, path) = told.split_once('\n')?;
            Some((port.parse::<u16>().ok()?, path.trim().to_owned()))
        })
        .await;
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        let mut browser =
            Self { socket, session: None, calls: 0, events: Vec::new(), _process: process, _profile: profile };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        Some(browser)
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.attempt(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn attempt(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::Text(call.to_string().into())).await.unwrap();
        let answer = async {
            loop {
                let Message::Text(text) = self.socket.next().await.expect("a browser").unwrap() else { continue };
                let mut message: Value = serde_json::from_str(&text).unwrap();
                if message["id"] == id {
                    let error = message["error"].take();
                    return if error.is_null() { Ok(message["result"].take()) } else { Err(error) };
                }
                self.events.push(message);
            }
        };
        timeout(WITHIN, answer).await.unwrap_or_else(|_| panic!("{method} is never answered"))
    }

    /// Has the page run a script, and returns what comes of it, awaited.
    pub(crate) async fn run(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let done = self.call("Runtime.evaluate", params).await;
        assert!(done["exceptionDetails"].is_null(), "{script}: {done}");
        done["result"]["value"].clone()
    }

    /// Waits until a script says `true`. It may run while one page gives way to another.
    pub(crate) async fn wait_for(&mut self, script: &str) {
        let deadline = tokio::time::Instant::now() + WITHIN;
        loop {
            let params = json!({"expression": script, "returnByValue": true});
            // A page that is just giving way to the next one answers nothing.
            let said = self.attempt("Runtime.evaluate", params).await.unwrap_or_default();
            if said["result"]["value"] == true {
                return;
            }
            if tokio::time::Instant::now() > deadline {
                let page = self.run("document.documentElement.outerHTML.slice(0, 4000)").await;
                panic!("it never came: {script}; {page}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Goes to an address as somebody who types it, and waits until all of it is there.
    pub(crate) async fn go(&mut self, url: &str) {
        let gone = self.call("Page.navigate", json!({"url": url})).await;
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.wait_for("document.readyState == 'complete' && location.href != 'about:blank'").await;
    }

    /// All that it has told of one kind.
    pub(crate) fn told(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }
}
