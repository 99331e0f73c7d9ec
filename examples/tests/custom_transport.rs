//! The transport over Unix domain sockets does what every transport must do, and cleans up behind those who did not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;
#[path = "../custom_transport/unix.rs"]
mod unix;

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::net::{UnixListener, UnixStream};

use async_trait::async_trait;
use chatp2p_core::record::Endpoint;
use chatp2p_core::testing::transport::in_time;
use chatp2p_core::transport::{Clearance, Link, Listener, MAX_LINK_MESSAGE_BYTES, Transport, TransportError};
use futures_util::StreamExt;

use unix::UnixTransport;

/// A transport whose folder goes with it.
#[derive(Debug)]
struct Temporary(UnixTransport, tempfile::TempDir);

impl Temporary {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self(UnixTransport::new(folder.path()), folder)
    }
}

impl Deref for Temporary {
    type Target = UnixTransport;

    fn deref(&self) -> &UnixTransport {
        &self.0
    }
}

#[async_trait]
impl Transport for Temporary {
    fn schemes(&self) -> &'static [&'static str] {
        self.0.schemes()
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        self.0.listen(at).await
    }

    async fn dial(&self, to: &Endpoint, clearance: &Clearance) -> Result<Link, TransportError> {
        self.0.dial(to, clearance).await
    }
}

chatp2p_core::transport_contract!((Temporary::new(), bob()));

fn bob() -> Endpoint {
    "unix:bob".parse().unwrap()
}

#[tokio::test]
async fn a_socket_that_a_crash_left_behind_is_no_obstacle() {
    let transport = Temporary::new();
    let socket = transport.1.path().join("bob.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    assert!(matches!(transport.dial(&bob(), &Clearance::of_the_user()).await, Err(TransportError::Unreachable { .. })));
    let listener = transport.listen(&bob()).await.unwrap();
    transport.dial(&bob(), &Clearance::of_the_user()).await.unwrap();
    drop(listener);
    assert!(!socket.exists());
}

#[tokio::test]
async fn no_endpoint_leads_out_of_the_folder() {
    for text in ["unix:", "unix:../bob", "unix:/tmp/bob", "unix:a/b", "unix://bob:1"] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
    let transport = Temporary::new();
    for text in ["unix:..", "unix:."] {
        let _listener = transport.listen(&text.parse().unwrap()).await.unwrap();
        let made = fs::read_dir(transport.1.path()).unwrap().count();
        assert_eq!(made, 2, "{text}: a socket and its lock");
        fs::read_dir(transport.1.path()).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    }
}

#[tokio::test]
async fn a_frame_announced_too_large_ends_the_link_before_it_comes() {
    let transport = Temporary::new();
    let mut listener = transport.listen(&bob()).await.unwrap();
    let mut eve = UnixStream::connect(transport.1.path().join("bob.sock")).unwrap();
    let announced = u32::try_from(MAX_LINK_MESSAGE_BYTES + 1).unwrap();
    eve.write_all(&announced.to_be_bytes()).unwrap();
    let mut link = listener.accept().await.unwrap();
    let error = in_time(link.incoming.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, TransportError::Protocol { .. }), "{error}");
    assert!(link.incoming.next().await.is_none());
}

#[tokio::test]
async fn two_nodes_chat_over_sockets() {
    let said = program::said(&mut program::example("custom_transport")).await;
    let expected = "alice dialled [unix:bob]\nalice: is this a file?\nbob: it is a socket… (700000 bytes)\n";
    assert_eq!(said, expected);
}
