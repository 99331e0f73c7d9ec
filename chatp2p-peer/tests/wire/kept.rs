//! What programs keep in their folders, and whether a text is to be read in it.

use std::path::{Path, PathBuf};

pub(crate) fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Everything that a program keeps in a folder. A database that is being closed removes its journal meanwhile.
pub(crate) fn kept(folder: &Path) -> Vec<u8> {
    let read = |file: PathBuf| match std::fs::read(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.unwrap(),
    };
    files(folder).into_iter().flat_map(read).collect()
}
