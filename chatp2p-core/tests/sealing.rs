//! What people wrote lies on the disk sealed: whoever has the file but not the key reads nothing of it, and cannot move it
//! about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use chatp2p_core::clock::Wall;
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::message::Body;
use chatp2p_core::storage::{
    Change, FirstWords, HistoryQuery, Passphrase, Profile, ProfileError, ProfileStore, Request, SqlProfile,
    StorageError,
};
use chatp2p_core::testing::profile_store::{ALL, at, entry, peer};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};

/// Said to and by one peer, and by a stranger; the texts of [`entry`] with these numbers.
const SAID: [u64; 4] = [1, 2, 3, 4];

fn me() -> Identity {
    Identity::from_seed(&[0x5e; 32])
}

fn all() -> HistoryQuery {
    HistoryQuery { peers: None, limit: 100, before: None }
}

fn text(number: u64) -> String {
    let Body::Text(text) = entry(number).body else { panic!("no text") };
    text
}

fn everything() -> Vec<Change> {
    let first = Some(FirstWords { entry: entry(4), position: at(8, 1) });
    let request = Request {
        peer_id: peer(3),
        name: "carol".parse().unwrap(),
        arrived: Wall::from_millis(5),
        first,
        refused: false,
    };
    vec![
        Change::Queue { peer: peer(2), entry: entry(1), place: Some(at(5, 1)), ciphertext: None },
        Change::Acknowledged { peer: peer(2), position: at(5, 1) },
        Change::Queue { peer: peer(2), entry: entry(2), place: Some(at(5, 2)), ciphertext: None },
        Change::Received { peer: peer(2), entry: entry(3), position: at(7, 1) },
        Change::Request(request),
    ]
}

/// Every byte of the folder: the database, its journal, and whatever else there is.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// What nobody may find: the texts, and the hashes by which a guess at them would be confirmed.
fn secrets() -> Vec<Vec<u8>> {
    let hashes = [at(5, 1), at(5, 2), at(7, 1), at(8, 1)].map(|at| at.hash.as_bytes().to_vec());
    SAID.iter().map(|number| text(*number).into_bytes()).chain(hashes).collect()
}

async fn raw(file: &Path) -> DatabaseConnection {
    sea_orm::Database::connect(format!("sqlite://{}", file.display())).await.unwrap()
}

async fn run(database: &DatabaseConnection, sql: &str, values: impl IntoIterator<Item = Value>) {
    let statement = Statement::from_sql_and_values(database.get_database_backend(), sql, values);
    assert_ne!(database.execute_raw(statement).await.unwrap().rows_affected(), 0, "{sql}");
}

const ERASED: &str = "erased long ago ";

