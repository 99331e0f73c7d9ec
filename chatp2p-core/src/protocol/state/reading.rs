//! What was read, at either end. Whoever keeps that to themselves is never told about by their own node.

use crate::clock::Now;
use crate::identity::PeerId;
use crate::message::Place;
use crate::storage::Change;

use super::super::decision::{Decision, Outcome};
use super::super::input::CommandId;
use super::State;

impl State {
    /// Notes that the user has read so far, and lets the peer know.
    pub(super) fn mark_read(&mut self, id: CommandId, peer: PeerId, through: Place, now: Now, out: &mut Decision) {
        if !self.hides_reading && self.talks.get_mut(&peer).is_some_and(|talk| talk.read(through)) {
            out.change(Change::ReadByMe { peer, place: through });
            if !self.is_up(peer) {
                self.way_back(peer, now, out);
            }
            self.tell_read(peer, out);
        }
        out.reply(id, Ok(Outcome::Done));
    }

    /// From now on nobody is told what is read, or everybody is. What was read in between stays untold until something
    /// behind it is.
    pub(super) fn hide_reading(&mut self, id: CommandId, hide: bool, out: &mut Decision) {
        if self.hides_reading != hide {
            self.hides_reading = hide;
            out.change(Change::HidesReading(hide));
        }
        out.reply(id, Ok(Outcome::Done));
    }

    /// Says on the live link, or by mail that is under way, up to where the other end's log was read. An earlier link may have lost it.
    pub(super) fn tell_read(&self, peer: PeerId, out: &mut Decision) {
        let link = self.presences.get(&peer).and_then(|presence| presence.outlet());
        let read = self.talks.get(&peer).and_then(|talk| talk.read_so_far());
        if let (Some(link), Some(place), false) = (link, read, self.hides_reading) {
            out.mark(link, place);
        }
    }

    /// The other end says that its user has read so far.
    pub(super) fn was_read(&mut self, peer: PeerId, place: Place, out: &mut Decision) {
        let news = self.talks.get_mut(&peer).and_then(|talk| talk.was_read(place));
        if let (Some(place), Some(name)) = (news, self.contact_name(peer)) {
            out.change(Change::ReadByThem { peer, place });
            out.tell_read(peer, name);
        }
    }
}
