//! A second player that keeps to no rule, and what the first must be able to do nevertheless.

use std::collections::VecDeque;

use super::super::super::wire;
use super::super::choices::Choices;
use super::super::forger::Forger;
use super::{CommandId, Pair};

impl Pair {
    /// Has somebody write in the second's place, who hears what the second hears.
    pub(super) fn turn_hostile(&mut self) {
        let seed = blake3::derive_key("chatp2p forger", &self.draw.number().to_be_bytes());
        self.forger = Forger::new(&self.players[1], &self.players[0], seed);
    }

    /// The second says something else than it meant to.
    pub(super) fn change(&mut self, choices: &mut Choices<'_>, raw: usize) {
        let Some(mut front) = self.way(0).and_then(VecDeque::pop_front) else { return };
        if raw == 1 {
            let length = usize::from(choices.byte());
            front = [&[wire::VERSION], choices.take(length)].concat();
        } else {
            front = choices.edit(&front);
        }
        self.way(0).into_iter().for_each(|way| way.push_front(front.clone()));
    }

    /// The second says what it likes; and is heard at once, or when it is its turn.
    pub(super) fn forge(&mut self, choices: &mut Choices<'_>, at_once: bool) {
        let frames = self.forger.as_mut().map(|forger| forger.forge(choices)).unwrap_or_default();
        for frame in &frames {
            let bytes = wire::encode(frame);
            self.way(0).into_iter().for_each(|way| way.push_back(bytes.clone()));
        }
        if at_once {
            let waiting = self.way(0).map_or(0, |way| way.len());
            (0..waiting).for_each(|_| self.deliver(0));
            self.turn(0);
        }
    }

    /// Whatever the second has said, the first answers its user, in this life and in the next.
    pub(super) fn go_on(&mut self) {
        self.crash[0] = None;
        for _ in 0..2 {
            if !self.players[0].is_up() {
                self.live_again(0);
            }
            self.turn(0);
            self.say(0);
            self.turn(0);
            let waits = |(from, _, number): &(usize, CommandId, u64)| *from == 0 && *number == self.spoken[0];
            if self.commands.iter().any(waits) {
                return self.break_promise("player 0 does not answer its user any more".to_owned());
            }
            self.live_again(0);
        }
    }
}
