//! Who may talk to the local API. Loopback is no boundary against browsers: any page that the user happens to visit can
//! send requests here. So what a browser says about a request (`Host`, `Origin`, `Sec-Fetch-…`) must fit; programs without a
//! browser's headers pass.
//!
//! [`Guard::judge`] is pure; [`Guarded`] asks it before anything else looks at the request.

mod authority;
mod middleware;
#[cfg(test)]
mod tests;

use chatp2p_core::record::{Host, P2P_PATH};
use chatp2p_service::Origins;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::access::is_reading;
use authority::Authority;
pub(crate) use middleware::Guarded;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The writes that carry a body. It must be JSON, which no form can send.
pub(crate) const BODIES: [&str; 5] = ["/start", "/connect", "/send", "/sessions", "/contacts"];

/// The rules for one listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    hosts: Vec<Host>,
    origins: Origins,
    /// Whether this listener speaks TLS: its own pages then have come over it.
    tls: bool,
}

/// What the guard thinks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may pass.
    Pass,
    /// It was meant for another host, or does not say for which: 421.
    WrongHost,
    /// A page of somebody else sent it: 403.
    ForeignOrigin,
}

/// What a request is about, as far as the guard cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The door for other peers, who are no browsers and come to whatever address they know.
    P2p,
    /// Something that people open in their browser, from a link on any other page too.
    Page,
    /// Anything that changes nothing.
    Read,
    /// A change whose body no form can send.
    WriteWithBody,
    /// A change that a form of any page could trigger if nothing else stopped it. All unknown requests count as such.
    WriteWithoutBody,
}

impl Guard {
    /// A guard that knows further names for this listener and further origins whose pages may use it.
    pub(crate) const fn new(hosts: Vec<Host>, origins: Origins) -> Self {
        Self { hosts, origins, tls: false }
    }

    /// The same for a listener that speaks TLS, or does not.
    pub(crate) const fn over_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Judges a request by its head.
    pub(crate) fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let kind = kind(method, uri.path());
        if kind == Kind::P2p {
            // Every browser says which page opens a WebSocket; no peer does.
            return if headers.contains_key(header::ORIGIN) { Verdict::ForeignOrigin } else { Verdict::Pass };
        }
        let Some(host) = self.host(uri, headers) else { return Verdict::WrongHost };
        let pass = match only(headers, &header::ORIGIN) {
            Header::Is(origin) => self.admits(origin, &host),
            Header::Many => false,
            Header::Absent => without_origin(kind, method, headers),
        };
        if pass { Verdict::Pass } else { Verdict::ForeignOrigin }
    }

    /// The one host that the request names, if it is one of ours.
    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
        let Header::Is(host) = only(headers, &header::HOST) else { return None };
        let host = host.to_str().ok()?.parse::<Authority>().ok()?;
        // A request line may name a host too (`GET http://…`); two answers to one question are one too many.
        if let Some(named) = uri.authority()
            && named.as_str().parse().as_ref() != Ok(&host)
        {
            return None;
        }
        (host.is_loopback() || self.hosts.contains(&host.host)).then_some(host)
    }

    /// Whether a page of this origin may send what is meant for `host`.
    fn admits(&self, origin: &HeaderValue, host: &Authority) -> bool {
        // Who is known by a further name is reached through a proxy, which may well speak TLS.
        let proxied = self.hosts.contains(&host.host) && origin == host.origin("https").as_str();
        let own = host.origin(if self.tls { "https" } else { "http" });
        origin == own.as_str() || proxied || self.origins.contains(origin)
    }
}

fn kind(method: &Method, path: &str) -> Kind {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match path {
        P2P_PATH => Kind::P2p,
        _ if reads && is_page(path) => Kind::Page,
        _ if reads => Kind::Read,
        _ if takes_body(method, path) => Kind::WriteWithBody,
        _ => Kind::WriteWithoutBody,
    }
}

/// Whether a write comes with a body, which must be JSON, as no form can send it.
fn takes_body(method: &Method, path: &str) -> bool {
    let answers_request = path.starts_with("/requests/") && path.ends_with("/accept");
    match *method {
        Method::PUT | Method::PATCH => {
            path.starts_with("/contacts/") || is_reading(path) || matches!(path, "/passphrase" | "/settings")
        }
        Method::POST => BODIES.contains(&path) || answers_request,
        _ => false,
    }
}

fn is_page(path: &str) -> bool {
    path == "/" || path == "/docs" || path == "/app" || path.starts_with("/app/")
}

/// Without an `Origin` the request comes from no browser, from the user's own hand, or from one of our own pages.
fn without_origin(kind: Kind, method: &Method, headers: &HeaderMap) -> bool {
    match only(headers, &SEC_FETCH_SITE) {
        Header::Absent => true,
        Header::Many => false,
        // A browser names the origin of every write that a page sends.
        Header::Is(_) if kind == Kind::WriteWithoutBody => false,
        Header::Is(site) if site == "none" || site == "same-origin" => true,
        Header::Is(_) => kind == Kind::Page && method == Method::GET && is_top_level_navigation(headers),
    }
}

/// Whether the user followed a link. What loads into a frame is a navigation too, but not of the top level.
fn is_top_level_navigation(headers: &HeaderMap) -> bool {
    let document = match only(headers, &SEC_FETCH_DEST) {
        Header::Absent => true,
        Header::Is(dest) => dest == "document",
        Header::Many => false,
    };
    document && matches!(only(headers, &SEC_FETCH_MODE), Header::Is(mode) if mode == "navigate")
}

enum Header<'a> {
    Absent,
    Is(&'a HeaderValue),
    Many,
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Header<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Absent,
        (Some(value), None) => Header::Is(value),
        (Some(_), Some(_)) => Header::Many,
    }
}
