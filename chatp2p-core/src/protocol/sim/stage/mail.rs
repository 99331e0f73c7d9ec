//! The letterboxes of a play, and the mailbox that keeps them: it refuses, keeps silent, loses, repeats and mixes up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::{PeerId, Username};
use crate::message::Epoch;
use crate::protocol::input::{Input, LinkId, MailId};
use crate::protocol::wire::{self, Frame};
use crate::record::{Letterbox, LetterboxId, SignedRecord};

use super::{Happening, Stage};

/// How long everybody has to meet, before there is only mail.
const MEETING: Duration = Duration::from_secs(10);

/// How long a silent mailbox is waited for.
const SILENCE_MS: u64 = 40_000;

/// The most frames of one mail.
const MAX_FRAMES: u64 = 24;

/// All that is left and not collected, and what is about to be left.
#[derive(Debug, Default)]
pub(super) struct Letterboxes {
    /// Whether nobody can be dialled any more.
    pub(super) are_all_there_is: bool,
    posts: BTreeMap<(usize, u32, LinkId), Post>,
    mails: BTreeMap<(usize, MailId), Mail>,
    /// Up to where the mailbox has signed for what one wrote to another.
    signed: BTreeMap<(usize, usize, Epoch), u64>,
}

#[derive(Debug)]
struct Post {
    to: usize,
    letterbox: LetterboxId,
    handed: Vec<Handed>,
}

/// A frame, and its place if it is an entry.
#[derive(Debug)]
struct Handed {
    bytes: Vec<u8>,
    place: Option<(Epoch, u64)>,
}

#[derive(Debug)]
struct Mail {
    from: SignedRecord,
    frames: Vec<Vec<u8>>,
    /// In which life its reader was given it last.
    given: Option<u32>,
}

impl Letterboxes {
    /// Who reads what goes to a post.
    pub(super) fn reader(&self, node: usize, life: u32, link: LinkId) -> Option<usize> {
        self.posts.get(&(node, life, link)).map(|post| post.to)
    }

    pub(super) fn close_post(&mut self, node: usize, life: u32, link: LinkId) {
        self.posts.remove(&(node, life, link));
    }

    pub(super) fn are_empty(&self) -> bool {
        self.mails.is_empty() && self.posts.values().all(|post| post.handed.is_empty())
    }
}

impl Stage {
    /// Everybody meets everybody, and then parts for ever.
    pub(super) fn meet_first(&mut self) {
        self.calm = true;
        self.run_until(Duration::from_millis(500));
        self.make_friends();
        self.at(MEETING, Happening::Part);
    }

    pub(super) fn part(&mut self) {
        self.letterboxes.are_all_there_is = true;
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for wire in wires {
            self.after_ms(1, Happening::HangUp(wire, 0));
        }
        self.begin_storm();
    }

    pub(super) fn open_post(&mut self, node: usize, life: u32, link: LinkId, peer: PeerId, letterbox: &Letterbox) {
        let Some(to) = self.by_id.get(&peer).copied() else { return };
        let post = Post { to, letterbox: letterbox.id, handed: Vec::new() };
        self.letterboxes.posts.insert((node, life, link), post);
    }

    pub(super) fn hand_over(&mut self, node: usize, life: u32, link: LinkId, bytes: Vec<u8>, frame: &Frame) {
        let Some(post) = self.letterboxes.posts.get_mut(&(node, life, link)) else { return };
        let is_first = post.handed.is_empty();
        let place = if let Frame::Entry(entry) = frame { Some((entry.epoch, entry.n)) } else { None };
        post.handed.push(Handed { bytes, place });
        if is_first {
            let pause = 1 + self.below(500);
            self.after_ms(pause, Happening::Deposit(node, life, link));
        }
    }

