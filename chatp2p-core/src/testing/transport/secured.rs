//! The cases of the contract in which alice and bob secure a link, and eve is between them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{STALLED, TOO_MUCH_HELD, change_incoming, pair, pattern};
use crate::identity::Identity;
use crate::message::MAX_FRAME_BYTES;
use crate::record::Endpoint;
use crate::transport::secure::{self, Purpose};
use crate::transport::{Link, SecureLink, Transport, TransportError};

/// Secures both ends of a link: alice dialled it, bob accepted it.
///
/// # Panics
/// When that fails.
pub async fn secured((dialled, accepted): (Link, Link)) -> (SecureLink, SecureLink) {
    let (alice, bob) = (alice(), bob());
    let ends = future::join(
        secure::client(dialled, &alice, bob.peer_id(), Purpose::Peer),
        secure::server(accepted, &bob, &[Purpose::Peer]),
    )
    .await;
    (ends.0.expect("bob proves his key"), ends.1.expect("alice proves her key"))
}

fn alice() -> Identity {
    Identity::from_seed(&[1; 32])
}

fn bob() -> Identity {
    Identity::from_seed(&[2; 32])
}

fn eve() -> Identity {
    Identity::from_seed(&[3; 32])
}

/// A secure link with its task.
struct Running {
    outgoing: mpsc::Sender<Bytes>,
    incoming: mpsc::Receiver<Bytes>,
    task: JoinHandle<Result<(), TransportError>>,
}

impl Running {
    fn start(link: SecureLink, queue: usize) -> Self {
        let (outgoing, to_send) = mpsc::channel(queue);
        let (received, incoming) = mpsc::channel(queue);
        Self { outgoing, incoming, task: tokio::spawn(link.run(to_send, received, Ok)) }
    }

    async fn send(&self, frame: impl Into<Bytes>) {
        self.outgoing.send(frame.into()).await.expect("the link is up");
    }

    async fn receive(&mut self) -> Bytes {
        self.incoming.recv().await.expect("the link is up")
    }

    /// How the link ended, when it is the other end that ends it.
    async fn incoming_until_the_end(mut self) -> Result<(), TransportError> {
        while self.incoming.recv().await.is_some() {}
        self.task.await.expect("the task of a link does not panic")
    }

    /// How the link ended. Frames that still arrive are taken off its hands.
    async fn ended(self) -> Result<(), TransportError> {
        let Self { outgoing, mut incoming, task } = self;
        drop(outgoing);
        while incoming.recv().await.is_some() {}
        task.await.expect("the task of a link does not panic")
    }
}

async fn running(transport: &dyn Transport, at: &Endpoint) -> (Running, Running) {
    let (alice, bob) = secured(pair(transport, at).await).await;
    (Running::start(alice, 4), Running::start(bob, 4))
}

/// And the keys are exchanged so that a recording withstands a quantum computer.
pub async fn both_ends_learn_who_the_other_is(transport: &dyn Transport, at: &Endpoint) {
    let (one, other) = secured(pair(transport, at).await).await;
    assert_eq!((one.peer(), one.dialled()), (bob().peer_id(), true));
    assert_eq!((other.peer(), other.dialled()), (alice().peer_id(), false));
    assert!(one.is_post_quantum() && other.is_post_quantum());
}

/// Alice dials bob and meets eve, who proves to be eve.
pub async fn a_wrong_key_is_an_error_for_both_ends(transport: &dyn Transport, at: &Endpoint) {
    let (dialled, accepted) = pair(transport, at).await;
    let (alice, eve) = (alice(), eve());
    let ends = future::join(
        secure::client(dialled, &alice, bob().peer_id(), Purpose::Peer),
        secure::server(accepted, &eve, &[Purpose::Peer]),
    )
    .await;
    assert!(matches!(ends.0, Err(TransportError::WrongKey)), "{:?}", ends.0);
    assert!(matches!(ends.1, Err(TransportError::Protocol { .. })), "eve is told: {:?}", ends.1);
}

/// From none to the bound, in both directions.
pub async fn frames_of_every_size_arrive_through_a_secure_link(transport: &dyn Transport, at: &Endpoint) {
    let sizes = [0, 1, 200, 16_383, 16_384, 16_385, 300_000, 1 << 20, MAX_FRAME_BYTES, 3];
    let (mut one, mut other) = running(transport, at).await;
    for _ in 0..2 {
        let sending = async {
            for (seed, size) in sizes.into_iter().enumerate() {
                one.send(pattern(size, seed)).await;
            }
        };
        let receiving = async {
            for (seed, size) in sizes.into_iter().enumerate() {
                assert!(
                    other.receive().await == pattern(size, seed),
                    "frame {seed} of {size} bytes arrives as it was sent"
                );
            }
        };
        future::join(sending, receiving).await;
        std::mem::swap(&mut one, &mut other);
    }
}

