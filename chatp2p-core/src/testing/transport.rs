//! What every [`Transport`] must do, and what [`secure`] must make of its links, as one named test per case.
//! [`transport_contract!`](crate::transport_contract) runs them all.

#![allow(clippy::expect_used, clippy::panic, reason = "a suite of tests")]

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, future, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::identity::Identity;
use crate::record::Endpoint;
use crate::transport::secure::{self, MAX_FRAME_BYTES};
use crate::transport::{Link, LinkSink, LinkStream, MAX_LINK_MESSAGE_BYTES, SecureLink, Transport, TransportError};

/// Makes one test of every case of the contract. The expression gives a fresh transport and an endpoint to listen at; it
/// is evaluated once per test.
///
/// ```ignore
/// mod memory {
///     chatp2p_core::transport_contract!((MemoryTransport::new(), "memory:bob".parse().unwrap()));
/// }
/// ```
#[macro_export]
macro_rules! transport_contract {
    ($make:expr) => {
        $crate::transport_contract! { @each $make;
            messages_arrive_whole_and_in_order
            closing_ends_the_stream_of_the_other_end
            what_was_sent_before_closing_arrives
            dropping_a_link_ends_it_for_the_other_end
            nobody_listening_is_unreachable
            an_endpoint_of_another_transport_is_unsupported
            a_taken_address_is_refused
            dropping_a_listener_frees_its_address_at_once
            giving_up_a_dial_leaves_no_live_link
            giving_up_an_accept_loses_no_link
            a_reader_that_does_not_read_holds_the_writer_up
            an_oversized_message_is_refused_before_it_is_sent
            both_ends_learn_who_the_other_is
            a_wrong_key_is_an_error_for_both_ends
            frames_of_every_size_arrive_through_a_secure_link
            a_two_way_flood_arrives_in_order
            a_goodbye_comes_after_all_that_was_queued
            letting_go_of_the_frames_says_goodbye
            a_cut_connection_is_no_goodbye
            a_full_queue_stops_reading_and_not_writing
            an_oversized_frame_ends_the_link
            a_changed_record_is_noticed
            a_repeated_record_is_noticed
            a_missing_record_is_noticed
            swapped_records_are_noticed
            nothing_readable_is_on_the_link
        }
    };
    (@each $make:expr; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (transport, at) = $make;
                $crate::testing::transport::in_time($crate::testing::transport::$case(&transport, &at)).await;
            }
        )*
    };
}

/// Far longer than any case takes, so that a link that hangs is a failure and not a wait.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long nothing must move for a writer to count as held up.
const STALLED: Duration = Duration::from_millis(700);

/// More than any transport may hold for a reader that does not read, the buffers of the system included.
const TOO_MUCH_HELD: usize = 48 << 20;

/// Runs a case to its end.
///
/// # Panics
/// When it takes a minute.
pub async fn in_time<T>(case: impl Future<Output = T>) -> T {
    timeout(CASE_TIMEOUT, case).await.expect("the case ends in time")
}

/// A link, from the end that dialled and from the end that listened.
///
/// # Panics
/// When there is none to be had.
pub async fn pair(transport: &dyn Transport, at: &Endpoint) -> (Link, Link) {
    let mut listener = transport.listen(at).await.expect("listens");
    let there = listener.endpoint().clone();
    let (dialled, accepted) = future::join(transport.dial(&there), listener.accept()).await;
    (dialled.expect("dials"), accepted.expect("accepts"))
}

