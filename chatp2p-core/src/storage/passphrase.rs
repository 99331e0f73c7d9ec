//! A profile under a passphrase: its key lies on the disk sealed, and everything else that is sealed there hangs on that
//! key.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::{Decode, Encode};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::heads::damaged;
use super::{StorageError, random};
use crate::crypto::Safe;

/// The shortest passphrase in characters, as NIST SP 800-63B has it.
pub const MIN_PASSPHRASE_CHARS: usize = 8;

/// The longest passphrase in bytes of UTF-8: a few sentences.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

/// Memory in KiB, passes, lanes: the second recommendation of RFC 9106, with one lane, as one thread computes it. About a
/// quarter of a second on a small machine, and for each guess of somebody who has the disk 64 MiB.
const COSTS: Costs = Costs { memory: 64 << 10, passes: 3, lanes: 1 };

/// The most that a file may ask for: it may come from somebody else.
const MAX_COSTS: Costs = Costs { memory: 1 << 20, passes: 16, lanes: 16 };

const SALT_BYTES: usize = 16;

/// How a sealed key begins. A plain one is 32 bytes, which is shorter.
const HEADING: &[u8] = b"chatp2p key, sealed with a passphrase\n";

/// What a profile is locked with: 8 characters to 1024 bytes, compared in Unicode's form C, so that it does not matter
/// which keyboard it was typed on. It is never shown, and wiped when it is dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase of this text.
    ///
    /// # Errors
    /// [`PassphraseError`] when it is too short or too long.
    pub fn new(text: &str) -> Result<Self, PassphraseError> {
        // Before it is walked through.
        if text.len() > MAX_PASSPHRASE_BYTES {
            return Err(PassphraseError::TooLong);
        }
        let text = Zeroizing::new(text.nfc().collect::<String>());
        match text.chars().count() {
            ..MIN_PASSPHRASE_CHARS => Err(PassphraseError::TooShort),
            _ => Ok(Self(text)),
        }
    }

    fn key(&self, salt: &[u8], costs: Costs) -> Result<Zeroizing<[u8; 32]>, StorageError> {
        let cannot =
            |_| StorageError::Unavailable { reason: "no key can be made of the passphrase".to_owned(), source: None };
        let mut key = Zeroizing::new([0; 32]);
        let params = Params::new(costs.memory, costs.passes, costs.lanes, Some(key.len())).map_err(cannot)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(self.0.as_bytes(), salt, &mut *key).map_err(cannot)?;
        Ok(key)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase([redacted])")
    }
}

/// Why a text is no passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// It would be guessed.
    #[error("a passphrase has at least {MIN_PASSPHRASE_CHARS} characters")]
    TooShort,
    /// Nobody types that.
    #[error("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")]
    TooLong,
}

#[derive(Debug, Clone, Copy, Encode, Decode)]
#[cbor(map)]
struct Costs {
    #[n(0)]
    memory: u32,
    #[n(1)]
    passes: u32,
    #[n(2)]
    lanes: u32,
}

