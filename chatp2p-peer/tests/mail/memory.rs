//! What a program holds: in its files and, as a core dump would show it, in its memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::play::Program;

/// The most that is read at once.
const PIECE: usize = 1 << 20;

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// All that lies below a folder. A database that is being written removes its journal meanwhile.
pub(crate) fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.extend(fs::read(path).unwrap_or_default());
        }
    }
    all
}

/// All memory of a program that can be written to, as a core dump would have it; `None` where this machine does not let us
/// read it.
pub(crate) fn of(program: &Program) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", program.id())).ok()?;
    let memory = File::open(format!("/proc/{}/mem", program.id())).ok()?;
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut columns = line.split_whitespace();
        let (range, rights) = (columns.next()?, columns.next()?);
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        if !rights.starts_with("rw") {
            continue;
        }
        let mut at = from;
        while at < to {
            let mut piece = vec![0; PIECE.min(usize::try_from(to - at).ok()?)];
            match memory.read_at(&mut piece, at) {
                Ok(read) if read > 0 => {
                    all.extend_from_slice(&piece[..read]);
                    at += read as u64;
                }
                // Pages that are there in name only.
                _ => break,
            }
        }
    }
    (!all.is_empty()).then_some(all)
}
