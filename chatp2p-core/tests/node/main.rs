//! Running nodes, as their owners and their enemies meet them: the real driver over memory and over sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod connecting;
mod contacts;
mod conversations;
mod diagnosis;
mod dialling;
mod friends;
mod healing;
mod impostors;
mod leaving;
mod mail;
mod messages;
mod nuisance;
mod receipts;
mod requests;
mod slow_mailboxes;
mod storage;
mod telling;
mod town;
mod tracker;
mod trackers;
mod waking;
