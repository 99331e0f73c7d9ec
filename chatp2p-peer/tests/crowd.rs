//! Where the original broke: long texts, many at once, silent links, slow readers, forgetful trackers, strangers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kill/history.rs"]
mod history;
#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "kill/line.rs"]
mod line;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "wire/tap.rs"]
#[allow(dead_code, reason = "other tests listen to it")]
mod tap;

#[path = "crowd/hostile.rs"]
mod hostile;
#[path = "crowd/many.rs"]
mod many;
#[path = "crowd/silence.rs"]
mod silence;
#[path = "crowd/trackers.rs"]
mod trackers;
