//! With whom this node talks: what a page shows beside the open conversation.

use std::sync::Arc;

use chatp2p_core::message::EntryId;
use chatp2p_core::node::{ConversationPage, ConversationSummary, LastMessage};
use chatp2p_service::{Problem, Refused};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::messages::DeliveryState;
use super::refusals::{History, not_running, problem};
use crate::desk::Desk;

/// How many conversations a page has unless it is asked for another number.
const DEFAULT_CONVERSATIONS: usize = 100;

pub(crate) struct ConversationsApi;

/// The newest message of a conversation.
#[derive(Debug, Object)]
struct NewestMessage {
    /// Its id: 32 hexadecimal digits.
    id: String,
    /// Who wrote it.
    from: String,
    /// The text, or its first 200 characters. Never markup.
    excerpt: String,
    /// When the author says it was written: RFC 3339 in UTC.
    timestamp: String,
    /// How far it got; what others wrote is always `delivered`.
    delivery: DeliveryState,
}

impl From<LastMessage> for NewestMessage {
    fn from(last: LastMessage) -> Self {
        Self {
            id: last.id.to_string(),
            from: last.from.to_string(),
            excerpt: last.excerpt,
            timestamp: last.written.to_string(),
            delivery: DeliveryState::of(last.delivery),
        }
    }
}

/// A conversation.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Conversation {
    /// With whom.
    peer: String,
    /// Whether one can send: false once the key was forgotten and before the next `/connect`.
    contact: bool,
    /// Whether there is a live link.
    connected: bool,
    /// The newest message; absent while nothing was said.
    last: Option<NewestMessage>,
}

impl From<ConversationSummary> for Conversation {
    fn from(summary: ConversationSummary) -> Self {
        Self {
            peer: summary.peer.to_string(),
            contact: summary.contact,
            connected: summary.connected,
            last: summary.last.map(NewestMessage::from),
        }
    }
}

/// A page of the list.
#[derive(Debug, Object)]
#[oai(example)]
struct Conversations {
    /// The one with the newest message first.
    conversations: Vec<Conversation>,
}

impl Example for Conversations {
    fn example() -> Self {
        let last = NewestMessage {
            id: "5f2b8c1e9a3d4706b1c2d3e4f5a60718".to_owned(),
            from: "alice".to_owned(),
            excerpt: "Hello, Bob!".to_owned(),
            timestamp: "2026-11-23T07:00:00.000Z".to_owned(),
            delivery: DeliveryState::Delivered,
        };
        let bob = Conversation { peer: "bob".to_owned(), contact: true, connected: true, last: Some(last) };
        let carol = Conversation { peer: "carol".to_owned(), contact: true, connected: false, last: None };
        Self { conversations: vec![bob, carol] }
    }
}

#[OpenApi(tag = "Tag::Messages")]
impl ConversationsApi {
    /// List the conversations
    ///
    /// With whom this node talks, the one with the newest message first. For the next page, pass the id of the `last` message of the
    /// last conversation as `before`. A page with fewer than `limit` of them is the last one; there the contacts with whom there is
    /// no message yet follow, by name and whatever their number. What is said meanwhile moves its conversation to the front, and is
    /// told on `/ws`. A name that has had several keys here is one conversation.
    #[oai(path = "/conversations", method = "get", operation_id = "conversations")]
    async fn conversations(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// At most this many with a message.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        Query(limit): Query<Option<usize>>,
        /// Only those whose newest message is older than the one with this id.
        Query(before): Query<Option<String>>,
    ) -> Result<Json<Conversations>, Refused<History>> {
        let before = before.map(|id| id.parse()).transpose();
        let before: Option<EntryId> = before.map_err(|error| Problem::invalid(format!("before: {error}")))?;
        let node = desk.node().ok_or_else(not_running)?;
        let page = ConversationPage { before, limit: limit.unwrap_or(DEFAULT_CONVERSATIONS) };
        let conversations = node.conversations(page).await.map_err(|error| problem(&error))?;
        Ok(Json(Conversations { conversations: conversations.into_iter().map(Conversation::from).collect() }))
    }
}
