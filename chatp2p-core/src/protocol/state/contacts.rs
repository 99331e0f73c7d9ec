//! What users decide about the people they know.

use crate::clock::Now;
use crate::code::Code;
use crate::identity::{PeerId, SafetyNumber, Username};
use crate::storage::{Change, Contact};

use super::super::contacts::{ContactCommand, ContactRefusal};
use super::super::decision::{Decision, Outcome, Refusal};
use super::super::event::Event;
use super::super::input::CommandId;
use super::super::presence::MAX_CONTACTS;
use super::super::wire::Reason;
use super::State;

impl State {
    pub(super) fn contact_command(&mut self, id: CommandId, command: ContactCommand, now: Now, out: &mut Decision) {
        let done = match command {
            ContactCommand::Add { peer_id, name_at_tracker, name } => {
                self.add_contact(peer_id, name_at_tracker, name, out)
            }
            ContactCommand::Rename { from, to } => self.rename(&from, &to, out),
            ContactCommand::AcceptKey { name, key } => self.accept_key(&name, key, now, out),
            ContactCommand::Verify { name, shown } => self.verify(&name, Some(&shown), out),
            ContactCommand::Unverify(name) => self.verify(&name, None, out),
            ContactCommand::Block { name, blocked } => self.block(&name, blocked, now, out),
            ContactCommand::Remove(name) => self.remove_contact(&name, now, out),
            ContactCommand::Admit { peer_id, name } => self.admit(peer_id, name, now, out),
            ContactCommand::Dismiss(peer_id) => self.dismiss(peer_id, out),
        };
        out.reply(id, done.map(|()| Outcome::Done));
    }

    /// A contact by the name in a command.
    fn named(&self, name: &Username) -> Result<Contact, Refusal> {
        self.by_name(name).and_then(|peer| self.contacts.get(&peer)).cloned().ok_or(Refusal::UnknownPeer)
    }

    /// Whether this key may become a contact under this name. Look-alikes are refused: a link may say any name.
    pub(super) fn may_be_called(&self, peer: PeerId, name: &Username) -> Result<(), ContactRefusal> {
        if *name == self.me.username || self.names.here(name).is_some_and(|holder| holder != peer) {
            return Err(ContactRefusal::NameTaken(name.clone()));
        }
        let shape = name.skeletons();
        let others = self.names.all().filter(|(_, holder)| *holder != peer).map(|(other, _)| other);
        match others.chain([&self.me.username]).find(|other| other.skeletons().meets(&shape)) {
            Some(other) => Err(ContactRefusal::NameConfusable { name: name.clone(), other: other.clone() }),
            None => Ok(()),
        }
    }

    /// Whether this key may become a contact at all.
    pub(super) fn may_be_added(&self, peer: PeerId) -> Result<(), Refusal> {
        if peer == self.me.peer_id {
            return Err(Refusal::Oneself);
        }
        if let Some(contact) = self.contacts.get(&peer).filter(|contact| !contact.forgotten) {
            return Err(ContactRefusal::Exists(contact.name.clone()).into());
        }
        if self.contacts.len() >= MAX_CONTACTS && !self.contacts.contains_key(&peer) {
            return Err(ContactRefusal::Full.into());
        }
        Ok(())
    }

    fn add_contact(
        &mut self,
        peer: PeerId,
        at_tracker: Username,
        name: Username,
        out: &mut Decision,
    ) -> Result<(), Refusal> {
        self.may_be_added(peer)?;
        self.may_be_called(peer, &name)?;
        let tracker_name = Some(at_tracker).filter(|at_tracker| *at_tracker != name);
        self.put_contact(Contact { tracker_name, ..Contact::new(peer, name.clone()) }, out);
        out.tell(Event::ContactAdded(name));
        self.settle_request(peer, out);
        Ok(())
    }

    fn rename(&mut self, from: &Username, to: &Username, out: &mut Decision) -> Result<(), Refusal> {
        let contact = self.named(from)?;
        let from = contact.name.clone();
        if from == *to {
            return Ok(());
        }
        self.may_be_called(contact.peer_id, to)?;
        // What was said with a key that is forgotten stays under its name; nobody else is to be taken for its author.
        let is_taken = |other: &Contact| other.name == *to && !other.removed && other.peer_id != contact.peer_id;
        if self.contacts.values().any(is_taken) {
            return Err(ContactRefusal::NameTaken(to.clone()).into());
        }
        let earlier = self.contacts.values().filter(|other| other.forgotten && other.name == from).cloned();
        for earlier in earlier.collect::<Vec<_>>() {
            self.put_contact(Contact { name: to.clone(), ..earlier }, out);
        }
        let tracker_name = Some(contact.name_at_tracker().clone()).filter(|at_tracker| at_tracker != to);
        self.put_contact(Contact { name: to.clone(), tracker_name, ..contact }, out);
        out.tell(Event::ContactRenamed { from, to: to.clone() });
        Ok(())
    }

