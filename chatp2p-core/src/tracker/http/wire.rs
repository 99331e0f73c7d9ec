//! What requests and answers look like, and how answers are judged: a faulty one is named, never believed.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::Username;
use crate::record::SignedRecord;
use crate::storage::StorageError;
use crate::tracker::registry::address_of;
use crate::tracker::{Claim, ClassicClaim, LeaseProof, Registration, TrackerError, TrackerHealth, TrackerId};

/// How much of a tracker's own words is shown, in characters.
const MAX_DETAIL: usize = 300;

#[derive(Serialize)]
pub(super) struct Register<'a> {
    username: &'a str,
    host: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracker_id: Option<String>,
}

impl<'a> Register<'a> {
    pub(super) fn new(claim: &'a Claim) -> Self {
        let username = claim.username().as_str();
        match claim {
            Claim::Classic(claim) => Self {
                username,
                host: claim.host().to_owned(),
                port: claim.port(),
                record: None,
                signature: None,
                tracker_id: None,
            },
            Claim::Signed(claim) => {
                let (host, port) = address_of(claim.record());
                Self {
                    username,
                    host,
                    port,
                    record: Some(to_text(&claim.record().encode())),
                    signature: Some(to_text(claim.signature())),
                    tracker_id: Some(claim.tracker().to_string()),
                }
            }
        }
    }
}

#[derive(Serialize)]
pub(super) struct Beat<'a> {
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

impl<'a> Beat<'a> {
    pub(super) fn new(name: &'a Username, proof: Option<LeaseProof>) -> Self {
        let counter = proof.map(|proof| proof.counter);
        Self { username: name.as_str(), counter, mac: proof.map(|proof| to_text(&proof.mac)) }
    }
}

/// What a tracker says when it has done something. Anything else that answers 200 to everything has no such field.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(rename = "message")]
    _message: String,
}

/// A registration as it is listed, not yet believed.
#[derive(Deserialize)]
pub(super) struct Listed {
    id: i64,
    pub(super) username: String,
    host: String,
    port: u16,
    is_active: bool,
    last_heartbeat: String,
    #[serde(default)]
    record: Option<String>,
    #[serde(default)]
    lease_secret: Option<String>,
}

impl Listed {
    pub(super) fn secret(&self) -> Result<Option<[u8; 32]>, String> {
        let Some(text) = &self.lease_secret else { return Ok(None) };
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Some).ok_or_else(|| "a lease secret that is none".to_owned())
    }

    /// The registration, if everything in it is within its rules and its record is signed and of this name. The address is
    /// the record's own where there is one, whatever else is said.
    pub(super) fn into_registration(self) -> Result<Registration, String> {
        let username = Username::new(&self.username).map_err(|error| format!("a name that is none: {error}"))?;
        let last_heartbeat = time(&self.last_heartbeat)?;
        let record = match self.record {
            Some(text) => Some(record(&text)?),
            None => None,
        };
        let (host, port) = match &record {
            Some(record) if record.record().username != username => {
                return Err("a record of another name than it is listed under".to_owned());
            }
            Some(record) => address_of(record),
            None => {
                ClassicClaim::new(username.clone(), &self.host, self.port).map_err(|error| error.to_string())?;
                (self.host, self.port)
            }
        };
        Ok(Registration { id: self.id, username, host, port, is_active: self.is_active, last_heartbeat, record })
    }
}

#[derive(Deserialize)]
pub(super) struct Health {
    total_peers: usize,
    active_peers: usize,
    timestamp: String,
    tracker_id: String,
}

impl Health {
    pub(super) fn into_health(self) -> Result<TrackerHealth, String> {
        let id = HEXLOWER_PERMISSIVE.decode(self.tracker_id.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(TrackerHealth {
            tracker_id: TrackerId(id.ok_or("a tracker id that is none")?),
            total_peers: self.total_peers,
            active_peers: self.active_peers,
            now: time(&self.timestamp)?,
        })
    }
}

/// A refusal (RFC 9457).
#[derive(Deserialize)]
pub(super) struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    known: Option<u64>,
    #[serde(default)]
    other: Option<String>,
}

impl Problem {
    /// The error that a tracker of one's own would have given. `name` is what the request was about, if it was about one.
    pub(super) fn into_error(self, url: &str, status: u16, name: Option<&Username>) -> TrackerError {
        let code = Code::ALL.iter().copied().find(|code| code.as_str() == self.code);
        let reason: String = self.detail.chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect();
        let other = self.other.as_deref().and_then(|other| Username::new(other).ok());
        match (code, name.cloned(), other, self.known) {
            (Some(Code::NameTaken), Some(name), ..) => TrackerError::NameTaken { name },
            (Some(Code::NameConfusable), Some(name), Some(other), _) => TrackerError::NameConfusable { name, other },
            (Some(Code::ProofRequired), Some(name), ..) => TrackerError::ProofRequired { name },
            (Some(Code::UnknownPeer), Some(name), ..) => TrackerError::Unknown { name },
            (Some(Code::SignatureRequired), Some(name), ..) => TrackerError::SignatureRequired { name },
            (Some(Code::TooManyRequests), ..) => TrackerError::TooManyRequests { reason },
            (Some(Code::ProofInvalid), ..) => TrackerError::ProofInvalid,
            (Some(Code::WrongTracker), ..) => TrackerError::WrongTracker,
            (Some(Code::RecordStale), _, _, Some(known)) => TrackerError::RecordStale { known },
            (Some(Code::InvalidInput), ..) => TrackerError::Invalid { reason },
            (Some(Code::TrackerFull), ..) => TrackerError::Full,
            (Some(Code::StorageFailed), ..) => StorageError::Unavailable { reason, source: None }.into(),
            (Some(Code::TrackerUnreachable | Code::Busy), ..) => {
                TrackerError::Unreachable { url: url.to_owned(), source: Some(reason.into()) }
            }
            _ => TrackerError::Protocol { url: url.to_owned(), reason: format!("status {status}: {reason}") },
        }
    }
}

/// What is wrong with JSON, without its content.
pub(super) fn fault(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => format!("other fields than a tracker's (column {})", error.column()),
        _ => "no JSON".to_owned(),
    }
}

pub(super) fn to_text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn record(text: &str) -> Result<SignedRecord, String> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| "a record that is no base64url".to_owned())?;
    SignedRecord::decode(&bytes).map_err(|error| format!("a record that does not hold: {error}"))
}

fn time(text: &str) -> Result<Wall, String> {
    let time: SystemTime = humantime::parse_rfc3339(text).map_err(|_| "a time that is not RFC 3339".to_owned())?;
    Ok(Wall::from(time))
}
