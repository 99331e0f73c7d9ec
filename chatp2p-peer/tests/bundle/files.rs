//! The files of the page, as they are committed.

use std::path::{Path, PathBuf};

/// The committed page.
pub(crate) fn webui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("webui")
}

/// The paths of all files below a folder, as seen from the root and with slashes on every system, in the order of their bytes.
pub(crate) fn below(root: &Path, folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().expect("a name that is text");
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            paths.append(&mut below(root, &path));
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}
