//! A wire with a tap: passes bytes on both ways, keeps a copy of them, and can be held so that its links are half open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::play::{Peer, Program};

/// Another address of this machine, where a program listens whose own address is the wire's.
pub(crate) const BEHIND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// The flags of a peer that others reach where this wire begins alone, and that listens where it ends.
pub(crate) fn behind(
    (at, to): (SocketAddr, SocketAddr),
    command: &mut Command,
    name: &str,
    data: &Path,
    trackers: &[SocketAddr],
) {
    command.args(["--bind", "127.0.0.1:0", "--p2p", &to.to_string()]);
    command.args(["--advertise", &at.ip().to_string(), "--username", name, "--data-dir"]).arg(data);
    for tracker in trackers {
        command.args(["--tracker", &format!("http://{tracker}")]);
    }
}

/// A wire to one address.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Where it begins.
    pub(crate) at: SocketAddr,
    /// Where it ends.
    pub(crate) to: SocketAddr,
    copies: Arc<Copies>,
    open: watch::Sender<bool>,
    _passing: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Copies {
    there: Mutex<Vec<u8>>,
    back: Mutex<Vec<u8>>,
}

impl Wire {
    /// A wire to a program.
    pub(crate) async fn to(to: SocketAddr) -> Self {
        Self::lay(|_| to).await
    }

    /// A wire to a peer that is still to be started, at the same port of another address.
    pub(crate) async fn to_peer() -> Self {
        Self::lay(|at| SocketAddr::new(BEHIND, at.port())).await
    }

    async fn lay(to: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (to, copies, open) = (to(at), Arc::new(Copies::default()), watch::Sender::new(true));
        let mut passing = JoinSet::new();
        passing.spawn(accept(listener, to, Arc::clone(&copies), open.subscribe()));
        Self { at, to, copies, open, _passing: passing }
    }

    /// Passes nothing on until it is released. Sockets stay open: to either end the other one is silent.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    /// All that went to where the wire leads.
    pub(crate) fn there(&self) -> Vec<u8> {
        self.copies.there.lock().unwrap().clone()
    }

    /// All that came back.
    pub(crate) fn back(&self) -> Vec<u8> {
        self.copies.back.lock().unwrap().clone()
    }

    /// The flags of a peer that others reach over this wire alone.
    pub(crate) fn behind(&self, command: &mut Command, name: &str, data: &Path, tracker: SocketAddr) {
        behind((self.at, self.to), command, name, data, &[tracker]);
    }

    /// A peer that others reach over this wire alone.
    pub(crate) async fn peer(&self, name: &str, tracker: SocketAddr) -> Peer {
        let data = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
        self.behind(&mut command, name, data.path(), tracker);
        Peer { program: Program::start(&mut command).await, name: name.to_owned(), data }
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, copies: Arc<Copies>, open: watch::Receiver<bool>) {
    let mut links = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        // Where nobody listens, the caller finds its connection closed.
        let Ok(far) = TcpStream::connect(to).await else { continue };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let (there, back) = (Arc::clone(&copies), Arc::clone(&copies));
        let (open, also_open) = (open.clone(), open.clone());
        links.spawn(pass(near_in, far_out, open, move |bytes| there.there.lock().unwrap().extend_from_slice(bytes)));
        links.spawn(pass(far_in, near_out, also_open, move |bytes| back.back.lock().unwrap().extend_from_slice(bytes)));
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>, keep: impl Fn(&[u8])) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        keep(&bytes[..read]);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
