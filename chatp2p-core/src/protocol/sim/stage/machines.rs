//! The machines of a play: they take turns, crash between any two steps of one, and refuse to write and to read.

use std::time::Duration;

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::{Author, EntryId};
use crate::protocol::decision::{Ask, Decision, Effect, Outcome};
use crate::protocol::event::Event;
use crate::protocol::input::{CommandId, Found, Input, Loaded};
use crate::protocol::state::State;
use crate::storage::{Change, Committed, ProfileData};

use super::super::Blow;
use super::super::network::HALF_OPEN;
use super::super::player::Player;
use super::{Happening, Stage};

impl Stage {
    pub(super) fn reach(&mut self, node: usize, life: u32, input: Input) {
        let player = &mut self.players[node];
        if player.life != life || !player.is_up() {
            return;
        }
        player.inbox.push_back(input);
        if !player.turn_planned {
            player.turn_planned = true;
            let pause = self.below(3_000);
            self.at(self.now + Duration::from_micros(pause), Happening::Turn(node, life));
        }
    }

    /// Decide all that has arrived, commit, and only then send and tell; with a crash between any two of them.
    pub(super) fn turn(&mut self, node: usize, life: u32) {
        self.players[node].turn_planned = false;
        let now = self.players[node].now(self.now);
        if self.players[node].life != life {
            return;
        }
        let Some(mut state) = self.players[node].state.take() else { return };
        self.tally.turns += 1;
        self.note("turn", node);
        let mut decision = Decision::new();
        for input in std::mem::take(&mut self.players[node].inbox) {
            state.handle(input, now, &mut decision);
        }
        let changes = match state.conclude(&mut decision) {
            Ok(changes) => changes,
            Err(error) => return self.break_promise(format!("node {node} cannot write its keys down: {error}")),
        };
        self.players[node].state = Some(state);
        let blow = self.blow(&changes);
        if self.one_in(500) || blow == Some(Blow::CrashBefore) {
            self.tally.crashes_before_commit += 1;
            return self.crash(node);
        }
        if !changes.is_empty() && (self.one_in(250) || blow == Some(Blow::Refused)) {
            self.tally.failed_commits += 1;
            return self.fail_commit(node);
        }
        let without = (blow == Some(Blow::Undone)).then(|| self.players[node].disk.clone());
        let receipt = match self.players[node].disk.apply(&changes) {
            Ok(receipt) => receipt,
            Err(error) => return self.break_promise(format!("node {node} decided what its disk refuses: {error}")),
        };
        if !changes.is_empty() && (self.one_in(250) || blow == Some(Blow::CrashAfter)) {
            self.tally.crashes_between_commit_and_sends += 1;
            return self.crash(node);
        }
        self.carry_out(node, life, decision, &receipt);
        self.plan_wake(node);
        if let Some(copy) = without {
            self.put_back(node, copy);
        }
    }

    /// What is to befall this commit.
    fn blow(&mut self, changes: &[Change]) -> Option<Blow> {
        if self.calm || changes.is_empty() {
            return None;
        }
        self.tally.commits += 1;
        let strike = self.script.strike.filter(|strike| strike.commit == self.tally.commits)?;
        self.tally.strikes += 1;
        Some(strike.blow)
    }

    pub(super) fn plan_wake(&mut self, node: usize) {
        let player = &mut self.players[node];
        let Some(deadline) = player.state.as_ref().and_then(State::next_deadline) else { return };
        let at = (player.born + deadline).max(self.now);
        if player.wake.is_none_or(|planned| at < planned) {
            player.wake = Some(at);
            let life = player.life;
            self.at(at, Happening::Wake(node, life));
        }
    }

    /// The commit failed: nothing is sent or told, every link is closed, and the mind is read from the disk again.
    pub(super) fn fail_commit(&mut self, node: usize) {
        self.note("commit fails", node);
        self.close_all(node, 1);
        let player = &mut self.players[node];
        player.life += 1;
        player.think_anew(self.now, &mut self.draw);
        self.plan_wake(node);
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.note("crash", node);
        // Some crashes are seen at once by the others, as when a process dies; some only by silence, as when a machine does.
        let seen_after = if self.below(2) == 0 { 1 } else { HALF_OPEN.as_millis() as u64 };
        self.close_all(node, seen_after);
        self.players[node].die();
        let pause = 100 + self.below(5_000);
        self.after_ms(pause, Happening::Start(node));
    }

    pub(super) fn close_all(&mut self, node: usize, seen_after_ms: u64) {
        let life = self.players[node].life;
        let mut hang_ups = Vec::new();
        for (number, wire) in &mut self.wires {
            if let Some(end) = wire.end_of(node, life) {
                wire.open[end] = false;
                hang_ups.push((*number, 1 - end));
            }
        }
        for (wire, end) in hang_ups {
            self.after_ms(seen_after_ms, Happening::HangUp(wire, end));
        }
    }

