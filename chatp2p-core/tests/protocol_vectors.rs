//! The test vectors of `docs/PROTOCOL.md`, built here from fixed keys and compared with the text, so that the document
//! cannot say something else than the code does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;

use chatp2p_core::clock::Wall;
use chatp2p_core::crypto::{Ciphertext, Mark, Nack, OLM_V2, Offer, SessionId, Watchword};
use chatp2p_core::identity::{ContactLink, Domain, Fingerprint, Identity, SafetyNumber, Username};
use chatp2p_core::mailbox::wire::{Answer, Kept, Refusal, Request, Terms, encode_answer, encode_request};
use chatp2p_core::mailbox::{BoxKeys, MailboxAddress, mail};
use chatp2p_core::message::{Body, Conversation, Entry, EntryId, Epoch, LogHash, Place, Position};
use chatp2p_core::protocol::wire::{self, Content, EpochEnd, Frame, Letter, LogEntry, Reason};
use chatp2p_core::record::{ExchangeKey, Letterbox, PeerRecord, PreKeys, SignedRecord};
use chatp2p_core::tracker::{Lease, LeaseAction, SignedClaim, TrackerId};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");

fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn bob() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn talk() -> Conversation {
    Conversation::direct(alice().peer_id(), bob().peer_id())
}

fn record() -> SignedRecord {
    let record = PeerRecord {
        username: "alice".parse().unwrap(),
        peer_id: alice().peer_id(),
        endpoints: vec!["ws://192.0.2.1:5001".parse().unwrap()],
        seq: 1_700_000_000_000,
        pre_keys: Some(pre_keys()),
        letterboxes: Vec::new(),
    };
    SignedRecord::sign(&alice(), record).unwrap()
}

fn pre_keys() -> PreKeys {
    let [identity, fallback] = [0x33, 0x44].map(|byte| ExchangeKey::from_bytes([byte; 32]));
    PreKeys { suite: OLM_V2, identity, fallback }
}

const EPOCH: Epoch = Epoch::new(0x0102_0304_0506_0708);
const LATER: Epoch = Epoch::new(0x1112_1314_1516_1718);

fn saying(id: u8, text: &str) -> Entry {
    let id = EntryId::from_bytes([id; 16]);
    Entry { id, written: Wall::from_millis(1_700_000_000_123), body: Body::Text(text.to_owned()) }
}

fn first_hash() -> LogHash {
    saying(0xaa, "hello").chain(talk(), EPOCH, 1, None)
}

fn second_hash() -> LogHash {
    saying(0xbb, "¡Hola Bob!").chain(talk(), EPOCH, 2, Some(first_hash()))
}

fn letters() -> Vec<(&'static str, Letter)> {
    let letter = |epoch, n, before, follows, content| {
        let (from, to) = (alice().peer_id(), bob().peer_id());
        Letter { conversation: talk(), from, to, epoch, n, before, follows, content }
    };
    let says = |id, text| Content::Entry(saying(id, text));
    let follows = Some(EpochEnd { epoch: EPOCH, n: 2 });
    vec![
        ("letter first", letter(EPOCH, 1, None, None, says(0xaa, "hello"))),
        ("letter second", letter(EPOCH, 2, Some(first_hash()), None, says(0xbb, "¡Hola Bob!"))),
        ("letter erased", letter(EPOCH, 2, Some(first_hash()), None, Content::Erased(second_hash()))),
        ("letter new-epoch", letter(LATER, 1, None, follows, says(0xcc, "back again"))),
    ]
}

/// What a ratchet makes of a letter is different each time. These bytes stand for it.
fn ciphertext() -> Ciphertext {
    let session = SessionId::from_bytes([0x5e; 32]);
    Ciphertext { suite: OLM_V2, session, begins: true, message: vec![0xc1, 0xc2, 0xc3] }
}

