//! Why somebody is reached, or is not: what the node knows about it, in words and codes. Nothing in it is secret, so that it
//! can be copied into a message to whoever helps.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::node::{
    EndpointReport, Failure, Inbound, MailReport, NodeDiagnosis, OutboxReport, PeerDiagnosis, Step, StepReport,
    StepState, TrackerDiagnosis,
};
use chatp2p_core::record::{Endpoint, Host, Reach};
use chatp2p_service::Refused;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::contacts::{known_name, refusal};
use super::refusals::{Diagnosing, Examining, not_running, problem};
use crate::desk::{Desk, FailedStart};

mod example;

pub(crate) struct DiagnosticsApi;

/// How far something got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It went well.
    Ok,
    /// It did not.
    Failed,
    /// There was no occasion for it.
    NotReached,
}

/// Something that somebody should do something about.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Finding {
    /// Its stable code.
    pub(crate) code: String,
    /// What it is, for people.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

/// One step on the way to a link.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct StepShown {
    /// `found`: the tracker says who goes by the name; `resolved`: there is an address that may be dialled; `dialled`: a peer's
    /// door answers there; `secured`: it is the key that was meant; `accepted`: both ends let each other in.
    pub(crate) step: String,
    /// How it went.
    pub(crate) state: State,
    /// When: RFC 3339 in UTC.
    pub(crate) at: Option<String>,
    /// Why it failed.
    pub(crate) code: Option<String>,
    /// What happened, for people.
    pub(crate) detail: Option<String>,
}

/// One address that was tried.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Tried {
    /// Which.
    pub(crate) endpoint: String,
    /// When that ended: RFC 3339 in UTC.
    at: String,
    /// The step at which it ended, as in `steps`.
    pub(crate) step: String,
    /// Whether it led to the peer.
    pub(crate) ok: bool,
    /// Why it did not.
    pub(crate) code: Option<String>,
    /// What happened, for people.
    pub(crate) detail: Option<String>,
    /// What to do about it.
    next: Option<String>,
}

/// A live link.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct LiveLink {
    /// The endpoint that was dialled, or the address from which the other end came.
    pub(crate) endpoint: Option<String>,
    /// Whether this end dialled.
    pub(crate) dialled: bool,
    /// Since when: RFC 3339 in UTC.
    pub(crate) since: String,
}

/// What waits for a contact.
#[derive(Debug, Object, Deserialize)]
pub(crate) struct Outbox {
    /// How many messages they have not received.
    pub(crate) messages: u64,
    /// How many bytes these are.
    pub(crate) bytes: u64,
    /// Whether there is no more room for a text of the largest size.
    pub(crate) full: bool,
}

/// What came of a mail.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Mailed {
    /// When that was known: RFC 3339 in UTC.
    pub(crate) at: String,
    /// Whether a mailbox has signed for it.
    pub(crate) ok: bool,
    /// Why none has.
    pub(crate) code: Option<String>,
    /// What happened, for people.
    pub(crate) detail: Option<String>,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

impl From<MailReport> for Mailed {
    fn from(report: MailReport) -> Self {
        let (ok, next) = (report.failure.is_none(), report.failure.as_ref().and_then(|why| next(why.code)));
        let (code, detail) = report.failure.map(|why| (why.code.to_string(), why.detail)).unzip();
        Self { at: report.at.to_string(), ok, code, detail, next }
    }
}

