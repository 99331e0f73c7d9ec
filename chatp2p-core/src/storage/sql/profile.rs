//! A peer's profile in SQLite: the connections, and everything that reads.

mod conversations;
mod unsealed;

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;

use async_trait::async_trait;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use super::entities::{ciphertexts, contacts, entries, keys, requests};
use super::schema::{ProfileSchema, migrate};
use super::vault::Vault;
use super::{CHUNK, bits, commit, number, quiet, refused, rows};
use crate::identity::{Identity, PeerId};
use crate::message::{Entry, EntryId, Epoch, Place};
use crate::storage::heads::Heads;

use crate::storage::{
    Change, Committed, ConversationQuery, HistoryQuery, LoadLimit, LoggedEntry, Logs, MAX_HISTORY_PAGE, ProfileStore,
    Snapshot, StorageError, StoredConversations, StoredMessage,
};

pub(in crate::storage) use unsealed::Plain;

/// How many readings may run at once, beside the one commit: a page of history for a few windows; more would only
/// contend for the disk.
const READERS: u32 = 3;

/// A [`ProfileStore`] in an SQLite file. Nothing else may write to the file.
///
/// What people wrote is sealed there with a key that follows from their identity; names, keys, times and lengths are not.
#[derive(Debug)]
pub struct SqlProfile {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    vault: Vault,
    /// What keeps others out of the profile, as long as this store lives.
    _lock: Option<File>,
}

impl SqlProfile {
    /// Opens this peer's database in this file; makes the file (readable as the process's umask says) and the tables where
    /// they are missing. A database from before messages were sealed is sealed now.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the file cannot be opened, [`StorageError::Damaged`] when it is no database of
    /// ours or of a newer version. That it is another peer's shows once something sealed is read.
    pub async fn open(path: &Path, identity: &Identity) -> Result<Self, StorageError> {
        Self::open_with(path, identity, Plain::Seal).await
    }

    pub(in crate::storage) async fn open_with(
        path: &Path,
        identity: &Identity,
        plain: Plain,
    ) -> Result<Self, StorageError> {
        // The address is only a stand-in: a path may hold characters that mean something in one.
        let options = |connections| quiet("sqlite://profile", connections);
        let writer = super::sqlite::connect(options(1), Some(path.to_owned()), false).await?;
        migrate::<ProfileSchema>(&writer).await?;
        let vault = Vault::new(identity)?;
        unsealed::seal(&writer, &vault, plain).await?;
        let readers = super::sqlite::connect(options(READERS), Some(path.to_owned()), true).await?;
        Ok(Self { writer, readers, vault, _lock: None })
    }

    /// The same store, which keeps this lock until its end.
    pub(in crate::storage) fn holding(self, lock: File) -> Self {
        Self { _lock: Some(lock), ..self }
    }

    /// Forgets what an entry of theirs says, or one of mine that they have acknowledged. Its number and hash stay in the
    /// log, and its id stays known, so that it is not taken for a new one when it comes again. Returns whether there was
    /// one.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database refuses.
    pub async fn erase(&self, peer: PeerId, id: EntryId) -> Result<bool, StorageError> {
        let turn = self.begin_writing(true).await?;
        let heads =
            commit::heads(&turn, Some(&BTreeSet::from([peer])), &self.vault).await?.remove(&peer).unwrap_or_default();
        let rows = entries::Entity::find()
            .filter(entries::Column::Id.eq(id.as_bytes().to_vec()))
            .filter(entries::Column::Peer.eq(rows::key(&peer)))
            .filter(entries::Column::Body.is_not_null());
        let mut erased = false;
        for row in rows.all(&turn).await.map_err(refused)? {
            let ordinal = row.ordinal;
            if rows::stored_message(row, &heads, &self.vault)?.acknowledged {
                entries::Entity::update_many()
                    .col_expr(entries::Column::Body, Expr::value(None::<Vec<u8>>))
                    .col_expr(entries::Column::Weight, Expr::value(0))
                    .filter(entries::Column::Ordinal.eq(ordinal))
                    .exec(&turn)
                    .await
                    .map_err(refused)?;
                erased = true;
            }
        }
        turn.commit().await.map_err(refused)?;
        Ok(erased)
    }

    /// Where people erase something, its bytes are overwritten. What is deleted beside that is worth no writing: ciphertexts
    /// whose keys are gone.
    async fn begin_writing(&self, erases: bool) -> Result<DatabaseTransaction, StorageError> {
        // Immediate: the write lock is taken before anything is read, so that what was read still holds when it is written.
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        let turn = self.writer.begin_with_options(options).await.map_err(refused)?;
        let deletion = if erases { "PRAGMA secure_delete = ON" } else { "PRAGMA secure_delete = FAST" };
        turn.execute_unprepared(deletion).await.map_err(refused)?;
        Ok(turn)
    }

    /// A view of the database as the last commit left it, however many queries are made.
    async fn view(&self) -> Result<DatabaseTransaction, StorageError> {
        self.readers.begin().await.map_err(refused)
    }
}

