//! The program as a process of its own, on a free port, with a data directory of its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// When a test gives up waiting for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running tracker, killed when dropped.
pub(crate) struct Tracker {
    pub(crate) url: String,
    pub(crate) child: Child,
    client: Client,
    home: TempDir,
}

/// The program, with no setting of this machine's.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-tracker"));
    command.env_clear().env("XDG_DATA_HOME", home).env("RUST_LOG", "trace").stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Tracker {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(flags: &[&str]) -> Self {
        Self::at(TempDir::new().unwrap(), flags).await
    }

    pub(crate) async fn at(home: TempDir, flags: &[&str]) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(home.path().join("log")).unwrap();
        let mut command = program(home.path());
        command.args(["--bind", "127.0.0.1:0"]).args(flags).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("the tracker says where it is").unwrap();
        let line = line.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(home.path().join("log")).unwrap()));
        let url = line.strip_prefix("tracker listening on ").unwrap().to_owned();
        let tracker = Self { url, child, client: client(), home };
        let deadline = Instant::now() + PATIENCE;
        while !tracker.get("/health").await.status().is_success() {
            assert!(Instant::now() < deadline, "the tracker is never ready");
            sleep(Duration::from_millis(10)).await;
        }
        tracker
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Stops it as a service manager would, and gives back its data directory.
    pub(crate) async fn terminate(mut self) -> TempDir {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the tracker ends").unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.home
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path).json(&body).send().await.unwrap()
    }

    /// Posts bytes as JSON, whether they are or not.
    pub(crate) async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.request(Method::POST, path).header("content-type", "application/json").body(body).send().await.unwrap()
    }

    /// Registers classically.
    pub(crate) async fn register(&self, name: &str, port: u16) -> Response {
        self.post("/register", json!({"username": name, "host": "192.0.2.1", "port": port})).await
    }

    /// Registers classically where that must work.
    pub(crate) async fn registered(&self, name: &str, port: u16) -> Value {
        let answer = self.register(name, port).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    pub(crate) async fn beat(&self, name: &str) -> Response {
        self.post("/heartbeat", json!({"username": name})).await
    }

    pub(crate) async fn listed(&self) -> Vec<Value> {
        self.get("/peers").await.json().await.unwrap()
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        self.listed().await.iter().map(|peer| peer["username"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until nobody is listed.
    pub(crate) async fn until_empty(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.listed().await.is_empty() {
            assert!(Instant::now() < deadline, "nobody expires");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap()
}

/// Checks that an answer is a problem with this status and code, and returns it.
pub(crate) async fn problem(answer: Response, status: u16, code: &str) -> Value {
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let found = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let problem: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{found}: {text:?}"));
    assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(content_type, "application/problem+json");
    assert_eq!(problem["status"], status);
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem
}
