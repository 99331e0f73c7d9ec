//! Who is trusted.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::node::NodeError;
use chatp2p_service::{Problem, Refused};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::refusals::{Forgetting, not_running, problem};
use crate::desk::Desk;

pub(crate) struct ContactsApi;

/// The key is forgotten.
#[derive(Debug, Object)]
#[oai(example)]
struct KeyForgotten {
    /// Always `forgotten`.
    status: String,
    /// Whose key.
    name: String,
}

impl Example for KeyForgotten {
    fn example() -> Self {
        Self { status: "forgotten".to_owned(), name: "bob".to_owned() }
    }
}

#[OpenApi(tag = "Tag::Contacts")]
impl ContactsApi {
    /// Forget the key of a contact
    ///
    /// For a friend who reinstalled and so has a new key: the next `/connect` remembers that one. What was still queued for the old
    /// key has failed; the history stays. Make sure first that it *is* your friend.
    #[oai(path = "/contacts/:name/key", method = "delete", operation_id = "forget_key")]
    async fn forget_key(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
    ) -> Result<Json<KeyForgotten>, Refused<Forgetting>> {
        let node = desk.node().ok_or_else(not_running)?;
        let unknown = |detail: String| Problem::new(StatusCode::NOT_FOUND, Code::UnknownPeer, detail);
        let name: Username = name.parse().map_err(|_| unknown("nobody has such a name".to_owned()))?;
        node.forget_key(&name).await.map_err(|error| match error {
            NodeError::UnknownPeer { .. } => unknown(error.to_string()),
            other => problem(&other),
        })?;
        Ok(Json(KeyForgotten { status: "forgotten".to_owned(), name: name.to_string() }))
    }
}
