//! The rules, each from a path and its text to what is wrong there.

use super::code::{dependencies, modules_named, words};

/// A rule: what is wrong in a file.
pub(crate) type Rule = fn(&str, &str) -> Vec<String>;

/// The longest file. Typical are 120 lines.
pub(crate) const MAX_LINES: usize = 500;

/// The sources that must decide without a runtime, a clock, randomness or IO.
const PURE: &[&str] = &[
    "chatp2p-core/src/protocol",
    "chatp2p-core/src/clock",
    "chatp2p-core/src/code",
    "chatp2p-core/src/identity",
    "chatp2p-core/src/record",
    "chatp2p-core/src/message",
    "chatp2p-core/src/tracker/registry",
    "chatp2p-core/src/tracker/claim",
    "chatp2p-core/src/tracker/lease",
];

/// Words that have no place in pure code, wherever they stand.
const IMPURE: &[&str] = &[
    "tokio",
    "async_std",
    "mio",
    "Instant",
    "elapsed",
    "getrandom",
    "rand",
    "OsRng",
    "thread_rng",
    "ThreadRng",
    "fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "thread",
    "sleep",
];

/// What each module of core may name of core beside itself. A module that is not listed here may name nothing.
const BELOW: &[(&str, &[&str])] = &[
    ("cbor", &[]),
    ("identity", &[]),
    ("clock", &[]),
    ("code", &[]),
    ("record", &["cbor", "identity"]),
    ("message", &["clock", "identity"]),
    ("crypto", &["clock", "identity", "message", "record"]),
    ("protocol", &["cbor", "clock", "code", "crypto", "identity", "message", "record", "storage"]),
    ("storage", &["clock", "code", "crypto", "identity", "message", "record", "tracker"]),
    ("tracker", &["clock", "code", "identity", "record", "storage"]),
    ("transport", &["code", "identity", "message", "record"]),
    ("mailbox", &["cbor", "clock", "code", "identity", "message", "record", "storage", "transport"]),
    (
        "node",
        &[
            "clock",
            "code",
            "crypto",
            "identity",
            "mailbox",
            "message",
            "protocol",
            "record",
            "storage",
            "tracker",
            "transport",
        ],
    ),
    (
        "testing",
        &[
            "clock",
            "code",
            "crypto",
            "identity",
            "mailbox",
            "message",
            "node",
            "protocol",
            "record",
            "storage",
            "tracker",
            "transport",
        ],
    ),
];

/// The files that hold a port, and the modules in them that are adapters.
const PORTS: &[(&str, &[&str])] = &[
    ("chatp2p-core/src/crypto.rs", &["olm", "seeded"]),
    ("chatp2p-core/src/storage.rs", &["memory", "sql", "profile"]),
    ("chatp2p-core/src/tracker.rs", &["local", "http", "set"]),
    ("chatp2p-core/src/transport.rs", &["memory", "websocket"]),
];

/// Libraries that are nobody's business but an adapter's.
const ADAPTERS_LIBRARIES: &[&str] = &[
    "vodozemac",
    "reqwest",
    "sea_orm",
    "sea_orm_migration",
    "sqlx",
    "tokio_tungstenite",
    "tungstenite",
    "hyper",
    "tokio_rustls",
];

fn is_source_of(path: &str, krate: &str) -> bool {
    path.ends_with(".rs") && path.strip_prefix(krate).is_some_and(|rest| rest.starts_with("/src/"))
}

/// Whether a path is this module's file or in its folder.
fn is_module(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Core names no HTTP framework, no command line parser, no environment variable.
pub(crate) fn core_is_a_library(path: &str, text: &str) -> Vec<String> {
    let banned = ["poem", "poem_openapi", "clap", "dotenvy"];
    if path == "chatp2p-core/Cargo.toml" {
        let named = |line: &str| banned.iter().find(|name| line.replace('-', "_").starts_with(*name)).copied();
        return dependencies(text)
            .iter()
            .filter_map(|(_, line)| named(line))
            .map(|name| format!("names {name}"))
            .collect();
    }
    if !is_source_of(path, "chatp2p-core") {
        return Vec::new();
    }
    let words = words(text);
    let env = |at: usize| words[at] == "env" && words.get(at + 1).map(String::as_str) != Some("!");
    (0..words.len())
        .filter(|at| banned.contains(&words[*at].as_str()) || env(*at))
        .map(|at| format!("names {}", words[at]))
        .collect()
}

/// The pure modules decide from their arguments alone. Only an identity is drawn where it is defined, and only the
/// simulator, which nobody ships, is free.
pub(crate) fn pure_is_pure(path: &str, text: &str) -> Vec<String> {
    let simulator = "chatp2p-core/src/protocol/sim";
    if !path.ends_with(".rs") || !PURE.iter().any(|module| is_module(path, module)) || is_module(path, simulator) {
        return Vec::new();
    }
    let words = words(text);
    let exception = |word: &str| path == "chatp2p-core/src/identity.rs" && word == "getrandom";
    let mut wrong: Vec<String> = words
        .iter()
        .filter(|word| IMPURE.contains(&word.as_str()) && !exception(word))
        .map(|word| format!("names {word}"))
        .collect();
    let now = |four: &[String]| four[0] == "SystemTime" && four[1] == ":" && four[3] == "now";
    wrong.extend(words.windows(4).filter(|four| now(four)).map(|_| "reads the clock".to_owned()));
    wrong
}

/// A module of core names only the modules below it.
pub(crate) fn downward_only(path: &str, text: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("chatp2p-core/src/").filter(|inside| inside.ends_with(".rs")) else {
        return Vec::new();
    };
    let module = inside.split(['/', '.']).next().unwrap_or_default();
    if module == "lib" {
        return Vec::new();
    }
    let below = BELOW.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, below)| below);
    modules_named(&words(text))
        .into_iter()
        .filter(|named| named != module && !below.contains(&named.as_str()))
        .map(|named| format!("names crate::{named}"))
        .collect()
}

