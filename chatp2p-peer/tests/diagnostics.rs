//! Failures that are really made, one after the other: what is said about each, and that doing what it says mends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "wire/tap.rs"]
#[allow(dead_code, reason = "other tests listen to it")]
mod tap;

#[path = "diagnostics/addresses.rs"]
mod addresses;
#[path = "diagnostics/ask.rs"]
mod ask;
#[path = "diagnostics/people.rs"]
mod people;
#[path = "diagnostics/starting.rs"]
mod starting;
#[path = "diagnostics/told.rs"]
mod told;
#[path = "diagnostics/trackers.rs"]
mod trackers;
