//! What leaves a peer: no text is to be read on the links, at the tracker, in any log or file, and no secret in a log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "wire/kept.rs"]
mod kept;
#[path = "access/keys.rs"]
#[allow(dead_code, reason = "the tests of tokens use more of it")]
mod keys;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "wire/tap.rs"]
#[allow(dead_code, reason = "other tests hold it")]
mod tap;

use std::path::Path;

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use kept::{has, kept};
use play::{Peer, Program, tracker_program, until};
use tap::Wire;

/// What is said, in all the ways a text can take; long enough that it is nowhere by chance.
const CANARY: &str = "canary7f3a9d51c2e84b06";

/// What alice puts her profile under.
const PASSPHRASE: &str = "passphrase 5d10c7a94be2";

/// A program that logs everything it can log to a file.
fn logging(program: impl AsRef<Path>, log: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>>\"$LOG\""]).arg(program.as_ref());
    command.env("LOG", log).env("RUST_LOG", "trace");
    command
}

/// The ways in which bytes stand in logs: as they are, in hexadecimal digits, as a list of numbers, in base64.
fn shapes(secret: &[u8]) -> Vec<String> {
    let list = secret.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut shapes = vec![HEXUPPER.encode(secret), HEXLOWER.encode(secret), list];
    shapes.extend(std::str::from_utf8(secret).ok().map(str::to_owned));
    // Wherever it begins in what is encoded, the middle of it looks like one of three.
    for skip in 0..3 {
        let whole = &secret[skip..skip + (secret.len() - skip) / 3 * 3];
        shapes.extend([BASE64.encode(whole), BASE64URL.encode(whole)]);
    }
    shapes
}

/// Where a secret is to be read in some bytes, if anywhere: what stands around it.
fn shown(bytes: &[u8], secret: &[u8]) -> Option<String> {
    let at = |shape: &String| bytes.windows(shape.len()).position(|window| window == shape.as_bytes());
    let at = shapes(secret).iter().find_map(at)?;
    let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
    Some(String::from_utf8_lossy(around).into_owned())
}

/// A tracker, two peers, and a tap on every wire between them.
struct Stage {
    logs: TempDir,
    tracker_data: TempDir,
    tracker: Program,
    to_tracker: Wire,
    to_alice: Wire,
    to_bob: Wire,
    alice: Peer,
    bob: Peer,
}

impl Stage {
    async fn set() -> Self {
        let (logs, tracker_data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let log = |name: &str| logs.path().join(name);
        let database = format!("sqlite:{}", tracker_data.path().join("tracker.sqlite").display());
        let mut command = logging(tracker_program(), &log("tracker"));
        let tracker = Program::start(command.args(["--bind", "127.0.0.1:0", "--database", &database])).await;
        let to_tracker = Wire::to(tracker.api).await;
        let (to_alice, to_bob) = (Wire::to_peer().await, Wire::to_peer().await);
        let peer = async |name: &str, wire: &Wire| {
            let data = TempDir::new().unwrap();
            let mut command = logging(env!("CARGO_BIN_EXE_chatp2p-peer"), &log(name));
            wire.behind(&mut command, name, data.path(), to_tracker.at);
            Peer { program: Program::start(&mut command).await, name: name.to_owned(), data }
        };
        let (alice, bob) = (peer("alice", &to_alice).await, peer("bob", &to_bob).await);
        Self { logs, tracker_data, tracker, to_tracker, to_alice, to_bob, alice, bob }
    }

    fn log(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.logs.path().join(name)).unwrap()
    }
}

