//! With which status each refusal is answered, and which operation refuses with which. What all with a body or a path have in
//! common is declared in `secured.rs`.

use chatp2p_core::code::Code;
use chatp2p_core::node::{ContactRefusal, NodeError};
use chatp2p_core::tracker::TrackerError;
use chatp2p_service::{Problem, Statuses};
use poem::http::StatusCode;

use crate::desk::DeskError;
use crate::start::StartError;

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
        | Code::ProfileUnsafe
        | Code::PassphraseRequired
        | Code::PassphraseWrong
        | Code::ContactNameTaken
        | Code::ContactExists
        | Code::ContactBlocked
        | Code::SafetyNumberDiffers => StatusCode::CONFLICT,
        Code::TrackerUnreachable
        | Code::TrackerProtocol
        | Code::ProofInvalid
        | Code::WrongTracker
        | Code::TooManyRequests => StatusCode::BAD_GATEWAY,
        Code::TextTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnknownMessage | Code::UnknownRequest => StatusCode::NOT_FOUND,
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
    named(Problem::new(status(code), code, error.to_string()), error)
}

/// The same with the name that is in the way, where that is what the node says.
fn named(problem: Problem, error: &NodeError) -> Problem {
    match error {
        NodeError::Tracker(TrackerError::NameConfusable { other, .. })
        | NodeError::Contact(ContactRefusal::NameConfusable { other, .. }) => problem.too_like(other),
        _ => problem,
    }
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
    let problem = Problem::new(status(code), code, error.to_string());
    match error {
        DeskError::Start(StartError::Node(error)) => named(problem, error),
        _ => problem,
    }
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
        409 "`name_taken`, `name_confusable`, `port_in_use`, `cannot_listen`, `profile_in_use`, `profile_unsafe`, `passphrase_required` or `passphrase_wrong`. The node does not run.",
        422 "A field is missing, of another type, or not within its rules; `insecure_tracker`: without TLS, beyond the local network.",
        500 "`storage_failed`. The node does not run.",
        502 "No tracker takes the node: `tracker_unreachable`, `tracker_protocol` or its `too_many_requests`. The node does not run.",
        503 "`tracker_full`: the tracker has no room for another name. The node does not run.";
    /// `POST /stop`.
    Stopping: 400 "`not_running`.";
    /// `PUT /passphrase`.
    Resealing:
        400 "`not_running`, or the body is not JSON.",
        409 "`passphrase_required` or `passphrase_wrong`: the present one is missing or wrong. Nothing was changed.",
        422 "A field is of another type, or no passphrase.",
        500 "`storage_failed`. Nothing was changed.";
    /// Whatever only reads.
    Reading:
        400 "`not_running`.",
        500 "`storage_failed`.";
    /// `GET /diagnostics`.
    Examining: 500 "`storage_failed`.";
    /// `GET /diagnostics/{name}`.
    Diagnosing:
        400 "`not_running`, or `oneself`.",
        404 "`unknown_peer`: it is no contact, nobody has tried to connect to it, and the tracker does not list it.",
        500 "`storage_failed`.";
    /// `GET /messages` and `GET /conversations`.
    History:
        400 "`not_running`.",
        404 "`unknown_message`: no message has the id of `before`.",
        422 "A parameter is not within its rules.",
        500 "`storage_failed`.";
    /// `PUT /conversations/{peer}/read`.
    Marking:
        400 "`not_running`, or the body is not JSON.",
        404 "`unknown_peer`: no key is pinned for that name; `unknown_message`: they have written no message with the id of `through`.",
        422 "`through` is missing or no id.",
        500 "`storage_failed`.";
    /// `PUT /settings`.
    Configuring:
        400 "`not_running`, or the body is not JSON.",
        422 "A field is missing or of another type.",
        500 "`storage_failed`. Nothing was changed.";
    /// `POST /connect`.
    Connecting:
        400 "`not_running`, `unknown_peer`, `oneself`, `unreachable`, `key_changed`, `name_disputed`, `name_unproved` or `refused`; or the body is not JSON.",
        409 "`contact_blocked`.",
        422 "A field is missing or of another type.",
        500 "`storage_failed`: the key could not be kept.",
        502 "No tracker answers (`tracker_unreachable`, `tracker_protocol` or its `too_many_requests`), and the peer is not known from before.";
    /// `DELETE /disconnect/{peer_username}`.
    Disconnecting:
        400 "`not_running`, or `not_connected`.",
        500 "`storage_failed`.";
    /// `POST /send`.
    Sending:
        400 "`not_running`; `not_connected`: this node was never connected to that peer; or the body is not JSON.",
        409 "`contact_blocked`.",
        413 "`text_too_large`: more than 1 MiB of UTF-8; `body_too_large`: the body is longer than such a text can be.",
        422 "A field is missing or of another type.",
        500 "`storage_failed`. Nothing was sent.",
        507 "`outbox_full`: too much waits for this contact already.";
    /// `POST /broadcast`.
    Broadcasting:
        400 "`not_running`; `not_connected`: nobody is.",
        414 "The address is longer than 65,534 bytes. This one has no body, for nothing has read the request.",
        422 "Without `content`, or it is not UTF-8.",
        500 "`storage_failed`. Nothing was sent.",
        507 "`outbox_full`: too much waits for one of the contacts already. Nothing was sent.";
    /// Whatever names a contact and nothing else.
    Forgetting:
        400 "`not_running`.",
        404 "`unknown_peer`: no key is pinned for that name.",
        500 "`storage_failed`.";
    /// `POST /contacts`.
    Adding:
        400 "`not_running`; `oneself`: it is your own link; or the body is not JSON.",
        409 "`contact_exists`: the key is known already; `contact_name_taken`, `name_confusable`: the name is not free here.",
        422 "`invalid_link`, or a field is missing, of another type, or no name.",
        500 "`storage_failed`.",
        507 "`contacts_full`.";
    /// `PATCH /contacts/{name}`.
    Changing:
        400 "`not_running`, or the body is not JSON.",
        404 "`unknown_peer`.",
        409 "`contact_name_taken` or `name_confusable`: the name is not free here.",
        422 "A field is of another type, or no name.",
        500 "`storage_failed`.";
    /// `PUT /contacts/{name}/key`.
    AcceptingKey:
        400 "`not_running`; `oneself`: it is your own key; or the body is not JSON.",
        404 "`unknown_peer`.",
        409 "`contact_exists`: it is the key of another contact.",
        422 "`peer_id` is missing or no key.",
        500 "`storage_failed`.",
        507 "`contacts_full`.";
    /// `PUT /contacts/{name}/safety-number`.
    Verifying:
        400 "`not_running`, or the body is not JSON.",
        404 "`unknown_peer`.",
        409 "`safety_number_differs`: what they show is not the number of the pinned key.",
        422 "A field is missing or of another type.",
        500 "`storage_failed`.";
    /// `POST /requests/{peer_id}/accept`.
    Answering:
        400 "`not_running`, or the body is not JSON.",
        404 "`unknown_request`.",
        409 "`contact_name_taken` or `name_confusable`: the name is not free here; choose another.",
        422 "A field is of another type, or no name.",
        500 "`storage_failed`.",
        507 "`contacts_full`.";
    /// `DELETE /requests/{peer_id}`.
    Refusing:
        400 "`not_running`.",
        404 "`unknown_request`.",
        500 "`storage_failed`.";
    /// `POST /tickets`.
    Ticketing: 503 "`busy`: too many tickets wait to be used.";
}

/// `POST /sessions`, whose 403 says more than that of the others.
#[derive(Debug)]
pub(crate) struct Exchanging;

impl Statuses for Exchanging {
    const STATUSES: &'static [(u16, &'static str)] = &[
        (400, "The body is not JSON."),
        (
            403,
            "`link_invalid`: the link was used, is too old or was never made; `foreign_origin`: a web page of another origin sent it.",
        ),
        (421, "`wrong_host`: the request was meant for another host."),
        (422, "A field is missing or of another type."),
        (429, "`too_many_failures`: too many wrong codes came from there. `Retry-After` says how long to wait."),
        (500, "`storage_failed`."),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_the_api_names_each_code_beside_its_status() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/API-DESIGN.md");
        let page = std::fs::read_to_string(page).unwrap();
        for code in Code::ALL {
            let status = status(*code);
            // Most of what has no status of its own is told in another way than by a refusal.
            if status == StatusCode::BAD_REQUEST {
                continue;
            }
            let row = page.lines().find(|line| line.starts_with(&format!("| {} |", status.as_u16())));
            assert!(row.is_some_and(|row| row.contains(&format!("`{code}`"))), "{code} in the row of {status}");
        }
    }
}
