//! Strangers who ask to be let in.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::identity::{Fingerprint, PeerId};
use chatp2p_core::node::{ContactRefusal, NodeError, RequestCard};
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::contacts::{Contact, new_name, node, refusal};
use super::refusals::{Answering, Reading, Refusing};
use crate::desk::Desk;

pub(crate) struct RequestsApi;

/// A stranger who asks to be let in.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Request {
    /// Their key.
    peer_id: String,
    /// The name that they own at the tracker.
    name: String,
    /// Thirty digits of their key.
    fingerprint: String,
    /// When they came: RFC 3339 in UTC.
    timestamp: String,
    /// The one message that they may leave: at most 1 KiB, never markup. Absent where they left none, or a longer one.
    content: Option<String>,
}

impl From<RequestCard> for Request {
    fn from(card: RequestCard) -> Self {
        Self {
            peer_id: card.peer_id.to_string(),
            name: card.name.to_string(),
            fingerprint: Fingerprint::of(card.peer_id).to_string(),
            timestamp: card.arrived.to_string(),
            content: card.text,
        }
    }
}

/// Who waits.
#[derive(Debug, Object)]
#[oai(example)]
struct Requests {
    /// Who came first first; at most 200.
    requests: Vec<Request>,
}

impl Example for Requests {
    fn example() -> Self {
        let carol = Request {
            peer_id: "qe4xodvipulv6vvdkrtmgtd6ztfy3curwtxdpis56yhvxd6jwoka".to_owned(),
            name: "carol".to_owned(),
            fingerprint: "26722 67727 67434 60282 62279 23697".to_owned(),
            timestamp: "2026-11-23T07:00:00.000Z".to_owned(),
            content: Some("We met on the train.".to_owned()),
        };
        Self { requests: vec![carol] }
    }
}

/// How to accept.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct Acceptance {
    /// The name here; that of the request if not given.
    name: Option<String>,
}

impl Example for Acceptance {
    fn example() -> Self {
        Self { name: Some("carol".to_owned()) }
    }
}

/// The request is refused.
#[derive(Debug, Object)]
#[oai(example)]
struct RequestRefused {
    /// Always `refused`.
    status: String,
    /// Whose.
    peer_id: String,
}

impl Example for RequestRefused {
    fn example() -> Self {
        let peer_id = "qe4xodvipulv6vvdkrtmgtd6ztfy3curwtxdpis56yhvxd6jwoka".to_owned();
        Self { status: "refused".to_owned(), peer_id }
    }
}

#[OpenApi(tag = "Tag::Contacts")]
impl RequestsApi {
    /// List the requests of strangers
    ///
    /// With `--inbound requests`, who is not known leaves one small message here and hears nothing until it is accepted.
    #[oai(path = "/requests", method = "get", operation_id = "requests")]
    async fn requests(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<Requests>, Refused<Reading>> {
        let requests = node(desk)?.requests().await.map_err(|error| refusal(&error))?;
        Ok(Json(Requests { requests: requests.into_iter().map(Request::from).collect() }))
    }

    /// Accept a request
    ///
    /// The stranger becomes a contact, their message is in the history, and they hear that it has arrived.
    #[oai(path = "/requests/:peer_id/accept", method = "post", operation_id = "accept_request")]
    async fn accept(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The key of the stranger.
        #[oai(name = "peer_id")]
        Path(peer_id): Path<String>,
        JsonBody(body): JsonBody<Acceptance>,
    ) -> Result<Json<Contact>, Refused<Answering>> {
        let name = body.name.as_deref().map(new_name).transpose()?;
        let card = node(desk)?.accept_request(known_key(&peer_id)?, name).await.map_err(|error| refusal(&error))?;
        Ok(Json(card.into()))
    }

    /// Refuse a request
    ///
    /// The stranger is told nothing, their message is not kept, and the key is not heard again, until you add it.
    #[oai(path = "/requests/:peer_id", method = "delete", operation_id = "refuse_request")]
    async fn refuse(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The key of the stranger.
        #[oai(name = "peer_id")]
        Path(peer_id): Path<String>,
    ) -> Result<Json<RequestRefused>, Refused<Refusing>> {
        let key = known_key(&peer_id)?;
        node(desk)?.refuse_request(key).await.map_err(|error| refusal(&error))?;
        Ok(Json(RequestRefused { status: "refused".to_owned(), peer_id: key.to_string() }))
    }
}

/// What is no key is that of nobody who waits.
fn known_key(text: &str) -> Result<PeerId, Box<Problem>> {
    let unknown = NodeError::Contact(ContactRefusal::UnknownRequest).to_string();
    text.parse().map_err(|_| Box::new(Problem::new(StatusCode::NOT_FOUND, Code::UnknownRequest, unknown)))
}
