//! The server's half of a WebSocket handshake (RFC 6455, section 4.2): poem brings another version of the WebSocket
//! library than the links use, and one is enough.

use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::transport::websocket::accept_key;
use chatp2p_service::Problem;
use poem::http::{HeaderValue, StatusCode, header};

use poem::{IntoResponse, OnUpgrade, Request, Response};

/// How long the socket may take to be handed over once the answer is sent. A client that does not take the answer is gone.
pub(crate) const UPGRADE_WITHIN: Duration = Duration::from_secs(10);

/// A WebSocket handshake that is in order.
pub(crate) struct Upgrade {
    accept: String,
    /// Gives the socket once the answer was sent.
    pub(crate) socket: OnUpgrade,
}

impl Upgrade {
    /// Reads a handshake.
    pub(crate) fn read(request: &Request) -> Result<Self, Refusal> {
        let has = |name: header::HeaderName, wanted: &str| {
            let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(wanted))
        };
        let version = request.headers().get(header::SEC_WEBSOCKET_VERSION);
        if !has(header::CONNECTION, "upgrade")
            || !has(header::UPGRADE, "websocket")
            || version.is_none_or(|version| version != "13")
        {
            return Err(Refusal::NoWebSocket);
        }
        // 16 bytes in base64.
        let key = request.headers().get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
        let key = key.ok_or(Refusal::NoWebSocket)?;
        let socket = request.take_upgrade().map_err(|_| Refusal::NoWebSocket)?;
        Ok(Self { accept: accept_key(key.as_bytes()), socket })
    }

    /// The answer that accepts it, with the sub-protocol that was agreed on.
    pub(crate) fn answer(&self, protocol: Option<HeaderValue>) -> Response {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, &self.accept)
            .finish();
        if let Some(protocol) = protocol {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Why a handshake is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request is no handshake of this version.
    NoWebSocket,
    /// It is one, and there is something else in the way.
    Problem(Box<Problem>),
}

impl Refusal {
    pub(crate) fn busy(detail: &str) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Busy, detail).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::NoWebSocket => {
                let problem = Problem::new(
                    StatusCode::UPGRADE_REQUIRED,
                    Code::UpgradeRequired,
                    "a WebSocket handshake of version 13 is needed here",
                );
                let mut response = problem.into_response();
                let headers = response.headers_mut();
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                response
            }
        }
    }
}
