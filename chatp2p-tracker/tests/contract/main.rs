//! The tracker's half of the classic HTTP contract, a test a line, against the real program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod heartbeat;
mod names;
mod owned;
mod pages;
mod peers;
mod process;
mod program;
mod register;
mod unregister;
