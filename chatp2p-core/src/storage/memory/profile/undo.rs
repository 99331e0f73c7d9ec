//! Taking back a commit of which a change was refused.

use std::collections::BTreeMap;

use super::{Held, ProfileData};
use crate::crypto::{Ciphertext, KeyRow, KeyRowId};
use crate::identity::PeerId;
use crate::message::{Epoch, Position};
use crate::storage::heads::Heads;
use crate::storage::{Contact, Request};

/// How everything was before a commit, as far as the commit touched it.
#[derive(Default)]
pub(super) struct Undo {
    pub(super) contacts: Vec<(PeerId, Option<Contact>)>,
    pub(super) heads: BTreeMap<PeerId, Option<Heads>>,
    pub(super) places: Vec<(u64, Option<Position>)>,
    pub(super) keys: Vec<(KeyRowId, Option<KeyRow>)>,
    pub(super) ciphertexts: Vec<(PeerId, (Epoch, u64), Option<Ciphertext>)>,
    pub(super) requests: Vec<(PeerId, Option<Request>)>,
    pub(super) erased: Vec<(u64, Held)>,
}

impl ProfileData {
    pub(super) fn roll_back(&mut self, last: u64, undo: Undo) {
        for (ordinal, held) in undo.erased.into_iter().rev() {
            self.restore(ordinal, held);
        }
        for (ordinal, place) in undo.places.into_iter().rev() {
            self.put(ordinal, place);
        }
        let added: Vec<u64> = self.entries.range(last + 1..).map(|(ordinal, _)| *ordinal).collect();
        added.into_iter().for_each(|ordinal| self.remove(ordinal));
        self.last = last;
        for (peer, heads) in undo.heads {
            match heads {
                Some(heads) => self.talks.entry(peer).or_default().heads = heads,
                None => drop(self.talks.remove(&peer)),
            }
        }
        for (peer, place, ciphertext) in undo.ciphertexts.into_iter().rev() {
            let Some(talk) = self.talks.get_mut(&peer) else { continue };
            match ciphertext {
                Some(ciphertext) => drop(talk.ciphertexts.insert(place, ciphertext)),
                None => drop(talk.ciphertexts.remove(&place)),
            }
        }
        for (id, row) in undo.keys.into_iter().rev() {
            match row {
                Some(row) => drop(self.keys.insert(id, row)),
                None => drop(self.keys.remove(&id)),
            }
        }
        for (peer, request) in undo.requests.into_iter().rev() {
            match request {
                Some(request) => drop(self.requests.insert(peer, request)),
                None => drop(self.requests.remove(&peer)),
            }
        }
        for (peer, contact) in undo.contacts.into_iter().rev() {
            match contact {
                Some(contact) => drop(self.contacts.insert(peer, contact)),
                None => drop(self.contacts.remove(&peer)),
            }
        }
    }

    pub(super) fn restore(&mut self, ordinal: u64, held: Held) {
        self.erased.remove(&ordinal);
        self.by_id.entry(held.entry.id).or_default().insert((held.peer, held.author), ordinal);
        let talk = self.talks.entry(held.peer).or_default();
        talk.all.insert(ordinal);
        talk.index(ordinal, &held);
        self.entries.insert(ordinal, held);
    }
}
