//! The events that wait for one socket. Bounded by number and by size; what does not fit is counted and told as a gap, in
//! the place where it would have come.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::event;

/// The most events that wait for one socket: a second of the fastest traffic.
pub(crate) const MAX_EVENTS: usize = 4_096;

/// The most bytes that wait for one socket. All sockets share the texts, so a burst is in memory once, not once a socket.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// The events that wait for one socket.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    texts: VecDeque<Utf8Bytes>,
    bytes: usize,
    missed: u64,
}

impl Queue {
    /// Adds an event, or counts it as missed.
    pub(crate) fn push(&self, text: &Utf8Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = waiting.texts.len() >= MAX_EVENTS || waiting.bytes.saturating_add(text.len()) > MAX_BYTES;
        // A single text may be larger than the bound. And behind a gap comes nothing until the gap was told.
        if waiting.missed > 0 || (full && !waiting.texts.is_empty()) {
            waiting.missed += 1;
        } else {
            waiting.bytes += text.len();
            waiting.texts.push_back(text.clone());
        }
        drop(waiting);
        self.news.notify_one();
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&self) -> Utf8Bytes {
        loop {
            if let Some(text) = self.pop() {
                return text;
            }
            self.news.notified().await;
        }
    }

    fn pop(&self) -> Option<Utf8Bytes> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = waiting.texts.pop_front() {
            waiting.bytes -= text.len();
            return Some(text);
        }
        let missed = std::mem::take(&mut waiting.missed);
        (missed > 0).then(|| event::gap(missed).to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop()).map(|text| text.to_string()).collect()
    }

    #[test]
    fn a_slow_reader_gets_what_fits_then_a_gap_then_what_comes_after() {
        let queue = Queue::default();
        for n in 0..MAX_EVENTS + 3 {
            queue.push(&n.to_string().into());
        }
        let texts = drain(&queue);
        assert_eq!(texts.len(), MAX_EVENTS + 1);
        assert!(texts.iter().take(MAX_EVENTS).enumerate().all(|(n, text)| *text == n.to_string()));
        assert_eq!(texts.last().unwrap(), r#"{"missed":3,"type":"gap"}"#);
        queue.push(&"after".into());
        assert_eq!(drain(&queue), ["after"]);
    }

    #[test]
    fn nothing_overtakes_a_gap() {
        let queue = Queue::default();
        for n in 0..=MAX_EVENTS {
            queue.push(&n.to_string().into());
        }
        assert_eq!(queue.pop().unwrap().as_str(), "0");
        queue.push(&"late".into());
        assert_eq!(drain(&queue).last().unwrap(), r#"{"missed":2,"type":"gap"}"#);
    }

    #[test]
    fn large_events_are_bounded_by_their_size_and_a_single_one_always_fits() {
        let queue = Queue::default();
        let huge = Utf8Bytes::from("x".repeat(MAX_BYTES + 1));
        queue.push(&huge);
        queue.push(&"y".into());
        assert_eq!(drain(&queue).len(), 2);
        let half = Utf8Bytes::from("x".repeat(MAX_BYTES / 2));
        for _ in 0..3 {
            queue.push(&half);
        }
        assert_eq!(drain(&queue).last().unwrap(), r#"{"missed":1,"type":"gap"}"#);
        assert_eq!(queue.waiting.lock().unwrap().bytes, 0);
    }
}
