//! Mails, honest and forged.

use super::*;
use crate::mailbox::MailboxAddress;
use crate::record::{ExchangeKey, PeerRecord, PreKeys};

fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn carol() -> PeerId {
    Identity::from_seed(&[4; 32]).peer_id()
}

fn record_of(identity: &Identity, name: &str) -> SignedRecord {
    let key = ExchangeKey::from_bytes([5; 32]);
    let record = PeerRecord {
        username: name.parse().unwrap(),
        peer_id: identity.peer_id(),
        endpoints: vec!["ws://192.0.2.1:5001".parse().unwrap()],
        seq: 3,
        pre_keys: Some(PreKeys { suite: 1, identity: key, fallback: key }),
        letterboxes: Vec::new(),
    };
    SignedRecord::sign(identity, record).unwrap()
}

fn bobs() -> BoxKeys {
    BoxKeys::from_seed(&[6; 32])
}

fn letterbox() -> Letterbox {
    bobs().letterbox(&MailboxAddress::new(carol(), vec!["memory:carol".parse().unwrap()]).unwrap())
}

fn frames(lengths: &[usize]) -> Vec<Bytes> {
    lengths.iter().map(|length| Bytes::from(vec![7; *length])).collect()
}

fn sealed(lengths: &[usize]) -> Vec<u8> {
    seal(&alice(), &record_of(&alice(), "alice"), &letterbox(), &frames(lengths)).unwrap()
}

#[test]
fn what_is_sealed_opens_for_its_letterbox_at_its_mailbox_alone() {
    let sealed = sealed(&[5, 70]);
    let mail = open(&bobs(), carol(), &sealed).unwrap();
    assert_eq!(mail, Mail { from: record_of(&alice(), "alice"), frames: frames(&[5, 70]) });
    assert_eq!(open(&BoxKeys::from_seed(&[7; 32]), carol(), &sealed), Err(MailError::Unreadable));
    assert_eq!(open(&bobs(), alice().peer_id(), &sealed), Err(MailError::Unreadable));
}

#[test]
fn it_is_bound_to_its_letterbox_even_where_the_key_is_the_same() {
    // Another letterbox with the same key to seal for: what was meant for one is not taken by the other.
    let other = Letterbox { id: LetterboxId::of(alice().peer_id()), ..letterbox() };
    let (record, sent) = (record_of(&alice(), "alice"), frames(&[5]));
    let sealed = seal(&alice(), &record, &other, &sent).unwrap();
    assert_eq!(open(&bobs(), carol(), &sealed), Err(MailError::Unreadable));
    // Nor when what is signed inside says otherwise.
    let here = letterbox();
    let signature = alice().sign(Domain::Mail, &statement(here.id, here.mailbox, &sent));
    let item = write(&record, &sent, &signature).unwrap();
    for elsewhere in [other, Letterbox { mailbox: alice().peer_id(), ..here.clone() }] {
        let sealed = seal_item(&[8; 32], &elsewhere, &item).unwrap();
        assert_eq!(open(&bobs(), carol(), &sealed), Err(MailError::Unreadable));
    }
    assert!(open(&bobs(), carol(), &seal_item(&[8; 32], &here, &item).unwrap()).is_ok());
}

#[test]
fn a_signature_that_was_made_for_elsewhere_or_by_somebody_else_is_none() {
    let (record, sent) = (record_of(&alice(), "alice"), frames(&[5, 6]));
    let eve = Identity::from_seed(&[3; 32]);
    let here = letterbox();
    let (there, elsewhere) = (LetterboxId::of(eve.peer_id()), eve.peer_id());
    for (what, signature, right) in [
        ("right", alice().sign(Domain::Mail, &statement(here.id, here.mailbox, &sent)), true),
        ("another's", eve.sign(Domain::Mail, &statement(here.id, here.mailbox, &sent)), false),
        ("for another letterbox", alice().sign(Domain::Mail, &statement(there, here.mailbox, &sent)), false),
        ("for another mailbox", alice().sign(Domain::Mail, &statement(here.id, elsewhere, &sent)), false),
        ("of other frames", alice().sign(Domain::Mail, &statement(here.id, here.mailbox, &frames(&[6, 5]))), false),
        ("of fewer frames", alice().sign(Domain::Mail, &statement(here.id, here.mailbox, &frames(&[5]))), false),
        ("about something else", alice().sign(Domain::MailKept, &statement(here.id, here.mailbox, &sent)), false),
    ] {
        let sealed = seal_item(&[8; 32], &here, &write(&record, &sent, &signature).unwrap()).unwrap();
        assert_eq!(open(&bobs(), carol(), &sealed).is_ok(), right, "{what}");
    }
    assert_eq!(seal(&eve, &record, &here, &sent), Err(MailError::NotMine));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let sealed = sealed(&[5]);
    // Every bit of what stands around, and some of what is between.
    let bits =
        (0..80 * 8).chain((sealed.len() - 40) * 8..sealed.len() * 8).chain((80 * 8..sealed.len() * 8).step_by(97));
    for bit in bits {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&bobs(), carol(), &forged), Err(MailError::Unreadable), "bit {bit}");
    }
    for end in (0..sealed.len()).step_by(13) {
        assert!(open(&bobs(), carol(), &sealed[..end]).is_err(), "{end} bytes");
    }
    assert!(open(&bobs(), carol(), &[&sealed[..], &[0]].concat()).is_err());
}

