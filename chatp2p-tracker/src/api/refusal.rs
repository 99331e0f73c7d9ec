//! Which status each error of the tracker has.

use chatp2p_core::code::Code;
use chatp2p_core::identity::{Username, UsernameError};
use chatp2p_core::tracker::TrackerError;
use chatp2p_service::Problem;
use poem::http::StatusCode;

/// The problem that an error of the tracker is to a caller.
pub(super) fn refusal(error: TrackerError) -> Box<Problem> {
    let status = match &error {
        TrackerError::NameTaken { .. }
        | TrackerError::NameConfusable { .. }
        | TrackerError::RecordStale { .. }
        | TrackerError::WrongTracker => StatusCode::CONFLICT,
        TrackerError::ProofRequired { .. } | TrackerError::ProofInvalid | TrackerError::SignatureRequired { .. } => {
            StatusCode::FORBIDDEN
        }
        TrackerError::Unknown { .. } => StatusCode::NOT_FOUND,
        TrackerError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        TrackerError::Full => StatusCode::INSUFFICIENT_STORAGE,
        TrackerError::Storage(_) | TrackerError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    if let TrackerError::Storage(error) = &error {
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, source, "the registrations cannot be kept or read");
    }
    let mut problem = Problem::new(status, error.code(), error.to_string());
    match error {
        TrackerError::RecordStale { known } => problem.known = Some(known),
        TrackerError::NameConfusable { other, .. } => {
            problem.detail.push_str(": names must differ in more than capitals and letters that look alike");
            problem.other = Some(other.to_string());
        }
        _ => {}
    }
    Box::new(problem)
}

/// A name that is to be registered.
pub(super) fn name(text: &str) -> Result<Username, Box<Problem>> {
    Username::new(text).map_err(|error| Box::new(Problem::invalid(format!("username: {error}"))))
}

/// A name that is asked for. Nobody has one that cannot be registered.
pub(super) fn known_name(text: &str) -> Result<Username, Box<Problem>> {
    let nobody = |error: UsernameError| {
        Problem::new(StatusCode::NOT_FOUND, Code::UnknownPeer, format!("nobody can have this name: {error}"))
    };
    Username::new(text).map_err(|error| Box::new(nobody(error)))
}
