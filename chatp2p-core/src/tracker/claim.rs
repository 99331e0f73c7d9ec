//! How a name is claimed: by the signed record of the key that owns it, or, as classic clients do, by just saying so.

use std::fmt;

use crate::identity::{Domain, Identity, Username};
use crate::record::SignedRecord;

use super::TrackerError;

/// The longest host of a classic claim, in bytes: a DNS name at its limit.
const MAX_HOST_BYTES: usize = 253;

/// A wish to be listed under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// By a key, which owns the name from then on.
    Signed(SignedClaim),
    /// By nobody in particular.
    Classic(ClassicClaim),
}

impl Claim {
    /// The name that is claimed.
    pub fn username(&self) -> &Username {
        match self {
            Self::Signed(claim) => &claim.record.record().username,
            Self::Classic(claim) => &claim.username,
        }
    }
}

/// The random id of a tracker. Written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackerId(pub [u8; 16]);

impl fmt::Display for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// A record and its owner's signature that it is to be listed *at this tracker*.
///
/// A record alone claims nothing: everybody has it who can read the listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedClaim {
    record: SignedRecord,
    tracker: TrackerId,
    signature: [u8; 64],
}

impl SignedClaim {
    /// Signs a claim on the record's name at a tracker.
    pub fn sign(identity: &Identity, record: SignedRecord, tracker: TrackerId) -> Self {
        let signature = identity.sign(Domain::Claim, &Self::statement(&record, tracker));
        Self { record, tracker, signature }
    }

    /// Verifies a claim that came from somewhere.
    ///
    /// # Errors
    /// [`TrackerError::ProofInvalid`] when the record's key has not signed this.
    pub fn verify(record: SignedRecord, tracker: TrackerId, signature: [u8; 64]) -> Result<Self, TrackerError> {
        let statement = Self::statement(&record, tracker);
        if record.record().peer_id.verifies(Domain::Claim, &statement, &signature) {
            Ok(Self { record, tracker, signature })
        } else {
            Err(TrackerError::ProofInvalid)
        }
    }

    fn statement(record: &SignedRecord, tracker: TrackerId) -> Vec<u8> {
        [&tracker.0[..], &record.encode()].concat()
    }

    /// What is to be listed.
    pub const fn record(&self) -> &SignedRecord {
        &self.record
    }

    /// At which tracker.
    pub const fn tracker(&self) -> TrackerId {
        self.tracker
    }

    /// The signature over both.
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// A name and an address that somebody says are theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicClaim {
    username: Username,
    host: String,
    port: u16,
}

impl ClassicClaim {
    /// A claim whose fields are within their rules: host of 1–253 bytes without blanks, control characters or any of
    /// ``< > " ' & / \ ` ``; port 1–65535.
    ///
    /// # Errors
    /// [`TrackerError::Invalid`], which says what would be right.
    pub fn new(username: Username, host: &str, port: u16) -> Result<Self, TrackerError> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || "<>\"'&/\\`".contains(c);
        if host.is_empty() || host.len() > MAX_HOST_BYTES || host.chars().any(refused) {
            return Err(TrackerError::Invalid {
                reason: format!("host: a host name or IP address of 1 to {MAX_HOST_BYTES} bytes is needed"),
            });
        }
        if port == 0 {
            return Err(TrackerError::Invalid { reason: "port: a number from 1 to 65535 is needed".to_owned() });
        }
        Ok(Self { username, host: host.to_owned(), port })
    }

    /// The name.
    pub const fn username(&self) -> &Username {
        &self.username
    }

    /// The host as given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1–65535.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PeerRecord;

    #[test]
    fn a_claim_holds_at_its_tracker_alone_and_a_record_is_no_claim() {
        let alice = Identity::from_seed(&[1; 32]);
        let record = PeerRecord {
            username: "alice".parse().unwrap(),
            peer_id: alice.peer_id(),
            endpoints: vec!["ws://127.0.0.1:5001".parse().unwrap()],
            seq: 1,
            pre_keys: None,
            letterboxes: Vec::new(),
        };
        let record = SignedRecord::sign(&alice, record).unwrap();
        let (here, there) = (TrackerId([1; 16]), TrackerId([2; 16]));
        let claim = SignedClaim::sign(&alice, record.clone(), here);
        assert!(SignedClaim::verify(record.clone(), here, *claim.signature()).is_ok());
        assert!(SignedClaim::verify(record.clone(), there, *claim.signature()).is_err());
        let eve = Identity::from_seed(&[3; 32]);
        let forged = SignedClaim::sign(&eve, record.clone(), here);
        assert!(SignedClaim::verify(record, here, *forged.signature()).is_err());
    }

    #[test]
    fn impossible_addresses_are_refused() {
        let claim = |host: &str, port| ClassicClaim::new("alice".parse().unwrap(), host, port);
        for host in ["", " ", "a b", "a\0b", "<b>", &"x".repeat(254)] {
            assert!(claim(host, 1).is_err(), "{host:?}");
        }
        assert!(claim("localhost", 0).is_err());
        for host in ["localhost", "192.0.2.1", "::1", "[::1]", "my_pc", "josé.local"] {
            assert!(claim(host, 65535).is_ok(), "{host:?}");
        }
    }
}
