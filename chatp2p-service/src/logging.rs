//! What the log says: one line a request, without anything that somebody wrote. Bodies, queries (a broadcast's text stands
//! in its query) and unknown paths never come in.

use std::io::IsTerminal;
use std::time::Instant;

use poem::PathPattern;
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};
use tracing_subscriber::EnvFilter;

/// Sends the log to stderr, as text or as a JSON object a line. `RUST_LOG` chooses what is said; `info` by default.
///
/// Does nothing where something else has set up a log already.
pub fn init(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn"));
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let set = if json { log.json().try_init() } else { log.try_init() };
    if set.is_err() {
        tracing::debug!("a log is set up already");
    }
}

/// The middleware that logs each request when it is answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requests;

impl<E: Endpoint> Middleware<E> for Requests {
    type Output = Logged<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Logged { inner }
    }
}

/// An endpoint whose requests are logged.
#[derive(Debug)]
pub struct Logged<E> {
    inner: E,
}

impl<E: Endpoint> Endpoint for Logged<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let begun = Instant::now();
        let method = request.method().clone();
        let response = match self.inner.call(request).await {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_response(),
        };
        let status = response.status();
        let path = response.data::<PathPattern>().map_or("(no such path)", |pattern| &*pattern.0);
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        // Beats and listings come by the thousand: only what went wrong inside is worth a line by default.
        if status.is_server_error() {
            tracing::warn!(%method, path, status = status.as_u16(), ms, "request");
        } else {
            tracing::debug!(%method, path, status = status.as_u16(), ms, "request");
        }
        Ok(response)
    }
}
