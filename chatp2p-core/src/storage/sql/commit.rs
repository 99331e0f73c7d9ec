//! One commit of a profile: what it touches is read first, the rules are applied here and in [`Heads`], and what came of
//! it is written in a few large statements. A turn may carry hundreds of changes; one statement each would cost ten
//! times as much.

mod encryption;
mod notes;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, Iterable, QueryFilter, QueryOrder,
    QuerySelect, Statement, Value,
};

use super::entities::{contacts, entries, meta, my_epochs, requests, their_epochs};
use super::vault::Vault;
use super::{CHUNK, bits, damaged, number, refused, rows};
use crate::identity::PeerId;
use crate::message::{Author, Entry, EntryId, Place, Position};
use crate::storage::heads::Heads;
use crate::storage::{Change, Committed, Contact, Request, StorageError};
use encryption::Encryption;
use notes::{HIDES_READING, SEQ};
pub(super) use notes::{hides_reading, seq};

/// The logs of these peers, or of all; with what belongs to each in order.
pub(super) async fn heads<C: ConnectionTrait>(
    connection: &C,
    peers: Option<&BTreeSet<PeerId>>,
    vault: &Vault,
) -> Result<BTreeMap<PeerId, Heads>, StorageError> {
    let mut heads: BTreeMap<PeerId, Heads> = BTreeMap::new();
    let chunks: Vec<Option<Vec<Vec<u8>>>> = match peers {
        None => vec![None],
        Some(peers) => {
            let keys: Vec<_> = peers.iter().map(rows::key).collect();
            keys.chunks(CHUNK).map(|chunk| Some(chunk.to_vec())).collect()
        }
    };
    for keys in chunks {
        let mut mine = my_epochs::Entity::find().order_by_asc(my_epochs::Column::Place);
        let mut theirs = their_epochs::Entity::find().order_by_asc(their_epochs::Column::Place);
        if let Some(keys) = keys {
            mine = mine.filter(my_epochs::Column::Peer.is_in(keys.clone()));
            theirs = theirs.filter(their_epochs::Column::Peer.is_in(keys));
        }
        for mut row in mine.all(connection).await.map_err(refused)? {
            let peer = rows::peer(std::mem::take(&mut row.peer))?;
            heads.entry(peer).or_default().mine.push(rows::epoch_log(&peer, row, vault)?);
        }
        for mut row in theirs.all(connection).await.map_err(refused)? {
            let peer = rows::peer(std::mem::take(&mut row.peer))?;
            let heads = heads.entry(peer).or_default();
            let read = number(row.read);
            let position = rows::position(&peer, row, vault)?;
            if read > 0 {
                heads.read = Some(Place { epoch: position.epoch, n: read });
            }
            heads.theirs.push(position);
        }
    }
    Ok(heads)
}

/// Applies the changes within a transaction, which the caller commits.
pub(super) async fn apply(
    turn: &DatabaseTransaction,
    vault: &Vault,
    changes: &[Change],
) -> Result<Committed, StorageError> {
    let mut commit = Commit::begin(turn, vault, changes).await?;
    for change in changes {
        commit.apply(change).await?;
    }
    commit.finish().await
}

struct Commit<'a> {
    turn: &'a DatabaseTransaction,
    vault: &'a Vault,
    /// How many changes there are: no more entries can be taken from a queue.
    count: usize,
    talks: BTreeMap<PeerId, Talk>,
    /// The ordinals of the entries that the changes name.
    known: BTreeMap<(PeerId, Author, EntryId), i64>,
    contacts: BTreeMap<PeerId, &'a Contact>,
    encryption: Encryption<'a>,
    /// `None` for those that are gone.
    requests: BTreeMap<PeerId, Option<&'a Request>>,
    seq: Option<u64>,
    hides_reading: Option<bool>,
    committed: Committed,
    /// The last ordinal before this commit.
    first: i64,
    /// The last ordinal that is written; those of `fresh` follow.
    written: i64,
    fresh: Vec<entries::ActiveModel>,
    placed: Vec<(i64, rows::Placed)>,
}

struct Talk {
    before: Heads,
    heads: Heads,
    /// The oldest ordinals of the queue, more than can be taken; `None` while nobody asked.
    queued: Option<BTreeSet<i64>>,
}