#[async_trait]
impl ProfileStore for SqlProfile {
    async fn load(&self) -> Result<Snapshot, StorageError> {
        let view = self.view().await?;
        let rows = contacts::Entity::find().order_by_asc(contacts::Column::Peer).all(&view).await.map_err(refused)?;
        let contacts = rows.into_iter().map(rows::contact).collect::<Result<_, _>>()?;
        let mut heads = commit::heads(&view, None, &self.vault).await?;
        let mut queued = queued(&view).await?;
        let peers: BTreeSet<PeerId> = heads.keys().chain(queued.keys()).copied().collect();
        let mut logs = Vec::new();
        for peer in peers {
            let Heads { mine, theirs, read } = heads.remove(&peer).unwrap_or_default();
            let unacknowledged = match mine.last() {
                Some(last) if last.acknowledged < last.head => {
                    let open = of_my_log(peer, last.epoch, last.acknowledged.saturating_add(1)..=last.head);
                    let columns =
                        [entries::Column::Id, entries::Column::N, entries::Column::Hash, entries::Column::Weight];
                    let rows = open.select_only().columns(columns).into_tuple().all(&view).await.map_err(refused)?;
                    rows.into_iter()
                        .map(|row| rows::unacknowledged(row, (&peer, last.epoch), &self.vault))
                        .collect::<Result<_, _>>()?
                }
                _ => Vec::new(),
            };
            let queued = queued.remove(&peer).unwrap_or_default();
            logs.push(Logs { peer, mine, unacknowledged, queued, theirs, read });
        }
        let keys = keys::Entity::find().order_by_asc(keys::Column::Id).all(&view).await.map_err(refused)?;
        let keys = keys.into_iter().map(rows::keys).collect::<Result<_, _>>()?;
        let rows = requests::Entity::find().order_by_asc(requests::Column::Peer).all(&view).await.map_err(refused)?;
        let requests = rows.into_iter().map(|row| rows::request(row, &self.vault)).collect::<Result<_, _>>()?;
        let (seq, hides_reading) = (commit::seq(&view).await?, commit::hides_reading(&view).await?);
        Ok(Snapshot { contacts, logs, seq, keys, requests, hides_reading })
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError> {
        let erases = changes.iter().any(|change| matches!(change, Change::Erase(_) | Change::RequestGone(_)));
        let turn = self.begin_writing(erases).await?;
        let committed = commit::apply(&turn, &self.vault, &changes).await?;
        turn.commit().await.map_err(refused)?;
        Ok(committed)
    }

    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError> {
        let queued = entries::Entity::find()
            .filter(entries::Column::Peer.eq(rows::key(&peer)))
            .filter(entries::Column::Epoch.is_null())
            .order_by_asc(entries::Column::Ordinal);
        let rows = within(&self.view().await?, queued, limit).await?;
        rows.into_iter().filter_map(|row| rows::entry(row, &self.vault).transpose()).collect()
    }

    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError> {
        let view = self.view().await?;
        let rows = within(&view, of_my_log(peer, epoch, range), limit).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let sent = ciphertexts::Entity::find()
            .filter(ciphertexts::Column::Peer.eq(rows::key(&peer)))
            .filter(ciphertexts::Column::Epoch.eq(bits(epoch.get())))
            .filter(ciphertexts::Column::N.between(first.n, last.n))
            .all(&view);
        let sent = sent.await.map_err(refused)?;
        let mut sent = sent.iter().map(rows::ciphertext).collect::<Result<_, _>>()?;
        rows.into_iter().map(|row| rows::logged(row, &mut sent, &self.vault)).collect()
    }

    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        let view = self.view().await?;
        let before = match query.before {
            Some(id) => ordinal_of(&view, id, query.peers.as_ref()).await?.ok_or(StorageError::UnknownMessage(id))?,
            None => i64::MAX,
        };
        let limit = query.limit.clamp(1, MAX_HISTORY_PAGE);
        let newest = entries::Entity::find()
            .select_only()
            .column(entries::Column::Ordinal)
            .filter(entries::Column::Body.is_not_null())
            .filter(entries::Column::Ordinal.lt(before))
            .order_by_desc(entries::Column::Ordinal)
            .limit(limit as u64);
        let mut page: Vec<i64> = Vec::new();
        match &query.peers {
            None => page = newest.into_tuple().all(&view).await.map_err(refused)?,
            // One at a time: for each the index gives the newest at once, for several together it would sort them all.
            Some(peers) => {
                for peer in peers {
                    let newest = newest.clone().filter(entries::Column::Peer.eq(rows::key(peer)));
                    page.extend(newest.into_tuple::<i64>().all(&view).await.map_err(refused)?);
                }
            }
        }
        page.sort_unstable();
        page.drain(..page.len().saturating_sub(limit));
        messages(&view, &page, &self.vault).await
    }

    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError> {
        let rows: Vec<(Vec<u8>, i64, i64)> = entries::Entity::find()
            .select_only()
            .columns([entries::Column::Peer, entries::Column::Epoch, entries::Column::N])
            .filter(entries::Column::Id.eq(id.as_bytes().to_vec()))
            .filter(entries::Column::Mine.eq(false))
            .filter(entries::Column::Epoch.is_not_null())
            .filter(entries::Column::Body.is_not_null())
            .into_tuple()
            .all(&self.view().await?)
            .await
            .map_err(refused)?;
        let place = |epoch, n| Place { epoch: Epoch::new(number(epoch)), n: number(n) };
        rows.into_iter().map(|(peer, epoch, n)| Ok((rows::peer(peer)?, place(epoch, n)))).collect()
    }

    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        conversations::read(&self.view().await?, query, &self.vault).await
    }
}

