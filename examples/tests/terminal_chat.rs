//! Two terminals chat through pipes, and what eve writes does nothing to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "the program's own ways out; what leads through them is looked at in the chats")]
#[path = "../terminal_chat/screen.rs"]
mod screen;
#[path = "support/tracker.rs"]
mod tracker;

use std::path::Path;

use chatp2p_core::clock::Wall;
use chatp2p_core::code::Code;
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Delivery, EntryId, Message};
use chatp2p_core::node::Event;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use program::{WITHIN, example};
use screen::{describe, line, printable};

/// A chat with somebody at its keyboard.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    async fn open(name: &str, tracker: &str, folder: &Path, peer: Option<&str>) -> Self {
        let mut command = example("terminal_chat");
        command.args(["--name", name, "--tracker", tracker, "--data-dir"]).arg(folder).args(peer);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let (keyboard, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut terminal = Self { child, keyboard, screen: BufReader::new(out).lines() };
        terminal.shows(&format!("you are {name}")).await;
        terminal
    }

    async fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits for a line with this in it; gives the whole line.
    async fn shows(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let reading = async {
            while let Some(line) = self.screen.next_line().await.unwrap() {
                if line.contains(text) {
                    return Some(line);
                }
                seen.push(line);
            }
            None
        };
        let found = timeout(WITHIN, reading).await.ok().flatten();
        found.unwrap_or_else(|| panic!("no line with {text:?} but {seen:#?}"))
    }

    /// After the keyboard is gone, or `/quit`.
    async fn ends(self) {
        let Self { mut child, keyboard, .. } = self;
        drop(keyboard);
        let status = timeout(WITHIN, child.wait()).await.expect("a chat that ends").unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

#[tokio::test]
async fn carol_and_bob_chat_and_bob_goes_and_comes_back() {
    let (folder, url) = (tempfile::tempdir().unwrap(), tracker::serve().await);
    let mut bob = Terminal::open("bob", &url, folder.path(), None).await;
    bob.types("is anybody there?").await;
    bob.shows("! to whom? /connect NAME").await;
    let mut carol = Terminal::open("carol", &url, folder.path(), Some("bob")).await;
    carol.shows("you are talking to bob").await;
    bob.shows("* carol is here").await;

    carol.types("hello, bob 👋").await;
    carol.shows("  [1] to bob: sent").await;
    carol.shows("  [1] to bob: delivered").await;
    assert!(bob.shows("carol: ").await.ends_with("Z carol: hello, bob 👋"));
    bob.types("/connect carol").await;
    bob.shows("carol: hello, bob 👋").await;
    bob.types("\u{1b}[2Jgone\u{9b}31m \u{202e}txet").await;
    let line = carol.shows("bob: ").await;
    assert!(line.ends_with(r"Z bob: \u{1b}[2Jgone\u{9b}31m \u{202e}txet"), "{line:?}");
    carol.types("/peers").await;
    carol.shows("  bob, connected").await;

    bob.types("/quit").await;
    bob.ends().await;
    carol.shows("* bob is gone").await;
    carol.types("are you still there?").await;
    carol.shows("  [2] to bob: queued").await;
    let mut bob = Terminal::open("bob", &url, folder.path(), None).await;
    bob.shows("carol: are you still there?").await;
    carol.shows("  [2] to bob: sent").await;
    carol.shows("  [2] to bob: delivered").await;
    carol.ends().await;
    bob.shows("* carol is gone").await;
    bob.ends().await;
}

#[tokio::test]
async fn what_waits_is_said_at_the_end_and_goes_out_in_the_next_session() {
    let (folder, url) = (tempfile::tempdir().unwrap(), tracker::serve().await);
    let bob = Terminal::open("bob", &url, folder.path(), None).await;
    let mut carol = Terminal::open("carol", &url, folder.path(), Some("bob")).await;
    carol.shows("you are talking to bob").await;
    bob.ends().await;
    carol.shows("* bob is gone").await;
    carol.types("later, then").await;
    carol.types("/quit").await;
    carol.shows("1 not delivered yet").await;
    carol.ends().await;
    let mut bob = Terminal::open("bob", &url, folder.path(), None).await;
    let mut carol = Terminal::open("carol", &url, folder.path(), None).await;
    bob.shows("carol: later, then").await;
    carol.shows("  to bob: delivered, what you wrote before this session").await;
    carol.types("/connect bob").await;
    carol.shows("carol: later, then  [delivered]").await;
    carol.ends().await;
    bob.ends().await;
}

#[tokio::test]
async fn mistakes_are_answered_with_what_to_type() {
    let (folder, url) = (tempfile::tempdir().unwrap(), tracker::serve().await);
    let mut carol = Terminal::open("carol", &url, folder.path(), Some("nobody")).await;
    carol.shows("! nobody called nobody is known").await;
    carol.types("hello?").await;
    carol.shows("! you have never met nobody: /connect nobody").await;
    carol.types("/connect two words").await;
    carol.shows("! ").await;
    carol.types("/dance").await;
    carol.shows("! there are /connect NAME").await;
    carol.types("/forget nobody").await;
    carol.shows("! nobody called nobody is known").await;
    carol.ends().await;
}

#[tokio::test]
async fn without_a_tracker_it_says_so_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = example("terminal_chat");
    command.args(["--name", "carol", "--tracker", "http://127.0.0.1:9", "--data-dir"]).arg(folder.path());
    let output = program::end(&mut command).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("terminal_chat: the tracker") && said.lines().count() == 1, "{said}");
}

