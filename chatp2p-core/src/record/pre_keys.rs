//! The keys by which an encrypted conversation begins, as a record names them.

use std::fmt;

use minicbor::{Decode, Encode};

/// A public X25519 key. Any 32 bytes are one; those that lead to no secret are refused where they are used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ExchangeKey(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl ExchangeKey {
    /// The key of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ExchangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeKey({}…)", data_encoding::HEXLOWER.encode(self.0.get(..4).unwrap_or_default()))
    }
}

/// With what somebody can begin an encrypted conversation with the record's owner, who vouches for it with the record's
/// signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PreKeys {
    /// Which cipher they are for.
    #[n(0)]
    pub suite: u8,
    /// The account's lasting key.
    #[n(1)]
    pub identity: ExchangeKey,
    /// Serves whoever has no one-time key; turned now and then.
    #[n(2)]
    pub fallback: ExchangeKey,
}