fn offer() -> Offer {
    Offer::sign(&alice(), &pre_keys(), bob().peer_id(), ExchangeKey::from_bytes([0x66; 32]))
}

fn nack() -> Nack {
    Nack::sign(&bob(), alice().peer_id(), EPOCH, 2, ciphertext().hash())
}

const SALT: [u8; 16] = [0x5a; 16];

fn watchword() -> Watchword {
    Watchword::of(&alice())
}

/// Carol asks bob where alice is.
fn mark() -> Mark {
    let carol = Identity::from_seed(&[4; 32]).peer_id();
    watchword().mark(alice().peer_id(), &SALT, carol, bob().peer_id())
}

#[test]
fn a_mark_is_made_as_the_document_says() {
    let word = blake3::derive_key("chatp2p watchword v1", &[1; 32]);
    let ends = [alice().peer_id(), Identity::from_seed(&[4; 32]).peer_id(), bob().peer_id()];
    let [sought, asker, asked] = ends.map(|peer| *peer.as_bytes());
    let said = [&word[..], &sought, &SALT, &asker, &asked].concat();
    let mark: [u8; 16] = blake3::derive_key("chatp2p seek v1", &said)[..16].try_into().unwrap();
    let documented = documented();
    assert!(documented["frame greeting-watchword"].ends_with(&word));
    let spelt_out = Frame::Seek { salt: SALT, of: vec![Mark::from_bytes(mark), Mark::from_bytes([0xdd; 16])] };
    assert_eq!(wire::encode(&spelt_out), documented["frame seek"]);
}

fn frames() -> Vec<(&'static str, Frame)> {
    let entry =
        |epoch, n, before, follows| Frame::Entry(LogEntry { epoch, n, before, follows, ciphertext: ciphertext() });
    let second = Position { epoch: EPOCH, n: 2, hash: second_hash() };
    let follows = Some(EpochEnd { epoch: EPOCH, n: 2 });
    vec![
        ("frame hello", Frame::Hello { record: record() }),
        ("frame greeting-empty", Frame::Greeting { have: Vec::new(), offer: None, watchword: None }),
        ("frame greeting", Frame::Greeting { have: vec![second], offer: Some(offer()), watchword: None }),
        ("frame greeting-watchword", Frame::Greeting { have: Vec::new(), offer: None, watchword: Some(watchword()) }),
        ("frame entry-first", entry(EPOCH, 1, None, None)),
        ("frame entry-second", entry(EPOCH, 2, Some(first_hash()), None)),
        ("frame entry-new-epoch", entry(LATER, 1, None, follows)),
        ("frame nack", Frame::Nack(nack())),
        ("frame ack", Frame::Ack(second)),
        ("frame read", Frame::Read(Place { epoch: EPOCH, n: 2 })),
        ("frame seek", Frame::Seek { salt: SALT, of: vec![mark(), Mark::from_bytes([0xdd; 16])] }),
        ("frame records", Frame::Records { records: vec![record()] }),
        ("frame goodbye-disconnected", Frame::Goodbye { reason: Reason::Disconnected }),
        ("frame goodbye-stopped", Frame::Goodbye { reason: Reason::Stopped }),
        ("frame goodbye-superseded", Frame::Goodbye { reason: Reason::Superseded }),
        ("frame goodbye-refused", Frame::Goodbye { reason: Reason::Refused("key_changed".to_owned()) }),
    ]
}

fn letterbox() -> (BoxKeys, Letterbox, MailboxAddress) {
    let carol = Identity::from_seed(&[4; 32]).peer_id();
    let address = MailboxAddress::new(carol, vec!["ws://192.0.2.7:5001".parse().unwrap()]).unwrap();
    let keys = BoxKeys::from_seed(&[6; 32]);
    let letterbox = keys.letterbox(&address);
    (keys, letterbox, address)
}

