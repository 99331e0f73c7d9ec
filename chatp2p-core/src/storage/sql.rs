//! Profiles and registries in SQL. SQLite is bundled; a registry that outgrows a machine moves to PostgreSQL.
//!
//! SQL has no unsigned 64-bit integers, and epochs are random over all 64 bits: every `u64` is stored as the `i64` of
//! the same bits ([`bits`]). Only numbers of my own logs are ever compared in SQL; they count from 1 and stay far below
//! the sign.

#[cfg(feature = "sqlite")]
mod commit;
mod entities;
#[cfg(feature = "sqlite")]
mod mailbox;
#[cfg(feature = "sqlite")]
mod profile;
mod registry;
#[cfg(feature = "sqlite")]
mod rows;
mod schema;
#[cfg(feature = "sqlite")]
mod vault;

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

use super::StorageError;
use super::heads::damaged;

#[cfg(feature = "sqlite")]
pub use mailbox::SqlMail;
#[cfg(feature = "sqlite")]
pub(super) use profile::Plain;
#[cfg(feature = "sqlite")]
pub use profile::SqlProfile;
pub use registry::SqlRegistry;

/// How long a connection is waited for, in this process or while another program holds the database: longer than a
/// backup program's glance, shorter than people's patience.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many rows one statement writes or names. Eleven values a row stay far below SQLite's 32,766, and larger chunks are
/// not measurably faster.
const CHUNK: usize = 200;

/// The oldest SQLite whose WAL is trusted: those before it could lose a commit when two connections checkpointed at once.
#[cfg(feature = "sqlite")]
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

const fn bits(number: u64) -> i64 {
    number.cast_signed()
}

const fn number(bits: i64) -> u64 {
    bits.cast_unsigned()
}

/// What every connection has in common. Statements are not logged: what people write stands in them.
fn quiet(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).acquire_timeout(BUSY_TIMEOUT).sqlx_logging(false).record_stmt_in_spans(false);
    options
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::path::PathBuf;

    use sea_orm::{ConnectionTrait, Statement};

    use super::{
        BUSY_TIMEOUT, ConnectOptions, Database, DatabaseConnection, OLDEST_SQLITE, StorageError, damaged, refused,
    };

    /// Connects to the SQLite database of the options' address, or to this file.
    pub(super) async fn connect(
        mut options: ConnectOptions,
        file: Option<PathBuf>,
        read_only: bool,
    ) -> Result<DatabaseConnection, StorageError> {
        // Connections are kept for good: opening one costs more than a query, and a database in memory ends with its.
        options.idle_timeout(None).max_lifetime(None);
        options.map_sqlx_sqlite_opts(move |options| {
            let options = match &file {
                Some(file) => options.filename(file),
                None => options,
            };
            let options = options.create_if_missing(!read_only).busy_timeout(BUSY_TIMEOUT);
            if read_only {
                return options.pragma("query_only", "ON");
            }
            options
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                // Only on Apple's systems do these do anything: there a plain fsync leaves the data in the drive's cache.
                .pragma("fullfsync", "ON")
                .pragma("checkpoint_fullfsync", "ON")
        });
        let connection = Database::connect(options).await.map_err(refused)?;
        check_version(&connection).await?;
        Ok(connection)
    }

    async fn check_version(connection: &DatabaseConnection) -> Result<(), StorageError> {
        let query = Statement::from_string(connection.get_database_backend(), "SELECT sqlite_version() AS version");
        let row = connection.query_one_raw(query).await.map_err(refused)?;
        let row = row.ok_or_else(|| damaged("SQLite does not tell its version"))?;
        let version: String = row.try_get("", "version").map_err(refused)?;
        if is_new_enough(&version) {
            return Ok(());
        }
        let reason = format!("SQLite {version} is too old: 3.51.3 or newer is needed");
        Err(StorageError::Unavailable { reason, source: None })
    }

    fn is_new_enough(version: &str) -> bool {
        version.split('.').map_while(|part| part.parse::<u32>().ok()).ge(OLDEST_SQLITE)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn versions_compare_as_numbers() {
            for (version, enough) in [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.100.0", true)]
                .into_iter()
                .chain([("3.51.2", false), ("3.9.9", false), ("3.51", false), ("", false), ("new", false)])
            {
                assert_eq!(super::is_new_enough(version), enough, "{version}");
            }
        }
    }
}

/// What a database's error means to the caller. The error itself goes along as the source.
fn refused(error: DbErr) -> StorageError {
    if matches!(error, DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. }) {
        return damaged("a stored value has not the type that it should have");
    }
    let code = match &error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
        }
        _ => None,
    };
    let reason = match code.as_deref().map(primary) {
        Some(Primary::Sqlite(5 | 6)) => "another program holds the database",
        Some(Primary::Sqlite(8)) => "the database cannot be written to",
        Some(Primary::Sqlite(10)) => "the disk failed",
        Some(Primary::Sqlite(11 | 26)) => return damaged("the file is damaged, or is no database"),
        Some(Primary::Sqlite(13)) | Some(Primary::Postgres("53100")) => "the disk is full",
        Some(Primary::Sqlite(14)) => "the database file cannot be opened",
        Some(Primary::Postgres(_)) => "the database server refused",
        _ if matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => "the database cannot be reached",
        _ => "the database failed",
    };
    StorageError::Unavailable { reason: reason.to_owned(), source: Some(Box::new(error)) }
}

enum Primary<'a> {
    /// The low byte of SQLite's extended result code.
    Sqlite(u32),
    /// PostgreSQL's five characters.
    Postgres(&'a str),
}

fn primary(code: &str) -> Primary<'_> {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => Primary::Sqlite(number & 0xff),
        _ => Primary::Postgres(code),
    }
}