impl<'a> Commit<'a> {
    async fn begin(turn: &'a DatabaseTransaction, vault: &'a Vault, changes: &[Change]) -> Result<Self, StorageError> {
        let mut peers = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for change in changes {
            match change {
                Change::Contact(_)
                | Change::Seq(_)
                | Change::Keys(_)
                | Change::Request(_)
                | Change::RequestGone(_)
                | Change::HidesReading(_) => {}
                Change::Erase(peer) => drop(peers.insert(*peer)),
                Change::Queue { peer, entry, .. } | Change::Received { peer, entry, .. } => {
                    peers.insert(*peer);
                    ids.insert(entry.id);
                }
                Change::Place { peer, id, .. } => {
                    peers.insert(*peer);
                    ids.insert(*id);
                }
                Change::Acknowledged { peer, .. }
                | Change::Skipped { peer, .. }
                | Change::Encrypted { peer, .. }
                | Change::ReadByThem { peer, .. }
                | Change::ReadByMe { peer, .. }
                | Change::Mailed { peer, .. } => drop(peers.insert(*peer)),
            }
        }
        let mut heads = heads(turn, Some(&peers), vault).await?;
        let talk = |peer| {
            let before = heads.remove(&peer).unwrap_or_default();
            (peer, Talk { heads: before.clone(), before, queued: None })
        };
        let last: Option<Option<i64>> = entries::Entity::find()
            .select_only()
            .column_as(entries::Column::Ordinal.max(), "last")
            .into_tuple()
            .one(turn)
            .await
            .map_err(refused)?;
        let first = last.flatten().unwrap_or_default();
        Ok(Self {
            turn,
            vault,
            count: changes.len(),
            talks: peers.into_iter().map(talk).collect(),
            known: known(turn, &ids).await?,
            contacts: BTreeMap::new(),
            encryption: Encryption::default(),
            requests: BTreeMap::new(),
            seq: None,
            hides_reading: None,
            committed: Committed::default(),
            first,
            written: first,
            fresh: Vec::new(),
            placed: Vec::new(),
        })
    }

    async fn apply(&mut self, change: &'a Change) -> Result<(), StorageError> {
        match change {
            Change::Contact(contact) => drop(self.contacts.insert(contact.peer_id, contact)),
            Change::Seq(seq) => self.seq = self.seq.max(Some(*seq)),
            Change::Keys(row) => self.encryption.put_key(row),
            Change::Encrypted { peer, epoch, n, ciphertext } => {
                let heads = self.heads(*peer)?;
                if !heads.mine.iter().any(|log| log.epoch == *epoch && *n <= log.head) {
                    return Err(damaged("what is encrypted has no place in my log"));
                }
                if !heads.has_acknowledged(*epoch, *n) {
                    self.encryption.put_ciphertext(*peer, (*epoch, *n), ciphertext);
                }
            }
            Change::Queue { peer, entry, place, ciphertext } => {
                if self.known.contains_key(&(*peer, Author::Me, entry.id)) {
                    return Err(damaged("an entry is queued twice"));
                }
                if let Some(place) = place {
                    if !self.queue(*peer).await?.is_empty() {
                        return Err(damaged("an entry overtakes one that was queued before it"));
                    }
                    self.heads(*peer)?.place(*place)?;
                }
                if let (Some(place), Some(ciphertext)) = (place, ciphertext) {
                    self.encryption.put_ciphertext(*peer, (place.epoch, place.n), ciphertext);
                }
                let ordinal = self.insert(*peer, Author::Me, entry, *place)?;
                if let (None, Some(queue)) = (place, self.talks.get_mut(peer).and_then(|talk| talk.queued.as_mut())) {
                    queue.insert(ordinal);
                }
            }
            Change::Place { peer, id, place, ciphertext } => {
                let ordinal = self.known.get(&(*peer, Author::Me, *id)).copied();
                let ordinal = ordinal.ok_or_else(|| damaged("no entry has this id"))?;
                let queue = self.queue(*peer).await?;
                if queue.first() != Some(&ordinal) {
                    return Err(damaged("an entry is placed that is not the next one in the queue"));
                }
                queue.pop_first();
                self.heads(*peer)?.place(*place)?;
                self.put(ordinal, rows::Placed::new(peer, Author::Me, place, self.vault)?);
                if let Some(ciphertext) = ciphertext {
                    self.encryption.put_ciphertext(*peer, (place.epoch, place.n), ciphertext);
                }
            }
            Change::Acknowledged { peer, position } => {
                self.heads(*peer)?.acknowledge(*position)?;
                self.encryption.arrive(*peer, *position);
            }
            Change::Received { peer, entry, position } => {
                self.heads(*peer)?.advance(*position)?;
                match self.known.get(&(*peer, Author::Them, entry.id)) {
                    None => drop(self.insert(*peer, Author::Them, entry, Some(*position))?),
                    Some(ordinal) if *ordinal <= self.first => {
                        self.committed.repeated.insert((*peer, entry.id));
                    }
                    // Came twice within this commit: nobody was told of it yet.
                    Some(_) => {}
                }
            }
            Change::Skipped { peer, position } => self.heads(*peer)?.advance(*position)?,
            Change::Request(request) => drop(self.requests.insert(request.peer_id, Some(request))),
            Change::RequestGone(peer) => drop(self.requests.insert(*peer, None)),
            Change::Erase(peer) => {
                self.encryption.forget(*peer);
                self.erase(*peer).await?;
            }
            Change::ReadByThem { peer, place } => {
                self.heads(*peer)?.read_by_them(*place)?;
                let id = self.id_at(*peer, *place).await?;
                self.committed.read.extend(id.map(|id| (*peer, id)));
            }
            Change::ReadByMe { peer, place } => self.heads(*peer)?.read_by_me(*place)?,
            Change::HidesReading(hides) => self.hides_reading = Some(*hides),
            Change::Mailed { peer, place, at } => self.heads(*peer)?.mail(*place, *at)?,
        }
        Ok(())
    }

