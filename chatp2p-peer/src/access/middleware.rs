//! Asks who it is before any route looks at a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_service::Problem;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Addr, Endpoint, IntoResponse, Middleware, Request, Response};

use super::{Access, Denied};

/// The middleware that lets only through whom [`Access`] knows, and tells the routes who it is.
#[derive(Debug, Clone)]
pub(crate) struct Asked(pub(crate) Arc<Access>);

impl<E: Endpoint> Middleware<E> for Asked {
    type Output = Door<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Door { inner, access: Arc::clone(&self.0) }
    }
}

/// An endpoint that is not for everybody.
#[derive(Debug)]
pub(crate) struct Door<E> {
    inner: E,
    access: Arc<Access>,
}

impl<E: Endpoint> Endpoint for Door<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let path = request.uri().path();
        let caller = self.access.judge(request.method(), path, request.headers(), remote(&request));
        match caller {
            Ok(caller) => {
                request.set_data(caller);
                self.inner.call(request).await.map(IntoResponse::into_response)
            }
            Err(denied) => Ok(denied.into_response()),
        }
    }
}

/// From where a request comes.
pub(crate) fn remote(request: &Request) -> Option<IpAddr> {
    match &request.remote_addr().0 {
        Addr::SocketAddr(address) => Some(address.ip()),
        _ => None,
    }
}

impl Denied {
    fn explained(&self) -> (StatusCode, Code, String) {
        match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, Code::TokenRequired, "this API asks for a token".to_owned()),
            Self::Wrong => {
                (StatusCode::UNAUTHORIZED, Code::TokenInvalid, "what was presented is no token of this API".to_owned())
            }
            Self::TooSmall { has, needs } => {
                let detail = format!("this needs a token of scope {needs}, and this one is of scope {has}");
                (StatusCode::FORBIDDEN, Code::ScopeTooSmall, detail)
            }
            Self::TooOften { wait } => {
                let detail =
                    format!("too many wrong ones came from there; the next one counts in {} s", seconds(*wait));
                (StatusCode::TOO_MANY_REQUESTS, Code::TooManyFailures, detail)
            }
            Self::Unreadable(error) => {
                tracing::error!(error = %crate::api::chain(error), "the tokens cannot be read");
                (StatusCode::INTERNAL_SERVER_ERROR, Code::StorageFailed, "the tokens cannot be read".to_owned())
            }
        }
    }

    /// By what a program sees what to send instead (RFC 6750): without an error where nothing was presented.
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Missing => Some(HeaderValue::from_static("Bearer realm=\"chatp2p\"")),
            Self::Wrong => Some(HeaderValue::from_static("Bearer realm=\"chatp2p\", error=\"invalid_token\"")),
            Self::TooSmall { needs, .. } => {
                let text = format!("Bearer realm=\"chatp2p\", error=\"insufficient_scope\", scope=\"{needs}\"");
                HeaderValue::try_from(text).ok()
            }
            Self::TooOften { .. } | Self::Unreadable(_) => None,
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let (status, code, detail) = self.explained();
        let mut response = Problem::new(status, code, detail).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::TooOften { wait } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        response
    }
}

/// Whole seconds, never too few.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
