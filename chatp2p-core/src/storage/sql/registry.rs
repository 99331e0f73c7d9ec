//! A tracker's registrations in SQLite or PostgreSQL.

use async_trait::async_trait;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, TransactionTrait};

use super::entities::{meta, registrations, releases};
use super::schema::{RegistrySchema, migrate};
use super::{CHUNK, bits, damaged, number, quiet, refused};
use crate::clock::Wall;
use crate::identity::Username;
use crate::record::SignedRecord;
use crate::storage::{RegistrySnapshot, RegistryStore, StorageError, random};
use crate::tracker::Registration;

const TRACKER_ID: &str = "tracker_id";

/// A [`RegistryStore`] in SQL. Clones are handles of the same connection.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    connection: DatabaseConnection,
}

impl SqlRegistry {
    /// Opens the database at `url`, and makes its tables where they are missing: `sqlite:PATH` (made where it is missing),
    /// or with the feature `postgres` `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when there is no such database, [`StorageError::Damaged`] when it is of a newer
    /// version.
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        let connection = match url.split_once(':').map(|(scheme, _)| scheme) {
            #[cfg(feature = "sqlite")]
            Some("sqlite") => super::sqlite::connect(quiet(url, 1), None, false).await?,
            #[cfg(feature = "postgres")]
            // A tracker makes one request at a time; the second connection is there when the first has just broken.
            Some("postgres" | "postgresql") => sea_orm::Database::connect(quiet(url, 2)).await.map_err(refused)?,
            // The address is not repeated: a password may stand in it.
            _ => {
                let reason = "no such kind of database is built in".to_owned();
                return Err(StorageError::Unavailable { reason, source: None });
            }
        };
        migrate::<RegistrySchema>(&connection).await?;
        Ok(Self { connection })
    }
}

#[async_trait]
impl RegistryStore for SqlRegistry {
    async fn load(&self) -> Result<RegistrySnapshot, StorageError> {
        let fresh = random::<16>()?;
        let turn = self.connection.begin().await.map_err(refused)?;
        let id = meta::ActiveModel { name: Set(TRACKER_ID.to_owned()), value: Set(fresh.to_vec()) };
        let first = OnConflict::column(meta::Column::Name).do_nothing().to_owned();
        meta::Entity::insert(id).on_conflict(first).exec_without_returning(&turn).await.map_err(refused)?;
        let id = meta::Entity::find_by_id(TRACKER_ID).one(&turn).await.map_err(refused)?;
        let tracker_id = id
            .and_then(|id| id.value.try_into().ok())
            .ok_or_else(|| damaged("the tracker's id has not the length that it should have"))?;
        let rows = registrations::Entity::find().all(&turn).await.map_err(refused)?;
        turn.commit().await.map_err(refused)?;
        let registrations = rows.into_iter().map(registration).collect::<Result<_, _>>()?;
        Ok(RegistrySnapshot { tracker_id, registrations })
    }

    async fn commit(&self, registrations: Vec<Registration>) -> Result<(), StorageError> {
        let turn = self.connection.begin().await.map_err(refused)?;
        for chunk in last_of_each(registrations).chunks(CHUNK) {
            let replace = OnConflict::column(registrations::Column::Username)
                .update_columns([
                    registrations::Column::Id,
                    registrations::Column::Host,
                    registrations::Column::Port,
                    registrations::Column::IsActive,
                    registrations::Column::LastHeartbeat,
                    registrations::Column::Record,
                ])
                .to_owned();
            let insert = registrations::Entity::insert_many(chunk.iter().map(row)).on_conflict(replace);
            insert.exec_without_returning(&turn).await.map_err(refused)?;
        }
        turn.commit().await.map_err(refused)
    }

    async fn forget(&self, names: Vec<Username>) -> Result<(), StorageError> {
        let turn = self.connection.begin().await.map_err(refused)?;
        for chunk in names.chunks(CHUNK) {
            let these = registrations::Column::Username.is_in(chunk.iter().map(Username::as_str));
            registrations::Entity::delete_many().filter(these).exec(&turn).await.map_err(refused)?;
            let these = releases::Column::Username.is_in(chunk.iter().map(Username::as_str));
            releases::Entity::delete_many().filter(these).exec(&turn).await.map_err(refused)?;
        }
        turn.commit().await.map_err(refused)
    }

    async fn release(&self, name: &Username) -> Result<bool, StorageError> {
        let turn = self.connection.begin().await.map_err(refused)?;
        let known = registrations::Entity::find_by_id(name.as_str()).one(&turn).await.map_err(refused)?.is_some();
        if known {
            let wish = releases::ActiveModel { username: Set(name.to_string()) };
            let once = OnConflict::column(releases::Column::Username).do_nothing().to_owned();
            releases::Entity::insert(wish).on_conflict(once).exec_without_returning(&turn).await.map_err(refused)?;
        }
        turn.commit().await.map_err(refused)?;
        Ok(known)
    }

    async fn released(&self) -> Result<Vec<Username>, StorageError> {
        let rows = releases::Entity::find().all(&self.connection).await.map_err(refused)?;
        let name = |row: releases::Model| row.username.parse().map_err(|_| damaged("a stored name is no username"));
        rows.into_iter().map(name).collect()
    }
}

/// One statement must not touch a row twice.
fn last_of_each(registrations: Vec<Registration>) -> Vec<Registration> {
    let last: std::collections::BTreeMap<_, _> =
        registrations.into_iter().map(|registration| (registration.username.clone(), registration)).collect();
    last.into_values().collect()
}

fn row(registration: &Registration) -> registrations::ActiveModel {
    registrations::ActiveModel {
        username: Set(registration.username.to_string()),
        id: Set(registration.id),
        host: Set(registration.host.clone()),
        port: Set(i32::from(registration.port)),
        is_active: Set(registration.is_active),
        last_heartbeat: Set(bits(registration.last_heartbeat.as_millis())),
        record: Set(registration.record.as_ref().map(SignedRecord::encode)),
    }
}

fn registration(row: registrations::Model) -> Result<Registration, StorageError> {
    let record = row.record.map(|bytes| SignedRecord::decode(&bytes)).transpose();
    Ok(Registration {
        id: row.id,
        username: row.username.parse().map_err(|_| damaged("a stored name is no username"))?,
        host: row.host,
        port: u16::try_from(row.port).map_err(|_| damaged("a stored port is none"))?,
        is_active: row.is_active,
        last_heartbeat: Wall::from_millis(number(row.last_heartbeat)),
        record: record.map_err(|_| damaged("a stored record cannot be read"))?,
    })
}
