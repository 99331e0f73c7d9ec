//! Chat whose peers talk directly to each other; a tracker only helps them find each other.

pub mod clock;
pub mod code;
pub mod identity;
pub mod message;
pub mod node;
pub mod protocol;
pub mod record;
pub mod storage;
#[cfg(feature = "test-utils")]
pub mod testing;
pub mod tracker;
pub mod transport;
