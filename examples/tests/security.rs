//! What SECURITY.md says tries out the promises is there: every test that it names, and what keeps dependencies in bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// How many threats there are whose tests are named.
const THREATS: usize = 24;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rows of the table: what it is called, and each test with its file.
fn rows(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let rows = text.lines().filter(|line| line.starts_with("| T") && line.contains("::"));
    rows.map(|row| {
        let [threat, _, tests] =
            row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
        let mut file = None;
        let mut named = Vec::new();
        for name in tests.split('`').skip(1).step_by(2) {
            let name = name.split_once("::").map_or(name, |(path, name)| {
                file = Some(path.to_owned());
                name
            });
            named.push((file.clone().expect("a file before the first name"), name.to_owned()));
        }
        (threat.to_owned(), named)
    })
    .collect()
}

/// Whether a file has a test of this name: a function that is one, or a case of a contract, or a play of the page.
fn has(source: &str, file: &str, name: &str) -> bool {
    if file.ends_with(".ts") {
        return source.contains(&format!("test('{name}'"));
    }
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let before = source[..at].rsplit("\n\n").next().unwrap_or_default();
    before.contains("test") || file.starts_with("chatp2p-core/src/testing/")
}

#[test]
fn every_test_that_is_named_there_exists() {
    let rows = rows(&fs::read_to_string(root().join("SECURITY.md")).unwrap());
    assert_eq!(rows.len(), THREATS);
    for (threat, tests) in rows {
        assert!(!tests.is_empty(), "{threat}");
        for (file, name) in tests {
            let source =
                fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{threat}: {file}: {error}"));
            assert!(has(&source, &file, &name), "{threat}: {file} has no test {name}");
        }
    }
}

#[test]
fn what_is_no_test_is_none() {
    let source = "#[test]\nfn holds() {}\n\nfn helps() {}\n";
    assert!(has(source, "a/tests/b.rs", "holds") && !has(source, "a/tests/b.rs", "helps"));
    assert!(!has(source, "a/tests/b.rs", "hold") && !has(source, "a/b.ts", "holds"));
    assert!(has("test('it works', async () => {", "a/b.ts", "it works"));
}

#[test]
fn no_crate_of_ours_has_unsafe_code_and_all_others_are_looked_at() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    let members = workspace.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 6, "{members:?}");
    for member in members {
        assert!(read(&format!("{member}/Cargo.toml")).contains("[lints]\nworkspace = true"), "{member}");
    }
    let deny = read("deny.toml");
    for word in
        ["[advisories]", "yanked = \"deny\"", "unknown-registry = \"deny\"", "unknown-git = \"deny\"", "openssl-sys"]
    {
        assert!(deny.contains(word), "{word}");
    }
    assert!(read("xtask/src/steps.rs").contains(r#"["deny", "--workspace", "--locked", "check"]"#));
    let locked = read("Cargo.lock");
    let from_elsewhere =
        locked.lines().filter(|line| line.starts_with("source = ") && !line.contains("crates.io-index"));
    assert_eq!(from_elsewhere.collect::<Vec<_>>(), [""; 0]);
}
