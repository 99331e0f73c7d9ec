//! What a registration gives back: the right to beat and to leave, proved by a MAC under a secret instead of a
//! signature, because a beat comes every 30 seconds from everybody and verifying a signature each time would triple its cost.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::identity::Username;

/// The right to keep a registration and to take it back.
///
/// Not `Clone`: two holders would use each other's counters up.
pub struct Lease {
    username: Username,
    secret: Option<[u8; 32]>,
    counter: AtomicU64,
}

/// What a proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseAction {
    /// "I am still there."
    Heartbeat,
    /// "I am leaving."
    Unregister,
}

/// The proof that a beat or a farewell comes from the holder of a lease. Each counter counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseProof {
    /// Higher than in every proof before.
    pub counter: u64,
    /// Keyed BLAKE3 over action, counter and name.
    pub mac: [u8; 32],
}

impl Lease {
    /// A lease on a name. `secret` is `None` for classic registrations, which anybody may keep or take back, and when
    /// the same claim was registered before.
    pub const fn new(username: Username, secret: Option<[u8; 32]>) -> Self {
        Self { username, secret, counter: AtomicU64::new(0) }
    }

    /// Whose lease it is.
    pub const fn username(&self) -> &Username {
        &self.username
    }

    /// The secret, to be handed to the holder and nobody else.
    pub const fn secret(&self) -> Option<&[u8; 32]> {
        self.secret.as_ref()
    }

    /// A new proof, which counts once. `None` when there is no secret.
    pub fn prove(&self, action: LeaseAction) -> Option<LeaseProof> {
        let secret = self.secret.as_ref()?;
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        Some(LeaseProof { counter, mac: mac(secret, action, counter, &self.username) })
    }
}

impl LeaseProof {
    /// Whether this proof was made with the secret, for this action and name (compared in constant time).
    pub fn holds(&self, secret: &[u8; 32], action: LeaseAction, username: &Username) -> bool {
        blake3::Hash::from_bytes(mac(secret, action, self.counter, username)) == blake3::Hash::from_bytes(self.mac)
    }
}

fn mac(secret: &[u8; 32], action: LeaseAction, counter: u64, username: &Username) -> [u8; 32] {
    let action = match action {
        LeaseAction::Heartbeat => 1,
        LeaseAction::Unregister => 2,
    };
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(b"chatp2p/lease/v1\0");
    hasher.update(&[action]);
    hasher.update(&counter.to_be_bytes());
    hasher.update(username.as_str().as_bytes());
    hasher.finalize().into()
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_secret_action_counter_and_name() {
        let alice: Username = "alice".parse().unwrap();
        let lease = Lease::new(alice.clone(), Some([7; 32]));
        let proof = lease.prove(LeaseAction::Heartbeat).unwrap();
        assert!(proof.holds(&[7; 32], LeaseAction::Heartbeat, &alice));
        assert!(!proof.holds(&[8; 32], LeaseAction::Heartbeat, &alice));
        assert!(!proof.holds(&[7; 32], LeaseAction::Unregister, &alice));
        assert!(!proof.holds(&[7; 32], LeaseAction::Heartbeat, &"bob".parse().unwrap()));
        assert!(!LeaseProof { counter: 2, ..proof }.holds(&[7; 32], LeaseAction::Heartbeat, &alice));
        assert_eq!(lease.prove(LeaseAction::Heartbeat).map(|p| p.counter), Some(2));
    }

    #[test]
    fn debugging_a_lease_shows_no_secret() {
        let lease = Lease::new("alice".parse().unwrap(), Some([171; 32]));
        assert!(!format!("{lease:?}").contains("171"));
    }
}
