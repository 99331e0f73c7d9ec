//! The trackers of a node, asked together. Each may be away, and each may lie: what any of them says is heard, and none can
//! put its word in the place of another's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout};

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::{Identity, PeerId, Username};
use crate::protocol::Found;
use crate::record::{Endpoint, Reach, SignedRecord};
use crate::tracker::{Claim, Lease, PeerQuery, Registration, SignedClaim, Tracker, TrackerError, TrackerHealth};

use super::{NodeError, TrackerStatus};

/// The most trackers of a node. Each is asked at every dial, and hears of every name that is asked for: a few are for when
/// one fails, and more would only tell more people.
pub const MAX_TRACKERS: usize = 8;

/// How long a tracker may take over one request, whatever it is. Less than a connect may take, so that there is time
/// left to dial a contact where it was last.
const TRACKER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the others are waited for once there is an answer that will do: many times what a tracker takes that is well, and
/// little to a person who waits.
const GRACE: Duration = Duration::from_millis(500);

/// The same where a name is not known here, and nothing but their agreement speaks for a key. As long as a first contact
/// allows, within which both ends ask.
const AGREEMENT_WITHIN: Duration = Duration::from_secs(2);

/// How far ahead of the clock a tracker may say that a record is, in milliseconds: a hundred years. Clocks are wrong by less. A
/// tracker that could say any number would use up all that there are, and the node could not register anywhere again.
const MAX_SEQ_AHEAD: u64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// All trackers of a node, by their place in the order in which they were given.
#[derive(Debug)]
pub(super) struct Trackers(Vec<Site>);

/// One of them.
#[derive(Debug)]
pub(super) struct Site {
    tracker: Arc<dyn Tracker>,
    status: Mutex<TrackerStatus>,
}

/// What all that answered know of a name.
#[derive(Debug)]
pub(super) struct Answer {
    /// Taken together.
    pub(super) found: Found,
    /// Which of them said where a peer is, and where.
    pub(super) named: Vec<(usize, PeerId, Vec<Endpoint>)>,
}

/// What one of them answered.
type Said<T> = (usize, Result<T, NodeError>);

