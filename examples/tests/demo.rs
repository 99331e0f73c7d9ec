//! The demo as its user meets it: what it says, what it serves, how it ends. And what its check compares with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// For its own tests.
#[path = "../demo/compare.rs"]
mod compare;

/// Longer than anything takes that is to happen, the check's own patience included.
const WITHIN: Duration = Duration::from_secs(180);

/// The demo's program, which is built along with this test unless it is built alone.
fn demo() -> Command {
    let deps = std::env::current_exe().unwrap();
    let name = format!("demo{}", std::env::consts::EXE_SUFFIX);
    let program: PathBuf = deps.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "run `cargo build -p chatp2p-examples --example demo` first");
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

async fn end(command: &mut Command) -> Output {
    timeout(WITHIN, command.output()).await.expect("a demo that ends").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// A demo on free ports that has said where it is.
struct Running {
    child: Child,
    said: String,
    temporary: tempfile::TempDir,
}

impl Running {
    async fn start(flags: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = demo();
        command.env("TMPDIR", temporary.path()).args(["--tracker-port", "0", "--alice-port", "0", "--bob-port", "0"]);
        let mut child = command.args(flags).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        let reading = async {
            while !said.contains("Ctrl+C stops all") {
                let line = lines.next_line().await.unwrap().expect("a demo that runs");
                said.push_str(&line);
                said.push('\n');
            }
        };
        timeout(WITHIN, reading).await.expect("a demo that says where it is");
        Self { child, said, temporary }
    }

    /// The address of one of the three, without the page that is named.
    fn url(&self, whose: &str) -> String {
        let line = self.said.lines().find(|line| line.trim_start().starts_with(whose)).unwrap();
        let page = line.split_whitespace().nth(1).unwrap();
        page.strip_suffix("/docs").or(page.strip_suffix("/app/")).unwrap().to_owned()
    }

    /// Ends it by a signal; gives its exit code.
    async fn signal(&mut self, name: &str) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
        timeout(WITHIN, self.child.wait()).await.expect("a demo that ends").unwrap().code()
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(WITHIN).build().unwrap()
}

async fn get(client: &reqwest::Client, url: String) -> String {
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_taken_port_is_one_line_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let flags = ["--tracker-port", "--alice-port", "--bob-port"];
    for flag in flags {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = demo();
        command.env("TMPDIR", temporary.path());
        for other in flags {
            command.args([other, if other == flag { &port } else { "0" }]);
        }
        let output = end(&mut command).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("port {port} is taken")) && said.contains(flag), "{said}");
        assert_eq!((said.lines().count(), text(&output.stdout).as_str()), (1, ""), "{said}");
        assert!(is_empty(temporary.path()), "something was started before the ports were taken");
    }
}

#[tokio::test]
async fn all_three_serve_their_docs_both_peers_their_page_and_they_are_registered_and_strangers() {
    let mut demo = Running::start(&[]).await;
    let client = client();
    for whose in ["tracker", "alice", "bob"] {
        let docs = get(&client, format!("{}/docs", demo.url(whose))).await;
        assert!(docs.contains("swagger"), "{docs}");
    }
    for whose in ["alice", "bob"] {
        let page = get(&client, format!("{}/app/", demo.url(whose))).await;
        assert!(page.contains(r#"<div id="app">"#), "{page}");
    }
    let listed: Value = serde_json::from_str(&get(&client, format!("{}/peers", demo.url("tracker"))).await).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|peer| peer["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "bob"]);
    for whose in ["alice", "bob"] {
        let connected = get(&client, format!("{}/connected-peers", demo.url(whose))).await;
        assert_eq!(connected, r#"{"connected_peers":[]}"#);
    }
    assert!(!is_empty(demo.temporary.path()));
    assert_eq!(demo.signal("-INT").await, Some(0));
}

/// Whoever listens at every address listens at this one too.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_open_beyond_loopback() {
    let mut demo = Running::start(&[]).await;
    let listed = get(&client(), format!("{}/peers", demo.url("tracker"))).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let links = listed.as_array().unwrap().iter().map(|peer| peer["port"].as_u64().unwrap());
    let apis = ["tracker", "alice", "bob"].map(|whose| demo.url(whose).rsplit_once(':').unwrap().1.parse().unwrap());
    let ports: Vec<u64> = links.chain(apis).collect();
    assert_eq!(ports.len(), 5);
    for port in ports {
        TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
        let error = TcpStream::connect(format!("127.0.0.2:{port}")).await.expect_err("it is open to the network");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    }
    assert_eq!(demo.signal("-TERM").await, Some(0));
}

#[tokio::test]
async fn the_lines_that_it_suggests_work() {
    let mut demo = Running::start(&[]).await;
    for line in demo.said.lines().filter(|line| line.trim_start().starts_with("curl ")) {
        let output = Command::new("sh").args(["-c", line]).output().await.unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(["connected", "sent"].contains(&answer["status"].as_str().unwrap()), "{line}: {answer}");
    }
    let url = format!("{}/messages", demo.url("bob"));
    let client = client();
    let arrived = async {
        while !get(&client, url.clone()).await.contains("hello, bob") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, arrived).await.expect("the message that was suggested");
    assert_eq!(demo.signal("-TERM").await, Some(0));
}

#[tokio::test]
async fn a_signal_ends_it_in_good_order_and_nothing_is_left() {
    for signal in ["-TERM", "-INT"] {
        let mut demo = Running::start(&[]).await;
        assert_eq!(demo.signal(signal).await, Some(0));
        assert!(is_empty(demo.temporary.path()), "{signal} leaves files behind");
        for whose in ["tracker", "alice", "bob"] {
            let address = demo.url(whose).strip_prefix("http://").unwrap().to_owned();
            TcpListener::bind(&address).await.unwrap_or_else(|error| panic!("{whose} still has its port: {error}"));
        }
    }
}

#[tokio::test]
async fn the_check_passes_twice_in_one_folder_and_says_so_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = end(demo().arg("--check").arg("--data-dir").arg(folder.path())).await;
        let (said, trouble) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), trouble.as_str()), (Some(0), ""), "{said}");
        assert!(said.starts_with("check passed: 425 messages") && said.lines().count() == 1, "{said}");
    }
    assert!(folder.path().join("tracker.sqlite").exists(), "what was to be kept is gone");
}