    /// A mail reaches the mailbox, and its word comes back.
    pub(super) fn deposit(&mut self, node: usize, life: u32, link: LinkId) {
        if self.players[node].life != life || !self.players[node].is_up() {
            return self.letterboxes.close_post(node, life, link);
        }
        let most = usize::try_from(1 + self.below(MAX_FRAMES)).unwrap_or(1);
        let (refused, silent, lost) = (self.one_in(20), self.one_in(30), self.one_in(30));
        let Some(post) = self.letterboxes.posts.get_mut(&(node, life, link)) else { return };
        let (to, letterbox) = (post.to, post.letterbox);
        if refused {
            self.tally.mails_refused += 1;
            self.letterboxes.close_post(node, life, link);
            return self.reach(node, life, Input::NotPosted(link));
        }
        let mailed: Vec<Handed> = post.handed.drain(..most.min(post.handed.len())).collect();
        let goes_on = !post.handed.is_empty();
        let places: Vec<(Epoch, u64)> = mailed.iter().filter_map(|handed| handed.place).collect();
        self.tally.mails += 1;
        let Some(from) = self.players[node].record() else { return };
        if lost {
            self.tally.mails_lost += 1;
        } else {
            self.planned += 1;
            let frames = mailed.into_iter().map(|handed| handed.bytes).collect();
            self.trace.update(letterbox.key().as_bytes());
            self.letterboxes.mails.insert((to, MailId(self.planned)), Mail { from, frames, given: None });
        }
        if silent {
            self.tally.mails_without_a_word += 1;
            self.letterboxes.close_post(node, life, link);
            return self.after_ms(SILENCE_MS, Happening::Reach(node, life, Input::NotPosted(link)));
        }
        for (epoch, n) in &places {
            let signed = self.letterboxes.signed.entry((node, to, *epoch)).or_default();
            *signed = (*n).max(*signed);
        }
        let pause = 1 + self.below(50);
        self.after_ms(pause, Happening::Reach(node, life, Input::Posted { link, entries: places.len() }));
        if goes_on {
            self.after_ms(pause, Happening::Deposit(node, life, link));
        }
    }

    /// Somebody looks into their letterbox, and again after a while.
    pub(super) fn collect(&mut self, node: usize) {
        let pause = 100 + self.below(if self.calm { 500 } else { 5_000 });
        self.after_ms(pause, Happening::Collect(node));
        let life = self.players[node].life;
        if !self.players[node].is_up() {
            return;
        }
        let here = self.letterboxes.mails.range((node, MailId(0))..=(node, MailId(u64::MAX)));
        let waiting = here.filter(|(_, mail)| mail.given != Some(life)).map(|((_, id), _)| *id);
        let mut waiting: Vec<MailId> = waiting.collect();
        if waiting.len() > 1 && self.one_in(20) {
            self.tally.mails_overtaking += 1;
            waiting.rotate_left(1);
        }
        for id in waiting {
            let Some(mail) = self.letterboxes.mails.get_mut(&(node, id)) else { continue };
            mail.given = Some(life);
            let from = Box::new(mail.from.clone());
            let frames = mail.frames.iter().filter_map(|bytes| wire::decode(bytes).ok()).collect();
            self.reach(node, life, Input::Mail { mail: id, from, frames });
        }
    }

    /// A mail is deleted, for its reader says so; or comes once more.
    pub(super) fn taken(&mut self, node: usize, mail: MailId) {
        if self.one_in(50) {
            self.tally.mails_repeated += 1;
            let mail = self.letterboxes.mails.get_mut(&(node, mail));
            mail.into_iter().for_each(|mail| mail.given = None);
        } else {
            self.letterboxes.mails.remove(&(node, mail));
        }
    }

    /// Somebody is told that a mailbox keeps theirs: it has signed for it.
    pub(super) fn check_mailed(&mut self, node: usize, reader: &Username) {
        let Some(to) = self.players.iter().position(|player| player.name == *reader) else { return };
        let said = self.players[node].disk.my_epochs(self.players[to].peer_id());
        let signed = |epoch| self.letterboxes.signed.get(&(node, to, epoch)).copied().unwrap_or_default();
        let unsigned = said.iter().any(|log| log.mailed.is_some_and(|mailed| mailed.n > signed(log.epoch)));
        if unsigned {
            self.break_promise(format!("node {node} was told that {reader} has mail that no mailbox has signed for"));
        }
    }
}
