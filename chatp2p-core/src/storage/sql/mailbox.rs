//! A mailbox's memory in an SQLite file of its own, so that a profile's tables have nothing to do with it.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement,
    TransactionTrait, TryGetable, Value,
};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::schema::migrate;
use super::{CHUNK, bits, damaged, number, quiet, refused};
use crate::clock::Wall;
use crate::record::LetterboxId;
use crate::storage::{
    Deposited, KeptMail, MailAmount, MailClock, MailStore, MailUsage, NewMail, Room, StorageError, Sweep, Swept, Taken,
};

/// How many mails may be read at once, beside the one thing that is written.
const READERS: u32 = 3;

/// A [`MailStore`] in an SQLite file. Nothing else may write to the file.
#[derive(Debug)]
pub struct SqlMail {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
}

impl SqlMail {
    /// Opens the database in this file; makes the file (readable as the process's umask says) and the tables where they are
    /// missing.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the file cannot be opened, [`StorageError::Damaged`] when it is no database of
    /// ours or of a newer version.
    pub async fn open(path: &Path) -> Result<Self, StorageError> {
        // The address is only a stand-in: a path may hold characters that mean something in one.
        let options = |connections| quiet("sqlite://mailbox", connections);
        let writer = super::sqlite::connect(options(1), Some(path.to_owned()), false).await?;
        migrate::<MailSchema>(&writer).await?;
        let readers = super::sqlite::connect(options(READERS), Some(path.to_owned()), true).await?;
        Ok(Self { writer, readers })
    }

    async fn begin(&self) -> Result<DatabaseTransaction, StorageError> {
        self.writer.begin().await.map_err(refused)
    }
}

/// The tables of a mailbox.
struct MailSchema;

impl MigratorTrait for MailSchema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(MailRelease1)]
    }
}

struct MailRelease1;

impl MigrationName for MailRelease1 {
    fn name(&self) -> &str {
        "mail_release_1"
    }
}

#[async_trait]
impl MigrationTrait for MailRelease1 {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(MAIL_RELEASE_1).await?;
        Ok(())
    }
}

