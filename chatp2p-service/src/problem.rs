//! The one shape of every refusal: RFC 9457 `application/problem+json` with a stable `code`.

mod catch;

use std::marker::PhantomData;

use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{Example, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

pub use catch::{Allowed, Envelope};

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal, as it is sent. A program reads `status` and `code`; a person reads `detail` and `next`.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub struct Problem {
    /// The kind of problem as a URN, the same for every problem with this code.
    #[oai(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// The HTTP status, 400–599.
    pub status: u16,
    /// What is wrong this time. The text may change from version to version.
    pub detail: String,
    /// The stable name of the kind of problem.
    pub code: String,
    /// What to do about it, where there is something.
    pub next: Option<String>,
    /// With `record_stale`: the sequence number that is known; a new record needs a higher one.
    pub known: Option<u64>,
    /// With `name_confusable`: the name that is held.
    pub other: Option<String>,
}

impl Problem {
    /// A problem of this kind; `detail` says what is wrong this time.
    pub fn new(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:problem-type:chatp2p:{code}"),
            title: title(code),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            next: code.next().map(str::to_owned),
            known: None,
            other: None,
        }
    }

    /// A field, parameter or body that is not within its rules: status 422.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidInput, detail)
    }

    /// The same for a name that is too like another one: says whose, and by which rule.
    #[must_use]
    pub fn too_like(mut self, other: &Username) -> Self {
        self.detail.push_str(": names must differ in more than capitals and letters that look alike");
        self.other = Some(other.to_string());
        self
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// `name_taken` becomes `Name taken`.
fn title(code: Code) -> String {
    let words = code.as_str().replace('_', " ");
    let mut chars = words.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

impl Example for Problem {
    fn example() -> Self {
        Self::new(StatusCode::CONFLICT, Code::NameTaken, "the name alice is taken")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Response::builder()
            .status(self.status())
            .header(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))
            .body(Body::from_string(self.to_json_string()))
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        let detail = problem.detail.clone();
        let mut error = Self::from_response(problem.into_response());
        error.set_error_message(detail);
        error
    }
}

impl From<Box<Problem>> for poem::Error {
    fn from(problem: Box<Problem>) -> Self {
        (*problem).into()
    }
}

/// The statuses with which an operation refuses, for its documentation.
pub trait Statuses {
    /// Each status and when it comes.
    const STATUSES: &'static [(u16, &'static str)];
}

/// A problem as the error side of a documented operation: `Result<Json<Answer>, Refused<TheseStatuses>>`.
#[derive(Debug)]
pub struct Refused<S> {
    problem: Box<Problem>,
    statuses: PhantomData<fn() -> S>,
}

impl<S> From<Problem> for Refused<S> {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), statuses: PhantomData }
    }
}

impl<S> From<Box<Problem>> for Refused<S> {
    fn from(problem: Box<Problem>) -> Self {
        Self { problem, statuses: PhantomData }
    }
}

impl<S> From<Refused<S>> for poem::Error {
    fn from(refused: Refused<S>) -> Self {
        (*refused.problem).into()
    }
}

impl<S: Statuses> ApiResponse for Refused<S> {
    fn meta() -> MetaResponses {
        let responses = S::STATUSES.iter().map(|(status, when)| MetaResponse {
            description: when,
            status: Some(*status),
            status_range: None,
            content: if *status == StatusCode::URI_TOO_LONG.as_u16() { vec![] } else { vec![document()] },
            headers: if *status == StatusCode::TOO_MANY_REQUESTS.as_u16() { vec![retry_after()] } else { vec![] },
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// What a refusal holds; that of an address that is too long comes from below, and holds nothing.
fn document() -> MetaMediaType {
    MetaMediaType { content_type: PROBLEM_JSON, schema: Problem::schema_ref() }
}

/// The header that says how long to wait.
fn retry_after() -> MetaHeader {
    MetaHeader {
        name: "Retry-After".to_owned(),
        description: Some("For how many seconds to wait.".to_owned()),
        required: true,
        deprecated: false,
        schema: u64::schema_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_a_program_and_a_person_need() {
        let mut problem = Problem::new(StatusCode::CONFLICT, Code::RecordStale, "too old");
        problem.known = Some(7);
        let json: serde_json::Value = serde_json::from_str(&problem.to_json_string()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:problem-type:chatp2p:record_stale",
                "title": "Record stale",
                "status": 409,
                "detail": "too old",
                "code": "record_stale",
                "next": Code::RecordStale.next(),
                "known": 7,
            })
        );
    }
}
