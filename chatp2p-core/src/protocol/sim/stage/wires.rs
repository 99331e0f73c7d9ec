//! The links of a play, from the dial to the last frame.

use std::time::Duration;

use crate::identity::PeerId;
use crate::protocol::input::{Input, LinkId};
use crate::protocol::wire::{self, Frame};
use crate::storage::LoadLimit;

use super::super::network::{self, HALF_OPEN, Wire};
use super::{Happening, Stage};

impl Stage {
    pub(super) fn dial(&mut self, node: usize, life: u32, peer: PeerId, nowhere: bool) {
        self.planned += 1;
        let dial = self.planned;
        self.players[node].dials.insert(peer, dial);
        let mine = self.players[node].peer_id();
        let both = self.by_id.get(&peer).is_some_and(|other| self.players[*other].dials.contains_key(&mine));
        self.tally.simultaneous_dials += u64::from(both);
        let pause = if nowhere { 0 } else { 1 + self.below(60) };
        self.after_ms(pause, Happening::Dialled(node, life, peer, dial));
    }

    pub(super) fn dialled(&mut self, from: usize, life: u32, peer: PeerId, dial: u64) {
        if self.players[from].life != life || self.players[from].dials.get(&peer) != Some(&dial) {
            return;
        }
        self.players[from].dials.remove(&peer);
        let to = self
            .by_id
            .get(&peer)
            .copied()
            .filter(|to| self.players[*to].is_up() && !self.partitions.are_cut(from, *to, self.now))
            .filter(|_| !self.letterboxes.are_all_there_is);
        let Some(to) = to else {
            let reason = "nobody is there".to_owned();
            return self.reach(from, life, Input::DialFailed { peer, reason });
        };
        self.planned += 1;
        let (number, id) = (self.planned, LinkId(self.planned));
        let lives = [(from, life), (to, self.players[to].life)];
        let free = [self.now, self.now];
        let (greeted, loses_entry) = ([false; 2], [false; 2]);
        self.wires.insert(number, Wire { id, ends: lives, open: [true, true], free, greeted, loses_entry });
        let mine = self.players[from].peer_id();
        let pause = 1 + self.below(20);
        // A client's link is up with the server's first frame, so the server's end is always first.
        self.reach(to, lives[1].1, Input::LinkUp { link: id, peer: mine, dialled: false });
        let up = Input::LinkUp { link: id, peer, dialled: true };
        self.after_ms(pause, Happening::Reach(from, life, up));
        if let Some(wire) = self.wires.get_mut(&number) {
            wire.free = [self.now + Duration::from_millis(pause); 2];
        }
    }

    pub(super) fn wire_of(&self, node: usize, life: u32, link: LinkId) -> Option<(u64, usize)> {
        let wire = self.wires.get(&link.0).filter(|wire| wire.id == link)?;
        Some((link.0, wire.end_of(node, life)?))
    }

    pub(super) fn transmit(&mut self, node: usize, life: u32, link: LinkId, frame: &Frame) {
        if let Some(other) = self.letterboxes.reader(node, life, link) {
            let bytes = self.look_at(node, other, frame);
            return self.hand_over(node, life, link, bytes, frame);
        }
        let Some((number, end)) = self.wire_of(node, life, link) else { return };
        let other = self.wires[&number].ends[1 - end].0;
        let bytes = self.look_at(node, other, frame);
        let rough = !self.calm;
        let cut = self.partitions.are_cut(node, other, self.now);
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let entry = matches!(frame, Frame::Entry(_));
        let greeted = wire.greeted[end];
        if entry && std::mem::take(&mut wire.loses_entry[end]) {
            return;
        }
        let fate = network::fate(&mut self.draw, self.now, &mut wire.free[1 - end], rough);
        if entry && !greeted {
            self.break_promise(format!("node {node} sent an entry before it knew where the other end stands"));
        }
        self.tally.frames_lost += u64::from(fate.lost);
        self.tally.frames_repeated += u64::from(fate.repeated);
        self.tally.frames_overtaking += u64::from(fate.overtakes);
        for at in fate.arrivals.into_iter().flatten().filter(|_| !cut) {
            self.at(at, Happening::Arrive(number, 1 - end, bytes.clone()));
        }
    }

