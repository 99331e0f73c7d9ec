//! Files and folders that nobody but their owner may open: how they are made, and how one sees that they still are so.
//! Keys, histories and the tokens of an API are kept in such.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Makes a folder, and those above it, for its owner alone. One that exists is left as it is: look with [`is_private`].
///
/// # Errors
/// Those of the file system.
pub fn folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file for writing; makes it, for its owner alone, where there is none.
///
/// # Errors
/// Those of the file system.
pub fn file(file: &Path, truncate: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(truncate);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Writes a file that after a power cut is there as a whole, or as it was before.
///
/// # Errors
/// Those of the file system.
pub fn write_whole(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.new"));
    let mut file = file(&unfinished, true)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    sync_folder(folder)
}

/// Makes the names in a folder durable, where the system can.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Whether nobody but its owner may open it. Elsewhere than on Unix, the folders of a user's data are the user's alone
/// by default, and this says so unseen.
///
/// # Errors
/// Those of the file system.
pub fn is_private(path: &Path) -> io::Result<bool> {
    Ok(granted(path)? & 0o077 == 0)
}

/// Whether nobody but its owner may change what is in it. Enough for a folder whose content is private piece by piece:
/// who cannot write there cannot put something else in the place of a piece.
///
/// # Errors
/// Those of the file system.
pub fn is_unchanged_by_others(path: &Path) -> io::Result<bool> {
    Ok(granted(path)? & 0o022 == 0)
}

/// The rights that it grants, as Unix writes them.
fn granted(path: &Path) -> io::Result<u32> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    #[cfg(not(unix))]
    let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
    Ok(mode)
}