/// Why a peer is connected, or is not.
#[derive(Debug, Object, Deserialize)]
#[oai(example, skip_serializing_if_is_none)]
pub(crate) struct PeerReport {
    /// The name.
    pub(crate) peer: String,
    /// Its key, where one is known.
    pub(crate) peer_id: Option<String>,
    /// Whether there is a live link.
    pub(crate) connected: bool,
    /// The link.
    pub(crate) link: Option<LiveLink>,
    /// Whether the node is dialling, or goes on trying by itself.
    pub(crate) trying: bool,
    /// The steps of the last attempt, in their order.
    pub(crate) steps: Vec<StepShown>,
    /// The addresses of the last attempt, in the order in which they were tried.
    pub(crate) tried: Vec<Tried>,
    /// What waits for the peer.
    pub(crate) outbox: Outbox,
    /// What came of the last mail to the peer, while there was no link.
    pub(crate) mail: Option<Mailed>,
    /// The first step that failed.
    pub(crate) failed: Option<String>,
    /// What stands in the way: its stable code.
    pub(crate) code: Option<String>,
    /// The same for people.
    pub(crate) detail: Option<String>,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

/// An address that the node tells others.
#[derive(Debug, Object, Deserialize)]
pub(crate) struct Advertised {
    /// It.
    pub(crate) endpoint: String,
    /// From how far it can lead here at best: `loopback` (this machine), `private` (its network), `public`; `name` for a host name,
    /// which leads where it is looked up.
    pub(crate) reach: String,
}

/// Peers that have called and proved a key, from one distance.
#[derive(Debug, Object, Deserialize)]
pub(crate) struct Callers {
    /// From how far: `loopback`, `private` or `public`.
    pub(crate) reach: String,
    /// How many times since the start.
    pub(crate) times: u64,
    /// When the last one came: RFC 3339 in UTC.
    pub(crate) last: String,
}

/// A tracker, asked just now.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct TrackerShown {
    /// Its address.
    pub(crate) url: Option<String>,
    /// When it last confirmed the registration: RFC 3339 in UTC.
    pub(crate) confirmed: Option<String>,
    /// In how many milliseconds it has answered just now.
    pub(crate) answered_in_ms: Option<u64>,
    /// What is wrong with it.
    pub(crate) code: Option<String>,
    /// The same for people.
    pub(crate) detail: Option<String>,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

/// What waits for one contact.
#[derive(Debug, Object, Deserialize)]
pub(crate) struct OutboxOf {
    /// For whom.
    pub(crate) peer: String,
    /// What.
    pub(crate) outbox: Outbox,
}

/// How the node is, for somebody who wonders why it is not reached.
#[derive(Debug, Object, Deserialize)]
#[oai(example, skip_serializing_if_is_none)]
pub(crate) struct NodeReport {
    /// Whether it runs.
    pub(crate) running: bool,
    /// The version of the program.
    pub(crate) version: String,
    /// The name it goes by.
    pub(crate) username: Option<String>,
    /// Its key.
    peer_id: Option<String>,
    /// What becomes of strangers: `open` or `requests`.
    pub(crate) inbound: Option<String>,
    /// Where links come in.
    pub(crate) listening: Option<String>,
    /// This machine's address on the way to the tracker, as it was at the start.
    pub(crate) towards_tracker: Option<String>,
    /// Where it says that it can be dialled. That somebody can is shown by `callers` alone.
    pub(crate) advertised: Vec<Advertised>,
    /// Who has called since it started.
    pub(crate) callers: Vec<Callers>,
    /// How many contacts have a live link.
    pub(crate) links: u64,
    /// For whom something waits.
    pub(crate) outboxes: Vec<OutboxOf>,
    /// Its trackers.
    pub(crate) trackers: Vec<TrackerShown>,
    /// What else somebody should do something about. While nothing runs: why the last start failed.
    pub(crate) findings: Vec<Finding>,
}

fn next(code: Code) -> Option<String> {
    code.next().map(str::to_owned)
}

fn finding(failure: Failure) -> Finding {
    Finding { code: failure.code.to_string(), detail: failure.detail, next: next(failure.code) }
}

const fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Process | Reach::Loopback => "loopback",
        Reach::Private => "private",
        Reach::Public => "public",
    }
}

fn advertised(endpoint: &Endpoint) -> Advertised {
    let shown = match endpoint.host() {
        Some(Host::Ip(ip)) => reach(Reach::across(*ip)),
        Some(Host::Name(_)) => "name",
        None => reach(Reach::Process),
    };
    Advertised { endpoint: endpoint.to_string(), reach: shown.to_owned() }
}

impl From<OutboxReport> for Outbox {
    fn from(outbox: OutboxReport) -> Self {
        Self { messages: outbox.messages, bytes: outbox.bytes, full: outbox.full }
    }
}

impl From<StepReport> for StepShown {
    fn from(report: StepReport) -> Self {
        let (state, failure) = match report.state {
            StepState::Ok => (State::Ok, None),
            StepState::Failed(why) => (State::Failed, Some(why)),
            StepState::NotReached => (State::NotReached, None),
        };
        let (code, detail) = failure.map(|why| (why.code.to_string(), why.detail)).unzip();
        let at = report.at.map(|at| at.to_string());
        Self { step: report.step.as_str().to_owned(), state, at, code, detail }
    }
}

impl From<EndpointReport> for Tried {
    fn from(report: EndpointReport) -> Self {
        let next = report.failure.as_ref().and_then(|why| next(why.code));
        let ok = report.failure.is_none();
        let (code, detail) = report.failure.map(|why| (why.code.to_string(), why.detail)).unzip();
        let (endpoint, step) = (report.endpoint.to_string(), report.step.as_str().to_owned());
        Self { endpoint, at: report.at.to_string(), step, ok, code, detail, next }
    }
}

