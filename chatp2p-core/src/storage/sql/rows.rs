//! Rows of a profile's tables as what they mean, and back.

use std::collections::BTreeMap;

use sea_orm::ActiveValue::Set;

use super::entities::{ciphertexts, contacts, entries, keys, my_epochs, requests, their_epochs};
use super::{bits, damaged, number};
use crate::clock::Wall;
use crate::crypto::{Ciphertext, KeyRow, KeyRowId};
use crate::identity::PeerId;
use crate::identity::Username;
use crate::message::{Author, Body, Entry, EntryId, Epoch, LogHash, Position};
use crate::record::SignedRecord;
use crate::storage::heads::Heads;
use crate::storage::{Contact, EpochLog, LoggedEntry, Request, StorageError, StoredMessage, Unacknowledged};

pub(super) fn peer(bytes: Vec<u8>) -> Result<PeerId, StorageError> {
    let bytes = bytes.try_into().map_err(|_| damaged("a stored key has not 32 bytes"))?;
    PeerId::from_bytes(bytes).map_err(|_| damaged("a stored key is none"))
}

pub(super) fn key(peer: &PeerId) -> Vec<u8> {
    peer.as_bytes().to_vec()
}

pub(super) fn id(bytes: Vec<u8>) -> Result<EntryId, StorageError> {
    bytes.try_into().map(EntryId::from_bytes).map_err(|_| damaged("a stored message id has not 16 bytes"))
}

fn hash(bytes: Vec<u8>) -> Result<LogHash, StorageError> {
    bytes.try_into().map(LogHash::from_bytes).map_err(|_| damaged("a stored hash has not 32 bytes"))
}

pub(super) fn author(mine: bool) -> Author {
    if mine { Author::Me } else { Author::Them }
}

pub(super) fn weight(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or_default()
}

fn name(stored: &str) -> Result<Username, StorageError> {
    stored.parse().map_err(|_| damaged("a stored name is no username"))
}

pub(super) fn contact(row: contacts::Model) -> Result<Contact, StorageError> {
    let record = row.record.map(|bytes| SignedRecord::decode(&bytes)).transpose();
    Ok(Contact {
        peer_id: peer(row.peer)?,
        name: name(&row.name)?,
        record: record.map_err(|_| damaged("a stored record cannot be read"))?,
        wanted: row.wanted,
        forgotten: row.forgotten,
        verified: row.verified,
        blocked: row.blocked,
        removed: row.removed,
        tracker_name: row.tracker_name.as_deref().map(name).transpose()?,
        seen: row.seen.map(|millis| Wall::from_millis(number(millis))),
    })
}

pub(super) fn contact_row(contact: &Contact) -> contacts::ActiveModel {
    contacts::ActiveModel {
        peer: Set(key(&contact.peer_id)),
        name: Set(contact.name.to_string()),
        record: Set(contact.record.as_ref().map(SignedRecord::encode)),
        wanted: Set(contact.wanted),
        forgotten: Set(contact.forgotten),
        verified: Set(contact.verified),
        blocked: Set(contact.blocked),
        removed: Set(contact.removed),
        tracker_name: Set(contact.tracker_name.as_ref().map(ToString::to_string)),
        seen: Set(contact.seen.map(|at| bits(at.as_millis()))),
    }
}

pub(super) fn request(row: requests::Model) -> Result<Request, StorageError> {
    let first = row.first.map(|bytes| minicbor::decode(&bytes)).transpose();
    Ok(Request {
        peer_id: peer(row.peer)?,
        name: name(&row.name)?,
        arrived: Wall::from_millis(number(row.arrived)),
        first: first.map_err(|_| damaged("a stored request cannot be read"))?,
        refused: row.refused,
    })
}

pub(super) fn request_row(request: &Request) -> Result<requests::ActiveModel, StorageError> {
    let first = request.first.as_ref().map(minicbor::to_vec).transpose();
    Ok(requests::ActiveModel {
        peer: Set(key(&request.peer_id)),
        name: Set(request.name.to_string()),
        arrived: Set(bits(request.arrived.as_millis())),
        refused: Set(request.refused),
        first: Set(first.map_err(|_| damaged("a request cannot be encoded"))?),
    })
}

pub(super) fn epoch_log(row: my_epochs::Model) -> Result<EpochLog, StorageError> {
    Ok(EpochLog {
        epoch: Epoch::new(number(row.epoch)),
        head: number(row.head),
        acknowledged: number(row.acknowledged),
        acknowledged_hash: row.acknowledged_hash.map(hash).transpose()?,
    })
}

pub(super) fn epoch_log_row(peer: &PeerId, place: usize, log: &EpochLog) -> my_epochs::ActiveModel {
    my_epochs::ActiveModel {
        peer: Set(key(peer)),
        epoch: Set(bits(log.epoch.get())),
        place: Set(bits(place as u64)),
        head: Set(bits(log.head)),
        acknowledged: Set(bits(log.acknowledged)),
        acknowledged_hash: Set(log.acknowledged_hash.map(|hash| hash.as_bytes().to_vec())),
    }
}

pub(super) fn position(row: their_epochs::Model) -> Result<Position, StorageError> {
    Ok(Position { epoch: Epoch::new(number(row.epoch)), n: number(row.n), hash: hash(row.hash)? })
}

