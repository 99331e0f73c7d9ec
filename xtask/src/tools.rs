//! What the machine has, and what may be fetched when it is a throw-away one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::report::Outcome;

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::workspace());
    command
}

/// Runs a command, which writes where this does.
pub(crate) fn run(command: &mut Command) -> Result<Outcome> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {}", shown(command)))?;
    Ok(if status.success() { Outcome::Passed } else { Outcome::Failed(format!("{}: {status}", shown(command))) })
}

/// Whether a command can be run at all.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// As one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// A program in the search path or in one of these folders.
pub(crate) fn find(name: &str, also: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(also.iter().cloned()).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Whether this is a machine that may be changed: one of continuous integration, and we are its root.
pub(crate) fn may_install() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true" || ci == "1");
    ci && is_root() && find("apt-get", &[]).is_some()
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Installs packages of Debian's. Says whether that worked.
pub(crate) fn install(packages: &[&str]) -> bool {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        matches!(run(&mut command), Ok(Outcome::Passed))
    };
    println!("installing {}", packages.join(", "));
    apt(&["update", "-q"]) && apt(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}