impl From<PeerDiagnosis> for PeerReport {
    fn from(found: PeerDiagnosis) -> Self {
        let failed = found.failed().map(Step::as_str).map(str::to_owned);
        let next = found.trouble.as_ref().and_then(|why| next(why.code));
        let (code, detail) = found.trouble.map(|why| (why.code.to_string(), why.detail)).unzip();
        Self {
            peer: found.name.to_string(),
            peer_id: found.peer_id.map(|key| key.to_string()),
            connected: found.link.is_some(),
            link: found.link.map(|link| LiveLink {
                endpoint: link.endpoint,
                dialled: link.dialled,
                since: link.since.to_string(),
            }),
            trying: found.trying,
            steps: found.steps.into_iter().map(StepShown::from).collect(),
            tried: found.tried.into_iter().map(Tried::from).collect(),
            outbox: found.outbox.into(),
            mail: found.mail.map(Mailed::from),
            failed: failed.filter(|_| code.is_some()),
            code,
            detail,
            next,
        }
    }
}

fn tracker(found: TrackerDiagnosis) -> TrackerShown {
    let trouble = found.status.trouble.map(|code| Failure {
        code,
        detail: "the tracker did not confirm the registration when it was asked last".to_owned(),
    });
    let trouble = found.failure.or(trouble);
    let next = trouble.as_ref().and_then(|why| next(why.code));
    let (code, detail) = trouble.map(|why| (why.code.to_string(), why.detail)).unzip();
    let answered_in_ms = found.answered_in.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let url = found.status.address;
    TrackerShown { url, confirmed: found.status.confirmed.map(|at| at.to_string()), answered_in_ms, code, detail, next }
}

impl NodeReport {
    /// Of a program in which no node runs.
    fn idle(failed: Option<FailedStart>) -> Self {
        let failed = failed.map(|FailedStart { at, code, detail }| Finding {
            code: code.to_string(),
            detail: format!("the start at {at} failed: {detail}"),
            next: next(code),
        });
        let not_running = || Finding {
            code: Code::NotRunning.to_string(),
            detail: "the node does not run".to_owned(),
            next: next(Code::NotRunning),
        };
        Self {
            running: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            username: None,
            peer_id: None,
            inbound: None,
            listening: None,
            towards_tracker: None,
            advertised: Vec::new(),
            callers: Vec::new(),
            links: 0,
            outboxes: Vec::new(),
            trackers: Vec::new(),
            findings: vec![failed.unwrap_or_else(not_running)],
        }
    }

    fn of(found: NodeDiagnosis, desk: &Desk) -> Self {
        let way = desk.way();
        let callers = found.callers.iter().map(|callers| Callers {
            reach: reach(callers.reach).to_owned(),
            times: callers.times,
            last: callers.last.to_string(),
        });
        let outboxes = found.outboxes.into_iter();
        Self {
            running: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            username: Some(found.username.to_string()),
            peer_id: Some(found.peer_id.to_string()),
            inbound: Some(if found.inbound == Inbound::Open { "open" } else { "requests" }.to_owned()),
            listening: way.map(|way| way.listening.to_string()),
            towards_tracker: way.and_then(|way| way.towards_tracker).map(|ip| ip.to_string()),
            advertised: found.advertised.iter().map(advertised).collect(),
            callers: callers.collect(),
            links: found.links as u64,
            outboxes: outboxes
                .map(|(peer, outbox)| OutboxOf { peer: peer.to_string(), outbox: outbox.into() })
                .collect(),
            trackers: found.trackers.into_iter().map(tracker).collect(),
            findings: found.findings.into_iter().map(finding).collect(),
        }
    }
}

#[OpenApi(tag = "Tag::Node")]
impl DiagnosticsApi {
    /// Show why the node is not reached
    ///
    /// Where it listens, what it advertises, who has called, and how its trackers answer just now. Works whether the node runs
    /// or not. Holds no secret and no text, so that it can be shown to whoever helps. Takes at most five seconds.
    #[oai(path = "/diagnostics", method = "get", operation_id = "diagnostics")]
    async fn diagnostics(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<NodeReport>, Refused<Examining>> {
        let Some(node) = desk.node() else { return Ok(Json(NodeReport::idle(desk.failed_start()))) };
        let found = node.diagnostics().await.map_err(|error| problem(&error))?;
        Ok(Json(NodeReport::of(found, desk)))
    }

    /// Show why a peer is not connected
    ///
    /// What came of the last attempt, step by step and address by address, and what to do about it. Makes no attempt: `POST /connect`
    /// does, and a message to a contact does.
    #[oai(path = "/diagnostics/:name", method = "get", operation_id = "diagnose")]
    async fn diagnose(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the peer.
        #[oai(name = "name")]
        Path(name): Path<String>,
    ) -> Result<Json<PeerReport>, Refused<Diagnosing>> {
        let node = desk.node().ok_or_else(not_running)?;
        let found = node.diagnose(&known_name(&name)?).await.map_err(|error| refusal(&error))?;
        Ok(Json(found.into()))
    }
}
