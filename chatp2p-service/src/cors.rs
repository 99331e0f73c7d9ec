//! Which web pages of other origins may call: those that were named, and nobody else.
//!
//! poem's own `Cors` takes an empty list for everybody, and its error answers carry no headers, so that the page could
//! not read them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

/// What other origins may do.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// The headers that they may set beyond the harmless ones.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
/// The headers of answers that they may read beyond the harmless ones.
const EXPOSED: HeaderValue = HeaderValue::from_static("link, etag, allow, retry-after, www-authenticate");
/// For how many seconds a browser may remember a preflight: ten minutes, so that a changed list takes effect soon.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origin of a web page, as browsers write it: `http://localhost:8080`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// As it stands in an `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Takes a scheme `http` or `https`, a host and perhaps a port; a slash at the end, capitals and a default port are mended.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| OriginError)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(OriginError) };
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(OriginError),
        };
        if authority.as_str().contains('@') || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(OriginError);
        }
        let host = authority.host().to_ascii_lowercase();
        let port = match authority.as_str().get(host.len()..) {
            Some("") => None,
            _ => Some(authority.port_u16().ok_or(OriginError)?),
        };
        Ok(Self(match port {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme, a host and perhaps a port, as in http://localhost:8080; there is no wildcard")]
pub struct OriginError;

/// The origins whose pages may call, beside the service's own. Empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Arc<BTreeSet<Origin>>);

impl Origins {
    /// Whether this value of an `Origin` header is one of them.
    pub fn contains(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.0.iter().any(|allowed| allowed.0 == origin))
    }

    fn headers(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.contains(origin)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self(Arc::new(origins.into_iter().collect()))
    }
}

/// Answers preflights, and lets pages of allowed origins read every answer, refusals included.
impl<E: Endpoint> Middleware<E> for Origins {
    type Output = CrossOrigin<E>;

    fn transform(&self, inner: E) -> Self::Output {
        CrossOrigin { inner, origins: self.clone() }
    }
}

/// An endpoint that pages of other origins may call.
#[derive(Debug)]
pub struct CrossOrigin<E> {
    inner: E,
    origins: Origins,
}

impl<E: Endpoint> Endpoint for CrossOrigin<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        // Two of them are no origin that a browser sends.
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none()).cloned();
        let allowed = origin.as_ref().is_some_and(|origin| self.origins.contains(origin));
        let preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if allowed && preflight {
            Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
                .header(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
                .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE)
                .finish()
        } else {
            match self.inner.call(request).await {
                Ok(answer) => answer.into_response(),
                Err(error) => error.into_response(),
            }
        };
        self.origins.headers(origin.as_ref(), response.headers_mut());
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_mended_to_what_browsers_send() {
        for (typed, sent) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("HTTP://LocalHost:80", "http://localhost"),
            ("https://chat.example.org:443", "https://chat.example.org"),
            ("https://chat.example.org:80", "https://chat.example.org:80"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(typed.parse::<Origin>().map(|o| o.to_string()), Ok(sent.to_owned()));
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for text in [
            "*",
            "null",
            "",
            "localhost",
            "localhost:8080",
            "http://",
            "http://*:",
            "ftp://h",
            "http://h/path",
            "http://h?q",
            "http://user@h",
            "http://h:x",
            "http://h:65536",
            "file:///home",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError), "{text}");
        }
    }
}
