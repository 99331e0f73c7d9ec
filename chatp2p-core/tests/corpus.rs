//! Every input that fuzzing has found worth keeping, through the same code as when it was found.
//!
//! `CHATP2P_CORPUS=seed cargo test -p chatp2p-core --test corpus` writes what the targets begin with, where it is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use chatp2p_core::testing::fuzz::{Depth, TARGETS, Target};

/// The most that is kept of one target, so that the test stays quick and the repository small.
const MAX_INPUTS: usize = 200;

fn folder(target: &Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target.name)
}

fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    let mut kept: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).unwrap()))
        .collect();
    kept.sort();
    kept
}

#[test]
fn everything_that_was_found_once_is_tried_again() {
    for target in TARGETS {
        if std::env::var_os("CHATP2P_CORPUS").is_some_and(|wish| wish == "seed") {
            std::fs::create_dir_all(folder(target)).unwrap();
            for (number, seed) in (target.seeds)().iter().enumerate() {
                std::fs::write(folder(target).join(format!("seed-{number:02}")), seed).unwrap();
            }
        }
        let kept = kept(target);
        assert!((1..=MAX_INPUTS).contains(&kept.len()), "{}: {} inputs", target.name, kept.len());
        let mut deep = 0;
        for (file, input) in &kept {
            // Shown when it fails.
            println!("{}/{file}", target.name);
            deep += usize::from((target.run)(input) == Depth::Deep);
        }
        assert!(deep * 8 >= kept.len(), "{}: only {deep} of {} get anywhere", target.name, kept.len());
        assert_eq!((target.run)(&[]), (target.run)(&[]), "{}: not the same twice", target.name);
    }
}

#[test]
fn what_the_targets_begin_with_gets_somewhere() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let deep = seeds.iter().filter(|seed| (target.run)(seed) == Depth::Deep).count();
        assert!(deep > 0, "{}: none of {} seeds gets anywhere", target.name, seeds.len());
    }
}
