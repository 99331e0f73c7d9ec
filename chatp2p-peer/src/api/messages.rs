//! What is said, and what was said.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatp2p_core::identity::Username;
use chatp2p_core::message::{Delivery, EntryId, MAX_TEXT_BYTES, Message};
use chatp2p_core::node::{HistoryPage, NodeError, Receipt};
use chatp2p_service::{BodyLimit, JsonBody, Problem, Refused, utf8_query};
use poem::web::Data;
use poem::{Endpoint, EndpointExt};
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::refusals::{Broadcasting, History, Sending, not_running, problem};
use crate::desk::Desk;

/// The longest body of `POST /send`: the longest text with every byte of it written as `\u00xx`, and the rest of the object.
const MAX_SEND_BODY_BYTES: usize = 6 * MAX_TEXT_BYTES + (64 << 10);

/// How many messages a page of the history has unless it is asked for another number.
const DEFAULT_HISTORY: usize = 100;

pub(crate) struct MessagesApi;

/// What to say, and to whom.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct SendMessage {
    /// The name of a contact.
    peer_username: String,
    /// The text, at most 1 MiB of UTF-8. It arrives unchanged.
    content: String,
}

impl Example for SendMessage {
    fn example() -> Self {
        Self { peer_username: "bob".to_owned(), content: "Hello, Bob!".to_owned() }
    }
}

/// How far a message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum DeliveryState {
    /// Durable here, and nowhere else yet.
    Queued,
    /// Handed to a live link.
    Sent,
    /// A mailbox has it for the recipient, and has signed for it.
    Mailbox,
    /// The recipient's node committed it.
    Delivered,
    /// The recipient has read it, as their node says. Those who keep that to themselves never go beyond `delivered`.
    Read,
    /// It will not arrive: the contact's key was forgotten before.
    Failed,
}

impl DeliveryState {
    pub(super) fn of(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Sent => Self::Sent,
            Delivery::Mailbox => Self::Mailbox,
            Delivery::Delivered => Self::Delivered,
            Delivery::Read => Self::Read,
            Delivery::Failed => Self::Failed,
            // Nothing is claimed of a step that this version does not know.
            _ => Self::Queued,
        }
    }
}

/// The message is durable, and is delivered as soon as there is a link.
#[derive(Debug, Object)]
#[oai(example)]
struct MessageSent {
    /// `sent` where there was a live link, else `queued`.
    status: DeliveryState,
    /// The message's id: 32 hexadecimal digits.
    id: String,
}

impl From<Receipt> for MessageSent {
    fn from(receipt: Receipt) -> Self {
        Self { status: DeliveryState::of(receipt.delivery), id: receipt.id.to_string() }
    }
}

impl Example for MessageSent {
    fn example() -> Self {
        Self { status: DeliveryState::Sent, id: "5f2b8c1e9a3d4706b1c2d3e4f5a60718".to_owned() }
    }
}

/// The message is durable for each of them.
#[derive(Debug, Object)]
#[oai(example)]
struct MessageBroadcasted {
    /// Always `broadcasted`.
    status: String,
    /// The message's id for each who was connected.
    ids: BTreeMap<String, String>,
}

impl Example for MessageBroadcasted {
    fn example() -> Self {
        let id = MessageSent::example().id;
        Self { status: "broadcasted".to_owned(), ids: BTreeMap::from([("bob".to_owned(), id)]) }
    }
}

/// A message.
#[derive(Debug, Object)]
struct StoredMessage {
    /// Its id: 32 hexadecimal digits.
    id: String,
    /// Who wrote it.
    from: String,
    /// To whom.
    to: String,
    /// The text, exactly as it was written. Never markup.
    content: String,
    /// When the author says it was written: RFC 3339 in UTC.
    timestamp: String,
    /// How far it got; what others wrote is always `delivered`.
    delivery: DeliveryState,
}

impl From<Message> for StoredMessage {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.to_string(),
            from: message.from.to_string(),
            to: message.to.to_string(),
            content: message.content,
            timestamp: message.written.to_string(),
            delivery: DeliveryState::of(message.delivery),
        }
    }
}

