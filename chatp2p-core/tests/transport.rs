//! Every transport of the library against the contract of all transports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod memory {
    use chatp2p_core::transport::MemoryTransport;

    chatp2p_core::transport_contract!((MemoryTransport::new(), "memory:bob".parse().unwrap()));
}

mod websocket {
    use chatp2p_core::transport::WebSocketTransport;

    chatp2p_core::transport_contract!((WebSocketTransport::new(), "ws://127.0.0.1:0".parse().unwrap()));
}
