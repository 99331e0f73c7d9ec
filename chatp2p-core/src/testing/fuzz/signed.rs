//! What somebody has signed: records, and what is said about keys. Whatever is changed about one, it is refused or means
//! what it meant.

use std::sync::OnceLock;

use super::{Choices, Depth};
use crate::crypto::{Nack, OLM_V2, Offer};
use crate::identity::{Domain, Identity, PeerId};
use crate::message::Epoch;
use crate::record::{ExchangeKey, MAX_ENDPOINTS, MAX_RECORD_BYTES, PeerRecord, PreKeys, SignedRecord};

pub(super) fn alice() -> &'static Identity {
    static ALICE: OnceLock<Identity> = OnceLock::new();
    ALICE.get_or_init(|| Identity::from_seed(&[1; 32]))
}

fn bob() -> PeerId {
    static BOB: OnceLock<PeerId> = OnceLock::new();
    *BOB.get_or_init(|| Identity::from_seed(&[2; 32]).peer_id())
}

pub(super) fn pre_keys() -> PreKeys {
    PreKeys { suite: OLM_V2, identity: ExchangeKey::from_bytes([5; 32]), fallback: ExchangeKey::from_bytes([6; 32]) }
}

fn peer_record() -> PeerRecord {
    let endpoints = ["ws://127.0.0.1:5001", "wss://chat.example.org:443", "ws://[::1]:80", "memory:alice"];
    PeerRecord {
        username: "alice".parse().unwrap(),
        peer_id: alice().peer_id(),
        endpoints: endpoints.map(|endpoint| endpoint.parse().unwrap()).to_vec(),
        seq: 3,
        pre_keys: Some(pre_keys()),
        letterboxes: Vec::new(),
    }
}

pub(super) fn signed_record() -> SignedRecord {
    static SIGNED: OnceLock<SignedRecord> = OnceLock::new();
    SIGNED.get_or_init(|| SignedRecord::sign(alice(), peer_record()).unwrap()).clone()
}

/// Any bytes as a record; a real one that was changed; and one that its owner signed without looking at it.
pub(super) fn record(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    let record = match choices.byte() % 3 {
        0 => {
            let bytes = choices.rest();
            let record = SignedRecord::decode(bytes);
            assert!(record.is_err() || SignedRecord::decode(&[bytes, &[0]].concat()).is_err(), "nothing may trail");
            record
        }
        1 => {
            let record = SignedRecord::decode(&choices.edit(&signed_record().encode()));
            assert!(record.as_ref().is_ok_and(|record| *record.record() == peer_record()) || record.is_err());
            record
        }
        _ => {
            let mut payload = choices.edit(&minicbor::to_vec(peer_record()).unwrap());
            let record = SignedRecord::decode(&signed_blindly(&payload));
            payload.push(0);
            assert!(record.is_err() || SignedRecord::decode(&signed_blindly(&payload)).is_err(), "nothing may trail");
            record
        }
    };
    let Ok(record) = record else { return Depth::Refused };
    let said = record.record();
    assert!(said.endpoints.len() <= MAX_ENDPOINTS);
    assert!(said.endpoints.iter().all(|endpoint| endpoint.port() != Some(0)));
    assert!(record.encode().len() <= MAX_RECORD_BYTES);
    assert_eq!(SignedRecord::decode(&record.encode()).as_ref(), Ok(&record));
    Depth::Deep
}

/// What alice signs without looking at it.
fn signed_blindly(payload: &[u8]) -> Vec<u8> {
    let signature = alice().sign(Domain::Record, payload);
    let mut bytes = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    let written = encoder.map(2).and_then(|e| e.u8(0)?.bytes(payload)?.u8(1)?.bytes(&signature).map(drop));
    written.unwrap();
    bytes
}

pub(super) fn record_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[0][..], &signed_record().encode()].concat()];
    seeds.extend(edit_seeds().into_iter().flat_map(|edit| [[&[1][..], &edit].concat(), [&[2][..], &edit].concat()]));
    let bare = PeerRecord { endpoints: Vec::new(), pre_keys: None, ..peer_record() };
    seeds.push([&[0][..], &SignedRecord::sign(alice(), bare).unwrap().encode()].concat());
    seeds
}

/// What is said about keys, changed. It holds for whom it was signed, and for nobody else.
pub(super) fn statements(input: &[u8]) -> Depth {
    static REAL: OnceLock<(Offer, Nack, [Vec<u8>; 2])> = OnceLock::new();
    let (offer, nack, bytes) = REAL.get_or_init(|| {
        let offer = Offer::sign(alice(), &pre_keys(), bob(), ExchangeKey::from_bytes([3; 32]));
        let nack = Nack::sign(alice(), bob(), Epoch::new(5), 7, [8; 32]);
        let bytes = [minicbor::to_vec(offer).unwrap(), minicbor::to_vec(nack).unwrap()];
        (offer, nack, bytes)
    });
    let mut choices = Choices::new(input);
    let (kind, me, keys) = (choices.byte() % 2, alice().peer_id(), pre_keys());
    let holds = if kind == 0 {
        let Ok(read) = minicbor::decode::<Offer>(&choices.edit(&bytes[0])) else { return Depth::Refused };
        let holds = read.is_from(me, &keys, bob());
        assert_eq!(holds, read == *offer);
        let others = PreKeys { identity: keys.fallback, ..keys };
        assert!(!read.is_from(bob(), &keys, me) && !read.is_from(me, &keys, me) && !read.is_from(me, &others, bob()));
        holds
    } else {
        let Ok(read) = minicbor::decode::<Nack>(&choices.edit(&bytes[1])) else { return Depth::Refused };
        let holds = read.is_from(me, bob());
        assert_eq!(holds, read == *nack);
        assert!(!read.is_from(bob(), me) && !read.is_from(me, me));
        holds
    };
    // A signature that was looked at and does not hold is as deep as one that does.
    assert!(holds || !choices.is_over() || !input.is_empty());
    Depth::Deep
}

/// Edits of every kind.
pub(super) fn edit_seeds() -> Vec<Vec<u8>> {
    let edits: [&[u8]; 6] = [
        &[0],
        &[1, 0, 0, 9, 1],
        &[1, 1, 0, 30],
        &[1, 2, 0, 4, 0],
        &[1, 3, 0, 70],
        &[2, 4, 0, 8, 4, 1, 2, 3, 4, 0, 0, 2, 64],
    ];
    edits.into_iter().flat_map(|edit| [[&[0][..], edit].concat(), [&[1][..], edit].concat()]).collect()
}
