//! What the tables are. A release's migrations are never edited: what changes later is a new one behind them.

use sea_orm::{DatabaseConnection, TransactionTrait};
use sea_orm_migration::prelude::*;

use super::refused;
use crate::storage::StorageError;
use crate::storage::heads::damaged;

/// The tables of a tracker.
pub(super) struct RegistrySchema;

impl MigratorTrait for RegistrySchema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(RegistryRelease1), Box::new(RegistryReleases)]
    }
}

struct RegistryRelease1;

impl MigrationName for RegistryRelease1 {
    fn name(&self) -> &str {
        "registry_release_1"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RegistryRelease1 {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut meta = Table::create();
        meta.table("meta")
            .col(ColumnDef::new("name").text().not_null().primary_key())
            .col(ColumnDef::new("value").blob().not_null());
        manager.create_table(meta).await?;
        let mut registrations = Table::create();
        registrations
            .table("registrations")
            .col(ColumnDef::new("username").text().not_null().primary_key())
            .col(ColumnDef::new("id").big_integer().not_null())
            .col(ColumnDef::new("host").text().not_null())
            .col(ColumnDef::new("port").integer().not_null())
            .col(ColumnDef::new("is_active").boolean().not_null())
            // Milliseconds since 1970.
            .col(ColumnDef::new("last_heartbeat").big_integer().not_null())
            // The signed bytes, as they came.
            .col(ColumnDef::new("record").blob());
        manager.create_table(registrations).await
    }
}

struct RegistryReleases;

impl MigrationName for RegistryReleases {
    fn name(&self) -> &str {
        "registry_releases"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RegistryReleases {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut releases = Table::create();
        // The names that the operator wants to be free.
        releases.table("releases").col(ColumnDef::new("username").text().not_null().primary_key());
        manager.create_table(releases).await
    }
}

/// The tables of a peer, which are SQLite's alone.
#[cfg(feature = "sqlite")]
pub(super) struct ProfileSchema;

#[cfg(feature = "sqlite")]
impl MigratorTrait for ProfileSchema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(ProfileRelease1),
            Box::new(ProfileEncryption),
            Box::new(ProfileContacts),
            Box::new(ProfileSealing),
            Box::new(ProfileReading),
            Box::new(ProfileMailed),
            Box::new(ProfileWatchwords),
        ]
    }
}

#[cfg(feature = "sqlite")]
struct ProfileRelease1;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileRelease1 {
    fn name(&self) -> &str {
        "profile_release_1"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileRelease1 {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_RELEASE_1).await?;
        Ok(())
    }
}

#[cfg(feature = "sqlite")]
struct ProfileEncryption;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileEncryption {
    fn name(&self) -> &str {
        "profile_encryption"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileEncryption {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_ENCRYPTION).await?;
        Ok(())
    }
}

