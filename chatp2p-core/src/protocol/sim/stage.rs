//! The stage of a play: time, the machines, the network between them, and everything that goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::Author;
use crate::storage::{Committed, LoadLimit, ProfileData};

use super::super::decision::{Ask, Decision, Effect, Outcome};
use super::super::draw::Draw;
use super::super::event::Event;
use super::super::input::{Command, CommandId, Found, Input, LinkId, Loaded};
use super::super::state::State;
use super::super::wire::{self, Frame};
use super::judge::{Judge, Tally};
use super::network::{self, HALF_OPEN, Partitions, Wire};
use super::player::Player;
use super::{Report, Script};

/// Something that is going to happen.
#[derive(Debug)]
enum Happening {
    /// A node takes a turn.
    Turn(usize, u32),
    /// A node asked to be woken.
    Wake(usize, u32),
    /// Something reaches a node.
    Reach(usize, u32, Input),
    /// Bytes arrive at an end of a wire.
    Arrive(u64, usize, Vec<u8>),
    /// An end of a wire learns that it is gone.
    HangUp(u64, usize),
    /// A dial comes to its end.
    Dialled(usize, u32, PeerId, u64),
    /// A node starts.
    Start(usize),
    /// Somebody does something.
    Act,
    /// Something goes wrong.
    Fault,
}

/// A whole world.
pub(super) struct Stage {
    seed: u64,
    script: Script,
    draw: Draw,
    now: Duration,
    /// What is going to happen, by time and then by the order in which it was planned.
    plan: BTreeMap<(Duration, u64), Happening>,
    planned: u64,
    players: Vec<Player>,
    by_id: BTreeMap<PeerId, usize>,
    wires: BTreeMap<u64, Wire>,
    partitions: Partitions,
    tracker_silent_until: Duration,
    /// What each command was: who sends what to whom.
    commands: BTreeMap<(usize, CommandId), Vec<(usize, u64)>>,
    /// How many messages each has tried to send to each.
    spoken: BTreeMap<(usize, usize), u64>,
    numbers: u64,
    said: u32,
    calm: bool,
    judge: Judge,
    tally: Tally,
    trace: blake3::Hasher,
    broken: Option<String>,
}

