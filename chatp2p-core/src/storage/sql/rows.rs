//! Rows of a profile's tables as what they mean, and back.

use std::collections::BTreeMap;

use sea_orm::ActiveValue::Set;

use super::entities::{ciphertexts, contacts, entries, keys, my_epochs, requests, their_epochs};
use super::vault::{Hashed, Vault};
use super::{bits, damaged, number};
use crate::clock::Wall;
use crate::crypto::{Ciphertext, KeyRow, KeyRowId, Watchword};
use crate::identity::PeerId;
use crate::identity::Username;
use crate::message::{Author, Entry, EntryId, Epoch, Place, Position};
use crate::record::SignedRecord;
use crate::storage::heads::Heads;
use crate::storage::{Contact, EpochLog, LoggedEntry, Mailed, Request, StorageError, StoredMessage, Unacknowledged};

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

pub(super) fn author(mine: bool) -> Author {
    if mine { Author::Me } else { Author::Them }
}

pub(super) fn weight(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or_default()
}

fn name(stored: &str) -> Result<Username, StorageError> {
    stored.parse().map_err(|_| damaged("a stored name is no username"))
}

fn watchword(stored: Vec<u8>) -> Result<Watchword, StorageError> {
    stored.try_into().map(Watchword::from_bytes).map_err(|_| damaged("a stored watchword has not 32 bytes"))
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
        watchword: row.watchword.map(watchword).transpose()?,
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
        watchword: Set(contact.watchword.map(|word| word.as_bytes().to_vec())),
    }
}

pub(super) fn request(row: requests::Model, vault: &Vault) -> Result<Request, StorageError> {
    let peer_id = peer(row.peer)?;
    Ok(Request {
        peer_id,
        name: name(&row.name)?,
        arrived: Wall::from_millis(number(row.arrived)),
        first: row.first.map(|sealed| vault.open_request(&peer_id, &sealed)).transpose()?,
        refused: row.refused,
    })
}

pub(super) fn request_row(request: &Request, vault: &Vault) -> Result<requests::ActiveModel, StorageError> {
    let first = request.first.as_ref().map(|first| vault.seal_request(&request.peer_id, first));
    Ok(requests::ActiveModel {
        peer: Set(key(&request.peer_id)),
        name: Set(request.name.to_string()),
        arrived: Set(bits(request.arrived.as_millis())),
        refused: Set(request.refused),
        first: Set(first.transpose()?),
    })
}

pub(super) fn epoch_log(peer: &PeerId, row: my_epochs::Model, vault: &Vault) -> Result<EpochLog, StorageError> {
    let at = (Epoch::new(number(row.epoch)), number(row.acknowledged));
    let mailed = Mailed { n: number(row.mailed), at: Wall::from_millis(number(row.mailed_at)) };
    let hash = row.acknowledged_hash.map(|sealed| vault.open_hash(Hashed::Acknowledged, peer, at, &sealed));
    Ok(EpochLog {
        epoch: at.0,
        head: number(row.head),
        acknowledged: at.1,
        acknowledged_hash: hash.transpose()?,
        read: number(row.read),
        mailed: Some(mailed).filter(|mailed| mailed.n > 0),
    })
}

pub(super) fn epoch_log_row(
    peer: &PeerId,
    place: usize,
    log: &EpochLog,
    vault: &Vault,
) -> Result<my_epochs::ActiveModel, StorageError> {
    let hash = log.acknowledged_hash.map(|hash| {
        vault.seal_hash(Hashed::Acknowledged, peer, &Position { epoch: log.epoch, n: log.acknowledged, hash })
    });
    Ok(my_epochs::ActiveModel {
        peer: Set(key(peer)),
        epoch: Set(bits(log.epoch.get())),
        place: Set(bits(place as u64)),
        head: Set(bits(log.head)),
        acknowledged: Set(bits(log.acknowledged)),
        acknowledged_hash: Set(hash.transpose()?),
        read: Set(bits(log.read)),
        mailed: Set(log.mailed.map_or(0, |mailed| bits(mailed.n))),
        mailed_at: Set(log.mailed.map_or(0, |mailed| bits(mailed.at.as_millis()))),
    })
}

pub(super) fn position(peer: &PeerId, row: their_epochs::Model, vault: &Vault) -> Result<Position, StorageError> {
    let (epoch, n) = (Epoch::new(number(row.epoch)), number(row.n));
    Ok(Position { epoch, n, hash: vault.open_hash(Hashed::Theirs, peer, (epoch, n), &row.hash)? })
}

