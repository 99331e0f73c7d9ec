//! Where a secret could be left lying about: the log at its most talkative, the data, and what `ps` shows.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use crate::keys::{create, exchange, link, socket, with};
use crate::play::{Peer, Program, peer_command, running, tracker};

/// What was written, to be found again wherever it went.
const CANARY: &str = "canary-7c1f-in-the-coal-mine";

/// All that lies below a folder.
fn everything(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything(&path, into)
        } else {
            into.push((path.display().to_string(), std::fs::read(&path).unwrap()))
        }
    }
}

fn hits(secret: &str, places: &[(String, Vec<u8>)]) -> Vec<String> {
    let finds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    places.iter().filter(|(_, bytes)| finds(bytes)).map(|(place, _)| place.clone()).collect()
}

#[tokio::test]
async fn no_secret_and_no_text_is_in_the_log_the_secrets_are_nowhere_on_the_disk_or_in_argv() {
    let (tracker, data) = (tracker().await, tempfile::tempdir().unwrap());
    let log = tempfile::NamedTempFile::new().unwrap();
    let url = format!("http://{}", tracker.api);
    let mut command = peer_command(data.path());
    command.args(["--require-token", "--username", "alice", "--tracker", &url]);
    let program = Program::start(&mut logging(&command, log.path())).await;
    let (pid, alice) = (program.id(), Peer { program, name: "alice".to_owned(), data });
    let bob = running("bob", &tracker).await;

    let (token, _) = create(alice.data.path(), "admin").await;
    let code = link(alice.data.path()).await;
    let session = exchange(&alice, &code).await.json()["token"].as_str().unwrap().to_owned();
    exchange(&alice, &code).await.refuses(403, "link_invalid");
    let ticket = with(&alice, &session, "POST", "/tickets", None).await.json()["ticket"].as_str().unwrap().to_owned();
    let protocol = format!("chatp2p.ticket.{ticket}");
    let (_socket, _) = socket(&alice, &[("sec-websocket-protocol", &protocol)]).await.unwrap();
    let wrong = format!("{token}x");
    with(&alice, &wrong, "GET", "/status", None).await.refuses(401, "token_invalid");
    let connect = json!({"peer_username": "bob"});
    assert_eq!(with(&alice, &token, "POST", "/connect", Some(&connect)).await.status, 200);
    let send = json!({"peer_username": "bob", "content": CANARY});
    assert_eq!(with(&alice, &token, "POST", "/send", Some(&send)).await.status, 200);
    let broadcast = format!("/broadcast?content={CANARY}");
    assert_eq!(with(&alice, &token, "POST", &broadcast, None).await.status, 200);
    bob.heard("alice", &[("alice", CANARY), ("alice", CANARY)]).await;
    assert_eq!(bob.say("alice", CANARY).await.status, 200);
    crate::play::until("bob's text", async || {
        let told = with(&alice, &token, "GET", "/messages?peer=bob", None).await.json();
        (told["messages"].as_array().unwrap().len() == 3).then_some(())
    })
    .await;

    let mut logged = vec![("log".to_owned(), std::fs::read(log.path()).unwrap())];
    let talkative = ["DEBUG", "/sessions", "/tickets", "/ws", "/broadcast"];
    assert!(talkative.iter().all(|word| !hits(word, &logged).is_empty()), "it did say what was asked for");
    let mut kept = Vec::new();
    everything(alice.data.path(), &mut kept);
    if cfg!(target_os = "linux") {
        for file in ["cmdline", "environ"] {
            match std::fs::read(format!("/proc/{pid}/{file}")) {
                Ok(content) => kept.push((file.to_owned(), content)),
                // A program without core dumps shows its environment to root alone.
                Err(error) => assert_eq!((file, error.kind()), ("environ", ErrorKind::PermissionDenied)),
            }
        }
    }
    for (what, secret) in [("token", &token), ("code", &code), ("session", &session), ("ticket", &ticket)] {
        assert_eq!(hits(secret, &logged), Vec::<String>::new(), "{what}");
        assert_eq!(hits(secret, &kept), Vec::<String>::new(), "{what}");
    }
    // The key itself, as bytes and as digits.
    let key = kept.iter().find(|(place, _)| place.ends_with("identity.key")).map(|(_, key)| key.clone()).unwrap();
    assert_eq!(hits(&data_encoding::HEXLOWER.encode(&key), &logged), Vec::<String>::new());
    assert!(!logged[0].1.windows(key.len()).any(|window| window == key), "the key is in the log");
    assert_eq!(hits(CANARY, &logged), Vec::<String>::new(), "what people say");
    // That all this finds something where there is something.
    logged.push(("planted".to_owned(), format!("… {token} …").into_bytes()));
    assert_eq!(hits(&token, &logged), ["planted"]);
    println!("{} bytes of log, {} files: no hit", logged[0].1.len(), kept.len());
}

/// The same program with its log in a file: a shell opens that, and becomes the program.
fn logging(command: &Command, log: &Path) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 2>\"$LOG\"", "sh"]).arg(command.get_program()).args(command.get_args());
    shell.env("LOG", log).env("RUST_LOG", "trace");
    shell
}
