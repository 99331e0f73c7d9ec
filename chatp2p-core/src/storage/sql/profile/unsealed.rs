//! Databases from before columns were sealed: they are sealed when they are opened, once, and nothing of what they said stays
//! behind in the file.

use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, TransactionTrait,
};

use super::super::entities::{entries, meta, my_epochs, requests, their_epochs};
use super::super::vault::{Hashed, Vault};
use super::super::{CHUNK, damaged, number, refused, rows};
use crate::clock::Wall;
use crate::message::{Entry, Epoch, LogHash, Position};
use crate::storage::StorageError;

/// In the table of single values as long as columns may be plain. The migration puts it there.
const UNSEALED: &str = "unsealed";

/// As long as what was plain may be found in pages that are not used any more.
const UNSWEPT: &str = "unswept";

/// What to do about messages that are not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Plain {
    /// Seal them: they are from before there was sealing.
    Seal,
    /// There can be none: somebody who has no key put them there.
    Refuse,
}

/// Seals what is plain.
///
/// # Errors
/// [`StorageError::Damaged`] when something is plain that must not be, or cannot be read.
pub(super) async fn seal(database: &DatabaseConnection, vault: &Vault, plain: Plain) -> Result<(), StorageError> {
    if is_marked(database, UNSEALED).await? {
        let turn = database.begin().await.map_err(refused)?;
        let sealed = everything(&turn, vault).await?;
        if sealed > 0 && plain == Plain::Refuse {
            return Err(damaged("the database holds messages that this profile did not seal"));
        }
        unmark(&turn, UNSEALED).await?;
        if sealed > 0 {
            let mark = meta::ActiveModel { name: Set(UNSWEPT.to_owned()), value: Set(Vec::new()) };
            meta::Entity::insert(mark).exec_without_returning(&turn).await.map_err(refused)?;
        }
        turn.commit().await.map_err(refused)?;
    }
    if is_marked(database, UNSWEPT).await? {
        // Writes the database anew, and the journal away.
        database.execute_unprepared("VACUUM").await.map_err(refused)?;
        database.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map_err(refused)?;
        unmark(database, UNSWEPT).await?;
    }
    Ok(())
}

async fn is_marked<C: ConnectionTrait>(database: &C, mark: &str) -> Result<bool, StorageError> {
    Ok(meta::Entity::find_by_id(mark).one(database).await.map_err(refused)?.is_some())
}

async fn unmark<C: ConnectionTrait>(database: &C, mark: &str) -> Result<(), StorageError> {
    meta::Entity::delete_by_id(mark).exec(database).await.map_err(refused)?;
    Ok(())
}

async fn everything(turn: &DatabaseTransaction, vault: &Vault) -> Result<usize, StorageError> {
    let mut sealed = 0;
    let mut last = i64::MIN;
    loop {
        let tells = Condition::any().add(entries::Column::Body.is_not_null()).add(entries::Column::Hash.is_not_null());
        let page = entries::Entity::find()
            .filter(tells)
            .filter(entries::Column::Ordinal.gt(last))
            .order_by_asc(entries::Column::Ordinal)
            .limit(CHUNK as u64);
        let page = page.all(turn).await.map_err(refused)?;
        let Some(end) = page.last() else { break };
        last = end.ordinal;
        sealed += page.len();
        for row in page {
            entries::Entity::update(entry(row, vault)?).exec(turn).await.map_err(refused)?;
        }
    }
    for row in my_epochs::Entity::find().all(turn).await.map_err(refused)? {
        let Some(plain) = row.acknowledged_hash else { continue };
        let peer = rows::peer(row.peer.clone())?;
        let at = position(row.epoch, row.acknowledged, plain)?;
        let sealed_row = my_epochs::ActiveModel {
            peer: Unchanged(row.peer),
            epoch: Unchanged(row.epoch),
            acknowledged_hash: Set(Some(vault.seal_hash(Hashed::Acknowledged, &peer, &at)?)),
            ..Default::default()
        };
        my_epochs::Entity::update(sealed_row).exec(turn).await.map_err(refused)?;
        sealed += 1;
    }
    for row in their_epochs::Entity::find().all(turn).await.map_err(refused)? {
        let peer = rows::peer(row.peer.clone())?;
        let at = position(row.epoch, row.n, row.hash)?;
        let sealed_row = their_epochs::ActiveModel {
            peer: Unchanged(row.peer),
            epoch: Unchanged(row.epoch),
            hash: Set(vault.seal_hash(Hashed::Theirs, &peer, &at)?),
            ..Default::default()
        };
        their_epochs::Entity::update(sealed_row).exec(turn).await.map_err(refused)?;
        sealed += 1;
    }
    for row in requests::Entity::find().all(turn).await.map_err(refused)? {
        let Some(plain) = row.first else { continue };
        let first = minicbor::decode(&plain).map_err(|_| damaged("a stored request cannot be read"))?;
        let first = vault.seal_request(&rows::peer(row.peer.clone())?, &first)?;
        let sealed_row =
            requests::ActiveModel { peer: Unchanged(row.peer), first: Set(Some(first)), ..Default::default() };
        requests::Entity::update(sealed_row).exec(turn).await.map_err(refused)?;
        sealed += 1;
    }
    Ok(sealed)
}

fn entry(row: entries::Model, vault: &Vault) -> Result<entries::ActiveModel, StorageError> {
    let (peer, author) = (rows::peer(row.peer)?, rows::author(row.mine));
    let mut sealed = entries::ActiveModel { ordinal: Unchanged(row.ordinal), ..Default::default() };
    if let Some(plain) = row.body {
        let body = minicbor::decode(&plain).map_err(|_| damaged("a stored message cannot be read"))?;
        let entry = Entry { id: rows::id(row.id)?, written: Wall::from_millis(number(row.written)), body };
        sealed.body = Set(Some(vault.seal_body(&peer, author, &entry)?));
    }
    if let (Some(epoch), Some(n), Some(plain)) = (row.epoch, row.n, row.hash) {
        let hash = vault.seal_hash(Hashed::Entry(author), &peer, &position(epoch, n, plain)?)?;
        sealed.hash = Set(Some(hash));
    }
    Ok(sealed)
}

fn position(epoch: i64, n: i64, hash: Vec<u8>) -> Result<Position, StorageError> {
    let hash = hash.try_into().map_err(|_| damaged("a stored hash has not 32 bytes"))?;
    Ok(Position { epoch: Epoch::new(number(epoch)), n: number(n), hash: LogHash::from_bytes(hash) })
}