/// A page of the history.
#[derive(Debug, Object)]
#[oai(example)]
struct Messages {
    /// The newest that were asked for, oldest of them first.
    messages: Vec<StoredMessage>,
}

impl Example for Messages {
    fn example() -> Self {
        let message = StoredMessage {
            id: MessageSent::example().id,
            from: "alice".to_owned(),
            to: "bob".to_owned(),
            content: "Hello, Bob!".to_owned(),
            timestamp: "2026-11-23T07:00:00.000Z".to_owned(),
            delivery: DeliveryState::Delivered,
        };
        Self { messages: vec![message] }
    }
}

fn roomy(endpoint: impl Endpoint) -> impl Endpoint {
    endpoint.data(BodyLimit(MAX_SEND_BODY_BYTES))
}

#[OpenApi(tag = "Tag::Messages")]
impl MessagesApi {
    /// Send a message
    ///
    /// To a contact: a peer that this node was connected to at least once. The answer comes when the message would survive a power
    /// cut, and never waits for the other side; without a live link it is `queued` and delivered as soon as there is one. Messages
    /// arrive in order and once.
    #[oai(path = "/send", method = "post", operation_id = "send", transform = "roomy")]
    async fn send(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(body): JsonBody<SendMessage>,
    ) -> Result<Json<MessageSent>, Refused<Sending>> {
        if body.content.len() > MAX_TEXT_BYTES {
            return Err(problem(&NodeError::TextTooLarge).into());
        }
        let node = desk.node().ok_or_else(not_running)?;
        // Who cannot exist was never connected.
        let to: Username = body
            .peer_username
            .parse()
            .map_err(|_| problem(&NodeError::NotConnected { name: "anybody of that name".to_owned() }))?;
        let receipt = node.send(&to, body.content).await.map_err(|error| problem(&error))?;
        Ok(Json(receipt.into()))
    }

    /// Send a message to everybody who is connected
    ///
    /// To all of them or, on error, to none. The text stands in the query, as it always did, and the whole address has at most 65,534
    /// bytes once it is percent-encoded: a longer one is refused with a bare 414 before it is read. `POST /send` takes up to 1 MiB.
    #[oai(path = "/broadcast", method = "post", operation_id = "broadcast", transform = "utf8_query")]
    async fn broadcast(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The text, percent-encoded UTF-8.
        Query(content): Query<String>,
    ) -> Result<Json<MessageBroadcasted>, Refused<Broadcasting>> {
        let node = desk.node().ok_or_else(not_running)?;
        let receipts = node.broadcast(content).await.map_err(|error| problem(&error))?;
        let ids = receipts.iter().map(|(name, receipt)| (name.to_string(), receipt.id.to_string()));
        Ok(Json(MessageBroadcasted { status: "broadcasted".to_owned(), ids: ids.collect() }))
    }

    /// Read the history
    ///
    /// The newest messages, in both directions, oldest of them first. For the page before, pass the id of the first message as
    /// `before`.
    #[oai(path = "/messages", method = "get", operation_id = "messages")]
    async fn messages(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// Only the conversation with this peer.
        Query(peer): Query<Option<String>>,
        /// At most this many.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        Query(limit): Query<Option<usize>>,
        /// Only what is older than the message with this id.
        Query(before): Query<Option<String>>,
    ) -> Result<Json<Messages>, Refused<History>> {
        let peer = peer.map(|name| name.parse()).transpose();
        let peer: Option<Username> = peer.map_err(|error| Problem::invalid(format!("peer: {error}")))?;
        let before = before.map(|id| id.parse()).transpose();
        let before: Option<EntryId> = before.map_err(|error| Problem::invalid(format!("before: {error}")))?;
        let node = desk.node().ok_or_else(not_running)?;
        let page = HistoryPage { peer, before, limit: limit.unwrap_or(DEFAULT_HISTORY) };
        let messages = node.history(page).await.map_err(|error| problem(&error))?;
        Ok(Json(Messages { messages: messages.into_iter().map(StoredMessage::from).collect() }))
    }
}
