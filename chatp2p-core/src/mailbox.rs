//! Mailboxes: peers that keep, for those who are away, what they cannot read.
//!
//! The owner of a [`Letterbox`](crate::record::Letterbox) draws its keys ([`BoxKeys`]) and names it in their record.
//! Whoever finds them away seals what they would have sent ([`mail::seal`]) and leaves it there; the owner collects it and
//! opens it ([`mail::open`]). Both prove a key to the mailbox that says nothing about who they are.

mod address;
mod keys;
pub mod mail;
mod strict;

pub use address::{MAX_MAILBOX_ADDRESS_BYTES, MailboxAddress, MailboxAddressError};
pub use keys::BoxKeys;
