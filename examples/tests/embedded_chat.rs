//! The shortest example does what it says, and stays short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;

/// What somebody reads without scrolling.
const MAX_LINES: usize = 40;

#[tokio::test]
async fn it_prints_the_conversation_in_order_and_ends() {
    let said = program::said(&mut program::example("embedded_chat")).await;
    let expected = "alice to bob: hello, bob\n\
                    alice to bob: this stays in memory: no network, no files 🙂\n\
                    alice to bob: over to you\n";
    assert_eq!(said, expected);
}

#[test]
fn it_fits_on_a_screen() {
    let lines = include_str!("../embedded_chat.rs").lines().count();
    assert!(lines <= MAX_LINES, "{lines} lines");
}
