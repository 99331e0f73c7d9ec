//! Gives the errors that poem and poem-openapi answer by themselves the shape of ours, and leaves our own answers alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatp2p_core::code::Code;
use poem::PathPattern;
use poem::error::ReadBodyError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};

use super::Problem;

/// What is allowed at paths that the specification does not name: pages and other things to read.
const READ_ONLY: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// Which methods each path knows, for the `Allow` header that a 405 must carry.
#[derive(Debug, Clone, Default)]
pub struct Allowed(Arc<BTreeMap<String, HeaderValue>>);

impl Allowed {
    /// Reads the paths of an OpenAPI document.
    pub fn from_spec(spec: &str) -> Self {
        let spec: serde_json::Value = serde_json::from_str(spec).unwrap_or_default();
        let paths = spec["paths"].as_object().into_iter().flatten();
        let allowed = paths.filter_map(|(path, operations)| {
            let mut methods: Vec<_> =
                operations.as_object()?.keys().map(|method| method.to_ascii_uppercase()).collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            Some((pattern(path), methods.join(", ").parse().ok()?))
        });
        Self(Arc::new(allowed.collect()))
    }

    fn at(&self, at: Option<&PathPattern>) -> HeaderValue {
        at.and_then(|at| self.0.get(&pattern(&at.0))).cloned().unwrap_or(READ_ONLY)
    }
}

/// A path without the names of its parameters: `/peers/{username}` in the document is `/peers/:param0` to the router.
fn pattern(path: &str) -> String {
    let steps = path.split('/').map(|step| if step.starts_with([':', '{']) { "*" } else { step });
    steps.collect::<Vec<_>>().join("/")
}

/// The middleware that turns every error into a [`Problem`].
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    allowed: Allowed,
}

impl Envelope {
    /// With the methods that a 405 names.
    pub const fn new(allowed: Allowed) -> Self {
        Self { allowed }
    }
}

impl<E: Endpoint> Middleware<E> for Envelope {
    type Output = Enveloped<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Enveloped { inner, allowed: self.allowed.clone() }
    }
}

/// An endpoint whose errors are all [`Problem`]s. It never fails.
#[derive(Debug)]
pub struct Enveloped<E> {
    inner: E,
    allowed: Allowed,
}

impl<E: Endpoint> Endpoint for Enveloped<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        match self.inner.call(request).await {
            Ok(answer) => Ok(answer.into_response()),
            Err(error) if error.is_from_response() => Ok(error.into_response()),
            Err(error) => Ok(self.envelope(&error)),
        }
    }
}

impl<E> Enveloped<E> {
    fn envelope(&self, error: &poem::Error) -> Response {
        let problem = problem(error);
        let wrong_method = problem.status() == StatusCode::METHOD_NOT_ALLOWED;
        let mut response = problem.into_response();
        let pattern = error.data::<PathPattern>();
        if wrong_method {
            response.headers_mut().insert(header::ALLOW, self.allowed.at(pattern));
        }
        // The log names the path by its pattern.
        if let Some(pattern) = pattern {
            response.set_data(pattern.clone());
        }
        response
    }
}

fn problem(error: &poem::Error) -> Problem {
    // Their own words are about types of Rust, and the router's names of parameters.
    if let Some(ParseParamError { name, .. }) = error.downcast_ref() {
        return Problem::invalid(format!("{name}: missing, not of its type, or not within its bounds"));
    }
    if error.is::<ParsePathError>() || error.is::<poem::error::ParsePathError>() {
        return Problem::invalid("a part of the path is not of its type, or no UTF-8");
    }
    if error.is::<ParseRequestPayloadError>() {
        return Problem::invalid(error.to_string());
    }
    if let Some(ReadBodyError::Io(_)) = error.downcast_ref() {
        return Problem::new(StatusCode::BAD_REQUEST, Code::InvalidInput, "the body ended early");
    }
    let status = error.status();
    let code = match status {
        StatusCode::NOT_FOUND => Code::UnknownPath,
        StatusCode::METHOD_NOT_ALLOWED => Code::WrongMethod,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::InvalidInput,
        _ => Code::Internal,
    };
    let detail = match code {
        Code::UnknownPath => "there is nothing at this path".to_owned(),
        Code::WrongMethod => "this path does not know the method".to_owned(),
        Code::Internal => {
            // What went wrong inside is for the log, not for strangers.
            tracing::error!(%error, "a request failed");
            "the request failed inside".to_owned()
        }
        _ => error.to_string(),
    };
    Problem::new(status, code, detail)
}