/// Makes the database what it was before there was sealing.
async fn unseal(file: &Path) {
    let database = raw(file).await;
    for number in [1, 2, 3] {
        let body = minicbor::to_vec(entry(number).body).unwrap();
        let id = entry(number).id.as_bytes().to_vec();
        run(&database, "UPDATE entries SET body = ? WHERE id = ?", [body.into(), id.into()]).await;
    }
    for (epoch, n) in [(5, 1), (5, 2), (7, 1)] {
        let hash = at(epoch, n).hash.as_bytes().to_vec();
        let place = [hash.into(), epoch.into(), n.into()];
        run(&database, "UPDATE entries SET hash = ? WHERE epoch = ? AND n = ?", place).await;
    }
    let mine = at(5, 1).hash.as_bytes().to_vec();
    run(&database, "UPDATE my_epochs SET acknowledged_hash = ?", [mine.into()]).await;
    let theirs = at(7, 1).hash.as_bytes().to_vec();
    run(&database, "UPDATE their_epochs SET hash = ?", [theirs.into()]).await;
    let first = minicbor::to_vec(FirstWords { entry: entry(4), position: at(8, 1) }).unwrap();
    run(&database, "UPDATE requests SET first = ?", [first.into()]).await;
    // Something that was erased long ago, and still lies in pages that nobody uses.
    let long = ERASED.repeat(1000);
    run(&database, "INSERT INTO meta VALUES ('erased', ?)", [long.into_bytes().into()]).await;
    run(&database, "DELETE FROM meta WHERE name = 'erased'", []).await;
    run(&database, "DELETE FROM seaql_migrations WHERE version = 'profile_sealing'", []).await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn nothing_that_was_said_can_be_found_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlProfile::open(&folder.path().join("profile.sqlite"), &me()).await.unwrap();
    let _ = store.commit(everything()).await.unwrap();
    let files = bytes(folder.path());
    assert!(holds(&files, b"carol"), "what is not sealed is there");
    for secret in secrets() {
        assert!(!holds(&files, &secret), "{}", String::from_utf8_lossy(&secret));
    }
    assert_eq!(store.history(all()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_database_from_before_is_sealed_once_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    let _ = store.commit(everything()).await.unwrap();
    let (known, said) = (store.load().await.unwrap(), store.history(all()).await.unwrap());
    drop(store);
    unseal(&file).await;
    let plain = bytes(folder.path());
    let traces: Vec<_> = secrets().into_iter().chain([ERASED.repeat(4).into_bytes()]).collect();
    for secret in &traces {
        assert!(holds(&plain, secret), "{}", String::from_utf8_lossy(secret));
    }
    for _ in 0..2 {
        let store = SqlProfile::open(&file, &me()).await.unwrap();
        assert_eq!(store.load().await.unwrap(), known);
        assert_eq!(store.history(all()).await.unwrap(), said);
        assert_eq!(store.logged(peer(2), at(5, 1).epoch, 1..=2, ALL).await.unwrap().len(), 2);
        let sealed = bytes(folder.path());
        for secret in &traces {
            assert!(!holds(&sealed, secret), "{}", String::from_utf8_lossy(secret));
        }
    }
}

#[tokio::test]
async fn what_was_sealed_for_one_row_is_refused_in_another() {
    for moved in [
        "UPDATE entries SET body = (SELECT body FROM entries WHERE ordinal = 1) WHERE ordinal = 2",
        "UPDATE entries SET mine = 1 - mine WHERE ordinal = 3",
        "UPDATE entries SET peer = (SELECT peer FROM requests) WHERE ordinal = 2",
        "UPDATE entries SET id = zeroblob(16) WHERE ordinal = 2",
        "UPDATE entries SET hash = (SELECT hash FROM entries WHERE ordinal = 1) WHERE ordinal = 2",
        "UPDATE their_epochs SET n = 9",
        "UPDATE my_epochs SET acknowledged_hash = (SELECT hash FROM entries WHERE ordinal = 1)",
        "UPDATE requests SET peer = (SELECT peer FROM their_epochs)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.sqlite");
        let store = SqlProfile::open(&file, &me()).await.unwrap();
        let _ = store.commit(everything()).await.unwrap();
        let read = async || {
            let (_, _) = (store.load().await?, store.history(all()).await?);
            store.logged(peer(2), at(5, 1).epoch, 1..=2, ALL).await
        };
        assert_eq!(read().await.unwrap().len(), 2);
        run(&raw(&file).await, moved, []).await;
        assert!(matches!(read().await, Err(StorageError::Damaged { .. })), "{moved}");
    }
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    let _ = store.commit(everything()).await.unwrap();
    drop(store);
    let eve = SqlProfile::open(&file, &Identity::from_seed(&[0xee; 32])).await.unwrap();
    assert!(matches!(eve.load().await, Err(StorageError::Damaged { .. })));
    assert!(matches!(eve.history(all()).await, Err(StorageError::Damaged { .. })));
}

#[tokio::test]
async fn what_is_erased_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    // So long that it has pages of its own, which nobody uses any more once it is gone.
    let long = chatp2p_core::message::Entry { body: Body::Text("x".repeat(20_000)), ..entry(9) };
    let said = vec![
        Change::Queue { peer: peer(2), entry: long, place: Some(at(5, 1)), ciphertext: None },
        Change::Acknowledged { peer: peer(2), position: at(5, 1) },
    ];
    let _ = store.commit(said).await.unwrap();
    let database = raw(&file).await;
    let query = Statement::from_string(database.get_database_backend(), "SELECT body FROM entries");
    let sealed: Vec<u8> = database.query_one_raw(query).await.unwrap().unwrap().try_get("", "body").unwrap();
    let pieces: Vec<_> = sealed.chunks(3_000).filter(|piece| piece.len() == 3_000).map(|piece| &piece[..64]).collect();
    let found = async || {
        database.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        let bytes = bytes(folder.path());
        pieces.iter().filter(|piece| holds(&bytes, piece)).count()
    };
    // A piece may lie across the end of a page.
    assert!(found().await >= pieces.len() - 1 && pieces.len() >= 6);
    let _ = store.commit(vec![Change::Erase(peer(2))]).await.unwrap();
    assert_eq!(found().await, 0);
}

