//! With whom a node talks: one line for each, with the beginning of what was said last. The texts are read a few at a time
//! and only their beginnings are kept, so that a page costs the same memory whatever people write.

use std::fmt;

use crate::clock::Wall;
use crate::identity::{PeerId, Username};
use crate::message::{Author, Body, Delivery, EntryId, Epoch};
use crate::storage::{ConversationQuery, LoadLimit, ProfileStore, StorageError, StoredMessage};

/// The most conversations with a message on one page: a megabyte of excerpts at most.
pub const MAX_CONVERSATIONS: usize = 1_000;

/// The longest excerpt in characters: more than one line of a list shows.
pub const MAX_EXCERPT: usize = 200;

/// How much text is in memory at once while a page is read: four of the largest messages.
const READING_BYTES: usize = 4 << 20;

/// Which part of the list to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationPage {
    /// Only the conversations whose newest message was committed before this one.
    pub before: Option<EntryId>,
    /// At most this many with a message; 1–[`MAX_CONVERSATIONS`]. A page that has fewer is the last one, and has those
    /// without any message, too.
    pub limit: usize,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSummary {
    /// With whom.
    pub peer: Username,
    /// Whether a key is pinned for the name: without one there is nobody to send to.
    pub contact: bool,
    /// Whether there is a live link.
    pub connected: bool,
    /// The newest message; `None` while nothing was said.
    pub last: Option<LastMessage>,
}

/// The newest message of a conversation. Shows no text when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// The entry's name.
    pub id: EntryId,
    /// Who wrote it.
    pub from: Username,
    /// The first [`MAX_EXCERPT`] characters of the text, or all of them.
    pub excerpt: String,
    /// When the author says it was written.
    pub written: Wall,
    /// How far it got; what others sent us is always [`Delivery::Delivered`].
    pub delivery: Delivery,
}

/// A page as the store knows it, with excerpts in the place of the texts.
pub(super) struct Found {
    pub(super) newest: Vec<Newest>,
    pub(super) silent: Vec<Username>,
}

/// What a store knows of the newest message of a conversation.
pub(super) struct Newest {
    pub(super) peer: PeerId,
    pub(super) author: Author,
    pub(super) id: EntryId,
    pub(super) excerpt: String,
    pub(super) written: Wall,
    pub(super) place: Option<(Epoch, u64)>,
    pub(super) arrived: Option<Delivery>,
}

/// Reads a page.
pub(super) async fn read(store: &dyn ProfileStore, page: ConversationPage) -> Result<Found, StorageError> {
    let (wanted, mut before) = (page.limit.clamp(1, MAX_CONVERSATIONS), page.before);
    let mut newest: Vec<Newest> = Vec::new();
    while newest.len() < wanted {
        let limit = LoadLimit { entries: wanted - newest.len(), bytes: READING_BYTES };
        let reading = store.conversations(ConversationQuery { before, limit }).await?;
        let last = reading.newest.last().map(|message| message.entry.id);
        newest.extend(reading.newest.into_iter().map(Newest::from));
        match (reading.silent, last) {
            (Some(silent), _) if newest.len() < wanted => return Ok(Found { newest, silent }),
            (None, Some(_)) => before = last,
            _ => break,
        }
    }
    Ok(Found { newest, silent: Vec::new() })
}

impl From<StoredMessage> for Newest {
    fn from(message: StoredMessage) -> Self {
        let Body::Text(text) = &message.entry.body;
        let arrived = message.arrived();
        Self {
            peer: message.peer,
            author: message.author,
            id: message.entry.id,
            excerpt: text.chars().take(MAX_EXCERPT).collect(),
            written: message.entry.written,
            place: message.place,
            arrived,
        }
    }
}

impl fmt::Debug for LastMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastMessage")
            .field("id", &self.id)
            .field("from", &self.from)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
