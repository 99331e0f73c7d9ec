//! The peer's side of the contract, line by line, against the real programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod before_start;
mod browsers;
mod command_line;
mod contacts;
mod conversations;
mod events;
#[cfg(feature = "ui")]
#[path = "../bundle/files.rs"]
mod files;
#[cfg(not(feature = "ui"))]
mod headless;
mod http;
mod links;
mod messages;
#[cfg(feature = "ui")]
mod page;
#[cfg(feature = "ui")]
mod page_guard;
mod passphrase;
mod play;
mod reading;
mod several_trackers;
mod starting;