/// Both ends write as fast as they can, and read.
pub async fn a_two_way_flood_arrives_in_order(transport: &dyn Transport, at: &Endpoint) {
    let (one, other) = running(transport, at).await;
    future::join(flood(one), flood(other)).await;
}

async fn flood(mut end: Running) {
    const FRAMES: usize = 20_000;
    let outgoing = end.outgoing.clone();
    let sending = async {
        for seed in 0..FRAMES {
            outgoing.send(pattern(200, seed)).await.expect("the link is up");
        }
    };
    let receiving = async {
        for seed in 0..FRAMES {
            assert_eq!(end.receive().await, pattern(200, seed), "frame {seed}");
        }
    };
    future::join(sending, receiving).await;
}

/// The queue is emptied first, and both ends end well.
pub async fn a_goodbye_comes_after_all_that_was_queued(transport: &dyn Transport, at: &Endpoint) {
    for dialler_closes in [true, false] {
        let (alice, bob) = secured(pair(transport, at).await).await;
        let (closing, reading) = if dialler_closes { (alice, bob) } else { (bob, alice) };
        let (closing, mut reading) = (Running::start(closing, 100), Running::start(reading, 4));
        // What the closing end does not read any more must not cost it its last words.
        reading.send(pattern(100_000, 0)).await;
        for seed in 0..100 {
            closing.send(pattern(5000, seed)).await;
        }
        let reader = async {
            for seed in 0..100 {
                assert!(reading.receive().await == pattern(5000, seed), "frame {seed}");
            }
            assert!(reading.incoming.recv().await.is_none());
            reading.ended().await
        };
        let ends = future::join(closing.ended(), reader).await;
        assert!(matches!(ends, (Ok(()), Ok(()))), "{ends:?}");
    }
}

/// Dropping the receiver closes as well as dropping the sender.
pub async fn letting_go_of_the_frames_says_goodbye(transport: &dyn Transport, at: &Endpoint) {
    let (one, mut other) = running(transport, at).await;
    one.send(pattern(10, 0)).await;
    drop(one.incoming);
    assert_eq!(other.receive().await, pattern(10, 0));
    assert!(other.incoming.recv().await.is_none());
    assert!(matches!(other.ended().await, Ok(())));
    assert!(matches!(one.task.await.expect("the task of a link does not panic"), Ok(())));
}

/// The other end can tell that something may be missing.
pub async fn a_cut_connection_is_no_goodbye(transport: &dyn Transport, at: &Endpoint) {
    let (alice, bob) = secured(pair(transport, at).await).await;
    let bob = Running::start(bob, 4);
    drop(alice);
    let end = bob.incoming_until_the_end().await;
    assert!(matches!(end, Err(TransportError::Closed)), "{end:?}");
}

/// Bob's queue is full: alice is held up, and still hears what bob says.
pub async fn a_full_queue_stops_reading_and_not_writing(transport: &dyn Transport, at: &Endpoint) {
    const SIZE: usize = 64 << 10;
    let (mut alice, mut bob) = running(transport, at).await;
    let mut sent = 0;
    loop {
        let Ok(place) = timeout(STALLED, alice.outgoing.reserve()).await else { break };
        place.expect("the link is up").send(pattern(SIZE, sent));
        sent += 1;
        assert!(sent * SIZE < TOO_MUCH_HELD, "the writer is never held up");
    }
    bob.send(pattern(200, 1)).await;
    assert_eq!(alice.receive().await, pattern(200, 1));
    for seed in 0..sent {
        assert!(bob.receive().await == pattern(SIZE, seed), "frame {seed} arrives as it was sent");
    }
    let ends = future::join(alice.ended(), bob.incoming_until_the_end()).await;
    assert!(matches!(ends, (Ok(()), Ok(()))), "{ends:?}");
}

/// One byte above the bound.
pub async fn an_oversized_frame_ends_the_link(transport: &dyn Transport, at: &Endpoint) {
    let (alice, bob) = running(transport, at).await;
    alice.send(pattern(MAX_FRAME_BYTES + 1, 0)).await;
    let end = alice.incoming_until_the_end().await;
    assert!(matches!(end, Err(TransportError::Protocol { .. })), "{end:?}");
    assert!(bob.incoming_until_the_end().await.is_ok(), "alice refuses before she has broken anything");
}

