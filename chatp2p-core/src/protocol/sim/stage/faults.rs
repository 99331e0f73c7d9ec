//! What goes wrong from outside: partitions, a silent tracker, databases put back, messages erased, links doubted.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::identity::PeerId;
use crate::message::Author;
use crate::protocol::input::Input;
use crate::storage::{HistoryQuery, ProfileData};

use super::super::network::HALF_OPEN;
use super::{Happening, Stage};

impl Stage {
    pub(super) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let node = self.any_node();
        match self.below(11) {
            0 | 1 => {
                let other = self.any_node();
                let length = 100 + self.below(20_000);
                if other != node {
                    self.tally.partitions += 1;
                    self.partition(node, other, Duration::from_millis(length));
                }
            }
            2 => {
                self.tally.tracker_silences += 1;
                let length = self.below(15_000);
                self.tracker_silent_until = self.now + Duration::from_millis(length);
            }
            3..=5 => self.players[node].back_up(),
            6 => self.restore(node),
            7 => self.erase(node),
            8 => (0..self.players.len()).for_each(|node| self.doubt(node)),
            _ => self.doubt(node),
        }
        let pause = 200 + self.below(4_000);
        self.after_ms(pause, Happening::Fault);
    }

    pub(super) fn partition(&mut self, a: usize, b: usize, length: Duration) {
        self.note("partition", a);
        self.partitions.cut(a, b, self.now + length);
        // The keep-alive notices, if the cut lasts; after a short one what was sent in between is simply gone, and the
        // connection with it.
        let broken: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.ends.iter().all(|(node, _)| *node == a || *node == b))
            .map(|(number, _)| *number)
            .collect();
        for wire in broken {
            let noticed = self.below(HALF_OPEN.as_millis() as u64);
            self.after_ms(noticed, Happening::HangUp(wire, 0));
        }
    }

    /// A node is told that its links may be dead, whether they are or not.
    pub(super) fn doubt(&mut self, node: usize) {
        self.note("doubt", node);
        self.tally.doubts += u64::from(self.players[node].is_up());
        let life = self.players[node].life;
        self.reach(node, life, Input::Doubt);
    }

    /// Puts an older copy of a node's database back.
    pub(super) fn restore(&mut self, node: usize) {
        if self.players[node].backups.is_empty() {
            return;
        }
        let which = usize::try_from(self.below(self.players[node].backups.len() as u64)).unwrap_or_default();
        let copy = self.players[node].backups[which].clone();
        self.put_back(node, copy);
    }

    pub(super) fn put_back(&mut self, node: usize, copy: ProfileData) {
        self.note("restore", node);
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        let (sent, received) = self.judge.missing(node, &disks, &copy);
        self.tally.restores_of_a_sender += u64::from(sent);
        self.tally.restores_of_a_receiver += u64::from(received);
        // What it is told of again was new to the copy.
        self.told_of.retain(|(who, from, id)| *who != node || copy.holds(*from, Author::Them, *id));
        self.players[node].disk = copy;
        if self.players[node].is_up() {
            self.crash(node);
        }
        self.excuse(node);
    }

    /// Erases one of the oldest messages that a node wrote and that arrived, as keeping only so much will.
    pub(super) fn erase(&mut self, node: usize) {
        let peers: BTreeSet<PeerId> = self.by_id.keys().copied().collect();
        let query = HistoryQuery { peers: Some(peers), before: None, limit: 50 };
        let page = self.players[node].disk.history(&query).unwrap_or_default();
        let mine = page.iter().find(|message| message.author == Author::Me && message.acknowledged);
        if let Some((peer, id)) = mine.map(|message| (message.peer, message.entry.id)) {
            self.tally.erasures += u64::from(self.players[node].disk.erase(peer, id));
            self.excuse(node);
        }
    }

    /// What no database holds any more cannot arrive.
    pub(super) fn excuse(&mut self, node: usize) {
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        self.judge.excuse(node, &disks);
    }
}
