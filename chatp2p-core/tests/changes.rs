//! What a journal was given once must be readable for ever: changes as the bytes that the first version wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chatp2p_core::clock::Wall;
use chatp2p_core::crypto::{KeyRow, KeyRowId, Watchword};
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Epoch, Place};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::storage::{Change, Contact, FirstWords, Request};
use chatp2p_core::testing::profile_store::{at, ciphertext, entry, peer};

fn contact() -> Contact {
    Contact { wanted: true, ..Contact::new(peer(2), "José".parse().unwrap()) }
}

fn everything_known() -> Contact {
    Contact {
        verified: true,
        blocked: true,
        removed: true,
        tracker_name: Some("bob".parse().unwrap()),
        seen: Some(Wall::from_millis(1_700_000_000_123)),
        watchword: Some(Watchword::from_bytes([7; 32])),
        ..contact()
    }
}

fn request() -> Request {
    let first = Some(FirstWords { entry: entry(1), position: at(5, 1) });
    let (name, arrived) = ("eve".parse().unwrap(), Wall::from_millis(1_700_000_000_123));
    Request { peer_id: peer(2), name, arrived, first, refused: true }
}

/// One of each kind, with its bytes.
fn kept() -> Vec<(Change, &'static str)> {
    vec![
        (
            Change::Contact(contact()),
            "8200a100a40058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401654a6f73c3a903\
             f504f4",
        ),
        (
            Change::Queue { peer: peer(2), entry: entry(1), place: None, ciphertext: None },
            "8201a20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a30050000000000000\
             0001e0e0e0e0e0e0e0e0011b0000018bcfe56801028200816e6e722031200020c3b120f09f9880",
        ),
        (
            Change::Queue { peer: peer(2), entry: entry(1), place: Some(at(5, 1)), ciphertext: None },
            "8201a30058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a30050000000000000\
             0001e0e0e0e0e0e0e0e0011b0000018bcfe56801028200816e6e722031200020c3b120f09f988002a300050101025820\
             30cf5697d26bd197df90e3ba1c70223df0708d4b80ab2bf26d7b48560287ed65",
        ),
        (
            Change::Place { peer: peer(2), id: entry(1).id, place: at(5, 1), ciphertext: None },
            "8202a30058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401500000000000000001\
             e0e0e0e0e0e0e0e002a30005010102582030cf5697d26bd197df90e3ba1c70223df0708d4b80ab2bf26d7b48560287ed\
             65",
        ),
        (
            Change::Acknowledged { peer: peer(2), position: at(5, 1) },
            "8203a20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a30005010102582030\
             cf5697d26bd197df90e3ba1c70223df0708d4b80ab2bf26d7b48560287ed65",
        ),
        (
            Change::Received { peer: peer(2), entry: entry(1), position: at(u64::MAX, 1) },
            "8204a30058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a30050000000000000\
             0001e0e0e0e0e0e0e0e0011b0000018bcfe56801028200816e6e722031200020c3b120f09f988002a3001bffffffffff\
             ffffff0101025820d2b3357d49d84c848f7590f585499f18f305095591759ddda3e018a5c1cf7e99",
        ),
        (
            Change::Skipped { peer: peer(2), position: at(5, 9) },
            "8205a20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a300050109025820f5\
             74185ee304aefea5394363a3bb5405602ff16f30beaedb3ee3602c766da188",
        ),
        (Change::Seq(u64::MAX), "8206a1001bffffffffffffffff"),
        (
            Change::Place { peer: peer(2), id: entry(1).id, place: at(5, 1), ciphertext: Some(ciphertext(1)) },
            "8202a40058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401500000000000000001\
             e0e0e0e0e0e0e0e002a30005010102582030cf5697d26bd197df90e3ba1c70223df0708d4b80ab2bf26d7b48560287ed\
             6503a40001015820090909090909090909090909090909090909090909090909090909090909090902f4034800000000\
             00000001",
        ),
        (
            Change::Encrypted { peer: peer(2), epoch: Epoch::new(5), n: 1, ciphertext: ciphertext(2) },
            "8207a40058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3940105020103a400010158\
             20090909090909090909090909090909090909090909090909090909090909090902f503480000000000000002",
        ),
        (
            Change::Keys(KeyRow { id: KeyRowId::Account, version: 7, sealed: vec![1, 2, 3] }),
            "8208a100a30082008001070243010203",
        ),
        (
            Change::Keys(KeyRow { id: KeyRowId::Peer(peer(2)), version: u64::MAX, sealed: Vec::new() }),
            "8208a100a30082018158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394011bffffff\
             ffffffffff0240",
        ),
        (
            Change::Contact(Contact { watchword: None, ..everything_known() }),
            "8200a100a90058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401654a6f73c3a903\
             f504f40af50bf50c63626f620d1b0000018bcfe5687b0ef5",
        ),
        (
            Change::Contact(everything_known()),
            "8200a100aa0058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401654a6f73c3a903\
             f504f40af50bf50c63626f620d1b0000018bcfe5687b0ef50f5820070707070707070707070707070707070707070707\
             0707070707070707070707",
        ),
        (
            Change::Request(request()),
            "8214a100a50058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3940163657665021b00\
             00018bcfe5687b03a200a300500000000000000001e0e0e0e0e0e0e0e0011b0000018bcfe56801028200816e6e722031\
             200020c3b120f09f988001a30005010102582030cf5697d26bd197df90e3ba1c70223df0708d4b80ab2bf26d7b485602\
             87ed6504f5",
        ),
        (Change::RequestGone(peer(2)), "8215a10058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
        (Change::Erase(peer(2)), "8216a10058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"),
        (
            Change::ReadByThem { peer: peer(2), place: Place { epoch: Epoch::new(u64::MAX), n: 3 } },
            "8217a20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a2001bffffffffffff\
             ffff0103",
        ),
        (
            Change::ReadByMe { peer: peer(2), place: Place { epoch: Epoch::new(5), n: 300 } },
            "821818a20058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a200050119012c",
        ),
        (Change::HidesReading(true), "821819a100f5"),
        (
            Change::Mailed {
                peer: peer(2),
                place: Place { epoch: Epoch::new(5), n: 300 },
                at: Wall::from_millis(1_700_000_000_123),
            },
            "82181aa30058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39401a200050119012c021b0000018bcfe5687b",
        ),
    ]
}

#[test]
fn every_change_is_read_as_it_was_once_written() {
    for (change, bytes) in kept() {
        assert_eq!(data_encoding::HEXLOWER.encode(&minicbor::to_vec(&change).unwrap()), bytes, "{change:?}");
        let bytes = data_encoding::HEXLOWER.decode(bytes.as_bytes()).unwrap();
        assert_eq!(minicbor::decode::<Change>(&bytes).unwrap(), change);
    }
}

#[test]
fn a_contact_keeps_its_signed_record() {
    let bob = Identity::from_seed(&[2; 32]);
    let endpoints = vec!["ws://127.0.0.1:5002".parse().unwrap()];
    let record = PeerRecord {
        username: contact().name,
        peer_id: bob.peer_id(),
        endpoints,
        seq: 7,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&bob, record).unwrap();
    let change = Change::Contact(Contact { record: Some(record), ..contact() });
    assert_eq!(minicbor::decode::<Change>(&minicbor::to_vec(&change).unwrap()).unwrap(), change);
}

#[test]
fn a_change_of_a_newer_version_is_refused_and_not_skipped() {
    let unknown = [0x82, 0x18, 0x63, 0xa0];
    assert!(minicbor::decode::<Change>(&unknown).is_err());
}