impl Trackers {
    pub(super) fn new(trackers: Vec<Arc<dyn Tracker>>) -> Self {
        let site = |tracker: Arc<dyn Tracker>| {
            let status = TrackerStatus { address: tracker.address(), ..TrackerStatus::default() };
            Site { tracker, status: Mutex::new(status) }
        };
        Self(trackers.into_iter().map(site).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.0.iter()
    }

    /// The one at this place.
    pub(super) fn at(&self, place: usize) -> Option<&Site> {
        self.0.get(place)
    }

    /// How it stands with each.
    pub(super) fn statuses(&self) -> Vec<TrackerStatus> {
        self.iter().map(|site| site.status().clone()).collect()
    }

    /// Whether any of them lists the node, as far as is known.
    pub(super) fn any_is_well(&self) -> bool {
        self.iter().any(|site| is_well(&site.status()))
    }

    /// Across what all of them are reached, at the farthest.
    pub(super) fn farthest(&self) -> Reach {
        self.iter().map(|site| site.tracker.reach()).max().unwrap_or(Reach::Public)
    }

    /// Asks all of them who goes by a name. Where that is `known`, all of those keys will do for an answer; where it is not, any
    /// key does once the others have had the time to contradict.
    pub(super) async fn find(&self, name: &Username, known: &BTreeSet<PeerId>) -> Answer {
        let asking = self.iter().enumerate().map(|(place, site)| async move { (place, site.find(name).await) });
        let will_do = |said: &[Said<Option<Registration>>]| {
            let records = said.iter().filter_map(|(_, said)| said.as_ref().ok()?.as_ref()?.record.as_ref());
            let keys: BTreeSet<PeerId> = records.map(|record| record.record().peer_id).collect();
            if keys.is_empty() || !known.is_subset(&keys) {
                None
            } else if known.is_empty() {
                Some(AGREEMENT_WITHIN)
            } else {
                Some(GRACE)
            }
        };
        combine(gather(asking.collect(), will_do).await)
    }

    /// Who is listed anywhere, by name, each as all of those who answer in time have it. At least one did.
    ///
    /// # Errors
    /// The first one's, when none answers.
    pub(super) async fn peers(&self) -> Result<BTreeMap<Username, Vec<Registration>>, NodeError> {
        let asking = self.iter().enumerate().map(|(place, site)| async move { (place, site.peers().await) });
        let will_do = |said: &[Said<Vec<Registration>>]| said.iter().any(|(_, said)| said.is_ok()).then_some(GRACE);
        let mut said = gather(asking.collect(), will_do).await;
        said.sort_by_key(|(place, _)| *place);
        let mut listed: BTreeMap<Username, Vec<Registration>> = BTreeMap::new();
        let (mut answered, mut trouble) = (false, None);
        for (_, said) in said {
            match said {
                Ok(registrations) => {
                    answered = true;
                    for registration in registrations {
                        listed.entry(registration.username.clone()).or_default().push(registration);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a tracker does not say who is there");
                    trouble = trouble.or(Some(error));
                }
            }
        }
        match trouble {
            Some(error) if !answered => Err(error),
            _ => Ok(listed),
        }
    }
}

impl Site {
    /// Registers there, under the id by which it goes just now. `record` is asked for once it is known that somebody is there.
    pub(super) async fn register(
        &self,
        identity: &Identity,
        record: impl Future<Output = Result<SignedRecord, NodeError>>,
        now: Wall,
    ) -> Result<Lease, NodeError> {
        let tracker = self.ask(self.tracker.health()).await?.tracker_id;
        let claim = SignedClaim::sign(identity, record.await?, tracker);
        match self.ask(self.tracker.register(Claim::Signed(claim))).await {
            Err(NodeError::Tracker(TrackerError::RecordStale { known }))
                if known > now.as_millis().saturating_add(MAX_SEQ_AHEAD) =>
            {
                let reason = format!("it says that it has a record with the number {known}");
                Err(TrackerError::Protocol { url: self.tracker.address().unwrap_or_default(), reason }.into())
            }
            other => other,
        }
    }

    /// How it is.
    pub(super) async fn health(&self) -> Result<TrackerHealth, NodeError> {
        self.ask(self.tracker.health()).await
    }

    pub(super) async fn heartbeat(&self, lease: &Lease) -> Result<(), NodeError> {
        self.ask(self.tracker.heartbeat(lease)).await
    }

    pub(super) async fn unregister(&self, lease: &Lease) -> Result<(), NodeError> {
        self.ask(self.tracker.unregister(lease)).await
    }

    /// Across what it was reached so far, at the farthest.
    pub(super) fn reach(&self) -> Reach {
        self.tracker.reach()
    }

    /// Notes whether it confirmed the registration.
    pub(super) fn note(&self, trouble: Option<Code>, now: Wall) {
        let mut status = self.status();
        status.trouble = trouble;
        if trouble.is_none() {
            status.confirmed = Some(now);
        }
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, NodeError> {
        let found = self.ask(self.tracker.find(name)).await?;
        let record = found.as_ref().and_then(|found| found.record.as_ref());
        if record.is_some_and(|record| record.record().username != *name) {
            let reason = "a record of another name than was asked for".to_owned();
            return Err(TrackerError::Protocol { url: self.tracker.address().unwrap_or_default(), reason }.into());
        }
        Ok(found)
    }

    async fn peers(&self) -> Result<Vec<Registration>, NodeError> {
        Ok(self.ask(self.tracker.peers(PeerQuery::default())).await?.items)
    }

    /// What the tracker answers. It may take a request and never come back to it, and nothing waits for it for ever.
    async fn ask<T>(&self, request: impl Future<Output = Result<T, TrackerError>>) -> Result<T, NodeError> {
        let asked = Instant::now();
        let answer = match timeout(TRACKER_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(NodeError::Tracker),
            Err(_) => Err(NodeError::TrackerSilent { code: Code::TrackerUnreachable }),
        };
        if !answer.as_ref().is_err_and(|error| error.code() == Code::TrackerUnreachable) {
            self.status().latency = Some(asked.elapsed());
        }
        answer
    }

    pub(super) fn status(&self) -> std::sync::MutexGuard<'_, TrackerStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one of several that stands for all: the first of which all is well, else the first.
pub(super) fn foremost(statuses: &[TrackerStatus]) -> TrackerStatus {
    statuses.iter().find(|status| is_well(status)).or(statuses.first()).cloned().unwrap_or_default()
}

/// Of all that trackers have listed under one name, that of the pinned key, else the newest.
pub(super) fn foremost_listed(listed: Vec<Registration>, pinned: Option<PeerId>) -> Option<Registration> {
    let rank = |registration: &Registration| {
        let record = registration.record.as_ref().map(SignedRecord::record);
        (pinned.is_some() && record.map(|record| record.peer_id) == pinned, record.map(|record| record.seq))
    };
    // Of equals the first, which is that of the first tracker.
    listed.into_iter().rev().max_by_key(rank)
}

fn is_well(status: &TrackerStatus) -> bool {
    status.confirmed.is_some() && status.trouble.is_none()
}

/// Waits for all, but once what was said will do for no longer than is said with it.
async fn gather<T>(
    mut asking: FuturesUnordered<impl Future<Output = Said<T>>>,
    will_do: impl Fn(&[Said<T>]) -> Option<Duration>,
) -> Vec<Said<T>> {
    let (mut said, mut deadline) = (Vec::new(), None);
    loop {
        let late = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Whoever has answered is heard.
            biased;
            answer = asking.next() => match answer {
                Some(answer) => said.push(answer),
                None => return said,
            },
            () = late => return said,
        }
        if deadline.is_none() {
            deadline = will_do(&said).map(|within| Instant::now() + within);
        }
    }
}

/// One record for each key that is said to own the name, the newest. Without any: somebody without a key; nobody, if all who
/// answered say so; trouble, if none did.
fn combine(mut said: Vec<Said<Option<Registration>>>) -> Answer {
    said.sort_by_key(|(place, _)| *place);
    let mut newest: BTreeMap<PeerId, SignedRecord> = BTreeMap::new();
    let (mut named, mut is_unsigned, mut is_nobody, mut trouble) = (Vec::new(), false, false, None);
    for (place, said) in said {
        match said {
            Ok(Some(Registration { record: Some(signed), .. })) => {
                let record = signed.record();
                named.push((place, record.peer_id, record.endpoints.clone()));
                let held = newest.entry(record.peer_id).or_insert_with(|| signed.clone());
                if held.record().seq < record.seq {
                    *held = signed;
                }
            }
            Ok(Some(_)) => is_unsigned = true,
            Ok(None) => is_nobody = true,
            Err(error) => trouble = trouble.or(Some(error.code())),
        }
    }
    let mut records: Vec<SignedRecord> = newest.into_values().collect();
    let found = match (records.len(), trouble) {
        (0, _) if is_unsigned => Found::Unsigned,
        (0, Some(code)) if !is_nobody => Found::Trouble(code),
        (0, _) => Found::Nobody,
        (1, _) => Found::Record(Box::new(records.remove(0))),
        _ => Found::Disputed(records),
    };
    Answer { found, named }
}
