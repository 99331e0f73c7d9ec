//! Announces each step, times it, and sums up in the end.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step went.
pub(crate) enum Outcome {
    /// It is as it should be.
    Passed,
    /// It was not tried; why, and how to have it next time.
    Skipped(String),
    /// It is not as it should be.
    Failed(String),
}

/// What was done so far.
pub(crate) struct Report {
    start: Instant,
    passed: Vec<&'static str>,
    skipped: Vec<(&'static str, String)>,
    failed: Option<&'static str>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), passed: Vec::new(), skipped: Vec::new(), failed: None }
    }

    /// Takes a step, unless one before it has failed.
    pub(crate) fn step(&mut self, name: &'static str, step: impl FnOnce() -> Result<Outcome>) {
        if self.failed.is_some() {
            return;
        }
        println!("=== {name}");
        let start = Instant::now();
        let outcome = step().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        let took = seconds(start.elapsed());
        match outcome {
            Outcome::Passed => {
                println!("=== {name}: passed ({took})");
                self.passed.push(name);
            }
            Outcome::Skipped(why) => {
                println!("=== {name}: SKIPPED: {why}");
                self.skipped.push((name, why));
            }
            Outcome::Failed(why) => {
                println!("=== {name}: FAILED ({took}): {why}");
                self.failed = Some(name);
            }
        }
    }

    /// Sums up, and says whether all is well.
    pub(crate) fn sum_up(self) -> bool {
        println!("\npassed:  {}", self.passed.join(", "));
        for (name, why) in &self.skipped {
            println!("skipped: {name}: {why}");
        }
        let took = seconds(self.start.elapsed());
        match self.failed {
            Some(name) => println!("FAILED:  {name}; what follows it was not tried ({took} in all)"),
            None => println!("all is well ({took} in all)"),
        }
        self.failed.is_none()
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
