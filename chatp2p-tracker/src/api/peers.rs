//! Who is there.

mod cache;

use bytes::Bytes;
use chatp2p_core::code::Code;
use chatp2p_core::tracker::{MAX_PAGE, PeerQuery, Tracker};
use chatp2p_service::{Problem, Refused, Statuses, utf8_query};
use poem::http::StatusCode;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{ApiResponse, OpenApi};

use super::body::Listed;
use super::refusal::{known_name, refusal};
use super::{Group, Shared, TOO_MANY};

use cache::{Cache, encode};

pub(super) struct Peers {
    shared: Shared,
    cache: Cache,
}

/// The list, or that it has not changed.
#[derive(ApiResponse)]
enum Listing {
    /// Those who are there, each name once, in the order of their Unicode scalar values.
    #[oai(status = 200, actual_type = "Json<Vec<Listed>>")]
    Peers(
        Binary<Bytes>,
        /// Changes with the list, except when only a `last_heartbeat` does.
        #[oai(header = "ETag")]
        String,
        /// Where the next page is, if there is one: `</peers?…>; rel="next"`.
        #[oai(header = "Link")]
        Option<String>,
    ),
    /// The list is the one that `If-None-Match` names, except for each `last_heartbeat`.
    #[oai(status = 304)]
    Unchanged(
        /// The same as before.
        #[oai(header = "ETag")]
        String,
    ),
}

struct ListRefusals;

impl Statuses for ListRefusals {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (422, "`invalid_input`: `limit` is not a number from 1 to 1000, or the query is not UTF-8."),
        (429, TOO_MANY),
        (503, "`tracker_unreachable`: the tracker is shutting down."),
    ];
}

struct FindRefusals;

impl Statuses for FindRefusals {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (404, "`unknown_peer`: nobody goes by this name now."),
        (422, "`invalid_input`: the name is not UTF-8."),
        (429, TOO_MANY),
        (503, "`tracker_unreachable`: the tracker is shutting down."),
    ];
}

impl Peers {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared, cache: Cache::default() }
    }
}

#[OpenApi(tag = "Group::Peers")]
impl Peers {
    /// List who is there.
    ///
    /// The whole list, or a page of it. The whole list is never older than a second, and always current up to 1,000 peers.
    #[oai(path = "/peers", method = "get", operation_id = "listPeers", transform = "utf8_query")]
    async fn peers(
        &self,
        /// At most this many, 1–1000; without it the whole list.
        #[oai(example = "example_limit", validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<usize>>,
        /// Only names after this one: the last name of the page before.
        #[oai(example = "example_cursor")]
        cursor: Query<Option<String>>,
        /// Only names that start so.
        #[oai(example = "example_prefix")]
        prefix: Query<Option<String>>,
        /// The `ETag` of a list that is known.
        #[oai(name = "If-None-Match")]
        known: Header<Option<String>>,
    ) -> Result<Listing, Refused<ListRefusals>> {
        let query = PeerQuery { prefix: prefix.0, after: cursor.0, limit: limit.0.map(|limit| limit.min(MAX_PAGE)) };
        // Read before the list: a tag may be older than what it stands for, never newer.
        let tag = tag(self.shared.tracker.version());
        if known.as_deref().is_some_and(|known| names(known, &tag)) {
            return Ok(Listing::Unchanged(tag));
        }
        if query == PeerQuery::default() {
            let list = self.cache.list(&self.shared).await.map_err(refusal)?;
            return Ok(Listing::Peers(Binary(list.bytes), self::tag(list.version), None));
        }
        let page = self.shared.tracker.peers(query.clone()).await.map_err(refusal)?;
        let last = page.items.last().filter(|_| page.more);
        let next = last.map(|last| link(&query, last.username.as_str()));
        Ok(Listing::Peers(Binary(encode(page.items).await), tag, next))
    }

    /// Find one peer.
    ///
    /// Where a name is now, if it is listed.
    #[oai(path = "/peers/:username", method = "get", operation_id = "findPeer")]
    async fn peer(
        &self,
        /// The name.
        #[oai(example = "example_name")]
        username: Path<String>,
    ) -> Result<Json<Listed>, Refused<FindRefusals>> {
        let name = known_name(&username)?;
        let found = self.shared.tracker.find(&name).await.map_err(refusal)?;
        let nobody =
            || Problem::new(StatusCode::NOT_FOUND, Code::UnknownPeer, format!("nobody called {name} is listed"));
        let found = found.ok_or_else(nobody)?;
        Ok(Json(Listed::from(&found)))
    }
}

fn example_limit() -> Option<usize> {
    Some(100)
}

fn example_cursor() -> Option<String> {
    Some("alice".to_owned())
}

fn example_prefix() -> Option<String> {
    Some("a".to_owned())
}

fn example_name() -> String {
    "alice".to_owned()
}

/// Weak, because the same tag stands for lists that differ in their heartbeats.
fn tag(version: u64) -> String {
    format!("W/\"{version:x}\"")
}

/// Whether an `If-None-Match` names this tag (compared weakly, RFC 9110 §13.1.2).
fn names(known: &str, tag: &str) -> bool {
    let opaque = tag.trim_start_matches("W/");
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == opaque)
}

fn link(query: &PeerQuery, last: &str) -> String {
    let mut target = "/peers?".to_owned();
    if let Some(limit) = query.limit {
        target += &format!("limit={limit}&");
    }
    if let Some(prefix) = &query.prefix {
        target += &format!("prefix={}&", escape(prefix));
    }
    format!("<{target}cursor={}>; rel=\"next\"", escape(last))
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped += &format!("%{byte:02X}"),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_query() {
        let query = PeerQuery { prefix: Some("J&o".to_owned()), after: None, limit: Some(2) };
        assert_eq!(link(&query, "José"), "</peers?limit=2&prefix=J%26o&cursor=Jos%C3%A9>; rel=\"next\"");
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = tag(255);
        for known in ["W/\"ff\"", "\"ff\"", "\"1\", W/\"ff\"", "*"] {
            assert!(names(known, &tag), "{known}");
        }
        for known in ["", "W/\"fe\"", "ff", "\"f\""] {
            assert!(!names(known, &tag), "{known}");
        }
    }
}
