//! What a mailbox remembers: which letterboxes there are, and what is in them.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;

use super::StorageError;
use crate::clock::Wall;
use crate::record::LetterboxId;

/// A mailbox's memory.
///
/// **To implementers.** Any method may run beside any other, and each is all or nothing and durable when it returns; dropping its
/// future leaves either all or nothing. What [`deposit`](Self::deposit) refuses and what it admits is decided by [`Room::admits`]
/// in the same transaction that keeps the mail, so that two deposits never share the last place. Times are those of the
/// mailbox's own clock, which never goes back.
#[async_trait]
pub trait MailStore: Debug + Send + Sync {
    /// What the mailbox's clock showed when it was kept last; `None` for a new store.
    async fn clock(&self) -> Result<Option<MailClock>, StorageError>;

    /// How much there is in all.
    async fn usage(&self) -> Result<MailUsage, StorageError>;

    /// Opens a letterbox, unless there are `most` already. One that is open stays as it is. Its owner was here `now`. False
    /// when there is no room.
    async fn open(&self, letterbox: LetterboxId, now: Duration, most: u64) -> Result<bool, StorageError>;

    /// Notes that a letterbox's owner was here. False when there is no such letterbox.
    async fn visit(&self, letterbox: LetterboxId, now: Duration) -> Result<bool, StorageError>;

    /// Gives a letterbox up, with everything in it. One that is not there is given up already.
    async fn close(&self, letterbox: LetterboxId) -> Result<(), StorageError>;

    /// Keeps a mail, under a number that is higher than any that this letterbox has given before. The same mail (the same
    /// hash) once more is kept already, room or no room, as long as it is there.
    async fn deposit(&self, mail: NewMail, room: Room) -> Result<Deposited, StorageError>;

    /// The oldest mail of a letterbox behind this number; `None` when there is none, or no such letterbox.
    async fn next(&self, letterbox: LetterboxId, after: u64) -> Result<Option<KeptMail>, StorageError>;

    /// Deletes these mails of a letterbox, as far as there are any.
    async fn take(&self, letterbox: LetterboxId, numbers: Vec<u64>) -> Result<(), StorageError>;

    /// Deletes all mail that arrived before a time, and all letterboxes whose owners were here last before another, with
    /// everything in them; keeps the clock. Says how many of each went.
    async fn sweep(&self, sweep: Sweep) -> Result<Swept, StorageError>;
}

/// A mailbox's own clock, which moves on only: it counts while the mailbox runs, and trusts the wall clock no further
/// than it must about the time in between. See [`moved_on`](Self::moved_on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailClock {
    /// How long this mailbox has been keeping mail.
    pub time: Duration,
    /// What the wall clock showed then.
    pub wall: Wall,
}

/// The furthest that the wall clock alone moves a mailbox's clock at once. A machine that was off for a fortnight keeps mail
/// a little longer for it; one whose clock jumps ten years ahead loses a day of what was promised, and no more.
pub const MAX_LEAP: Duration = Duration::from_secs(24 * 60 * 60);

impl MailClock {
    /// The clock of a mailbox that begins now.
    pub const fn new(wall: Wall) -> Self {
        Self { time: Duration::ZERO, wall }
    }

    /// The clock when `ran` has passed by a clock that does not jump (nothing, if the mailbox was not running), and
    /// the wall clock shows this. A wall clock that was put back moves nothing; one that has moved on further than `ran`
    /// is believed for [`MAX_LEAP`].
    #[must_use]
    pub fn moved_on(self, ran: Duration, wall: Wall) -> Self {
        let leapt = wall.since(self.wall).saturating_sub(ran).min(MAX_LEAP);
        Self { time: self.time.saturating_add(ran).saturating_add(leapt), wall }
    }
}

/// A mail to keep. Shows nothing of it when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// For which letterbox.
    pub letterbox: LetterboxId,
    /// What is kept.
    pub sealed: Vec<u8>,
    /// Its BLAKE3 hash.
    pub hash: [u8; 32],
    /// Who left it, by a name that is the same for the same address as long as the mailbox runs, and says nothing about it.
    pub depositor: [u8; 16],
    /// When.
    pub arrived: Duration,
}

impl fmt::Debug for NewMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMail")
            .field("letterbox", &self.letterbox)
            .field("bytes", &self.sealed.len())
            .finish_non_exhaustive()
    }
}

/// A mail that is kept. Shows nothing of it when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptMail {
    /// Its number in its letterbox: 1, 2, 3, …
    pub number: u64,
    /// What was left.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for KeptMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptMail")
            .field("number", &self.number)
            .field("bytes", &self.sealed.len())
            .finish_non_exhaustive()
    }
}

