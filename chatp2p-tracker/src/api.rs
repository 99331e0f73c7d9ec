//! The HTTP API: `docs/openapi/tracker.json` in code. It decodes, asks the tracker, and encodes; it decides nothing.

mod body;
mod health;
mod peers;
mod refusal;
mod registrations;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatp2p_core::tracker::LocalTracker;
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, Tags};

use health::Health;
use peers::Peers;
use registrations::Registrations;

/// How the operations are grouped in the documentation.
#[derive(Tags)]
enum Group {
    /// Say under which name you can be reached, and that you still can.
    Registrations,
    /// Find others.
    Peers,
    /// How the tracker is.
    Health,
}

/// When an address has to wait, in the words of the documentation.
const TOO_MANY: &str = "`too_many_requests`: more came from this address than are answered. `Retry-After` says for how many seconds to wait.";

/// The tracker and what its resources share.
#[derive(Debug, Clone)]
struct Shared {
    tracker: LocalTracker,
    /// Counts what was changed, beats included.
    changes: Arc<AtomicU64>,
}

impl Shared {
    fn new(tracker: LocalTracker) -> Self {
        Self { tracker, changes: Arc::default() }
    }

    /// Notes a change, before it is answered: whoever reads after the answer must see it.
    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Differs after every change.
    fn changes(&self) -> (u64, u64) {
        (self.tracker.version(), self.changes.load(Ordering::Acquire))
    }
}

/// The documented service of a tracker.
pub(crate) fn service(tracker: LocalTracker) -> OpenApiService<impl OpenApi + 'static, ()> {
    let shared = Shared::new(tracker);
    let api = (Registrations::new(shared.clone()), Peers::new(shared.clone()), Health::new(shared));
    OpenApiService::new(api, "chatp2p tracker", env!("CARGO_PKG_VERSION"))
        .description(
            "Peers register here under a name and find each other; no message passes through it. Every refusal is an \
             RFC 9457 problem document with a stable `code`. Only what is no HTTP, and a head or an address that is too long, \
             is answered by a bare 400, 431 or 414 from below.",
        )
        .license(LicenseObject::new("MIT OR Apache-2.0"))
        .server("/")
}
