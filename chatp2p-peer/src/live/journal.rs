//! The last events that were told, each with its number: whoever listens reads along, and whoever comes back goes on where
//! they were. One for all: a slow listener costs nothing but its own place.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::event;

/// The most events that are kept: some seconds of the fastest traffic, hours of a talk.
pub(crate) const MAX_EVENTS: usize = 16_384;

/// The most bytes of them that are kept.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// What was told since the program began, as far as it is kept.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Another one each time the program begins, so that no cursor means two things.
    run: u64,
    told: Mutex<Told>,
    /// How many were told.
    count: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Told {
    /// How many were told before the oldest that is kept.
    forgotten: u64,
    texts: VecDeque<Utf8Bytes>,
    bytes: usize,
}

impl Told {
    fn count(&self) -> u64 {
        self.forgotten + self.texts.len() as u64
    }
}

/// After which event somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    run: u64,
    /// How many events of that run lie behind.
    count: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.count)
    }
}

/// What was given is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (run, count) = text.split_once('-').filter(|(run, _)| run.len() == 16).ok_or(NoCursor)?;
        let run = u64::from_str_radix(run, 16).map_err(|_| NoCursor)?;
        let cursor = Self { run, count: count.parse().map_err(|_| NoCursor)? };
        // One way to write it.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NoCursor) }
    }
}

impl Journal {
    pub(crate) fn new(run: u64) -> Arc<Self> {
        Arc::new(Self { run, told: Mutex::default(), count: watch::Sender::new(0) })
    }

    /// Adds an event; the oldest make room for it.
    pub(crate) fn push(&self, text: Utf8Bytes) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.bytes += text.len();
        told.texts.push_back(text);
        // A single one may be larger than the bound.
        while told.texts.len() > 1 && (told.texts.len() > MAX_EVENTS || told.bytes > MAX_BYTES) {
            told.bytes -= told.texts.pop_front().map_or(0, |oldest| oldest.len());
            told.forgotten += 1;
        }
        // Under the lock, so that it never falls back.
        self.count.send_replace(told.count());
    }

    /// Reads what is told from now on, or from where a cursor stands.
    pub(crate) fn read(self: &Arc<Self>, from: Option<Cursor>) -> Reader {
        let news = self.count.subscribe();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).count();
        let (at, is_lost) = match from {
            None => (told, false),
            Some(cursor) if cursor.run == self.run && cursor.count <= told => (cursor.count, false),
            // It stands in another life of the program: what was told in between nobody knows, and all of this life is new.
            Some(_) => (0, true),
        };
        Reader { journal: Arc::clone(self), news, at, is_lost }
    }
}

/// Somebody who reads along.
#[derive(Debug)]
pub(crate) struct Reader {
    journal: Arc<Journal>,
    news: watch::Receiver<u64>,
    at: u64,
    /// Whether something was missed that cannot be counted.
    is_lost: bool,
}

impl Reader {
    /// The next event, and where one stands after it. Cancel-safe.
    pub(crate) async fn next(&mut self) -> (Utf8Bytes, Cursor) {
        loop {
            self.news.mark_unchanged();
            if let Some(text) = self.try_next() {
                return (text, Cursor { run: self.journal.run, count: self.at });
            }
            // The journal lives as long as its readers.
            let _ = self.news.changed().await;
        }
    }

    fn try_next(&mut self) -> Option<Utf8Bytes> {
        let told = self.journal.told.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = told.forgotten.saturating_sub(self.at);
        self.at += missed;
        if std::mem::take(&mut self.is_lost) {
            return Some(event::gap(None).to_string().into());
        }
        if missed > 0 {
            return Some(event::gap(Some(missed)).to_string().into());
        }
        let index = usize::try_from(self.at - told.forgotten).ok()?;
        let text = told.texts.get(index)?.clone();
        self.at += 1;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(reader: &mut Reader) -> Vec<String> {
        std::iter::from_fn(|| reader.try_next()).map(|text| text.to_string()).collect()
    }

    fn tell(journal: &Journal, numbers: std::ops::Range<usize>) {
        numbers.for_each(|n| journal.push(n.to_string().into()));
    }

    fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|n| n.to_string()).collect()
    }

    #[test]
    fn a_slow_reader_is_told_of_a_gap_and_then_all_that_is_kept() {
        let journal = Journal::new(1);
        let mut reader = journal.read(None);
        tell(&journal, 0..MAX_EVENTS + 3);
        let texts = drain(&mut reader);
        assert_eq!(texts[0], r#"{"missed":3,"type":"gap"}"#);
        assert_eq!(texts[1..], numbers(3..MAX_EVENTS + 3));
        journal.push("after".into());
        assert_eq!(drain(&mut reader), ["after"]);
    }

    #[test]
    fn who_comes_back_goes_on_where_they_were() {
        let journal = Journal::new(0xfeed);
        tell(&journal, 0..3);
        let mut reader = journal.read(None);
        tell(&journal, 3..10);
        assert_eq!(reader.try_next().unwrap().as_str(), "3");
        let cursor: Cursor = Cursor { run: journal.run, count: reader.at }.to_string().parse().unwrap();
        assert_eq!(drain(&mut journal.read(Some(cursor))), numbers(4..10));
        assert_eq!(drain(&mut journal.read(None)), [] as [&str; 0]);
    }

    #[test]
    fn a_cursor_of_another_life_gets_a_gap_without_a_number_and_all_of_this_one() {
        let journal = Journal::new(2);
        tell(&journal, 0..2);
        for stale in [Cursor { run: 1, count: 1 }, Cursor { run: 2, count: 3 }] {
            let texts = drain(&mut journal.read(Some(stale)));
            assert_eq!(texts, [r#"{"missed":null,"type":"gap"}"#, "0", "1"], "{stale}");
        }
    }

    #[test]
    fn large_events_are_bounded_by_their_size_and_a_single_one_always_fits() {
        let journal = Journal::new(1);
        let mut reader = journal.read(None);
        journal.push("x".repeat(MAX_BYTES + 1).into());
        assert_eq!(drain(&mut reader).len(), 1);
        let half = Utf8Bytes::from("x".repeat(MAX_BYTES / 2));
        for _ in 0..3 {
            journal.push(half.clone());
        }
        assert_eq!(drain(&mut reader), [r#"{"missed":1,"type":"gap"}"#.to_owned(), half.to_string(), half.to_string()]);
        assert!(journal.told.lock().unwrap().bytes <= MAX_BYTES);
    }

    #[test]
    fn a_cursor_is_written_in_one_way() {
        for text in [
            "",
            "1-1",
            "000000000000000g-1",
            "0000000000000001-",
            "0000000000000001-01",
            "000000000000000A-1",
            "0000000000000001--1",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
        assert!("000000000000000a-18446744073709551615".parse::<Cursor>().is_ok());
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken() {
        let journal = Journal::new(1);
        let mut reader = journal.read(None);
        let waiting = tokio::spawn(async move { reader.next().await.0.to_string() });
        tokio::task::yield_now().await;
        journal.push("news".into());
        assert_eq!(waiting.await.unwrap(), "news");
    }
}