    pub(super) fn carry_out(&mut self, node: usize, life: u32, decision: Decision, receipt: &Committed) {
        let (asks, effects) = decision.release(receipt);
        for ask in asks {
            self.answer(node, life, ask);
        }
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.transmit(node, life, link, &frame),
                Effect::Close(link) => {
                    self.close(node, life, link);
                    self.letterboxes.close_post(node, life, link);
                }
                Effect::OpenPost { link, peer, letterbox } => self.open_post(node, life, link, peer, &letterbox),
                Effect::Take(mail) => self.taken(node, mail),
                Effect::Dial { peer, endpoints } => self.dial(node, life, peer, endpoints.is_empty()),
                Effect::CancelDial(peer) => drop(self.players[node].dials.remove(&peer)),
                Effect::Reply { id, outcome } => self.replied(node, id, outcome.ok()),
                Effect::Tell(event) => self.told(node, &event),
            }
        }
    }

    pub(super) fn break_promise(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    pub(super) fn told(&mut self, node: usize, event: &Event) {
        match event {
            Event::Message(message) => {
                let from = self.by_name(&message.from);
                let held = from.filter(|from| self.players[node].disk.holds(*from, Author::Them, message.id));
                match held {
                    None => self.break_promise(format!("node {node} told of a message that is not durable")),
                    Some(from) if !self.told_of.insert((node, from, message.id)) => {
                        self.break_promise(format!("node {node} told twice of one message"));
                    }
                    // Not everybody reads everything at once.
                    Some(from) if message.content.len() % 2 == 0 => self.read_through(node, from, message.id),
                    Some(_) => {}
                }
            }
            Event::Written(message) => {
                let to = self.by_name(&message.to);
                if !to.is_some_and(|to| self.players[node].disk.holds(to, Author::Me, message.id)) {
                    self.break_promise(format!("node {node} told of a message of its own that is not durable"));
                }
                if !self.written.insert((node, message.id)) {
                    self.break_promise(format!("node {node} told twice of one message of its own"));
                }
            }
            Event::Read { peer, .. } => self.check_read(node, peer),
            Event::Mailed { peer, .. } => self.check_mailed(node, peer),
            _ => {}
        }
    }

    fn by_name(&self, name: &Username) -> Option<PeerId> {
        self.players.iter().find(|player| player.name == *name).map(Player::peer_id)
    }

    pub(super) fn replied(&mut self, node: usize, id: CommandId, outcome: Option<Outcome>) {
        let Some(sent) = self.commands.remove(&(node, id)) else { return };
        let ids: Vec<_> = match outcome {
            Some(Outcome::Sent { id, .. }) => vec![id],
            Some(Outcome::Broadcast(ids)) => {
                let id_of = |to: usize| ids.get(&self.players[to].name).copied();
                let reached: Vec<_> =
                    sent.iter().filter_map(|(to, number)| Some((*to, *number, id_of(*to)?))).collect();
                for (to, number, id) in reached {
                    self.promised(node, to, number, id);
                }
                return;
            }
            Some(Outcome::Done) | None => return,
        };
        for ((to, number), id) in sent.into_iter().zip(ids) {
            self.promised(node, to, number, id);
        }
    }

    pub(super) fn promised(&mut self, from: usize, to: usize, number: u64, id: EntryId) {
        let recipient = self.players[to].peer_id();
        if !self.players[from].disk.holds(recipient, Author::Me, id) {
            self.break_promise(format!("node {from} answered for a message that is not durable"));
        }
        if !self.written.contains(&(from, id)) {
            self.break_promise(format!("node {from} answered for a message and told nobody else"));
        }
        self.judge.promise(from, to, number, id);
    }

    pub(super) fn answer(&mut self, node: usize, life: u32, ask: Ask) {
        let (delay, input) = match ask {
            Ask::Find { name, .. } => {
                let silent = self.now < self.tracker_silent_until;
                let known = self.players.iter().find(|player| player.name == name).and_then(Player::record);
                let answer = match known {
                    _ if silent => Found::Trouble(Code::TrackerUnreachable),
                    Some(record) => Found::Record(Box::new(record)),
                    None => Found::Nobody,
                };
                (1 + self.below(50), Input::Found { name, answer })
            }
            Ask::Queued { load, peer, limit } => {
                let entries = self.read(|disk| Loaded::Queued(disk.queued(peer, limit)), node);
                (self.below(3), Input::Loaded { load, entries })
            }
            Ask::Logged { load, peer, epoch, range, limit } => {
                let entries = self.read(|disk| Loaded::Logged(disk.logged(peer, epoch, range, limit)), node);
                (self.below(3), Input::Loaded { load, entries })
            }
        };
        self.after_ms(delay, Happening::Reach(node, life, input));
    }

    pub(super) fn read(&mut self, read: impl FnOnce(&ProfileData) -> Loaded, node: usize) -> Option<Loaded> {
        if self.one_in(500) {
            self.tally.failed_reads += 1;
            return None;
        }
        Some(read(&self.players[node].disk))
    }
}