#[cfg(feature = "sqlite")]
const PROFILE_ENCRYPTION: &str = "
CREATE TABLE keys (
    id BLOB NOT NULL PRIMARY KEY,       -- the peer of the sessions; empty for the account
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE ciphertexts (
    peer BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    ciphertext BLOB NOT NULL,           -- CBOR, as in a frame; deleted once acknowledged
    PRIMARY KEY (peer, epoch, n)
) STRICT;
";

/// In SQL, because no builder says STRICT: without it SQLite would take a text for a number.
#[cfg(feature = "sqlite")]
const PROFILE_RELEASE_1: &str = "
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    peer BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    record BLOB,                        -- the signed bytes, as they came
    wanted INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE my_epochs (
    peer BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    place INTEGER NOT NULL,             -- 0 for the oldest epoch of the peer
    head INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    acknowledged_hash BLOB,
    PRIMARY KEY (peer, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE their_epochs (
    peer BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    place INTEGER NOT NULL,
    n INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (peer, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    ordinal INTEGER NOT NULL PRIMARY KEY, -- rises in the order in which entries were first committed here
    peer BLOB NOT NULL,
    mine INTEGER NOT NULL,
    id BLOB NOT NULL,
    written INTEGER NOT NULL,           -- milliseconds since 1970, as the author says
    weight INTEGER NOT NULL,            -- bytes; 0 once erased
    epoch INTEGER,                      -- with n and hash: the place in the author's log; none while queued
    n INTEGER,
    hash BLOB,
    body BLOB,                          -- CBOR, as in a frame; none once erased
    UNIQUE (id, peer, mine)
) STRICT;

CREATE INDEX entries_shown ON entries (peer, ordinal) WHERE body IS NOT NULL;
CREATE INDEX entries_queued ON entries (peer, ordinal) WHERE epoch IS NULL;
CREATE INDEX entries_placed ON entries (peer, mine, epoch, n);
";

#[cfg(feature = "sqlite")]
struct ProfileContacts;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileContacts {
    fn name(&self) -> &str {
        "profile_contacts"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileContacts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_CONTACTS).await?;
        Ok(())
    }
}

/// What is known of contacts beside their keys, and who would like to become one.
#[cfg(feature = "sqlite")]
const PROFILE_CONTACTS: &str = "
ALTER TABLE contacts ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN tracker_name TEXT;   -- none where it is the name
ALTER TABLE contacts ADD COLUMN seen INTEGER;        -- milliseconds since 1970

CREATE TABLE requests (
    peer BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    arrived INTEGER NOT NULL,           -- milliseconds since 1970
    refused INTEGER NOT NULL,
    first BLOB                          -- CBOR: the one entry they may leave, and its place in their log
) STRICT, WITHOUT ROWID;
";

#[cfg(feature = "sqlite")]
struct ProfileSealing;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileSealing {
    fn name(&self) -> &str {
        "profile_sealing"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileSealing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_SEALING).await?;
        Ok(())
    }
}

/// From here on `entries.body`, `requests.first` and all hashes are sealed, each for its column and row. Here there is no key:
/// who opens the database seals what is in it already, and then takes this mark away.
#[cfg(feature = "sqlite")]
const PROFILE_SEALING: &str = "INSERT INTO meta (name, value) VALUES ('unsealed', x'')";

#[cfg(feature = "sqlite")]
struct ProfileReading;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileReading {
    fn name(&self) -> &str {
        "profile_reading"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileReading {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_READING).await?;
        Ok(())
    }
}

/// Up to which number an epoch was read; 0 where nothing of it was, and in the epochs before the last one of which something was.
#[cfg(feature = "sqlite")]
const PROFILE_READING: &str = "
ALTER TABLE my_epochs ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
ALTER TABLE their_epochs ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
";

#[cfg(feature = "sqlite")]
struct ProfileMailed;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileMailed {
    fn name(&self) -> &str {
        "profile_mailed"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileMailed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_MAILED).await?;
        Ok(())
    }
}

/// Up to which number an epoch was taken by mailboxes, 0 where nothing of it was; and when, in milliseconds since 1970.
#[cfg(feature = "sqlite")]
const PROFILE_MAILED: &str = "
ALTER TABLE my_epochs ADD COLUMN mailed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE my_epochs ADD COLUMN mailed_at INTEGER NOT NULL DEFAULT 0;
";

#[cfg(feature = "sqlite")]
struct ProfileWatchwords;

#[cfg(feature = "sqlite")]
impl MigrationName for ProfileWatchwords {
    fn name(&self) -> &str {
        "profile_watchwords"
    }
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl MigrationTrait for ProfileWatchwords {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PROFILE_WATCHWORDS).await?;
        Ok(())
    }
}

/// What the contacts of a contact have in common; none where they never said.
#[cfg(feature = "sqlite")]
const PROFILE_WATCHWORDS: &str = "ALTER TABLE contacts ADD COLUMN watchword BLOB";

/// Brings the tables up to this version, all or nothing.
///
/// # Errors
/// [`StorageError::Damaged`] for a database that a newer version has changed: this one would misread it.
pub(super) async fn migrate<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<(), StorageError> {
    let turn = connection.begin().await.map_err(refused)?;
    let known = M::migrations();
    for applied in M::get_migration_models(&turn).await.map_err(refused)? {
        if !known.iter().any(|migration| migration.name() == applied.version) {
            return Err(damaged("the database was written by a newer version, or by another program"));
        }
    }
    M::up(&turn, None).await.map_err(refused)?;
    turn.commit().await.map_err(refused)
}
