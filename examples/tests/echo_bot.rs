//! The bot keeps its promise: its own check, and a friend who talks on while the bot is killed again and again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;
#[path = "support/tracker.rs"]
mod tracker;

use std::path::Path;
use std::sync::Arc;

use chatp2p_core::node::{Event, Node, PeerNode};
use chatp2p_core::tracker::HttpTracker;
use chatp2p_core::transport::WebSocketTransport;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use program::{WITHIN, example};

/// How often the bot is killed, and how many messages it is told for each of its lives.
const LIVES: usize = 4;
const MESSAGES: usize = 60;

/// A bot that says that it echoes.
async fn bot(tracker: &str, folder: &Path) -> Child {
    let mut command = example("echo_bot");
    let mut bot = command.args(["--tracker", tracker, "--data-dir"]).arg(folder).spawn().unwrap();
    let mut lines = BufReader::new(bot.stdout.take().unwrap()).lines();
    let line = timeout(WITHIN, lines.next_line()).await.expect("a bot that starts").unwrap();
    assert_eq!(line.as_deref(), Some("echo echoes what it is told. Ctrl+C stops it."));
    bot
}

#[tokio::test]
async fn its_own_check_passes() {
    let said = program::said(example("echo_bot").arg("--check")).await;
    assert_eq!(said, "check passed: 10 messages were echoed, once each and in order, by a bot of three lives\n");
}

#[tokio::test]
async fn a_bot_that_is_killed_in_the_middle_echoes_everything_once_and_in_order() {
    let (folder, url) = (tempfile::tempdir().unwrap(), tracker::serve().await);
    let friend = Node::builder("friend".parse().unwrap(), Arc::new(HttpTracker::new(&url).unwrap()))
        .transport(Arc::new(WebSocketTransport::new()))
        .listen("ws://127.0.0.1:0".parse().unwrap());
    let friend = friend.start().await.unwrap();
    let mut events = friend.subscribe();
    let echo = "echo".parse().unwrap();
    let (mut said, mut echoes) = (Vec::new(), Vec::new());
    for life in 0..LIVES {
        let mut bot = bot(&url, folder.path()).await;
        if life == 0 {
            friend.connect(&echo).await.unwrap();
        }
        for n in 0..MESSAGES {
            said.push(format!("{life}.{n}"));
            friend.send(&echo, format!("{life}.{n}")).await.unwrap();
        }
        // The last life to the end; the others while some are answered and some are not.
        let enough = if life + 1 == LIVES { said.len() } else { echoes.len() + 1 };
        while echoes.len() < enough {
            let event = timeout(WITHIN, events.next()).await.expect("an echo").unwrap();
            if let Event::Message(message) = event {
                echoes.push(message.content);
            }
        }
        bot.kill().await.unwrap();
    }
    assert_eq!(echoes, said);
}

#[tokio::test]
async fn without_a_tracker_it_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = example("echo_bot");
    let output = program::end(command.args(["--tracker", "http://127.0.0.1:9", "--data-dir"]).arg(folder.path())).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("echo_bot: the tracker") && said.lines().count() == 1, "{said}");
}
