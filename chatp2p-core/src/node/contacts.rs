//! Whom a node knows, and who asks to be known: what can be seen and done about it from the outside.

use std::fmt;

use async_trait::async_trait;

use crate::clock::Wall;
use crate::identity::{ContactLink, PeerId, Username};
use crate::message::Body;
use crate::protocol::{Command, ContactCommand, ContactRefusal, State};
use crate::storage::{Contact, Request};

use super::handle::explain;
use super::{Node, NodeError};

/// What a user can do about people. Everything that answers with success is durable.
///
/// A contact is meant by the name it has here, else by the one at the tracker where only one contact goes by that.
#[async_trait]
pub trait ContactBook {
    /// Everybody who is known, by name.
    async fn contacts(&self) -> Result<Vec<ContactCard>, NodeError>;

    /// One of them.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`].
    async fn contact(&self, name: &Username) -> Result<ContactCard, NodeError>;

    /// Pins the key of a link before the first contact, under the link's name or another one. Nobody is dialled.
    ///
    /// # Errors
    /// [`NodeError::Oneself`], or [`NodeError::Contact`] when the key is known already, the name is not free or looks like another,
    /// or there is no room.
    async fn add_contact(&self, link: &ContactLink, name: Option<Username>) -> Result<ContactCard, NodeError>;

    /// Knows a contact by another name. The others do not hear of it.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`], or [`NodeError::Contact`] when the name is not free or looks like another.
    async fn rename_contact(&self, name: &Username, to: &Username) -> Result<ContactCard, NodeError>;

    /// Takes this key for the contact's from now on. It is not verified, and what was not delivered to the one before has failed.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`], [`NodeError::Oneself`], or [`NodeError::Contact`] when the key is that of another contact.
    async fn accept_key(&self, name: &Username, key: PeerId) -> Result<ContactCard, NodeError>;

    /// Notes that the safety number was compared: `shown` is what the other end shows, digits or a scanned code. Lost with the key.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`], or [`NodeError::Contact`] when it is not the number of the pinned key.
    async fn verify_contact(&self, name: &Username, shown: &str) -> Result<ContactCard, NodeError>;

    /// Takes that back.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`].
    async fn unverify_contact(&self, name: &Username) -> Result<ContactCard, NodeError>;

    /// Has nothing more to do with a contact, or has again: no link, no message in either direction. What waits for them
    /// goes on waiting.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`].
    async fn block_contact(&self, name: &Username, blocked: bool) -> Result<ContactCard, NodeError>;

    /// Forgets a contact and erases what was said. The other end does not hear of it. A block outlives it.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`].
    async fn remove_contact(&self, name: &Username) -> Result<(), NodeError>;

    /// The strangers who wait to be let in, who came first first.
    async fn requests(&self) -> Result<Vec<RequestCard>, NodeError>;

    /// Lets a stranger in, under the name they asked under or another one. What they said first is in the history then, and
    /// they hear that it has arrived.
    ///
    /// # Errors
    /// [`NodeError::Contact`] when there is no such request, or as for [`add_contact`](Self::add_contact).
    async fn accept_request(&self, from: PeerId, name: Option<Username>) -> Result<ContactCard, NodeError>;

    /// Tells a stranger nothing, now and later. What they said is not kept.
    ///
    /// # Errors
    /// [`NodeError::Contact`] when there is no such request.
    async fn refuse_request(&self, from: PeerId) -> Result<(), NodeError>;
}

/// A contact, as users see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// The name here.
    pub name: Username,
    /// The name at the tracker.
    pub name_at_tracker: Username,
    /// The pinned key.
    pub peer_id: PeerId,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// Whether there is a live link.
    pub connected: bool,
    /// When the last link ended, as far as that is known.
    pub seen: Option<Wall>,
    /// Another key that was seen under this name since the node started, and has not been accepted.
    pub presented: Option<PeerId>,
}

/// A stranger who waits. Shows no text when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestCard {
    /// Who.
    pub peer_id: PeerId,
    /// The name that they own at the tracker.
    pub name: Username,
    /// When they came.
    pub arrived: Wall,
    /// What they said, if anything: at most [`MAX_REQUEST_BYTES`](super::MAX_REQUEST_BYTES).
    pub text: Option<String>,
}

impl fmt::Debug for RequestCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestCard")
            .field("peer_id", &self.peer_id)
            .field("name", &self.name)
            .field("arrived", &self.arrived)
            .finish_non_exhaustive()
    }
}

