//! The mailbox itself: keeps, hands out and forgets mail, for whoever proves the right key.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::limits::{
    KEEPS_LETTERBOX, KEEPS_MAIL, MAX_OPENED_A_DAY, MAX_VISITORS, MAX_VISITORS_PER_NETWORK, MailboxLimits, SWEEPS_EVERY,
};
use super::wire::{Answer, Kept, Refusal, Terms};
use crate::clock::Wall;
use crate::identity::Identity;
use crate::record::{LetterboxId, network};
use crate::storage::{Deposited, MailClock, MailStore, MailUsage, NewMail, StorageError, Sweep, Swept, random};
use crate::transport::crowd::Crowd;

/// After how much time those who opened letterboxes may open more.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A mailbox. Clones are handles of the same one.
#[derive(Clone)]
pub struct Mailbox {
    pub(super) rooms: Arc<Rooms>,
}

/// What all visits share.
pub(super) struct Rooms {
    store: Arc<dyn MailStore>,
    limits: MailboxLimits,
    /// Names addresses for as long as this mailbox runs. What lies on the disk says nothing about them.
    naming: [u8; 32],
    ticking: Mutex<Ticking>,
    pub(super) here: Mutex<Here>,
}

/// The mailbox's clock, and when it was looked at last.
struct Ticking {
    clock: MailClock,
    at: Instant,
}

/// Who is here.
pub(super) struct Here {
    calls: u64,
    visitors: Crowd<u64>,
    /// Tells each of them to go.
    leave: BTreeMap<u64, Arc<Notify>>,
    collectors: BTreeMap<LetterboxId, Collecting>,
    /// Who has opened letterboxes since when.
    opened: BTreeMap<[u8; 16], u64>,
    opened_since: Duration,
}

struct Collecting {
    call: u64,
    news: Arc<Notify>,
    leave: Arc<Notify>,
}

/// From where somebody calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    name: [u8; 16],
    is_here: bool,
}

impl Mailbox {
    /// A mailbox that keeps its mail there. What has grown too old meanwhile is gone when this returns.
    ///
    /// # Errors
    /// Those of the store; [`StorageError::Unavailable`] also when the operating system has no randomness.
    pub async fn open(store: Arc<dyn MailStore>, limits: MailboxLimits) -> Result<Self, StorageError> {
        let naming = *random()?;
        let wall = Wall::from(SystemTime::now());
        let clock = store.clock().await?.unwrap_or(MailClock::new(wall));
        let here = Here {
            calls: 0,
            visitors: Crowd::new(MAX_VISITORS, MAX_VISITORS_PER_NETWORK),
            leave: BTreeMap::new(),
            collectors: BTreeMap::new(),
            opened: BTreeMap::new(),
            opened_since: Duration::ZERO,
        };
        let ticking = Ticking { clock: clock.moved_on(Duration::ZERO, wall), at: Instant::now() };
        let rooms = Rooms { store, limits, naming, ticking: Mutex::new(ticking), here: Mutex::new(here) };
        let mailbox = Self { rooms: Arc::new(rooms) };
        mailbox.sweep().await?;
        Ok(mailbox)
    }

    /// How much it keeps.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn usage(&self) -> Result<MailUsage, StorageError> {
        self.rooms.store.usage().await
    }

    /// Deletes what has grown too old, now and then, until it is dropped.
    pub async fn keep(self) {
        loop {
            sleep(SWEEPS_EVERY).await;
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(mails = swept.mails, letterboxes = swept.letterboxes, "old mail is gone"),
                Err(error) => tracing::error!(%error, "the mailbox could not delete what is too old"),
            }
        }
    }

    async fn sweep(&self) -> Result<Swept, StorageError> {
        let clock = self.rooms.tick(Wall::from(SystemTime::now()));
        // Who is collecting all the time is here.
        let collected: Vec<_> = self.rooms.here().collectors.keys().copied().collect();
        for letterbox in collected {
            self.rooms.store.visit(letterbox, clock.time).await?;
        }
        let arrived_before = clock.time.saturating_sub(KEEPS_MAIL);
        let visited_before = clock.time.saturating_sub(KEEPS_LETTERBOX);
        self.rooms.store.sweep(Sweep { clock, arrived_before, visited_before }).await
    }
}

