//! Pages beside an API, each with routes of its own.
//!
//! poem can nest the API at `/`, but then the API swallows a page at `/` itself, and a path that is not UTF-8 fails before
//! the API could say what is wrong with it.

use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, Route};

/// Sends requests to pages or to an API by their path.
pub struct Beside {
    pages: Route,
    at: &'static [&'static str],
    api: BoxEndpoint<'static, Response>,
}

impl Beside {
    /// Pages at `/` and at and below these paths (without a slash at the end); everything else goes to the API.
    pub fn new<A>(pages: Route, at: &'static [&'static str], api: A) -> Self
    where
        A: IntoEndpoint,
        A::Endpoint: 'static,
    {
        Self { pages, at, api: api.into_endpoint().map_to_response().boxed() }
    }

    fn is_page(&self, path: &str) -> bool {
        let below = |at: &&str| path.strip_prefix(*at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        path == "/" || self.at.iter().any(below)
    }
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Endpoint for Beside {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if self.is_page(request.uri().path()) { self.pages.call(request).await } else { self.api.call(request).await }
    }
}
