//! The memory store does what a registry store must do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod memory {
    use chatp2p_core::storage::MemoryRegistry;

    async fn open() -> (MemoryRegistry, ()) {
        (MemoryRegistry::new(), ())
    }

    chatp2p_core::registry_store_contract!(open);
}

mod sqlite {
    use chatp2p_core::storage::{RegistryStore, SqlRegistry, StorageError};
    use chatp2p_core::testing::registry_store::registration;

    fn url(folder: &tempfile::TempDir) -> String {
        format!("sqlite:{}/registry.sqlite", folder.path().display())
    }

    async fn open() -> (SqlRegistry, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqlRegistry::open(&url(&folder)).await.unwrap(), folder)
    }

    chatp2p_core::registry_store_contract!(open);

    #[tokio::test]
    async fn everything_is_there_when_it_is_opened_again() {
        let (store, folder) = open().await;
        store.commit(vec![registration(1, "alice")]).await.unwrap();
        let before = store.load().await.unwrap();
        drop(store);
        assert_eq!(SqlRegistry::open(&url(&folder)).await.unwrap().load().await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_database_in_memory_lives_as_long_as_its_handle() {
        let store = SqlRegistry::open("sqlite::memory:").await.unwrap();
        store.commit(vec![registration(1, "alice")]).await.unwrap();
        assert_eq!(store.load().await.unwrap().registrations, [registration(1, "alice")]);
    }

    #[tokio::test]
    async fn no_other_kind_of_database_is_opened_and_no_password_repeated() {
        let error = SqlRegistry::open("mysql://root:secret@localhost/chat").await.unwrap_err();
        assert!(matches!(error, StorageError::Unavailable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
