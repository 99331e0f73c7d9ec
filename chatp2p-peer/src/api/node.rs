//! Starting, stopping, and how it is.

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::clock::Wall;
use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::node::{MailboxStatus, ServedMailbox, TrackerStatus};
use chatp2p_core::storage::Passphrase;
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::passphrase;
use super::refusals::{Reading, Starting, Stopping, desk as refuse, problem};
use crate::desk::Desk;
use crate::start::{Order, Port};

pub(crate) struct NodeApi;

/// Under which name to start, and where.
#[derive(Object, Deserialize)]
#[oai(example)]
struct StartNode {
    /// The name to go by at the tracker: 1–64 letters, digits and marks of one script, without spaces.
    #[oai(validator(min_length = 1, max_length = 64))]
    username: String,
    /// The port at which other peers reach this one; 0 picks a free one. The API's own port stands for sharing it.
    port: u16,
    /// Whether any free port does as well where that one is taken; by default it does not.
    #[serde(default)]
    #[oai(default)]
    or_free_port: bool,
    /// The only tracker to use; by default all those the program was started with (`http://localhost:8000`).
    tracker_url: Option<String>,
    /// What the profile is under: 8 characters to 1024 bytes. One that is under none yet is put under it. By default, what
    /// `--passphrase-file` says.
    #[oai(validator(max_length = 1024))]
    passphrase: Option<String>,
}

impl Example for StartNode {
    fn example() -> Self {
        Self {
            username: "alice".to_owned(),
            port: 5001,
            or_free_port: false,
            tracker_url: Some("http://localhost:8000".to_owned()),
            passphrase: None,
        }
    }
}

/// The node runs.
#[derive(Debug, Object)]
#[oai(example)]
struct NodeStarted {
    /// Always `started`.
    status: String,
    /// The name it goes by.
    username: String,
}

impl Example for NodeStarted {
    fn example() -> Self {
        Self { status: "started".to_owned(), username: "alice".to_owned() }
    }
}

/// The node does not run any more.
#[derive(Debug, Object)]
#[oai(example)]
struct NodeStopped {
    /// Always `stopped`.
    status: String,
}

impl Example for NodeStopped {
    fn example() -> Self {
        Self { status: "stopped".to_owned() }
    }
}

/// How the node is. While it does not run there is `running` alone.
#[derive(Debug, Default, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct NodeState {
    /// Whether it runs.
    running: bool,
    /// The name it goes by.
    username: Option<String>,
    /// Its key, which is who it is: 52 characters of base32.
    peer_id: Option<String>,
    /// Where it says that it can be dialled.
    endpoints: Option<Vec<String>>,
    /// How it stands with its tracker; of several, with the first of which all is well.
    tracker: Option<TrackerState>,
    /// How it stands with each of its trackers.
    trackers: Option<Vec<TrackerState>>,
    /// How it stands with each of the mailboxes in which others leave mail for it (`--use-mailbox`).
    mailboxes: Option<Vec<MailboxState>>,
    /// The mailbox that it serves to others (`--mailbox`).
    mailbox: Option<MailboxServed>,
}

/// How a node stands with a mailbox that it uses.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct MailboxState {
    /// Its address.
    address: String,
    /// When mail was last collected there, or there was none to collect: RFC 3339 in UTC.
    confirmed: Option<String>,
    /// The code of what has gone wrong since then, if anything has.
    trouble: Option<String>,
    /// What to do about it.
    next: Option<String>,
}

impl From<MailboxStatus> for MailboxState {
    fn from(status: MailboxStatus) -> Self {
        Self {
            address: status.address.to_string(),
            confirmed: status.confirmed.map(|at| at.to_string()),
            trouble: status.trouble.map(|code| code.to_string()),
            next: status.trouble.and_then(|code| code.next()).map(str::to_owned),
        }
    }
}

/// A mailbox that a node serves, and how much it keeps for others.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct MailboxServed {
    /// What those who use it are told: for their `--use-mailbox`.
    address: Option<String>,
    /// How many letterboxes there are.
    letterboxes: u64,
    /// How many mails are in them.
    mails: u64,
    /// How many bytes these are.
    bytes: u64,
}

impl From<ServedMailbox> for MailboxServed {
    fn from(mailbox: ServedMailbox) -> Self {
        Self {
            address: mailbox.address.map(|address| address.to_string()),
            letterboxes: mailbox.usage.letterboxes,
            mails: mailbox.usage.mail.mails,
            bytes: mailbox.usage.mail.bytes,
        }
    }
}

/// How a node stands with a tracker.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct TrackerState {
    /// Its address.
    url: Option<String>,
    /// When it last confirmed the registration: RFC 3339 in UTC.
    confirmed: Option<String>,
    /// How long it took over what it answered last, in milliseconds.
    latency: Option<u64>,
    /// The code of what has gone wrong since then, if anything has.
    trouble: Option<String>,
    /// What to do about it.
    next: Option<String>,
}

