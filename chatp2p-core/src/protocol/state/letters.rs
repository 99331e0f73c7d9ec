//! Writing and reading what is encrypted, and what happens when it cannot be read.

use crate::clock::Now;
use crate::crypto::{CipherError, Ciphertext, Nack, Offer};
use crate::identity::PeerId;
use crate::record::PreKeys;
use crate::storage::Change;

use super::super::decision::Decision;
use super::super::input::LinkId;
use super::super::log::Slot;
use super::super::presence::MAX_UNREADABLE;
use super::super::wire::{Content, Frame, LogEntry, decode_letter, encode_letter};
use super::State;

impl State {
    /// Keeps what the other end offers to begin a session with.
    pub(super) fn take_offer(&mut self, link: LinkId, offer: Option<Offer>) {
        let me = self.me.peer_id;
        let Some(state) = self.links.get_mut(&link) else { return };
        let (peer, keys) = (state.peer, state.keys.as_mut());
        if let (Some(offer), Some(keys)) = (offer, keys)
            && offer.is_from(peer, &keys.pre_keys, me)
        {
            keys.one_time = Some(offer.key);
        }
    }

    /// Encrypts what stands at a place of my log.
    ///
    /// # Errors
    /// [`CipherError`] when the other end's keys are of no use.
    pub(super) fn write(
        &mut self,
        peer: PeerId,
        link: LinkId,
        slot: Slot,
        content: Content,
    ) -> Result<Ciphertext, CipherError> {
        let letter = encode_letter(&slot.letter(self.me.peer_id, peer, content));
        let keys = self.links.get_mut(&link).and_then(|state| state.keys.as_mut()).ok_or(CipherError::BadKey)?;
        self.keyring.encrypt(peer, keys, &letter)
    }

    /// The same bytes as before, as long as the other end may be able to read them. Else, and once it has what stands there
    /// and asks for it again, it is encrypted anew.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn write_again(
        &mut self,
        peer: PeerId,
        link: LinkId,
        slot: Slot,
        content: Content,
        sent: Option<Ciphertext>,
        out: &mut Decision,
    ) -> Result<Ciphertext, CipherError> {
        if let Some(sent) = sent.filter(|sent| !self.keyring.is_given_up(peer, sent.session)) {
            return Ok(sent);
        }
        let ciphertext = self.write(peer, link, slot, content)?;
        let (epoch, n) = (slot.epoch, slot.n);
        if !self.talk(peer).has_acknowledged(epoch, n) {
            out.change(Change::Encrypted { peer, epoch, n, ciphertext: ciphertext.clone() });
        }
        Ok(ciphertext)
    }

    /// Decrypts the next entry of a peer's log. `None` when that is impossible, or when what is inside is not what stands
    /// outside.
    pub(super) fn read(&mut self, peer: PeerId, keys: &PreKeys, entry: &LogEntry) -> Option<Content> {
        let letter = self.keyring.decrypt(peer, keys, &entry.ciphertext).ok()?;
        inside(entry, peer, self.me.peer_id, &letter)
    }

    /// As [`read`](Self::read), of a stranger's first message, and leaves no trace.
    pub(super) fn peek(&self, peer: PeerId, link: LinkId, entry: &LogEntry) -> Option<Content> {
        let keys = self.links.get(&link)?.keys?;
        let letter = self.keyring.peek(&keys.pre_keys, &entry.ciphertext).ok()?;
        inside(entry, peer, self.me.peer_id, &letter)
    }

    /// Says that an entry cannot be read, and from where to go on.
    pub(super) fn unreadable(&mut self, peer: PeerId, link: LinkId, entry: &LogEntry, now: Now, out: &mut Decision) {
        if !self.may_heal(link) {
            return self.drop_link(link, now, out);
        }
        out.send(link, Frame::Nack(self.keyring.nack(peer, entry.epoch, entry.n, entry.ciphertext.hash())));
        let (have, offer) = (self.talk(peer).have(), Some(self.keyring.offer(peer)));
        if let Some(state) = self.links.get_mut(&link) {
            // What follows cannot be taken either; nobody needs to be asked twice.
            state.asked_at = Some(have.clone());
        }
        out.send(link, Frame::Greeting { have, offer, watchword: None });
    }

    /// The other end cannot read an entry. Its greeting, which follows, says from where everything is encrypted anew.
    pub(super) fn nacked(&mut self, link: LinkId, nack: &Nack, now: Now, out: &mut Decision) {
        let me = self.me.peer_id;
        let Some(state) = self.links.get(&link) else { return };
        let peer = state.peer;
        let Some(session) = state.in_flight.session_of(nack.epoch, nack.n, nack.ciphertext) else { return };
        if !nack.is_from(peer, me) {
            return;
        }
        if self.may_heal(link) {
            self.keyring.give_up(peer, session);
        } else {
            self.drop_link(link, now, out);
        }
    }

    fn may_heal(&mut self, link: LinkId) -> bool {
        let Some(state) = self.links.get_mut(&link) else { return false };
        state.unreadable += 1;
        state.unreadable <= MAX_UNREADABLE
    }
}

/// What a letter says, if it is the one that its envelope promises.
fn inside(entry: &LogEntry, from: PeerId, to: PeerId, letter: &[u8]) -> Option<Content> {
    let letter = decode_letter(letter).ok()?;
    let LogEntry { epoch, n, before, follows, .. } = *entry;
    let outside = Slot { epoch, n, before, follows };
    (letter == outside.letter(from, to, letter.content.clone())).then_some(letter.content)
}
