//! With whom there is a conversation, and what was said last in each.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use super::super::vault::Vault;
use super::super::{damaged, refused, rows};
use super::{messages, ordinal_of};
use crate::identity::Username;
use crate::storage::{ConversationQuery, StorageError, StoredConversations};

/// The ordinal of the newest message of each name, under whichever keys. In SQL, because it has to be exactly this: for each
/// contact one look at the end of its part of the index `entries_shown`, however long the conversation is. A join would
/// read all entries.
const NEWEST: &str = "\
SELECT name, min(forgotten) AS forgotten, max((SELECT max(ordinal) FROM entries \
WHERE entries.peer = contacts.peer AND body IS NOT NULL)) AS ordinal FROM contacts GROUP BY name";

pub(super) async fn read(
    view: &DatabaseTransaction,
    query: ConversationQuery,
    vault: &Vault,
) -> Result<StoredConversations, StorageError> {
    let before = match query.before {
        Some(id) => ordinal_of(view, id, None).await?.ok_or(StorageError::UnknownMessage(id))?,
        None => i64::MAX,
    };
    // One more than may be brought, to see whether there are more.
    let most = i64::from(u32::try_from(query.limit.entries.max(1)).unwrap_or(u32::MAX)) + 1;
    let sql = format!(
        "SELECT entries.ordinal, entries.weight FROM ({NEWEST}) AS newest JOIN entries ON entries.ordinal = newest.ordinal \
         WHERE newest.ordinal < ? ORDER BY newest.ordinal DESC LIMIT ?"
    );
    let newest = Statement::from_sql_and_values(view.get_database_backend(), sql, [before, most].map(Value::from));
    let newest = view.query_all_raw(newest).await.map_err(refused)?;
    let newest = newest.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    let newest: Vec<(i64, i64)> = newest.collect::<Result<_, _>>().map_err(refused)?;
    let taken = query.limit.take(newest.iter().copied(), |(_, weight)| rows::weight(*weight));
    let silent = if taken.len() == newest.len() { Some(silent(view).await?) } else { None };
    let ordinals: Vec<i64> = taken.iter().rev().map(|(ordinal, _)| *ordinal).collect();
    let mut newest = messages(view, &ordinals, vault).await?;
    newest.reverse();
    Ok(StoredConversations { newest, silent })
}

/// The names with whom there is no message.
async fn silent(view: &DatabaseTransaction) -> Result<Vec<Username>, StorageError> {
    let sql = format!("SELECT name FROM ({NEWEST}) WHERE ordinal IS NULL AND NOT forgotten ORDER BY name");
    let names = Statement::from_string(view.get_database_backend(), sql);
    let names = view.query_all_raw(names).await.map_err(refused)?;
    let name = |row: &sea_orm::QueryResult| {
        let name: String = row.try_get_by_index(0).map_err(refused)?;
        name.parse().map_err(|_| damaged("a stored name is no username"))
    };
    names.iter().map(name).collect()
}
