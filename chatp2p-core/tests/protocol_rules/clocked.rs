//! Bob's state on a clock that the test turns.

use std::time::Duration;

use chatp2p_core::clock::{Now, Wall};
use chatp2p_core::protocol::wire::Frame;
use chatp2p_core::protocol::{Ask, Decision, Effect, Found, Input, LinkId};
use chatp2p_core::storage::{Change, Committed};

use super::{Bob, alice, signed};

/// Bob, on a clock.
pub(super) struct Clocked {
    pub(super) bob: Bob,
    pub(super) millis: u64,
    /// What his store was told.
    pub(super) changes: Vec<Change>,
}

impl Clocked {
    /// Bob is connected to alice, who has called him.
    pub(super) fn with_alice() -> Self {
        Self { bob: Bob::with_alice(), millis: 1_000, changes: Vec::new() }
    }

    pub(super) fn takes(&mut self, input: Input) -> (Vec<Ask>, Vec<Effect>) {
        let now = Now { mono: Duration::from_millis(self.millis), wall: Wall::from_millis(self.millis) };
        let mut decision = Decision::new();
        self.bob.0.handle(input, now, &mut decision);
        self.changes.extend(self.bob.0.conclude(&mut decision).unwrap());
        decision.release(&Committed::default())
    }

    /// Wakes bob whenever he wants to, for so many milliseconds.
    pub(super) fn passes(&mut self, millis: u64) -> (Vec<Ask>, Vec<Effect>) {
        let end = self.millis + millis;
        let (mut asks, mut effects) = (Vec::new(), Vec::new());
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.millis = due.max(self.millis);
            let (more, others) = self.takes(Input::Wake);
            asks.extend(more);
            effects.extend(others);
        }
        self.millis = end;
        (asks, effects)
    }

    /// When bob wants to be woken.
    pub(super) fn due(&self) -> Option<u64> {
        self.bob.0.next_deadline().map(|at| u64::try_from(at.as_micros().div_ceil(1_000)).unwrap())
    }

    /// The tracker answers, and alice is dialled.
    pub(super) fn finds_alice(&mut self) {
        let record = signed(&self.bob.1, "alice");
        let found = Found::Record(Box::new(record));
        let (_, effects) = self.takes(Input::Found { name: "alice".parse().unwrap(), answer: found });
        let dialled = |effect: &Effect| matches!(effect, Effect::Dial { peer, .. } if *peer == alice().peer_id());
        assert!(effects.iter().all(dialled) && effects.len() == 1, "{effects:?}");
    }

    pub(super) fn dial_fails(&mut self) -> (Vec<Ask>, Vec<Effect>) {
        self.takes(Input::DialFailed { peer: alice().peer_id(), reason: "nobody is there".to_owned() })
    }

    pub(super) fn hears(&mut self, link: LinkId, frame: Frame) -> Vec<Effect> {
        self.takes(Input::Frame { link, frame }).1
    }

    /// Both greet on another link.
    pub(super) fn comes_up(&mut self, link: LinkId, dialled: bool) -> (Vec<Ask>, Vec<Effect>) {
        self.takes(Input::LinkUp { link, peer: alice().peer_id(), dialled });
        self.hears(link, Frame::Hello { record: signed(&self.bob.1, "alice") });
        self.takes(Input::Frame { link, frame: Frame::Greeting { have: Vec::new(), offer: None, watchword: None } })
    }
}
