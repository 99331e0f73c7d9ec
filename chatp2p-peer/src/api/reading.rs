//! What the user has read, and who may know.

use std::sync::Arc;

use chatp2p_core::message::EntryId;
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::contacts::{known_name, node, refusal};
use super::refusals::{Configuring, Marking, Reading, problem};
use crate::desk::Desk;

pub(crate) struct ReadingApi;

/// Up to where a conversation was read.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct MarkRead {
    /// The id of a message that the other end wrote: 32 hexadecimal digits. What they wrote before it was read, too.
    through: String,
}

impl Example for MarkRead {
    fn example() -> Self {
        Self { through: "5f2b8c1e9a3d4706b1c2d3e4f5a60718".to_owned() }
    }
}

/// It was read.
#[derive(Debug, Object)]
#[oai(example)]
struct MarkedRead {
    /// Always `read`.
    status: String,
    /// Whether the other end is told, now or when it is back.
    told: bool,
}

impl Example for MarkedRead {
    fn example() -> Self {
        Self { status: "read".to_owned(), told: true }
    }
}

/// What a node does or leaves, as its user wants it. Kept over restarts.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct Settings {
    /// Whether those who wrote are told what was read here. What was read while this was off is not told later either, until
    /// something behind it is read.
    read_receipts: bool,
}

impl Example for Settings {
    fn example() -> Self {
        Self { read_receipts: true }
    }
}

#[OpenApi]
impl ReadingApi {
    /// Say what was read
    ///
    /// Marks what the other end wrote as read, up to a message. They are told, with `read` as its `delivery`, unless
    /// `read_receipts` is off; who is away is told when they are back. What was read already is read no less.
    #[oai(path = "/conversations/:peer/read", method = "put", operation_id = "mark_read", tag = "Tag::Messages")]
    async fn mark_read(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// With whom.
        Path(peer): Path<String>,
        JsonBody(body): JsonBody<MarkRead>,
    ) -> Result<Json<MarkedRead>, Refused<Marking>> {
        let through: EntryId = body.through.parse().map_err(|error| Problem::invalid(format!("through: {error}")))?;
        let (node, peer) = (node(desk)?, known_name(&peer)?);
        node.mark_read(&peer, through).await.map_err(|error| refusal(&error))?;
        let told = !node.hides_reading().await.map_err(|error| problem(&error))?;
        Ok(Json(MarkedRead { status: "read".to_owned(), told }))
    }

    /// Read the settings
    ///
    /// What the node does or leaves, as its user wants it.
    #[oai(path = "/settings", method = "get", operation_id = "settings", tag = "Tag::Node")]
    async fn settings(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<Settings>, Refused<Reading>> {
        let hidden = node(desk)?.hides_reading().await.map_err(|error| problem(&error))?;
        Ok(Json(Settings { read_receipts: !hidden }))
    }

    /// Change the settings
    ///
    /// They hold at once, and are kept over restarts.
    #[oai(path = "/settings", method = "put", operation_id = "change_settings", tag = "Tag::Node")]
    async fn change_settings(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(settings): JsonBody<Settings>,
    ) -> Result<Json<Settings>, Refused<Configuring>> {
        node(desk)?.hide_reading(!settings.read_receipts).await.map_err(|error| problem(&error))?;
        Ok(Json(settings))
    }
}
