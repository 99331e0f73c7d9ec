//! What happens, told as it happens to whoever listens at `/ws` or `/events`. The hub outlives the node: an open page sees
//! the node stop and start again.

mod event;
mod journal;
mod socket;
mod stream;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::identity::Username;
use chatp2p_core::node::Event;
use chatp2p_service::Problem;
use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Request, Response, handler, web::Data};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::{Access, Caller, TICKET_PROTOCOL};
use crate::upgrade::{Refusal, UPGRADE_WITHIN, Upgrade};

use journal::{Cursor, Journal, NoCursor};

/// How many may listen at once: a page and its copies in other tabs, and a few programs.
pub(crate) const MAX_LISTENERS: usize = 64;

/// How long all listeners together may take to say goodbye when the service ends.
const CLOSE_ALL_WITHIN: Duration = Duration::from_secs(3);

/// Where events come in and from where every listener gets them.
#[derive(Debug)]
pub(crate) struct Hub {
    journal: Arc<Journal>,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            // Random in each process.
            journal: Journal::new(RandomState::new().hash_one(0)),
            places: Arc::new(Semaphore::new(MAX_LISTENERS)),
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

    /// One of the places for listeners.
    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Refusal::busy("as many listen as there can be"))
    }

    /// Never waits: who is too slow is told how much they missed.
    fn tell_text(&self, mut text: String) {
        // It is kept for a while, and what it grew by would be kept as well.
        text.shrink_to_fit();
        self.journal.push(text.into());
    }

    /// Has everybody who listens leave, and lets nobody stay who comes.
    pub(crate) fn say_goodbye(&self) {
        self.closing.send_replace(true);
    }

    /// Says goodbye to every listener, and waits until they are gone.
    pub(crate) async fn close(&self) {
        self.say_goodbye();
        let all = u32::try_from(MAX_LISTENERS).unwrap_or(u32::MAX);
        if tokio::time::timeout(CLOSE_ALL_WITHIN, self.places.acquire_many(all)).await.is_err() {
            tracing::debug!("some listeners did not take their goodbye in time");
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
    let cursor = cursor(request)?;
    let upgrade = Upgrade::read(request)?;
    let place = hub.place()?;
    // A browser hears which of the protocols that it offered was taken. The ticket in it is used up by now.
    let answer = upgrade.answer(ticket(request));
    // From here on nothing is missed, even if the socket comes a little later.
    let (mut reader, closing) = (hub.journal.read(cursor.from), hub.closing.subscribe());
    tokio::spawn(async move {
        if let Ok(Ok(io)) = tokio::time::timeout(UPGRADE_WITHIN, upgrade.socket).await {
            socket::talk(io, &mut reader, cursor.is_wanted, closing, &leave).await;
        }
        drop(place);
    });
    Ok(answer)
}

/// `GET /events`.
#[handler]
pub(crate) fn events(
    request: &Request,
    Data(hub): Data<&Arc<Hub>>,
    Data(access): Data<&Arc<Access>>,
    Data(caller): Data<&Caller>,
) -> Response {
    let leave = Leave { access: Arc::clone(access), caller: caller.clone() };
    stream(request, hub, leave).unwrap_or_else(IntoResponse::into_response)
}

fn stream(request: &Request, hub: &Arc<Hub>, leave: Leave) -> Result<Response, Refusal> {
    let (cursor, place) = (cursor(request)?, hub.place()?);
    Ok(stream::tell(hub.journal.read(cursor.from), hub.closing.subscribe(), leave, place).into_response())
}

/// What a listener says about where it stands.
struct Wish {
    from: Option<Cursor>,
    /// Whether it has spoken of cursors at all; if not, it is told of none.
    is_wanted: bool,
}

/// `?cursor=`, or the header by which browsers come back. Empty for whoever comes for the first time.
fn cursor(request: &Request) -> Result<Wish, Refusal> {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    let asked = pairs.find_map(|pair| pair.strip_prefix("cursor="));
    let returning = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or("?"));
    // Whoever comes back by itself still has the address of its first visit.
    let from = returning.or(asked).filter(|text| !text.is_empty()).map(str::parse).transpose();
    let from = from.map_err(|NoCursor| Problem::invalid("cursor: not one that was told here"))?;
    Ok(Wish { from, is_wanted: asked.is_some() })
}

/// The sub-protocol by which a ticket was presented.
fn ticket(request: &Request) -> Option<HeaderValue> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim);
    offered.find(|protocol| protocol.starts_with(TICKET_PROTOCOL))?.parse().ok()
}
