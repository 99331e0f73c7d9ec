//! The rules by which the two logs of a conversation move, without their entries: one place for every store, so that
//! no two of them can disagree about what a legal change is.

use super::{EpochLog, Mailed, StorageError};
use crate::clock::Wall;
use crate::message::{Epoch, Place, Position};

/// The most epochs of another's log that are remembered. One comes with each life of theirs in which they write; a peer that
/// makes up more only makes this node forget that it has seen them.
pub const MAX_THEIR_EPOCHS: usize = 64;

/// Where both logs of a conversation stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Heads {
    /// My epochs, oldest first.
    pub(super) mine: Vec<EpochLog>,
    /// One position for each epoch of theirs, oldest first: at most [`MAX_THEIR_EPOCHS`], the newest ones.
    pub(super) theirs: Vec<Position>,
    /// Up to where I have read their log, as far as they may know.
    pub(super) read: Option<Place>,
}

impl Heads {
    /// The next entry of my log stands at `place`.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] unless it continues the last epoch, or begins a new one while nothing of the last is
    /// without acknowledgement: whatever else was decided was decided on another log than this one.
    pub(super) fn place(&mut self, place: Position) -> Result<(), StorageError> {
        let known = self.mine.iter().any(|log| log.epoch == place.epoch);
        match self.mine.last_mut() {
            Some(last) if last.epoch == place.epoch => {
                if last.head.checked_add(1) != Some(place.n) {
                    return Err(damaged("an entry of my log does not follow the one before it"));
                }
                last.head = place.n;
            }
            _ if known => return Err(damaged("an epoch of my log that has ended cannot grow")),
            Some(last) if last.head > last.acknowledged => {
                return Err(damaged("an epoch of my log begins before the one before it has ended"));
            }
            _ if place.n != 1 => return Err(damaged("an epoch of my log does not begin with number 1")),
            _ => self.mine.push(EpochLog {
                epoch: place.epoch,
                head: 1,
                acknowledged: 0,
                acknowledged_hash: None,
                read: 0,
                mailed: None,
            }),
        }
        Ok(())
    }

    /// The other end has everything of my log up to `position`. What it had before, it still has.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when my log has no such entry.
    pub(super) fn acknowledge(&mut self, position: Position) -> Result<(), StorageError> {
        match self.mine.iter_mut().find(|log| log.epoch == position.epoch) {
            Some(log) if position.n <= log.head => {
                if position.n > log.acknowledged {
                    log.acknowledged = position.n;
                    log.acknowledged_hash = Some(position.hash);
                }
                Ok(())
            }
            _ => Err(damaged("an entry is acknowledged that my log does not have")),
        }
    }

    /// They have read my log up to here.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when they have not got it, or have read as far already.
    pub(super) fn read_by_them(&mut self, place: Place) -> Result<(), StorageError> {
        if self.has_read(place.epoch, place.n) {
            return Err(damaged("what was read is read again"));
        }
        match self.mine.iter_mut().find(|log| log.epoch == place.epoch) {
            Some(log) if place.n <= log.acknowledged => log.read = place.n,
            _ => return Err(damaged("an entry is read that has not arrived")),
        }
        Ok(())
    }

    /// Whether the other end has read the entry that stands here in my log.
    pub(super) fn has_read(&self, epoch: Epoch, n: u64) -> bool {
        let this = self.mine.iter().position(|log| log.epoch == epoch);
        let read = self.mine.iter().rposition(|log| log.read > 0).map(|last| (last, self.mine.get(last)));
        match (this, read) {
            (Some(this), Some((last, Some(log)))) => (this, n) <= (last, log.read),
            _ => false,
        }
    }

    /// I have read their log up to here, and they may know.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when it is not here, or was read as far already.
    pub(super) fn read_by_me(&mut self, place: Place) -> Result<(), StorageError> {
        let index = |place: Place| self.theirs.iter().position(|theirs| theirs.epoch == place.epoch);
        let here = index(place).filter(|here| self.theirs.get(*here).is_some_and(|theirs| place.n <= theirs.n));
        let Some(here) = here else { return Err(damaged("an entry of theirs is read that is not here")) };
        if self.read.and_then(|read| Some((index(read)?, read.n))) >= Some((here, place.n)) {
            return Err(damaged("what was read is read again"));
        }
        self.read = Some(place);
        Ok(())
    }

    /// A mailbox has taken my log up to here. What it had before, it still has.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when my log has no such entry.
    pub(super) fn mail(&mut self, place: Place, at: Wall) -> Result<(), StorageError> {
        match self.mine.iter_mut().find(|log| log.epoch == place.epoch) {
            Some(log) if (1..=log.head).contains(&place.n) => {
                let n = log.mailed.map_or(place.n, |mailed| mailed.n.max(place.n));
                log.mailed = Some(Mailed { n, at });
                Ok(())
            }
            _ => Err(damaged("an entry is mailed that my log does not have")),
        }
    }

    /// Whether a mailbox has taken the entry that stands here in my log.
    pub(super) fn has_mailed(&self, epoch: Epoch, n: u64) -> bool {
        self.mine.iter().any(|log| log.epoch == epoch && log.mailed.is_some_and(|mailed| n <= mailed.n))
    }