pub(super) fn position_row(peer: &PeerId, place: usize, position: &Position) -> their_epochs::ActiveModel {
    their_epochs::ActiveModel {
        peer: Set(key(peer)),
        epoch: Set(bits(position.epoch.get())),
        place: Set(bits(place as u64)),
        n: Set(bits(position.n)),
        hash: Set(position.hash.as_bytes().to_vec()),
    }
}

pub(super) fn entry_row(
    ordinal: i64,
    peer: &PeerId,
    author: Author,
    entry: &Entry,
    place: Option<Position>,
) -> Result<entries::ActiveModel, StorageError> {
    let body = minicbor::to_vec(&entry.body).map_err(|_| damaged("a message cannot be encoded"))?;
    let mut row = entries::ActiveModel {
        ordinal: Set(ordinal),
        peer: Set(key(peer)),
        mine: Set(author == Author::Me),
        id: Set(entry.id.as_bytes().to_vec()),
        written: Set(bits(entry.written.as_millis())),
        weight: Set(bits(entry.weight() as u64)),
        epoch: Set(None),
        n: Set(None),
        hash: Set(None),
        body: Set(Some(body)),
    };
    if let Some(place) = place {
        put(&mut row, place);
    }
    Ok(row)
}

/// Gives a row that is not yet written its place.
pub(super) fn put(row: &mut entries::ActiveModel, place: Position) {
    row.epoch = Set(Some(bits(place.epoch.get())));
    row.n = Set(Some(bits(place.n)));
    row.hash = Set(Some(place.hash.as_bytes().to_vec()));
}

/// What the row says; `None` once it was erased.
pub(super) fn entry(row: entries::Model) -> Result<Option<Entry>, StorageError> {
    let Some(bytes) = row.body else { return Ok(None) };
    let mut decoder = minicbor::Decoder::new(&bytes);
    let body: Body = decoder.decode().map_err(|_| damaged("a stored message cannot be read"))?;
    Ok(Some(Entry { id: id(row.id)?, written: Wall::from_millis(number(row.written)), body }))
}

/// A row of keys; the account's id is empty.
pub(super) fn key_row(row: &KeyRow) -> keys::ActiveModel {
    let id = match &row.id {
        KeyRowId::Account => Vec::new(),
        KeyRowId::Peer(peer) => key(peer),
    };
    keys::ActiveModel { id: Set(id), version: Set(bits(row.version)), sealed: Set(row.sealed.clone()) }
}

pub(super) fn keys(row: keys::Model) -> Result<KeyRow, StorageError> {
    let id = if row.id.is_empty() { KeyRowId::Account } else { KeyRowId::Peer(peer(row.id)?) };
    Ok(KeyRow { id, version: number(row.version), sealed: row.sealed })
}

pub(super) fn ciphertext_row(
    (peer, epoch, n): (PeerId, Epoch, u64),
    ciphertext: &Ciphertext,
) -> Result<ciphertexts::ActiveModel, StorageError> {
    let ciphertext = minicbor::to_vec(ciphertext).map_err(|_| damaged("a ciphertext cannot be encoded"))?;
    Ok(ciphertexts::ActiveModel {
        peer: Set(key(&peer)),
        epoch: Set(bits(epoch.get())),
        n: Set(bits(n)),
        ciphertext: Set(ciphertext),
    })
}

pub(super) fn ciphertext(row: &ciphertexts::Model) -> Result<(u64, Ciphertext), StorageError> {
    let ciphertext = minicbor::decode(&row.ciphertext);
    Ok((number(row.n), ciphertext.map_err(|_| damaged("a stored ciphertext cannot be read"))?))
}

pub(super) fn logged(
    mut row: entries::Model,
    ciphertexts: &mut BTreeMap<u64, Ciphertext>,
) -> Result<LoggedEntry, StorageError> {
    let (Some(n), Some(bytes)) = (row.n, row.hash.take()) else {
        return Err(damaged("a stored entry has half a place"));
    };
    let n = number(n);
    Ok(LoggedEntry { n, hash: hash(bytes)?, entry: entry(row)?, ciphertext: ciphertexts.remove(&n) })
}

pub(super) fn unacknowledged(row: (Vec<u8>, i64, Vec<u8>, i64)) -> Result<Unacknowledged, StorageError> {
    let (name, n, bytes, weighs) = row;
    Ok(Unacknowledged { id: id(name)?, n: number(n), hash: hash(bytes)?, weight: weight(weighs) })
}

pub(super) fn stored_message(mut row: entries::Model, heads: &Heads) -> Result<StoredMessage, StorageError> {
    let peer = peer(std::mem::take(&mut row.peer))?;
    let author = author(row.mine);
    let place = match (row.epoch, row.n) {
        (Some(epoch), Some(n)) => Some((Epoch::new(number(epoch)), number(n))),
        (None, None) => None,
        _ => return Err(damaged("a stored entry has half a place")),
    };
    let acknowledged = author == Author::Them || place.is_some_and(|(epoch, n)| heads.has_acknowledged(epoch, n));
    let entry = entry(row)?.ok_or_else(|| damaged("a message that is shown was erased"))?;
    Ok(StoredMessage { peer, author, entry, place, acknowledged })
}
