//! Finds and runs the examples' programs, which are built along with their tests unless one is built alone.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Longer than anything takes that is to happen: an attempt to reach a peer again may be thirty seconds away.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);

/// The program of this example, with nothing of this process but its environment.
pub(crate) fn example(name: &str) -> Command {
    let deps = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program: PathBuf = deps.parent().unwrap().parent().unwrap().join("examples").join(file);
    assert!(program.exists(), "run `cargo build -p chatp2p-examples --examples` first");
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Runs it to its end, which must come.
pub(crate) async fn end(command: &mut Command) -> Output {
    timeout(WITHIN, command.output()).await.expect("a program that ends").unwrap()
}

/// What it said, when all was well and it had nothing to complain of.
pub(crate) async fn said(command: &mut Command) -> String {
    let output = end(command).await;
    let (said, trouble) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), trouble.as_str()), (Some(0), ""), "{said}");
    said
}
