//! The program itself: its start, its end, what it leaves on the disk and in its log.

use std::process::Stdio;
use std::time::Duration;

use chatp2p_core::testing::tracker::signed;
use chatp2p_core::tracker::{HttpTracker, Tracker as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::process::{PATIENCE, Tracker, program};

#[tokio::test]
async fn sigterm_ends_it_cleanly_and_the_next_start_knows_everybody() {
    let tracker = Tracker::start().await;
    let alice = tracker.registered("alice", 5001).await;
    let home = tracker.terminate().await;
    let again = Tracker::at(home, &[]).await;
    assert_eq!(again.listed().await[0]["id"], alice["id"]);
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let tracker = Tracker::start().await;
    let address = tracker.url.strip_prefix("http://").unwrap().to_owned();
    let _silent = TcpStream::connect(&address).await.unwrap();
    tracker.registered("alice", 5001).await;
    let begun = Instant::now();
    tracker.terminate().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "it waited for somebody who says nothing");
}

#[tokio::test]
async fn the_printed_specification_is_the_committed_one() {
    let printed = program(TempDir::new().unwrap().path()).arg("openapi").output().await.unwrap();
    assert!(printed.status.success());
    let committed = include_str!("../../../docs/openapi/tracker.json");
    assert!(
        String::from_utf8(printed.stdout).unwrap() == committed,
        "docs/openapi/tracker.json is out of date; regenerate it: cargo run -p chatp2p-tracker -- openapi > docs/openapi/tracker.json"
    );
}

#[tokio::test]
async fn whatever_is_sent_is_answered_as_the_specification_says() {
    let tracker = Tracker::start().await;
    let spec: serde_json::Value = serde_json::from_str(include_str!("../../../docs/openapi/tracker.json")).unwrap();
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let ask = |path: &str| tracker.request(method.to_uppercase().parse().unwrap(), path);
            let huge = format!("{{\"username\":\"{}\"}}", "x".repeat(70_000));
            let mut requests =
                vec![ask(&path.replace("{username}", "nobody")), ask(&path.replace("{username}", "%FF"))];
            requests.push(ask(&format!("{}?limit=x&counter=x", path.replace("{username}", "nobody"))));
            requests.push(ask(&format!("{}?prefix=%FF", path.replace("{username}", "nobody"))));
            if operation["requestBody"].is_object() {
                let json = |body: String| ask(path).header("content-type", "application/json").body(body);
                requests.extend([huge, "{".to_owned(), "{}".to_owned(), "{\"\\ud800\":0}".to_owned()].map(json));
                requests.push(ask(path).header("content-type", "text/plain").body("hello"));
            }
            for request in requests {
                let status = request.send().await.unwrap().status();
                assert!(operation["responses"][status.as_str()].is_object(), "{status} of {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_version_is_told() {
    let told = program(TempDir::new().unwrap().path()).arg("--version").output().await.unwrap();
    assert_eq!(String::from_utf8(told.stdout).unwrap(), format!("chatp2p-tracker {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn the_help_names_every_flag_and_its_variable() {
    let told = program(TempDir::new().unwrap().path()).arg("--help").output().await.unwrap();
    let help = String::from_utf8(told.stdout).unwrap();
    for flag in
        ["bind", "database", "allow-origin", "ttl", "max-peers", "name-ttl", "require-signed", "no-quotas", "log-json"]
    {
        assert!(help.contains(&format!("--{flag}")), "{help}");
        let variable = format!("CHATP2P_TRACKER_{}", flag.replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable}: {help}");
    }
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let home = TempDir::new().unwrap();
    let running = program(home.path()).env("RUST_LOG", "info").env("CHATP2P_TRACKER_BIND", &taken).output();
    let ended = timeout(PATIENCE, running).await.expect("it gives up").unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.lines().count() == 1 && said.contains("--bind") && said.contains(&taken), "{said}");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_one_clear_line() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("file"), "in the way").unwrap();
    let database = format!("sqlite:{}/file/tracker.sqlite", home.path().display());
    let running =
        program(home.path()).env("RUST_LOG", "info").args(["--bind", "127.0.0.1:0", "--database", &database]).output();
    let ended = timeout(PATIENCE, running).await.expect("it gives up").unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.lines().count() == 1 && said.contains("--database"), "{said}");
}

#[tokio::test]
async fn the_default_database_is_a_file_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let tracker = Tracker::start().await;
    tracker.registered("alice", 5001).await;
    let folder = tracker.home().join("chatp2p");
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(folder.join("tracker.sqlite").is_file());
}

#[tokio::test]
async fn a_path_with_odd_characters_is_a_path() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("100%41 wrong?mode=ro/tracker.sqlite");
    let tracker = Tracker::with(&["--database", &format!("sqlite:{}", file.display())]).await;
    tracker.registered("alice", 5001).await;
    assert!(file.is_file());
}

#[tokio::test]
async fn the_log_tells_no_secret_even_at_trace() {
    let tracker = Tracker::start().await;
    let http = HttpTracker::new(&tracker.url).unwrap();
    let id = http.health().await.unwrap().tracker_id;
    let claim = signed(1, "alice", 5001, 1, id);
    let lease = http.register(claim).await.unwrap();
    let secret = data_encoding::BASE64URL_NOPAD.encode(lease.secret().unwrap());
    http.heartbeat(&lease).await.unwrap();
    http.unregister(&lease).await.unwrap();
    tracker.post("/register", json!({"username": "canary-in-a-body", "host": "canary-host", "port": 0})).await;
    tracker.get("/peers?prefix=canary-in-a-query&limit=5").await;
    tracker.get("/canary-in-a-path").await;
    let log = tracker.log();
    assert!(log.contains("path=\"/unregister/:"), "requests are logged: {log}");
    for canary in [secret.as_str(), "canary", "mac="] {
        assert!(!log.contains(canary), "{canary}: {log}");
    }
}

#[tokio::test]
async fn too_many_open_files_are_survived() {
    let home = TempDir::new().unwrap();
    let mut command = tokio::process::Command::new("sh");
    let tracker = env!("CARGO_BIN_EXE_chatp2p-tracker");
    let script = format!("ulimit -n 40; exec {tracker} --bind 127.0.0.1:0 --database memory");
    command.args(["-c", &script]).env("XDG_DATA_HOME", home.path()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let line = timeout(PATIENCE, lines.next_line()).await.expect("it starts").unwrap().unwrap();
    let address = line.strip_prefix("tracker listening on http://").unwrap();
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let asked = ask(address);
    assert!(timeout(Duration::from_millis(500), asked).await.is_err(), "there is no socket left for an answer");
    drop(held);
    let answer = timeout(PATIENCE, ask(address)).await.expect("it accepts again");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn ask(address: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
