//! What tests of running nodes need: people with fixed keys, and a network, a store and a tracker that fail on demand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, lent to other crates")]

mod correspondent;
mod lines;
mod profile;
mod stranger;
mod tracker;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::identity::{Identity, Username};
use crate::node::{Event, Events, HistoryPage, PeerNode};
use crate::tracker::Registration;

pub use correspondent::Correspondent;
pub use lines::Lines;
pub use profile::FaultyProfile;
pub use stranger::Stranger;
pub use tracker::{FaultyTracker, Trouble};

/// When a test gives up waiting for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Alice, who is honest. Her key is higher than bob's.
pub fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

/// Bob, who is honest.
pub fn bob() -> Identity {
    Identity::from_seed(&[2; 32])
}

/// Carol, who is honest, too.
pub fn carol() -> Identity {
    Identity::from_seed(&[4; 32])
}

/// Eve, who says that she is somebody else.
pub fn eve() -> Identity {
    Identity::from_seed(&[3; 32])
}

/// A username that is known to be one.
pub fn name(text: &str) -> Username {
    text.parse().expect("a username")
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within [`PATIENCE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for a future to be done.
///
/// # Panics
/// When it is not within [`PATIENCE`].
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("in time: {what}"))
}

/// Waits for the first event that `wanted` makes something of, and lets go of the others.
///
/// # Panics
/// When there is none within [`PATIENCE`], or the node ends before.
pub async fn next_event<T>(what: &str, events: &mut Events, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let searching = async {
        loop {
            let event = events.next().await.unwrap_or_else(|| panic!("the node goes on: {what}"));
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    in_time(what, searching).await
}

/// The texts of the next messages that arrive.
///
/// # Panics
/// As [`next_event`], for each of them.
pub async fn arrivals(events: &mut Events, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for at in 0..count {
        let text = |event| if let Event::Message(message) = event { Some(message.content) } else { None };
        texts.push(next_event(&format!("message {at} arrives"), events, text).await);
    }
    texts
}

/// Everything that one node holds of what `from` wrote, oldest first.
///
/// # Panics
/// When the node cannot say.
pub async fn texts_from(node: &dyn PeerNode, from: &Username) -> Vec<String> {
    let mut texts = Vec::new();
    let mut before = None;
    loop {
        let page = node.history(HistoryPage { peer: None, before, limit: 1_000 }).await.expect("a history");
        let Some(oldest) = page.first() else { break };
        before = Some(oldest.id);
        texts.extend(page.iter().rev().filter(|message| message.from == *from).map(|message| message.content.clone()));
    }
    texts.reverse();
    texts
}

/// Whether somebody of this name is among the listed.
pub fn lists(listed: &[Registration], name: &Username) -> bool {
    listed.iter().any(|registration| registration.username == *name)
}
