//! With which status each refusal is answered, and which operation refuses with which.

use chatp2p_core::code::Code;
use chatp2p_core::node::NodeError;
use chatp2p_service::{Problem, Statuses};
use poem::http::StatusCode;

use crate::desk::DeskError;

/// The status of a code. The classic API answers 400 wherever the node does not do what it is asked.
const fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidInput | Code::InsecureTracker | Code::UnsupportedEndpoint => StatusCode::UNPROCESSABLE_ENTITY,
        Code::NameTaken
        | Code::NameConfusable
        | Code::ProofRequired
        | Code::RecordStale
        | Code::PortInUse
        | Code::CannotListen
        | Code::ProfileInUse
        | Code::ProfileUnsafe => StatusCode::CONFLICT,
        Code::TrackerUnreachable
        | Code::TrackerProtocol
        | Code::ProofInvalid
        | Code::WrongTracker
        | Code::TooManyRequests => StatusCode::BAD_GATEWAY,
        Code::TextTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnknownMessage => StatusCode::NOT_FOUND,
        Code::OutboxFull | Code::ContactsFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::TrackerFull | Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Code::StorageFailed | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// What the caller hears of an error of the node. Where our own disk is the reason, the log hears more.
pub(super) fn problem(error: &NodeError) -> Problem {
    let code = error.code();
    if code == Code::StorageFailed {
        tracing::error!(error = %chain(error), "the storage failed");
    }
    Problem::new(status(code), code, error.to_string())
}

pub(super) fn not_running() -> Problem {
    desk(&DeskError::NotRunning)
}

/// What the caller hears of an error of starting or stopping.
pub(super) fn desk(error: &DeskError) -> Problem {
    let code = match error {
        DeskError::AlreadyRunning(_) => Code::AlreadyRunning,
        DeskError::NotRunning => Code::NotRunning,
        DeskError::Panicked => Code::Internal,
        DeskError::Start(start) => {
            tracing::warn!(code = %start.code(), error = %chain(start), "the node does not start");
            start.code()
        }
    };
    Problem::new(status(code), code, error.to_string())
}

/// An error and all that led to it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $when:literal),+;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Statuses for $name {
            const STATUSES: &'static [(u16, &'static str)] = &[
                $(($status, $when),)+
                (421, "`wrong_host`: the request was meant for another host."),
                (403, "`foreign_origin`: a web page of another origin sent it."),
            ];
        }
    )*};
}

statuses! {
    /// `POST /start`.
    Starting:
        400 "`already_running`, or the body is not JSON.",
        409 "`name_taken`, `name_confusable`, `port_in_use`, `cannot_listen`, `profile_in_use` or `profile_unsafe`. The node does not run.",
        415 "The body is not `application/json`.",
        422 "A field is missing, of another type, or not within its rules; `insecure_tracker`: without TLS, beyond the local network.",
        502 "`tracker_unreachable`, `tracker_protocol` or the tracker's `too_many_requests`. The node does not run.";
    /// `POST /stop`.
    Stopping: 400 "`not_running`.";
    /// Whatever only reads.
    Reading:
        400 "`not_running`.",
        500 "`storage_failed`.";
    /// `GET /messages` and `GET /conversations`.
    History:
        400 "`not_running`.",
        404 "`unknown_message`: no message has the id of `before`.",
        422 "A parameter is not within its rules.",
        500 "`storage_failed`.";
    /// `POST /connect`.
    Connecting:
        400 "`not_running`, `unknown_peer`, `oneself`, `unreachable`, `key_changed`, `name_unproved` or `refused`; or the body is not JSON.",
        415 "The body is not `application/json`.",
        422 "A field is missing or of another type.",
        502 "`tracker_unreachable`, `tracker_protocol` or the tracker's `too_many_requests`, and the peer is not known from before.";
    /// `DELETE /disconnect/{peer_username}`.
    Disconnecting: 400 "`not_running`, or `not_connected`.";
    /// `POST /send`.
    Sending:
        400 "`not_running`; `not_connected`: this node was never connected to that peer; or the body is not JSON.",
        413 "`text_too_large`: more than 1 MiB of UTF-8.",
        415 "The body is not `application/json`.",
        422 "A field is missing or of another type.",
        500 "`storage_failed`. Nothing was sent.",
        507 "`outbox_full`: too much waits for this contact already.";
    /// `POST /broadcast`.
    Broadcasting:
        400 "`not_running`; `not_connected`: nobody is.",
        413 "`text_too_large`: more than 1 MiB of UTF-8.",
        422 "Without `content`.",
        500 "`storage_failed`. Nothing was sent.",
        507 "`outbox_full`: too much waits for one of the contacts already. Nothing was sent.";
    /// `DELETE /contacts/{name}/key`.
    Forgetting:
        400 "`not_running`.",
        404 "`unknown_peer`: no key is pinned for that name.",
        500 "`storage_failed`.";
}