    async fn erase(&mut self, peer: PeerId) -> Result<(), StorageError> {
        // What this commit adds comes before it.
        self.flush().await?;
        let of_peer = entries::Column::Peer.eq(rows::key(&peer));
        let waiting = Condition::all().add(of_peer.clone()).add(entries::Column::Epoch.is_null());
        let columns = entries::Entity::find().select_only().column(entries::Column::Ordinal).filter(waiting.clone());
        let gone: BTreeSet<i64> = columns.into_tuple().all(self.turn).await.map_err(refused)?.into_iter().collect();
        self.known.retain(|_, ordinal| !gone.contains(ordinal));
        entries::Entity::delete_many().filter(waiting).exec(self.turn).await.map_err(refused)?;
        let placed = entries::Entity::update_many()
            .col_expr(entries::Column::Body, Expr::value(None::<Vec<u8>>))
            .col_expr(entries::Column::Weight, Expr::value(0))
            .filter(of_peer);
        placed.exec(self.turn).await.map_err(refused)?;
        if let Some(talk) = self.talks.get_mut(&peer) {
            talk.queued = None;
        }
        Ok(())
    }

    fn heads(&mut self, peer: PeerId) -> Result<&mut Heads, StorageError> {
        // `begin` has read the logs of everybody whom the changes name.
        self.talks.get_mut(&peer).map(|talk| &mut talk.heads).ok_or_else(|| damaged("a conversation is missing"))
    }

    /// The id of the entry at this place of my log.
    async fn id_at(&mut self, peer: PeerId, place: Place) -> Result<Option<EntryId>, StorageError> {
        self.flush().await?;
        let row: Option<Vec<u8>> = entries::Entity::find()
            .select_only()
            .column(entries::Column::Id)
            .filter(entries::Column::Peer.eq(rows::key(&peer)))
            .filter(entries::Column::Mine.eq(true))
            .filter(entries::Column::Epoch.eq(bits(place.epoch.get())))
            .filter(entries::Column::N.eq(bits(place.n)))
            .into_tuple()
            .one(self.turn)
            .await
            .map_err(refused)?;
        row.map(rows::id).transpose()
    }

