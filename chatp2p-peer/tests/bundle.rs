//! The committed page is the one that its committed source makes, whole, and sufficient to itself. Nobody needs Node to
//! find out: the build leaves hashes of what went in and of what came out, and both are computed here anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "bundle/files.rs"]
mod files;

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use files::{below, webui};

/// What to do when the two do not agree.
const BUILD: &str = "run `cd frontend && npm run build` and commit what it changes in chatp2p-peer/webui";

/// The file that holds the hashes. It is no part of what they are about.
const PROOF: &str = "build.json";

/// The sources beside the two folders.
const FILES: [&str; 5] = ["index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json"];
const FOLDERS: [&str; 2] = ["src", "public"];

/// The most that the page may add to the program, in bytes. Half of it is emoji and their names in two languages.
const MAX_SIZE: usize = 1_500_000;

/// Hosts whose names stand in scripts and are never asked: namespaces of XML, and what Vue and its libraries tell
/// developers to read. Pages and style sheets have no such excuse.
const READ_BY_PEOPLE: [&str; 3] = ["w3.org", "vuejs.org", "intlify.dev"];

/// This machine, as a default or an example.
const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

/// The kinds of file that a browser takes addresses from.
const LOADING: [&str; 6] = [".html", ".js", ".css", ".svg", ".json", ".webmanifest"];

fn frontend() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../frontend")
}

fn sha256(data: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(&Sha256::digest(data))
}

/// The hash of what `sha256sum` would print for these files, in the order of their names' bytes.
fn listed(root: &Path, mut paths: Vec<String>) -> String {
    paths.sort();
    let line = |path: &String| format!("{}  {path}\n", sha256(std::fs::read(root.join(path)).unwrap()));
    sha256(paths.iter().map(line).collect::<String>())
}

fn proof(of: &str) -> String {
    let text = std::fs::read_to_string(webui().join(PROOF)).unwrap_or_else(|error| panic!("{PROOF}: {error}; {BUILD}"));
    let proof: Value = serde_json::from_str(&text).unwrap();
    proof[of].as_str().unwrap_or_else(|| panic!("{PROOF} says nothing about its {of}; {BUILD}")).to_owned()
}

/// The files of the bundle that hold text with addresses.
fn texts() -> Vec<(String, String)> {
    let loading = below(&webui(), "").into_iter().filter(|path| LOADING.iter().any(|ending| path.ends_with(ending)));
    let texts: Vec<_> =
        loading.map(|path| (path.clone(), std::fs::read_to_string(webui().join(path)).unwrap())).collect();
    assert!(texts.len() > 1, "a page and its script at least");
    texts
}

#[test]
fn the_bundle_was_built_from_the_source_that_is_here() {
    let root = frontend();
    if !root.join("src").exists() {
        eprintln!("SKIPPED: the source of the page is not here, only what was built from it");
        return;
    }
    let files = FILES.iter().filter(|name| root.join(name).exists()).map(|name| (*name).to_owned());
    let folders = FOLDERS.iter().filter(|name| root.join(name).exists()).flat_map(|name| below(&root, name));
    let sources = listed(&root, files.chain(folders).collect());
    assert_eq!(sources, proof("sources"), "the page was built from another source: {BUILD}");
}

#[test]
fn the_bundle_is_what_the_build_made() {
    let built = below(&webui(), "").into_iter().filter(|path| path != PROOF).collect();
    assert_eq!(listed(&webui(), built), proof("bundle"), "files of the page were changed, added or lost: {BUILD}");
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let page = std::fs::read_to_string(webui().join("index.html")).unwrap();
    let named: Vec<_> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .filter(|address| !address.starts_with("data:"))
        .collect();
    assert!(named.iter().any(|address| address.ends_with(".js")), "no script in {named:?}");
    for address in named {
        let path = address.strip_prefix("/app/").unwrap_or_else(|| panic!("{address} is not below /app/"));
        assert!(webui().join(path).is_file(), "index.html names {address}, which is not there: {BUILD}");
    }
}

#[test]
fn names_of_files_need_no_escaping_in_an_address() {
    for path in below(&webui(), "") {
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte)), "{path}");
    }
}

#[test]
fn the_page_names_no_other_host_to_load_from() {
    for (path, text) in texts() {
        let script = path.ends_with(".js");
        for scheme in ["https://", "http://", "wss://", "ws://"] {
            for rest in text.split(scheme).skip(1) {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c)).unwrap_or(rest.len());
                let host = &rest[..end];
                let is = |name: &&str| host == *name || host.ends_with(&format!(".{name}"));
                // Nothing follows where a script puts the address together while it runs.
                let harmless = host.is_empty() || HERE.iter().any(&is);
                let read = if script { &READ_BY_PEOPLE[..] } else { &READ_BY_PEOPLE[..1] };
                assert!(harmless || read.iter().any(is), "{path} names {scheme}{host}");
            }
        }
        if !script {
            for opening in ["=\"//", "='//", "url(//", "url(\"//", "url('//"] {
                assert!(!text.contains(opening), "{path} loads by {opening}");
            }
        }
    }
}

#[test]
fn the_page_stays_small() {
    let size: usize = below(&webui(), "").iter().map(|path| std::fs::read(webui().join(path)).unwrap().len()).sum();
    assert!(size <= MAX_SIZE, "the page has {size} bytes, {MAX_SIZE} at most");
}
