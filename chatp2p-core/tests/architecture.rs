//! The rules of DESIGN that no compiler checks: which way dependencies point, which modules are pure, how long a file
//! may be. Each rule is a function from a file to its trespasses, tried out on a planted one and then on the workspace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/rules.rs"]
mod rules;

use std::path::{Path, PathBuf};

use rules::Rule;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust source and every manifest of the workspace, by its path in it.
fn files() -> Vec<(String, String)> {
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "frontend"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") || name == "Cargo.toml" {
                let shown = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((shown, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn keep(rule: Rule) {
    let trespasses: Vec<String> = files()
        .iter()
        .flat_map(|(path, text)| rule(path, text).into_iter().map(move |what| format!("{path}: {what}")))
        .collect();
    assert!(trespasses.is_empty(), "{trespasses:#?}");
}

/// A rule that sees nothing wrong with any of these would be no rule.
fn notices(rule: Rule, planted: &[(&str, &str)]) {
    for (path, text) in planted {
        assert!(!rule(path, text).is_empty(), "nothing noticed in {path}: {text}");
    }
}

fn lets_pass(rule: Rule, harmless: &[(&str, &str)]) {
    for (path, text) in harmless {
        assert_eq!(rule(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_workspace_is_found() {
    let files = files();
    for path in ["chatp2p-core/src/lib.rs", "chatp2p-peer/Cargo.toml", "xtask/src/main.rs", "examples/demo/main.rs"] {
        assert!(files.iter().any(|(found, _)| found == path), "{path}");
    }
}

#[test]
fn core_serves_no_http_and_reads_no_command_line_or_environment() {
    keep(rules::core_is_a_library);
    notices(
        rules::core_is_a_library,
        &[
            ("chatp2p-core/src/node.rs", "use poem::Route;"),
            ("chatp2p-core/src/a.rs", "#[derive(clap::Parser)] struct A;"),
            ("chatp2p-core/src/a.rs", "fn a() { std::env::var(\"A\"); }"),
            ("chatp2p-core/src/a.rs", "use std::{env, fs};"),
            ("chatp2p-core/Cargo.toml", "[dependencies]\npoem.workspace = true\n"),
            ("chatp2p-core/Cargo.toml", "[dependencies.clap]\nversion = \"4\"\n"),
        ],
    );
    lets_pass(
        rules::core_is_a_library,
        &[
            ("chatp2p-core/src/a.rs", "// use poem::Route; std::env\nconst A: &str = env!(\"poem\");"),
            ("chatp2p-core/src/a.rs", "/// Like `std::env` and clap.\nfn a() { let a = \"std::env\"; }"),
            ("chatp2p-peer/src/a.rs", "use poem::Route;"),
            ("chatp2p-core/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { std::env::temp_dir(); } }"),
        ],
    );
}

#[test]
fn a_tracker_dials_nobody() {
    keep(rules::trackers_never_dial);
    notices(
        rules::trackers_never_dial,
        &[
            ("chatp2p-core/src/tracker/local.rs", "use tokio::net::TcpStream;"),
            ("chatp2p-core/src/tracker/registry/names.rs", "use crate::transport::Transport;"),
            ("chatp2p-tracker/src/api/peers.rs", "use chatp2p_core::tracker::HttpTracker;"),
            ("chatp2p-tracker/src/lib.rs", "fn a() { reqwest::get(\"http://a\"); }"),
        ],
    );
    lets_pass(
        rules::trackers_never_dial,
        &[
            ("chatp2p-core/src/tracker/http.rs", "use reqwest::Client;"),
            ("chatp2p-tracker/src/lib.rs", "use tokio::net::TcpListener;"),
            ("chatp2p-tracker/tests/far.rs", "use chatp2p_core::tracker::HttpTracker;"),
        ],
    );
}

#[test]
fn the_pure_modules_have_no_runtime_clock_randomness_or_io() {
    keep(rules::pure_is_pure);
    notices(
        rules::pure_is_pure,
        &[
            ("chatp2p-core/src/protocol/log.rs", "use tokio::sync::mpsc;"),
            ("chatp2p-core/src/protocol/state/flow.rs", "fn a() { std::time::Instant::now(); }"),
            ("chatp2p-core/src/record.rs", "use std::time::SystemTime; fn a() { SystemTime::now(); }"),
            ("chatp2p-core/src/clock.rs", "fn a() { let _ = std::time::UNIX_EPOCH.elapsed(); }"),
            ("chatp2p-core/src/tracker/registry/names.rs", "fn a(b: &mut [u8]) { getrandom::fill(b); }"),
            ("chatp2p-core/src/tracker/lease.rs", "use std::net::TcpStream;"),
            ("chatp2p-core/src/message.rs", "use std::fs;"),
            ("chatp2p-core/src/identity/username.rs", "fn a(b: &mut [u8]) { getrandom::fill(b); }"),
            ("chatp2p-core/src/identity.rs", "fn a() { rand::random() }"),
        ],
    );
    lets_pass(
        rules::pure_is_pure,
        &[
            ("chatp2p-core/src/identity.rs", "fn a(b: &mut [u8]) { getrandom::fill(b); }"),
            ("chatp2p-core/src/node/driver.rs", "use tokio::sync::mpsc; fn a() { std::time::Instant::now(); }"),
            ("chatp2p-core/src/protocol/log.rs", "// tokio, Instant::now()\nuse std::time::Duration;"),
            ("chatp2p-core/src/protocol/log.rs", "#[cfg(test)]\nmod tests { use tokio::test; }"),
        ],
    );
}

#[test]
fn modules_name_only_what_lies_below_them() {
    keep(rules::downward_only);
    notices(
        rules::downward_only,
        &[
            ("chatp2p-core/src/identity.rs", "use crate::record::PeerRecord;"),
            ("chatp2p-core/src/record/endpoint.rs", "use crate::{identity::PeerId, node::Node};"),
            ("chatp2p-core/src/protocol/log.rs", "fn a(_: crate::transport::Link) {}"),
            ("chatp2p-core/src/transport/memory.rs", "use crate::protocol::State;"),
            ("chatp2p-core/src/newcomer.rs", "use crate::node::Node;"),
        ],
    );
    lets_pass(rules::downward_only, &[("chatp2p-core/src/node.rs", "use crate::{protocol::State, transport::Link};")]);
}

#[test]
fn a_port_names_no_adapter() {
    keep(rules::ports_name_no_adapter);
    let declared = "mod memory; pub use memory::{MemoryRegistry, ProfileData};";
    notices(
        rules::ports_name_no_adapter,
        &[
            ("chatp2p-core/src/storage.rs", &format!("{declared} fn a(_: MemoryRegistry) {{}}")),
            ("chatp2p-core/src/tracker.rs", "mod http; pub use http::HttpTracker as Far; fn a() -> Far {}"),
            ("chatp2p-core/src/tracker.rs", "mod http; fn a() -> http::HttpTracker {}"),
            ("chatp2p-core/src/transport.rs", "fn a(_: tokio_tungstenite::tungstenite::Message) {}"),
            ("chatp2p-core/src/storage.rs", "enum E { Sql(sea_orm::DbErr) }"),
        ],
    );
    lets_pass(
        rules::ports_name_no_adapter,
        &[
            ("chatp2p-core/src/storage.rs", declared),
            ("chatp2p-core/src/tracker.rs", "mod claim; pub use claim::Claim; fn a(_: Claim) {}"),
            ("chatp2p-core/src/tracker.rs", "//! [`HttpTracker`] is one.\nmod http; pub use http::HttpTracker;"),
        ],
    );
}

#[test]
fn every_file_opens_with_why_it_exists() {
    keep(rules::says_why);
    notices(rules::says_why, &[("examples/a.rs", "fn main() {}"), ("xtask/src/a.rs", "//!\nfn main() {}")]);
    notices(rules::says_why, &[("chatp2p-core/src/a.rs", "// Why.\n//! Why.\n")]);
}

#[test]
fn no_file_is_longer_than_can_be_held_in_the_head() {
    keep(rules::short_enough);
    let (long, fine) = ("//\n".repeat(rules::MAX_LINES + 1), "//\n".repeat(rules::MAX_LINES));
    notices(rules::short_enough, &[("xtask/src/a.rs", &long)]);
    lets_pass(rules::short_enough, &[("xtask/src/a.rs", &fine)]);
}

#[test]
fn nothing_is_unbounded() {
    keep(rules::bounded);
    notices(
        rules::bounded,
        &[
            ("chatp2p-peer/src/a.rs", "fn a() { tokio::sync::mpsc::unbounded_channel(); }"),
            ("chatp2p-peer/src/a.rs", "use futures_channel::mpsc::unbounded;"),
            ("chatp2p-core/tests/a.rs", "use tokio::sync::mpsc::UnboundedSender;"),
        ],
    );
}

#[test]
fn crates_depend_downward_only() {
    keep(rules::crates_point_down);
    let tracker = "[dependencies]\nchatp2p-tracker.workspace = true\n";
    notices(
        rules::crates_point_down,
        &[
            ("chatp2p-peer/Cargo.toml", tracker),
            ("chatp2p-peer/Cargo.toml", "[target.'cfg(unix)'.dependencies.chatp2p-tracker]\npath = \"..\"\n"),
            ("chatp2p-peer/Cargo.toml", "[dependencies]\nt = { package = \"chatp2p-tracker\", version = \"0\" }\n"),
            ("chatp2p-tracker/Cargo.toml", "[build-dependencies]\nchatp2p-peer = { path = \"../chatp2p-peer\" }\n"),
            ("chatp2p-service/Cargo.toml", tracker),
            ("chatp2p-core/Cargo.toml", "[dev-dependencies]\nchatp2p-service.workspace = true\n"),
            ("chatp2p-peer/src/a.rs", "use chatp2p_tracker::app;"),
        ],
    );
    lets_pass(
        rules::crates_point_down,
        &[
            ("chatp2p-peer/Cargo.toml", "[dev-dependencies]\nchatp2p-tracker.workspace = true\n"),
            ("examples/Cargo.toml", tracker),
        ],
    );
}
