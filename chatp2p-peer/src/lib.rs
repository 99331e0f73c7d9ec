//! A chatp2p peer as a program: the library's node behind an HTTP API and a WebSocket of events, for this machine alone.
//!
//! [`run`] serves on a socket that the caller bound until the caller says stop; [`App`] is the API by itself, over whatever
//! starts nodes.

pub mod access;
mod api;
pub mod config;
mod desk;
pub mod doctor;
mod guard;
mod live;
mod p2p;
mod secret_file;
mod service;
mod shield;
pub mod start;
mod ui;
mod upgrade;

pub use config::{Config, Options};
pub use service::{App, open, openapi, run};