/// The secrets of the leases that the tracker has given, as they went over the wire.
fn lease_secrets(wire: &Wire) -> Vec<String> {
    let back = String::from_utf8_lossy(&wire.back()).into_owned();
    let secrets = back.split("\"lease_secret\":\"").skip(1);
    secrets.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn no_text_is_to_be_read_on_the_way_at_the_tracker_on_a_disk_or_in_a_log() {
    let stage = Stage::set().await;
    let (alice, bob) = (&stage.alice, &stage.bob);
    assert_eq!(alice.connect("bob").await.status, 200);
    bob.has(&["alice"]).await;
    let (token, _) = keys::create(alice.data.path(), "admin").await;
    let passphrase = json!({"new_passphrase": PASSPHRASE});
    keys::with(alice, &token, "PUT", "/passphrase", Some(&passphrase)).await.is(&json!({"has_passphrase": true}));
    let body = json!({"peer_username": "bob", "content": CANARY});
    assert_eq!(keys::with(alice, &token, "POST", "/send", Some(&body)).await.status, 200);
    keys::with(alice, &format!("{token}x"), "GET", "/status", None).await.refuses(401, "token_invalid");
    let long = format!("{CANARY} {}", "x".repeat(60_000));
    for (from, to) in [(alice, "bob"), (bob, "alice")] {
        for text in [CANARY, &long] {
            assert_eq!(from.say(to, text).await.status, 200);
        }
        let path = format!("/broadcast?content={CANARY}");
        assert_eq!(from.ask("POST", &path, None).await.status, 200);
    }
    // And in ways that lead nowhere.
    let body = |to: &str| json!({"peer_username": to, "content": CANARY}).to_string();
    alice.raw("POST", "/send", &[], Some(&body("nobody"))).await.refuses(400, "not_connected");
    alice.raw("POST", "/send", &[], Some(&body("bob")[1..])).await.refuses(400, "invalid_json");
    alice
        .raw("POST", "/send", &[("content-type", "text/plain")], Some(&body("bob")))
        .await
        .refuses(415, "unsupported_media_type");
    alice.raw("POST", "/send", &[], Some(&json!({"content": CANARY}).to_string())).await.refuses(422, "invalid_input");
    alice
        .raw("POST", &format!("/send?content={CANARY}"), &[("origin", "null")], Some(&body("bob")))
        .await
        .refuses(403, "foreign_origin");
    alice.get(&format!("/nowhere/{CANARY}")).await.refuses(404, "unknown_path");
    for peer in [alice, bob] {
        let other = if peer.name == "alice" { "bob" } else { "alice" };
        until("all of it", async || (peer.talk(other).await.len() == 7).then_some(())).await;
        let (_, all) = (peer.ask("DELETE", &format!("/disconnect/{other}"), None).await, peer.talk(other).await);
        assert!(all.iter().all(|(_, text)| text.contains(CANARY)));
    }
    let secrets = lease_secrets(&stage.to_tracker);
    assert_eq!(secrets.len(), 2, "each of them has a lease");
    for peer in [alice, bob] {
        assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);
    }

    // All taps and logs are on the right wires, or the rest would say nothing.
    let links = [stage.to_alice.there(), stage.to_alice.back(), stage.to_bob.there(), stage.to_bob.back()].concat();
    assert!(has(&links, "chatp2p.v1") && links.len() > 2 * long.len());
    let tracking = [stage.to_tracker.there(), stage.to_tracker.back()].concat();
    assert!(has(&tracking, "POST /register") && has(&tracking, "DELETE /unregister/alice"));
    assert!(has(&kept(stage.tracker_data.path()), "alice"), "the tracker keeps names");
    let disks = [kept(alice.data.path()), kept(bob.data.path()), kept(stage.tracker_data.path())].concat();
    assert!(has(&disks, "SQLite format 3") && has(&disks, "alice") && has(&disks, "bob"), "they keep what they know");
    for (name, says) in [("tracker", "/register"), ("alice", "/send"), ("bob", "/broadcast")] {
        let log = stage.log(name);
        assert!(has(&log, "DEBUG") && has(&log, says), "the log of {name} says everything");
    }

    for (place, bytes) in [("links", &links), ("tracker's traffic", &tracking), ("files", &disks)] {
        assert_eq!(shown(bytes, CANARY.as_bytes()), None, "a text in the {place}");
    }
    for name in ["tracker", "alice", "bob"] {
        let log = stage.log(name);
        assert_eq!(shown(&log, CANARY.as_bytes()), None, "a text in the log of {name}");
        for secret in &secrets {
            assert!(!has(&log, secret), "a lease secret in the log of {name}");
            assert_eq!(
                shown(&log, &BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap()),
                None,
                "a lease secret in the log of {name}"
            );
        }
    }
    let logs = ["tracker", "alice", "bob"].map(|name| stage.log(name)).concat();
    for (place, bytes) in [("links", &links), ("tracker's traffic", &tracking), ("logs", &logs), ("files", &disks)] {
        assert_eq!(shown(bytes, token.as_bytes()), None, "a token in the {place}");
        assert_eq!(shown(bytes, PASSPHRASE.as_bytes()), None, "a passphrase in the {place}");
    }
    assert!(stage.tracker.terminate().await.success());
}

#[test]
fn a_secret_is_seen_in_every_shape() {
    let secret = b"canary-of-this-test".as_slice();
    for before in ["", "x", "xy"] {
        let whole = [before.as_bytes(), secret, b"zzz"].concat();
        assert!(shown(BASE64.encode(&whole).as_bytes(), secret).is_some(), "{before}");
    }
    for text in
        [format!("{secret:?}"), "63616e6172792d6f662d746869732d74657374".to_owned(), "xcanary-of-this-testx".to_owned()]
    {
        assert!(shown(text.as_bytes(), secret).is_some(), "{text}");
    }
    assert_eq!(shown(b"canary-of-this-tes", secret), None);
}
