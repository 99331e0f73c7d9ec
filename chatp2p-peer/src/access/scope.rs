//! What each request needs: nothing, or a token of one of three scopes. Whatever is not named here needs the largest, so
//! that a route that somebody adds is closed until somebody opens it.

use std::fmt;

use chatp2p_core::record::P2P_PATH;
use clap::ValueEnum;
use poem::http::Method;
use serde::{Deserialize, Serialize};

/// What a token is good for. Each scope holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scope {
    /// To read, and to listen at `/ws`.
    Read,
    /// To write to others too, to let them know what was read, to connect and to disconnect.
    Send,
    /// Everything: to start and stop the node, and to decide who is trusted.
    Admin,
}

impl Scope {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is another peer's, who proves a key of its own: tokens are no matter there.
    Elsewhere,
    /// Nothing; but a token that is presented must be right.
    Nothing,
    /// A token of this scope or a larger one, where tokens are asked for.
    Token(Scope),
}

/// What this request needs.
pub(crate) fn need(method: &Method, path: &str) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match path {
        P2P_PATH => Need::Elsewhere,
        _ if reads && is_public(path) => Need::Nothing,
        // It takes a code instead.
        "/sessions" if *method == Method::POST => Need::Nothing,
        // For `/ws`, which is reading.
        "/tickets" if *method == Method::POST => Need::Token(Scope::Read),
        _ if reads => Need::Token(Scope::Read),
        "/send" | "/connect" | "/broadcast" if *method == Method::POST => Need::Token(Scope::Send),
        _ if *method == Method::DELETE && path.starts_with("/disconnect/") => Need::Token(Scope::Send),
        _ if *method == Method::PUT && is_reading(path) => Need::Token(Scope::Send),
        _ => Need::Token(Scope::Admin),
    }
}

/// Says something to somebody: that they were read.
pub(crate) fn is_reading(path: &str) -> bool {
    path.strip_prefix("/conversations/").and_then(|rest| rest.strip_suffix("/read")).is_some()
}

/// The page's own files and the documentation are the same for everybody and say nothing about anybody; health is for
/// whoever watches over programs.
fn is_public(path: &str) -> bool {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    matches!(path, "/" | "/health" | "/openapi.json") || below("/app") || below("/docs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_holds_those_before_it() {
        assert!(Scope::Read < Scope::Send && Scope::Send < Scope::Admin);
    }

    #[test]
    fn what_nobody_has_thought_of_needs_the_largest_scope() {
        for (method, path) in [
            (Method::POST, "/anything"),
            (Method::PUT, "/send"),
            (Method::POST, "/send/"),
            (Method::DELETE, "/disconnect"),
            (Method::DELETE, "/messages/1"),
            (Method::POST, "/app/"),
            (Method::POST, "/health"),
            (Method::PUT, "/conversations/bob"),
            (Method::DELETE, "/conversations/bob/read"),
            (Method::PUT, "/settings"),
            (Method::PATCH, "/sessions"),
        ] {
            assert_eq!(need(&method, path), Need::Token(Scope::Admin), "{method} {path}");
        }
        for path in ["/anything", "/application", "/docs2", "//health", "/health/", "/sessions", "/ws"] {
            assert_eq!(need(&Method::GET, path), Need::Token(Scope::Read), "{path}");
        }
    }
}
