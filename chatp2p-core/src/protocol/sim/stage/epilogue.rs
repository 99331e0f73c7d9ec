//! How a play ends: what must happen promptly once all is well. A protocol that only ever arrives in the end, because
//! links time out and greet anew, would otherwise pass for one that works.

use std::time::Duration;

use crate::protocol::input::Command;

use super::{Happening, Mail, Stage};

/// How many messages everybody says to everybody at once: enough for several in a turn.
const BURST: usize = 20;

/// How soon all of them must be acknowledged: a few turns and frames, and long before any link is given up.
const PROMPT: Duration = Duration::from_secs(5);

/// How soon broken links must be back without anybody asking: some back-offs, should both ends dial at once.
const REDIALLED: Duration = Duration::from_secs(30);

/// How soon mail and its answer must be through: some looks into each letterbox, and before anything is mailed again.
const BY_MAIL: Duration = Duration::from_secs(30);

impl Stage {
    /// All is well: now what is said is acknowledged at once, what a link loses is asked for, and a link that breaks
    /// comes back by itself.
    pub(super) fn epilogue(&mut self) {
        if self.broken.is_none() && !self.is_quiet() {
            self.break_promise("the calm is over, and not everybody is connected and acknowledged".to_owned());
        }
        if self.script.mail == Mail::Alone {
            return self.epilogue_by_mail();
        }
        self.everybody_talks();
        self.expect_settled(PROMPT, "what was said in the calm was not acknowledged promptly");
        self.wires.values_mut().for_each(|wire| wire.loses_entry = [true; 2]);
        self.everybody_talks();
        self.expect_settled(PROMPT, "what a link lost in the calm was not asked for promptly");
        self.everybody_doubts();
        self.everybody_reads();
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for wire in wires {
            self.at(self.now, Happening::HangUp(wire, 0));
        }
        self.expect_settled(REDIALLED, "links that broke in the calm did not come back by themselves");
        self.expect_read();
    }

    /// The same where there are no links: a letterbox is looked into now and then.
    fn epilogue_by_mail(&mut self) {
        self.everybody_talks();
        self.expect_settled(BY_MAIL, "what was said in the calm was not acknowledged by mail");
        self.everybody_reads();
        self.run_until(self.now + BY_MAIL);
        self.expect_read();
    }

    /// All links are as good as new, and everybody doubts all of theirs while there is much to say.
    fn everybody_doubts(&mut self) {
        let before: Vec<u64> = self.wires.keys().copied().collect();
        self.everybody_talks();
        (0..self.players.len()).for_each(|node| self.doubt(node));
        self.expect_settled(
            PROMPT,
            "what was said while links were doubted was not acknowledged promptly, on one link each",
        );
        if self.wires.iter().any(|(number, wire)| wire.open.contains(&true) && before.contains(number)) {
            self.break_promise("a link that was doubted in the calm was not replaced".to_owned());
        }
    }

    fn expect_settled(&mut self, within: Duration, otherwise: &str) {
        self.run_until(self.now + within);
        if !self.is_settled() {
            self.break_promise(otherwise.to_owned());
        }
    }

    fn everybody_talks(&mut self) {
        for (from, to) in self.pairs().into_iter().flat_map(|pair| std::iter::repeat_n(pair, BURST)) {
            let (number, text) = self.next_text(from, to);
            let name = self.players[to].name.clone();
            self.command(from, Command::Send { to: name, text }, vec![(to, number)]);
        }
    }
}