/// A port file declares its adapters and hands them on, and says nothing else about them.
pub(crate) fn ports_name_no_adapter(path: &str, text: &str) -> Vec<String> {
    let Some((_, adapters)) = PORTS.iter().find(|(port, _)| *port == path) else { return Vec::new() };
    let words = words(text);
    let mut banned: Vec<String> = adapters.iter().chain(ADAPTERS_LIBRARIES).map(|name| (*name).to_owned()).collect();
    let mut rest: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let end = words[at..].iter().position(|word| word == ";").map_or(words.len(), |length| at + length);
        let declares = words[at] == "mod" && words.get(at + 2).map(String::as_str) == Some(";");
        let hands_on = words[at] == "pub"
            && words.get(at + 1).map(String::as_str) == Some("use")
            && words.get(at + 2).is_some_and(|module| adapters.contains(&module.as_str()));
        if declares {
            at = end + 1;
        } else if hands_on {
            let names = words[at + 3..end].iter().filter(|word| word.chars().next().is_some_and(char::is_uppercase));
            banned.extend(names.cloned());
            at = end + 1;
        } else {
            rest.push(&words[at]);
            at += 1;
        }
    }
    rest.iter().filter(|word| banned.iter().any(|name| name == *word)).map(|word| format!("names {word}")).collect()
}

/// The first line of every file says why it exists.
pub(crate) fn says_why(path: &str, text: &str) -> Vec<String> {
    let why = text.lines().next().and_then(|line| line.strip_prefix("//! ")).is_some_and(|why| !why.trim().is_empty());
    if path.ends_with(".rs") && !why {
        vec!["does not open with `//!` and why it exists".to_owned()]
    } else {
        Vec::new()
    }
}

/// A tracker dials nobody: what is registered there makes it open no connection. (It has one to its database.)
pub(crate) fn trackers_never_dial(path: &str, text: &str) -> Vec<String> {
    let within = ["chatp2p-core/src/tracker/local", "chatp2p-core/src/tracker/registry"];
    let rules = within.iter().any(|module| is_module(path, module));
    let service = is_source_of(path, "chatp2p-tracker");
    if !(rules || service) {
        return Vec::new();
    }
    let banned = [
        "TcpStream",
        "UdpSocket",
        "lookup_host",
        "reqwest",
        "HttpTracker",
        "transport",
        "Transport",
        "Clearance",
        "dial",
    ];
    words(text).iter().filter(|word| banned.contains(&word.as_str())).map(|word| format!("names {word}")).collect()
}

/// A file can be held in the head.
pub(crate) fn short_enough(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if path.ends_with(".rs") && lines > MAX_LINES { vec![format!("has {lines} lines")] } else { Vec::new() }
}

/// No queue without a limit. Macros and generated code slip past the linter that bans the function.
pub(crate) fn bounded(path: &str, text: &str) -> Vec<String> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let banned = ["unbounded_channel", "unbounded", "UnboundedSender", "UnboundedReceiver"];
    words(text).iter().filter(|word| banned.contains(&word.as_str())).map(|word| format!("names {word}")).collect()
}

/// peer and tracker stand beside each other, service and core below them. Tests may use both.
pub(crate) fn crates_point_down(path: &str, text: &str) -> Vec<String> {
    let (krate, above): (&str, &[&str]) = match path.split('/').next() {
        Some("chatp2p-core") => ("chatp2p-core", &["chatp2p-service", "chatp2p-peer", "chatp2p-tracker"]),
        Some("chatp2p-service") => ("chatp2p-service", &["chatp2p-peer", "chatp2p-tracker"]),
        Some("chatp2p-peer") => ("chatp2p-peer", &["chatp2p-tracker"]),
        Some("chatp2p-tracker") => ("chatp2p-tracker", &["chatp2p-peer"]),
        _ => return Vec::new(),
    };
    if is_source_of(path, krate) {
        let above: Vec<String> = above.iter().map(|name| name.replace('-', "_")).collect();
        let named = words(text).into_iter().filter(|word| above.contains(word));
        return named.map(|word| format!("names {word}")).collect();
    }
    if !path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    // Core is below everything, its tests included; the tests of the services may use their neighbour.
    let counts = |table: &str| krate == "chatp2p-core" || !table.contains("dev-dependencies");
    let mut wrong = Vec::new();
    for (table, line) in dependencies(text).iter().filter(|(table, _)| counts(table)) {
        wrong.extend(above.iter().filter(|name| line.contains(*name)).map(|name| format!("[{table}] names {name}")));
    }
    wrong
}
