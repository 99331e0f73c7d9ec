//! What a profile notes of itself, one row each.

use sea_orm::{ConnectionTrait, EntityTrait};

use super::super::entities::meta;
use super::super::{damaged, refused};
use crate::storage::StorageError;

pub(super) const SEQ: &str = "seq";
pub(super) const HIDES_READING: &str = "hides_reading";

/// The highest sequence number that was ever kept; 0 for none.
pub(in super::super) async fn seq<C: ConnectionTrait>(connection: &C) -> Result<u64, StorageError> {
    let row = meta::Entity::find_by_id(SEQ).one(connection).await.map_err(refused)?;
    let bytes = row.map(|row| row.value.try_into().map_err(|_| damaged("the sequence number cannot be read")));
    Ok(bytes.transpose()?.map_or(0, u64::from_be_bytes))
}

/// Whether nobody is told what was read.
pub(in super::super) async fn hides_reading<C: ConnectionTrait>(connection: &C) -> Result<bool, StorageError> {
    Ok(meta::Entity::find_by_id(HIDES_READING).one(connection).await.map_err(refused)?.is_some())
}
