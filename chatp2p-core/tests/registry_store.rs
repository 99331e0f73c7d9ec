//! The memory store does what a registry store must do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod memory {
    use chatp2p_core::storage::MemoryRegistry;

    async fn open() -> (MemoryRegistry, ()) {
        (MemoryRegistry::new(), ())
    }

    chatp2p_core::registry_store_contract!(open);
}
