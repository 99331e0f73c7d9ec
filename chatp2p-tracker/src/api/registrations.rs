//! Registering a name, keeping it, giving it back.

use chatp2p_core::record::{RecordError, SignedRecord};
use chatp2p_core::tracker::{Claim, ClassicClaim, SignedClaim, TrackerError, TrackerId};
use chatp2p_service::{JsonBody, Problem, Refused, Statuses};
use data_encoding::HEXLOWER_PERMISSIVE;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::body::{Heartbeat, Listed, Register, blob, bytes, proof};
use super::refusal::{known_name, name, refusal};
use super::{Group, Shared, TOO_MANY};

pub(super) struct Registrations {
    shared: Shared,
}

/// The tracker knows that the peer is there.
#[derive(Debug, Object)]
#[oai(example)]
struct Alive {
    /// For people.
    message: String,
    /// The name that is kept.
    username: String,
}

/// The name is off the list.
#[derive(Debug, Object)]
#[oai(example)]
struct Gone {
    /// For people; contains the name.
    message: String,
}

impl Example for Alive {
    fn example() -> Self {
        Self { message: "Heartbeat received".to_owned(), username: "alice".to_owned() }
    }
}

impl Example for Gone {
    fn example() -> Self {
        Self { message: "alice is no longer listed".to_owned() }
    }
}

struct RegisterRefusals;

impl Statuses for RegisterRefusals {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (400, "`invalid_json`: no body, or one that is not JSON."),
        (
            403,
            "`proof_required`: a key owns the name; `proof_invalid`: the signature is wrong; `signature_required`: nobody is listed here without one.",
        ),
        (
            409,
            "`name_taken`; `name_confusable` with `other`; `record_stale` with `known`; `wrong_tracker`: signed for another one.",
        ),
        (408, "`request_timeout`: the body did not come within 20 seconds."),
        (413, "`body_too_large`: over 64 KiB."),
        (415, "`unsupported_media_type`: not `application/json`."),
        (422, "`invalid_input`: a field is missing, mistyped, or not within its rules."),
        (429, TOO_MANY),
        (503, "`storage_failed`: the registration could not be kept."),
        (507, "`tracker_full`: there is no room for another name."),
    ];
}

struct HeartbeatRefusals;

impl Statuses for HeartbeatRefusals {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (400, "`invalid_json`: no body, or one that is not JSON."),
        (
            403,
            "`proof_required`: a key owns the name; `proof_invalid`: the proof is wrong or was used before; `signature_required`: nobody is listed here without a key.",
        ),
        (404, "`unknown_peer`: the name, or this lease of it, is not known; register again."),
        (408, "`request_timeout`: the body did not come within 20 seconds."),
        (413, "`body_too_large`: over 64 KiB."),
        (415, "`unsupported_media_type`: not `application/json`."),
        (422, "`invalid_input`: a field is missing or mistyped."),
        (429, TOO_MANY),
        (503, "`tracker_unreachable`: the tracker is shutting down."),
    ];
}

struct UnregisterRefusals;

impl Statuses for UnregisterRefusals {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (
            403,
            "`proof_required`: a key owns the name; `proof_invalid`: the proof is wrong or was used before; `signature_required`: nobody is listed here without a key.",
        ),
        (404, "`unknown_peer`: the name, or this lease of it, is not known."),
        (422, "`invalid_input`: a parameter is mistyped or not UTF-8."),
        (429, TOO_MANY),
        (503, "`storage_failed`: the farewell could not be kept."),
    ];
}

impl Registrations {
    pub(super) const fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

#[OpenApi(tag = "Group::Registrations")]
impl Registrations {
    /// Register a name.
    ///
    /// Lists a name at an address; the same again counts as a heartbeat. A name that is in use elsewhere is refused. With a
    /// signed record the name belongs to the record's key, which alone can move, keep or free it from then on; the answer
    /// then holds the secret under which heartbeats and the farewell are proved.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(&self, JsonBody(body): JsonBody<Register>) -> Result<Json<Listed>, Refused<RegisterRefusals>> {
        let enrolment = self.shared.tracker.enrol(claim(&body)?).await.map_err(refusal)?;
        self.shared.changed();
        Ok(Json(enrolment.into()))
    }

