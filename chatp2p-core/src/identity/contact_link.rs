//! What somebody hands over to be added as a contact: a `chatp2p:` link with their key in it, so that nobody has to believe a
//! tracker about it.
//!
//! `chatp2p:` *code* `/` *name* [`?tracker=` *address*]. The code is base32 of a version, the key, and a check over
//! everything, so that a link that was mistyped or cut short is refused and never leads to another key.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{PeerId, Username, key_code};

/// The longest link in bytes: the longest name with four escaped bytes for each character, and a tracker.
pub const MAX_LINK_BYTES: usize = 1_280;

/// The longest address of a tracker in a link, in bytes before it is escaped.
pub const MAX_TRACKER_HINT_BYTES: usize = 128;

const SCHEME: &str = "chatp2p:";
const TRACKER: &str = "?tracker=";
const VERSION: u8 = 1;
const CONTEXT: &str = "chatp2p contact link v1";

/// Everything but the characters that RFC 3986 leaves unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A person's key and name, to be given to somebody over a channel that both trust.
///
/// ```
/// use chatp2p_core::identity::{ContactLink, Identity};
///
/// let link = ContactLink::new(Identity::from_seed(&[2; 32]).peer_id(), "bob".parse()?);
/// assert_eq!(link.to_string().parse(), Ok(link));
/// # Ok::<(), chatp2p_core::identity::UsernameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactLink {
    peer_id: PeerId,
    name: Username,
    tracker: Option<String>,
}

impl ContactLink {
    /// A link to this peer, who goes by this name.
    pub const fn new(peer_id: PeerId, name: Username) -> Self {
        Self { peer_id, name, tracker: None }
    }

    /// The same link with the address of a tracker where the peer can be found.
    ///
    /// # Errors
    /// [`ContactLinkError::Tracker`] for what is no `http://` or `https://` address, or longer than [`MAX_TRACKER_HINT_BYTES`].
    pub fn at_tracker(self, address: &str) -> Result<Self, ContactLinkError> {
        let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
        let host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']));
        if !host || address.len() > MAX_TRACKER_HINT_BYTES || !address.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ContactLinkError::Tracker);
        }
        Ok(Self { tracker: Some(address.to_owned()), ..self })
    }

    /// Whose link it is.
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The name by which they go at their tracker.
    pub const fn name(&self) -> &Username {
        &self.name
    }

    /// A tracker where they can be found, if the link names one. A hint: nothing is believed because of it.
    pub fn tracker(&self) -> Option<&str> {
        self.tracker.as_deref()
    }
}

impl fmt::Display for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name has no zero byte, so that it cannot be taken for part of the tracker.
        let beside = [self.name.as_str(), "\0", self.tracker.as_deref().unwrap_or_default()].map(str::as_bytes);
        let code = key_code::write(CONTEXT, VERSION, self.peer_id, &beside);
        write!(f, "{SCHEME}{code}/{}", utf8_percent_encode(self.name.as_str(), ESCAPED))?;
        match &self.tracker {
            Some(tracker) => write!(f, "{TRACKER}{}", utf8_percent_encode(tracker, ESCAPED)),
            None => Ok(()),
        }
    }
}

impl FromStr for ContactLink {
    type Err = ContactLinkError;

    /// Takes exactly what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LINK_BYTES {
            return Err(ContactLinkError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(ContactLinkError::Scheme)?;
        let (code, rest) = rest.split_once('/').ok_or(ContactLinkError::Damaged)?;
        let peer_id = key_code::read(code, VERSION)?;
        let (name, tracker) = match rest.split_once(TRACKER) {
            Some((name, tracker)) => (name, Some(tracker)),
            None => (rest, None),
        };
        let unescaped = |text: &str| percent_decode_str(text).decode_utf8().map(String::from);
        let name = unescaped(name).ok().and_then(|name| name.parse().ok()).ok_or(ContactLinkError::Damaged)?;
        let link = Self::new(peer_id, name);
        let link = match tracker {
            Some(tracker) => link.at_tracker(&unescaped(tracker).map_err(|_| ContactLinkError::Tracker)?)?,
            None => link,
        };
        // One way to write each link: whatever else leads here, the check among it, was not written by us.
        if link.to_string() == text { Ok(link) } else { Err(ContactLinkError::Damaged) }
    }
}