/// The link with every message from the other end replaced by what `change` makes of it: none, one or several.
pub fn change_incoming(link: Link, mut change: impl FnMut(Bytes) -> Vec<Bytes> + Send + 'static) -> Link {
    let incoming = link.incoming.flat_map(move |message| {
        stream::iter(match message {
            Ok(message) => change(message).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    Link { incoming: Box::pin(incoming), ..link }
}

/// Secures both ends of a link: alice dialled it, bob accepted it.
///
/// # Panics
/// When that fails.
pub async fn secured((dialled, accepted): (Link, Link)) -> (SecureLink, SecureLink) {
    let (alice, bob) = (alice(), bob());
    let ends = future::join(secure::client(dialled, &alice, bob.peer_id()), secure::server(accepted, &bob)).await;
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

/// Bytes that differ from place to place and from message to message.
fn pattern(length: usize, seed: usize) -> Bytes {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251 + seed * 7) % 256).unwrap_or_default()).collect()
}

async fn next(link: &mut Link) -> Bytes {
    link.incoming.next().await.expect("the link is open").expect("the link is whole")
}

async fn every_size_passes(sink: &mut LinkSink, incoming: &mut LinkStream) {
    let sizes = [1, 2, 125, 126, 65_535, 65_536, 1 << 20, MAX_LINK_MESSAGE_BYTES];
    let sending = async {
        for (seed, size) in sizes.into_iter().enumerate() {
            sink.send(pattern(size, seed)).await.expect("sends");
        }
    };
    let receiving = async {
        for (seed, size) in sizes.into_iter().enumerate() {
            let message = incoming.next().await.expect("the link is open").expect("the link is whole");
            assert!(message == pattern(size, seed), "message {seed} of {size} bytes arrives as it was sent");
        }
    };
    future::join(sending, receiving).await;
}

/// From one byte to the bound, in both directions.
pub async fn messages_arrive_whole_and_in_order(transport: &dyn Transport, at: &Endpoint) {
    let (mut one, mut other) = pair(transport, at).await;
    every_size_passes(&mut one.outgoing, &mut other.incoming).await;
    every_size_passes(&mut other.outgoing, &mut one.incoming).await;
}

/// Closing is not an error, from whichever end.
pub async fn closing_ends_the_stream_of_the_other_end(transport: &dyn Transport, at: &Endpoint) {
    for dialler_closes in [true, false] {
        let (one, other) = pair(transport, at).await;
        let (mut closing, mut reading) = if dialler_closes { (one, other) } else { (other, one) };
        closing.outgoing.close().await.expect("closes");
        assert!(reading.incoming.next().await.is_none(), "the stream ends");
        assert!(reading.incoming.next().await.is_none(), "and stays so");
    }
}

/// Closing takes nothing back.
pub async fn what_was_sent_before_closing_arrives(transport: &dyn Transport, at: &Endpoint) {
    let (mut one, mut other) = pair(transport, at).await;
    let sending = async {
        for seed in 0..10 {
            one.outgoing.feed(pattern(1000, seed)).await.expect("sends");
        }
        one.outgoing.close().await.expect("closes");
    };
    let receiving = async {
        for seed in 0..10 {
            assert_eq!(next(&mut other).await, pattern(1000, seed));
        }
        assert!(other.incoming.next().await.is_none());
    };
    future::join(sending, receiving).await;
}

/// With an error or without; but it ends.
pub async fn dropping_a_link_ends_it_for_the_other_end(transport: &dyn Transport, at: &Endpoint) {
    let (one, mut other) = pair(transport, at).await;
    drop(one);
    assert!(!matches!(other.incoming.next().await, Some(Ok(_))), "nothing arrives from nobody");
    assert!(other.incoming.next().await.is_none(), "an ended stream stays ended");
}

/// Where nobody has ever listened, and where somebody did.
pub async fn nobody_listening_is_unreachable(transport: &dyn Transport, at: &Endpoint) {
    let there = transport.listen(at).await.expect("listens").endpoint().clone();
    let error = transport.dial(&there).await.expect_err("nobody is there");
    assert!(matches!(&error, TransportError::Unreachable { endpoint, .. } if *endpoint == there), "{error}");
}

/// Neither dialled nor listened at.
pub async fn an_endpoint_of_another_transport_is_unsupported(transport: &dyn Transport, _: &Endpoint) {
    let foreign: Endpoint = "pigeon:roost".parse().expect("an endpoint");
    let error = transport.dial(&foreign).await.expect_err("not ours");
    assert!(matches!(error, TransportError::Unsupported { .. }), "{error}");
    let error = transport.listen(&foreign).await.expect_err("not ours");
    assert!(matches!(error, TransportError::Unsupported { .. }), "{error}");
}

/// And the first listener does not suffer.
pub async fn a_taken_address_is_refused(transport: &dyn Transport, at: &Endpoint) {
    let mut first = transport.listen(at).await.expect("listens");
    let there = first.endpoint().clone();
    let error = transport.listen(&there).await.expect_err("it is taken");
    assert!(matches!(&error, TransportError::AddressInUse { endpoint } if *endpoint == there), "{error}");
    let (dialled, accepted) = future::join(transport.dial(&there), first.accept()).await;
    assert!(dialled.is_ok() && accepted.is_ok());
}

/// Also with links of the old listener still open, and those live on.
pub async fn dropping_a_listener_frees_its_address_at_once(transport: &dyn Transport, at: &Endpoint) {
    let mut first = transport.listen(at).await.expect("listens");
    let there = first.endpoint().clone();
    let (old_one, old_other) = future::join(transport.dial(&there), first.accept()).await;
    let (mut old_one, mut old_other) = (old_one.expect("dials"), old_other.expect("accepts"));
    drop(first);
    for round in 0..3 {
        let mut again = transport.listen(&there).await.expect("listens at the same address again");
        let (one, other) = future::join(transport.dial(&there), again.accept()).await;
        let (mut one, mut other) = (one.expect("dials"), other.expect("accepts"));
        one.outgoing.send(pattern(10, round)).await.expect("sends");
        assert_eq!(next(&mut other).await, pattern(10, round));
    }
    old_one.outgoing.send(pattern(10, 9)).await.expect("the old link lives on");
    assert_eq!(next(&mut old_other).await, pattern(10, 9));
}

/// Whatever a listener still hands out of such a dial has ended already.
pub async fn giving_up_a_dial_leaves_no_live_link(transport: &dyn Transport, at: &Endpoint) {
    let mut listener = transport.listen(at).await.expect("listens");
    let there = listener.endpoint().clone();
    for _ in 0..20 {
        drop(transport.dial(&there).now_or_never());
    }
    let honest = async {
        let mut link = transport.dial(&there).await.expect("dials");
        link.outgoing.send(Bytes::from_static(b"honest")).await.expect("sends");
        link
    };
    let serving = async {
        loop {
            let mut link = listener.accept().await.expect("accepts");
            if let Some(Ok(message)) = link.incoming.next().await {
                break assert_eq!(message, &b"honest"[..]);
            }
        }
    };
    let _link = future::join(honest, serving).await.0;
}

/// However often the future is dropped while a link comes up.
pub async fn giving_up_an_accept_loses_no_link(transport: &dyn Transport, at: &Endpoint) {
    let mut listener = transport.listen(at).await.expect("listens");
    let there = listener.endpoint().clone();
    let accepting = async {
        loop {
            if let Some(link) = listener.accept().now_or_never() {
                break link;
            }
            tokio::task::yield_now().await;
        }
    };
    let (dialled, accepted) = future::join(transport.dial(&there), accepting).await;
    let (mut one, mut other) = (dialled.expect("dials"), accepted.expect("accepts"));
    one.outgoing.send(pattern(10, 0)).await.expect("sends");
    assert_eq!(next(&mut other).await, pattern(10, 0));
}

/// And loses nothing by it.
pub async fn a_reader_that_does_not_read_holds_the_writer_up(transport: &dyn Transport, at: &Endpoint) {
    const SIZE: usize = 64 << 10;
    let (mut one, mut other) = pair(transport, at).await;
    let mut sent = 0;
    while timeout(STALLED, poll_fn(|cx| one.outgoing.as_mut().poll_ready(cx))).await.is_ok_and(|ready| ready.is_ok()) {
        one.outgoing.as_mut().start_send(pattern(SIZE, sent)).expect("sends");
        sent += 1;
        assert!(sent * SIZE < TOO_MUCH_HELD, "the writer is never held up");
    }
    let closing = async { one.outgoing.close().await.expect("closes") };
    let reading = async {
        for seed in 0..sent {
            assert!(next(&mut other).await == pattern(SIZE, seed), "message {seed} arrives as it was sent");
        }
        assert!(other.incoming.next().await.is_none());
    };
    future::join(closing, reading).await;
}

/// The bound holds for the sender, too.
pub async fn an_oversized_message_is_refused_before_it_is_sent(transport: &dyn Transport, at: &Endpoint) {
    let (mut one, _other) = pair(transport, at).await;
    let error = one.outgoing.send(pattern(MAX_LINK_MESSAGE_BYTES + 1, 0)).await.expect_err("it is too large");
    assert!(matches!(error, TransportError::Protocol { .. }), "{error}");
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
    let ends = future::join(secure::client(dialled, &alice, bob().peer_id()), secure::server(accepted, &eve)).await;
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
