//! How the page gets in: a code for a token of its own, a token for a ticket to the event socket.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::http::StatusCode;
use poem::web::Data;
use poem::{IntoResponse, Request};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::refusals::{Exchanging, Ticketing};
use crate::access::{self, Access, Caller, Denied, Scope, Secret, TICKET_LIFE, TicketError};

pub(crate) struct AccessApi;

/// The code of a link.
#[derive(Object, Deserialize)]
#[oai(example)]
struct OpenSession {
    /// What stands behind `#code=` in the link.
    code: String,
}

impl Example for OpenSession {
    fn example() -> Self {
        Self { code: "WKpFDPpkJkBMfhHCtUIA0DzwTqVxzJvGJhSbZJ8FWSo".to_owned() }
    }
}

/// A token of the page's own.
#[derive(Object)]
#[oai(example)]
struct Session {
    /// To be sent as `Authorization: Bearer …`. It is shown this once.
    token: String,
    /// What it is good for: `admin`.
    scope: String,
}

impl Example for Session {
    fn example() -> Self {
        Self {
            token: "chatp2p_y4uT6nFb1m0yXNQjJ2mZ6Yg1r3cVqk8a0sLr5eWdXfE".to_owned(),
            scope: Scope::Admin.as_str().to_owned(),
        }
    }
}

/// A ticket for `/ws`.
#[derive(Object)]
#[oai(example)]
struct Ticket {
    /// To be offered as the WebSocket sub-protocol `chatp2p.ticket.…`.
    ticket: String,
    /// For how many seconds it is good, once.
    expires_in: u64,
}

impl Example for Ticket {
    fn example() -> Self {
        Self { ticket: "b0x3yTDpYH5XbM1Jr0dU2S6cE9qLwZkVnA7fGhRtIoM".to_owned(), expires_in: TICKET_LIFE.as_secs() }
    }
}

/// Why there is no token for a code. Unlike a [`Refused`] it may say how long to wait.
struct NotExchanged(Denied);

impl From<NotExchanged> for poem::Error {
    fn from(NotExchanged(denied): NotExchanged) -> Self {
        let Denied::Wrong = denied else { return Self::from_response(denied.into_response()) };
        let detail = "this link was used already, is too old, or was never made";
        Problem::new(StatusCode::FORBIDDEN, Code::LinkInvalid, detail).into()
    }
}

impl ApiResponse for NotExchanged {
    fn meta() -> MetaResponses {
        Refused::<Exchanging>::meta()
    }

    fn register(registry: &mut Registry) {
        Refused::<Exchanging>::register(registry);
    }
}

#[OpenApi(tag = "Tag::Access")]
impl AccessApi {
    /// Exchange the code of a link for a token
    ///
    /// A peer that asks for tokens prints a link with a code when it starts, and `chatp2p-peer link` prints another. Each is good once
    /// and for ten minutes. The token is listed and revoked like any other.
    #[oai(path = "/sessions", method = "post", operation_id = "open_session")]
    async fn open_session(
        &self,
        Data(access): Data<&Arc<Access>>,
        request: &Request,
        JsonBody(body): JsonBody<OpenSession>,
    ) -> Result<Json<Session>, NotExchanged> {
        let code = Secret::presented(&body.code);
        match access.exchange(code, access::remote(request)).await {
            Ok(token) => {
                Ok(Json(Session { token: token.expose().to_owned(), scope: Scope::Admin.as_str().to_owned() }))
            }
            Err(denied) => Err(NotExchanged(denied)),
        }
    }

    /// Get a ticket for the event socket
    ///
    /// For browsers, which cannot send a token when they open a WebSocket: offer `chatp2p.ticket.…` as its sub-protocol. Each ticket opens
    /// one socket, which is closed when the token is revoked. Programs send their token to `/ws` itself.
    #[oai(path = "/tickets", method = "post", operation_id = "get_ticket")]
    async fn get_ticket(
        &self,
        Data(access): Data<&Arc<Access>>,
        Data(caller): Data<&Caller>,
    ) -> Result<Json<Ticket>, Refused<Ticketing>> {
        let ticket = access.ticket(caller).map_err(|error| match error {
            TicketError::TooMany => Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Busy, error.to_string()),
            TicketError::Random(_) => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, error.to_string())
            }
        })?;
        Ok(Json(Ticket { ticket: ticket.expose().to_owned(), expires_in: TICKET_LIFE.as_secs() }))
    }
}
