//! Time as an argument: the pure modules are told what time it is and never look for themselves, so that a simulated
//! year passes in a second and a wrong wall clock can be tried out.

mod vigil;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use vigil::{MAX_MISSING, Vigil};

/// One reading of both clocks, taken by the driver once per turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since the node started; never goes backwards. Every time-out and back-off is measured on it.
    pub mono: Duration,
    /// What the wall clock shows; may jump either way. Only ever shown to people.
    pub wall: Wall,
}

/// A point in time in milliseconds since 1970-01-01T00:00:00Z.
///
/// Displayed as RFC 3339 in UTC with `Z`, to the millisecond. Bounded to the years 1970–9999, so that it can always be
/// displayed: later values are shown as the last millisecond of 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Wall(#[n(0)] u64);

impl Wall {
    /// The last instant that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
    const LAST: u64 = 253_402_300_799_999;

    /// A point in time from milliseconds since 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This point in time moved ahead by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl From<SystemTime> for Wall {
    /// Times before 1970 become 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0.min(Self::LAST));
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc3339_in_utc_with_z() {
        assert_eq!(Wall::from_millis(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Wall::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_clock_beyond_the_calendar_is_shown_as_its_last_instant() {
        assert_eq!(Wall::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
