//! Mailboxes: peers that keep, for those who are away, what they cannot read.
//!
//! The owner of a [`Letterbox`](crate::record::Letterbox) draws its keys ([`BoxKeys`]) and names it in their record.
//! Whoever finds them away seals what they would have sent ([`mail::seal`]) and leaves it there; the owner collects it and
//! opens it ([`mail::open`]). Both prove a key to the mailbox that says nothing about who they are.

mod address;
mod client;
mod keeper;
mod keys;
mod limits;
pub mod mail;
mod strict;
mod visit;
pub mod wire;

pub use address::{MAX_MAILBOX_ADDRESS_BYTES, MailboxAddress, MailboxAddressError};
pub use client::{ANSWER_TIMEOUT, Collected, Collector, Depositor, MailboxError};
pub use keeper::Mailbox;
pub use keys::BoxKeys;
pub use limits::{
    DEPOSITORS_SHARE, KEEPS_LETTERBOX, KEEPS_MAIL, MAX_LETTERBOX, MAX_MAILBOX_BYTES, MAX_MAILBOX_LETTERBOXES,
    MAX_OPENED_A_DAY, MAX_UNTAKEN, MAX_VISITORS, MAX_VISITORS_PER_NETWORK, MailboxLimits, READING_TIMEOUT,
    SWEEPS_EVERY, TAKING_TIMEOUT, VISITOR_TIMEOUT,
};
