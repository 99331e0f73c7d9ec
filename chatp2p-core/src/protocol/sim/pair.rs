//! A play for two whose every step is chosen, one byte each: for those who look for the one order of things that breaks a
//! promise. What no step does does not happen; nothing is left to a clock.

mod hostile;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::code::Code;
use crate::crypto::Seeded;
use crate::identity::{PeerId, Username};
use crate::message::{Author, EntryId};
use crate::storage::{Change, Committed, Logs};

use super::super::decision::{Ask, Decision, Effect, Outcome};
use super::super::draw::Draw;
use super::super::event::Event;
use super::super::input::{Command, CommandId, Found, Input, LinkId, Loaded};
use super::super::state::State;
use super::super::wire::{self, Frame};
use super::Script;
use super::auditor::Auditor;
use super::choices::Choices;
use super::forger::Forger;
use super::judge::{Judge, Tally};
use super::player::Player;

/// Longer plays say nothing new, and are slow.
const MAX_STEPS: u32 = 200;

/// How long everything may take to arrive once nothing goes wrong any more, and in how many rounds.
const CALM: Duration = Duration::from_secs(600);
const CALM_ROUNDS: u32 = 4_000;

/// Whether the second keeps to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// It does. The network may still lose, repeat and reorder what is on its way.
    Honest,
    /// It changes what it sends, and says what no state would decide.
    Hostile,
}

/// What a step meets with first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    BeforeCommit,
    AfterCommit,
}

struct Line {
    link: LinkId,
    open: [bool; 2],
    /// What is on its way to each end.
    ways: [VecDeque<Vec<u8>>; 2],
}

struct Pair {
    manners: Manners,
    players: Vec<Player>,
    draw: Draw,
    now: Duration,
    lines: Vec<Line>,
    crash: [Option<Crash>; 2],
    spoken: [u64; 2],
    numbers: u64,
    links: u64,
    commands: Vec<(usize, CommandId, u64)>,
    told: BTreeSet<(usize, EntryId)>,
    heard: u64,
    judge: Judge,
    auditor: Auditor,
    /// Who writes in the second's place, where that is hostile.
    forger: Option<Forger>,
    is_silent: bool,
    broken: Option<String>,
}

/// Plays these steps, and then a calm in which everything must arrive. Says how many messages were read.
///
/// # Errors
/// The first promise that was broken. What a hostile peer is told is its own affair, so that only the first player's
/// promises to itself are looked at then.
pub fn play(steps: &[u8], manners: Manners) -> Result<u64, String> {
    let players: Vec<Player> = (0..2).filter_map(|number| Player::new(number, 0, &Script::default())).collect();
    let mut pair = Pair {
        manners,
        players,
        draw: Draw::new([0x77; 32]),
        now: Duration::ZERO,
        lines: Vec::new(),
        crash: [None; 2],
        spoken: [0; 2],
        numbers: 0,
        links: 0,
        commands: Vec::new(),
        told: BTreeSet::new(),
        heard: 0,
        judge: Judge::default(),
        auditor: Auditor::default(),
        forger: None,
        is_silent: false,
        broken: None,
    };
    for who in [0, 1] {
        pair.players[who].start(Duration::ZERO, &mut pair.draw);
    }
    if manners == Manners::Hostile {
        pair.turn_hostile();
    }
    let mut choices = Choices::new(steps);
    for _ in 0..MAX_STEPS {
        if choices.is_over() || pair.broken.is_some() {
            break;
        }
        pair.step(&mut choices);
    }
    match manners {
        _ if pair.broken.is_some() => {}
        Manners::Honest => pair.calm_down(),
        Manners::Hostile => pair.go_on(),
    }
    pair.broken.take().map_or(Ok(pair.heard), Err)
}

