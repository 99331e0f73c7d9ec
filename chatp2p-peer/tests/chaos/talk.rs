//! Who says what: numbered texts, evenly over the time of the storm, so that every fault strikes in the middle of a talk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::interval;

use crate::insist::insist;
use crate::line::Line;
use crate::part::Part;

/// A client of one peer that has something to say to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    /// What each of its texts begins with.
    pub(crate) name: &'static str,
    pub(crate) from: Part,
    pub(crate) to: Part,
}

/// Two each way: what two clients of one peer say is committed, and may be lost, together.
pub(crate) const STREAMS: [Stream; 4] = [
    Stream { name: "a", from: Part::Alice, to: Part::Bob },
    Stream { name: "b", from: Part::Alice, to: Part::Bob },
    Stream { name: "c", from: Part::Bob, to: Part::Alice },
    Stream { name: "d", from: Part::Bob, to: Part::Alice },
];

impl Stream {
    /// Says one text after the other, as often as this, until told that it is over. Returns the numbers of those that were
    /// answered with success. One that got no answer may have been taken or not: it is not said again, for each text has a number
    /// of its own.
    pub(crate) async fn talk(
        self,
        api: watch::Receiver<SocketAddr>,
        every: Duration,
        said: Arc<AtomicUsize>,
        over: watch::Receiver<bool>,
    ) -> (String, Vec<u64>) {
        let (mut line, mut acknowledged) = (Line::default(), Vec::new());
        // What was missed while the peer was away is caught up with.
        let mut ticks = interval(every);
        for n in 0.. {
            ticks.tick().await;
            if *over.borrow() {
                break;
            }
            if insist(&mut line, &api, self.to.name(), &format!("{}/{n}", self.name)).await {
                acknowledged.push(n);
            }
            said.fetch_add(1, Ordering::Relaxed);
        }
        (self.name.to_owned(), acknowledged)
    }
}
