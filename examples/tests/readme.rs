//! The README and its Spanish twin say the same: as many headings of the same rank, the same commands and code, the same tables,
//! and nothing that leads nowhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ENGLISH: &str = "README.md";
const SPANISH: &str = "README.es.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A text, divided into what is in fences and what is not.
#[derive(Default)]
struct Parts {
    /// The language of each fence, and its lines.
    code: Vec<(String, Vec<String>)>,
    prose: Vec<String>,
}

fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => {
                parts.code.push((language.to_owned(), Vec::new()));
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => parts.code.last_mut().unwrap().1.push(line.to_owned()),
            (None, false) => parts.prose.push(line.to_owned()),
        }
    }
    assert!(!inside, "a fence is never closed");
    parts
}

/// A command without what is said about it to people.
fn command(line: &str) -> String {
    let comment = line.find(" # ").filter(|_| !line.starts_with('#'));
    line.get(..comment.unwrap_or(line.len())).unwrap().trim_end().to_owned()
}

/// What stands between backticks, in order.
fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// Where links and pictures lead.
fn targets(prose: &[String]) -> Vec<String> {
    let text = prose.join("\n");
    text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

#[test]
fn both_have_the_same_headings_by_rank() {
    let ranks = |file| -> Vec<usize> {
        let headings = parts(&read(file)).prose.into_iter().filter(|line| line.starts_with('#'));
        headings.map(|line| line.chars().take_while(|c| *c == '#').count()).collect()
    };
    let english = ranks(ENGLISH);
    assert!(english.len() > 12, "{english:?}");
    assert_eq!(ranks(SPANISH), english);
}

#[test]
fn both_have_the_same_commands_and_the_same_code() {
    let (english, spanish) = (parts(&read(ENGLISH)).code, parts(&read(SPANISH)).code);
    let languages = |code: &[(String, Vec<String>)]| code.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(languages(&spanish), languages(&english));
    let mut commands = 0;
    for ((language, ours), (_, theirs)) in english.iter().zip(&spanish) {
        match language.as_str() {
            // A drawing, with words in it.
            "text" => assert_eq!(theirs.len(), ours.len()),
            "bash" => {
                let strip = |lines: &[String]| lines.iter().map(|line| command(line)).collect::<Vec<_>>();
                assert_eq!(strip(theirs), strip(ours));
                commands += ours.len();
            }
            _ => assert_eq!(theirs, ours),
        }
    }
    assert!(commands > 15, "only {commands} lines of commands");
}

#[test]
fn both_have_the_same_tables_row_by_row() {
    let rows = |file| -> Vec<Vec<String>> {
        let rows = parts(&read(file)).prose.into_iter().filter(|line| line.starts_with('|'));
        rows.map(|row| spans(&row).into_iter().map(str::to_owned).collect()).collect()
    };
    let english = rows(ENGLISH);
    assert!(english.len() > 50, "{}", english.len());
    for (number, (ours, theirs)) in english.iter().zip(rows(SPANISH)).enumerate() {
        assert_eq!(theirs, *ours, "row {number}");
    }
    assert_eq!(rows(SPANISH).len(), english.len());
}

#[test]
fn everything_they_lead_to_is_there() {
    for file in [ENGLISH, SPANISH] {
        let prose = parts(&read(file)).prose;
        let anchors: BTreeSet<String> =
            prose.iter().filter(|line| line.starts_with('#')).map(|line| anchor(line)).collect();
        let targets = targets(&prose);
        assert!(targets.len() > 15, "{file}: {targets:?}");
        for target in targets.iter().filter(|target| !target.starts_with("http")) {
            match target.strip_prefix('#') {
                Some(anchor) => {
                    assert!(anchors.contains(anchor), "{file}: no heading is {target}; there are {anchors:?}")
                }
                None => assert!(root().join(target).exists(), "{file}: {target} does not exist"),
            }
        }
    }
}

/// The name that a heading goes by in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_flag_of_the_programs_is_in_both() {
    let (english, spanish) = (read(ENGLISH), read(SPANISH));
    for config in ["chatp2p-peer/src/config.rs", "chatp2p-tracker/src/config.rs"] {
        let source = read(config);
        let variables = source.split("CHATP2P_").skip(1).map(|rest| rest.split('"').next().unwrap());
        let flags: BTreeSet<String> = variables
            .filter_map(|name| name.strip_prefix("PEER_").or(name.strip_prefix("TRACKER_")))
            .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .map(|name| format!("--{}", name.to_lowercase().replace('_', "-")))
            .collect();
        assert!(flags.len() > 4, "{config}: {flags:?}");
        for flag in flags {
            assert!(english.contains(&flag) && spanish.contains(&flag), "{config}: {flag} is not in both");
        }
    }
}
