//! What stands in front of a program's port: all who want to reach the program reach this, and what passes through it can be
//! made to fail in the ways in which networks do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use crate::tap::BEHIND;

/// The longest of the pieces into which bytes are sliced. Shorter than any head of any frame, so that every length and every
/// tag is met in parts.
const SLICE: usize = 7;

/// How it goes to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Each piece comes this much later.
    Late(Duration),
    /// Nothing passes, but nothing is lost either.
    Held,
    /// Whatever is sent, either way, vanishes, and the sockets stay open.
    Swallowed,
    /// Bytes come in tiny pieces.
    Sliced,
}

/// What a connection has to know.
#[derive(Debug, Clone, Copy)]
struct Sky {
    weather: Weather,
    /// How often everything was cut.
    cuts: usize,
}

/// A port in front of a program's.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where others reach the program.
    pub(crate) at: SocketAddr,
    /// Where the program itself listens.
    pub(crate) to: SocketAddr,
    sky: watch::Sender<Sky>,
    felt: Arc<AtomicUsize>,
    _passing: JoinSet<()>,
}

impl Proxy {
    /// A proxy of a program that is still to be started, at the same port of another address.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let to = SocketAddr::new(BEHIND, at.port());
        let sky = watch::Sender::new(Sky { weather: Weather::Fair, cuts: 0 });
        let felt = Arc::default();
        let mut passing = JoinSet::new();
        passing.spawn(accept(listener, to, sky.subscribe(), Arc::clone(&felt)));
        Self { at, to, sky, felt, _passing: passing }
    }

    /// From now on it is so, for those connections that there are and for those to come.
    pub(crate) fn turn(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.weather = weather);
    }

    /// Resets every connection, as a router does that has forgotten them.
    pub(crate) fn cut(&self) {
        self.sky.send_modify(|sky| sky.cuts += 1);
    }

    /// How often something came to harm so far: a fault on a wire where nothing is going on is none.
    pub(crate) fn felt(&self) -> usize {
        self.felt.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, sky: watch::Receiver<Sky>, felt: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (near, _) = listener.accept().await.unwrap();
        connections.spawn(carry(near, to, sky.clone(), Arc::clone(&felt)));
    }
}

/// Carries one connection to its end. Whatever ends it other than in good order, and be it that nobody listens at the far end,
/// both ends see as a reset.
async fn carry(mut near: TcpStream, to: SocketAddr, sky: watch::Receiver<Sky>, felt: Arc<AtomicUsize>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return near.set_zero_linger().unwrap() };
    // What is sliced is to arrive so.
    let in_order = near.set_nodelay(true).and(far.set_nodelay(true)).is_ok() && {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        let (there, back) = (pass(near_in, far_out, sky.clone(), &felt), pass(far_in, near_out, sky.clone(), &felt));
        tokio::select! {
            passed = async { tokio::try_join!(there, back) } => passed.is_ok(),
            () = cut(sky) => {
                felt.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    };
    if !in_order {
        // A socket that its program has reset already has nothing to linger for.
        let _ = (near.set_zero_linger(), far.set_zero_linger());
    }
}

/// Waits until everything is cut.
async fn cut(mut sky: watch::Receiver<Sky>) {
    let before = sky.borrow().cuts;
    // Without a proxy there is nobody left to cut anything.
    if sky.wait_for(|sky| sky.cuts > before).await.is_err() {
        std::future::pending().await
    }
}

/// Passes bytes on one way.
///
/// # Errors
/// When the connection cannot go on: a socket failed, or bytes of it were swallowed.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut sky: watch::Receiver<Sky>,
    felt: &AtomicUsize,
) -> Result<(), ()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut bytes).await.map_err(drop)?;
        let read = &bytes[..read];
        let weather = sky.borrow().weather;
        if weather != Weather::Fair {
            felt.fetch_add(1, Ordering::Relaxed);
        }
        match weather {
            Weather::Late(by) => sleep(by).await,
            // The end of what is sent is held as well.
            Weather::Held => drop(sky.wait_for(|sky| sky.weather != weather).await.map_err(drop)?),
            Weather::Swallowed => return swallow(from, sky).await,
            Weather::Fair | Weather::Sliced => {}
        }
        if read.is_empty() {
            return to.shutdown().await.map_err(drop);
        }
        for piece in read.chunks(if weather == Weather::Sliced { SLICE } else { read.len() }) {
            to.write_all(piece).await.map_err(drop)?;
            yield_now().await;
        }
    }
}

/// Takes what is sent and keeps it from the other end until the weather turns. No connection can go on from there: what was
/// swallowed is missing, and in earnest whoever has forgotten a connection resets it as soon as it is heard of again.
async fn swallow(mut from: ReadHalf<'_>, mut sky: watch::Receiver<Sky>) -> Result<(), ()> {
    let taking = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(1..) = from.read(&mut bytes).await {}
        std::future::pending().await
    };
    tokio::select! {
        () = taking => {}
        _ = sky.wait_for(|sky| sky.weather != Weather::Swallowed) => {}
    }
    Err(())
}
