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
        TrackerError::NameConfusable { other, .. } => problem = problem.too_like(&other),
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

#[cfg(test)]
mod tests {
    use chatp2p_core::storage::StorageError;

    use super::*;

    #[test]
    fn the_page_about_the_api_names_each_code_beside_its_status() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/API-DESIGN.md");
        let page = std::fs::read_to_string(page).unwrap();
        let [name, other] = ["ALICE", "alice"].map(|name| Username::new(name).unwrap());
        let named = || name.clone();
        for error in [
            TrackerError::NameTaken { name: named() },
            TrackerError::NameConfusable { name: named(), other },
            TrackerError::ProofRequired { name: named() },
            TrackerError::SignatureRequired { name: named() },
            TrackerError::ProofInvalid,
            TrackerError::WrongTracker,
            TrackerError::RecordStale { known: 1 },
            TrackerError::Unknown { name: named() },
            TrackerError::Invalid { reason: String::new() },
            TrackerError::Full,
            TrackerError::Storage(StorageError::Unavailable { reason: String::new(), source: None }),
            TrackerError::Closed,
        ] {
            let problem = refusal(error);
            let row = page.lines().find(|line| line.starts_with(&format!("| {} |", problem.status)));
            assert!(row.is_some_and(|row| row.contains(&format!("`{}`", problem.code))), "{problem:?}");
        }
    }
}