impl Pair {
    fn step(&mut self, choices: &mut Choices<'_>) {
        let step = choices.byte();
        let (who, more) = (usize::from(step >> 7), usize::from(step >> 4 & 7));
        match step & 15 {
            0 => (0..=more).for_each(|_| self.say(who)),
            1 => self.turn(who),
            2 => (0..=more).for_each(|_| self.deliver(who)),
            3 if self.manners == Manners::Hostile && more < 4 => self.change(choices, more),
            3 if self.manners == Manners::Hostile => self.forge(choices, more % 2 == 0),
            3 => drop(self.way(who).map(VecDeque::pop_front)),
            4 => {
                let again = self.way(who).and_then(|way| way.front().cloned());
                self.way(who).into_iter().for_each(|way| way.extend(again.clone()));
            }
            5 => self.way(who).into_iter().filter(|way| way.len() > 1).for_each(|way| way.swap(0, 1)),
            6 => self.connect(who),
            7 if more > 3 => self.reach(who, Input::Doubt),
            7 => self.break_lines(),
            8 => self.crash[who] = Some(if more % 2 == 0 { Crash::BeforeCommit } else { Crash::AfterCommit }),
            9 => self.players[who].back_up(),
            10 => self.restore(who, more),
            11 => {
                let millis = [100, 1_000, 3_000, 8_000, 16_000, 31_000, 61_000, 600_000][more];
                self.pass(Duration::from_millis(millis));
            }
            12 => self.live_again(who),
            13 => {
                let name = self.players[1 - who].name.clone();
                self.command(who, Command::Disconnect(name));
            }
            14 => (0..=more).for_each(|_| self.round()),
            _ => self.is_silent = more % 2 == 0,
        }
    }