fn alice() -> Username {
    "alice".parse().unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

#[tokio::test]
async fn under_a_passphrase_the_key_is_nowhere_and_a_wrong_one_changes_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let right = passphrase("correct horse battery");
    let profile = Profile::unlock(data_dir.path(), &alice(), &right).await.unwrap();
    let (seed, folder) = (profile.identity().to_seed(), profile.folder().to_owned());
    let _ = profile.store().commit(everything()).await.unwrap();
    let known = profile.store().load().await.unwrap();
    assert!(profile.has_passphrase().await.unwrap());
    drop(profile);
    assert!(!holds(&bytes(&folder), &seed));
    let key = || fs::read(folder.join("identity.key")).unwrap();
    let before = key();
    let without = Profile::open(data_dir.path(), &alice()).await.unwrap_err();
    assert!(matches!(without, ProfileError::PassphraseRequired { .. }), "{without:?}");
    let wrong = Profile::unlock(data_dir.path(), &alice(), &passphrase("correct horse batterz")).await.unwrap_err();
    assert!(matches!(wrong, ProfileError::PassphraseWrong), "{wrong:?}");
    assert_eq!(key(), before);
    let again = Profile::unlock(data_dir.path(), &alice(), &right).await.unwrap();
    assert_eq!((again.identity().to_seed(), again.store().load().await.unwrap()), (seed, known));
}

#[tokio::test]
async fn a_profile_is_put_under_a_passphrase_and_another_and_none() {
    let data_dir = tempfile::tempdir().unwrap();
    let plain = Profile::open(data_dir.path(), &alice()).await.unwrap();
    let (seed, folder) = (plain.identity().to_seed(), plain.folder().to_owned());
    let _ = plain.store().commit(everything()).await.unwrap();
    drop(plain);
    assert!(holds(&bytes(&folder), &seed));
    let (one, two) = (passphrase("the first one"), passphrase("the second one"));
    let profile = Profile::unlock(data_dir.path(), &alice(), &one).await.unwrap();
    assert!(profile.has_passphrase().await.unwrap() && !holds(&bytes(&folder), &seed));
    assert_eq!(profile.identity().to_seed(), seed);

    let refused = profile.change_passphrase(None, None).await.unwrap_err();
    assert!(matches!(refused, ProfileError::PassphraseRequired { .. }), "{refused:?}");
    let refused = profile.change_passphrase(Some(two.clone()), None).await.unwrap_err();
    assert!(matches!(refused, ProfileError::PassphraseWrong), "{refused:?}");
    profile.change_passphrase(Some(one.clone()), Some(two.clone())).await.unwrap();
    drop(profile);
    assert!(Profile::unlock(data_dir.path(), &alice(), &one).await.is_err());
    let profile = Profile::unlock(data_dir.path(), &alice(), &two).await.unwrap();
    assert_eq!(profile.store().history(all()).await.unwrap().len(), 3);
    profile.change_passphrase(Some(two), None).await.unwrap();
    assert!(!profile.has_passphrase().await.unwrap());
    drop(profile);
    assert_eq!(Profile::open(data_dir.path(), &alice()).await.unwrap().identity().to_seed(), seed);
}

#[tokio::test]
async fn what_is_plain_under_a_passphrase_was_put_there_by_somebody_else() {
    let data_dir = tempfile::tempdir().unwrap();
    let right = passphrase("correct horse battery");
    let profile = Profile::unlock(data_dir.path(), &alice(), &right).await.unwrap();
    let file = profile.folder().join("profile.sqlite");
    let _ = profile.store().commit(everything()).await.unwrap();
    drop(profile);
    unseal(&file).await;
    let refused = Profile::unlock(data_dir.path(), &alice(), &right).await.unwrap_err();
    assert!(matches!(refused, ProfileError::Storage(StorageError::Damaged { .. })), "{refused:?}");
}
