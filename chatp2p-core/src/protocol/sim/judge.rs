//! What was promised in a play, and whether it was kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::PeerId;
use crate::message::{Author, Body, EntryId};
use crate::storage::{HistoryQuery, ProfileData};

/// What was sent in one play or many, and how often each fault struck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the count of what its name says")]
pub struct Tally {
    pub acknowledged: u64,
    pub arrived: u64,
    /// Acknowledged, but only an overwritten database held them.
    pub beyond_saving: u64,
    pub lost: u64,
    pub twice: u64,
    pub out_of_order: u64,
    pub turns: u64,
    /// In the storm.
    pub commits: u64,
    /// Those that the script ordered.
    pub strikes: u64,
    pub crashes_before_commit: u64,
    pub crashes_between_commit_and_sends: u64,
    pub failed_commits: u64,
    pub failed_reads: u64,
    pub restores_of_a_sender: u64,
    pub restores_of_a_receiver: u64,
    pub partitions: u64,
    pub simultaneous_dials: u64,
    pub frames: u64,
    pub frames_lost: u64,
    pub frames_repeated: u64,
    pub frames_overtaking: u64,
    pub tracker_silences: u64,
    pub erasures: u64,
    pub disconnects: u64,
    pub doubts: u64,
    pub keys_used: u64,
    pub nacks: u64,
    pub mails: u64,
    pub mails_refused: u64,
    pub mails_without_a_word: u64,
    pub mails_lost: u64,
    pub mails_repeated: u64,
    pub mails_overtaking: u64,
    pub questions_where_somebody_is: u64,
    pub answers_where_somebody_is: u64,
}

impl Tally {
    /// Adds another play's counts.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts_mut().into_iter().zip(other.counts()) {
            *mine.1 += theirs.1;
        }
    }

    /// Every count by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut copy = *self;
        copy.counts_mut().into_iter().map(|(name, count)| (name, *count)).collect()
    }

    fn counts_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
        vec![
            ("acknowledged", &mut self.acknowledged),
            ("arrived", &mut self.arrived),
            ("beyond saving", &mut self.beyond_saving),
            ("lost", &mut self.lost),
            ("twice", &mut self.twice),
            ("out of order", &mut self.out_of_order),
            ("turns", &mut self.turns),
            ("commits in the storm", &mut self.commits),
            ("strikes as ordered", &mut self.strikes),
            ("crashes before commit", &mut self.crashes_before_commit),
            ("crashes between commit and sends", &mut self.crashes_between_commit_and_sends),
            ("failed commits", &mut self.failed_commits),
            ("failed reads", &mut self.failed_reads),
            ("restores of a sender", &mut self.restores_of_a_sender),
            ("restores of a receiver", &mut self.restores_of_a_receiver),
            ("partitions", &mut self.partitions),
            ("simultaneous dials", &mut self.simultaneous_dials),
            ("frames", &mut self.frames),
            ("frames lost", &mut self.frames_lost),
            ("frames repeated", &mut self.frames_repeated),
            ("frames overtaking", &mut self.frames_overtaking),
            ("tracker silences", &mut self.tracker_silences),
            ("erasures", &mut self.erasures),
            ("disconnects", &mut self.disconnects),
            ("doubts", &mut self.doubts),
            ("message keys used, none twice", &mut self.keys_used),
            ("ciphertexts that could not be read", &mut self.nacks),
            ("mails", &mut self.mails),
            ("mails refused", &mut self.mails_refused),
            ("mails kept without a word", &mut self.mails_without_a_word),
            ("mails lost", &mut self.mails_lost),
            ("mails repeated", &mut self.mails_repeated),
            ("mails overtaking", &mut self.mails_overtaking),
            ("questions where somebody is", &mut self.questions_where_somebody_is),
            ("answers where somebody is", &mut self.answers_where_somebody_is),
        ]
    }
}

/// One message that was answered with success.
#[derive(Debug, Clone, Copy)]
struct Promise {
    id: EntryId,
    beyond_saving: bool,
}

/// Every promise of a play.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// By sender, recipient, and the number that the text says.
    promises: BTreeMap<(usize, usize, u64), Promise>,
}

impl Judge {
    pub(super) fn promise(&mut self, from: usize, to: usize, number: u64, id: EntryId) {
        self.promises.insert((from, to, number), Promise { id, beyond_saving: false });
    }