/// The messages with these ordinals, which ascend.
async fn messages(
    view: &DatabaseTransaction,
    ordinals: &[i64],
    vault: &Vault,
) -> Result<Vec<StoredMessage>, StorageError> {
    let mut found = Vec::with_capacity(ordinals.len());
    for chunk in ordinals.chunks(CHUNK) {
        let these = entries::Column::Ordinal.is_in(chunk.iter().copied());
        let rows = entries::Entity::find().filter(these).order_by_asc(entries::Column::Ordinal);
        found.extend(rows.all(view).await.map_err(refused)?);
    }
    let peers = found.iter().map(|row| rows::peer(row.peer.clone())).collect::<Result<BTreeSet<_>, _>>()?;
    let heads = commit::heads(view, Some(&peers), vault).await?;
    let none = Heads::default();
    let message = |row: entries::Model| {
        let heads = heads.get(&rows::peer(row.peer.clone())?).unwrap_or(&none);
        rows::stored_message(row, heads, vault)
    };
    found.into_iter().map(message).collect()
}

/// Where the message of this id stands; the oldest of several, those within the query first.
async fn ordinal_of(
    view: &DatabaseTransaction,
    id: EntryId,
    peers: Option<&BTreeSet<PeerId>>,
) -> Result<Option<i64>, StorageError> {
    let rows: Vec<(Vec<u8>, i64)> = entries::Entity::find()
        .select_only()
        .columns([entries::Column::Peer, entries::Column::Ordinal])
        .filter(entries::Column::Id.eq(id.as_bytes().to_vec()))
        .filter(entries::Column::Body.is_not_null())
        .into_tuple()
        .all(view)
        .await
        .map_err(refused)?;
    let mut oldest = (None, None);
    for (peer, ordinal) in rows {
        let older = |than: Option<i64>| Some(than.map_or(ordinal, |than| than.min(ordinal)));
        let peer = rows::peer(peer)?;
        if peers.is_none_or(|peers| peers.contains(&peer)) {
            oldest.0 = older(oldest.0);
        }
        oldest.1 = older(oldest.1);
    }
    Ok(oldest.0.or(oldest.1))
}

/// How much waits for each peer.
async fn queued<C: ConnectionTrait>(view: &C) -> Result<std::collections::BTreeMap<PeerId, (u64, u64)>, StorageError> {
    let rows: Vec<(Vec<u8>, i64, i64)> = entries::Entity::find()
        .select_only()
        .column(entries::Column::Peer)
        .column_as(entries::Column::Ordinal.count(), "entries")
        .column_as(entries::Column::Weight.sum(), "bytes")
        .filter(entries::Column::Epoch.is_null())
        .group_by(entries::Column::Peer)
        .into_tuple()
        .all(view)
        .await
        .map_err(refused)?;
    let queued =
        rows.into_iter().map(|(peer, entries, bytes)| Ok((rows::peer(peer)?, (number(entries), number(bytes)))));
    queued.collect()
}

/// The entries at these places of my log, ascending.
fn of_my_log(peer: PeerId, epoch: Epoch, range: RangeInclusive<u64>) -> Select<entries::Entity> {
    // Beyond what SQL can count there is nothing.
    let bound = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (start, end) = if range.is_empty() { (1, 0) } else { (bound(*range.start()), bound(*range.end())) };
    entries::Entity::find()
        .filter(entries::Column::Peer.eq(rows::key(&peer)))
        .filter(entries::Column::Mine.eq(true))
        .filter(entries::Column::Epoch.eq(bits(epoch.get())))
        .filter(entries::Column::N.between(start, end))
        .order_by_asc(entries::Column::N)
}

/// The first of these entries, until the limit is met. Weighs them before it reads what they say.
async fn within(
    view: &DatabaseTransaction,
    select: Select<entries::Entity>,
    limit: LoadLimit,
) -> Result<Vec<entries::Model>, StorageError> {
    let most = u64::from(u32::try_from(limit.entries.max(1)).unwrap_or(u32::MAX));
    let weights = select.clone().select_only().column(entries::Column::Weight).limit(most).into_tuple::<i64>();
    let weights = weights.all(view).await.map_err(refused)?;
    let count = limit.take(weights, |weight| rows::weight(*weight)).len();
    select.limit(count as u64).all(view).await.map_err(refused)
}