fn mailboxes() -> Vec<(&'static str, Vec<u8>)> {
    let (keys, letterbox, _) = letterbox();
    let frame = wire::encode(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).into();
    let sealed = mail::seal_with(&[0x99; 32], &alice(), &record(), &letterbox, &[frame]).unwrap();
    let kept = Kept::sign(&Identity::from_seed(&[4; 32]), keys.id(), &sealed);
    let terms = Terms { mails: 2_000, bytes: 64 << 20, keeps: 604_800, stays: 7_776_000 };
    vec![
        ("letterbox id", keys.id().key().as_bytes().to_vec()),
        ("letterbox seal", keys.seal().as_bytes().to_vec()),
        ("mail sealed", sealed),
        ("mailbox open", encode_request(&Request::Open)),
        ("mailbox take", encode_request(&Request::Take { numbers: vec![1, 2, 300] })),
        ("mailbox opened", encode_answer(&Answer::Opened(terms))),
        ("mailbox kept", encode_answer(&Answer::Kept(kept))),
        ("mailbox refused", encode_answer(&Answer::Refused(Refusal::Full))),
    ]
}

#[test]
fn the_documented_mail_opens_and_the_mailboxs_word_holds() {
    let documented = documented();
    let (keys, _, address) = letterbox();
    let opened = mail::open(&keys, address.peer_id(), &documented["mail sealed"]).unwrap();
    assert_eq!((opened.from, &opened.frames[..]), (record(), &[documented["frame greeting-empty"].clone().into()][..]));
    // Spelt out as the document does.
    let said = [keys.id().key().as_bytes(), &blake3::hash(&documented["mail sealed"]).as_bytes()[..]].concat();
    let kept = &documented["mailbox kept"];
    let signature: [u8; 64] = kept[kept.len() - 64..].try_into().unwrap();
    assert!(address.peer_id().verifies(Domain::MailKept, &said, &signature));
    let text = address.to_string();
    assert!(include_str!("../../docs/PROTOCOL.md").lines().any(|line| line == text), "the document has not {text}");
}

fn everything_else() -> Vec<(&'static str, Vec<u8>)> {
    let tracker = TrackerId([0x77; 16]);
    let claim = SignedClaim::sign(&alice(), record(), tracker);
    let lease = Lease::new("alice".parse().unwrap(), Some([0x55; 32]));
    let (beat, farewell) =
        (lease.prove(LeaseAction::Heartbeat).unwrap(), lease.prove(LeaseAction::Unregister).unwrap());
    assert_eq!((beat.counter, farewell.counter), (1, 2));
    vec![
        ("key alice", alice().peer_id().as_bytes().to_vec()),
        ("key bob", bob().peer_id().as_bytes().to_vec()),
        ("conversation", talk().as_bytes().to_vec()),
        ("hash first", first_hash().as_bytes().to_vec()),
        ("hash second", second_hash().as_bytes().to_vec()),
        ("hash ciphertext", ciphertext().hash().to_vec()),
        ("record", record().encode()),
        ("claim signature", claim.signature().to_vec()),
        ("lease heartbeat", beat.mac.to_vec()),
        ("lease unregister", farewell.mac.to_vec()),
    ]
}

