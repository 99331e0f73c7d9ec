//! How a node comes to be listed when it starts: at every tracker that is there, and at none if any says that the name is
//! somebody else's.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::code::Code;
use crate::record::{Endpoint, PreKeys, SignedRecord};
use crate::storage::Change;
use crate::tracker::{Lease, TrackerError};

use super::NodeError;
use super::builder::Parts;
use super::trackers::Site;

/// How long leaving a tracker may hold up the end of a node.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// What a node has at one tracker.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The right to be listed; `None` until it is.
    pub(super) lease: Option<Lease>,
    /// The highest number of a record that is known there. The same record a second time would bring no lease that can be proved.
    pub(super) known: u64,
    /// Where the node is, as it says there.
    pub(super) shown: Vec<Endpoint>,
}

/// A node's first registrations.
#[derive(Debug)]
pub(super) struct Enrolment {
    /// The newest record that was shown.
    pub(super) record: SignedRecord,
    /// What it has at each tracker, in their order.
    pub(super) places: Vec<Place>,
}

/// Registers at all trackers, with records of this number or a higher one. `changes` are durable before anything is shown.
///
/// # Errors
/// That of a tracker which says that the name is another's. When no tracker lists the node, that of one which could be asked,
/// and else, if it `must_be_listed`, the first one's. It is listed nowhere then.
pub(super) async fn enrol(
    parts: &Parts,
    seq: u64,
    pre_keys: PreKeys,
    mut changes: Vec<Change>,
    must_be_listed: bool,
) -> Result<Enrolment, NodeError> {
    // Keys that are lost once somebody knows them would make what is encrypted with them unreadable.
    changes.push(Change::Seq(seq));
    let _durable = parts.store.commit(changes).await?;
    let mut record = parts.record(seq, pre_keys)?;
    let places = parts.trackers.iter().map(|_| (Place::default(), None));
    let mut tries: Vec<(Place, Option<NodeError>)> = places.collect();
    register(parts, &record, &mut tries, |_| true).await;
    // A tracker may know a higher number than a database that was put back.
    if let Some(known) = tries.iter().filter_map(|(_, error)| stale(error.as_ref()?)).max() {
        let seq = known.saturating_add(1);
        let next = match parts.store.commit(vec![Change::Seq(seq)]).await {
            Ok(_durable) => parts.record(seq, pre_keys),
            Err(error) => Err(error.into()),
        };
        record = match next {
            Ok(record) => record,
            Err(error) => {
                withdraw(parts, &tries).await;
                return Err(error);
            }
        };
        register(parts, &record, &mut tries, |error| error.and_then(stale).is_some()).await;
    }
    if let Some(at) = verdict(&tries, must_be_listed) {
        withdraw(parts, &tries).await;
        return Err(tries.swap_remove(at).1.unwrap_or(NodeError::Stopped));
    }
    for (site, (_, error)) in parts.trackers.iter().zip(&tries) {
        if let Some(error) = error {
            tracing::warn!(username = %parts.username, %error, "a tracker does not list this node yet");
        }
        site.note(error.as_ref().map(NodeError::code), parts.now().wall);
    }
    Ok(Enrolment { record, places: tries.into_iter().map(|(place, _)| place).collect() })
}

/// Takes a registration back, as far as the tracker is there. Says whether it was.
pub(super) async fn farewell(site: &Site, lease: &Lease) -> bool {
    matches!(timeout(FAREWELL_TIMEOUT, site.unregister(lease)).await, Ok(Ok(())))
}

impl Place {
    /// Registers there, with a record that is made once it is known that somebody listens.
    ///
    /// # Errors
    /// What came between.
    pub(super) async fn register(
        &mut self,
        parts: &Parts,
        site: &Site,
        record: impl Future<Output = Result<SignedRecord, NodeError>>,
    ) -> Result<(), NodeError> {
        let (known, mut shown) = (&mut self.known, Vec::new());
        let showing = async {
            let record = record.await?;
            // Whether or not an answer comes.
            *known = record.record().seq;
            shown.clone_from(&record.record().endpoints);
            Ok(record)
        };
        let answer = site.register(&parts.identity, showing, parts.now().wall).await;
        if let Some(higher) = answer.as_ref().err().and_then(stale) {
            self.known = self.known.max(higher);
        }
        self.lease = Some(answer?);
        self.shown = shown;
        Ok(())
    }
}

/// Registers at those trackers whose last error is of this kind.
async fn register(
    parts: &Parts,
    record: &SignedRecord,
    tries: &mut [(Place, Option<NodeError>)],
    kind: impl Fn(Option<&NodeError>) -> bool,
) {
    let wanted = parts.trackers.iter().zip(tries).filter(|(_, (_, error))| kind(error.as_ref()));
    let registering = wanted.map(|(site, (place, error))| async move {
        *error = place.register(parts, site, std::future::ready(Ok(record.clone()))).await.err();
    });
    join_all(registering).await;
}

/// Whose error ends the start, if one does.
fn verdict(tries: &[(Place, Option<NodeError>)], must_be_listed: bool) -> Option<usize> {
    let first = |kind: fn(&NodeError) -> bool| tries.iter().position(|(_, error)| error.as_ref().is_some_and(kind));
    let anothers = first(|error| matches!(error.code(), Code::NameTaken | Code::NameConfusable));
    if anothers.is_some() || tries.iter().any(|(place, _)| place.lease.is_some()) {
        return anothers;
    }
    // What is merely away or busy is tried again anyway.
    let lasting = first(|error| !matches!(error.code(), Code::TrackerUnreachable | Code::TooManyRequests));
    lasting.or_else(|| if must_be_listed { first(|_| true) } else { None })
}

async fn withdraw(parts: &Parts, tries: &[(Place, Option<NodeError>)]) {
    let listed = parts.trackers.iter().zip(tries).filter_map(|(site, (place, _))| Some((site, place.lease.as_ref()?)));
    join_all(listed.map(|(site, lease)| farewell(site, lease))).await;
}

const fn stale(error: &NodeError) -> Option<u64> {
    match error {
        NodeError::Tracker(TrackerError::RecordStale { known }) => Some(*known),
        _ => None,
    }
}
