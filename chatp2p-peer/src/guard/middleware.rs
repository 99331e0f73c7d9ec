//! Asks the guard before anything else looks at a request.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_service::Problem;
use poem::http::StatusCode;
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

use super::{Guard, Verdict};

/// The middleware that lets only through what the [`Guard`] passes.
#[derive(Debug, Clone)]
pub(crate) struct Guarded(pub(crate) Arc<Guard>);

impl<E: Endpoint> Middleware<E> for Guarded {
    type Output = Gate<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Gate { inner, guard: Arc::clone(&self.0) }
    }
}

/// A guarded endpoint.
#[derive(Debug)]
pub(crate) struct Gate<E> {
    inner: E,
    guard: Arc<Guard>,
}

impl<E: Endpoint> Endpoint for Gate<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let problem = match self.guard.judge(request.method(), request.uri(), request.headers()) {
            Verdict::Pass => return self.inner.call(request).await.map(IntoResponse::into_response),
            Verdict::WrongHost => wrong_host(self.guard.tls),
            Verdict::ForeignOrigin => Problem::new(
                StatusCode::FORBIDDEN,
                Code::ForeignOrigin,
                "a web page of another origin sent this request",
            ),
        };
        Ok(problem.into_response())
    }
}

fn wrong_host(tls: bool) -> Problem {
    let detail = "this API answers to localhost, 127.0.0.1, [::1] and the names of --allow-host alone";
    let mut problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, Code::WrongHost, detail);
    if tls {
        problem.next = problem.next.map(|next| next.replace("http://", "https://"));
    }
    problem
}
