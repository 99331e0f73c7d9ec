//! What somebody who runs a mailbox hands over to those who may use it: its key, so that nobody has to believe a tracker
//! about it, and where it is.
//!
//! `chatp2p-mailbox:` *code* `@` *endpoint* [`,` *endpoint*]. The code is base32 of a version, the key, and a check over
//! everything, as in a [contact link](crate::identity::ContactLink).

use std::fmt;
use std::str::FromStr;

use crate::identity::{PeerId, key_code};
use crate::record::{Endpoint, MAX_ENDPOINT_BYTES, MAX_MAILBOX_ENDPOINTS, P2P_PATH};

/// The longest address of a mailbox in bytes: scheme, code, and two of the longest endpoints.
pub const MAX_MAILBOX_ADDRESS_BYTES: usize =
    SCHEME.len() + key_code::CODE_CHARS + MAX_MAILBOX_ENDPOINTS * (MAX_ENDPOINT_BYTES + 1);

const SCHEME: &str = "chatp2p-mailbox:";
const VERSION: u8 = 1;
const CONTEXT: &str = "chatp2p mailbox address v1";

/// A mailbox's key and where it can be dialled.
///
/// ```
/// use chatp2p_core::identity::Identity;
/// use chatp2p_core::mailbox::MailboxAddress;
///
/// let carol = Identity::from_seed(&[4; 32]).peer_id();
/// let address = MailboxAddress::new(carol, vec!["ws://192.0.2.7:5001".parse()?])?;
/// assert_eq!(address.to_string().parse(), Ok(address));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxAddress {
    peer_id: PeerId,
    endpoints: Vec<Endpoint>,
}

impl MailboxAddress {
    /// The mailbox of this key, which can be dialled there, best first.
    ///
    /// # Errors
    /// [`MailboxAddressError::Endpoints`] for none, for more than [`MAX_MAILBOX_ENDPOINTS`], for the same one twice, and for
    /// one with port 0.
    pub fn new(peer_id: PeerId, endpoints: Vec<Endpoint>) -> Result<Self, MailboxAddressError> {
        let dialable = endpoints.iter().all(Endpoint::is_dialable);
        let different =
            endpoints.iter().enumerate().all(|(at, one)| !endpoints.iter().take(at).any(|other| other == one));
        if dialable && different && (1..=MAX_MAILBOX_ENDPOINTS).contains(&endpoints.len()) {
            Ok(Self { peer_id, endpoints })
        } else {
            Err(MailboxAddressError::Endpoints)
        }
    }

    /// The key that the mailbox proves.
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Where it can be dialled, best first.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The path is always the same.
    fn places(&self) -> String {
        let shown = |endpoint: &Endpoint| {
            let text = endpoint.to_string();
            text.strip_suffix(P2P_PATH).map(str::to_owned).unwrap_or(text)
        };
        self.endpoints.iter().map(shown).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for MailboxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places();
        let code = key_code::write(CONTEXT, VERSION, self.peer_id, &[places.as_bytes()]);
        write!(f, "{SCHEME}{code}@{places}")
    }
}

impl FromStr for MailboxAddress {
    type Err = MailboxAddressError;

    /// Takes exactly what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_MAILBOX_ADDRESS_BYTES {
            return Err(MailboxAddressError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(MailboxAddressError::Scheme)?;
        let (code, places) = rest.split_once('@').ok_or(MailboxAddressError::Damaged)?;
        let peer_id = key_code::read(code, VERSION)?;
        let endpoints: Result<Vec<Endpoint>, _> = places.split(',').map(str::parse).collect();
        let address = Self::new(peer_id, endpoints.map_err(|_| MailboxAddressError::Damaged)?)?;
        // One way to write each: whatever else leads here, the check among it, was not written by us.
        if address.to_string() == text { Ok(address) } else { Err(MailboxAddressError::Damaged) }
    }
}