impl From<TrackerStatus> for TrackerState {
    fn from(status: TrackerStatus) -> Self {
        Self {
            url: status.address,
            confirmed: status.confirmed.map(|at| at.to_string()),
            latency: status.latency.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            trouble: status.trouble.map(|code| code.to_string()),
            next: status.trouble.and_then(|code| code.next()).map(str::to_owned),
        }
    }
}

impl Example for NodeState {
    fn example() -> Self {
        let tracker = |url: &str, trouble: Option<Code>| {
            TrackerState::from(TrackerStatus {
                address: Some(url.to_owned()),
                confirmed: Some(Wall::from_millis(1_795_503_600_000)),
                latency: Some(Duration::from_millis(3)),
                trouble,
            })
        };
        let first = || tracker("http://localhost:8000/", None);
        let second = tracker("https://tracker.example/", Some(Code::TrackerUnreachable));
        Self {
            running: true,
            username: Some("alice".to_owned()),
            peer_id: Some("rkr52rlxexcbdcdg6yfg6ui6x6vnlyqqbkqzjxyqiznjqy2cmomq".to_owned()),
            endpoints: Some(vec!["ws://192.168.1.5:5001/p2p".to_owned()]),
            tracker: Some(first()),
            trackers: Some(vec![first(), second]),
            mailboxes: Some(vec![MailboxState {
                address: "chatp2p-mailbox:ahfjhlaxaumha4owpob4p7yo72aqr2hmiuyfoxlxe2dzgm633k7hzobvgeixcifb@ws://192.0.2.7:5001"
                    .to_owned(),
                confirmed: Some("2026-11-24T07:00:00.000Z".to_owned()),
                trouble: None,
                next: None,
            }]),
            mailbox: None,
        }
    }
}

/// That the program is there.
#[derive(Debug, Object)]
#[oai(example)]
struct Health {
    /// Always `healthy`.
    status: String,
    /// Whether the node runs.
    running: bool,
    /// The version of the program.
    version: String,
}

impl Example for Health {
    fn example() -> Self {
        Self { status: "healthy".to_owned(), running: true, version: "0.1.0".to_owned() }
    }
}

#[OpenApi(tag = "Tag::Node")]
impl NodeApi {
    /// Start the node
    ///
    /// Opens the profile of that name, registers at every tracker that is there, at least one, and accepts links. One start runs at a time; one that fails leaves
    /// nothing behind, and the next may work.
    #[oai(path = "/start", method = "post", operation_id = "start")]
    async fn start(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(body): JsonBody<StartNode>,
    ) -> Result<Json<NodeStarted>, Refused<Starting>> {
        let username: Username =
            body.username.parse().map_err(|error| Problem::invalid(format!("username: {error}")))?;
        let port = Port::Given { port: body.port, or_free: body.or_free_port };
        let passphrase = body.passphrase.as_deref().map(Passphrase::new).transpose().map_err(passphrase::none)?;
        let order = Order {
            username: username.clone(),
            port,
            tracker_url: body.tracker_url,
            may_be_unlisted: false,
            passphrase,
        };
        desk.start(order).await.map_err(|error| refuse(&error))?;
        Ok(Json(NodeStarted { status: "started".to_owned(), username: username.to_string() }))
    }

    /// Stop the node
    ///
    /// Says goodbye to everybody and leaves the trackers. The port is free when this answers; open `/ws` stay open.
    #[oai(path = "/stop", method = "post", operation_id = "stop")]
    async fn stop(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<NodeStopped>, Refused<Stopping>> {
        desk.stop().await.map_err(|error| refuse(&error))?;
        Ok(Json(NodeStopped::example()))
    }

    /// Show how the node is
    ///
    /// Works whether it runs or not, so that a page that was loaded again finds out.
    #[oai(path = "/status", method = "get", operation_id = "status")]
    async fn status(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<NodeState>, Refused<Reading>> {
        let Some(node) = desk.node() else { return Ok(Json(NodeState::default())) };
        let status = node.status().await.map_err(|error| problem(&error))?;
        Ok(Json(NodeState {
            running: true,
            username: Some(status.username.to_string()),
            peer_id: Some(status.peer_id.to_string()),
            endpoints: Some(status.endpoints.iter().map(ToString::to_string).collect()),
            tracker: Some(status.tracker.into()),
            trackers: Some(status.trackers.into_iter().map(TrackerState::from).collect()),
            mailboxes: Some(status.mailboxes.into_iter().map(MailboxState::from).collect()),
            mailbox: status.mailbox.map(MailboxServed::from),
        }))
    }

    /// Check that the program is there
    ///
    /// Answers 200 as soon as the API works, whether the node runs or not.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self, Data(desk): Data<&Arc<Desk>>) -> Json<Health> {
        Json(Health {
            status: "healthy".to_owned(),
            running: desk.node().is_some(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}
