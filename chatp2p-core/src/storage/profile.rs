//! A profile on disk: a folder with a peer's key and its database, which nobody else may read and one process at a time
//! may use.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::heads::damaged;
use super::passphrase::{self, Passphrase};
use super::sql::Plain;
use super::{ProfileStore, SqlProfile, StorageError, private};
use crate::code::Code;
use crate::identity::{Identity, Username};

/// How much of the name's hash names its folder: no two names will ever meet in 16 bytes, and paths stay short.
const FOLDER_BYTES: usize = 16;

/// A username's own place on this machine. Used by this process alone as long as the profile or its store lives.
#[derive(Debug)]
pub struct Profile {
    identity: Identity,
    store: Arc<SqlProfile>,
    folder: PathBuf,
    /// Held by whoever changes the passphrase.
    changing: Mutex<()>,
}

/// The part that is plain files.
struct Files {
    key: StoredKey,
    folder: PathBuf,
    lock: File,
}

/// The key as it was found on the disk, or put there.
struct StoredKey {
    identity: Identity,
    /// Whether it is sealed there.
    sealed: bool,
}

impl Profile {
    /// Opens the profile of this name below `data_dir`; makes it, with a new key, where there is none.
    ///
    /// # Errors
    /// [`ProfileError`]: [`PassphraseRequired`](ProfileError::PassphraseRequired) where it is under a passphrase.
    pub async fn open(data_dir: &Path, username: &Username) -> Result<Self, ProfileError> {
        Self::open_with(data_dir, username, None).await
    }

    /// The same for a profile under a passphrase. One that is made now is under it from the first moment on, and so is, from
    /// now on, one that was under none.
    ///
    /// # Errors
    /// [`ProfileError`]: [`PassphraseWrong`](ProfileError::PassphraseWrong) where it is under another. Nothing is changed then.
    pub async fn unlock(data_dir: &Path, username: &Username, passphrase: &Passphrase) -> Result<Self, ProfileError> {
        let profile = Self::open_with(data_dir, username, Some(passphrase.clone())).await?;
        if !profile.has_passphrase().await? {
            profile.keep_key(Some(passphrase.clone())).await?;
        }
        Ok(profile)
    }

    /// Whether there is one of this name below `data_dir`.
    pub fn is_there(data_dir: &Path, username: &Username) -> bool {
        folder_of(data_dir, username).join(KEY).exists()
    }

    async fn open_with(
        data_dir: &Path,
        username: &Username,
        passphrase: Option<Passphrase>,
    ) -> Result<Self, ProfileError> {
        let (data_dir, name) = (data_dir.to_owned(), username.clone());
        let Files { key, folder, lock } = blocking(move || Files::open(&data_dir, &name, passphrase.as_ref())).await?;
        // What is under a passphrase was sealed before: whatever is plain there now was put there by somebody else.
        let plain = if key.sealed { Plain::Refuse } else { Plain::Seal };
        let store = SqlProfile::open_with(&folder.join(DATABASE), &key.identity, plain).await?.holding(lock);
        Ok(Self { identity: key.identity, store: Arc::new(store), folder, changing: Mutex::default() })
    }

    /// Whether it takes a passphrase to open it.
    ///
    /// # Errors
    /// [`ProfileError::Storage`] when the file of the key cannot be read.
    pub async fn has_passphrase(&self) -> Result<bool, ProfileError> {
        let file = self.folder.join(KEY);
        blocking(move || Ok(passphrase::is_sealed(&read_key(&file)?))).await
    }

    /// Puts it under another passphrase, or under none. Only the key is written anew: whatever else is sealed hangs on the key,
    /// which stays the same.
    ///
    /// # Errors
    /// [`ProfileError::PassphraseRequired`] and [`ProfileError::PassphraseWrong`] unless `present` is what it is under,
    /// [`ProfileError::Storage`] when the file cannot be written. It is as it was then.
    pub async fn change_passphrase(
        &self,
        present: Option<Passphrase>,
        new: Option<Passphrase>,
    ) -> Result<(), ProfileError> {
        // One after the other: each looks at what the last has left, and takes tens of megabytes for a moment.
        let _alone = self.changing.lock().await;
        let folder = self.folder.clone();
        blocking(move || identity(&folder, present.as_ref())).await?;
        self.keep_key(new).await
    }

    async fn keep_key(&self, passphrase: Option<Passphrase>) -> Result<(), ProfileError> {
        let (folder, identity) = (self.folder.clone(), self.identity.clone());
        blocking(move || keep_key(&folder, &identity, passphrase.as_ref())).await
    }

    /// Who the peer is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it remembers. The profile stays in use until every handle is dropped.
    pub fn store(&self) -> Arc<dyn ProfileStore> {
        Arc::<SqlProfile>::clone(&self.store)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Named by a hash, because file systems take some names for the same, and others for devices.
fn folder_of(data_dir: &Path, username: &Username) -> PathBuf {
    let hash = blake3::hash(username.as_str().as_bytes());
    let name = hash.as_bytes().get(..FOLDER_BYTES).unwrap_or_default();
    data_dir.join(PROFILES).join(data_encoding::HEXLOWER.encode(name))
}

const PROFILES: &str = "profiles";
const DATABASE: &str = "profile.sqlite";
const KEY: &str = "identity.key";

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProfileError> + Send + 'static,
) -> Result<T, ProfileError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| damaged("opening the profile failed"))?
}

