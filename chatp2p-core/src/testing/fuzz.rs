//! What fuzzing does with everything that comes from outside: one body a target, run by the fuzzer on inputs without end
//! and by an ordinary test on those that are kept in `fuzz/corpus`.
//!
//! A body panics when a promise is broken. It never gives up because its input is a bad one: what is wrong must be refused,
//! and what is right must go on working afterwards. Each says whether it got as deep as it is there for, so that a corpus
//! that has stopped reaching anything is noticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken promise is what is looked for")]

mod keys;
mod mailboxes;
mod pair;
mod signed;
mod stored;
mod texts;
mod wires;

pub use crate::protocol::sim::choices::Choices;

/// How far an input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// It was refused at the door.
    Refused,
    /// It was believed, or came as far as what stands behind the first checks.
    Deep,
}

impl Depth {
    fn of(deep: bool) -> Self {
        if deep { Self::Deep } else { Self::Refused }
    }
}

/// Something that reads what comes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// By which it is called.
    pub name: &'static str,
    /// Does with an input what would be done with it, and more.
    pub run: fn(&[u8]) -> Depth,
    /// Inputs made from what honest peers say, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "frame", run: wires::frame, seeds: wires::frame_seeds },
    Target { name: "letter", run: wires::letter, seeds: wires::letter_seeds },
    Target { name: "framing", run: wires::framing, seeds: wires::framing_seeds },
    #[cfg(feature = "websocket")]
    Target { name: "handshake", run: wires::handshake, seeds: wires::handshake_seeds },
    Target { name: "record", run: signed::record, seeds: signed::record_seeds },
    Target { name: "statements", run: signed::statements, seeds: signed::edit_seeds },
    Target { name: "ciphertext", run: keys::ciphertext, seeds: keys::ciphertext_seeds },
    Target { name: "rows", run: stored::rows, seeds: stored::rows_seeds },
    Target { name: "change", run: stored::change, seeds: stored::change_seeds },
    Target { name: "names", run: texts::names, seeds: texts::names_seeds },
    Target { name: "contact-link", run: texts::contact_link, seeds: texts::contact_link_seeds },
    Target { name: "mail", run: mailboxes::mail, seeds: mailboxes::mail_seeds },
    #[cfg(feature = "http")]
    Target { name: "tracker-answer", run: texts::tracker_answer, seeds: texts::tracker_answer_seeds },
    Target { name: "keyrings", run: keys::keyrings, seeds: keys::keyrings_seeds },
    Target { name: "conversation", run: pair::conversation, seeds: pair::seeds },
    Target { name: "hostile-peer", run: pair::hostile_peer, seeds: pair::hostile_seeds },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_of_nothing_changes_nothing() {
        assert_eq!(Choices::new(&[]).edit(b"hello"), b"hello");
    }

    #[test]
    fn bytes_are_flipped_cut_inserted_removed_and_written_over() {
        for (choices, expected) in [
            (&[1, 0, 0, 0, 0x20][..], &b"Hello"[..]),
            (&[1, 1, 0, 2], b"he"),
            (&[1, 2, 0, 5, b'!'], b"hello!"),
            (&[1, 3, 0, 1], b"hllo"),
            (&[1, 4, 0, 3, 2, b'p', b'!'], b"help!"),
        ] {
            assert_eq!(Choices::new(choices).edit(b"hello"), expected, "{choices:?}");
        }
    }
}
