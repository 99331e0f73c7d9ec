//! The promises of the protocol, over thousands of simulated worlds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::atomic::{AtomicU64, Ordering};

use chatp2p_core::protocol::sim::{self, Report, Script, Tally};

/// How many worlds are played. `CHATP2P_SIM_SEEDS` plays more.
fn seeds() -> u64 {
    std::env::var("CHATP2P_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

/// Seeds that once broke a promise; they are played first.
const KEPT: &[u64] = &[];

fn play_all(script: &Script, first: u64, count: u64) -> (Vec<Report>, Tally) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failed = Vec::new();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let (mut failed, mut tally) = (Vec::new(), Tally::default());
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            return (failed, tally);
                        }
                        let report = sim::play(first + at, script);
                        tally.add(&report.tally);
                        if report.verdict.is_err() {
                            failed.push(report);
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            let (more, counts) = worker.join().unwrap();
            failed.extend(more);
            tally.add(&counts);
        }
    });
    failed.sort_by_key(|report| report.seed);
    (failed, tally)
}

#[test]
fn nothing_acknowledged_is_lost_kept_twice_or_out_of_order() {
    let script = Script::default();
    for seed in KEPT {
        let report = sim::play(*seed, &script);
        assert_eq!(report.verdict, Ok(()), "kept seed {seed}");
    }
    let (failed, tally) = play_all(&script, 0, seeds());
    for (name, count) in tally.counts() {
        eprintln!("{count:>12}  {name}");
    }
    let shown: Vec<_> = failed.iter().take(5).map(|report| (report.seed, &report.verdict)).collect();
    assert!(failed.is_empty(), "{} of {} seeds broke a promise: {shown:#?}", failed.len(), seeds());
}
