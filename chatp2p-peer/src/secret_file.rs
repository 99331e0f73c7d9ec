//! Files that somebody names by a flag and that are to be kept secret.

use std::fs;
use std::path::Path;

use anyhow::Context;
use chatp2p_core::storage::Passphrase;
use zeroize::Zeroizing;

/// What is in the file. A group may share it: many systems keep keys so. Everybody may not.
///
/// # Errors
/// When it cannot be read, or everybody can.
pub(crate) fn read(flag: &str, file: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let cannot = || format!("cannot read {flag} {}", file.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(file).with_context(cannot)?.permissions().mode() & 0o007 != 0 {
            anyhow::bail!("everybody may open {flag} {0}: `chmod 600 {0}` makes it secret", file.display());
        }
    }
    Ok(Zeroizing::new(fs::read(file).with_context(cannot)?))
}

/// The passphrase in this file: its only line.
///
/// # Errors
/// When it cannot be read, everybody can, or there is no passphrase in it.
pub(crate) fn passphrase(flag: &str, file: &Path) -> anyhow::Result<Passphrase> {
    let content = read(flag, file)?;
    let none = || format!("{flag} {} holds no passphrase", file.display());
    let text = std::str::from_utf8(&content).ok().with_context(|| format!("{}: it is not UTF-8", none()))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    anyhow::ensure!(!line.contains('\n'), "{}: it has more than one line", none());
    Passphrase::new(line).with_context(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &[u8]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        fs::write(&file, content).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        passphrase("--passphrase-file", &file).map(drop).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_passphrase_is_the_only_line_of_its_file() {
        for content in [&b"correct horse"[..], b"correct horse\n", b"correct horse\r\n", "contraseña ñandú".as_bytes()]
        {
            told(content).unwrap();
        }
        for (content, reason) in [
            (&b""[..], "at least 8 characters"),
            (b"short\n", "at least 8 characters"),
            (b"correct horse\nbattery staple\n", "more than one line"),
            (b"correct horse\n\n", "more than one line"),
            (b"\xff\xfe\0correct horse", "not UTF-8"),
        ] {
            let told = told(content).unwrap_err();
            assert!(told.starts_with("--passphrase-file ") && told.contains(reason), "{told}");
        }
        let nowhere = passphrase("--passphrase-file", Path::new("/no/such/file")).unwrap_err().to_string();
        assert_eq!(nowhere, "cannot read --passphrase-file /no/such/file");
    }

    #[cfg(unix)]
    #[test]
    fn what_everybody_may_read_is_no_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "correct horse").unwrap();
        for (mode, fine) in [(0o600, true), (0o440, true), (0o604, false), (0o644, false)] {
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let read = read("--tls-key", file.path());
            assert_eq!(read.is_ok(), fine, "{mode:o}: {read:?}");
        }
    }
}
