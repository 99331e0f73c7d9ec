//! Reads JSON bodies strictly: within a limit and a time, an object with fields of the right types or nothing.
//!
//! poem-openapi's own `Json` takes the number 5 for the text "5", an empty body for `null`, and has no limit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chatp2p_core::code::Code;
use futures_util::StreamExt;
use poem::http::{StatusCode, header};
use poem::{Body, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::problem::Problem;

/// How long a client may take for a body: 2 MiB at the speed of a poor mobile link.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// How many times the limit is read and thrown away, so that a client that sends a little too much hears why instead of
/// finding its connection cut.
const DISCARD_FACTOR: usize = 4;

/// The longest body in bytes that [`JsonBody`] reads. Set for a whole service with `Dress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    /// 64 KiB: the largest registration is an eighth of it.
    fn default() -> Self {
        Self(64 * 1024)
    }
}

/// A JSON object as the body of a request. Unknown fields are ignored.
///
/// Refuses with 413 a body over the [`BodyLimit`], with 400 none at all, with 415 another content type, with 400 what is
/// not JSON, with 422 JSON that says nothing here (half a surrogate pair, numbers and depths beyond all use) and what is not
/// such an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonBody<T>(pub T);

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let limit = request.data::<BodyLimit>().copied().unwrap_or_default();
        let bytes = tokio::time::timeout(READ_WITHIN, read(request, body.take()?, limit)).await.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, Code::RequestTimeout, "the body came too slowly")
        })??;
        if bytes.is_empty() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, Code::InvalidJson, "the body is empty").into());
        }
        if !request.content_type().is_some_and(is_json) {
            let detail = "the content type is not application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType, detail).into());
        }
        Ok(parse(&bytes).map(Self)?)
    }
}

async fn read(request: &Request, body: Body, BodyLimit(limit): BodyLimit) -> Result<Bytes, Box<Problem>> {
    let too_large = || {
        let detail = format!("the body is longer than {limit} bytes");
        Box::new(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::BodyTooLarge, detail))
    };
    let discard_at_most = limit.saturating_mul(DISCARD_FACTOR);
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced: usize = announced.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or_default();
    if announced > discard_at_most {
        return Err(too_large());
    }
    let mut stream = body.into_bytes_stream();
    let (mut bytes, mut length) = (BytesMut::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let ended = |_| Problem::new(StatusCode::BAD_REQUEST, Code::InvalidJson, "the body ended early");
        let chunk = chunk.map_err(ended)?;
        length = length.saturating_add(chunk.len());
        if length > discard_at_most {
            return Err(too_large());
        }
        if length <= limit {
            bytes.extend_from_slice(&chunk);
        }
    }
    if length > limit { Err(too_large()) } else { Ok(bytes.freeze()) }
}

/// Whether a content type is `application/json`, whatever its parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Parses in two steps: serde alone would take an array for an object, field by field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Box<Problem>> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        if is_well_formed(bytes) {
            Problem::invalid(format!("the body is JSON that cannot be read: {error}"))
        } else {
            Problem::new(StatusCode::BAD_REQUEST, Code::InvalidJson, format!("not JSON: {error}"))
        }
    })?;
    if !value.is_object() {
        return Err(Box::new(Problem::invalid("the body is not a JSON object")));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner();
        Box::new(Problem::invalid(if path == "." { reason.to_string() } else { format!("{path}: {reason}") }))
    })
}

/// Whether a text keeps to the grammar of JSON, which asks of no escape whether there is such a character.
fn is_well_formed(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}
