//! What a program holds in its memory, as a core dump would show it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use crate::play::Program;

/// The most that is read at once.
const PIECE: usize = 1 << 20;

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
