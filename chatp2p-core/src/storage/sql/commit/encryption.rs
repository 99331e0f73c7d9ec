//! The encrypted part of a commit: rows of keys, and as what entries were sent.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, Iterable, QueryFilter};

use super::super::entities::{ciphertexts, keys};
use super::super::{CHUNK, bits, refused, rows};
use crate::crypto::{Ciphertext, KeyRow, KeyRowId};
use crate::identity::PeerId;
use crate::message::{Epoch, Position};
use crate::storage::StorageError;

/// What the changes say about it; the last word on each row counts.
#[derive(Default)]
pub(super) struct Encryption<'a> {
    keys: BTreeMap<KeyRowId, &'a KeyRow>,
    ciphertexts: BTreeMap<(PeerId, Epoch, u64), &'a Ciphertext>,
    /// Up to where entries have arrived.
    arrived: BTreeMap<(PeerId, Epoch), u64>,
    /// With whom everything was erased.
    erased: BTreeSet<PeerId>,
}

impl<'a> Encryption<'a> {
    pub(super) fn put_key(&mut self, row: &'a KeyRow) {
        self.keys.insert(row.id, row);
    }

    pub(super) fn put_ciphertext(&mut self, peer: PeerId, place: (Epoch, u64), ciphertext: &'a Ciphertext) {
        self.ciphertexts.insert((peer, place.0, place.1), ciphertext);
    }

    pub(super) fn arrive(&mut self, peer: PeerId, position: Position) {
        let n = self.arrived.entry((peer, position.epoch)).or_default();
        *n = position.n.max(*n);
    }

    /// What was erased is not to be sent any more either.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.ciphertexts.retain(|(to, _, _), _| *to != peer);
        self.erased.insert(peer);
    }

    pub(super) async fn finish(self, turn: &DatabaseTransaction) -> Result<(), StorageError> {
        let keys: Vec<_> = self.keys.values().map(|row| rows::key_row(row)).collect();
        for chunk in keys.chunks(CHUNK) {
            let replace = OnConflict::column(keys::Column::Id).update_columns(keys::Column::iter()).to_owned();
            let insert = keys::Entity::insert_many(chunk.to_vec()).on_conflict(replace);
            insert.exec_without_returning(turn).await.map_err(refused)?;
        }
        for peer in &self.erased {
            let sent = ciphertexts::Column::Peer.eq(rows::key(peer));
            ciphertexts::Entity::delete_many().filter(sent).exec(turn).await.map_err(refused)?;
        }
        let arrived = |place: &(PeerId, Epoch, u64)| {
            self.arrived.get(&(place.0, place.1)).is_some_and(|through| place.2 <= *through)
        };
        let waiting = self.ciphertexts.iter().filter(|(place, _)| !arrived(place));
        let waiting = waiting.map(|(place, ciphertext)| rows::ciphertext_row(*place, ciphertext));
        for chunk in waiting.collect::<Result<Vec<_>, _>>()?.chunks(CHUNK) {
            let place = [ciphertexts::Column::Peer, ciphertexts::Column::Epoch, ciphertexts::Column::N];
            let replace = OnConflict::columns(place).update_column(ciphertexts::Column::Ciphertext).to_owned();
            let insert = ciphertexts::Entity::insert_many(chunk.to_vec()).on_conflict(replace);
            insert.exec_without_returning(turn).await.map_err(refused)?;
        }
        for ((peer, epoch), through) in &self.arrived {
            ciphertexts::Entity::delete_many()
                .filter(ciphertexts::Column::Peer.eq(rows::key(peer)))
                .filter(ciphertexts::Column::Epoch.eq(bits(epoch.get())))
                .filter(ciphertexts::Column::N.lte(bits(*through)))
                .exec(turn)
                .await
                .map_err(refused)?;
        }
        Ok(())
    }
}