#[test]
fn nothing_that_a_terminal_obeys_or_that_turns_a_line_around_is_shown() {
    let obeyed = (0..0x20).chain(0x7f..0xa0).chain([0x61c, 0x200e, 0x200f]);
    let obeyed = obeyed.chain(0x2028..=0x202e).chain(0x2066..=0x2069);
    for c in obeyed.map(|code| char::from_u32(code).unwrap()) {
        let shown = printable(&format!("a{c}b"));
        assert!(!shown.contains(c) && shown.starts_with("a\\") && shown.ends_with('b'), "{c:?} is shown as {shown:?}");
    }
    assert_eq!(printable("one\r\ntwo\x1b]0;title\x07"), r"one\r\ntwo\u{1b}]0;title\u{7}");
}

#[test]
fn everything_else_is_shown_as_it_is() {
    for text in ["", "hello \\n", "👩‍👩‍👧‍👦 🏳️‍🌈", "שלום مرحبا", "Jose\u{301}-ñ", "日本語 नमस्ते", "a\u{200b}b\u{a0}c"]
    {
        assert_eq!(printable(text), text);
    }
}

#[test]
fn every_event_that_a_person_must_know_of_is_told() {
    let bob = || "bob".parse().unwrap();
    let presented = Identity::from_seed(&[3; 32]).peer_id();
    let told = |event| describe(&event).unwrap();
    assert_eq!(told(Event::PeerConnected(bob())), "* bob is here");
    assert_eq!(told(Event::PeerDisconnected(bob())), "* bob is gone");
    let changed = told(Event::KeyChanged { peer: bob(), presented });
    assert!(changed.starts_with("! ") && changed.contains(&presented.to_string()) && changed.ends_with("/forget bob"));
    let gap = told(Event::Gap { missed: 7 });
    assert!(gap.starts_with("! 7 "), "{gap}");
    assert!(told(Event::KeyForgotten(bob())).starts_with("* the key of bob is forgotten"));
    assert!(told(Event::TrackerTrouble(Code::TrackerUnreachable)).contains("tracker_unreachable"));
}

#[test]
fn a_line_says_when_and_who_and_for_ones_own_how_far() {
    let message = |from: &str, delivery| Message {
        id: EntryId::from_bytes([1; 16]),
        from: from.parse().unwrap(),
        to: "carol".parse().unwrap(),
        content: "hi".to_owned(),
        written: Wall::from_millis(1_700_000_000_123),
        delivery,
    };
    let carol = "carol".parse().unwrap();
    assert_eq!(line(&message("bob", Delivery::Delivered), &carol), "22:13Z bob: hi");
    assert_eq!(line(&message("carol", Delivery::Failed), &carol), "22:13Z carol: hi  [failed]");
    assert_eq!(describe(&Event::Message(message("bob", Delivery::Delivered))).as_deref(), Some("22:13Z bob: hi"));
}
