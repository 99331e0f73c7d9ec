//! What comes back from a disk that somebody else had: rows of keys, and changes out of a journal.

use super::keys::past;
use super::{Choices, Depth};
use crate::clock::Wall;
use crate::crypto::{KeyRow, KeyRowId, Keyring, Olm, Safe};
use crate::storage::{Change, Contact, ProfileData};
use crate::testing::profile_store::{at, ciphertext, entry, peer};

/// Rows that were changed, which are refused; and such as the identity itself sealed, whatever is in them, with which nothing
/// worse happens than that they are refused or of no use.
pub(super) fn rows(input: &[u8]) -> Depth {
    let past = past();
    let mut choices = Choices::new(input);
    let (mode, which) = (choices.byte() % 2, choices.below(past.rows.len()));
    let mut rows = past.rows.clone();
    let real = past.rows[which].clone();
    if mode == 0 {
        let id = if choices.byte() % 8 == 1 { past.rows[choices.below(past.rows.len())].id } else { real.id };
        let version = real.version.wrapping_add(u64::from(choices.byte() % 8));
        rows[which] = KeyRow { id, version, sealed: choices.edit(&real.sealed) };
    } else {
        let safe = Safe::of_keys(&past.bob, [9; 32]);
        let keys = choices.edit(&real.open(&safe).unwrap());
        rows[which] = KeyRow::seal(&safe, real.id, real.version, &keys).unwrap();
    }
    let is_real = rows[which] == real;
    let keyring = Keyring::load(past.bob.clone(), &Olm, rows, [0; 32], Wall::default());
    if mode == 0 {
        assert_eq!(keyring.is_ok(), is_real, "a row that was changed or moved is refused");
    }
    let Ok(mut keyring) = keyring else { return Depth::Refused };
    for (unread, text) in &past.unread {
        let read = keyring.decrypt(past.alice, &past.alices_keys, unread);
        assert!(read.as_ref().is_ok_and(|read| read == text) || read.is_err());
        assert!(!is_real || read.is_ok(), "what is as it was reads what it did");
    }
    let mut keys = crate::crypto::TheirKeys { pre_keys: past.alices_keys, one_time: None };
    keyring.offer(past.alice);
    drop(keyring.encrypt(past.alice, &mut keys, b"hello"));
    let written = keyring.take_changes();
    assert!(!is_real || written.is_ok_and(|rows| rows.iter().any(|row| row.id == KeyRowId::Account)));
    Depth::Deep
}

pub(super) fn rows_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for which in 0..2 {
        for edit in
            [&[0][..], &[1, 0, 0, 9, 1], &[1, 1, 0, 30], &[1, 2, 0, 4, 0], &[1, 3, 0, 70], &[2, 4, 0, 8, 4, 1, 2, 3, 4]]
        {
            seeds.push([&[0, 0, which, 0, 0][..], edit].concat());
            seeds.push([&[1, 0, which][..], edit].concat());
        }
    }
    seeds.push(vec![0, 0, 0, 0, 1]);
    seeds.push(vec![0, 0, 0, 1, 0, 1, 0]);
    seeds
}

/// A journal: changes one after the other, each as long as it says. What is read is written as it was, and a store takes it
/// or is as it was before.
pub(super) fn change(input: &[u8]) -> Depth {
    let mut decoder = minicbor::Decoder::new(input);
    let mut data = ProfileData::default();
    let mut read = 0;
    while let Ok(change) = decoder.decode::<Change>() {
        read += 1;
        let bytes = minicbor::to_vec(&change).unwrap();
        assert_eq!(minicbor::decode::<Change>(&bytes).unwrap(), change);
        let before = data.snapshot();
        if data.apply(std::slice::from_ref(&change)).is_err() {
            assert_eq!(data.snapshot(), before, "what is refused changes nothing: {change:?}");
            // And neither does what stands before it in the same commit.
            assert!(data.apply(&[Change::Seq(u64::MAX), change]).is_err());
            assert_eq!(data.snapshot(), before);
        }
    }
    Depth::of(read > 0)
}

pub(super) fn change_seeds() -> Vec<Vec<u8>> {
    let record = Some(super::signed::signed_record());
    let name = "José".parse().unwrap();
    let contact = Change::Contact(Contact { record, wanted: true, ..Contact::new(peer(2), name) });
    let queue = |n, place| Change::Queue { peer: peer(2), entry: entry(n), place, ciphertext: None };
    let place = Change::Place { peer: peer(2), id: entry(1).id, place: at(5, 1), ciphertext: Some(ciphertext(1)) };
    let arrived = Change::Acknowledged { peer: peer(2), position: at(5, 1) };
    let received = Change::Received { peer: peer(2), entry: entry(3), position: at(6, 1) };
    let skipped = Change::Skipped { peer: peer(2), position: at(6, 9) };
    let key = Change::Keys(KeyRow { id: KeyRowId::Peer(peer(2)), version: 7, sealed: vec![1, 2, 3] });
    let journal = [contact, queue(1, None), place, arrived, queue(2, Some(at(5, 2))), received, skipped, key];
    let mut seeds: Vec<Vec<u8>> = journal.iter().map(|change| minicbor::to_vec(change).unwrap()).collect();
    seeds.push(seeds.concat());
    seeds
}
