//! Stores that live as long as the process: for tests, for the simulator, and for peers that need no past.

mod profile;

pub use profile::{MemoryProfile, ProfileData};
