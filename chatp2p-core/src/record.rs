//! Where a peer says it can be reached: an [`Endpoint`] is one address, a [`SignedRecord`] is the list that the peer
//! itself signed, so that whoever passes it on cannot change it.

mod endpoint;
mod letterbox;
mod pre_keys;
mod reach;

use minicbor::{Decode, Encode};

pub use endpoint::{Endpoint, EndpointError, Host, MAX_ENDPOINT_BYTES, P2P_PATH};
pub use letterbox::{Letterbox, LetterboxId, MAX_LETTERBOXES, MAX_MAILBOX_ENDPOINTS};
pub use pre_keys::{ExchangeKey, PreKeys};
pub use reach::{Reach, network};

use crate::cbor::{self, Misread};
use crate::identity::{Domain, Identity, PeerId, Username};

/// The most endpoints in a record: a home address, a public one, one per IP version; more would make a record a weapon
/// that points many dials at a victim.
pub const MAX_ENDPOINTS: usize = 4;

/// The largest encoded record in bytes: every field at its bound, and room for fields to come.
pub const MAX_RECORD_BYTES: usize = 4096;

/// What a peer says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PeerRecord {
    /// The name it goes by.
    #[n(0)]
    pub username: Username,
    /// Its key, which signs the record.
    #[n(1)]
    pub peer_id: PeerId,
    /// Where it can be dialled, best first; at most [`MAX_ENDPOINTS`], none with port 0.
    #[n(2)]
    pub endpoints: Vec<Endpoint>,
    /// Rises with every record of this peer; the higher one counts. Not a time.
    #[n(3)]
    pub seq: u64,
    /// With what an encrypted conversation with it begins. A node always has some; a record without them serves only to
    /// be listed.
    #[n(4)]
    pub pre_keys: Option<PreKeys>,
    /// Where mail may be left while it is away, best first; at most [`MAX_LETTERBOXES`].
    #[n(5)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    pub letterboxes: Vec<Letterbox>,
}

/// A [`PeerRecord`] with its owner's signature, verified once, when it was made.
///
/// Keeps the signed bytes as they came: fields that this version does not know stay covered when it is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRecord {
    /// Boxed: records stand in many messages between tasks, which are as large as the largest thing they may carry.
    record: Box<PeerRecord>,
    envelope: Envelope,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Envelope {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    payload: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl SignedRecord {
    /// Signs what this identity says about itself.
    ///
    /// # Errors
    /// [`RecordError`] when the record is not within its bounds or names another key.
    pub fn sign(identity: &Identity, record: PeerRecord) -> Result<Self, RecordError> {
        if record.peer_id != identity.peer_id() {
            return Err(RecordError::Signature);
        }
        record.check()?;
        let payload = minicbor::to_vec(&record).map_err(|_| RecordError::Malformed)?;
        let signature = identity.sign(Domain::Record, &payload);
        Ok(Self { record: Box::new(record), envelope: Envelope { payload, signature } })
    }

    /// Reads and verifies a record that somebody passed on.
    ///
    /// # Errors
    /// [`RecordError`] for anything but a well-formed record within its bounds that carries its own peer's signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLarge);
        }
        let envelope: Envelope = cbor::whole(bytes)?;
        let record: PeerRecord = cbor::whole(&envelope.payload)?;
        record.check()?;
        if !record.peer_id.verifies(Domain::Record, &envelope.payload, &envelope.signature) {
            return Err(RecordError::Signature);
        }
        Ok(Self { record: Box::new(record), envelope })
    }

    /// The bytes to pass on.
    pub fn encode(&self) -> Vec<u8> {
        // Writing to a Vec cannot fail.
        minicbor::to_vec(&self.envelope).unwrap_or_default()
    }

    /// What the peer says.
    pub fn record(&self) -> &PeerRecord {
        &self.record
    }
}

impl PeerRecord {
    fn check(&self) -> Result<(), RecordError> {
        if self.endpoints.len() > MAX_ENDPOINTS || self.letterboxes.len() > MAX_LETTERBOXES {
            return Err(RecordError::TooLarge);
        }
        let all_within_bounds = self.endpoints.iter().all(Endpoint::is_dialable)
            && self.letterboxes.iter().all(Letterbox::is_within_bounds);
        if all_within_bounds { Ok(()) } else { Err(RecordError::Malformed) }
    }
}

impl From<Misread> for RecordError {
    fn from(_: Misread) -> Self {
        Self::Malformed
    }
}

impl<C> Encode<C> for SignedRecord {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.envelope.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for SignedRecord {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let start = d.position();
        d.skip()?;
        let bytes = d.input().get(start..d.position()).unwrap_or_default();
        Self::decode(bytes).map_err(minicbor::decode::Error::custom)
    }
}

