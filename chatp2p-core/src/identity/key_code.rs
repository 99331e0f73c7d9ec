//! A key as people hand it over: base32 of a version, the key, and a check over everything that stands beside it, so that
//! what was mistyped or cut short is refused and never leads to another key.

use super::PeerId;

/// Enough that a mutilated code passes by chance once in 2⁵⁶ times; with version and key a multiple of five bytes, which
/// base32 writes without a remainder.
const CHECK_BYTES: usize = 7;
const KEY_BYTES: usize = 32;

/// The characters of a code.
pub(crate) const CODE_CHARS: usize = (1 + KEY_BYTES + CHECK_BYTES) / 5 * 8;

/// Why a text is no code of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misread {
    Version(u8),
    Damaged,
}

/// Writes a code. `context` says of what, and `beside` is all that the check is over beside version and key.
pub(crate) fn write(context: &str, version: u8, key: PeerId, beside: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&[version]).update(key.as_bytes());
    for part in beside {
        hasher.update(part);
    }
    let check = <[u8; 32]>::from(hasher.finalize()).into_iter().take(CHECK_BYTES);
    let code: Vec<u8> = [version].into_iter().chain(*key.as_bytes()).chain(check).collect();
    data_encoding::BASE32_NOPAD.encode(&code).to_ascii_lowercase()
}

/// The key in a code. **The check is not looked at**: write what was read once more, and compare.
pub(crate) fn read(code: &str, version: u8) -> Result<PeerId, Misread> {
    let bytes = data_encoding::BASE32_NOPAD.decode(code.to_ascii_uppercase().as_bytes());
    let bytes = bytes.map_err(|_| Misread::Damaged)?;
    let (of, bytes) = bytes.split_first().ok_or(Misread::Damaged)?;
    if *of != version {
        return Err(Misread::Version(*of));
    }
    let key = bytes.first_chunk::<KEY_BYTES>().ok_or(Misread::Damaged)?;
    PeerId::from_bytes(*key).map_err(|_| Misread::Damaged)
}
