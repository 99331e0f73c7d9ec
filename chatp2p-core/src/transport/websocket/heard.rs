//! What a caller who sends these bytes and no others is answered, without a socket: for those who try every caller there is.

use std::io::{self, Read, Write};

use tokio_tungstenite::tungstenite::accept_hdr_with_config;

use super::limits;
use super::listener::answer;

/// Somebody who has said all that they will say.
struct Caller<'a> {
    says: &'a [u8],
    hears: Vec<u8>,
}

impl Read for Caller<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.says.read(room)
    }
}

impl Write for Caller<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hears.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first bytes that the caller hears, and how long the messages are that were taken from it.
pub(crate) fn greeted(says: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut caller = Caller { says, hears: Vec::new() };
    let mut lengths = Vec::new();
    if let Ok(mut socket) = accept_hdr_with_config(&mut caller, answer, Some(limits())) {
        while let Ok(message) = socket.read() {
            lengths.push(message.len());
        }
    }
    (caller.hears, lengths)
}