#[test]
fn sizes_come_in_steps() {
    for (lengths, size) in [(&[1][..], 0), (&[500], 0), (&[1_000], 1), (&[4_000], 2), (&[20_000], 3), (&[200_000], 4)] {
        assert_eq!(sealed(lengths).len(), MAIL_SIZES[size] + SEALING_BYTES, "{lengths:?}");
    }
    assert_eq!(sealed(&[300]).len(), sealed(&[400]).len());
    assert_eq!(sealed(&[MAX_FRAME_BYTES]).len(), MAX_SEALED_BYTES);
    // What fits one mail is within 64 KiB, however it is cut.
    assert_eq!(sealed(&[MAX_FRAMES_BYTES - FRAME_COST]).len(), MAIL_SIZES[3] + SEALING_BYTES);
    let many = vec![1; MAX_FRAMES];
    assert!(sealed(&many).len() <= MAIL_SIZES[3] + SEALING_BYTES);
}

#[test]
fn the_largest_frame_fits_with_the_largest_record_and_in_a_frame_to_the_mailbox() {
    const { assert!(MAX_FRAME_BYTES + crate::record::MAX_RECORD_BYTES + 200 <= MAIL_SIZES[5]) };
    const { assert!(MAX_SEALED_BYTES + 200 <= crate::transport::secure::MAX_MAILBOX_FRAME_BYTES) };
    const { assert!(MAX_FRAMES_BYTES + crate::record::MAX_RECORD_BYTES + 200 <= MAIL_SIZES[3]) };
}

#[test]
fn one_mail_holds_several_small_frames_or_one_large_one() {
    assert_eq!(fitting([]), 0);
    assert_eq!(fitting([MAX_FRAME_BYTES, 1]), 1);
    assert_eq!(fitting([1, MAX_FRAME_BYTES]), 1);
    assert_eq!(fitting(vec![1; MAX_FRAMES + 1]), MAX_FRAMES);
    let half = MAX_FRAMES_BYTES / 2 - FRAME_COST;
    assert_eq!(fitting([half, half, 1]), 2);
    let record = record_of(&alice(), "alice");
    for lengths in [&[][..], &[0], &[1, 0], &[MAX_FRAME_BYTES + 1], &[MAX_FRAMES_BYTES, 1]] {
        assert_eq!(seal(&alice(), &record, &letterbox(), &frames(lengths)), Err(MailError::TooLarge), "{lengths:?}");
    }
}

/// What a sender may seal who does not keep to the rules: signed all the same.
#[test]
fn what_is_signed_but_not_within_the_bounds_is_refused() {
    let (here, record) = (letterbox(), record_of(&alice(), "alice"));
    let item = |sent: &[Bytes]| {
        write(&record, sent, &alice().sign(Domain::Mail, &statement(here.id, here.mailbox, sent))).unwrap()
    };
    let opens = |item: &[u8]| open(&bobs(), carol(), &seal_item(&[8; 32], &here, item).unwrap()).is_ok();
    assert!(opens(&item(&frames(&[5]))));
    for lengths in [&[][..], &[0], &[1; MAX_FRAMES + 1], &[MAX_FRAMES_BYTES, 1], &[MAX_FRAME_BYTES + 1]] {
        assert!(!opens(&item(&frames(lengths))), "{} frames", lengths.len());
    }
    let trailing = [item(&frames(&[5])), vec![0]].concat();
    assert!(!opens(&trailing));
    assert!(!opens(&vec![0x81; 1 << 20]), "nested deeply");
    // An array that announces more than there is.
    assert!(!opens(&[0xa1, 1, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
}

#[test]
fn padding_is_zeros_and_no_more_of_them_than_needed() {
    let here = letterbox();
    let record = record_of(&alice(), "alice");
    let sent = frames(&[5]);
    let item = write(&record, &sent, &alice().sign(Domain::Mail, &statement(here.id, here.mailbox, &sent))).unwrap();
    let seal_plain = |plain: &[u8]| {
        let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(here.seal.as_bytes()).unwrap();
        let mut plain = plain.to_vec();
        let (key, tag) =
            hpke::single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public,
                INFO,
                plain.as_mut_slice().into(),
                &bound_to(here.id, here.mailbox),
                &mut Drawn::new(&[9; 32]),
            )
            .unwrap();
        [&[VERSION][..], &key.to_bytes(), &plain, &tag.to_bytes()].concat()
    };
    let mut plain = u32::try_from(item.len()).unwrap().to_be_bytes().to_vec();
    plain.extend_from_slice(&item);
    plain.resize(MAIL_SIZES[0], 0);
    assert!(open(&bobs(), carol(), &seal_plain(&plain)).is_ok());
    let mut larger = plain.clone();
    larger.resize(MAIL_SIZES[1], 0);
    assert!(open(&bobs(), carol(), &seal_plain(&larger)).is_err(), "more padding than needed");
    *plain.last_mut().unwrap() = 1;
    assert!(open(&bobs(), carol(), &seal_plain(&plain)).is_err(), "something hidden in the padding");
}

#[test]
fn a_key_that_leads_to_no_secret_is_refused() {
    let nowhere = Letterbox { seal: ExchangeKey::from_bytes([0; 32]), ..letterbox() };
    let refused = seal(&alice(), &record_of(&alice(), "alice"), &nowhere, &frames(&[5]));
    assert_eq!(refused, Err(MailError::BadKey));
}

#[test]
fn no_two_mails_are_alike() {
    assert_ne!(sealed(&[5]), sealed(&[5]));
}
