//! Who is known, by which key, and under which name.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::identity::{ContactLink, PeerId, SafetyNumber, Username};
use chatp2p_core::node::{ContactCard, NodeError, PeerNode};
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::refusals::{AcceptingKey, Adding, Changing, Forgetting, Reading, Verifying, not_running, problem};
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

/// Somebody who is known.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Contact {
    /// The name here.
    name: String,
    /// The name at the tracker.
    tracker_name: String,
    /// The pinned key: 52 characters of base32.
    peer_id: String,
    /// Whether the safety number of this key was compared.
    verified: bool,
    /// Whether nothing is taken from them and nothing sent to them.
    blocked: bool,
    /// Whether there is a live link.
    connected: bool,
    /// When the last link ended: RFC 3339 in UTC; absent while that is not known.
    last_seen: Option<String>,
    /// Another key that was seen under this name since the node started and is not accepted.
    presented: Option<String>,
}

impl From<ContactCard> for Contact {
    fn from(card: ContactCard) -> Self {
        Self {
            name: card.name.to_string(),
            tracker_name: card.name_at_tracker.to_string(),
            peer_id: card.peer_id.to_string(),
            verified: card.verified,
            blocked: card.blocked,
            connected: card.connected,
            last_seen: card.seen.map(|at| at.to_string()),
            presented: card.presented.map(|key| key.to_string()),
        }
    }
}

impl Example for Contact {
    fn example() -> Self {
        Self {
            name: "bob".to_owned(),
            tracker_name: "bob".to_owned(),
            peer_id: "qe4xodvipulv6vvdkrtmgtd6ztfy3curwtxdpis56yhvxd6jwoka".to_owned(),
            verified: true,
            blocked: false,
            connected: true,
            last_seen: Some("2026-11-23T07:00:00.000Z".to_owned()),
            presented: None,
        }
    }
}

/// Who is known.
#[derive(Debug, Object)]
#[oai(example)]
struct Contacts {
    /// Everybody, by name.
    contacts: Vec<Contact>,
}

impl Example for Contacts {
    fn example() -> Self {
        Self { contacts: vec![Contact::example()] }
    }
}

/// Whom to add.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct NewContact {
    /// Their contact link, as their `GET /identity` has it.
    link: String,
    /// The name here; that of the link if not given.
    name: Option<String>,
}

impl Example for NewContact {
    fn example() -> Self {
        let link = "chatp2p:agats5yovb6rox2wunkgnq2mp3gmxdmksg2o4n5clx3a6w4pzgzzi3wgtqlagtnf/bob";
        Self { link: link.to_owned(), name: None }
    }
}

/// What to change. What is not given stays.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct ContactPatch {
    /// Another name here. Nobody else hears of it.
    name: Option<String>,
    /// Whether to have nothing to do with them.
    blocked: Option<bool>,
}

impl Example for ContactPatch {
    fn example() -> Self {
        Self { name: Some("uncle-bob".to_owned()), blocked: None }
    }
}

/// The key to accept.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct AcceptedKey {
    /// The key that the contact has now, as `key_changed` or the contact's `presented` names it.
    peer_id: String,
}

impl Example for AcceptedKey {
    fn example() -> Self {
        Self { peer_id: Contact::example().peer_id }
    }
}

/// By what two people see that each holds the other's key.
#[derive(Debug, Object)]
#[oai(example)]
struct SafetyNumbers {
    /// Sixty digits in twelve groups of five, the same at both ends.
    safety_number: String,
    /// What a QR code for the other end's eyes says.
    code: String,
    /// The key that it is about.
    peer_id: String,
    /// Whether it was compared.
    verified: bool,
}

impl Example for SafetyNumbers {
    fn example() -> Self {
        Self {
            safety_number: "01271 85361 60890 65559 40827 36597 26722 67727 67434 60282 62279 23697".to_owned(),
            code: "CHATP2P-SAFETY:1:ONTOAF7XINW6FPWRNVDM7VI2BS6VDWOXZOK5G7TCA7CV7ZZPVNVWJLCK3DIDMX42".to_owned(),
            peer_id: Contact::example().peer_id,
            verified: false,
        }
    }
}

/// What the other end shows.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct Compared {
    /// The digits that they read out, or what their code says.
    shown: String,
}

impl Example for Compared {
    fn example() -> Self {
        Self { shown: SafetyNumbers::example().safety_number }
    }
}

