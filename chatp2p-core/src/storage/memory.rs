//! Stores that forget everything with the process: for tests, for trying out, and as the model of what a store must do.

mod registry;

pub use registry::MemoryRegistry;