    fn accept_key(&mut self, name: &Username, key: PeerId, now: Now, out: &mut Decision) -> Result<(), Refusal> {
        let old = self.named(name)?;
        if old.peer_id == key {
            return Ok(());
        }
        self.may_be_added(key)?;
        let (peer, name, blocked) = (old.peer_id, old.name.clone(), old.blocked);
        let tracker_name = old.tracker_name.clone();
        self.leave_all(peer, &Reason::Disconnected, now, out);
        self.give_up_dialling(peer, out);
        self.presented.remove(&peer);
        // What waits for the old key stays with it, and has failed: the new key's owner may be somebody else.
        self.put_contact(Contact { wanted: false, forgotten: true, verified: false, ..old }, out);
        let wanted = !blocked;
        self.put_contact(Contact { wanted, blocked, tracker_name, ..Contact::new(key, name.clone()) }, out);
        out.tell(Event::KeyAccepted { peer: name, key });
        self.settle_request(key, out);
        self.consider_dialling(key, now.mono);
        self.start_dial_if_due(key, now, out);
        Ok(())
    }

    fn verify(&mut self, name: &Username, shown: Option<&str>, out: &mut Decision) -> Result<(), Refusal> {
        let contact = self.named(name)?;
        if let Some(shown) = shown
            && !SafetyNumber::new(self.me.peer_id, contact.peer_id).matches(shown)
        {
            return Err(ContactRefusal::SafetyNumberDiffers(contact.name).into());
        }
        let verified = shown.is_some();
        if contact.verified != verified {
            out.tell(Event::ContactVerified { peer: contact.name.clone(), verified });
            self.put_contact(Contact { verified, ..contact }, out);
        }
        Ok(())
    }

    fn block(&mut self, name: &Username, blocked: bool, now: Now, out: &mut Decision) -> Result<(), Refusal> {
        let contact = self.named(name)?;
        if contact.blocked == blocked {
            return Ok(());
        }
        let peer = contact.peer_id;
        if blocked {
            self.leave_all(peer, &Reason::Disconnected, now, out);
            self.give_up_dialling(peer, out);
        }
        out.tell(Event::ContactBlocked { peer: contact.name, blocked });
        if let Some(contact) = self.contacts.get(&peer).cloned() {
            self.put_contact(Contact { blocked, wanted: contact.wanted && !blocked, ..contact }, out);
        }
        // What has waited goes out now.
        self.consider_dialling(peer, now.mono);
        self.start_dial_if_due(peer, now, out);
        Ok(())
    }

    fn remove_contact(&mut self, name: &Username, now: Now, out: &mut Decision) -> Result<(), Refusal> {
        let contact = self.named(name)?;
        let (peer, name) = (contact.peer_id, contact.name);
        self.leave_all(peer, &Reason::Disconnected, now, out);
        self.give_up_dialling(peer, out);
        self.presented.remove(&peer);
        // All keys of one name are one conversation.
        let keys = self.contacts.values().filter(|other| other.name == name && !other.removed).cloned();
        for contact in keys.collect::<Vec<_>>() {
            let peer = contact.peer_id;
            out.change(Change::Erase(peer));
            if let Some(talk) = self.talks.get_mut(&peer) {
                talk.erase();
            }
            // The key is remembered for its place in the logs, and for being blocked.
            let gone = Contact {
                blocked: contact.blocked,
                forgotten: true,
                removed: true,
                ..Contact::new(peer, contact.name)
            };
            self.put_contact(gone, out);
        }
        out.tell(Event::ContactRemoved(name));
        Ok(())
    }

    /// Whether nothing may be taken from this key or sent to it.
    pub(super) fn is_blocked(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| contact.blocked)
    }

    /// Why a key may not go by this name. Where another key is pinned to it, warns of that.
    pub(super) fn rival(&mut self, name: &Username, peer: PeerId, out: &mut Decision) -> Option<Code> {
        if self.warn_of(name, peer, out) || *name == self.me.username {
            return Some(Code::KeyChanged);
        }
        // Somebody else is called so here, who goes by another name at the tracker.
        self.names.here(name).is_some_and(|holder| holder != peer).then_some(Code::NameTaken)
    }

    /// Tells of a key that goes by a name to which another one is pinned. Says whether it does.
    pub(super) fn warn_of(&mut self, name: &Username, presented: PeerId, out: &mut Decision) -> bool {
        let rivals = self.names.rivals(name, presented);
        for pinned in &rivals {
            self.presented.insert(*pinned, presented);
            if let Some(peer) = self.contact_name(*pinned) {
                out.tell(Event::KeyChanged { peer, presented });
            }
        }
        !rivals.is_empty()
    }
}
