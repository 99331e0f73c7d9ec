//! What requests and answers look like.

use chatp2p_core::identity::PeerId;
use chatp2p_core::tracker::{Enrolment, LeaseProof, Registration};
use chatp2p_service::Problem;
use data_encoding::BASE64URL_NOPAD;
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::{Deserialize, Serialize};

/// A name and where it is. With `record`, `signature` and `tracker_id` the name belongs to the record's key from then on.
#[derive(Debug, Deserialize, Object)]
#[oai(example, rename = "RegisterRequest")]
pub(super) struct Register {
    /// 1–64 letters and digits of one script, and `.`, `_`, `-`; no spaces.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub(super) username: String,
    /// A host name or IP address of 1–253 bytes. The record's own counts where there is one.
    pub(super) host: String,
    /// 1–65535. The record's own counts where there is one.
    pub(super) port: u16,
    /// A signed record (docs/PROTOCOL.md) in base64url without padding.
    pub(super) record: Option<String>,
    /// The key's signature over the tracker's id and the record: 64 bytes in base64url without padding.
    pub(super) signature: Option<String>,
    /// The id of the tracker for which this was signed: 32 hexadecimal digits, from `GET /health`.
    pub(super) tracker_id: Option<String>,
}

impl Example for Register {
    fn example() -> Self {
        Self {
            username: "alice".to_owned(),
            host: "192.0.2.1".to_owned(),
            port: 5001,
            record: None,
            signature: None,
            tracker_id: None,
        }
    }
}

/// A sign of life.
#[derive(Debug, Deserialize, Object)]
#[oai(example, rename = "HeartbeatRequest")]
pub(super) struct Heartbeat {
    /// The name that was registered.
    pub(super) username: String,
    /// For a name that a key owns: a number higher than in every proof before under this lease.
    pub(super) counter: Option<u64>,
    /// For a name that a key owns: the keyed BLAKE3 MAC (docs/PROTOCOL.md), 32 bytes in base64url without padding.
    pub(super) mac: Option<String>,
}

impl Example for Heartbeat {
    fn example() -> Self {
        Self { username: "alice".to_owned(), counter: None, mac: None }
    }
}

/// A name and where it is, as it is listed.
#[derive(Debug, Serialize, Object)]
#[oai(example, skip_serializing_if_is_none, rename = "Registration")]
pub(super) struct Listed {
    /// The tracker's number for this name; stays the same as long as the name is kept.
    pub(super) id: i64,
    /// The name.
    pub(super) username: String,
    /// A host name or IP address.
    pub(super) host: String,
    /// 1–65535; 0 where the address has none.
    pub(super) port: u16,
    /// Whether it is listed: it has neither left nor expired.
    pub(super) is_active: bool,
    /// When it was last heard of: RFC 3339 in UTC.
    pub(super) last_heartbeat: String,
    /// The key that owns the name: 52 characters of base32; absent where nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer_id: Option<String>,
    /// What the key says about itself, signed (docs/PROTOCOL.md), in base64url without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<String>,
    /// Only in the answer to a new signed claim: the secret of the lease, 32 bytes in base64url without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lease_secret: Option<String>,
}

impl From<&Registration> for Listed {
    fn from(registration: &Registration) -> Self {
        let record = registration.record.as_ref();
        let peer_id = record.map(|record| PeerId::to_string(&record.record().peer_id));
        Self {
            id: registration.id,
            username: registration.username.to_string(),
            host: registration.host.clone(),
            port: registration.port,
            is_active: registration.is_active,
            last_heartbeat: registration.last_heartbeat.to_string(),
            peer_id,
            record: record.map(|record| BASE64URL_NOPAD.encode(&record.encode())),
            lease_secret: None,
        }
    }
}

impl From<Enrolment> for Listed {
    fn from(enrolment: Enrolment) -> Self {
        let lease_secret = enrolment.secret.map(|secret| BASE64URL_NOPAD.encode(&secret));
        Self { lease_secret, ..Self::from(&enrolment.registration) }
    }
}

impl Example for Listed {
    fn example() -> Self {
        Self {
            id: 1,
            username: "alice".to_owned(),
            host: "192.0.2.1".to_owned(),
            port: 5001,
            is_active: true,
            last_heartbeat: "2026-01-31T12:00:00.000Z".to_owned(),
            peer_id: None,
            record: None,
            lease_secret: None,
        }
    }
}

/// Bytes of a known length from base64url without padding.
pub(super) fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], Box<Problem>> {
    blob(field, text)?
        .try_into()
        .map_err(|_| Box::new(Problem::invalid(format!("{field}: {N} bytes in base64url without padding are needed"))))
}

/// Bytes from base64url without padding.
pub(super) fn blob(field: &str, text: &str) -> Result<Vec<u8>, Box<Problem>> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Box::new(Problem::invalid(format!("{field}: not base64url without padding"))))
}

/// The proof of a beat or a farewell: both fields or neither.
pub(super) fn proof(counter: Option<u64>, mac: Option<&str>) -> Result<Option<LeaseProof>, Box<Problem>> {
    match (counter, mac) {
        (None, None) => Ok(None),
        (Some(counter), Some(mac)) => Ok(Some(LeaseProof { counter, mac: bytes("mac", mac)? })),
        _ => Err(Box::new(Problem::invalid("counter and mac come together"))),
    }
}
