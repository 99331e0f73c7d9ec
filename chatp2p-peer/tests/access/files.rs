//! Another account of the same machine, and folders that are open too wide.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::keys::{command, create};
use crate::play::{idle, peer_command, running, tracker};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// All files and all folders below one, itself included.
fn below(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut files, mut folders, mut left) = (Vec::new(), Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { files.push(path) }
        }
        folders.push(folder);
    }
    (files, folders)
}

#[tokio::test]
async fn what_a_peer_keeps_is_its_owners_alone_and_another_account_reads_nothing() {
    let tracker = tracker().await;
    let parent = tempfile::tempdir().unwrap();
    // Whoever the other one is gets as far as the data.
    chmod(parent.path(), 0o755);
    let data = parent.path().join("data");
    let url = format!("http://{}", tracker.api);
    let mut start = peer_command(&data);
    start.args(["--username", "alice", "--tracker", &url, "--require-token"]);
    let _alice = crate::play::Program::start(&mut start).await;
    create(&data, "admin").await;
    let (files, folders) = below(&data);
    assert!(files.len() >= 5, "{files:?}");
    for folder in &folders {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for file in &files {
        assert_eq!(mode(file) & 0o077, 0, "{}", file.display());
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if !root {
        println!("SKIPPED: only root can act as another account");
        return;
    }
    // With the folders opened, so that the files stand for themselves.
    for opened in [false, true] {
        for folder in folders.iter().filter(|_| opened) {
            chmod(folder, 0o755);
        }
        for file in &files {
            let read = as_nobody().arg("cat").arg(file).output().await.unwrap();
            assert!(!read.status.success() && read.stdout.is_empty(), "nobody reads {}", file.display());
        }
    }
    // That `nobody` can read at all.
    let open = parent.path().join("open");
    std::fs::write(&open, "for all").unwrap();
    chmod(&open, 0o644);
    assert_eq!(as_nobody().arg("cat").arg(&open).output().await.unwrap().stdout, b"for all");
    println!("another account read 0 of {} files", files.len());
}

fn as_nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command
}

#[tokio::test]
async fn a_peer_does_not_start_on_what_others_may_open() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let data = alice.data;
    assert_eq!(alice.program.terminate().await.code(), Some(0));
    create(data.path(), "read").await;
    let (files, _) = below(data.path());
    let named = |name: &str| files.iter().find(|file| file.ends_with(name)).unwrap().clone();
    let (key, tokens) = (named("identity.key"), named("tokens.json"));
    let url = format!("http://{}", tracker.api);
    let start = ["--bind", "127.0.0.1:0", "--p2p", "127.0.0.1:0", "--username", "alice", "--tracker", &url];
    for (path, wide) in [
        (key.clone(), 0o644),
        (key.parent().unwrap().to_owned(), 0o755),
        (tokens.clone(), 0o640),
        (tokens.parent().unwrap().to_owned(), 0o711),
        (data.path().to_owned(), 0o777),
    ] {
        let right = mode(&path);
        chmod(&path, wide);
        let (code, _, said) = command(data.path(), &start).await;
        assert_eq!(code, Some(1), "{}: {said}", path.display());
        let line = said.lines().find(|line| line.starts_with("chatp2p-peer: ")).expect("a line for people");
        assert!(line.contains(path.to_str().unwrap()), "{line}");
        chmod(&path, right);
    }
    let mut again = peer_command(data.path());
    let program = crate::play::Program::start(again.args(["--username", "alice", "--tracker", &url])).await;
    assert_eq!(program.terminate().await.code(), Some(0), "and as it was it starts");
}

#[tokio::test]
async fn tokens_that_cannot_be_read_admit_nobody() {
    let peer = idle(&["--require-token"]).await;
    let (token, _) = create(peer.data.path(), "admin").await;
    assert_eq!(crate::keys::with(&peer, &token, "GET", "/status", None).await.status, 200);
    std::fs::write(peer.data.path().join("access/tokens.json"), "{").unwrap();
    crate::keys::with(&peer, &token, "GET", "/status", None).await.refuses(500, "storage_failed");
    peer.get("/status").await.refuses(401, "token_required");
}