/// So many mails of so many bytes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailAmount {
    /// How many.
    pub mails: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl MailAmount {
    /// Whether one more of these bytes is within `most`.
    const fn grows_within(self, bytes: u64, most: Self) -> bool {
        self.mails < most.mails && self.bytes.saturating_add(bytes) <= most.bytes
    }
}

/// The most there may be once a mail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In its letterbox.
    pub letterbox: MailAmount,
    /// Of its depositor in that letterbox.
    pub depositor: MailAmount,
    /// In all letterboxes together, in bytes.
    pub total: u64,
}

/// What there is before a mail is kept; as [`Room`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// In its letterbox.
    pub letterbox: MailAmount,
    /// Of its depositor in that letterbox.
    pub depositor: MailAmount,
    /// In all letterboxes together, in bytes.
    pub total: u64,
}

impl Room {
    /// Whether a mail of so many bytes may be kept beside what there is.
    pub const fn admits(&self, taken: &Taken, bytes: u64) -> bool {
        taken.letterbox.grows_within(bytes, self.letterbox)
            && taken.depositor.grows_within(bytes, self.depositor)
            && taken.total.saturating_add(bytes) <= self.total
    }
}

/// What came of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deposited {
    /// It is kept.
    Kept {
        /// Its number.
        number: u64,
    },
    /// There is no room for it.
    Full,
    /// There is no such letterbox.
    Unknown,
}

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// What the clock shows.
    pub clock: MailClock,
    /// Mail that arrived before this.
    pub arrived_before: Duration,
    /// Letterboxes whose owners were here last before this.
    pub visited_before: Duration,
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many mails, without those of letterboxes that went.
    pub mails: u64,
    /// How many letterboxes.
    pub letterboxes: u64,
}

/// How much a mailbox keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailUsage {
    /// How many letterboxes.
    pub letterboxes: u64,
    /// The mail in all of them.
    pub mail: MailAmount,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = MAX_LEAP;
    const YEARS: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

    #[test]
    fn a_clock_that_is_put_back_or_far_ahead_moves_a_mailbox_by_a_day_at_most() {
        let noon = Wall::from_millis(1_700_000_000_000);
        let clock = MailClock { time: 3 * DAY, wall: noon };
        let ran = Duration::from_secs(600);
        for (what, ran, wall, moved) in [
            ("as it ran", ran, noon.plus(ran), ran),
            ("put back ten years", ran, Wall::from_millis(noon.as_millis() - YEARS), ran),
            ("ten years ahead", ran, Wall::from_millis(noon.as_millis() + YEARS), ran + DAY),
            ("at its end", ran, Wall::from_millis(u64::MAX), ran + DAY),
            ("off for an hour", Duration::ZERO, noon.plus(ran * 6), ran * 6),
            ("off for a fortnight", Duration::ZERO, noon.plus(14 * DAY), DAY),
            ("off, and put back", Duration::ZERO, Wall::from_millis(0), Duration::ZERO),
        ] {
            let moved_on = clock.moved_on(ran, wall);
            assert_eq!((moved_on.time, moved_on.wall), (clock.time + moved, wall), "{what}");
        }
        assert_eq!(MailClock { time: Duration::MAX, wall: noon }.moved_on(DAY, noon).time, Duration::MAX);
    }

    #[test]
    fn the_last_place_is_given_and_the_one_behind_it_is_not() {
        let most = MailAmount { mails: 3, bytes: 100 };
        let room = Room { letterbox: most, depositor: most, total: 1_000 };
        let full = MailAmount { mails: 2, bytes: 90 };
        let taken = Taken { letterbox: full, depositor: full, total: 990 };
        assert!(room.admits(&taken, 10));
        assert!(!room.admits(&taken, 11));
        let small = MailAmount { mails: 2, bytes: 0 };
        for (what, taken) in [
            ("mails of the letterbox", Taken { letterbox: MailAmount { mails: 3, ..small }, ..Taken::default() }),
            ("mails of the depositor", Taken { depositor: MailAmount { mails: 3, ..small }, ..Taken::default() }),
            ("bytes of the letterbox", Taken { letterbox: MailAmount { bytes: 100, ..small }, ..Taken::default() }),
            ("bytes of the depositor", Taken { depositor: MailAmount { bytes: 100, ..small }, ..Taken::default() }),
            ("bytes in all", Taken { total: 1_000, ..Taken::default() }),
            ("a number without end", Taken { total: u64::MAX, ..Taken::default() }),
        ] {
            assert!(!room.admits(&taken, 1), "{what}");
        }
    }
}
