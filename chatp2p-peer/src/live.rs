//! What happens, told to every open `/ws` as it happens. The hub outlives the node: an open page sees the node stop and
//! start again.

mod event;
mod queue;
mod socket;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chatp2p_core::identity::Username;
use chatp2p_core::node::Event;
use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Request, Response, handler, web::Data};
use tokio::sync::{Semaphore, watch};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::access::{Access, Caller, TICKET_PROTOCOL};
use crate::upgrade::{Refusal, UPGRADE_WITHIN, Upgrade};

use queue::Queue;

/// How many `/ws` may be open at once: a page and its copies in other tabs, and a few programs. Each may hold up to
/// [`queue::MAX_BYTES`] of events.
pub(crate) const MAX_SOCKETS: usize = 64;

/// How long all sockets together may take to say goodbye when the service ends.
const CLOSE_ALL_WITHIN: Duration = Duration::from_secs(3);

/// Where events come in and from where every open `/ws` gets them.
#[derive(Debug)]
pub(crate) struct Hub {
    listeners: Mutex<Vec<Weak<Queue>>>,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            listeners: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_SOCKETS)),
            closing: watch::Sender::new(false),
        }
    }

    /// Tells everybody what a node tells.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(text) = event::text(event) {
            self.tell_text(text);
        }
    }

    /// Tells everybody that a node runs.
    pub(crate) fn started(&self, username: &Username) {
        self.tell_text(event::started(username).to_string());
    }

    /// Tells everybody that no node runs any more.
    pub(crate) fn stopped(&self) {
        self.tell_text(event::stopped().to_string());
    }

    /// Never waits: who is too slow is told later how much they missed.
    fn tell_text(&self, text: String) {
        let text = Utf8Bytes::from(text);
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| match listener.upgrade() {
            Some(queue) => {
                queue.push(&text);
                true
            }
            None => false,
        });
    }

    fn listen(&self) -> Arc<Queue> {
        let queue = Arc::new(Queue::default());
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing else forgets those who left while nothing happens.
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&queue));
        queue
    }

    /// Says goodbye to every socket, and waits until they are gone.
    pub(crate) async fn close(&self) {
        self.closing.send_replace(true);
        let all = u32::try_from(MAX_SOCKETS).unwrap_or(u32::MAX);
        if tokio::time::timeout(CLOSE_ALL_WITHIN, self.places.acquire_many(all)).await.is_err() {
            tracing::debug!("some event sockets did not take their goodbye in time");
        }
    }
}

/// `GET /ws`.
#[handler]
pub(crate) fn ws(
    request: &Request,
    Data(hub): Data<&Arc<Hub>>,
    Data(access): Data<&Arc<Access>>,
    Data(caller): Data<&Caller>,
) -> Response {
    let leave = Leave { access: Arc::clone(access), caller: caller.clone() };
    accept(request, hub, leave).unwrap_or_else(IntoResponse::into_response)
}

/// What a listener was admitted by.
#[derive(Debug)]
struct Leave {
    access: Arc<Access>,
    caller: Caller,
}

impl Leave {
    /// Whether it still holds.
    fn holds(&self) -> bool {
        self.access.still_holds(&self.caller)
    }
}

fn accept(request: &Request, hub: &Arc<Hub>, leave: Leave) -> Result<Response, Refusal> {
    let upgrade = Upgrade::read(request)?;
    let place = Arc::clone(&hub.places)
        .try_acquire_owned()
        .map_err(|_| Refusal::busy("as many event sockets are open as there can be"))?;
    // A browser hears which of the protocols that it offered was taken. The ticket in it is used up by now.
    let answer = upgrade.answer(ticket(request));
    // From here on nothing is missed, even if the socket comes a little later.
    let (queue, closing) = (hub.listen(), hub.closing.subscribe());
    tokio::spawn(async move {
        if let Ok(Ok(io)) = tokio::time::timeout(UPGRADE_WITHIN, upgrade.socket).await {
            socket::talk(io, &queue, closing, &leave).await;
        }
        drop(place);
    });
    Ok(answer)
}

/// The sub-protocol by which a ticket was presented.
fn ticket(request: &Request) -> Option<HeaderValue> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim);
    offered.find(|protocol| protocol.starts_with(TICKET_PROTOCOL))?.parse().ok()
}