    /// A database was put back: what no database holds any more cannot arrive.
    pub(super) fn excuse(&mut self, node: usize, disks: &[(PeerId, &ProfileData)]) {
        for ((from, to, _), promise) in &mut self.promises {
            if promise.beyond_saving || (*from != node && *to != node) {
                continue;
            }
            let (Some((sender, outbox)), Some((recipient, inbox))) = (disks.get(*from), disks.get(*to)) else {
                continue;
            };
            let held =
                outbox.holds(*recipient, Author::Me, promise.id) || inbox.holds(*sender, Author::Them, promise.id);
            promise.beyond_saving = !held;
        }
    }

    /// Acknowledged messages between these two that a copy of a database lacks, as sender and as recipient.
    pub(super) fn missing(&self, node: usize, disks: &[(PeerId, &ProfileData)], copy: &ProfileData) -> (bool, bool) {
        let lacks = |author, other: usize, id| {
            let Some((peer, disk)) = disks.get(other).and_then(|(peer, _)| Some((*peer, disks.get(node)?.1))) else {
                return false;
            };
            disk.holds(peer, author, id) && !copy.holds(peer, author, id)
        };
        let sent = self.promises.iter().any(|((from, to, _), p)| *from == node && lacks(Author::Me, *to, p.id));
        let received = self.promises.iter().any(|((from, to, _), p)| *to == node && lacks(Author::Them, *from, p.id));
        (sent, received)
    }

    /// Compares what was promised with what people see in the end.
    pub(super) fn verdict(&self, disks: &[(PeerId, &ProfileData)], tally: &mut Tally) -> Result<(), String> {
        let mut trouble = Vec::new();
        for (to, (_, disk)) in disks.iter().enumerate() {
            for (from, (sender, _)) in disks.iter().enumerate().filter(|(from, _)| *from != to) {
                let seen = seen(disk, *sender);
                let unique: BTreeSet<u64> = seen.iter().copied().collect();
                let twice = (seen.len() - unique.len()) as u64;
                let disorder = self.disorder(from, to, &seen);
                tally.twice += twice;
                tally.out_of_order += disorder;
                if twice + disorder > 0 {
                    trouble.push(format!("{from}→{to}: {twice} twice, {disorder} out of order: {seen:?}"));
                }
                for (number, promise) in self.of(from, to) {
                    tally.acknowledged += 1;
                    if unique.contains(&number) {
                        tally.arrived += 1;
                    } else if promise.beyond_saving {
                        tally.beyond_saving += 1;
                    } else {
                        tally.lost += 1;
                        trouble.push(format!("{from}→{to}: message {number} is lost"));
                    }
                }
            }
        }
        match trouble.first() {
            None => Ok(()),
            Some(first) => Err(format!("{first} (and {} more)", trouble.len() - 1)),
        }
    }

    /// How many of the promised messages are shown after a later one. What was beyond saving may come back, late, when a
    /// newer copy of the sender's database is put back after an older one.
    fn disorder(&self, from: usize, to: usize, seen: &[u64]) -> u64 {
        let promised = |number: &u64| self.promises.get(&(from, to, *number)).is_some_and(|p| !p.beyond_saving);
        let kept: Vec<u64> = seen.iter().copied().filter(promised).collect();
        kept.windows(2).filter(|pair| pair.first() > pair.last()).count() as u64
    }

    fn of(&self, from: usize, to: usize) -> impl Iterator<Item = (u64, &Promise)> {
        self.promises.range((from, to, 0)..=(from, to, u64::MAX)).map(|((_, _, number), promise)| (*number, promise))
    }
}

/// The numbers that the messages of one author say, in the order in which they are shown.
fn seen(disk: &ProfileData, sender: PeerId) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut before = None;
    loop {
        let query = HistoryQuery { peers: Some([sender].into()), before, limit: 1_000 };
        let page = disk.history(&query).unwrap_or_default();
        let Some(first) = page.first() else { break };
        before = Some(first.entry.id);
        let theirs = page.iter().rev().filter(|message| message.author == Author::Them);
        numbers.extend(theirs.map(|message| {
            let Body::Text(text) = &message.entry.body;
            text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(u64::MAX)
        }));
    }
    numbers.reverse();
    numbers
}
