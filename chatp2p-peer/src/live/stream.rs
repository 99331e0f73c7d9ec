//! `GET /events`: the events as a stream of server-sent events, for programs that need no WebSocket. The id of each is the
//! cursor after it, so that whoever comes back with `Last-Event-ID`, as browsers do by themselves, misses nothing.

use std::time::Duration;

use futures_util::{Stream, stream};
use poem::web::sse::{Event, SSE};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::interval;

use super::Leave;
use super::journal::Reader;

/// How often a line without a meaning is sent: below the minute after which proxies forget an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How often is looked whether its token still is one while nothing happens; before each event it is anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything that a stream holds until it ends.
struct Open {
    reader: Reader,
    closing: watch::Receiver<bool>,
    leave: Leave,
    _place: OwnedSemaphorePermit,
}

/// Tells events until the client goes, its token is revoked, or the service ends.
pub(super) fn tell(reader: Reader, closing: watch::Receiver<bool>, leave: Leave, place: OwnedSemaphorePermit) -> SSE {
    SSE::new(events(Open { reader, closing, leave, _place: place })).keep_alive(KEEP_ALIVE)
}

fn events(open: Open) -> impl Stream<Item = Event> + Send {
    stream::unfold(open, |mut open| async move {
        let event = open.next().await?;
        open.leave.holds().then_some((event, open))
    })
}

impl Open {
    /// The next event; `None` once there is nothing to be told any more.
    async fn next(&mut self) -> Option<Event> {
        let mut look = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = self.closing.wait_for(|closing| *closing) => return None,
                (text, cursor) = self.reader.next() => {
                    return Some(Event::message(text.as_str()).id(cursor.to_string()));
                }
                _ = look.tick() => if !self.leave.holds() {
                    return None;
                }
            }
        }
    }
}