    /// Their log stands at `position` from now on. An epoch that was forgotten may come again.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when it stood there or further already.
    pub(super) fn advance(&mut self, position: Position) -> Result<(), StorageError> {
        // A database of an earlier version may hold more.
        self.forget_old_epochs();
        match self.theirs.iter_mut().find(|theirs| theirs.epoch == position.epoch) {
            Some(theirs) if theirs.n >= position.n => Err(damaged("a log of theirs goes backwards")),
            Some(theirs) => {
                *theirs = position;
                Ok(())
            }
            None => {
                self.theirs.push(position);
                self.forget_old_epochs();
                Ok(())
            }
        }
    }

    fn forget_old_epochs(&mut self) {
        let surplus = self.theirs.len().saturating_sub(MAX_THEIR_EPOCHS);
        self.theirs.drain(..surplus);
        let is_known = |read: &Place| self.theirs.iter().any(|theirs| theirs.epoch == read.epoch);
        self.read = self.read.filter(is_known);
    }

    /// Whether the other end has committed the entry that stands here in my log.
    pub(super) fn has_acknowledged(&self, epoch: Epoch, n: u64) -> bool {
        self.mine.iter().any(|log| log.epoch == epoch && n <= log.acknowledged)
    }
}

/// A change, or a row, that contradicts what is stored.
pub(super) fn damaged(reason: &str) -> StorageError {
    StorageError::Damaged { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::LogHash;

    fn at(epoch: u64, n: u64) -> Position {
        Position { epoch: Epoch::new(epoch), n, hash: LogHash::from_bytes([n as u8; 32]) }
    }

    fn refused(result: Result<(), StorageError>) -> bool {
        matches!(result, Err(StorageError::Damaged { .. }))
    }

    #[test]
    fn my_log_grows_by_one_and_only_at_its_end() {
        let mut heads = Heads::default();
        assert!(refused(heads.place(at(1, 2))), "a gap before the first");
        heads.place(at(1, 1)).unwrap();
        assert!(refused(heads.place(at(1, 1))), "twice");
        assert!(refused(heads.place(at(1, 3))), "a gap");
        assert!(refused(heads.place(at(2, 1))), "a new epoch over an open one");
        heads.acknowledge(at(1, 1)).unwrap();
        heads.place(at(2, 1)).unwrap();
        assert!(refused(heads.place(at(1, 2))), "an epoch that has ended");
        assert_eq!(heads.mine.iter().map(|log| log.head).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn an_acknowledgement_is_never_lowered_nor_ahead_of_the_log() {
        let mut heads = Heads::default();
        assert!(refused(heads.acknowledge(at(1, 1))));
        (1..=3).for_each(|n| heads.place(at(1, n)).unwrap());
        heads.acknowledge(at(1, 2)).unwrap();
        heads.acknowledge(at(1, 1)).unwrap();
        assert!(refused(heads.acknowledge(at(1, 4))));
        let log = heads.mine[0];
        assert_eq!((log.acknowledged, log.acknowledged_hash), (2, Some(LogHash::from_bytes([2; 32]))));
        assert!(heads.has_acknowledged(Epoch::new(1), 2));
        assert!(!heads.has_acknowledged(Epoch::new(1), 3));
    }

    #[test]
    fn what_was_mailed_is_in_my_log_and_never_taken_back() {
        let mut heads = Heads::default();
        let (epoch, noon) = (Epoch::new(1), Wall::from_millis(12));
        let mail = |n, heads: &mut Heads| heads.mail(Place { epoch, n }, noon);
        assert!(refused(mail(1, &mut heads)));
        (1..=3).for_each(|n| heads.place(at(1, n)).unwrap());
        assert!(refused(mail(0, &mut heads)) && refused(mail(4, &mut heads)));
        mail(2, &mut heads).unwrap();
        mail(1, &mut heads).unwrap();
        assert_eq!(heads.mine[0].mailed, Some(Mailed { n: 2, at: noon }));
        assert!(heads.has_mailed(epoch, 2) && !heads.has_mailed(epoch, 3) && !heads.has_mailed(Epoch::new(2), 1));
    }

    #[test]
    fn their_log_only_rises() {
        let mut heads = Heads::default();
        heads.advance(at(7, 5)).unwrap();
        assert!(refused(heads.advance(at(7, 5))));
        assert!(refused(heads.advance(at(7, 4))));
        heads.advance(at(8, 1)).unwrap();
        heads.advance(at(7, u64::MAX)).unwrap();
        assert_eq!(heads.theirs, [at(7, u64::MAX), at(8, 1)]);
    }

    #[test]
    fn what_an_earlier_version_remembered_beyond_the_bound_is_forgotten() {
        let theirs = (0..=MAX_THEIR_EPOCHS as u64).map(|epoch| at(epoch, 9)).collect();
        let mut heads = Heads { theirs, ..Heads::default() };
        heads.advance(at(0, 1)).unwrap();
        assert_eq!(heads.theirs.len(), MAX_THEIR_EPOCHS);
        assert!(refused(heads.advance(at(2, 9))));
    }
}