impl Stage {
    pub(super) fn new(seed: u64, script: &Script) -> Self {
        let mut key = [0x5a; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        let mut draw = Draw::new(key);
        let size = 2 + usize::try_from(draw.number() % 4).unwrap_or_default();
        let players: Vec<Player> = (0..size).filter_map(|number| Player::new(number, seed)).collect();
        Self {
            seed,
            script: *script,
            draw,
            now: Duration::ZERO,
            plan: BTreeMap::new(),
            planned: 0,
            by_id: players.iter().enumerate().map(|(number, player)| (player.peer_id(), number)).collect(),
            players,
            wires: BTreeMap::new(),
            partitions: Partitions::default(),
            tracker_silent_until: Duration::ZERO,
            commands: BTreeMap::new(),
            spoken: BTreeMap::new(),
            numbers: 0,
            said: 0,
            calm: false,
            judge: Judge::default(),
            tally: Tally::default(),
            trace: blake3::Hasher::new(),
            broken: None,
        }
    }

    pub(super) fn play(mut self) -> Report {
        for node in 0..self.players.len() {
            self.at(Duration::ZERO, Happening::Start(node));
        }
        self.after_ms(50, Happening::Act);
        self.after_ms(500, Happening::Fault);
        let storm = self.script.storm;
        self.run_until(storm);
        self.heal();
        let end = self.now + self.script.calm;
        // Everything that people do ends when all has arrived; the rest of the calm shows that nothing moves any more.
        while self.now < end && self.broken.is_none() && !self.is_quiet() {
            let step = self.now + Duration::from_secs(5);
            self.run_until(step);
            self.make_friends();
        }
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        let judged = self.judge.verdict(&disks, &mut self.tally);
        let verdict = self.broken.take().map_or(judged, Err);
        Report { seed: self.seed, trace: self.trace.finalize().into(), tally: self.tally, verdict }
    }

    fn at(&mut self, time: Duration, happening: Happening) {
        self.planned += 1;
        self.plan.insert((time, self.planned), happening);
    }

    fn after_ms(&mut self, millis: u64, happening: Happening) {
        self.at(self.now + Duration::from_millis(millis), happening);
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw.number() % bound.max(1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        !self.calm && self.below(chances) == 0
    }

    fn any_node(&mut self) -> usize {
        let size = self.players.len() as u64;
        usize::try_from(self.below(size)).unwrap_or_default()
    }

    fn run_until(&mut self, end: Duration) {
        while self.broken.is_none() {
            let Some(entry) = self.plan.first_entry().filter(|entry| entry.key().0 <= end) else { break };
            let ((time, _), happening) = entry.remove_entry();
            self.now = time;
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    fn note(&mut self, what: &str, node: usize) {
        self.trace.update(format!("{:?} {what} {node}\n", self.now).as_bytes());
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Turn(node, life) => self.turn(node, life),
            Happening::Wake(node, life) => {
                self.players[node].wake = None;
                self.reach(node, life, Input::Wake);
            }
            Happening::Reach(node, life, input) => self.reach(node, life, input),
            Happening::Arrive(wire, end, bytes) => self.arrive(wire, end, &bytes),
            Happening::HangUp(wire, end) => self.hang_up(wire, end),
            Happening::Dialled(from, life, to, dial) => self.dialled(from, life, to, dial),
            Happening::Start(node) => {
                if !self.players[node].is_up() {
                    self.note("start", node);
                    self.players[node].start(self.now, &mut self.draw);
                    self.plan_wake(node);
                }
            }
            Happening::Act => self.act(),
            Happening::Fault => self.fault(),
        }
    }

    fn reach(&mut self, node: usize, life: u32, input: Input) {
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
    fn turn(&mut self, node: usize, life: u32) {
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
        self.players[node].state = Some(state);
        let changes = decision.take_changes();
        if self.one_in(500) {
            self.tally.crashes_before_commit += 1;
            return self.crash(node);
        }
        if !changes.is_empty() && self.one_in(250) {
            self.tally.failed_commits += 1;
            return self.fail_commit(node);
        }
        let receipt = match self.players[node].disk.apply(&changes) {
            Ok(receipt) => receipt,
            Err(error) => return self.break_promise(format!("node {node} decided what its disk refuses: {error}")),
        };
        if !changes.is_empty() && self.one_in(250) {
            self.tally.crashes_between_commit_and_sends += 1;
            return self.crash(node);
        }
        self.carry_out(node, life, decision, &receipt);
        self.plan_wake(node);
    }

    fn plan_wake(&mut self, node: usize) {
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
    fn fail_commit(&mut self, node: usize) {
        self.note("commit fails", node);
        self.close_all(node, 1);
        let player = &mut self.players[node];
        player.life += 1;
        player.think_anew(self.now, &mut self.draw);
        self.plan_wake(node);
    }

    fn crash(&mut self, node: usize) {
        self.note("crash", node);
        // Some crashes are seen at once by the others, as when a process dies; some only by silence, as when a machine does.
        let seen_after = if self.below(2) == 0 { 1 } else { HALF_OPEN.as_millis() as u64 };
        self.close_all(node, seen_after);
        self.players[node].die();
        let pause = 100 + self.below(5_000);
        self.after_ms(pause, Happening::Start(node));
    }

    fn close_all(&mut self, node: usize, seen_after_ms: u64) {
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

    fn carry_out(&mut self, node: usize, life: u32, decision: Decision, receipt: &Committed) {
        let (asks, effects) = decision.release(receipt);
        for ask in asks {
            self.answer(node, life, ask);
        }
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.transmit(node, life, link, &frame),
                Effect::Close(link) => self.close(node, life, link),
                Effect::Dial { peer, endpoints } => self.dial(node, life, peer, endpoints.is_empty()),
                Effect::CancelDial(peer) => drop(self.players[node].dials.remove(&peer)),
                Effect::Reply { id, outcome } => self.replied(node, id, outcome.ok()),
                Effect::Tell(event) => self.told(node, &event),
            }
        }
    }

    fn break_promise(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn told(&mut self, node: usize, event: &Event) {
        if let Event::Message(message) = event {
            let from = self.players.iter().find(|player| player.name == message.from).map(Player::peer_id);
            if !from.is_some_and(|from| self.players[node].disk.holds(from, Author::Them, message.id)) {
                self.break_promise(format!("node {node} told of a message that is not durable"));
            }
        }
    }

    fn replied(&mut self, node: usize, id: CommandId, outcome: Option<Outcome>) {
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

    fn promised(&mut self, from: usize, to: usize, number: u64, id: crate::message::EntryId) {
        let recipient = self.players[to].peer_id();
        if !self.players[from].disk.holds(recipient, Author::Me, id) {
            self.break_promise(format!("node {from} answered for a message that is not durable"));
        }
        self.judge.promise(from, to, number, id);
    }

    fn answer(&mut self, node: usize, life: u32, ask: Ask) {
        let (delay, input) = match ask {
            Ask::Find(name) => {
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

    fn read(&mut self, read: impl FnOnce(&ProfileData) -> Loaded, node: usize) -> Option<Loaded> {
        if self.one_in(500) {
            self.tally.failed_reads += 1;
            return None;
        }
        Some(read(&self.players[node].disk))
    }

    fn dial(&mut self, node: usize, life: u32, peer: PeerId, nowhere: bool) {
        self.planned += 1;
        let dial = self.planned;
        self.players[node].dials.insert(peer, dial);
        let mine = self.players[node].peer_id();
        let both = self.by_id.get(&peer).is_some_and(|other| self.players[*other].dials.contains_key(&mine));
        self.tally.simultaneous_dials += u64::from(both);
        let pause = if nowhere { 0 } else { 1 + self.below(60) };
        self.after_ms(pause, Happening::Dialled(node, life, peer, dial));
    }

    fn dialled(&mut self, from: usize, life: u32, peer: PeerId, dial: u64) {
        if self.players[from].life != life || self.players[from].dials.get(&peer) != Some(&dial) {
            return;
        }
        self.players[from].dials.remove(&peer);
        let to = self
            .by_id
            .get(&peer)
            .copied()
            .filter(|to| self.players[*to].is_up() && !self.partitions.are_cut(from, *to, self.now));
        let Some(to) = to else {
            let reason = "nobody is there".to_owned();
            return self.reach(from, life, Input::DialFailed { peer, reason });
        };
        self.planned += 1;
        let (number, id) = (self.planned, LinkId(self.planned));
        let lives = [(from, life), (to, self.players[to].life)];
        let free = [self.now, self.now];
        self.wires.insert(number, Wire { id, ends: lives, open: [true, true], free });
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

    fn wire_of(&self, node: usize, life: u32, link: LinkId) -> Option<(u64, usize)> {
        let wire = self.wires.get(&link.0).filter(|wire| wire.id == link)?;
        Some((link.0, wire.end_of(node, life)?))
    }

    fn transmit(&mut self, node: usize, life: u32, link: LinkId, frame: &Frame) {
        let Some((number, end)) = self.wire_of(node, life, link) else { return };
        let other = self.wires[&number].ends[1 - end].0;
        self.check_durable(node, other, frame);
        let bytes = wire::encode(frame);
        self.trace.update(&bytes);
        self.tally.frames += 1;
        let rough = !self.calm;
        let cut = self.partitions.are_cut(node, other, self.now);
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let fate = network::fate(&mut self.draw, self.now, &mut wire.free[1 - end], rough);
        self.tally.frames_lost += u64::from(fate.lost);
        self.tally.frames_repeated += u64::from(fate.repeated);
        self.tally.frames_overtaking += u64::from(fate.overtakes);
        for at in fate.arrivals.into_iter().flatten().filter(|_| !cut) {
            self.at(at, Happening::Arrive(number, 1 - end, bytes.clone()));
        }
    }

    /// What a frame says must be on the disk before the frame leaves.
    fn check_durable(&mut self, node: usize, other: usize, frame: &Frame) {
        let peer = self.players[other].peer_id();
        let disk = &self.players[node].disk;
        let durable = match frame {
            Frame::Ack(position) => {
                disk.positions(peer).iter().any(|held| held.epoch == position.epoch && held.n >= position.n)
            }
            Frame::Entry(entry) => {
                let limit = LoadLimit { entries: 1, bytes: 1 };
                !disk.logged(peer, entry.epoch, entry.n..=entry.n, limit).is_empty()
            }
            Frame::Hello { .. } | Frame::Greeting { .. } | Frame::Goodbye { .. } => true,
        };
        if !durable {
            self.break_promise(format!("node {node} sent what is not durable: {frame:?}"));
        }
    }

    fn arrive(&mut self, number: u64, end: usize, bytes: &[u8]) {
        let Some(wire) = self.wires.get(&number).filter(|wire| wire.open[end]) else { return };
        let ((node, life), link) = (wire.ends[end], wire.id);
        match wire::decode(bytes) {
            Ok(frame) => self.reach(node, life, Input::Frame { link, frame }),
            Err(error) => self.break_promise(format!("a frame cannot be read back: {error}")),
        }
    }

    fn close(&mut self, node: usize, life: u32, link: LinkId) {
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

    fn hang_up(&mut self, number: u64, end: usize) {
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

    fn command(&mut self, node: usize, command: Command, sent: Vec<(usize, u64)>) {
        self.numbers += 1;
        let id = CommandId(self.numbers);
        if !sent.is_empty() {
            self.commands.insert((node, id), sent);
        }
        let life = self.players[node].life;
        self.reach(node, life, Input::Command { id, command });
    }

    fn next_text(&mut self, from: usize, to: usize) -> (u64, String) {
        let number = self.spoken.entry((from, to)).or_default();
        *number += 1;
        let number = *number;
        let long = if self.below(40) == 0 { 60_000 } else { 40 };
        let length = usize::try_from(self.below(long)).unwrap_or_default();
        (number, format!("{number} {}", "x".repeat(length)))
    }

    /// People connect, talk, broadcast and, seldom, disconnect or forget to.
    fn act(&mut self) {
        let node = self.any_node();
        let other =
            (node + 1 + usize::try_from(self.below(self.players.len() as u64 - 1)).unwrap_or(0)) % self.players.len();
        let name = self.players[other].name.clone();
        match self.below(40) {
            0..=3 => self.command(node, Command::Connect(name), Vec::new()),
            4 if self.below(4) == 0 => {
                self.tally.disconnects += 1;
                self.command(node, Command::Disconnect(name), Vec::new());
            }
            5 => self.broadcast(node),
            _ => {
                for _ in 0..=self.below(12) {
                    let (number, text) = self.next_text(node, other);
                    self.said += 1;
                    self.command(node, Command::Send { to: name.clone(), text }, vec![(other, number)]);
                }
            }
        }
        if self.said < self.script.messages && !self.calm {
            let pace = self.script.storm.as_millis() as u64 * 6 / u64::from(self.script.messages.max(1));
            let pause = self.below(2 * pace);
            self.after_ms(pause, Happening::Act);
        }
    }

    /// One text reaches several recipients; it says its number for each of them, which must therefore be the same.
    fn broadcast(&mut self, node: usize) {
        let others: Vec<usize> = (0..self.players.len()).filter(|other| *other != node).collect();
        let highest = others.iter().filter_map(|other| self.spoken.get(&(node, *other))).max().copied().unwrap_or(0);
        let number = highest + 1;
        for other in &others {
            self.spoken.insert((node, *other), number);
        }
        self.said += 1;
        let sent = others.into_iter().map(|other| (other, number)).collect();
        self.command(node, Command::Broadcast(format!("{number} to all")), sent);
    }

    fn fault(&mut self) {
        if self.calm {
            return;
        }
        let node = self.any_node();
        match self.below(8) {
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
            _ => self.erase(node),
        }
        let pause = 200 + self.below(4_000);
        self.after_ms(pause, Happening::Fault);
    }

    fn partition(&mut self, a: usize, b: usize, length: Duration) {
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

    /// Puts an older copy of a node's database back.
    fn restore(&mut self, node: usize) {
        if self.players[node].backups.is_empty() {
            return;
        }
        let which = usize::try_from(self.below(self.players[node].backups.len() as u64)).unwrap_or_default();
        let copy = self.players[node].backups[which].clone();
        self.note("restore", node);
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        let (sent, received) = self.judge.missing(node, &disks, &copy);
        self.tally.restores_of_a_sender += u64::from(sent);
        self.tally.restores_of_a_receiver += u64::from(received);
        self.players[node].disk = copy;
        if self.players[node].is_up() {
            self.crash(node);
        }
        self.excuse(node);
    }

    /// Erases one of the oldest messages that a node wrote and that arrived, as keeping only so much will.
    fn erase(&mut self, node: usize) {
        let peers: BTreeSet<PeerId> = self.by_id.keys().copied().collect();
        let query = crate::storage::HistoryQuery { peers: Some(peers), before: None, limit: 50 };
        let page = self.players[node].disk.history(&query).unwrap_or_default();
        let mine = page.iter().find(|message| message.author == Author::Me && message.acknowledged);
        if let Some((peer, id)) = mine.map(|message| (message.peer, message.entry.id)) {
            self.tally.erasures += u64::from(self.players[node].disk.erase(peer, id));
            self.excuse(node);
        }
    }

    /// What no database holds any more cannot arrive.
    fn excuse(&mut self, node: usize) {
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        self.judge.excuse(node, &disks);
    }

    /// The storm is over: everything runs, everybody can reach everybody.
    fn heal(&mut self) {
        self.calm = true;
        self.partitions.heal();
        self.tracker_silent_until = Duration::ZERO;
        for node in 0..self.players.len() {
            self.at(self.now, Happening::Start(node));
        }
        self.make_friends();
    }

    fn make_friends(&mut self) {
        let names: Vec<Username> = self.players.iter().map(|player| player.name.clone()).collect();
        for node in 0..self.players.len() {
            for (_, name) in names.iter().enumerate().filter(|(other, _)| *other != node) {
                self.command(node, Command::Connect(name.clone()), Vec::new());
            }
        }
    }

    /// Whether everybody is connected to everybody and nothing waits to be acknowledged.
    fn is_quiet(&self) -> bool {
        let size = self.players.len();
        self.players.iter().all(|player| {
            let connected = player.state.as_ref().is_some_and(|state| state.connected().len() + 1 == size);
            let waits = |logs: &crate::storage::Logs| logs.queued.0 > 0 || !logs.unacknowledged.is_empty();
            connected && player.inbox.is_empty() && !player.disk.snapshot().logs.iter().any(waits)
        }) && !self
            .plan
            .values()
            .any(|happening| matches!(happening, Happening::Arrive(..) | Happening::Turn(..) | Happening::Start(_)))
    }
}
