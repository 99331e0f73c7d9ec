//! How each failure is looked at: by the API, and by the doctor.

use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::play::{self, Peer, Program, peer_command};

const STEPS: [&str; 5] = ["found", "resolved", "dialled", "secured", "accepted"];

/// What the doctor says, and whether all is well.
pub(crate) async fn doctor(peer: &Peer, about: &[&str]) -> (String, bool) {
    let url = format!("http://{}", peer.program.api);
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    command.args(["doctor", "--url", &url, "--data-dir"]).arg(peer.data.path()).args(about);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (text.trim_end().to_owned(), output.status.success())
}

/// What the API says about a peer.
pub(crate) async fn diagnosis(peer: &Peer, of: &str) -> Value {
    let answer = peer.get(&format!("/diagnostics/{of}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// That connecting fails at this step and for this reason, and is told so, with a way out that says this.
pub(crate) async fn fails(peer: &Peer, to: &str, step: &str, code: &str, way_out: &str) {
    let refused = peer.connect(to).await;
    assert!(refused.status >= 400, "{code}: {refused:?}");
    is_told(peer, to, step, code, way_out).await;
}

/// That it is told so, without another attempt.
pub(crate) async fn is_told(peer: &Peer, to: &str, step: &str, code: &str, way_out: &str) {
    let told = diagnosis(peer, to).await;
    assert_eq!(
        (&told["connected"], &told["failed"], &told["code"]),
        (&false.into(), &step.into(), &code.into()),
        "{told:#}"
    );
    let place = STEPS.iter().position(|other| *other == step).unwrap();
    for (at, (name, shown)) in STEPS.iter().zip(told["steps"].as_array().unwrap()).enumerate() {
        let state = match at.cmp(&place) {
            std::cmp::Ordering::Less => "ok",
            std::cmp::Ordering::Equal => "failed",
            std::cmp::Ordering::Greater => "not_reached",
        };
        assert_eq!((&shown["step"], &shown["state"]), (&(*name).into(), &state.into()), "{told:#}");
        assert!(state == "not_reached" || shown["at"].is_string(), "{told:#}");
    }
    let next = told["next"].as_str().unwrap_or_default();
    assert!(next.contains(way_out), "{code} says what to do: {next}");
    let (said, well) = doctor(peer, &[to]).await;
    assert!(!well && said.contains(&format!("{step}: failed, {code}: ")), "{said}");
    assert_eq!(said.lines().last(), Some(&*format!("next: {next}")), "{said}");
}

/// That what was said to do has mended it.
pub(crate) async fn connects(peer: &Peer, to: &str) {
    let answer = peer.connect(to).await;
    assert_eq!(answer.status, 200, "{answer:?}: {:#}", diagnosis(peer, to).await);
    let told = diagnosis(peer, to).await;
    assert_eq!(told["connected"], true, "{told:#}");
    assert!(told["steps"].as_array().unwrap().iter().all(|step| step["state"] == "ok"), "{told:#}");
    assert!(["failed", "code", "next"].iter().all(|field| told.get(field).is_none()), "{told:#}");
    assert!(told["link"]["since"].is_string() && told["link"]["endpoint"].is_string(), "{told:#}");
    let (said, well) = doctor(peer, &[to]).await;
    assert!(well && said.ends_with("\nnext: nothing to do"), "{said}");
}

/// Everything that is said about the node itself: codes of findings and trackers, with what to do.
pub(crate) async fn findings(peer: &Peer) -> Vec<(String, String)> {
    let told = peer.get("/diagnostics").await.json();
    let lists = ["findings", "trackers"].map(|list| told[list].as_array().unwrap().clone());
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let wrong = lists.iter().flatten().filter(|item| item["code"].is_string());
    wrong.map(|item| (text(item, "code"), text(item, "next"))).collect()
}

/// That this is all that is wrong with the node itself, and the doctor says so.
pub(crate) async fn finds(peer: &Peer, code: &str, way_out: &str) {
    let found = findings(peer).await;
    assert_eq!(found.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), [code]);
    assert!(found[0].1.contains(way_out), "{found:?}");
    let (said, well) = doctor(peer, &[]).await;
    assert!(!well && said.contains(code), "{said}");
    assert_eq!(said.lines().last(), Some(&*format!("next: {}", found[0].1)), "{said}");
}

/// That nothing is.
pub(crate) async fn is_well(peer: &Peer) {
    assert_eq!(findings(peer).await, []);
    let (said, well) = doctor(peer, &[]).await;
    assert!(well && said.ends_with("\nnext: nothing to do"), "{said}");
}

/// A peer with further flags.
pub(crate) async fn with_flags(name: &str, tracker: SocketAddr, data: TempDir, flags: &[&str]) -> Peer {
    let url = format!("http://{tracker}");
    let mut command = peer_command(data.path());
    let program = Program::start(command.args(["--username", name, "--tracker", &url]).args(flags)).await;
    Peer { program, name: name.to_owned(), data }
}

/// A tracker, alice and bob.
pub(crate) async fn town() -> (Program, Peer, Peer) {
    let tracker = play::tracker().await;
    let (alice, bob) = (play::running("alice", &tracker).await, play::running("bob", &tracker).await);
    (tracker, alice, bob)
}

/// Where a peer says that others find it.
pub(crate) async fn door(peer: &Peer) -> SocketAddr {
    let told = peer.get("/diagnostics").await.json();
    told["listening"].as_str().unwrap().parse().unwrap()
}
