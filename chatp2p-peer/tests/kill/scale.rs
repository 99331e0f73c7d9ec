//! How large a run is: a small one every day, and a thorough one for whoever asks.

use std::str::FromStr;

/// What an environment variable says, if it says anything.
pub(crate) fn setting<T: FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).map_or(otherwise, |value| value.parse().ok().expect("a number"))
}
