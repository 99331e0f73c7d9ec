//! A mailbox's memory that lasts as long as the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::record::LetterboxId;
use crate::storage::{
    Deposited, KeptMail, MailAmount, MailClock, MailStore, MailUsage, NewMail, Room, StorageError, Sweep, Swept, Taken,
};

/// A [`MailStore`] in memory.
#[derive(Default)]
pub struct MemoryMail {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    clock: Option<MailClock>,
    letterboxes: BTreeMap<LetterboxId, Letters>,
}

struct Letters {
    visited: Duration,
    /// The last number that was given.
    last: u64,
    mails: BTreeMap<u64, NewMail>,
}

fn amount<'a>(mails: impl Iterator<Item = &'a NewMail>) -> MailAmount {
    mails.fold(MailAmount::default(), |sum, mail| MailAmount {
        mails: sum.mails + 1,
        bytes: sum.bytes + mail.sealed.len() as u64,
    })
}

impl Kept {
    fn usage(&self) -> MailUsage {
        let mail = amount(self.letterboxes.values().flat_map(|letters| letters.mails.values()));
        MailUsage { letterboxes: self.letterboxes.len() as u64, mail }
    }
}

impl MemoryMail {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing can panic between two of its changes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MailStore for MemoryMail {
    async fn clock(&self) -> Result<Option<MailClock>, StorageError> {
        Ok(self.kept().clock)
    }

    async fn usage(&self) -> Result<MailUsage, StorageError> {
        Ok(self.kept().usage())
    }

    async fn open(&self, letterbox: LetterboxId, now: Duration, most: u64) -> Result<bool, StorageError> {
        let mut kept = self.kept();
        let is_full = kept.letterboxes.len() as u64 >= most;
        match kept.letterboxes.get_mut(&letterbox) {
            Some(letters) => letters.visited = now,
            None if is_full => return Ok(false),
            None => drop(kept.letterboxes.insert(letterbox, Letters { visited: now, last: 0, mails: BTreeMap::new() })),
        }
        Ok(true)
    }

    async fn visit(&self, letterbox: LetterboxId, now: Duration) -> Result<bool, StorageError> {
        let mut kept = self.kept();
        let letters = kept.letterboxes.get_mut(&letterbox);
        Ok(letters.map(|letters| letters.visited = now).is_some())
    }

    async fn close(&self, letterbox: LetterboxId) -> Result<(), StorageError> {
        self.kept().letterboxes.remove(&letterbox);
        Ok(())
    }

    async fn deposit(&self, mail: NewMail, room: Room) -> Result<Deposited, StorageError> {
        let mut kept = self.kept();
        let total = kept.usage().mail.bytes;
        let Some(letters) = kept.letterboxes.get_mut(&mail.letterbox) else { return Ok(Deposited::Unknown) };
        if let Some((number, _)) = letters.mails.iter().find(|(_, other)| other.hash == mail.hash) {
            return Ok(Deposited::Kept { number: *number });
        }
        let its_depositors = letters.mails.values().filter(|other| other.depositor == mail.depositor);
        let taken = Taken { letterbox: amount(letters.mails.values()), depositor: amount(its_depositors), total };
        if !room.admits(&taken, mail.sealed.len() as u64) {
            return Ok(Deposited::Full);
        }
        letters.last += 1;
        letters.mails.insert(letters.last, mail);
        Ok(Deposited::Kept { number: letters.last })
    }

    async fn next(&self, letterbox: LetterboxId, after: u64) -> Result<Option<KeptMail>, StorageError> {
        let kept = self.kept();
        let next = kept
            .letterboxes
            .get(&letterbox)
            .zip(after.checked_add(1))
            .and_then(|(letters, from)| letters.mails.range(from..).next());
        Ok(next.map(|(number, mail)| KeptMail { number: *number, sealed: mail.sealed.clone() }))
    }

    async fn take(&self, letterbox: LetterboxId, numbers: Vec<u64>) -> Result<(), StorageError> {
        if let Some(letters) = self.kept().letterboxes.get_mut(&letterbox) {
            for number in numbers {
                letters.mails.remove(&number);
            }
        }
        Ok(())
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept, StorageError> {
        let mut kept = self.kept();
        kept.clock = Some(sweep.clock);
        let letterboxes = kept.letterboxes.len();
        kept.letterboxes.retain(|_, letters| letters.visited >= sweep.visited_before);
        let letterboxes = (letterboxes - kept.letterboxes.len()) as u64;
        let mails = kept.usage().mail.mails;
        for letters in kept.letterboxes.values_mut() {
            letters.mails.retain(|_, mail| mail.arrived >= sweep.arrived_before);
        }
        Ok(Swept { mails: mails - kept.usage().mail.mails, letterboxes })
    }
}

impl fmt::Debug for MemoryMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMail").field("usage", &self.kept().usage()).finish_non_exhaustive()
    }
}
