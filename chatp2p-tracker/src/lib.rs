//! The tracker of chatp2p as a service: peers register here and find each other; no message passes through it.
//!
//! [`app`] is the HTTP API of a [`LocalTracker`], for whoever has a server of their own; [`run`] serves it until it is told
//! to stop; [`config`] is the command line.

mod api;
pub mod config;
mod quota;

use chatp2p_core::tracker::{LocalTracker, TrackerError};
use chatp2p_service::problem::Allowed;
use chatp2p_service::{Beside, BodyLimit, Dress, Limits, Origins, docs, serve};
use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt, Response, Route, get};
use tokio::net::TcpListener;

pub use quota::Quotas;

/// How the service is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The origins whose pages may call.
    pub origins: Origins,
    /// The bounds of the server.
    pub limits: Limits,
    /// Whose requests are counted.
    pub quotas: Quotas,
}

/// The HTTP API of a tracker, with its documentation.
pub fn app(tracker: LocalTracker, origins: Origins, quotas: Quotas) -> impl Endpoint<Output = Response> + 'static {
    let service = api::service(tracker);
    let dress = Dress { origins, body: BodyLimit::default(), allowed: Allowed::from_spec(&service.spec()) };
    let pages = docs::routes(Route::new(), &service, "chatp2p tracker")
        .at("/", get(make_sync(|_| Redirect::see_other("docs"))));
    dress.around(Beside::new(pages, docs::PATHS, service).with(quota::Bounded(quotas)))
}

/// Serves a tracker until `shutdown` completes, and ends it with all beats kept.
///
/// # Errors
/// When the listener is unusable, or the last beats cannot be kept.
pub async fn run(
    listener: TcpListener,
    tracker: LocalTracker,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, tracker_id = %tracker.id(), "the tracker serves");
    let app = app(tracker.clone(), options.origins, options.quotas);
    serve(listener, app, options.limits, shutdown).await?;
    tracing::info!("the tracker stops");
    tracker.close().await?;
    Ok(())
}

/// The OpenAPI document as it is committed and served, with a line end.
///
/// # Errors
/// When the system has no randomness, without which there is no tracker to describe.
pub async fn spec() -> Result<String, TrackerError> {
    Ok(api::service(LocalTracker::in_memory().await?).spec() + "\n")
}