    fn break_promise(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// What is on its way to somebody, on the newest line.
    fn way(&mut self, who: usize) -> Option<&mut VecDeque<Vec<u8>>> {
        self.lines.iter_mut().rev().find(|line| line.open[who]).map(|line| &mut line.ways[who])
    }

    fn reach(&mut self, who: usize, input: Input) {
        if self.players[who].is_up() {
            self.players[who].inbox.push_back(input);
        }
    }

    fn command(&mut self, who: usize, command: Command) -> CommandId {
        self.numbers += 1;
        let id = CommandId(self.numbers);
        self.reach(who, Input::Command { id, command });
        id
    }

    fn say(&mut self, who: usize) {
        let to = self.players[1 - who].name.clone();
        self.spoken[who] += 1;
        let number = self.spoken[who];
        let id = self.command(who, Command::Send { to, text: format!("{number} hello") });
        self.commands.push((who, id, number));
    }

    fn connect(&mut self, who: usize) {
        let name = self.players[1 - who].name.clone();
        self.command(who, Command::Connect(name));
    }

    /// The next thing arrives on the newest line.
    fn deliver(&mut self, who: usize) {
        if let Some(at) = self.lines.iter().rposition(|line| line.open[who]) {
            self.deliver_on(at, who);
        }
    }

    fn deliver_on(&mut self, at: usize, who: usize) {
        let line = &mut self.lines[at];
        let link = line.link;
        let Some(bytes) = line.ways[who].pop_front() else {
            if !line.open[1 - who] {
                line.open[who] = false;
                self.reach(who, Input::LinkDown(link));
            }
            return;
        };
        match wire::decode(&bytes) {
            Ok(frame) => self.reach(who, Input::Frame { link, frame }),
            // As a driver does with what is no frame.
            Err(_) if self.manners == Manners::Hostile => {
                self.lines[at].open = [false; 2];
                self.reach(0, Input::LinkDown(link));
                self.reach(1, Input::LinkDown(link));
            }
            Err(error) => self.break_promise(format!("a frame cannot be read back: {error}")),
        }
    }

    fn break_lines(&mut self) {
        for line in std::mem::take(&mut self.lines) {
            for who in [0, 1].into_iter().filter(|who| line.open[*who]) {
                self.reach(who, Input::LinkDown(line.link));
            }
        }
    }

    /// Ends a life, and whatever it was about to do.
    fn die(&mut self, who: usize) {
        self.players[who].die();
        for line in &mut self.lines {
            line.open[who] = false;
            // What it had sent may be lost with it.
            line.ways[1 - who].clear();
        }
    }

    fn live_again(&mut self, who: usize) {
        self.die(who);
        self.players[who].start(self.now, &mut self.draw);
        if !self.players[who].is_up() {
            self.break_promise(format!("player {who} cannot read its own disk"));
        }
    }

    fn restore(&mut self, who: usize, which: usize) {
        let backups = &self.players[who].backups;
        let Some(copy) = which.checked_rem(backups.len()).and_then(|which| backups.get(which)).cloned() else { return };
        let other = self.players[1 - who].peer_id();
        self.told.retain(|(teller, id)| *teller != who || copy.holds(other, Author::Them, *id));
        self.players[who].disk = copy;
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        self.judge.excuse(who, &disks);
        self.live_again(who);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for who in [0, 1] {
            self.reach(who, Input::Wake);
            self.turn(who);
        }
    }

    /// Everybody reads what there is and thinks about it.
    fn round(&mut self) {
        for who in [0, 1] {
            for at in 0..self.lines.len() {
                for _ in 0..=self.lines[at].ways[who].len() {
                    if self.lines[at].open[who] {
                        self.deliver_on(at, who);
                    }
                }
            }
            self.turn(who);
        }
        self.lines.retain(|line| line.open.contains(&true));
    }

    /// Decide, commit, send and tell; with a crash where one was wished for.
    fn turn(&mut self, who: usize) {
        let now = self.players[who].now(self.now);
        let Some(mut state) = self.players[who].state.take() else { return };
        let mut decision = Decision::new();
        for input in std::mem::take(&mut self.players[who].inbox) {
            state.handle(input, now, &mut decision);
        }
        let changes = match state.conclude(&mut decision) {
            Ok(changes) => changes,
            Err(error) => return self.break_promise(format!("player {who} cannot write its keys down: {error}")),
        };
        self.players[who].state = Some(state);
        let crash = self.crash[who].take();
        if crash == Some(Crash::BeforeCommit) {
            return self.live_again(who);
        }
        match self.commit(who, &changes) {
            Some(_) if crash == Some(Crash::AfterCommit) => self.live_again(who),
            Some(receipt) => self.carry_out(who, decision, &receipt),
            None => {}
        }
    }

    fn commit(&mut self, who: usize, changes: &[Change]) -> Option<Committed> {
        match self.players[who].disk.apply(changes) {
            Ok(receipt) => Some(receipt),
            Err(error) => {
                self.break_promise(format!("player {who} decided what its disk refuses: {error}"));
                None
            }
        }
    }

    fn carry_out(&mut self, who: usize, decision: Decision, receipt: &Committed) {
        let (asks, effects) = decision.release(receipt);
        for ask in asks {
            let input = self.answer(who, ask);
            self.reach(who, input);
        }
        for effect in effects {
            match effect {
                Effect::Send { link, frame } => self.send(who, link, &frame),
                Effect::Close(link) => {
                    self.lines.iter_mut().filter(|line| line.link == link).for_each(|line| line.open[who] = false);
                }
                Effect::Dial { peer, endpoints } => self.dial(who, peer, endpoints.is_empty()),
                // Nobody has a letterbox.
                Effect::CancelDial(_) | Effect::OpenPost { .. } | Effect::Take(_) => {}
                Effect::Reply { id, outcome } => self.replied(who, id, outcome.ok()),
                Effect::Tell(event) => self.told(who, &event),
            }
        }
    }

    fn answer(&self, who: usize, ask: Ask) -> Input {
        let disk = &self.players[who].disk;
        match ask {
            Ask::Find { name, .. } => {
                let known = self.players.iter().find(|player| player.name == name).and_then(Player::record);
                let answer = match known {
                    _ if self.is_silent => Found::Trouble(Code::TrackerUnreachable),
                    Some(record) => Found::Record(Box::new(record)),
                    None => Found::Nobody,
                };
                Input::Found { name, answer }
            }
            Ask::Queued { load, peer, limit } => {
                Input::Loaded { load, entries: Some(Loaded::Queued(disk.queued(peer, limit))) }
            }
            Ask::Logged { load, peer, epoch, range, limit } => {
                Input::Loaded { load, entries: Some(Loaded::Logged(disk.logged(peer, epoch, range, limit))) }
            }
        }
    }

    fn send(&mut self, who: usize, link: LinkId, frame: &Frame) {
        if let Frame::Entry(entry) = frame
            && (who == 0 || self.manners == Manners::Honest)
            && let Err(what) = self.auditor.look(&Seeded::new([0; 32]), &entry.ciphertext)
        {
            self.break_promise(format!("player {who}: {what}"));
        }
        if let (0, Some(forger)) = (who, &mut self.forger) {
            forger.hear(frame);
        }
        let bytes = wire::encode(frame);
        for line in self.lines.iter_mut().filter(|line| line.link == link && line.open == [true; 2]) {
            line.ways[1 - who].push_back(bytes.clone());
        }
    }

    fn dial(&mut self, who: usize, peer: PeerId, nowhere: bool) {
        let (mine, other) = (self.players[who].peer_id(), 1 - who);
        if nowhere || self.players[other].peer_id() != peer || !self.players[other].is_up() {
            let reason = "nobody is there".to_owned();
            return self.reach(who, Input::DialFailed { peer, reason });
        }
        self.links += 1;
        let link = LinkId(self.links);
        self.lines.push(Line { link, open: [true; 2], ways: [VecDeque::new(), VecDeque::new()] });
        self.reach(other, Input::LinkUp { link, peer: mine, dialled: false });
        self.reach(who, Input::LinkUp { link, peer, dialled: true });
    }

    fn replied(&mut self, who: usize, id: CommandId, outcome: Option<Outcome>) {
        let Some(at) = self.commands.iter().position(|(from, command, _)| (*from, *command) == (who, id)) else {
            return;
        };
        let (_, _, number) = self.commands.swap_remove(at);
        if let Some(Outcome::Sent { id, .. }) = outcome {
            if !self.players[who].disk.holds(self.players[1 - who].peer_id(), Author::Me, id) {
                self.break_promise(format!("player {who} answered for a message that is not durable"));
            }
            self.judge.promise(who, 1 - who, number, id);
        }
    }

    fn told(&mut self, who: usize, event: &Event) {
        let Event::Message(message) = event else { return };
        self.heard += u64::from(who == 0 || self.manners == Manners::Honest);
        let from = self.players[1 - who].peer_id();
        if !self.players[who].disk.holds(from, Author::Them, message.id) {
            self.break_promise(format!("player {who} told of a message that is not durable"));
        }
        if !self.told.insert((who, message.id)) {
            self.break_promise(format!("player {who} told twice of one message"));
        }
    }

    /// Nothing goes wrong any more, and everything must arrive.
    fn calm_down(&mut self) {
        (self.crash, self.is_silent) = ([None; 2], false);
        for who in [0, 1] {
            if !self.players[who].is_up() {
                self.live_again(who);
            }
            self.connect(who);
        }
        let (end, mut rounds) = (self.now + CALM, 0);
        while self.broken.is_none() && !self.is_settled() {
            rounds += 1;
            if self.now > end || rounds > CALM_ROUNDS {
                return self.break_promise(format!("it does not come to rest: {:?}", self.unsettled()));
            }
            self.round();
            if self.moves() || self.is_settled() {
                continue;
            }
            let waits =
                |player: &Player| player.state.as_ref().and_then(State::next_deadline).map(|at| at + player.born);
            let next = self.players.iter().filter_map(waits).min();
            let asks_again = self.now + Duration::from_secs(5);
            let next = next.map_or(asks_again, |next| next.clamp(self.now + Duration::from_millis(1), asks_again));
            self.pass(next - self.now);
            if next == asks_again {
                self.connect(0);
                self.connect(1);
            }
        }
        let disks: Vec<_> = self.players.iter().map(|player| (player.peer_id(), &player.disk)).collect();
        let verdict = self.judge.verdict(&disks, &mut Tally::default());
        if let Err(broken) = verdict {
            self.break_promise(broken);
        }
    }

    fn moves(&self) -> bool {
        let on_its_way = |line: &Line| {
            [0, 1].iter().any(|who| line.open[*who] && (!line.ways[*who].is_empty() || !line.open[1 - who]))
        };
        self.players.iter().any(|player| !player.inbox.is_empty()) || self.lines.iter().any(on_its_way)
    }

    fn is_settled(&self) -> bool {
        !self.moves() && self.unsettled().is_empty()
    }

    /// What is not as it should be in the end.
    fn unsettled(&self) -> Vec<(Username, &'static str)> {
        let mut found = Vec::new();
        for player in &self.players {
            let waits = |logs: &Logs| logs.queued.0 > 0 || !logs.unacknowledged.is_empty();
            if player.disk.snapshot().logs.iter().any(waits) {
                found.push((player.name.clone(), "waits for an acknowledgement"));
            }
            if player.state.as_ref().is_none_or(|state| state.connected().len() != 1) {
                found.push((player.name.clone(), "has no link"));
            }
        }
        found
    }
}
