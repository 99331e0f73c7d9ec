//! What a state does about links that may be dead while nobody has noticed: they go on serving, and their peers are dialled
//! beside them. A link that comes up takes the place of the others by the rule for any two; where none does, nothing is lost.

use std::time::Duration;

use crate::clock::Now;
use crate::identity::PeerId;

use super::super::presence::{Dial, Doubt, Presence};
use super::State;

/// Over what time the dials after a doubt are spread: not all trackers and doors at the same instant, and two ends that
/// doubt at once seldom meet half-way. Nobody who opens a lid notices.
const SPREAD: Duration = Duration::from_millis(500);

/// How long a link is doubted. A little more than half-open detection takes: what is still there then is alive. Until then
/// dials that fail are repeated, for a network may take some seconds to be back after the machine is.
const DOUBTED_FOR: Duration = Duration::from_secs(45);

impl State {
    /// Doubts all links that are up, and waits no longer for any dial.
    pub(super) fn doubt(&mut self, now: Now) {
        let peers: Vec<PeerId> = self.presences.keys().copied().collect();
        for peer in peers {
            let wanted = self.is_wanted(peer);
            let spread = u64::try_from(SPREAD.as_millis()).unwrap_or(u64::MAX);
            let soon = now.mono + Duration::from_millis(self.draw.number() % spread);
            let presence = self.presence(peer);
            // What failed before says nothing about a network that may be another one.
            presence.failures = 0;
            if presence.active.is_some() {
                let until = now.mono + DOUBTED_FOR;
                presence.doubt = presence.links.last().map(|through| Doubt { through: *through, until });
            }
            match presence.dial {
                Dial::Waiting(until) => presence.dial = Dial::Waiting(until.min(soon)),
                Dial::Idle if wanted && presence.active.is_some() => presence.dial = Dial::Waiting(soon),
                Dial::Idle | Dial::Finding | Dial::Dialling => {}
            }
        }
    }

    /// Plans the next dial to a peer of whose links only doubted ones are left.
    pub(super) fn doubt_on(&mut self, peer: PeerId, now: Now) {
        let wanted = self.is_wanted(peer);
        let draw = &mut self.draw;
        if let Some(presence) = self.presences.get_mut(&peer)
            && wanted
            && presence.dial == Dial::Idle
            && presence.lacks_link(now.mono)
        {
            presence.back_off(now.mono, draw);
        }
    }
}

impl Presence {
    /// Whether there is no link, or none that is beyond doubt.
    pub(super) fn lacks_link(&self, now: Duration) -> bool {
        let doubt = self.doubt.filter(|doubt| now < doubt.until);
        self.links.iter().all(|link| doubt.is_some_and(|doubt| *link <= doubt.through))
    }
}
