//! How the tracker is.

use chatp2p_core::tracker::Tracker;
use chatp2p_service::{Refused, Statuses};
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::refusal::refusal;
use super::{Group, Shared, TOO_MANY};

pub(super) struct Health {
    shared: Shared,
}

/// How a tracker is.
#[derive(Debug, Object)]
#[oai(example, rename = "TrackerHealth")]
struct Report {
    /// Always `healthy`.
    status: String,
    /// All names that are kept.
    total_peers: u64,
    /// Those that are listed.
    active_peers: u64,
    /// What the tracker's clock shows: RFC 3339 in UTC.
    timestamp: String,
    /// By which id signed claims must name this tracker: 32 hexadecimal digits. Changes when the tracker loses its data.
    tracker_id: String,
}

impl Example for Report {
    fn example() -> Self {
        Self {
            status: "healthy".to_owned(),
            total_peers: 12,
            active_peers: 7,
            timestamp: "2026-01-31T12:00:00.000Z".to_owned(),
            tracker_id: "000102030405060708090a0b0c0d0e0f".to_owned(),
        }
    }
}

struct HealthRefusals;

impl Statuses for HealthRefusals {
    const STATUSES: &'static [(u16, &'static str)] =
        &[(429, TOO_MANY), (503, "`tracker_unreachable`: the tracker is shutting down.")];
}

impl Health {
    pub(super) const fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

#[OpenApi(tag = "Group::Health")]
impl Health {
    /// Ask whether the tracker is ready.
    ///
    /// Answers 200 as soon as the tracker can be used, with the id by which signed claims must name it.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self) -> Result<Json<Report>, Refused<HealthRefusals>> {
        let health = self.shared.tracker.health().await.map_err(refusal)?;
        Ok(Json(Report {
            status: "healthy".to_owned(),
            total_peers: health.total_peers as u64,
            active_peers: health.active_peers as u64,
            timestamp: health.now.to_string(),
            tracker_id: health.tracker_id.to_string(),
        }))
    }
}
