//! The results: medians over the rounds, and the ratio of ours to each baseline.

use std::fmt;

/// What is measured, in the order in which it was first measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: &'static str,
    unit: Unit,
    ours: Vec<f64>,
    baselines: Vec<(&'static str, Vec<f64>)>,
}

/// In what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// How often a second: more is better.
    PerSecond,
    /// In milliseconds: less is better.
    Milliseconds,
}

impl Table {
    /// Adds what one round has measured, with its baselines of the same round.
    pub(crate) fn add(&mut self, what: &'static str, unit: Unit, ours: f64, baselines: &[(&'static str, f64)]) {
        let at = self.rows.iter().position(|row| row.what == what).unwrap_or_else(|| {
            let baselines = baselines.iter().map(|(name, _)| (*name, Vec::new())).collect();
            self.rows.push(Row { what, unit, ours: Vec::new(), baselines });
            self.rows.len() - 1
        });
        if let Some(row) = self.rows.get_mut(at) {
            row.ours.push(ours);
            for ((_, all), (_, baseline)) in row.baselines.iter_mut().zip(baselines) {
                all.push(*baseline);
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | ours | range | baseline | its median | ratio |")?;
        writeln!(f, "|---|--:|--:|---|--:|--:|")?;
        for row in &self.rows {
            let ours = median(&row.ours);
            let (least, most) = row.ours.iter().fold((f64::MAX, f64::MIN), |(l, m), x| (l.min(*x), m.max(*x)));
            let range = format!("{}–{}", row.unit.bare(least), row.unit.bare(most));
            if row.baselines.is_empty() {
                writeln!(f, "| {} | {} | {range} | | | |", row.what, row.unit.show(ours))?;
            }
            for (name, all) in &row.baselines {
                let baseline = median(all);
                let (ours_shown, shown) = (row.unit.show(ours), row.unit.show(baseline));
                writeln!(f, "| {} | {ours_shown} | {range} | {name} | {shown} | {:.2} |", row.what, ours / baseline)?;
            }
        }
        Ok(())
    }
}

impl Unit {
    fn bare(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}"),
            Self::Milliseconds => format!("{value:.3}"),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", self.bare(value)),
            Self::Milliseconds => format!("{} ms", self.bare(value)),
        }
    }
}

/// The value in the middle: rounds are odd in number.
fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The smallest value that at least this many percent of all do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}
