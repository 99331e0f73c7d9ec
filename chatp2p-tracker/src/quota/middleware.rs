//! Puts the quotas before the API: a request over its address's quota is answered before anything is read of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chatp2p_core::code::Code;
use chatp2p_service::Problem;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Addr, Endpoint, IntoResponse, Middleware, Request, Response};

use super::{Buckets, Kind, Quotas};

/// Bounds how much one address may ask for.
#[derive(Debug)]
pub(crate) struct Bounded(pub(crate) Quotas);

/// An endpoint that is bounded so.
#[derive(Debug)]
pub(crate) struct BoundedEndpoint<E> {
    inner: E,
    buckets: Arc<Buckets>,
}

impl<E: Endpoint> Middleware<E> for Bounded {
    type Output = BoundedEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        BoundedEndpoint { inner, buckets: Arc::new(Buckets::new(self.0)) }
    }
}

impl<E: Endpoint> Endpoint for BoundedEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if let Addr::SocketAddr(remote) = request.remote_addr().0 {
            let kind = kind(request.method(), request.uri().path());
            if let Err(wait) = self.buckets.take(remote.ip(), kind, Instant::now()) {
                return Ok(refusal(kind, wait));
            }
        }
        Ok(self.inner.call(request).await?.into_response())
    }
}

fn kind(method: &Method, path: &str) -> Kind {
    match (method, path) {
        (&Method::POST, "/heartbeat") => Kind::Beat,
        (&Method::GET | &Method::HEAD | &Method::OPTIONS, _) => Kind::Query,
        _ => Kind::Registration,
    }
}

fn refusal(kind: Kind, wait: Duration) -> Response {
    let what = match kind {
        Kind::Registration => "registrations and farewells",
        Kind::Beat => "heartbeats",
        Kind::Query => "questions",
    };
    let detail = format!("too many {what} came from this address");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail);
    // Whole seconds, rounded up: who comes back then is served.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = problem.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
