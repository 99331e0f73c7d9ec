//! Mailboxes' memories do what they must do, in memory and in SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use chatp2p_core::storage::{MailStore, MemoryMail, SqlMail};
use chatp2p_core::testing::mail_store::Home;

mod memory {
    use super::*;

    #[derive(Default)]
    struct Memory(Arc<MemoryMail>);

    #[async_trait::async_trait]
    impl Home for Memory {
        async fn open(&self) -> Arc<dyn MailStore> {
            Arc::<MemoryMail>::clone(&self.0)
        }
    }

    chatp2p_core::mail_store_contract!(Memory::default());
}

mod sqlite {
    use super::*;

    struct Folder(tempfile::TempDir);

    #[async_trait::async_trait]
    impl Home for Folder {
        async fn open(&self) -> Arc<dyn MailStore> {
            Arc::new(SqlMail::open(&self.0.path().join("mail box?#%41.sqlite")).await.unwrap())
        }
    }

    chatp2p_core::mail_store_contract!(Folder(tempfile::tempdir().unwrap()));

    #[tokio::test]
    async fn a_profile_is_no_mailbox() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile.sqlite");
        let me = chatp2p_core::identity::Identity::from_seed(&[1; 32]);
        drop(chatp2p_core::storage::SqlProfile::open(&file, &me).await.unwrap());
        let refused = SqlMail::open(&file).await.unwrap_err();
        assert!(matches!(refused, chatp2p_core::storage::StorageError::Damaged { .. }), "{refused:?}");
    }
}
