//! What both chatp2p programs need to serve: [`serve`] accepts connections and bounds them, [`Dress`] puts around an API
//! what every answer needs, [`Problem`] is the one shape of every refusal, and [`JsonBody`] reads requests strictly.

pub mod address;
pub mod beside;
pub mod body;
pub mod cors;
pub mod docs;
pub mod dress;
pub mod dumps;
pub mod logging;
pub mod problem;
pub mod query;
pub mod server;
pub mod shutdown;
pub mod tls;

pub use address::address;
pub use beside::Beside;
pub use body::{BodyLimit, JsonBody};
pub use cors::{Origin, OriginError, Origins};
pub use dress::Dress;
pub use problem::{Problem, Refused, Statuses};
pub use query::utf8_query;
pub use server::{Limits, serve, serve_over};
pub use tls::Tls;