/// Why bytes are not a record to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not the CBOR of a record, or a field outside its rules.
    #[error("not a well-formed record")]
    Malformed,
    /// More than [`MAX_RECORD_BYTES`] bytes, [`MAX_ENDPOINTS`] endpoints or [`MAX_LETTERBOXES`] letterboxes.
    #[error(
        "a record has at most {MAX_RECORD_BYTES} bytes, {MAX_ENDPOINTS} endpoints and {MAX_LETTERBOXES} letterboxes"
    )]
    TooLarge,
    /// Not signed by the key that it names.
    #[error("the record is not signed by the key it names")]
    Signature,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Identity {
        Identity::from_seed(&[1; 32])
    }

    fn record() -> PeerRecord {
        PeerRecord {
            username: "alice".parse().unwrap(),
            peer_id: alice().peer_id(),
            endpoints: vec!["ws://127.0.0.1:5001".parse().unwrap()],
            seq: 3,
            pre_keys: Some(PreKeys {
                suite: 1,
                identity: ExchangeKey::from_bytes([5; 32]),
                fallback: ExchangeKey::from_bytes([6; 32]),
            }),
            letterboxes: Vec::new(),
        }
    }

    fn letterbox() -> Letterbox {
        let [carol, drawn] = [4, 5].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
        Letterbox {
            mailbox: carol,
            endpoints: vec!["ws://192.0.2.7:5001".parse().unwrap()],
            id: LetterboxId::of(drawn),
            seal: ExchangeKey::from_bytes([7; 32]),
        }
    }

    #[test]
    fn letterboxes_are_signed_along_and_bounded() {
        let with = |letterboxes| SignedRecord::sign(&alice(), PeerRecord { letterboxes, ..record() });
        let signed = with(vec![letterbox(); MAX_LETTERBOXES]).unwrap();
        assert_eq!(SignedRecord::decode(&signed.encode()), Ok(signed));
        assert_eq!(with(vec![letterbox(); MAX_LETTERBOXES + 1]), Err(RecordError::TooLarge));
        assert_eq!(with(vec![Letterbox { endpoints: Vec::new(), ..letterbox() }]), Err(RecordError::Malformed));
        let endpoints = vec!["ws://192.0.2.7:0".parse().unwrap()];
        assert_eq!(with(vec![Letterbox { endpoints, ..letterbox() }]), Err(RecordError::Malformed));
    }

    #[test]
    fn a_record_with_everything_at_its_bound_is_not_too_large() {
        let host = "h".repeat(63);
        let long = format!("ws://{host}.{host}.{host}.{}:65535", "h".repeat(60));
        let longest: Endpoint = long.parse().unwrap();
        let letterbox = Letterbox { endpoints: vec![longest.clone(); MAX_MAILBOX_ENDPOINTS], ..letterbox() };
        let full = PeerRecord {
            username: "\u{10000}".repeat(64).parse().unwrap(),
            endpoints: vec![longest; MAX_ENDPOINTS],
            letterboxes: vec![letterbox; MAX_LETTERBOXES],
            seq: u64::MAX,
            ..record()
        };
        assert!(SignedRecord::sign(&alice(), full).unwrap().encode().len() <= MAX_RECORD_BYTES);
    }

    #[test]
    fn a_record_reads_back_as_it_was_signed() {
        let signed = SignedRecord::sign(&alice(), record()).unwrap();
        assert_eq!(SignedRecord::decode(&signed.encode()), Ok(signed));
    }

    #[test]
    fn nobody_signs_for_somebody_else() {
        let eve = Identity::from_seed(&[3; 32]);
        assert_eq!(SignedRecord::sign(&eve, record()), Err(RecordError::Signature));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = SignedRecord::sign(&alice(), record()).unwrap().encode();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(SignedRecord::decode(&forged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn truncated_trailing_and_oversized_bytes_are_refused() {
        let bytes = SignedRecord::sign(&alice(), record()).unwrap().encode();
        for end in 0..bytes.len() {
            assert!(SignedRecord::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
        assert!(SignedRecord::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert_eq!(SignedRecord::decode(&vec![0; MAX_RECORD_BYTES + 1]), Err(RecordError::TooLarge));
    }

    #[test]
    fn endpoints_are_bounded_and_dialable() {
        let mut many = record();
        many.endpoints = vec!["ws://127.0.0.1:5001".parse().unwrap(); MAX_ENDPOINTS + 1];
        assert_eq!(SignedRecord::sign(&alice(), many), Err(RecordError::TooLarge));
        let mut nowhere = record();
        nowhere.endpoints = vec!["ws://127.0.0.1:0".parse().unwrap()];
        assert_eq!(SignedRecord::sign(&alice(), nowhere), Err(RecordError::Malformed));
    }
}
