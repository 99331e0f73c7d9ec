//! The [`Book`] on disk: a file that only its owner may open, which the running peer and the command line both change, one
//! at a time, and which is read again as soon as it is another one. So what the command line decides holds at once.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chatp2p_core::storage::private;

use super::book::{Book, BookError};

pub(crate) const FOLDER: &str = "access";
const BOOK: &str = "tokens.json";
const LOCK: &str = "lock";

/// The place of the book.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    read: Mutex<Option<(State, Arc<Book>)>>,
}

/// By what one sees that a file is another one. It is always replaced as a whole, so that on Unix its number changes.
#[derive(Debug, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
    number: u64,
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let number = 0;
        Self { length: metadata.len(), modified: metadata.modified().ok(), number }
    }
}

/// Why the book cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(
        "others than you may open {}: it holds your keys, messages and tokens. `chmod {} {}` makes it yours alone",
        path.display(),
        if path.is_dir() { "700" } else { "600" },
        path.display()
    )]
    Unsafe { path: PathBuf },
    #[error(
        "others than you may put something into {0}, where your keys, messages and tokens are: `chmod go-w {0}` forbids it",
        path.display()
    )]
    Writable { path: PathBuf },
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is damaged; without the file there are no tokens, and new ones can be made", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Ledger {
    /// The book in a folder of data, which is made where there is none: for its owner alone. One that was there before may
    /// be looked into (`mkdir` makes such folders), for nothing in it can be opened; but not changed.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, LedgerError> {
        private::folder(data_dir).map_err(cannot_use(data_dir))?;
        if !private::is_unchanged_by_others(data_dir).map_err(cannot_use(data_dir))? {
            return Err(LedgerError::Writable { path: data_dir.to_owned() });
        }
        let ledger = Self { folder: data_dir.join(FOLDER), read: Mutex::default() };
        ledger.current()?;
        Ok(ledger)
    }

    /// The folder, for what else is nobody's business. It is there, and private.
    pub(crate) fn folder(&self) -> Result<&Path, LedgerError> {
        private::folder(&self.folder).map_err(cannot_use(&self.folder))?;
        must_be_private(&self.folder)?;
        Ok(&self.folder)
    }

    /// The book as it is now. Costs a look at the file's state, which is in memory, where it is the one that was read last.
    pub(crate) fn current(&self) -> Result<Arc<Book>, LedgerError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(BOOK);
        let state = match fs::metadata(&path) {
            Ok(metadata) => State::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *read = None;
                return Ok(Arc::default());
            }
            Err(error) => return Err(cannot_use(&path)(error)),
        };
        if let Some((known, book)) = &*read
            && *known == state
        {
            return Ok(Arc::clone(book));
        }
        *read = None;
        must_be_private(&self.folder)?;
        must_be_private(&path)?;
        let text = fs::read(&path).map_err(cannot_use(&path))?;
        let book = serde_json::from_slice(&text).map_err(|source| LedgerError::Damaged { path, source })?;
        let book = Arc::new(book);
        // Where it was replaced in between, the state is that of the older one, and the next look reads again.
        *read = Some((state, Arc::clone(&book)));
        Ok(book)
    }

    /// Changes the book, alone. Waits for whoever changes it just now; nobody takes longer than writing a file.
    pub(crate) fn change<T>(&self, how: impl FnOnce(&mut Book) -> Result<T, BookError>) -> Result<T, LedgerError> {
        let folder = self.folder()?;
        let lock = folder.join(LOCK);
        let held: File = private::file(&lock, false).map_err(cannot_use(&lock))?;
        held.lock().map_err(cannot_use(&lock))?;
        let mut book = Book::clone(&*self.current()?);
        let done = how(&mut book)?;
        let path = folder.join(BOOK);
        let text = serde_json::to_vec_pretty(&book);
        let text = text.map_err(|source| LedgerError::Damaged { path: path.clone(), source })?;
        private::write_whole(folder, BOOK, &text).map_err(cannot_use(&path))?;
        Ok(done)
    }
}

fn must_be_private(path: &Path) -> Result<(), LedgerError> {
    match private::is_private(path).map_err(cannot_use(path))? {
        true => Ok(()),
        false => Err(LedgerError::Unsafe { path: path.to_owned() }),
    }
}

fn cannot_use(path: &Path) -> impl Fn(io::Error) -> LedgerError {
    move |source| LedgerError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use chatp2p_core::clock::Wall;

    use super::super::scope::Scope;
    use super::*;

    const NOW: Wall = Wall::from_millis(1_800_000_000_000);

    fn create(ledger: &Ledger) -> (super::super::book::Token, super::super::secret::Secret) {
        ledger.change(|book| book.create(Scope::Read, "", NOW)).unwrap()
    }

    #[test]
    fn what_one_hand_writes_the_other_reads_at_once() {
        let data = tempfile::tempdir().unwrap();
        let (peer, command) = (Ledger::open(data.path()).unwrap(), Ledger::open(data.path()).unwrap());
        // As fast as it goes: no change may hide behind the file's time.
        for _ in 0..200 {
            let (token, secret) = create(&command);
            assert!(peer.current().unwrap().token(&secret).is_some());
            assert!(command.change(|book| Ok(book.revoke(&token.id))).unwrap());
            assert!(peer.current().unwrap().token(&secret).is_none());
        }
    }

    #[test]
    fn nothing_is_lost_when_many_change_it_at_once() {
        let data = tempfile::tempdir().unwrap();
        let write = || {
            let ledger = Ledger::open(data.path()).unwrap();
            (0..10).for_each(|_| drop(create(&ledger)));
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(write))));
        assert_eq!(Ledger::open(data.path()).unwrap().current().unwrap().tokens.len(), 40);
    }

    #[test]
    fn a_file_that_is_gone_or_damaged_admits_nobody() {
        let data = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(data.path()).unwrap();
        let (_, secret) = create(&ledger);
        let file = data.path().join(FOLDER).join(BOOK);
        fs::write(&file, "{").unwrap();
        assert!(matches!(ledger.current(), Err(LedgerError::Damaged { .. })));
        assert!(matches!(Ledger::open(data.path()), Err(LedgerError::Damaged { .. })));
        fs::remove_file(&file).unwrap();
        assert!(ledger.current().unwrap().token(&secret).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_open_is_refused_and_says_how_to_mend_it() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        create(&Ledger::open(data.path()).unwrap());
        let folder = data.path().join(FOLDER);
        for (path, right) in [(folder.clone(), 0o700), (folder.join(BOOK), 0o600)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, right, "{}", path.display());
            for wide in [0o044, 0o040, 0o004, 0o020, 0o001] {
                fs::set_permissions(&path, PermissionsExt::from_mode(right | wide)).unwrap();
                let refused = Ledger::open(data.path()).unwrap_err();
                assert!(matches!(&refused, LedgerError::Unsafe { path: named } if *named == path), "{refused}");
                assert!(refused.to_string().contains(&format!("chmod {right:o}")), "{refused}");
            }
            fs::set_permissions(&path, PermissionsExt::from_mode(right)).unwrap();
        }
        for (mode, opens) in [(0o755, true), (0o711, true), (0o775, false), (0o702, false), (0o1777, false)] {
            fs::set_permissions(data.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Ledger::open(data.path()).is_ok(), opens, "{mode:o}");
        }
        let parent = tempfile::tempdir().unwrap();
        let made = parent.path().join("below");
        Ledger::open(&made).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
