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

#[cfg(test)]
mod tests {
    use super::super::{Manners, play};

    /// Who has met says this; how many messages the first has read then.
    fn heard(lie: &[u8]) -> u64 {
        play(&[&[0x06, 0x7e, 0x7e], lie].concat(), Manners::Hostile).unwrap()
    }

    #[test]
    fn what_is_forged_as_it_should_be_is_read_and_what_is_twisted_is_not() {
        assert_eq!(heard(&[0x43, 0, 1, 0, 0x43, 0, 1, 0, 0x43, 0, 2, 0]), 3, "two epochs that grow");
        assert_eq!(heard(&[0x43, 2, 100]), 101, "epochs without end");
        assert_eq!(heard(&[0x43, 0, 1, 0, 0x43, 8, 0, 0, 0x43, 0, 1, 1, 0]), 1, "the same again");
        assert_eq!(heard(&[0x43, 0, 1, 5, 9, 0x43, 0, 1, 5, 9]), 1, "another entry of the same id");
        assert_eq!(heard(&[0x43, 0, 1, 4, 9]), 0, "something erased");
        assert_eq!(heard(&[0x43, 0, 1, 6, 15, 0x43, 0, 1, 12, 2]), 2, "another time, and another text");
        for lie in [&[0x43, 0, 1, 7][..], &[0x43, 0, 1, 8, 9], &[0x43, 0, 1, 9, 1, 0, 0, 9, 1], &[0x43, 0, 1, 12, 255]]
        {
            assert_eq!(heard(lie), 0, "{lie:?}");
        }
    }

    #[test]
    fn an_epoch_that_was_forgotten_is_taken_again() {
        assert_eq!(heard(&[0x43, 0, 1, 0, 0x43, 2, 80, 0x43, 0, 1, 1, 0]), 83);
    }
}
