//! Randomness for what is kept.

use zeroize::Zeroizing;

use super::StorageError;
use crate::identity;

/// Bytes that nobody can guess.
///
/// # Errors
/// [`StorageError::Unavailable`] when the operating system has none to give.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, StorageError> {
    identity::random()
        .map_err(|error| StorageError::Unavailable { reason: error.to_string(), source: Some(Box::new(error)) })
}
