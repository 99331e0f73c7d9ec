//! What keeps the key on the disk from whoever has the disk.

use std::sync::Arc;

use chatp2p_core::storage::{Passphrase, PassphraseError};
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::refusals::{Resealing, desk as refuse, not_running};
use crate::desk::{Desk, DeskError};

pub(crate) struct PassphraseApi;

/// The passphrase so far, and the one from now on.
#[derive(Object, Deserialize)]
#[oai(example)]
struct ChangePassphrase {
    /// What the profile is under; needed where it is under one.
    #[oai(validator(max_length = 1024))]
    passphrase: Option<String>,
    /// What it is to be under: 8 characters to 1024 bytes. Without it, it is under none from now on.
    #[oai(validator(max_length = 1024))]
    new_passphrase: Option<String>,
}

impl Example for ChangePassphrase {
    fn example() -> Self {
        Self { passphrase: None, new_passphrase: Some("correct horse battery staple".to_owned()) }
    }
}

/// How the profile is kept from now on.
#[derive(Debug, Object)]
#[oai(example)]
struct PassphraseChanged {
    /// Whether it takes a passphrase to start the node.
    has_passphrase: bool,
}

impl Example for PassphraseChanged {
    fn example() -> Self {
        Self { has_passphrase: true }
    }
}

#[OpenApi(tag = "Tag::Node")]
impl PassphraseApi {
    /// Change the passphrase of the profile
    ///
    /// Without one, whoever has the disk has the key, and with it every message on the disk. There is no way back from a
    /// passphrase that is forgotten. The node goes on as it is; the next start asks for it.
    #[oai(path = "/passphrase", method = "put", operation_id = "change_passphrase")]
    async fn change_passphrase(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(body): JsonBody<ChangePassphrase>,
    ) -> Result<Json<PassphraseChanged>, Refused<Resealing>> {
        let profile = desk.profile().ok_or_else(not_running)?;
        let present = body.passphrase.as_deref().map(Passphrase::new).transpose().map_err(none)?;
        let new = body.new_passphrase.as_deref().map(Passphrase::new).transpose().map_err(none)?;
        let has_passphrase = new.is_some();
        profile.change_passphrase(present, new).await.map_err(|error| refuse(&DeskError::Start(error.into())))?;
        Ok(Json(PassphraseChanged { has_passphrase }))
    }
}

/// What the caller hears of a text that is no passphrase. The text is not repeated.
pub(super) fn none(error: PassphraseError) -> Problem {
    Problem::invalid(error.to_string())
}

/// Whether the running node's profile is under a passphrase.
pub(super) async fn is_set(desk: &Desk) -> Result<bool, Problem> {
    let profile = desk.profile().ok_or_else(not_running)?;
    profile.has_passphrase().await.map_err(|error| refuse(&DeskError::Start(error.into())))
}