fn card(state: &State, contact: &Contact) -> ContactCard {
    ContactCard {
        name: contact.name.clone(),
        name_at_tracker: contact.name_at_tracker().clone(),
        peer_id: contact.peer_id,
        verified: contact.verified,
        blocked: contact.blocked,
        connected: state.is_connected(contact.peer_id),
        seen: contact.seen,
        presented: state.presented(contact.peer_id),
    }
}

fn waiting(request: &Request) -> RequestCard {
    let text = request.first.as_ref().map(|first| match &first.entry.body {
        Body::Text(text) => text.clone(),
    });
    RequestCard { peer_id: request.peer_id, name: request.name.clone(), arrived: request.arrived, text }
}

impl Node {
    async fn decide(&self, about: &Username, command: ContactCommand) -> Result<(), NodeError> {
        self.command(Command::Contact(command)).await?.map(drop).map_err(|refusal| explain(refusal, about))
    }

    async fn card_of(&self, peer: PeerId) -> Result<ContactCard, NodeError> {
        let found = self.look(move |state| state.contact(peer).map(|contact| card(state, contact))).await?;
        // Gone again in the meantime.
        found.ok_or(NodeError::Contact(ContactRefusal::UnknownRequest))
    }
}

#[async_trait]
impl ContactBook for Node {
    async fn contacts(&self) -> Result<Vec<ContactCard>, NodeError> {
        let mut cards: Vec<ContactCard> = self
            .look(|state| {
                let known = state.contacts().filter(|contact| !contact.forgotten);
                known.map(|contact| card(state, contact)).collect()
            })
            .await?;
        cards.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(cards)
    }

    async fn contact(&self, name: &Username) -> Result<ContactCard, NodeError> {
        let meant = name.clone();
        let found = self.look(move |state| state.meant(&meant).map(|contact| card(state, contact))).await?;
        found.ok_or_else(|| NodeError::UnknownPeer { name: name.clone() })
    }

    async fn add_contact(&self, link: &ContactLink, name: Option<Username>) -> Result<ContactCard, NodeError> {
        let name = name.unwrap_or_else(|| link.name().clone());
        let (peer_id, name_at_tracker) = (link.peer_id(), link.name().clone());
        self.decide(&name, ContactCommand::Add { peer_id, name_at_tracker, name: name.clone() }).await?;
        self.card_of(peer_id).await
    }

    async fn rename_contact(&self, name: &Username, to: &Username) -> Result<ContactCard, NodeError> {
        self.decide(name, ContactCommand::Rename { from: name.clone(), to: to.clone() }).await?;
        self.contact(to).await
    }

    async fn accept_key(&self, name: &Username, key: PeerId) -> Result<ContactCard, NodeError> {
        self.decide(name, ContactCommand::AcceptKey { name: name.clone(), key }).await?;
        self.card_of(key).await
    }

    async fn verify_contact(&self, name: &Username, shown: &str) -> Result<ContactCard, NodeError> {
        self.decide(name, ContactCommand::Verify { name: name.clone(), shown: shown.to_owned() }).await?;
        self.contact(name).await
    }

    async fn unverify_contact(&self, name: &Username) -> Result<ContactCard, NodeError> {
        self.decide(name, ContactCommand::Unverify(name.clone())).await?;
        self.contact(name).await
    }

    async fn block_contact(&self, name: &Username, blocked: bool) -> Result<ContactCard, NodeError> {
        self.decide(name, ContactCommand::Block { name: name.clone(), blocked }).await?;
        self.contact(name).await
    }

    async fn remove_contact(&self, name: &Username) -> Result<(), NodeError> {
        self.decide(name, ContactCommand::Remove(name.clone())).await
    }

    async fn requests(&self) -> Result<Vec<RequestCard>, NodeError> {
        let mut cards: Vec<RequestCard> = self.look(|state| state.requests().map(waiting).collect()).await?;
        cards.sort_by_key(|card| (card.arrived, card.peer_id));
        Ok(cards)
    }

    async fn accept_request(&self, from: PeerId, name: Option<Username>) -> Result<ContactCard, NodeError> {
        let about = name.clone().unwrap_or_else(|| self.parts.username.clone());
        self.decide(&about, ContactCommand::Admit { peer_id: from, name }).await?;
        self.card_of(from).await
    }

    async fn refuse_request(&self, from: PeerId) -> Result<(), NodeError> {
        self.decide(&self.parts.username, ContactCommand::Dismiss(from)).await
    }
}
