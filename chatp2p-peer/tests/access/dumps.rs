//! A program that falls over leaves nothing behind of what it held in memory.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use tokio::process::Command;

use crate::play::{Program, peer_command, tracker_program};

/// Runs something there, with as large a dump as there may be.
fn with_dumps(there: &Path, command: &Command) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c \"$(ulimit -H -c)\" && exec \"$0\" \"$@\""]).current_dir(there);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[tokio::test]
async fn neither_program_leaves_a_core_dump() {
    let data = tempfile::tempdir().unwrap();
    let mut tracker = Command::new(tracker_program());
    tracker.args(["--bind", "127.0.0.1:0", "--database", "memory"]);
    for command in [peer_command(data.path()), tracker] {
        let there = tempfile::tempdir().unwrap();
        let program = Program::start(&mut with_dumps(there.path(), &command)).await;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "{command:?}");
        let ended = program.ended_by("ABRT").await;
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "{command:?}");
        assert_eq!(std::fs::read_dir(there.path()).unwrap().count(), 0, "{command:?}");
    }
}

#[tokio::test]
async fn whatever_else_falls_over_here_leaves_one_so_that_the_test_can_fail() {
    let there = tempfile::tempdir().unwrap();
    let mut suicide = Command::new("sh");
    suicide.args(["-c", "kill -ABRT $$"]);
    let ended = with_dumps(there.path(), &suicide).status().await.unwrap();
    if !ended.core_dumped() {
        println!("SKIPPED: this machine keeps no core dumps of anybody");
    }
    assert_eq!(ended.signal(), Some(6));
}
