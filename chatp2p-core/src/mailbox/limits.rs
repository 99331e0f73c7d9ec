//! How much a mailbox keeps, for whom, and for how long.

use std::time::Duration;

use crate::storage::{MailAmount, Room};

/// The most in one letterbox: a week of busy conversations, and what a disk gives away without noticing.
pub const MAX_LETTERBOX: MailAmount = MailAmount { mails: 2_000, bytes: 64 << 20 };

/// Of it, the share of those who call from one network address other than this machine: one of them alone never fills it.
pub const DEPOSITORS_SHARE: u64 = 4;

/// The most in all letterboxes together in bytes, if nothing else is said.
pub const MAX_MAILBOX_BYTES: u64 = 1 << 30;

/// The most letterboxes, if nothing else is said: the circle of one person, many times over.
pub const MAX_MAILBOX_LETTERBOXES: u64 = 1_000;

/// How long a mail is kept: who is away for longer than a week is sent everything again by those who wrote it.
pub const KEEPS_MAIL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a letterbox stays open that nobody collects from.
pub const KEEPS_LETTERBOX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How often what is too old is looked for: a thousandth of how long it is kept.
pub const SWEEPS_EVERY: Duration = Duration::from_secs(10 * 60);

/// The most letterboxes that one network address other than this machine opens in a day, so that it cannot open all.
pub const MAX_OPENED_A_DAY: u64 = 50;

/// The most links of those who are not collecting. Each may hold the largest frame, so that this bounds the memory.
pub const MAX_VISITORS: usize = 64;

/// Of them, the most of one network address that is not this machine.
pub const MAX_VISITORS_PER_NETWORK: usize = 8;

/// How long a visitor who is not collecting may take over what they say: the largest mail at 300 kbit/s.
pub const VISITOR_TIMEOUT: Duration = Duration::from_secs(30);

/// How long somebody may take to read an answer. Who does not read holds a mail in memory.
pub const READING_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a collector may hold mail that it was sent without taking any: an honest one takes it as soon as it is on its
/// disk, and one that is deaf keeps it in this machine's memory.
pub const TAKING_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The most that a collector is sent before it takes some: it holds them until they are on its disk. The mail that reaches the
/// bytes may go beyond them.
pub const MAX_UNTAKEN: MailAmount = MailAmount { mails: 64, bytes: 4 << 20 };

/// Whether a collector who holds mails of so many bytes may be sent another one.
pub(super) fn may_send_beside(untaken: impl Iterator<Item = u64>) -> bool {
    let (mails, bytes) = untaken.fold((0, 0_u64), |(mails, bytes), mail| (mails + 1, bytes.saturating_add(mail)));
    mails < MAX_UNTAKEN.mails && bytes < MAX_UNTAKEN.bytes
}

/// How much a mailbox may keep in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxLimits {
    /// The most bytes in all letterboxes together.
    pub bytes: u64,
    /// The most letterboxes.
    pub letterboxes: u64,
    /// The most in each of them.
    pub letterbox: MailAmount,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self { bytes: MAX_MAILBOX_BYTES, letterboxes: MAX_MAILBOX_LETTERBOXES, letterbox: MAX_LETTERBOX }
    }
}

impl MailboxLimits {
    /// For a depositor on this machine, or anywhere else.
    pub(super) fn room(&self, is_here: bool) -> Room {
        let share = if is_here { 1 } else { DEPOSITORS_SHARE };
        let MailAmount { mails, bytes } = self.letterbox;
        let depositor = MailAmount { mails: mails / share, bytes: bytes / share };
        Room { letterbox: self.letterbox, depositor, total: self.bytes }
    }
}
