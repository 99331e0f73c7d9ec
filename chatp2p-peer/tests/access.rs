//! Who may use the API: tokens, links, tickets, TLS, and what another account of the machine can read, against the real program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "access/beyond.rs"]
mod beyond;
#[path = "access/dumps.rs"]
#[cfg(target_os = "linux")]
mod dumps;
#[path = "access/files.rs"]
mod files;
#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "access/keys.rs"]
mod keys;
#[path = "access/leaks.rs"]
#[cfg(unix)]
mod leaks;
#[path = "access/pages.rs"]
mod pages;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "access/tokens.rs"]
mod tokens;
