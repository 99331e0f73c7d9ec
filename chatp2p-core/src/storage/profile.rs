//! A profile on disk: a folder with a peer's key and its database, which nobody else may read and one process at a time
//! may use.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::heads::damaged;
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
}

/// The part that is plain files.
struct Files {
    identity: Identity,
    folder: PathBuf,
    lock: File,
}

impl Profile {
    /// Opens the profile of this name below `data_dir`; makes it, with a new key, where there is none.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub async fn open(data_dir: &Path, username: &Username) -> Result<Self, ProfileError> {
        let (data_dir, name) = (data_dir.to_owned(), username.clone());
        let files = tokio::task::spawn_blocking(move || Files::open(&data_dir, &name)).await;
        let Files { identity, folder, lock } = files.map_err(|_| damaged("opening the profile failed"))??;
        let store = SqlProfile::open(&folder.join(DATABASE)).await?.holding(lock);
        Ok(Self { identity, store: Arc::new(store), folder })
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

const DATABASE: &str = "profile.sqlite";
const KEY: &str = "identity.key";

impl Files {
    fn open(data_dir: &Path, username: &Username) -> Result<Self, ProfileError> {
        let profiles = data_dir.join("profiles");
        // Named by a hash, because file systems take some names for the same, and others for devices.
        let hash = blake3::hash(username.as_str().as_bytes());
        let name = hash.as_bytes().get(..FOLDER_BYTES).unwrap_or_default();
        let folder = profiles.join(data_encoding::HEXLOWER.encode(name));
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
        let identity = identity(&folder)?;
        // SQLite gives the files beside it the permissions of this one.
        let database = folder.join(DATABASE);
        private::file(&database, false).map_err(cannot("the database cannot be opened"))?;
        must_be_private(&database)?;
        Ok(Self { identity, folder, lock })
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

fn identity(folder: &Path) -> Result<Identity, ProfileError> {
    let file = folder.join(KEY);
    match fs::read(&file) {
        Ok(seed) => {
            must_be_private(&file)?;
            let seed = seed.try_into().map_err(|_| damaged("the file of the key has not 32 bytes"))?;
            Ok(Identity::from_seed(&seed))
        }
        // With another key, nobody whom this database knows would know this peer.
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.join(DATABASE).exists() => {
            Err(damaged("the key is missing beside its database").into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let identity = Identity::generate().map_err(|error| StorageError::Unavailable {
                reason: "no key can be made".to_owned(),
                source: Some(Box::new(error)),
            })?;
            // Durable before its first use: whoever has met this key must never meet another one under this name.
            private::write_whole(folder, KEY, &identity.to_seed()).map_err(cannot("the key cannot be kept"))?;
            Ok(identity)
        }
        Err(error) => Err(cannot("the key cannot be read")(error)),
    }
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
            Self::Storage(error) => error.code(),
        }
    }
}