/// Frames that bob gets of those that alice sends one by one, and how his link ended, while somebody between them
/// makes of every message what `change` says. It is called with the number of the message since the handshake.
async fn meddled(
    transport: &dyn Transport,
    at: &Endpoint,
    mut change: impl FnMut(usize, Bytes) -> Vec<Bytes> + Send + 'static,
) -> (Vec<Bytes>, Result<(), TransportError>) {
    let up = Arc::new(Mutex::new(None));
    let count = Arc::clone(&up);
    let (dialled, accepted) = pair(transport, at).await;
    let accepted =
        change_incoming(accepted, move |message| match &mut *count.lock().unwrap_or_else(PoisonError::into_inner) {
            None => vec![message],
            Some(number) => {
                *number += 1;
                change(*number - 1, message)
            }
        });
    let (alice, bob) = secured((dialled, accepted)).await;
    *up.lock().unwrap_or_else(PoisonError::into_inner) = Some(0_usize);
    let mut bob = Running::start(bob, 16);
    let alice = Running::start(alice, 16);
    let told = tokio::spawn(async move {
        for seed in 0..5 {
            // One link message for each: the next is sent when this one is under way.
            if alice.outgoing.send(pattern(100, seed)).await.is_err() {
                break;
            }
            while alice.outgoing.capacity() < alice.outgoing.max_capacity() {
                tokio::task::yield_now().await;
            }
        }
        alice.ended().await
    });
    let mut frames = Vec::new();
    while let Some(frame) = bob.incoming.recv().await {
        frames.push(frame);
    }
    let end = bob.ended().await;
    // Whether alice heard of it in time depends on who was faster; she ends either way.
    let _ = told.await.expect("alice ends");
    (frames, end)
}

fn refused((frames, end): &(Vec<Bytes>, Result<(), TransportError>)) {
    assert!(matches!(end, Err(TransportError::Protocol { .. })), "{end:?}");
    for (seed, frame) in frames.iter().enumerate() {
        assert_eq!(*frame, pattern(100, seed), "what came before is whole");
    }
    assert!(frames.len() < 5, "nothing comes after");
}

/// One bit.
pub async fn a_changed_record_is_noticed(transport: &dyn Transport, at: &Endpoint) {
    let outcome = meddled(transport, at, |number, message| {
        let mut bytes = message.to_vec();
        if let (1, Some(byte)) = (number, bytes.last_mut()) {
            *byte ^= 1;
        }
        vec![bytes.into()]
    });
    refused(&outcome.await);
}

/// The same record twice.
pub async fn a_repeated_record_is_noticed(transport: &dyn Transport, at: &Endpoint) {
    let outcome = meddled(transport, at, |number, message| vec![message; if number == 1 { 2 } else { 1 }]);
    refused(&outcome.await);
}

/// A record that never arrives.
pub async fn a_missing_record_is_noticed(transport: &dyn Transport, at: &Endpoint) {
    let outcome = meddled(transport, at, |number, message| if number == 1 { vec![] } else { vec![message] });
    refused(&outcome.await);
}

/// Two records in each other's place.
pub async fn swapped_records_are_noticed(transport: &dyn Transport, at: &Endpoint) {
    let mut held = None;
    let outcome = meddled(transport, at, move |number, message| match number {
        1 => {
            held = Some(message);
            vec![]
        }
        _ => std::iter::once(message).chain(held.take()).collect(),
    });
    refused(&outcome.await);
}

/// Whoever listens on the way sees neither a text nor a name of the protocol inside it.
pub async fn nothing_readable_is_on_the_link(transport: &dyn Transport, at: &Endpoint) {
    const CANARY: &[u8] = b"the canary sings at midnight";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = |link, seen: &Arc<Mutex<Vec<u8>>>| {
        let seen = Arc::clone(seen);
        change_incoming(link, move |message| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&message);
            vec![message]
        })
    };
    let (dialled, accepted) = pair(transport, at).await;
    let (alice, bob) = secured((record(dialled, &seen), record(accepted, &seen))).await;
    let (mut alice, mut bob) = (Running::start(alice, 4), Running::start(bob, 4));
    alice.send(CANARY).await;
    assert_eq!(bob.receive().await, CANARY);
    bob.send(CANARY).await;
    assert_eq!(alice.receive().await, CANARY);
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(seen.len() > 4 * CANARY.len(), "the recorder records");
    assert!(!seen.windows(CANARY.len()).any(|bytes| bytes == CANARY), "the canary is on the link");
}