/// `read` is up to where I have read, in whichever epoch that is.
pub(super) fn position_row(
    peer: &PeerId,
    place: usize,
    position: &Position,
    read: Option<Place>,
    vault: &Vault,
) -> Result<their_epochs::ActiveModel, StorageError> {
    Ok(their_epochs::ActiveModel {
        peer: Set(key(peer)),
        epoch: Set(bits(position.epoch.get())),
        place: Set(bits(place as u64)),
        n: Set(bits(position.n)),
        hash: Set(vault.seal_hash(Hashed::Theirs, peer, position)?),
        read: Set(read.filter(|read| read.epoch == position.epoch).map_or(0, |read| bits(read.n))),
    })
}

pub(super) fn entry_row(
    ordinal: i64,
    peer: &PeerId,
    author: Author,
    entry: &Entry,
    vault: &Vault,
) -> Result<entries::ActiveModel, StorageError> {
    Ok(entries::ActiveModel {
        ordinal: Set(ordinal),
        peer: Set(key(peer)),
        mine: Set(author == Author::Me),
        id: Set(entry.id.as_bytes().to_vec()),
        written: Set(bits(entry.written.as_millis())),
        weight: Set(bits(entry.weight() as u64)),
        epoch: Set(None),
        n: Set(None),
        hash: Set(None),
        body: Set(Some(vault.seal_body(peer, author, entry)?)),
    })
}

/// The place of an entry in its author's log, as its columns have it.
pub(super) struct Placed {
    pub(super) epoch: i64,
    pub(super) n: i64,
    pub(super) hash: Vec<u8>,
}

impl Placed {
    pub(super) fn new(peer: &PeerId, author: Author, at: &Position, vault: &Vault) -> Result<Self, StorageError> {
        let hash = vault.seal_hash(Hashed::Entry(author), peer, at)?;
        Ok(Self { epoch: bits(at.epoch.get()), n: bits(at.n), hash })
    }

    /// Gives a row that is not yet written its place.
    pub(super) fn put(self, row: &mut entries::ActiveModel) {
        (row.epoch, row.n, row.hash) = (Set(Some(self.epoch)), Set(Some(self.n)), Set(Some(self.hash)));
    }
}

/// What the row says; `None` once it was erased.
pub(super) fn entry(row: entries::Model, vault: &Vault) -> Result<Option<Entry>, StorageError> {
    let Some(sealed) = row.body else { return Ok(None) };
    let body = vault.open_body(&peer(row.peer)?, author(row.mine), &row.id, &sealed)?;
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
    vault: &Vault,
) -> Result<LoggedEntry, StorageError> {
    let (Some(epoch), Some(n), Some(sealed)) = (row.epoch, row.n, row.hash.take()) else {
        return Err(damaged("a stored entry has half a place"));
    };
    let at = (Epoch::new(number(epoch)), number(n));
    let hash = vault.open_hash(Hashed::Entry(author(row.mine)), &peer(row.peer.clone())?, at, &sealed)?;
    Ok(LoggedEntry { n: at.1, hash, entry: entry(row, vault)?, ciphertext: ciphertexts.remove(&at.1) })
}

/// What the columns of an entry of mine say that was not acknowledged: id, number, hash and weight.
pub(super) fn unacknowledged(
    (name, n, sealed, weighs): (Vec<u8>, i64, Vec<u8>, i64),
    (peer, epoch): (&PeerId, Epoch),
    vault: &Vault,
) -> Result<Unacknowledged, StorageError> {
    let n = number(n);
    let hash = vault.open_hash(Hashed::Entry(Author::Me), peer, (epoch, n), &sealed)?;
    Ok(Unacknowledged { id: id(name)?, n, hash, weight: weight(weighs) })
}

pub(super) fn stored_message(row: entries::Model, heads: &Heads, vault: &Vault) -> Result<StoredMessage, StorageError> {
    let peer = peer(row.peer.clone())?;
    let author = author(row.mine);
    let place = match (row.epoch, row.n) {
        (Some(epoch), Some(n)) => Some((Epoch::new(number(epoch)), number(n))),
        (None, None) => None,
        _ => return Err(damaged("a stored entry has half a place")),
    };
    let acknowledged = author == Author::Them || place.is_some_and(|(epoch, n)| heads.has_acknowledged(epoch, n));
    let read = author == Author::Me && place.is_some_and(|(epoch, n)| heads.has_read(epoch, n));
    let entry = entry(row, vault)?.ok_or_else(|| damaged("a message that is shown was erased"))?;
    let mailed = author == Author::Me && place.is_some_and(|(epoch, n)| heads.has_mailed(epoch, n));
    Ok(StoredMessage { peer, author, entry, place, acknowledged, read, mailed })
}
