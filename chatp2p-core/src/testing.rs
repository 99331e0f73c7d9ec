//! Contract suites: what every implementation of a port must do, as one named test per case; and alice, bob and eve.

pub mod fuzz;
pub mod mail_store;
pub mod node;
pub mod profile_store;
pub mod registry_store;
pub mod tracker;
pub mod transport;
