//! Stores that live as long as the process: for tests, for the simulator, for peers that need no past, and as the model of
//! what a store must do.

mod mail;
mod profile;
mod registry;

pub use mail::MemoryMail;
pub use profile::{MemoryProfile, ProfileData};
pub use registry::MemoryRegistry;