impl Rooms {
    /// No code panics while it holds any of these.
    pub(super) fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, wall: Wall) -> MailClock {
        let mut ticking = self.ticking.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        ticking.clock = ticking.clock.moved_on(now - ticking.at, wall);
        ticking.at = now;
        ticking.clock
    }

    /// Between two sweeps only the clock that does not jump counts.
    fn now(&self) -> Duration {
        let ticking = self.ticking.lock().unwrap_or_else(PoisonError::into_inner);
        ticking.clock.time.saturating_add(ticking.at.elapsed())
    }

    pub(super) fn from(&self, remote: Option<SocketAddr>) -> From {
        let ip: Option<IpAddr> = remote.map(|remote| network(remote.ip())).filter(|ip| !ip.is_loopback());
        let hash = blake3::keyed_hash(&self.naming, ip.map(|ip| ip.to_string()).unwrap_or_default().as_bytes());
        let name = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        From { name, is_here: ip.is_none() }
    }

    pub(super) async fn open(&self, letterbox: LetterboxId, from: From) -> Answer {
        let now = self.now();
        let terms = Terms::new(self.limits.letterbox, KEEPS_MAIL, KEEPS_LETTERBOX);
        match self.store.visit(letterbox, now).await {
            Ok(true) => return Answer::Opened(terms),
            Ok(false) if !self.may_open_another(from, now) => return Answer::Refused(Refusal::Full),
            Ok(false) => {}
            Err(error) => return trouble(&error),
        }
        match self.store.open(letterbox, now, self.limits.letterboxes).await {
            Ok(true) => Answer::Opened(terms),
            Ok(false) => Answer::Refused(Refusal::Full),
            Err(error) => trouble(&error),
        }
    }

    fn may_open_another(&self, from: From, now: Duration) -> bool {
        let mut here = self.here();
        if now.saturating_sub(here.opened_since) >= DAY {
            here.opened.clear();
            here.opened_since = now;
        }
        if from.is_here {
            return true;
        }
        let opened = here.opened.get(&from.name).copied().unwrap_or_default();
        let may = opened < MAX_OPENED_A_DAY && (here.opened.len() as u64) < self.limits.letterboxes;
        if may {
            here.opened.insert(from.name, opened + 1);
        }
        may
    }

    pub(super) async fn close(&self, letterbox: LetterboxId) -> Answer {
        match self.store.close(letterbox).await {
            Ok(()) => Answer::Closed,
            Err(error) => trouble(&error),
        }
    }

    pub(super) async fn deposit(
        &self,
        mailbox: &Identity,
        letterbox: LetterboxId,
        sealed: Vec<u8>,
        from: From,
    ) -> Answer {
        let (kept, hash) = (Kept::sign(mailbox, letterbox, &sealed), *blake3::hash(&sealed).as_bytes());
        let mail = NewMail { letterbox, sealed, hash, depositor: from.name, arrived: self.now() };
        match self.store.deposit(mail, self.limits.room(from.is_here)).await {
            Ok(Deposited::Kept { .. }) => {
                if let Some(collecting) = self.here().collectors.get(&letterbox) {
                    collecting.news.notify_one();
                }
                Answer::Kept(kept)
            }
            Ok(Deposited::Full) => Answer::Refused(Refusal::Full),
            Ok(Deposited::Unknown) => Answer::Refused(Refusal::Unknown),
            Err(error) => trouble(&error),
        }
    }

    pub(super) async fn visit(&self, letterbox: LetterboxId) -> Answer {
        match self.store.visit(letterbox, self.now()).await {
            Ok(true) => Answer::Collecting,
            Ok(false) => Answer::Refused(Refusal::Unknown),
            Err(error) => trouble(&error),
        }
    }

    pub(super) async fn take(&self, letterbox: LetterboxId, numbers: Vec<u64>) -> Answer {
        match self.store.take(letterbox, numbers).await {
            Ok(()) => Answer::Taken,
            Err(error) => trouble(&error),
        }
    }

    /// The next mail behind this number, as it is sent.
    pub(super) async fn next(&self, letterbox: LetterboxId, after: u64) -> Answer {
        match self.store.next(letterbox, after).await {
            Ok(Some(mail)) => Answer::Mail { number: mail.number, sealed: mail.sealed },
            Ok(None) => Answer::Collecting,
            Err(error) => trouble(&error),
        }
    }
}

fn trouble(error: &StorageError) -> Answer {
    tracing::error!(%error, "the mailbox's store refused");
    Answer::Refused(Refusal::Trouble)
}

impl Here {
    /// Somebody comes: their number, and what tells them to go. Somebody else may have to.
    pub(super) fn enter(&mut self, from: Option<IpAddr>) -> (u64, Arc<Notify>) {
        self.calls += 1;
        let (call, leave) = (self.calls, Arc::new(Notify::new()));
        let leaving = self.visitors.enter(call, from);
        if let Some(told) = leaving.and_then(|leaving| self.leave.remove(&leaving)) {
            tracing::debug!("too many visitors at the mailbox; one is sent away");
            told.notify_one();
        }
        self.leave.insert(call, Arc::clone(&leave));
        (call, leave)
    }

    /// A visitor collects from now on, and is none of the crowd any more. Who collected there before goes.
    pub(super) fn collect(&mut self, call: u64, letterbox: LetterboxId, leave: &Arc<Notify>) -> Arc<Notify> {
        self.leave.remove(&call);
        self.visitors.retain(|other| other != call);
        let news = Arc::new(Notify::new());
        let collecting = Collecting { call, news: Arc::clone(&news), leave: Arc::clone(leave) };
        if let Some(earlier) = self.collectors.insert(letterbox, collecting) {
            earlier.leave.notify_one();
        }
        news
    }

    /// Somebody has gone.
    pub(super) fn leave(&mut self, call: u64) {
        self.leave.remove(&call);
        self.visitors.retain(|other| other != call);
        self.collectors.retain(|_, collecting| collecting.call != call);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("store", &self.rooms.store)
            .field("limits", &self.rooms.limits)
            .finish_non_exhaustive()
    }
}
