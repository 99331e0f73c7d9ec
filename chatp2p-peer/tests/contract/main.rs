//! The peer's side of the contract, line by line, against the real programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod before_start;
mod browsers;
mod command_line;
mod conversations;
mod http;
mod links;
mod messages;
mod play;
mod starting;
