//! The people of a play: they connect, talk to one and to all, and now and then hang up.

use crate::protocol::input::{Command, CommandId, Input};

use super::{Happening, Stage};

impl Stage {
    pub(super) fn command(&mut self, node: usize, command: Command, sent: Vec<(usize, u64)>) {
        self.numbers += 1;
        let id = CommandId(self.numbers);
        if !sent.is_empty() {
            self.commands.insert((node, id), sent);
        }
        let life = self.players[node].life;
        self.reach(node, life, Input::Command { id, command });
    }

    pub(super) fn next_text(&mut self, from: usize, to: usize) -> (u64, String) {
        let number = self.spoken.entry((from, to)).or_default();
        *number += 1;
        let number = *number;
        let long = if self.below(40) == 0 { 60_000 } else { 40 };
        let length = usize::try_from(self.below(long)).unwrap_or_default();
        (number, format!("{number} {}", "x".repeat(length)))
    }

    /// People connect, talk, broadcast and, seldom, disconnect or forget to.
    pub(super) fn act(&mut self) {
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
    pub(super) fn broadcast(&mut self, node: usize) {
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
}