    /// The oldest of what waits for a place.
    async fn queue(&mut self, peer: PeerId) -> Result<&mut BTreeSet<i64>, StorageError> {
        if self.talks.get(&peer).is_none_or(|talk| talk.queued.is_none()) {
            self.flush().await?;
            let queued: Vec<i64> = entries::Entity::find()
                .select_only()
                .column(entries::Column::Ordinal)
                .filter(entries::Column::Peer.eq(rows::key(&peer)))
                .filter(entries::Column::Epoch.is_null())
                .order_by_asc(entries::Column::Ordinal)
                .limit(self.count as u64 + 1)
                .into_tuple()
                .all(self.turn)
                .await
                .map_err(refused)?;
            if let Some(talk) = self.talks.get_mut(&peer) {
                talk.queued = Some(queued.into_iter().collect());
            }
        }
        let queue = self.talks.get_mut(&peer).and_then(|talk| talk.queued.as_mut());
        queue.ok_or_else(|| damaged("a conversation is missing"))
    }

    fn insert(
        &mut self,
        peer: PeerId,
        author: Author,
        entry: &Entry,
        place: Option<Position>,
    ) -> Result<i64, StorageError> {
        let ordinal = self.written + 1 + bits(self.fresh.len() as u64);
        let mut row = rows::entry_row(ordinal, &peer, author, entry, self.vault)?;
        if let Some(place) = place {
            rows::Placed::new(&peer, author, &place, self.vault)?.put(&mut row);
        }
        self.fresh.push(row);
        self.known.insert((peer, author, entry.id), ordinal);
        Ok(ordinal)
    }

    fn put(&mut self, ordinal: i64, place: rows::Placed) {
        let fresh = usize::try_from(ordinal - self.written - 1).ok().and_then(|index| self.fresh.get_mut(index));
        match fresh {
            Some(row) => place.put(row),
            None => self.placed.push((ordinal, place)),
        }
    }

