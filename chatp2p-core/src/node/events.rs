//! What a node tells those who listen. Bounded: a listener that is too slow is told how much it missed.

use tokio::sync::broadcast;

use crate::protocol::Event;

/// How many events wait for a slow listener before the oldest are dropped: about a second of the fastest traffic.
pub const EVENT_BACKLOG: usize = 4_096;

/// A listener's own queue of events.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// The next event; `None` once the node has stopped and everything was told. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Gap { missed }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
