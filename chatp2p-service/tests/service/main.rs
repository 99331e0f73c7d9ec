//! The service's promises, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod cors;
mod docs;
mod envelope;
mod serving;