#[OpenApi(tag = "Tag::Contacts")]
impl ContactsApi {
    /// List the contacts
    ///
    /// Everybody whose key is pinned here, by name.
    #[oai(path = "/contacts", method = "get", operation_id = "contacts")]
    async fn contacts(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<Contacts>, Refused<Reading>> {
        let contacts = node(desk)?.contacts().await.map_err(|error| refusal(&error))?;
        Ok(Json(Contacts { contacts: contacts.into_iter().map(Contact::from).collect() }))
    }

    /// Add a contact by their link
    ///
    /// Pins the key of the link before the first contact: whoever goes by that name without this key is refused. Nobody is dialled;
    /// `POST /connect` and `POST /send` are.
    #[oai(path = "/contacts", method = "post", operation_id = "add_contact")]
    async fn add(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(body): JsonBody<NewContact>,
    ) -> Result<Json<Contact>, Refused<Adding>> {
        let link: Result<ContactLink, _> = body.link.trim().parse();
        let link = link.map_err(|error| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidLink, format!("link: {error}"))
        })?;
        let name = body.name.as_deref().map(new_name).transpose()?;
        let card = node(desk)?.add_contact(&link, name).await.map_err(|error| refusal(&error))?;
        Ok(Json(card.into()))
    }

    /// Show a contact
    ///
    /// By the name here, else by the one at the tracker where only one contact goes by that.
    #[oai(path = "/contacts/:name", method = "get", operation_id = "contact")]
    async fn contact(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
    ) -> Result<Json<Contact>, Refused<Forgetting>> {
        let card = node(desk)?.contact(&known_name(&name)?).await.map_err(|error| refusal(&error))?;
        Ok(Json(card.into()))
    }

    /// Rename or block a contact
    ///
    /// The name is yours alone; the conversation moves along. A blocked contact has no link and hears nothing but an ordinary refusal;
    /// what waits for them goes on waiting.
    #[oai(path = "/contacts/:name", method = "patch", operation_id = "change_contact")]
    async fn change(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
        JsonBody(body): JsonBody<ContactPatch>,
    ) -> Result<Json<Contact>, Refused<Changing>> {
        let to = body.name.as_deref().map(new_name).transpose()?;
        let (node, name) = (node(desk)?, known_name(&name)?);
        let mut card = node.contact(&name).await.map_err(|error| refusal(&error))?;
        if let Some(to) = to {
            card = node.rename_contact(&card.name, &to).await.map_err(|error| refusal(&error))?;
        }
        if let Some(blocked) = body.blocked {
            card = node.block_contact(&card.name, blocked).await.map_err(|error| refusal(&error))?;
        }
        Ok(Json(card.into()))
    }

    /// Remove a contact
    ///
    /// And erase all that was said with them, here; the other end keeps its own. A block outlives it.
    #[oai(path = "/contacts/:name", method = "delete", operation_id = "remove_contact")]
    async fn remove(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
    ) -> Result<Json<Contact>, Refused<Forgetting>> {
        let (node, name) = (node(desk)?, known_name(&name)?);
        let card = node.contact(&name).await.map_err(|error| refusal(&error))?;
        node.remove_contact(&card.name).await.map_err(|error| refusal(&error))?;
        Ok(Json(card.into()))
    }

    /// Accept the changed key of a contact
    ///
    /// For a friend who reinstalled. The key must be named, so that nobody accepts one that they have not seen. It is not verified; what
    /// was not delivered to the key before has failed, and is not sent to this one.
    #[oai(path = "/contacts/:name/key", method = "put", operation_id = "accept_key")]
    async fn accept_key(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
        JsonBody(body): JsonBody<AcceptedKey>,
    ) -> Result<Json<Contact>, Refused<AcceptingKey>> {
        let key: Result<PeerId, _> = body.peer_id.parse();
        let key = key.map_err(|error| Problem::invalid(format!("peer_id: {error}")))?;
        let card = node(desk)?.accept_key(&known_name(&name)?, key).await.map_err(|error| refusal(&error))?;
        Ok(Json(card.into()))
    }

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
        let (node, name) = (node(desk)?, known_name(&name)?);
        node.forget_key(&name).await.map_err(|error| refusal(&error))?;
        Ok(Json(KeyForgotten { status: "forgotten".to_owned(), name: name.to_string() }))
    }

    /// Show the safety number of a contact
    ///
    /// Equal at both ends if each holds the other's key. Compare it over another channel: read it out, or scan the code.
    #[oai(path = "/contacts/:name/safety-number", method = "get", operation_id = "safety_number")]
    async fn safety_number(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
    ) -> Result<Json<SafetyNumbers>, Refused<Forgetting>> {
        let node = node(desk)?;
        let card = node.contact(&known_name(&name)?).await.map_err(|error| refusal(&error))?;
        let number = SafetyNumber::new(node.peer_id(), card.peer_id);
        Ok(Json(SafetyNumbers {
            safety_number: number.to_string(),
            code: number.scannable(),
            peer_id: card.peer_id.to_string(),
            verified: card.verified,
        }))
    }

    /// Note that the safety number was compared
    ///
    /// The contact is verified if what they show is the number of the pinned key, until that changes.
    #[oai(path = "/contacts/:name/safety-number", method = "put", operation_id = "verify_contact")]
    async fn verify(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
        JsonBody(body): JsonBody<Compared>,
    ) -> Result<Json<Contact>, Refused<Verifying>> {
        let card = node(desk)?.verify_contact(&known_name(&name)?, &body.shown).await;
        Ok(Json(card.map_err(|error| refusal(&error))?.into()))
    }

    /// Take back that the safety number was compared
    ///
    /// The contact is no longer verified; nothing else changes.
    #[oai(path = "/contacts/:name/safety-number", method = "delete", operation_id = "unverify_contact")]
    async fn unverify(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the contact.
        Path(name): Path<String>,
    ) -> Result<Json<Contact>, Refused<Forgetting>> {
        let card = node(desk)?.unverify_contact(&known_name(&name)?).await;
        Ok(Json(card.map_err(|error| refusal(&error))?.into()))
    }
}

pub(super) fn node(desk: &Arc<Desk>) -> Result<Arc<dyn PeerNode>, Box<Problem>> {
    desk.node().ok_or_else(|| Box::new(not_running()))
}

/// A name that nobody can have is the name of nobody.
pub(super) fn known_name(text: &str) -> Result<Username, Box<Problem>> {
    text.parse().map_err(|_| Box::new(unknown("nobody has such a name".to_owned())))
}

pub(super) fn new_name(text: &str) -> Result<Username, Box<Problem>> {
    text.parse().map_err(|error| Box::new(Problem::invalid(format!("name: {error}"))))
}

fn unknown(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, Code::UnknownPeer, detail)
}

/// Here a name is part of the path: who is unknown is not found.
pub(super) fn refusal(error: &NodeError) -> Problem {
    match error {
        NodeError::UnknownPeer { .. } => unknown(error.to_string()),
        other => problem(other),
    }
}
