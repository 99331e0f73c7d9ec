//! The list of examples lists them all, and what it tells people to type works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use program::{end, example};

const README: &str = include_str!("../README.md");

/// What lies in the folder and is no example.
const OTHERS: [&str; 4] = ["Cargo.toml", "README.md", "benches", "tests"];

/// How far a length in the list may be off: it tells how long one reads, and not every line more should need a change there.
const MAX_OFF: usize = 20;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every example by its name, with its files.
fn examples() -> BTreeMap<String, Vec<PathBuf>> {
    let paths = |folder: &Path| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let mut found = paths(folder());
    found.retain(|path| !OTHERS.contains(&path.file_name().unwrap().to_str().unwrap()));
    let named = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, if path.is_dir() { paths(&path) } else { vec![path] })
    };
    found.into_iter().map(named).collect()
}

/// The cells of the table, a row for each example.
fn rows() -> Vec<[&'static str; 4]> {
    let rows = README.lines().filter(|line| line.starts_with("| [`"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap()).collect()
}

fn name(cell: &str) -> &str {
    cell.trim_start_matches("[`").split('`').next().unwrap()
}

/// What people are told to type: in the table and below it.
fn commands() -> Vec<&'static str> {
    let listed = rows().into_iter().map(|[_, _, command, _]| command.trim_matches('`'));
    listed.chain(README.lines().filter(|line| line.starts_with("cargo "))).collect()
}

#[test]
fn every_example_is_listed_with_its_place_and_has_a_test() {
    let mut listed: Vec<_> = rows().iter().map(|[example, ..]| name(example)).collect();
    listed.sort_unstable();
    assert_eq!(listed, examples().keys().collect::<Vec<_>>());
    for [example, ..] in rows() {
        let link = example.split(['(', ')']).nth(1).unwrap();
        assert!(folder().join(link).exists(), "{link}");
        let test = folder().join("tests").join(name(example)).with_extension("rs");
        assert!(test.exists(), "{test:?}");
    }
}

#[test]
fn every_example_is_about_as_long_as_listed() {
    for [example, _, _, listed] in rows() {
        let files = &examples()[name(example)];
        let lines: usize = files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).sum();
        assert!(lines.abs_diff(listed.parse().unwrap()) <= MAX_OFF, "{example} has {lines} lines, not {listed}");
    }
}

#[test]
fn every_example_says_at_its_top_how_to_run_it() {
    for (name, files) in examples() {
        let file = files.iter().find(|file| files.len() == 1 || file.ends_with("main.rs")).unwrap();
        let top: String = fs::read_to_string(file).unwrap().lines().take(15).collect();
        let ways = [format!("cargo run --example {name}"), format!("cargo {name}"), format!("examples/{name}.py")];
        assert!(ways.iter().any(|way| top.contains(way)), "{file:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn every_command_names_an_example_and_flags_that_it_has() {
    let mut tried = 0;
    for command in commands() {
        let Some(command) = command.strip_prefix("cargo run --example ") else {
            assert!(command.starts_with("python3 examples/rest_client.py "), "{command}");
            continue;
        };
        let (name, flags) = command.split_once(" -- ").unwrap_or((command, ""));
        let flagless = ["embedded_chat", "custom_storage", "custom_transport"].contains(&name);
        // Help comes after the first flag that there is not.
        let help = if flagless { None } else { Some("--help") };
        let output = end(example(name).args(flags.split_whitespace()).args(help)).await;
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        assert!(!flagless || flags.is_empty(), "{command}");
        tried += 1;
    }
    assert_eq!(tried, rows().len() + 3, "all but the client in Python, and four more");
    let output = end(example("echo_bot").args(["--dance", "--help"])).await;
    assert_eq!(output.status.code(), Some(2), "a flag that there is not passes for one");
}
