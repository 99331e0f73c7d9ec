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

/// On the server whose address stands in `CHATP2P_TEST_POSTGRES`; does nothing where there is none.
#[cfg(feature = "postgres")]
mod postgres {
    use chatp2p_core::storage::{RegistryStore, SqlRegistry, StorageError};
    use chatp2p_core::testing::registry_store::registration;
    use sea_orm::ConnectionTrait;

    fn server() -> Option<String> {
        std::env::var("CHATP2P_TEST_POSTGRES").ok()
    }

    async fn run(sql: String) {
        let connection = sea_orm::Database::connect(server().unwrap()).await.unwrap();
        connection.execute_unprepared(&sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A schema of its own for each test, so that they can run at once.
    struct Schema(String);

    impl Schema {
        async fn new() -> Self {
            let mut id = [0; 8];
            getrandom::fill(&mut id).unwrap();
            let name = format!("chatp2p_test_{:016x}", u64::from_be_bytes(id));
            run(format!("CREATE SCHEMA {name}")).await;
            Self(name)
        }

        fn url(&self) -> String {
            let server = server().unwrap();
            let separator = if server.contains('?') { '&' } else { '?' };
            format!("{server}{separator}options=-csearch_path%3D{}", self.0)
        }
    }

    impl Drop for Schema {
        fn drop(&mut self) {
            let drop = run(format!("DROP SCHEMA {} CASCADE", self.0));
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let dropped = std::thread::spawn(move || runtime().block_on(drop)).join();
            assert!(dropped.is_ok() || std::thread::panicking(), "the test's schema is still there");
        }
    }

    async fn open() -> (SqlRegistry, Schema) {
        let schema = Schema::new().await;
        (SqlRegistry::open(&schema.url()).await.unwrap(), schema)
    }

    chatp2p_core::registry_store_contract!(open, unless server().is_none());

    #[tokio::test]
    async fn everything_is_there_when_it_is_opened_again() {
        if server().is_none() {
            return;
        }
        let (store, schema) = open().await;
        store.commit(vec![registration(1, "alice")]).await.unwrap();
        let before = store.load().await.unwrap();
        drop(store);
        let again = SqlRegistry::open(&schema.url()).await.unwrap();
        assert_eq!(again.load().await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_unavailable_and_its_password_not_repeated() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = SqlRegistry::open(&format!("postgres://me:secret@{closed}/chat")).await.unwrap_err();
        assert!(matches!(error, StorageError::Unavailable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