    async fn flush(&mut self) -> Result<(), StorageError> {
        self.written += bits(self.fresh.len() as u64);
        let mut fresh = std::mem::take(&mut self.fresh).into_iter();
        loop {
            let chunk: Vec<_> = fresh.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            entries::Entity::insert_many(chunk).exec_without_returning(self.turn).await.map_err(refused)?;
        }
        for chunk in std::mem::take(&mut self.placed).chunks_mut(CHUNK) {
            let values = vec!["(?, ?, ?, ?)"; chunk.len()].join(", ");
            let sql = format!(
                "UPDATE entries SET epoch = new.column2, n = new.column3, hash = new.column4 \
                 FROM (VALUES {values}) AS new WHERE ordinal = new.column1"
            );
            let values = chunk.iter_mut().flat_map(|(ordinal, place)| {
                let hash = Value::from(std::mem::take(&mut place.hash));
                [Value::from(*ordinal), Value::from(place.epoch), Value::from(place.n), hash]
            });
            let update = Statement::from_sql_and_values(self.turn.get_database_backend(), sql, values);
            self.turn.execute_raw(update).await.map_err(refused)?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Committed, StorageError> {
        self.flush().await?;
        self.write_heads().await?;
        std::mem::take(&mut self.encryption).finish(self.turn).await?;
        let contacts: Vec<_> = self.contacts.values().map(|contact| rows::contact_row(contact)).collect();
        for chunk in contacts.chunks(CHUNK) {
            let replace =
                OnConflict::column(contacts::Column::Peer).update_columns(contacts::Column::iter()).to_owned();
            let insert = contacts::Entity::insert_many(chunk.to_vec()).on_conflict(replace);
            insert.exec_without_returning(self.turn).await.map_err(refused)?;
        }
        self.write_requests().await?;
        if let Some(new) = self.seq {
            self.note(SEQ, new.max(seq(self.turn).await?).to_be_bytes().to_vec()).await?;
        }
        match self.hides_reading {
            Some(true) => self.note(HIDES_READING, Vec::new()).await?,
            Some(false) => {
                let shown = meta::Entity::delete_by_id(HIDES_READING);
                shown.exec(self.turn).await.map_err(refused)?;
            }
            None => {}
        }
        Ok(self.committed)
    }

    async fn note(&self, name: &str, value: Vec<u8>) -> Result<(), StorageError> {
        let row = meta::ActiveModel { name: sea_orm::Set(name.to_owned()), value: sea_orm::Set(value) };
        let replace = OnConflict::column(meta::Column::Name).update_column(meta::Column::Value).to_owned();
        let insert = meta::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(self.turn).await.map_err(refused)?;
        Ok(())
    }

    async fn write_requests(&self) -> Result<(), StorageError> {
        for (peer, request) in &self.requests {
            match request {
                Some(request) => {
                    let replace =
                        OnConflict::column(requests::Column::Peer).update_columns(requests::Column::iter()).to_owned();
                    let insert = requests::Entity::insert(rows::request_row(request, self.vault)?).on_conflict(replace);
                    insert.exec_without_returning(self.turn).await.map_err(refused)?;
                }
                None => {
                    let gone = requests::Entity::delete_by_id(rows::key(peer));
                    gone.exec(self.turn).await.map_err(refused)?;
                }
            }
        }
        Ok(())
    }

    /// Drops the rows of those epochs of theirs that are not remembered any more.
    async fn forget_epochs(&self, peer: &PeerId, talk: &Talk) -> Result<(), StorageError> {
        let is_kept = |past: &Position| talk.heads.theirs.iter().any(|kept| kept.epoch == past.epoch);
        let gone = talk.before.theirs.iter().filter(|past| !is_kept(past));
        let gone: Vec<i64> = gone.map(|past| bits(past.epoch.get())).collect();
        for chunk in gone.chunks(CHUNK) {
            let rows = their_epochs::Entity::delete_many().filter(their_epochs::Column::Peer.eq(rows::key(peer)));
            let rows = rows.filter(their_epochs::Column::Epoch.is_in(chunk.to_vec()));
            rows.exec(self.turn).await.map_err(refused)?;
        }
        Ok(())
    }

    async fn write_heads(&self) -> Result<(), StorageError> {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for (peer, talk) in &self.talks {
            let changed = talk.heads.mine.iter().enumerate().filter(|(i, log)| talk.before.mine.get(*i) != Some(log));
            for (place, log) in changed {
                mine.push(rows::epoch_log_row(peer, place, log, self.vault)?);
            }
            self.forget_epochs(peer, talk).await?;
            let (before, read) = (&talk.before, talk.heads.read);
            let is_marked = |position: &Position| {
                before.read != read
                    && [before.read, read].into_iter().flatten().any(|read| read.epoch == position.epoch)
            };
            let changed = talk.heads.theirs.iter().enumerate();
            let changed =
                changed.filter(|(i, position)| before.theirs.get(*i) != Some(position) || is_marked(position));
            for (place, position) in changed {
                theirs.push(rows::position_row(peer, place, position, read, self.vault)?);
            }
        }
        for chunk in mine.chunks(CHUNK) {
            let replace = OnConflict::columns([my_epochs::Column::Peer, my_epochs::Column::Epoch])
                .update_columns(my_epochs::Column::iter())
                .to_owned();
            let insert = my_epochs::Entity::insert_many(chunk.to_vec()).on_conflict(replace);
            insert.exec_without_returning(self.turn).await.map_err(refused)?;
        }
        for chunk in theirs.chunks(CHUNK) {
            let replace = OnConflict::columns([their_epochs::Column::Peer, their_epochs::Column::Epoch])
                .update_columns(their_epochs::Column::iter())
                .to_owned();
            let insert = their_epochs::Entity::insert_many(chunk.to_vec()).on_conflict(replace);
            insert.exec_without_returning(self.turn).await.map_err(refused)?;
        }
        Ok(())
    }
}

async fn known(
    turn: &DatabaseTransaction,
    ids: &BTreeSet<EntryId>,
) -> Result<BTreeMap<(PeerId, Author, EntryId), i64>, StorageError> {
    let mut known = BTreeMap::new();
    let ids: Vec<_> = ids.iter().map(|id| id.as_bytes().to_vec()).collect();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(Vec<u8>, bool, Vec<u8>, i64)> = entries::Entity::find()
            .select_only()
            .columns([entries::Column::Peer, entries::Column::Mine, entries::Column::Id, entries::Column::Ordinal])
            .filter(entries::Column::Id.is_in(chunk.to_vec()))
            .into_tuple()
            .all(turn)
            .await
            .map_err(refused)?;
        for (peer, mine, id, ordinal) in rows {
            known.insert((rows::peer(peer)?, rows::author(mine), rows::id(id)?), ordinal);
        }
    }
    Ok(known)
}