fn vectors() -> BTreeMap<String, Vec<u8>> {
    let frames = frames().into_iter().map(|(name, frame)| (name, wire::encode(&frame)));
    let letters = letters().into_iter().map(|(name, letter)| (name, wire::encode_letter(&letter)));
    let others = everything_else().into_iter().chain(mailboxes());
    frames.chain(letters).chain(others).map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// The fenced blocks of the document that are marked `vector NAME`.
fn documented() -> BTreeMap<String, Vec<u8>> {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let mut found = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some((name, mut hex)) = open.take() {
            if line == "```" {
                let bytes = from_hex(&hex).unwrap_or_else(|| panic!("{name} is not hexadecimal: {hex}"));
                assert!(found.insert(name.clone(), bytes).is_none(), "{name} stands there twice");
            } else {
                hex.push_str(line);
                open = Some((name, hex));
            }
        } else if let Some(name) = line.strip_prefix("```vector ") {
            open = Some((name.to_owned(), String::new()));
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect()
}

/// As the document has it: 32 bytes a line.
fn shown(bytes: &[u8]) -> String {
    let lines: Vec<String> =
        bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    lines.join("\n")
}

#[test]
fn the_document_has_every_vector_and_no_other() {
    let (built, documented) = (vectors(), documented());
    for (name, bytes) in &built {
        assert_eq!(
            documented.get(name),
            Some(bytes),
            "the document needs this:\n```vector {name}\n{}\n```",
            shown(bytes)
        );
    }
    for name in documented.keys() {
        assert!(built.contains_key(name), "nothing builds {name}");
    }
}

#[test]
fn every_documented_frame_reads_back_and_is_written_alike() {
    let documented = documented();
    for (name, frame) in frames() {
        let bytes = &documented[name];
        assert_eq!(wire::decode(bytes).as_ref(), Ok(&frame), "{name}");
        assert_eq!(&wire::encode(&frame), bytes, "{name}");
    }
}

#[test]
fn every_documented_letter_reads_back() {
    let documented = documented();
    for (name, letter) in letters() {
        assert_eq!(wire::decode_letter(&documented[name]).as_ref(), Ok(&letter), "{name}");
    }
}

#[test]
fn the_documented_proofs_hold_for_what_the_document_says_they_are_about() {
    let documented = documented();
    let record = SignedRecord::decode(&documented["record"]).unwrap();
    assert_eq!(record.record().peer_id, alice().peer_id());
    // Spelt out as the document does, not through the code that made it.
    let statement = [&[0x77; 16][..], &documented["record"]].concat();
    let signature: [u8; 64] = documented["claim signature"].clone().try_into().unwrap();
    assert!(alice().peer_id().verifies(Domain::Claim, &statement, &signature));
    let offered = [&[OLM_V2][..], &[0x33; 32], bob().peer_id().as_bytes(), &[0x66; 32]].concat();
    let signature = |frame: &str| <[u8; 64]>::try_from(&documented[frame][documented[frame].len() - 64..]).unwrap();
    assert!(alice().peer_id().verifies(Domain::OneTimeKey, &offered, &signature("frame greeting")));
    let place = [&0x0102_0304_0506_0708_u64.to_be_bytes()[..], &2_u64.to_be_bytes()].concat();
    let unread = [alice().peer_id().as_bytes(), &place[..], &documented["hash ciphertext"]].concat();
    assert!(bob().peer_id().verifies(Domain::Nack, &unread, &signature("frame nack")));
    let name: Username = "alice".parse().unwrap();
    for (vector, action, counter) in [("lease heartbeat", 1_u8, 1_u64), ("lease unregister", 2, 2)] {
        let said = [&b"chatp2p/lease/v1\0"[..], &[action], &counter.to_be_bytes(), name.as_str().as_bytes()].concat();
        assert_eq!(blake3::keyed_hash(&[0x55; 32], &said).as_bytes()[..], documented[vector], "{vector}");
    }
}

#[test]
fn the_document_has_the_safety_number_and_the_links_of_alice_and_bob() {
    let (alice, bob) = (alice().peer_id(), bob().peer_id());
    let number = SafetyNumber::new(alice, bob);
    let link = ContactLink::new(bob, "bob".parse().unwrap());
    let hinted = ContactLink::new(alice, "José".parse().unwrap()).at_tracker("https://example.org:8000").unwrap();
    let texts = [
        Fingerprint::of(alice).to_string(),
        Fingerprint::of(bob).to_string(),
        number.to_string(),
        number.scannable(),
        link.to_string(),
        hinted.to_string(),
    ];
    for text in texts {
        assert!(include_str!("../../docs/PROTOCOL.md").lines().any(|line| line == text), "the document has not {text}");
    }
}
