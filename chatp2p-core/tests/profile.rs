//! A profile on disk is its owner's alone, and one process's at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::storage::{Change, Profile, ProfileError, StorageError};

fn alice() -> Username {
    "alice".parse().unwrap()
}

async fn open(data_dir: &Path) -> Profile {
    Profile::open(data_dir, &alice()).await.unwrap()
}

/// Where alice's profile lies, after it was made and left.
async fn left(data_dir: &Path) -> PathBuf {
    open(data_dir).await.folder().to_owned()
}

#[tokio::test]
async fn a_profile_is_the_same_when_it_is_opened_again() {
    let data_dir = tempfile::tempdir().unwrap();
    let new = data_dir.path().join("not/there/yet");
    let first = open(&new).await;
    let peer_id = first.identity().peer_id();
    let _ = first.store().commit(vec![Change::Seq(7)]).await.unwrap();
    drop(first);
    let again = open(&new).await;
    assert_eq!(again.identity().peer_id(), peer_id);
    assert_eq!(again.store().load().await.unwrap().seq, 7);
}

#[tokio::test]
async fn names_that_differ_have_profiles_of_their_own() {
    let data_dir = tempfile::tempdir().unwrap();
    let small = open(data_dir.path()).await;
    let large = Profile::open(data_dir.path(), &"ALICE".parse().unwrap()).await.unwrap();
    assert_ne!(small.identity().peer_id(), large.identity().peer_id());
    assert_ne!(small.folder().to_string_lossy().to_lowercase(), large.folder().to_string_lossy().to_lowercase());
}

#[tokio::test]
async fn a_second_opener_is_refused_until_the_last_handle_is_gone() {
    let data_dir = tempfile::tempdir().unwrap();
    let profile = open(data_dir.path()).await;
    let store = profile.store();
    let in_use = |result: Result<Profile, ProfileError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, ProfileError::InUse { .. }), "{error:?}");
        assert_eq!(error.code(), Code::ProfileInUse);
    };
    in_use(Profile::open(data_dir.path(), &alice()).await);
    drop(profile);
    in_use(Profile::open(data_dir.path(), &alice()).await);
    drop(store);
    open(data_dir.path()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let data_dir = tempfile::tempdir().unwrap();
    let new = data_dir.path().join("data");
    let profile = open(&new).await;
    let _ = profile.store().commit(vec![Change::Seq(1)]).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&new), mode(profile.folder())), (0o700, 0o700));
    let mut files: Vec<_> = fs::read_dir(profile.folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["identity.key", "lock", "name", "profile.sqlite", "profile.sqlite-shm", "profile.sqlite-wal"]);
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_others_may_open_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let data_dir = tempfile::tempdir().unwrap();
    let folder = left(data_dir.path()).await;
    for (path, good, bad) in [
        (folder.clone(), 0o700, 0o750),
        (folder.clone(), 0o700, 0o701),
        (folder.join("identity.key"), 0o600, 0o640),
        (folder.join("profile.sqlite"), 0o600, 0o604),
    ] {
        fs::set_permissions(&path, PermissionsExt::from_mode(bad)).unwrap();
        let error = Profile::open(data_dir.path(), &alice()).await.unwrap_err();
        assert!(matches!(&error, ProfileError::Unsafe { path: named } if *named == path), "{error:?}");
        assert_eq!(error.code(), Code::ProfileUnsafe);
        fs::set_permissions(&path, PermissionsExt::from_mode(good)).unwrap();
    }
    open(data_dir.path()).await;
}

async fn damaged(data_dir: &Path) {
    let error = Profile::open(data_dir, &alice()).await.unwrap_err();
    assert!(matches!(error, ProfileError::Storage(StorageError::Damaged { .. })), "{error:?}");
    assert_eq!(error.code(), Code::StorageFailed);
}

#[tokio::test]
async fn a_key_that_is_cut_short_or_gone_is_never_replaced() {
    let data_dir = tempfile::tempdir().unwrap();
    let key = left(data_dir.path()).await.join("identity.key");
    let seed = fs::read(&key).unwrap();
    fs::write(&key, &seed[..31]).unwrap();
    damaged(data_dir.path()).await;
    assert_eq!(fs::read(&key).unwrap().len(), 31);
    fs::remove_file(&key).unwrap();
    damaged(data_dir.path()).await;
    assert!(!key.exists());
}

#[tokio::test]
async fn a_key_that_was_half_written_is_made_anew() {
    let data_dir = tempfile::tempdir().unwrap();
    let folder = left(data_dir.path()).await;
    // As a power cut leaves it before the key was there: nothing but the unfinished file.
    fs::rename(folder.join("identity.key"), folder.join("identity.key.new")).unwrap();
    fs::remove_file(folder.join("profile.sqlite")).unwrap();
    let profile = open(data_dir.path()).await;
    assert_eq!(fs::read(folder.join("identity.key")).unwrap(), profile.identity().to_seed());
    assert!(!folder.join("identity.key.new").exists());
}

#[tokio::test]
async fn the_folder_of_another_name_is_refused() {
    let data_dir = tempfile::tempdir().unwrap();
    let folder = left(data_dir.path()).await;
    fs::write(folder.join("name"), "bob").unwrap();
    damaged(data_dir.path()).await;
}
