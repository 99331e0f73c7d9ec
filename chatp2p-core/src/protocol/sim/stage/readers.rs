//! Who reads what in a play, and that others hear of what was read, and of nothing else.

use crate::identity::{PeerId, Username};
use crate::message::{Author, EntryId};
use crate::protocol::input::Command;
use crate::storage::{HistoryQuery, MAX_HISTORY_PAGE, StoredMessage};

use super::Stage;

impl Stage {
    /// Somebody has this message of theirs before their eyes, and with it what stands before it.
    pub(super) fn read_through(&mut self, node: usize, author: PeerId, id: EntryId) {
        let places = self.players[node].disk.received(id);
        let Some((_, through)) = places.into_iter().find(|(peer, _)| *peer == author) else { return };
        let read = self.read.entry((node, author, through.epoch)).or_default();
        *read = through.n.max(*read);
        self.command(node, Command::Read { peer: author, through }, Vec::new());
    }

    /// Somebody is told that theirs was read: it was.
    pub(super) fn check_read(&mut self, node: usize, reader: &Username) {
        let me = self.players[node].peer_id();
        let Some(number) = self.players.iter().position(|player| player.name == *reader) else { return };
        let peer = self.players[number].peer_id();
        let said = self.players[node].disk.my_epochs(peer).iter().filter(|log| log.read > 0);
        let mut unread = said.filter(|log| self.read.get(&(number, me, log.epoch)).is_none_or(|read| *read < log.read));
        if let Some(log) = unread.next() {
            let what = format!("node {node} was told that {reader} has read {} of {:?}", log.read, log.epoch);
            self.break_promise(what);
        }
    }

    /// Everybody reads the newest message of everybody else.
    pub(super) fn everybody_reads(&mut self) {
        for (reader, author) in self.pairs() {
            let author = self.players[author].peer_id();
            let newest = self.newest(reader, author, Author::Them).map(|message| message.entry.id);
            newest.into_iter().for_each(|id| self.read_through(reader, author, id));
        }
    }

    /// Everybody knows of their newest message to everybody else that it was read.
    pub(super) fn expect_read(&mut self) {
        for (reader, author) in self.pairs() {
            let newest = self.newest(author, self.players[reader].peer_id(), Author::Me);
            if newest.is_none_or(|message| !message.read) {
                self.break_promise(format!("node {author} does not know that node {reader} has read everything"));
            }
        }
    }

    fn newest(&self, node: usize, peer: PeerId, author: Author) -> Option<StoredMessage> {
        let query = HistoryQuery { peers: Some([peer].into()), before: None, limit: MAX_HISTORY_PAGE };
        let page = self.players[node].disk.history(&query).unwrap_or_default();
        page.into_iter().rfind(|message| message.author == author)
    }

    /// Everybody with everybody else.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let size = self.players.len();
        (0..size).flat_map(|one| (0..size).map(move |other| (one, other))).filter(|(one, other)| one != other).collect()
    }
}