    /// Checks what leaves a node, whichever way it goes.
    fn look_at(&mut self, node: usize, other: usize, frame: &Frame) -> Vec<u8> {
        self.check_durable(node, other, frame);
        if let Frame::Entry(entry) = frame
            && let Err(what) = self.auditor.look(&*self.suite, &entry.ciphertext)
        {
            self.break_promise(format!("node {node}: {what}"));
        }
        self.tally.nacks += u64::from(matches!(frame, Frame::Nack(_)));
        self.tally.questions_where_somebody_is += u64::from(matches!(frame, Frame::Seek { .. }));
        self.tally.answers_where_somebody_is += u64::from(matches!(frame, Frame::Records { .. }));
        let bytes = wire::encode(frame);
        self.trace.update(&bytes);
        self.tally.frames += 1;
        bytes
    }

    /// What a frame says must be on the disk before the frame leaves.
    pub(super) fn check_durable(&mut self, node: usize, other: usize, frame: &Frame) {
        let peer = self.players[other].peer_id();
        let disk = &self.players[node].disk;
        let durable = match frame {
            Frame::Ack(position) => {
                disk.positions(peer).iter().any(|held| held.epoch == position.epoch && held.n >= position.n)
            }
            Frame::Entry(entry) => {
                let limit = LoadLimit { entries: 1, bytes: 1 };
                let held = disk.logged(peer, entry.epoch, entry.n..=entry.n, limit);
                // Of an entry that has arrived before, no ciphertext is kept.
                held.first().is_some_and(|held| held.ciphertext.as_ref().is_none_or(|kept| *kept == entry.ciphertext))
            }
            Frame::Hello { .. } | Frame::Greeting { .. } | Frame::Goodbye { .. } | Frame::Nack(_) => true,
            Frame::Seek { .. } | Frame::Records { .. } => true,
            Frame::Read(place) => disk.read(peer) == Some(*place),
        };
        if !durable {
            self.break_promise(format!("node {node} sent what is not durable: {frame:?}"));
        }
    }

    pub(super) fn arrive(&mut self, number: u64, end: usize, bytes: &[u8]) {
        let Some(wire) = self.wires.get_mut(&number).filter(|wire| wire.open[end]) else { return };
        let ((node, life), link) = (wire.ends[end], wire.id);
        match wire::decode(bytes) {
            Ok(frame) => {
                wire.greeted[end] |= matches!(frame, Frame::Greeting { .. });
                self.reach(node, life, Input::Frame { link, frame });
            }
            Err(error) => self.break_promise(format!("a frame cannot be read back: {error}")),
        }
    }

    pub(super) fn close(&mut self, node: usize, life: u32, link: LinkId) {
        let Some((number, end)) = self.wire_of(node, life, link) else { return };
        if let Some(wire) = self.wires.get_mut(&number) {
            wire.open[end] = false;
            let other = wire.ends[1 - end].0;
            // After everything that was sent, unless nothing gets through.
            let cut = self.partitions.are_cut(node, other, self.now);
            let at = if cut { self.now + HALF_OPEN } else { wire.free[1 - end].max(self.now) };
            self.at(at, Happening::HangUp(number, 1 - end));
        }
    }

    pub(super) fn hang_up(&mut self, number: u64, end: usize) {
        let Some(wire) = self.wires.get_mut(&number).filter(|wire| wire.open[end]) else { return };
        wire.open[end] = false;
        let ((node, life), link) = (wire.ends[end], wire.id);
        if wire.open[1 - end] {
            self.at(self.now, Happening::HangUp(number, 1 - end));
        } else {
            self.wires.remove(&number);
        }
        self.reach(node, life, Input::LinkDown(link));
    }
}
