//! What the wire lets in and what it refuses, over arbitrary frames and arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use chatp2p_core::clock::Wall;
use chatp2p_core::crypto::{Ciphertext, Keyring, Mark, Nack, Offer, Seeded, SessionId, Watchword};
use chatp2p_core::identity::{Domain, Identity};
use chatp2p_core::message::{
    Body, Conversation, Entry, EntryId, Epoch, LogHash, MAX_FRAME_BYTES, MAX_TEXT_BYTES, Place, Position,
};
use chatp2p_core::protocol::wire::{
    self, Content, EpochEnd, Frame, Letter, LogEntry, MAX_DEPTH, MAX_POSITIONS, MAX_REASON_BYTES, MAX_RECORDS,
    MAX_SOUGHT, Reason, VERSION, WireError,
};
use chatp2p_core::record::{Endpoint, MAX_ENDPOINTS, PeerRecord, SignedRecord};
use chatp2p_core::testing::node::Correspondent;
use chatp2p_core::testing::profile_store::ciphertext as ciphertext_of;
use proptest::collection::vec;
use proptest::prelude::*;

/// Nothing that is refused may take longer than this, whatever it looks like.
const PROMPT: Duration = Duration::from_secs(2);

fn position() -> impl Strategy<Value = Position> {
    (any::<u64>(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(epoch, n, hash)| Position {
        epoch: Epoch::new(epoch),
        n,
        hash: LogHash::from_bytes(hash),
    })
}

fn record() -> impl Strategy<Value = SignedRecord> {
    let name = prop_oneof![Just("alice"), Just("José-ñandú"), Just("боб"), Just("x")];
    let endpoint = prop_oneof![
        (1..=u16::MAX).prop_map(|port| format!("ws://192.0.2.1:{port}")),
        (1..=u16::MAX).prop_map(|port| format!("wss://[2001:db8::1]:{port}")),
        Just("memory:bob".to_owned()),
    ];
    (any::<[u8; 32]>(), name, vec(endpoint, 0..=MAX_ENDPOINTS), any::<u64>()).prop_map(
        |(seed, name, endpoints, seq)| {
            let identity = Identity::from_seed(&seed);
            let endpoints = endpoints.iter().map(|text| text.parse::<Endpoint>().unwrap()).collect();
            let record = PeerRecord {
                username: name.parse().unwrap(),
                peer_id: identity.peer_id(),
                endpoints,
                seq,
                pre_keys: None,
                letterboxes: Vec::new(),
            };
            SignedRecord::sign(&identity, record).unwrap()
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let entry = (any::<[u8; 16]>(), any::<u64>(), ".{0,200}").prop_map(|(id, written, text)| {
        let (id, written) = (EntryId::from_bytes(id), Wall::from_millis(written));
        Content::Entry(Entry { id, written, body: Body::Text(text) })
    });
    prop_oneof![4 => entry, 1 => any::<[u8; 32]>().prop_map(|hash| Content::Erased(LogHash::from_bytes(hash)))]
}

/// An entry at a place that makes sense: the first of an epoch has nothing before it, the others follow no epoch.
fn log_entry() -> impl Strategy<Value = LogEntry> {
    let first = proptest::option::of((any::<u64>(), any::<u64>()))
        .prop_map(|follows| (1, None, follows.map(|(epoch, n)| EpochEnd { epoch: Epoch::new(epoch), n })));
    let later = (2..=u64::MAX, any::<[u8; 32]>()).prop_map(|(n, hash)| (n, Some(LogHash::from_bytes(hash)), None));
    (any::<u64>(), prop_oneof![first, later], ciphertext()).prop_map(|(epoch, (n, before, follows), ciphertext)| {
        LogEntry { epoch: Epoch::new(epoch), n, before, follows, ciphertext }
    })
}

fn ciphertext() -> impl Strategy<Value = Ciphertext> {
    (any::<u8>(), any::<[u8; 32]>(), any::<bool>(), vec(any::<u8>(), 0..300)).prop_map(
        |(suite, session, begins, message)| Ciphertext {
            suite,
            session: SessionId::from_bytes(session),
            begins,
            message,
        },
    )
}

fn letter() -> impl Strategy<Value = Letter> {
    let peer = || any::<[u8; 32]>().prop_map(|seed| Identity::from_seed(&seed).peer_id());
    (peer(), peer(), log_entry(), content()).prop_map(
        |(from, to, LogEntry { epoch, n, before, follows, .. }, content)| Letter {
            conversation: Conversation::direct(from, to),
            from,
            to,
            epoch,
            n,
            before,
            follows,
            content,
        },
    )
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        Just(Reason::Disconnected),
        Just(Reason::Stopped),
        Just(Reason::Superseded),
        "[a-z_]{0,64}".prop_map(Reason::Refused),
    ]
}

/// What is signed with a keyring.
fn spoken() -> impl Strategy<Value = (Offer, Nack)> {
    (any::<[u8; 32]>(), any::<u64>(), any::<u64>()).prop_map(|(seed, epoch, n)| {
        let (me, other) = (Identity::from_seed(&seed), Identity::from_seed(&[2; 32]).peer_id());
        let mut keyring = Keyring::load(me, &Seeded::new(seed), Vec::new(), seed, Wall::default()).unwrap();
        (keyring.offer(other), keyring.nack(other, Epoch::new(epoch), n, seed))
    })
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        1 => record().prop_map(|record| Frame::Hello { record }),
        2 => vec(position(), 0..=MAX_POSITIONS).prop_map(|have| Frame::Greeting { have, offer: None, watchword: None }),
        1 => spoken().prop_map(|(offer, _)| Frame::Greeting { have: Vec::new(), offer: Some(offer), watchword: None }),
        1 => spoken().prop_map(|(_, nack)| Frame::Nack(nack)),
        4 => log_entry().prop_map(Frame::Entry),
        2 => position().prop_map(Frame::Ack),
        1 => position().prop_map(|Position { epoch, n, .. }| Frame::Read(Place { epoch, n })),
        1 => reason().prop_map(|reason| Frame::Goodbye { reason }),
        1 => any::<[u8; 32]>().prop_map(Watchword::from_bytes).prop_map(|word| Frame::Greeting {
            have: Vec::new(),
            offer: None,
            watchword: Some(word)
        }),
        1 => (any::<[u8; 16]>(), vec(any::<[u8; 16]>().prop_map(Mark::from_bytes), 0..=MAX_SOUGHT))
            .prop_map(|(salt, of)| Frame::Seek { salt, of }),
        1 => vec(record(), 0..3).prop_map(|records| Frame::Records { records }),
    ]
}

/// Whatever is let in means the same after it was written again.
fn is_stable(bytes: &[u8]) {
    if let Ok(frame) = wire::decode(bytes) {
        assert_eq!(wire::decode(&wire::encode(&frame)), Ok(frame));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_reads_back_as_it_was_written(frame in frame()) {
        prop_assert_eq!(wire::decode(&wire::encode(&frame)), Ok(frame));
    }

    #[test]
    fn a_letter_reads_back_as_it_was_written_and_not_if_it_is_cut_or_followed(letter in letter()) {
        let bytes = wire::encode_letter(&letter);
        prop_assert_eq!(wire::decode_letter(&bytes), Ok(letter));
        for end in 0..bytes.len() {
            prop_assert!(wire::decode_letter(&bytes[..end]).is_err(), "{} of {} bytes", end, bytes.len());
        }
        prop_assert!(wire::decode_letter(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_frame_that_is_cut_off_anywhere_is_refused(frame in frame()) {
        let bytes = wire::encode(&frame);
        for end in 0..bytes.len() {
            prop_assert!(wire::decode(&bytes[..end]).is_err(), "{} of {} bytes", end, bytes.len());
        }
    }

    #[test]
    fn a_frame_that_something_follows_is_refused(frame in frame(), tail in vec(any::<u8>(), 1..20)) {
        let bytes = [wire::encode(&frame), tail].concat();
        prop_assert!(wire::decode(&bytes).is_err());
    }

    #[test]
    fn a_frame_of_another_version_is_refused(frame in frame(), version in any::<u8>()) {
        prop_assume!(version != VERSION);
        let mut bytes = wire::encode(&frame);
        bytes[0] = version;
        prop_assert_eq!(wire::decode(&bytes), Err(WireError::Version(version)));
    }

    #[test]
    fn a_frame_with_a_flipped_bit_never_panics_and_means_one_thing(frame in frame(), at in any::<prop::sample::Index>()) {
        let mut bytes = wire::encode(&frame);
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        is_stable(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        is_stable(&bytes);
        is_stable(&[&[VERSION][..], &bytes].concat());
    }

    /// Bytes that look like CBOR more often than random ones do.
    #[test]
    fn scraps_of_cbor_never_panic(scraps in vec(prop_oneof![
        (0_u8..8, 0_u8..32).prop_map(|(major, info)| vec![major << 5 | info]),
        Just(vec![0x82, 0x00, 0xa1, 0x00]), Just(vec![0x82, 0x02, 0x81]), Just(vec![0x9f]), Just(vec![0xbf]),
        Just(vec![0xff]), Just(vec![0x5f]), Just(vec![0xf6]), Just(vec![0xc0]), vec(any::<u8>(), 0..40),
    ], 0..30)) {
        is_stable(&[&[VERSION][..], &scraps.concat()].concat());
    }
}

fn letter_saying(text: String) -> Letter {
    let entry =
        Entry { id: EntryId::from_bytes([7; 16]), written: Wall::from_millis(u64::MAX), body: Body::Text(text) };
    let [from, to] = [1, 2].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
    Letter {
        conversation: Conversation::direct(from, to),
        from,
        to,
        epoch: Epoch::new(u64::MAX),
        n: u64::MAX,
        before: Some(LogHash::from_bytes([9; 32])),
        follows: None,
        content: Content::Entry(entry),
    }
}

/// As the first message of a session, which is the longest form.
fn entry_saying(text: String) -> Frame {
    let mut pen = Correspondent::new(&Identity::from_seed(&[1; 32]));
    pen.meet(&Correspondent::new(&Identity::from_seed(&[2; 32])).record(&"bob".parse().unwrap(), Vec::new(), 1));
    let Letter { epoch, n, before, content, .. } = letter_saying(text);
    pen.entry(epoch, n, before, content)
}

#[test]
fn the_longest_text_fits_and_a_longer_one_does_not() {
    let longest = entry_saying("ñ".repeat(MAX_TEXT_BYTES / 2));
    let bytes = wire::encode(&longest);
    assert!(bytes.len() <= MAX_FRAME_BYTES, "{} bytes", bytes.len());
    assert_eq!(wire::decode(&bytes), Ok(longest));
    let letter = |bytes| wire::decode_letter(&wire::encode_letter(&letter_saying("n".repeat(bytes)))).map(drop);
    assert_eq!(letter(MAX_TEXT_BYTES), Ok(()));
    assert_eq!(letter(MAX_TEXT_BYTES + 1), Err(WireError::Malformed));
    assert_eq!(wire::decode(&vec![VERSION; MAX_FRAME_BYTES + 1]), Err(WireError::TooLarge));
    assert_eq!(wire::decode(&wire::encode(&entry_saying("n".repeat(MAX_FRAME_BYTES)))), Err(WireError::TooLarge));
}

#[test]
fn what_is_beyond_a_bound_or_at_an_impossible_place_is_refused() {
    let hash = LogHash::from_bytes([1; 32]);
    let position = Position { epoch: Epoch::new(1), n: 1, hash };
    let at = |n, before, follows| {
        Frame::Entry(LogEntry { epoch: Epoch::new(1), n, before, follows, ciphertext: ciphertext_of(1) })
    };
    let end = EpochEnd { epoch: Epoch::new(2), n: 3 };
    let nobodys = Correspondent::new(&Identity::from_seed(&[1; 32])).record(&"x".parse().unwrap(), Vec::new(), 1);
    for (what, frame) in [
        (
            "too many positions",
            Frame::Greeting { have: vec![position; MAX_POSITIONS + 1], offer: None, watchword: None },
        ),
        ("too many who are sought", Frame::Seek { salt: [1; 16], of: vec![Mark::from_bytes([2; 16]); MAX_SOUGHT + 1] }),
        ("too many records", Frame::Records { records: vec![nobodys.clone(); MAX_RECORDS + 1] }),
        ("a long reason", Frame::Goodbye { reason: Reason::Refused("x".repeat(MAX_REASON_BYTES + 1)) }),
        ("the entry 0", at(0, None, None)),
        ("the entry 0 after another", at(0, Some(hash), None)),
        ("a first entry after another", at(1, Some(hash), None)),
        ("a second entry after none", at(2, None, None)),
        ("a second entry after an epoch", at(2, Some(hash), Some(end))),
    ] {
        assert_eq!(wire::decode(&wire::encode(&frame)), Err(WireError::Malformed), "{what}");
    }
}

fn refused_promptly(what: &str, item: &[u8], expected: WireError) {
    let start = Instant::now();
    assert_eq!(wire::decode(&[&[VERSION][..], item].concat()), Err(expected), "{what}");
    assert!(start.elapsed() < PROMPT, "{what} took {:?}", start.elapsed());
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    for (what, opening) in [
        ("arrays", &[0x81][..]),
        ("maps", &[0xa1, 0x00]),
        ("indefinite arrays", &[0x9f]),
        ("indefinite maps", &[0xbf, 0x00]),
        ("tags", &[0xc1]),
    ] {
        refused_promptly(what, &opening.repeat(100_000), WireError::TooDeep);
    }
    let nested = |depth: usize| [&[0x81].repeat(depth)[..], &[0x00]].concat();
    refused_promptly("one too deep", &nested(MAX_DEPTH + 1), WireError::TooDeep);
    refused_promptly("just deep enough, but no frame", &nested(MAX_DEPTH), WireError::Malformed);
    // Siblings are not nested: a field that nobody knows may be long, as long as it is flat.
    let unknown = [&[0x82, 0x01, 0xa2, 0x00, 0x80, 0x18, 0x63, 0x99, 0xff, 0xff][..], &[0x80].repeat(0xffff)].concat();
    assert_eq!(
        wire::decode(&[&[VERSION][..], &unknown].concat()),
        Ok(Frame::Greeting { have: Vec::new(), offer: None, watchword: None })
    );
}

#[test]
fn a_signed_record_may_not_hide_depth_in_its_payload() {
    let eve = Identity::from_seed(&[3; 32]);
    let payload = [&[0xa1, 0x09][..], &[0x81].repeat(3_800), &[0x00]].concat();
    let signature = eve.sign(Domain::Record, &payload);
    let mut envelope = vec![0xa2, 0x00, 0x59];
    envelope.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    envelope.extend(payload);
    envelope.extend([0x01, 0x58, 0x40]);
    envelope.extend(signature);
    refused_promptly("a deep record", &[&[0x82, 0x00, 0xa1, 0x00][..], &envelope].concat(), WireError::Malformed);
}

#[test]
fn announced_lengths_are_not_believed() {
    for (what, item) in [
        ("an array of 2^64 - 1", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a map of 2^64 - 1", vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("a greeting with 2^40 positions", vec![0x82, 0x01, 0xa1, 0x00, 0x9b, 0, 0, 1, 0, 0, 0, 0, 0]),
        ("a farewell with a text of 2^62", vec![0x82, 4, 0xa1, 0, 0x82, 3, 0x81, 0x7b, 0x40, 0, 0, 0, 0, 0, 0, 0]),
        ("a record of 2^63 bytes", vec![0x82, 0, 0xa1, 0, 0xa1, 0, 0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        refused_promptly(what, &item, WireError::Malformed);
    }
}

/// `[1, {0: []}]`, the emptiest greeting, in every form that CBOR has for it. Writers use the first; readers, as the
/// robustness of others' encoders wants it, take those of the same meaning and nothing that is cut short.
#[test]
fn indefinite_lengths_and_long_numbers_mean_the_same_or_nothing() {
    let empty = Ok(Frame::Greeting { have: Vec::new(), offer: None, watchword: None });
    for same in [
        &[0x82, 0x01, 0xa1, 0x00, 0x80][..],
        &[0x82, 0x01, 0xa1, 0x00, 0x9f, 0xff],
        &[0x82, 0x01, 0xbf, 0x00, 0x80, 0xff],
        &[0x82, 0x18, 0x01, 0xa1, 0x18, 0x00, 0x98, 0x00],
        &[0x82, 0x01, 0xa2, 0x00, 0x80, 0x17, 0xf6],
    ] {
        assert_eq!(wire::decode(&[&[VERSION][..], same].concat()), empty, "{same:02x?}");
    }
    for wrong in [
        &[0x9f, 0x01, 0xa1, 0x00, 0x80][..],
        &[0x82, 0x01, 0xbf, 0x00, 0x80],
        &[0x82, 0x01, 0xbf, 0x00, 0xff],
        &[0x82, 0x01, 0xa1, 0x00, 0x9f],
        &[0x82, 0x01, 0xa1, 0x00, 0xff],
        &[0x82, 0x01, 0xa1, 0xff],
        &[0xff],
        &[0x82, 0x01, 0xa0],
        &[0x81, 0x01],
        &[0x83, 0x01, 0xa1, 0x00, 0x80, 0x00],
        &[0x82, 0x01, 0xa1, 0x00, 0x5f, 0xff],
        &[0x82, 0x1c, 0xa1, 0x00, 0x80],
        &[0x82, 0x09, 0xa1, 0x00, 0x80],
        &[0x82, 0x20, 0xa1, 0x00, 0x80],
        &[0xc1, 0x82, 0x01, 0xa1, 0x00, 0x80],
    ] {
        assert_eq!(wire::decode(&[&[VERSION][..], wrong].concat()), Err(WireError::Malformed), "{wrong:02x?}");
    }
    assert_eq!(wire::decode(&[]), Err(WireError::Malformed));
    assert_eq!(wire::decode(&[VERSION]), Err(WireError::Malformed));
}