impl Costs {
    const fn is_bearable(&self) -> bool {
        self.memory <= MAX_COSTS.memory && self.passes <= MAX_COSTS.passes && self.lanes <= MAX_COSTS.lanes
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Sealed {
    #[n(0)]
    costs: Costs,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    salt: [u8; SALT_BYTES],
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    seed: Vec<u8>,
}

/// Whether this is a key that [`seal`] wrote.
pub(super) fn is_sealed(stored: &[u8]) -> bool {
    stored.starts_with(HEADING)
}

/// The seed of an identity as it may lie on a disk. Takes a moment, on purpose.
pub(super) fn seal(seed: &[u8; 32], passphrase: &Passphrase) -> Result<Vec<u8>, StorageError> {
    let random = random::<{ SALT_BYTES + 32 }>()?;
    let mut salt = [0; SALT_BYTES];
    let (first, nonces) = random.split_at(SALT_BYTES);
    salt.copy_from_slice(first);
    let nonces = nonces.try_into().map_err(|_| damaged("the nonces have not 32 bytes"))?;
    let key = passphrase.key(&salt, COSTS)?;
    let seed = Safe::new(&key, nonces).seal(HEADING, seed).map_err(|_| damaged("the key cannot be sealed"))?;
    let sealed =
        minicbor::to_vec(Sealed { costs: COSTS, salt, seed }).map_err(|_| damaged("the key cannot be sealed"))?;
    Ok([HEADING, &sealed].concat())
}

/// The seed that was sealed; `None` when the passphrase is another, or the file was changed: nobody can tell which.
///
/// # Errors
/// [`StorageError::Damaged`] when it is not even of the form.
pub(super) fn open(stored: &[u8], passphrase: &Passphrase) -> Result<Option<Zeroizing<[u8; 32]>>, StorageError> {
    let sealed = stored.strip_prefix(HEADING).and_then(|sealed| minicbor::decode::<Sealed>(sealed).ok());
    let sealed = sealed.filter(|sealed| sealed.costs.is_bearable());
    let Sealed { costs, salt, seed } = sealed.ok_or_else(|| damaged("the file of the sealed key cannot be read"))?;
    let key = passphrase.key(&salt, costs)?;
    let Ok(seed) = Safe::new(&key, [0; 32]).open(HEADING, &seed) else { return Ok(None) };
    let seed: [u8; 32] = seed.as_slice().try_into().map_err(|_| damaged("the sealed key has not 32 bytes"))?;
    Ok(Some(Zeroizing::new(seed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    #[test]
    fn a_passphrase_is_neither_short_nor_endless_and_never_shown() {
        for (text, refused) in [
            ("", Some(PassphraseError::TooShort)),
            ("1234567", Some(PassphraseError::TooShort)),
            ("ñandúes", Some(PassphraseError::TooShort)),
            ("12345678", None),
            (&"x".repeat(1024), None),
            (&"x".repeat(1025), Some(PassphraseError::TooLong)),
        ] {
            assert_eq!(Passphrase::new(text).err(), refused, "{text}");
        }
        assert!(!format!("{:?}", passphrase("correct horse")).contains("horse"));
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_however_that_was_typed() {
        let sealed = seal(&[7; 32], &passphrase("ma\u{f1}ana ser\u{e1}")).unwrap();
        assert!(is_sealed(&sealed) && !is_sealed(&[7; 32]));
        let composed = open(&sealed, &passphrase("man\u{303}ana sera\u{301}")).unwrap().unwrap();
        assert_eq!(*composed, [7; 32]);
        assert!(open(&sealed, &passphrase("manana sera")).unwrap().is_none());
        assert_ne!(sealed, seal(&[7; 32], &passphrase("ma\u{f1}ana ser\u{e1}")).unwrap(), "no salt serves twice");
    }

    #[test]
    fn a_file_that_was_changed_is_never_opened_and_never_costs_more_than_it_may() {
        // Cheap, so that all of it can be tried.
        let (costs, salt) = (Costs { memory: 8, passes: 1, lanes: 1 }, [5; SALT_BYTES]);
        let key = passphrase("12345678").key(&salt, costs).unwrap();
        let seed = Safe::new(&key, [1; 32]).seal(HEADING, &[7; 32]).unwrap();
        let file = |costs| [HEADING, &minicbor::to_vec(Sealed { costs, salt, seed: seed.clone() }).unwrap()].concat();
        let sealed = file(costs);
        assert_eq!(*open(&sealed, &passphrase("12345678")).unwrap().unwrap(), [7; 32]);
        for costs in [Costs { memory: MAX_COSTS.memory + 1, ..costs }, Costs { passes: 17, ..costs }] {
            assert!(open(&file(costs), &passphrase("12345678")).is_err(), "{costs:?}");
        }
        for end in 0..sealed.len() {
            assert!(!matches!(open(&sealed[..end], &passphrase("12345678")), Ok(Some(_))), "{end} bytes");
        }
        for byte in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[byte] ^= 1;
            assert!(!matches!(open(&forged, &passphrase("12345678")), Ok(Some(_))), "byte {byte}");
        }
    }
}