/// Times are milliseconds of the mailbox's own clock. `last` is the last number that a letterbox has given; `mails` and
/// `bytes` are what is in it, so that nobody has to count.
const MAIL_RELEASE_1: &str = "
CREATE TABLE clock (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), time INTEGER NOT NULL, wall INTEGER NOT NULL);
CREATE TABLE letterboxes (
    id BLOB NOT NULL PRIMARY KEY,
    visited INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    mails INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE mails (
    letterbox BLOB NOT NULL REFERENCES letterboxes (id),
    number INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    depositor BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (letterbox, number)
);
CREATE UNIQUE INDEX mails_by_hash ON mails (letterbox, hash);
CREATE INDEX mails_by_depositor ON mails (letterbox, depositor, bytes);
CREATE INDEX mails_by_arrival ON mails (arrived);
";

async fn execute<C: ConnectionTrait>(on: &C, sql: &str, values: Vec<Value>) -> Result<u64, StorageError> {
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    Ok(on.execute_raw(statement).await.map_err(refused)?.rows_affected())
}

async fn one<C: ConnectionTrait>(on: &C, sql: &str, values: Vec<Value>) -> Result<Option<QueryResult>, StorageError> {
    on.query_one_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await.map_err(refused)
}

fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T, StorageError> {
    row.try_get("", column).map_err(refused)
}

fn count(row: &QueryResult, column: &str) -> Result<u64, StorageError> {
    get(row, column).map(number)
}

/// What a query says that counts `mails` and `bytes`.
async fn amount<C: ConnectionTrait>(on: &C, sql: &str, values: Vec<Value>) -> Result<MailAmount, StorageError> {
    let row = one(on, sql, values).await?.ok_or_else(|| damaged("a sum is missing"))?;
    Ok(MailAmount { mails: count(&row, "mails")?, bytes: count(&row, "bytes")? })
}

fn key(letterbox: LetterboxId) -> Value {
    letterbox.key().as_bytes().to_vec().into()
}

fn millis(time: Duration) -> Value {
    small(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A number that is compared: those beyond the sign count as the last before it.
fn small(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

const TOTAL: &str = "SELECT COUNT(*) AS letterboxes, COALESCE(SUM(mails), 0) AS mails, COALESCE(SUM(bytes), 0) AS bytes \
                     FROM letterboxes";

/// Counts anew what is in the letterboxes from which something was deleted.
const RECOUNT: &str = "UPDATE letterboxes SET \
                       mails = (SELECT COUNT(*) FROM mails WHERE letterbox = letterboxes.id), \
                       bytes = (SELECT COALESCE(SUM(bytes), 0) FROM mails WHERE letterbox = letterboxes.id)";

#[async_trait]
impl MailStore for SqlMail {
    async fn clock(&self) -> Result<Option<MailClock>, StorageError> {
        let Some(row) = one(&self.readers, "SELECT time, wall FROM clock", Vec::new()).await? else { return Ok(None) };
        let time = Duration::from_millis(count(&row, "time")?);
        Ok(Some(MailClock { time, wall: Wall::from_millis(count(&row, "wall")?) }))
    }

    async fn usage(&self) -> Result<MailUsage, StorageError> {
        let row = one(&self.readers, TOTAL, Vec::new()).await?.ok_or_else(|| damaged("a sum is missing"))?;
        let mail = MailAmount { mails: count(&row, "mails")?, bytes: count(&row, "bytes")? };
        Ok(MailUsage { letterboxes: count(&row, "letterboxes")?, mail })
    }

    async fn open(&self, letterbox: LetterboxId, now: Duration, most: u64) -> Result<bool, StorageError> {
        if self.visit(letterbox, now).await? {
            return Ok(true);
        }
        let insert = "INSERT INTO letterboxes (id, visited) SELECT ?, ? WHERE (SELECT COUNT(*) FROM letterboxes) < ? \
                      ON CONFLICT DO NOTHING";
        let most = small(most);
        let made = execute(&self.writer, insert, vec![key(letterbox), millis(now), most]).await?;
        // Somebody may have opened it at the same time.
        Ok(made == 1 || self.visit(letterbox, now).await?)
    }

    async fn visit(&self, letterbox: LetterboxId, now: Duration) -> Result<bool, StorageError> {
        let update = "UPDATE letterboxes SET visited = ? WHERE id = ?";
        Ok(execute(&self.writer, update, vec![millis(now), key(letterbox)]).await? == 1)
    }

    async fn close(&self, letterbox: LetterboxId) -> Result<(), StorageError> {
        let turn = self.begin().await?;
        execute(&turn, "DELETE FROM mails WHERE letterbox = ?", vec![key(letterbox)]).await?;
        execute(&turn, "DELETE FROM letterboxes WHERE id = ?", vec![key(letterbox)]).await?;
        turn.commit().await.map_err(refused)
    }

    async fn deposit(&self, mail: NewMail, room: Room) -> Result<Deposited, StorageError> {
        let (letterbox, hash) = (key(mail.letterbox), Value::from(mail.hash.to_vec()));
        let depositor = Value::from(mail.depositor.to_vec());
        let turn = self.begin().await?;
        let letters = "SELECT last, mails, bytes FROM letterboxes WHERE id = ?";
        let Some(letters) = one(&turn, letters, vec![letterbox.clone()]).await? else { return Ok(Deposited::Unknown) };
        let same = "SELECT number FROM mails WHERE letterbox = ? AND hash = ?";
        if let Some(same) = one(&turn, same, vec![letterbox.clone(), hash.clone()]).await? {
            return Ok(Deposited::Kept { number: count(&same, "number")? });
        }
        let share = "SELECT COUNT(*) AS mails, COALESCE(SUM(bytes), 0) AS bytes FROM mails \
                     WHERE letterbox = ? AND depositor = ?";
        let taken = Taken {
            letterbox: MailAmount { mails: count(&letters, "mails")?, bytes: count(&letters, "bytes")? },
            depositor: amount(&turn, share, vec![letterbox.clone(), depositor.clone()]).await?,
            total: amount(&turn, TOTAL, Vec::new()).await?.bytes,
        };
        let bytes = mail.sealed.len() as u64;
        if !room.admits(&taken, bytes) {
            return Ok(Deposited::Full);
        }
        let next = count(&letters, "last")?.saturating_add(1);
        let insert = "INSERT INTO mails (letterbox, number, arrived, depositor, bytes, hash, sealed) \
                      VALUES (?, ?, ?, ?, ?, ?, ?)";
        let size = Value::from(bits(bytes));
        let row = vec![
            letterbox.clone(),
            bits(next).into(),
            millis(mail.arrived),
            depositor,
            size.clone(),
            hash,
            mail.sealed.into(),
        ];
        execute(&turn, insert, row).await?;
        let update = "UPDATE letterboxes SET last = ?, mails = mails + 1, bytes = bytes + ? WHERE id = ?";
        execute(&turn, update, vec![bits(next).into(), size, letterbox]).await?;
        turn.commit().await.map_err(refused)?;
        Ok(Deposited::Kept { number: next })
    }

    async fn next(&self, letterbox: LetterboxId, after: u64) -> Result<Option<KeptMail>, StorageError> {
        // Numbers stay far below the sign.
        let after = small(after);
        let next = "SELECT number, sealed FROM mails WHERE letterbox = ? AND number > ? ORDER BY number LIMIT 1";
        let Some(row) = one(&self.readers, next, vec![key(letterbox), after]).await? else { return Ok(None) };
        Ok(Some(KeptMail { number: count(&row, "number")?, sealed: get(&row, "sealed")? }))
    }

    async fn take(&self, letterbox: LetterboxId, numbers: Vec<u64>) -> Result<(), StorageError> {
        let turn = self.begin().await?;
        for chunk in numbers.chunks(CHUNK) {
            let places = vec!["?"; chunk.len()].join(", ");
            let delete = format!("DELETE FROM mails WHERE letterbox = ? AND number IN ({places})");
            let numbers = chunk.iter().map(|number| bits(*number).into());
            execute(&turn, &delete, [key(letterbox)].into_iter().chain(numbers).collect()).await?;
        }
        execute(&turn, &format!("{RECOUNT} WHERE id = ?"), vec![key(letterbox)]).await?;
        turn.commit().await.map_err(refused)
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept, StorageError> {
        let turn = self.begin().await?;
        let clock = "INSERT INTO clock (one, time, wall) VALUES (1, ?, ?) \
                     ON CONFLICT (one) DO UPDATE SET time = excluded.time, wall = excluded.wall";
        let wall = small(sweep.clock.wall.as_millis());
        execute(&turn, clock, vec![millis(sweep.clock.time), wall]).await?;
        let left = "SELECT id FROM letterboxes WHERE visited < ?";
        let of_left = format!("DELETE FROM mails WHERE letterbox IN ({left})");
        execute(&turn, &of_left, vec![millis(sweep.visited_before)]).await?;
        let of_left = "DELETE FROM letterboxes WHERE visited < ?";
        let letterboxes = execute(&turn, of_left, vec![millis(sweep.visited_before)]).await?;
        let mails = execute(&turn, "DELETE FROM mails WHERE arrived < ?", vec![millis(sweep.arrived_before)]).await?;
        if mails > 0 {
            execute(&turn, RECOUNT, Vec::new()).await?;
        }
        turn.commit().await.map_err(refused)?;
        Ok(Swept { mails, letterboxes })
    }
}
