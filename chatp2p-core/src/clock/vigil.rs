//! Whether the machine has slept: then its links look alive and may be dead, and nobody has told it.

use std::time::Duration;

use super::Now;

/// How much time may be missing between two readings before it was sleep. Longer than a busy machine holds a task up and than
/// a clock is put right by; shorter than any link that is left alone takes to be given up.
pub const MAX_MISSING: Duration = Duration::from_secs(10);

/// Looks at both clocks again and again.
///
/// A clock that runs through sleep shows it by a reading that comes too late. Where the monotonic clock stands still
/// meanwhile, as on Linux, the wall clock has gone further. A wall clock that is put forward looks the same, so that what
/// is said here is a reason to doubt and none to act upon; one that is put back says nothing.
#[derive(Debug, Clone)]
pub struct Vigil {
    every: Duration,
    last: Option<Now>,
}

impl Vigil {
    /// A vigil that is shown the clocks that often.
    pub const fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Takes a reading. Says about how long the machine has slept since the one before, if it seems to have.
    pub fn look(&mut self, now: Now) -> Option<Duration> {
        let last = self.last.replace(now)?;
        let passed = now.mono.saturating_sub(last.mono);
        let late = passed.saturating_sub(self.every);
        let ahead = now.wall.since(last.wall).saturating_sub(passed);
        Some(late.max(ahead)).filter(|missing| *missing > MAX_MISSING)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Wall;
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);
    const HOUR: u64 = 3_600_000;

    /// A vigil over clocks that both show the same, and then once what they are made to.
    struct Clocks {
        vigil: Vigil,
        mono: u64,
        wall: u64,
    }

    impl Clocks {
        fn new() -> Self {
            let mut clocks = Self { vigil: Vigil::new(EVERY), mono: 0, wall: 1_700_000_000_000 };
            for _ in 0..3 {
                assert_eq!(clocks.after(5_000, 5_000), None);
            }
            clocks
        }

        /// What is said once each clock has gone on by so many milliseconds.
        fn after(&mut self, mono: u64, wall: i64) -> Option<Duration> {
            self.mono += mono;
            self.wall = self.wall.saturating_add_signed(wall);
            self.vigil.look(Now { mono: Duration::from_millis(self.mono), wall: Wall::from_millis(self.wall) })
        }
    }

    #[test]
    fn sleep_through_which_the_monotonic_clock_stood_still_is_noticed_once() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.after(5_000, 3_605_000), Some(Duration::from_millis(HOUR)));
        assert_eq!(clocks.after(5_000, 5_000), None);
    }

    #[test]
    fn sleep_through_which_both_clocks_ran_is_noticed_once() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.after(3_605_000, 3_605_000), Some(Duration::from_millis(HOUR)));
        assert_eq!(clocks.after(5_000, 5_000), None);
    }

    #[test]
    fn sleep_is_noticed_though_the_wall_clock_was_put_back_meanwhile_where_the_other_ran() {
        assert!(Clocks::new().after(3_605_000, -86_400_000).is_some());
    }

    #[test]
    fn a_busy_machine_and_a_clock_that_is_put_right_are_no_sleep() {
        let mut clocks = Clocks::new();
        for (mono, wall) in [(5_000, 15_000), (15_000, 15_000), (5_000, 4_000), (0, 0), (12_000, 20_000)] {
            assert_eq!(clocks.after(mono, wall), None, "{mono} and {wall}");
        }
        assert!(clocks.after(5_000, 15_001).is_some() && clocks.after(15_001, 15_001).is_some());
    }

    #[test]
    fn a_wall_clock_that_is_put_back_is_no_sleep_and_hides_none_that_comes_later() {
        let mut clocks = Clocks::new();
        assert_eq!(clocks.after(5_000, -86_400_000), None);
        assert_eq!(clocks.after(5_000, 5_000), None);
        assert!(clocks.after(5_000, 65_000).is_some());
    }

    #[test]
    fn a_wall_clock_that_is_put_forward_is_taken_for_sleep_once() {
        let mut clocks = Clocks::new();
        assert!(clocks.after(5_000, 86_400_000).is_some());
        assert_eq!(clocks.after(5_000, 5_000), None);
    }

    #[test]
    fn the_first_reading_says_nothing_and_no_reading_is_too_strange() {
        let mut vigil = Vigil::new(EVERY);
        let at = |mono: Duration, wall| Now { mono, wall: Wall::from_millis(wall) };
        assert_eq!(vigil.look(at(Duration::MAX, u64::MAX)), None);
        assert_eq!(vigil.look(at(Duration::ZERO, 0)), None);
        assert!(vigil.look(at(Duration::MAX, u64::MAX)).is_some());
    }
}
