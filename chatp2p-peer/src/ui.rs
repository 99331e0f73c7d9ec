//! The web page, which the program carries in itself: it stands at `/` and lives below `/app/`, where none of its own
//! routes can meet a path of the API.
//!
//! It is feature `ui`. Without it the peer is headless: `/` leads to the documentation, and there is nothing at `/app`.

#[cfg(feature = "ui")]
mod bundle;
#[cfg(feature = "ui")]
mod page;

use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt, Route, get};

/// At and below which path the page is.
pub(crate) const PATH: &str = "/app";

/// Adds `/` and the page.
#[cfg(feature = "ui")]
pub(crate) fn routes(routes: Route) -> Route {
    let page = page::Page::new(bundle::Bundle::embedded());
    routes.at("/", get(page.clone())).at(PATH, get(leads_to("app/"))).at(page::PATTERN, get(page))
}

/// Adds `/`.
#[cfg(not(feature = "ui"))]
pub(crate) fn routes(routes: Route) -> Route {
    routes.at("/", get(leads_to("docs")))
}

/// Relative, so that it works behind a proxy that adds a prefix.
fn leads_to(to: &'static str) -> impl Endpoint {
    make_sync(move |_| Redirect::temporary(to)).map_to_response()
}
