//! The stage of a play: time, the machines, the network between them, and everything that goes wrong.

mod epilogue;
mod faults;
mod machines;
mod mail;
mod people;
mod readers;
mod wires;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crypto::{Olm, Seeded, Suite};
use crate::identity::{PeerId, Username};
use crate::message::{EntryId, Epoch};
use crate::protocol::draw::Draw;
use crate::protocol::input::{Command, CommandId, Input, LinkId};
use crate::storage::Logs;

use super::auditor::Auditor;
use super::judge::{Judge, Tally};
use super::network::{HALF_OPEN, Partitions, Wire};
use super::player::Player;
use super::{Cipher, Mail, Report, Script};

use mail::Letterboxes;

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
    /// What a post has to leave reaches the mailbox.
    Deposit(usize, u32, LinkId),
    /// A node looks into its letterbox.
    Collect(usize),
    /// From now on nobody can be dialled.
    Part,
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
    letterboxes: Letterboxes,
    tracker_silent_until: Duration,
    /// What each command was: who sends what to whom.
    commands: BTreeMap<(usize, CommandId), Vec<(usize, u64)>>,
    /// How many messages each has tried to send to each.
    spoken: BTreeMap<(usize, usize), u64>,
    numbers: u64,
    said: u32,
    calm: bool,
    judge: Judge,
    auditor: Auditor,
    suite: Box<dyn Suite>,
    /// Which messages each has been told of, as far as its disk still holds them.
    told_of: BTreeSet<(usize, PeerId, EntryId)>,
    /// Up to where each has read, in every epoch of each.
    read: BTreeMap<(usize, PeerId, Epoch), u64>,
    /// Which messages each has told that it wrote.
    written: BTreeSet<(usize, EntryId)>,
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
        let players: Vec<Player> = (0..size).filter_map(|number| Player::new(number, seed, script)).collect();
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
            letterboxes: Letterboxes::default(),
            tracker_silent_until: Duration::ZERO,
            commands: BTreeMap::new(),
            spoken: BTreeMap::new(),
            numbers: 0,
            said: 0,
            calm: false,
            judge: Judge::default(),
            auditor: Auditor::default(),
            suite: match script.cipher {
                Cipher::Seeded => Box::new(Seeded::new(key)),
                Cipher::Olm => Box::new(Olm),
            },
            told_of: BTreeSet::new(),
            read: BTreeMap::new(),
            written: BTreeSet::new(),
            tally: Tally::default(),
            trace: blake3::Hasher::new(),
            broken: None,
        }
    }

    pub(super) fn play(mut self) -> Report {
        for node in 0..self.players.len() {
            self.at(Duration::ZERO, Happening::Start(node));
        }
        match self.script.mail {
            Mail::Alone => self.meet_first(),
            Mail::None | Mail::Beside => self.begin_storm(),
        }
        let storm = self.script.storm;
        self.run_until(storm);
        self.heal();
        let end = self.now + self.script.calm;
        // The last of the storm strikes in the calm: a link that was cut is noticed only after a while.
        let settled = self.now + HALF_OPEN;
        while self.now < end && self.broken.is_none() {
            self.run_until(self.now + Duration::from_secs(5));
            // Looked at before anybody asks again, since whoever asks is not quiet.
            if self.now > settled && self.is_quiet() {
                break;
            }
            self.make_friends();
        }
        self.epilogue();
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        let judged = self.judge.verdict(&disks, &mut self.tally);
        self.tally.keys_used = self.auditor.keys();
        let verdict = self.broken.take().map_or(judged, Err);
        Report { seed: self.seed, trace: self.trace.finalize().into(), tally: self.tally, verdict }
    }

    fn begin_storm(&mut self) {
        self.calm = false;
        self.after_ms(50, Happening::Act);
        self.after_ms(500, Happening::Fault);
        if self.script.mail != Mail::None {
            (0..self.players.len()).for_each(|node| self.after_ms(100, Happening::Collect(node)));
        }
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
            Happening::Deposit(node, life, link) => self.deposit(node, life, link),
            Happening::Collect(node) => self.collect(node),
            Happening::Part => self.part(),
            Happening::Act => self.act(),
            Happening::Fault => self.fault(),
        }
    }

    /// The storm is over: everything runs, everybody can reach everybody, or everybody's letterbox.
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

    /// Whether everything is settled and nothing moves any more.
    fn is_quiet(&self) -> bool {
        let moves = |happening: &Happening| {
            matches!(
                happening,
                Happening::Arrive(..) | Happening::Turn(..) | Happening::Start(_) | Happening::Deposit(..)
            )
        };
        self.is_settled()
            && self.letterboxes.are_empty()
            && self.players.iter().all(|player| player.inbox.is_empty())
            && !self.plan.values().any(moves)
    }

    /// Whether everybody has one link to everybody, or none where there are none, and nothing waits to be acknowledged.
    fn is_settled(&self) -> bool {
        let size = self.players.len();
        let wires = self.wires.values().filter(|wire| wire.open.contains(&true)).count();
        let others = if self.script.mail == Mail::Alone { 0 } else { size - 1 };
        wires == size * others / 2
            && self.players.iter().all(|player| {
                let waits = |logs: &Logs| logs.queued.0 > 0 || !logs.unacknowledged.is_empty();
                player.state.as_ref().is_some_and(|state| state.connected().len() == others)
                    && !player.disk.snapshot().logs.iter().any(waits)
            })
    }
}
