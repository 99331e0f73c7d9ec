//! Texts that whoever holds them may act by: drawn at random, shown once, kept as a hash alone, and never printed by accident.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a secret is made of. Nobody guesses 256 bits, however fast they may ask.
const SECRET_BYTES: usize = 32;

/// A token, a code or a ticket as its holder presents it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Draws a new one, which begins with these words so that people and scanners know it when they see it.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn draw(begins: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{begins}{}", data_encoding::BASE64URL_NOPAD.encode(&bytes))))
    }

    /// One that somebody presents.
    pub(crate) fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret itself, to be handed to its holder.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(blake3::hash(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What is kept of a secret. A plain hash is right for it: slow, salted hashing is for passwords, of which a thief of the
/// file could try all likely ones; of 256 random bits none is likely.
///
/// Two of them are compared in constant time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(blake3::Hash);

/// How much of a digest names what it is of: twelve digits tell a hundred apart, and can be typed.
const NAMING_DIGITS: usize = 12;

impl Digest {
    /// Its beginning, by which people name what it is of.
    pub(crate) fn begins(&self) -> String {
        self.0.to_hex().chars().take(NAMING_DIGITS).collect()
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_never_the_same_and_never_shown() {
        let (one, other) = (Secret::draw("x_").unwrap(), Secret::draw("x_").unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), "x_".len() + 43);
        for shown in [format!("{one:?}"), format!("{:#?}", Some(&one))] {
            assert!(shown.contains("[redacted]") && !shown.contains(one.expose()), "{shown}");
        }
    }

    #[test]
    fn a_digest_is_that_of_the_whole_text() {
        let secret = Secret::draw("x_").unwrap();
        assert_eq!(Secret::presented(secret.expose()).digest(), secret.digest());
        let (last, rest) = (secret.expose().len() - 1, secret.expose());
        for other in [&rest[..last], &format!("{rest} "), ""] {
            assert_ne!(Secret::presented(other).digest(), secret.digest(), "{other}");
        }
        let kept = serde_json::to_string(&secret.digest()).unwrap();
        assert!(!kept.contains(secret.expose()));
        assert_eq!(serde_json::from_str::<Digest>(&kept).unwrap(), secret.digest());
    }
}