/// Why a text is no contact link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContactLinkError {
    /// It begins with something else.
    #[error("a contact link begins with chatp2p:")]
    Scheme,
    /// Longer than [`MAX_LINK_BYTES`].
    #[error("a contact link has at most {MAX_LINK_BYTES} bytes")]
    TooLong,
    /// Written by a newer program.
    #[error("the contact link is of version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Mistyped, cut short or changed.
    #[error("the contact link is damaged: have it sent again, and copy all of it")]
    Damaged,
    /// What should be the address of a tracker is none.
    #[error(
        "the tracker of a contact link is an http:// or https:// address of at most {MAX_TRACKER_HINT_BYTES} bytes"
    )]
    Tracker,
}

impl From<key_code::Misread> for ContactLinkError {
    fn from(misread: key_code::Misread) -> Self {
        match misread {
            key_code::Misread::Version(version) => Self::Version(version),
            key_code::Misread::Damaged => Self::Damaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn bob() -> PeerId {
        Identity::from_seed(&[2; 32]).peer_id()
    }

    fn link(name: &str) -> ContactLink {
        ContactLink::new(bob(), name.parse().unwrap())
    }

    #[test]
    fn a_link_reads_back_with_any_name_and_any_tracker() {
        let longest = "小".repeat(64);
        for name in ["bob", "José-ñandú", "Владимир", "x_1.2-3~", &longest] {
            let plain = link(name);
            assert_eq!(plain.to_string().parse(), Ok(plain.clone()), "{name}");
            let address = format!("https://{}:8000/?a=%25&b#c", "h".repeat(100));
            let found = plain.at_tracker(&address).unwrap();
            assert_eq!(found.to_string().parse::<ContactLink>().as_ref(), Ok(&found));
            assert_eq!(found.tracker(), Some(&*address));
            assert!(found.to_string().len() <= MAX_LINK_BYTES);
        }
    }

    #[test]
    fn the_longest_link_is_within_the_bound() {
        // Four bytes a character, and each byte of the tracker escaped.
        let name = "\u{20000}".repeat(64);
        let address = format!("http://h{}", "?".repeat(MAX_TRACKER_HINT_BYTES - 8));
        let longest = link(&name).at_tracker(&address).unwrap();
        assert_eq!(longest.to_string().parse(), Ok(longest));
    }

    #[test]
    fn the_usual_link_fits_a_small_qr_code() {
        // In bytes, with level M: version 5 holds 84 of them, version 7 holds 122.
        assert!(link("bob-smith-1").to_string().len() <= 84);
        let hinted = link("bob").at_tracker("http://192.168.1.5:8000").unwrap();
        assert!(hinted.to_string().len() <= 122, "{hinted}");
    }

    #[test]
    fn what_is_no_link_says_why() {
        let good = link("bob").to_string();
        let parse = |text: &str| text.parse::<ContactLink>().unwrap_err();
        assert_eq!(parse("https://example.org"), ContactLinkError::Scheme);
        assert_eq!(parse(&good.to_uppercase()), ContactLinkError::Scheme);
        assert_eq!(parse(&format!("{good}{}", "x".repeat(MAX_LINK_BYTES))), ContactLinkError::TooLong);
        assert_eq!(parse(&good.replace("chatp2p:a", "chatp2p:b")), ContactLinkError::Version(9));
        for damaged in [
            "chatp2p:",
            "chatp2p:/bob",
            &good[..good.len() - 1],
            &good.replace("bob", "eve"),
            &good.replace("bob", "%62ob"),
            &format!("{good}?"),
            &format!("{good} "),
            &good.replacen("chatp2p:a", "chatp2p:A", 1),
        ] {
            assert_eq!(parse(damaged), ContactLinkError::Damaged, "{damaged}");
        }
        assert_eq!(parse(&format!("{good}?tracker=ftp%3A%2F%2Fx")), ContactLinkError::Tracker);
        for address in ["", "http://", "http://:80", "https:///x", "ws://x", "http://a b", "http://\u{e9}"] {
            assert_eq!(link("bob").at_tracker(address), Err(ContactLinkError::Tracker), "{address}");
        }
    }

    #[test]
    fn a_name_cannot_be_moved_into_the_tracker() {
        let hinted = link("bob").at_tracker("http://x").unwrap().to_string();
        assert_eq!(hinted.replace("?tracker=", "%3Ftracker%3D").parse::<ContactLink>(), Err(ContactLinkError::Damaged));
    }
}
