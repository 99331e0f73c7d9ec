//! The trackers of a node that is to start: which there are, whether any answers, and which way leads there.

use std::net::IpAddr;
use std::time::Duration;

use chatp2p_core::node::MAX_TRACKERS;
use chatp2p_core::tracker::{HttpTracker, Tracker, TrackerError};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

/// How long the others are waited for once one has answered: they are joined whenever they come.
const GRACE: Duration = Duration::from_millis(500);

/// What is known of the trackers before the node starts.
pub(super) struct Ways {
    /// This machine's addresses on the way to each, in their order.
    pub(super) addresses: Vec<IpAddr>,
    /// The first one's trouble, if none answers.
    pub(super) trouble: Option<TrackerError>,
}

/// The trackers at these addresses, each once.
///
/// # Errors
/// [`TrackerError::Invalid`] and [`TrackerError::Insecure`] for what is no address of a tracker, and when they are too many.
pub(super) fn at(urls: &[String], insecure: bool) -> Result<Vec<HttpTracker>, TrackerError> {
    let mut trackers: Vec<HttpTracker> = Vec::new();
    for url in urls {
        let tracker = if insecure { HttpTracker::new_insecure(url)? } else { HttpTracker::new(url)? };
        if trackers.iter().all(|other| other.url() != tracker.url()) {
            trackers.push(tracker);
        }
    }
    if trackers.len() > MAX_TRACKERS {
        return Err(TrackerError::Invalid { reason: format!("a node has at most {MAX_TRACKERS} trackers") });
    }
    Ok(trackers)
}

/// Asks all of them.
pub(super) async fn ways(trackers: &[HttpTracker]) -> Ways {
    let asking = trackers.iter().enumerate();
    let mut asking: FuturesUnordered<_> =
        asking.map(|(place, tracker)| async move { (place, tracker.health().await.err()) }).collect();
    let mut troubles: Vec<Option<Option<TrackerError>>> = trackers.iter().map(|_| None).collect();
    let mut deadline = None;
    loop {
        let late = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = asking.next() => {
                let Some((place, trouble)) = answer else { break };
                if trouble.is_none() {
                    deadline.get_or_insert_with(|| Instant::now() + GRACE);
                }
                if let Some(slot) = troubles.get_mut(place) {
                    *slot = Some(trouble);
                }
            }
            () = late => break,
        }
    }
    let leading = trackers.iter().zip(&troubles).map(|(tracker, trouble)| async move {
        match trouble {
            Some(None) => tracker.local_address().await,
            _ => tracker.departing_address().await,
        }
    });
    let addresses = join_all(leading).await.into_iter().flatten().collect();
    let answered = troubles.iter().any(|trouble| matches!(trouble, Some(None)));
    let trouble = troubles.into_iter().flatten().flatten().next().filter(|_| !answered);
    Ways { addresses, trouble }
}

/// This machine's addresses on the way to each of them now, in their order. None of them is asked anything: a connection that
/// was left open may lead out by an address that is gone.
pub(super) async fn addresses(trackers: &[HttpTracker]) -> Vec<IpAddr> {
    let leading = trackers.iter().map(|tracker| async move {
        match tracker.local_address().await {
            Some(address) => Some(address),
            None => tracker.departing_address().await,
        }
    });
    join_all(leading).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_there_are_not_too_many() {
        let urls = |count: usize| (0..count).map(|n| format!("http://127.0.0.1:{}", n + 1)).collect::<Vec<_>>();
        let twice = [urls(2), vec!["http://127.0.0.1:1/".to_owned()]].concat();
        assert_eq!(at(&twice, false).unwrap().len(), 2);
        assert_eq!(at(&urls(MAX_TRACKERS), false).unwrap().len(), MAX_TRACKERS);
        assert!(matches!(at(&urls(MAX_TRACKERS + 1), false), Err(TrackerError::Invalid { .. })));
        let far = ["http://127.0.0.1:1".to_owned(), "http://8.8.8.8".to_owned()];
        assert!(matches!(at(&far, false), Err(TrackerError::Insecure { .. })));
    }
}