impl Files {
    fn open(data_dir: &Path, username: &Username, passphrase: Option<&Passphrase>) -> Result<Self, ProfileError> {
        let profiles = data_dir.join(PROFILES);
        let folder = folder_of(data_dir, username);
        private::folder(&folder).map_err(cannot("the profile's folder cannot be made"))?;
        must_be_private(&folder)?;

        let lock = private::file(&folder.join("lock"), false).map_err(cannot("the profile cannot be locked"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ProfileError::InUse { folder }),
            Err(TryLockError::Error(error)) => return Err(cannot("the profile cannot be locked")(error)),
        }
        for made in [&folder, &profiles, data_dir] {
            private::sync_folder(made).map_err(cannot("the profile's folder cannot be made"))?;
        }
        check_name(&folder, username)?;
        let key = identity(&folder, passphrase)?;
        // SQLite gives the files beside it the permissions of this one.
        let database = folder.join(DATABASE);
        private::file(&database, false).map_err(cannot("the database cannot be opened"))?;
        must_be_private(&database)?;
        Ok(Self { key, folder, lock })
    }
}

fn check_name(folder: &Path, username: &Username) -> Result<(), ProfileError> {
    match fs::read(folder.join("name")) {
        Ok(name) if name == username.as_str().as_bytes() => Ok(()),
        Ok(_) => Err(damaged("the profile's folder belongs to another name").into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            private::write_whole(folder, "name", username.as_str().as_bytes())
                .map_err(cannot("the name cannot be kept"))
        }
        Err(error) => Err(cannot("the profile cannot be read")(error)),
    }
}

fn read_key(file: &Path) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    fs::read(file).map(Zeroizing::new).map_err(cannot("the key cannot be read"))
}

/// The key in this folder; a new one where there is none.
fn identity(folder: &Path, passphrase: Option<&Passphrase>) -> Result<StoredKey, ProfileError> {
    let file = folder.join(KEY);
    if !file.try_exists().map_err(cannot("the key cannot be read"))? {
        // With another key, nobody whom this database knows would know this peer.
        if folder.join(DATABASE).exists() {
            return Err(damaged("the key is missing beside its database").into());
        }
        let identity = Identity::generate().map_err(|error| StorageError::Unavailable {
            reason: "no key can be made".to_owned(),
            source: Some(Box::new(error)),
        })?;
        // Durable before its first use: whoever has met this key must never meet another one under this name.
        keep_key(folder, &identity, passphrase)?;
        return Ok(StoredKey { identity, sealed: passphrase.is_some() });
    }
    must_be_private(&file)?;
    let stored = read_key(&file)?;
    let seed = match (passphrase::is_sealed(&stored), passphrase) {
        (true, None) => return Err(ProfileError::PassphraseRequired { folder: folder.to_owned() }),
        (true, Some(passphrase)) => passphrase::open(&stored, passphrase)?.ok_or(ProfileError::PassphraseWrong)?,
        (false, _) => {
            let seed = stored.as_slice().try_into().map_err(|_| damaged("the file of the key has not 32 bytes"))?;
            Zeroizing::new(seed)
        }
    };
    Ok(StoredKey { identity: Identity::from_seed(&seed), sealed: passphrase::is_sealed(&stored) })
}

fn keep_key(folder: &Path, identity: &Identity, passphrase: Option<&Passphrase>) -> Result<(), ProfileError> {
    let seed = Zeroizing::new(identity.to_seed());
    let stored = match passphrase {
        Some(passphrase) => Zeroizing::new(passphrase::seal(&seed, passphrase)?),
        None => Zeroizing::new(seed.to_vec()),
    };
    private::write_whole(folder, KEY, &stored).map_err(cannot("the key cannot be kept"))
}

fn must_be_private(path: &Path) -> Result<(), ProfileError> {
    match private::is_private(path).map_err(cannot("the profile cannot be read"))? {
        true => Ok(()),
        false => Err(ProfileError::Unsafe { path: path.to_owned() }),
    }
}

fn cannot(reason: &'static str) -> impl Fn(io::Error) -> ProfileError {
    move |error| StorageError::Unavailable { reason: reason.to_owned(), source: Some(Box::new(error)) }.into()
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Another process, or another part of this one, uses it.
    #[error("another process uses the profile in {}", folder.display())]
    InUse {
        /// Where it lies.
        folder: PathBuf,
    },
    /// Others than its owner may read or change it.
    #[error("others may open {}", path.display())]
    Unsafe {
        /// Which folder or file.
        path: PathBuf,
    },
    /// It is under a passphrase, and there is none.
    #[error("the profile in {} is under a passphrase", folder.display())]
    PassphraseRequired {
        /// Where it lies.
        folder: PathBuf,
    },
    /// It is under another passphrase; or the file of its key was changed, which nobody can tell apart.
    #[error("the passphrase is wrong")]
    PassphraseWrong,
    /// It cannot be read or made.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ProfileError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::InUse { .. } => Code::ProfileInUse,
            Self::Unsafe { .. } => Code::ProfileUnsafe,
            Self::PassphraseRequired { .. } => Code::PassphraseRequired,
            Self::PassphraseWrong => Code::PassphraseWrong,
            Self::Storage(error) => error.code(),
        }
    }
}
