//! The rules of the conversation, without clock, network, disk or randomness of their own.
//!
//! A [`State`] is one node's whole mind. It is handed an [`Input`] and the time and answers with a [`Decision`]: what to
//! make durable, what to look up, and what to send and tell *once the former is durable*. A driver carries that out;
//! `sim` (feature `test-utils`) is another driver, which plays whole worlds from a seed.
//!
//! # Logs
//!
//! Each author of a conversation keeps a log of what it says there. An entry first waits in the outbox; when there is a
//! link to send it on, it is given its place: an *epoch*, a number 1, 2, 3, …, and a hash that covers all entries
//! before it. The receiver takes entry `highest + 1` and nothing else, commits it, and acknowledges its position; one
//! acknowledgement covers everything before it.
//!
//! When a link comes up, each end greets the other with the positions at which it holds the other's log. The author goes
//! on from there, out of its whole history, so that a receiver whose database was put back to an older copy gets back
//! what it lost. An epoch belongs to one life of its author: a state that was loaded from a store begins a new one, so
//! that no place ever means two things, even when both ends were put back to copies of different pasts. Entries keep
//! their random id wherever they go; a receiver that holds the id acknowledges and shows nothing again.
//!
//! This one mechanism is retry, resume, de-duplication and the delivery tick.
//!
//! # Links
//!
//! A link is up once both ends have greeted. A stranger is greeted only if the tracker confirms that the key behind the
//! link owns the name it goes by; its key is pinned then. Of two links to one peer, the end with the lower key closes
//! the older one. A link that breaks is dialled again, with back-off; one that is closed in good order is not, until
//! somebody connects or sends. A link that may be dead while nobody has noticed is *doubted*: it goes on serving, and the
//! peer is dialled beside it.
//!
//! # Mail
//!
//! Who cannot be dialled and names letterboxes is written to there. A *post* is what goes to one letterbox: the same entries, at
//! their places, as on a link, one mail after the other. Acknowledgements, and the word that something is missing, come back by
//! mail or on the next link, whichever is first; so it matters to nobody if mail is lost, repeated or overtaken. What is
//! answered by nobody for as long as mailboxes keep mail is mailed again. A link, once it is up, ends the post.

mod contacts;
mod decision;
mod draw;
mod event;
mod input;
mod log;
mod presence;
mod seeking;
#[cfg(feature = "test-utils")]
pub mod sim;
mod state;
pub mod wire;

pub use contacts::{ContactCommand, ContactRefusal, Inbound, MAX_REFUSED, MAX_REQUEST_BYTES, MAX_REQUESTS};
pub use decision::{Ask, Decision, Effect, LoadId, Outcome, Refusal};
pub use draw::Draw;
pub use event::Event;
pub use input::{Command, CommandId, Found, Input, LinkId, Loaded, MailId};
pub use log::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES, MAX_OUTBOX, MAX_OUTBOX_BYTES};
pub use presence::{ACK_TIMEOUT, BACKOFF, CONNECT_TIMEOUT, MAIL_AGAIN, MAX_CONTACTS, MAX_LINKS};
pub use state::{Me, State};
