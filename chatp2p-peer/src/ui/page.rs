//! Serves the page's files, with the headers that let browsers keep them and let nothing else run in them.
//!
//! poem's own endpoint for embedded files knows neither HEAD nor the page's own addresses nor caches.

use std::sync::Arc;

use poem::error::NotFoundError;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, Request, Response};

use super::bundle::{ASSETS, Bundle, File};

/// What the router takes for the page's.
pub(super) const PATTERN: &str = "/app/*file";

/// The page comes whole from here and talks to this peer alone. Vue makes its templates through a policy of its own;
/// pictures of peers are shown from memory (`blob:`).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types vue",
);

/// No window of another origin keeps a hold of the page's, whichever opened which.
const OPENER_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));

/// Nothing of it is of use elsewhere.
const RESOURCE_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));

/// The page has no use for these yet.
const PERMISSIONS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("permissions-policy"),
    HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
);

/// The endpoint at `/` and at and below [`PATTERN`], for GET and, through the router, HEAD.
#[derive(Clone)]
pub(super) struct Page(Arc<Bundle>);

impl Page {
    /// One with these files.
    pub(super) fn new(bundle: Bundle) -> Self {
        Self(Arc::new(bundle))
    }

    /// The file that a request is answered with: the one it names, or for somebody who looks at one of the page's own
    /// addresses, the document. A missing asset stays missing: HTML in a script's place would only hide that.
    fn file(&self, path: &str, headers: &HeaderMap) -> Option<&File> {
        let own_address = || !path.starts_with(ASSETS) && wants_html(headers);
        self.0.file(path).or_else(|| own_address().then(|| self.0.index()).flatten())
    }
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let headers = request.headers();
        let path = request.uri().path();
        // At `/` itself stands the document; the page's script moves on to its own address.
        let path = path.strip_prefix(super::PATH).unwrap_or(path).strip_prefix('/');
        let file = path.and_then(|path| self.file(path, headers)).ok_or(NotFoundError)?;
        let answer = Response::builder()
            .header(header::ETAG, &file.tag)
            .header(header::CACHE_CONTROL, &file.cache)
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header(OPENER_POLICY.0, OPENER_POLICY.1)
            .header(RESOURCE_POLICY.0, RESOURCE_POLICY.1)
            .header(PERMISSIONS.0, PERMISSIONS.1);
        if has_already(headers, &file.tag) {
            return Ok(answer.status(StatusCode::NOT_MODIFIED).body(Body::empty()));
        }
        // Said by hand, because the router drops the body of an answer to HEAD and its length with it.
        let answer = answer.content_type(file.content_type).header(header::CONTENT_LENGTH, file.len());
        Ok(answer.body(file.body()))
    }
}

/// The items of a header that is a list, over all lines that it may be spread over.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn wants_html(headers: &HeaderMap) -> bool {
    items(headers, &header::ACCEPT).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim_end().eq_ignore_ascii_case("text/html")
    })
}

/// Whether `If-None-Match` names what would be sent. Weak tags are as good: a proxy that packs an answer makes its tag weak.
fn has_already(headers: &HeaderMap, tag: &str) -> bool {
    items(headers, &header::IF_NONE_MATCH).any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag)
}