/// Why a text is no address of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxAddressError {
    /// It begins with something else.
    #[error("the address of a mailbox begins with chatp2p-mailbox:")]
    Scheme,
    /// Longer than [`MAX_MAILBOX_ADDRESS_BYTES`].
    #[error("the address of a mailbox has at most {MAX_MAILBOX_ADDRESS_BYTES} bytes")]
    TooLong,
    /// Written by a newer program.
    #[error("the address of the mailbox is of version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Mistyped, cut short or changed.
    #[error("the address of the mailbox is damaged: have it sent again, and copy all of it")]
    Damaged,
    /// It names no endpoint that can be dialled, or too many.
    #[error("a mailbox has one to {MAX_MAILBOX_ENDPOINTS} different endpoints that can be dialled")]
    Endpoints,
}

impl From<key_code::Misread> for MailboxAddressError {
    fn from(misread: key_code::Misread) -> Self {
        match misread {
            key_code::Misread::Version(version) => Self::Version(version),
            key_code::Misread::Damaged => Self::Damaged,
        }
    }
}

impl MailboxAddressError {
    /// The stable code for it.
    pub const fn code(&self) -> crate::code::Code {
        crate::code::Code::InvalidMailbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn carol() -> PeerId {
        Identity::from_seed(&[4; 32]).peer_id()
    }

    fn at(endpoints: &[&str]) -> Result<MailboxAddress, MailboxAddressError> {
        MailboxAddress::new(carol(), endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect())
    }

    #[test]
    fn an_address_reads_back_with_any_endpoints() {
        let host = "h".repeat(63);
        let long = format!("wss://{host}.{host}.{host}.{}:65535", "h".repeat(60));
        let other = format!("wss://{host}.{host}.{host}.{}:65534", "h".repeat(60));
        for endpoints in [
            &["ws://192.0.2.7:5001"][..],
            &["ws://[2001:db8::1]:5001", "wss://mail.example.org:443"],
            &["memory:carol"],
            &[&long, &other],
        ] {
            let address = at(endpoints).unwrap();
            let text = address.to_string();
            assert_eq!(text.parse(), Ok(address), "{text}");
            assert!(text.len() <= MAX_MAILBOX_ADDRESS_BYTES && !text.contains(P2P_PATH), "{text}");
        }
    }

    #[test]
    fn endpoints_are_bounded_different_and_dialable() {
        for endpoints in
            [&[][..], &["ws://192.0.2.7:0"], &["memory:a", "memory:a"], &["memory:a", "memory:b", "memory:c"]]
        {
            assert_eq!(at(endpoints), Err(MailboxAddressError::Endpoints), "{endpoints:?}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        let good = at(&["ws://192.0.2.7:5001"]).unwrap().to_string();
        let parse = |text: &str| text.parse::<MailboxAddress>().unwrap_err();
        assert_eq!(parse("chatp2p:x@ws://192.0.2.7:5001"), MailboxAddressError::Scheme);
        assert_eq!(parse(&good.to_uppercase()), MailboxAddressError::Scheme);
        assert_eq!(parse(&format!("{good}{}", "x".repeat(MAX_MAILBOX_ADDRESS_BYTES))), MailboxAddressError::TooLong);
        assert_eq!(parse(&good.replace("mailbox:a", "mailbox:b")), MailboxAddressError::Version(9));
        for damaged in [
            "chatp2p-mailbox:",
            "chatp2p-mailbox:@ws://192.0.2.7:5001",
            &good[..good.len() - 1],
            &good.replace("192.0.2.7", "192.0.2.8"),
            &good.replace("ws://", "wss://"),
            &format!("{good}/p2p"),
            &format!("{good},"),
            &format!("{good},ws://192.0.2.9:5001"),
            &format!("{good} "),
            &good.replacen("mailbox:a", "mailbox:A", 1),
        ] {
            assert_eq!(parse(damaged), MailboxAddressError::Damaged, "{damaged}");
        }
    }
}
