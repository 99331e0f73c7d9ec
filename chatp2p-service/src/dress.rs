//! What every answer of both programs needs, put around their routes in the one right order.

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{Endpoint, EndpointExt, IntoResponse, Middleware, Request, Response};

use crate::body::BodyLimit;
use crate::cors::Origins;
use crate::logging::Requests;
use crate::problem::{Allowed, Envelope};

/// For answers that are data: whoever shows one as a page gets nothing that runs.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// What to put around routes: from the outside in, the log, the security headers, CORS, the envelope of errors, the limit
/// on bodies.
///
/// A guard that refuses requests belongs inside, so that pages of allowed origins can read its refusals.
#[derive(Debug, Clone, Default)]
pub struct Dress {
    /// The other origins whose pages may call.
    pub origins: Origins,
    /// The longest body.
    pub body: BodyLimit,
    /// The methods that a 405 names.
    pub allowed: Allowed,
}

impl Dress {
    /// The routes with everything around them.
    pub fn around(&self, routes: impl Endpoint + 'static) -> BoxEndpoint<'static, Response> {
        routes
            .data(self.body)
            .with(Envelope::new(self.allowed.clone()))
            .with(self.origins.clone())
            .with(SecurityHeaders)
            .with(Requests)
            .boxed()
    }
}

/// Headers that keep browsers from doing more with an answer than they should. An answer's own headers win.
#[derive(Debug, Clone, Copy, Default)]
pub struct SecurityHeaders;

impl<E: Endpoint> Middleware<E> for SecurityHeaders {
    type Output = Secured<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Secured { inner }
    }
}

/// An endpoint whose answers carry security headers.
#[derive(Debug)]
pub struct Secured<E> {
    inner: E,
}

impl<E: Endpoint> Endpoint for Secured<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let mut response = self.inner.call(request).await?.into_response();
        secure(response.headers_mut());
        Ok(response)
    }
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // For browsers that do not know frame-ancestors.
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
