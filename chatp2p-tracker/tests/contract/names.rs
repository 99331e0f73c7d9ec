//! Names that are freed, by their owner's absence or by the operator; and names for those alone who sign.

use std::path::Path;
use std::process::Output;

use chatp2p_core::testing::tracker::signed;
use chatp2p_core::tracker::{HttpTracker, Tracker as _, TrackerError};
use tokio::time::{Duration, Instant, sleep};

use crate::process::{PATIENCE, Tracker, problem, program};

/// Has the operator release a name, as on the same machine.
async fn release(home: &Path, flags: &[&str], name: &str) -> Output {
    program(home).arg("release").arg(name).args(flags).output().await.unwrap()
}

/// Somebody with another key wants the name.
async fn claim(tracker: &HttpTracker, seed: u8, name: &str) -> Result<(), TrackerError> {
    let id = tracker.health().await.unwrap().tracker_id;
    tracker.register(signed(seed, name, 5001, 1, id)).await.map(drop)
}

async fn until_claimed(tracker: &HttpTracker, seed: u8, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = claim(tracker, seed, name).await {
        assert!(matches!(error, TrackerError::NameTaken { .. }), "{error:?}");
        assert!(Instant::now() < deadline, "the name is never free");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_operator_frees_a_name_while_the_tracker_runs_and_while_it_does_not() {
    let tracker = Tracker::start().await;
    let http = HttpTracker::new(&tracker.url).unwrap();
    claim(&http, 1, "alice").await.unwrap();
    claim(&http, 1, "bob").await.unwrap();
    assert!(matches!(claim(&http, 2, "alice").await, Err(TrackerError::NameTaken { .. })));
    let told = release(tracker.home(), &[], "alice").await;
    assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("alice"), "{told:?}");
    until_claimed(&http, 2, "alice").await;
    let home = tracker.terminate().await;
    assert!(release(home.path(), &[], "bob").await.status.success());
    let again = Tracker::at(home, &[]).await;
    let http = HttpTracker::new(&again.url).unwrap();
    until_claimed(&http, 2, "bob").await;
    assert!(
        matches!(claim(&http, 1, "alice").await, Err(TrackerError::NameTaken { .. })),
        "released once, not for ever"
    );
}

#[tokio::test]
async fn what_cannot_be_released_is_one_clear_line() {
    let tracker = Tracker::start().await;
    let nowhere = format!("sqlite:{}/nowhere.sqlite", tracker.home().display());
    for (flags, says) in
        [(&[][..], "nobody"), (&["--database", "memory"], "restart"), (&["--database", &nowhere], "--database")]
    {
        let told = release(tracker.home(), flags, "nobody").await;
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{said}");
        assert!(said.lines().count() == 1 && said.contains(says), "{said}");
    }
    assert!(!tracker.home().join("nowhere.sqlite").exists());
}

#[tokio::test]
async fn a_name_out_of_use_is_free_after_its_time() {
    let tracker = Tracker::with(&["--ttl", "1", "--name-ttl", "3s"]).await;
    let http = HttpTracker::new(&tracker.url).unwrap();
    let begun = Instant::now();
    claim(&http, 1, "alice").await.unwrap();
    tracker.until_empty().await;
    until_claimed(&http, 2, "alice").await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn where_all_must_sign_a_classic_client_hears_why_it_is_turned_away() {
    let tracker = Tracker::with(&["--require-signed"]).await;
    let refused = problem(tracker.register("alice", 5001).await, 403, "signature_required").await;
    assert!(refused["next"].is_string(), "{refused}");
    let http = HttpTracker::new(&tracker.url).unwrap();
    claim(&http, 1, "alice").await.unwrap();
    assert_eq!(tracker.names().await, ["alice"]);
}
