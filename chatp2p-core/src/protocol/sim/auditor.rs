//! Looks at every ciphertext that leaves a node and remembers which key made it: no key may ever make two.

use std::collections::BTreeMap;

use crate::crypto::{Ciphertext, CiphertextHash, Suite};

/// What was seen on all wires.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    seen: BTreeMap<([u8; 32], u64), CiphertextHash>,
}

impl Auditor {
    /// Notes a ciphertext; the same one may be sent again and again.
    pub(super) fn look(&mut self, suite: &dyn Suite, ciphertext: &Ciphertext) -> Result<(), String> {
        let key = suite.message_key(ciphertext).ok_or("a ciphertext names no key")?;
        match self.seen.insert(key, ciphertext.hash()) {
            Some(before) if before != ciphertext.hash() => Err(format!("key {} of a chain made two messages", key.1)),
            _ => Ok(()),
        }
    }

    /// How many keys were used.
    pub(super) fn keys(&self) -> u64 {
        self.seen.len() as u64
    }
}
