//! Stores that forget everything with the process: for tests, for trying out, and as the model of what a store must do.

mod profile;
mod registry;

pub use profile::{MemoryProfile, ProfileData};
pub use registry::MemoryRegistry;