    /// Stay listed.
    ///
    /// Keeps a name listed for another while; one that had expired is listed again. Every 30 seconds is right. After a 404:
    /// register again.
    #[oai(path = "/heartbeat", method = "post", operation_id = "heartbeat")]
    async fn heartbeat(&self, JsonBody(body): JsonBody<Heartbeat>) -> Result<Json<Alive>, Refused<HeartbeatRefusals>> {
        let name = known_name(&body.username)?;
        let proof = proof(body.counter, body.mac.as_deref())?;
        self.shared.tracker.beat(&name, proof).await.map_err(refusal)?;
        self.shared.changed();
        Ok(Json(Alive { message: "Heartbeat received".to_owned(), username: name.to_string() }))
    }

    /// Leave.
    ///
    /// Takes a name off the list at once. A name that a key owns stays that key's.
    #[oai(path = "/unregister/:username", method = "delete", operation_id = "unregister")]
    async fn unregister(
        &self,
        /// The name that was registered.
        #[oai(example = "example_name")]
        username: Path<String>,
        /// For a name that a key owns: a number higher than in every proof before under this lease.
        #[oai(example = "example_counter")]
        counter: Query<Option<u64>>,
        /// For a name that a key owns: the keyed BLAKE3 MAC (docs/PROTOCOL.md), 32 bytes in base64url without padding.
        #[oai(example = "example_mac")]
        mac: Query<Option<String>>,
    ) -> Result<Json<Gone>, Refused<UnregisterRefusals>> {
        let name = known_name(&username)?;
        let proof = proof(*counter, mac.as_deref())?;
        self.shared.tracker.leave(&name, proof).await.map_err(|error| {
            let is_unknown = matches!(error, TrackerError::Unknown { .. });
            let mut problem = refusal(error);
            if is_unknown {
                // Who is leaving is not to register again.
                problem.detail = format!("the tracker does not know {name}, or not this lease of it");
            }
            problem
        })?;
        self.shared.changed();
        Ok(Json(Gone { message: format!("{name} is no longer listed") }))
    }
}

fn example_name() -> String {
    "alice".to_owned()
}

fn example_counter() -> Option<u64> {
    Some(2)
}

fn example_mac() -> Option<String> {
    Some("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU".to_owned())
}

fn claim(body: &Register) -> Result<Claim, Box<Problem>> {
    let username = name(&body.username)?;
    let (record, signature, tracker_id) = match (&body.record, &body.signature, &body.tracker_id) {
        (None, None, None) => {
            return ClassicClaim::new(username, &body.host, body.port).map(Claim::Classic).map_err(refusal);
        }
        (Some(record), Some(signature), Some(tracker_id)) => (record, signature, tracker_id),
        _ => return Err(Box::new(Problem::invalid("record, signature and tracker_id come together"))),
    };
    let record = SignedRecord::decode(&blob("record", record)?).map_err(|error| match error {
        RecordError::Signature => refusal(TrackerError::ProofInvalid),
        error => Box::new(Problem::invalid(format!("record: {error}"))),
    })?;
    if record.record().username != username {
        return Err(Box::new(Problem::invalid("username: not the name in the record")));
    }
    let tracker_id = HEXLOWER_PERMISSIVE.decode(tracker_id.as_bytes()).ok().and_then(|id| id.try_into().ok());
    let tracker_id =
        tracker_id.ok_or_else(|| Box::new(Problem::invalid("tracker_id: 32 hexadecimal digits are needed")))?;
    let signature = bytes("signature", signature)?;
    SignedClaim::verify(record, TrackerId(tracker_id), signature).map(Claim::Signed).map_err(refusal)
}
