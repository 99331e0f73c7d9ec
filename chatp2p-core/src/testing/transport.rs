//! What every [`Transport`] must do, and what [`secure`](crate::transport::secure) must make of its links, as one named test per case.
//! [`transport_contract!`](crate::transport_contract) runs them all.

#![allow(clippy::expect_used, clippy::panic, reason = "a suite of tests")]

mod secured;

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, future, stream};
use tokio::time::timeout;

use crate::record::Endpoint;
use crate::transport::{Clearance, Link, LinkSink, LinkStream, MAX_LINK_MESSAGE_BYTES, Transport, TransportError};

pub use secured::*;

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
    let (dialled, accepted) = future::join(transport.dial(&there, &Clearance::of_the_user()), listener.accept()).await;
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
    let error = transport.dial(&there, &Clearance::of_the_user()).await.expect_err("nobody is there");
    assert!(matches!(&error, TransportError::Unreachable { endpoint, .. } if *endpoint == there), "{error}");
}

/// Neither dialled nor listened at.
pub async fn an_endpoint_of_another_transport_is_unsupported(transport: &dyn Transport, _: &Endpoint) {
    let foreign: Endpoint = "pigeon:roost".parse().expect("an endpoint");
    let error = transport.dial(&foreign, &Clearance::of_the_user()).await.expect_err("not ours");
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
    let (dialled, accepted) = future::join(transport.dial(&there, &Clearance::of_the_user()), first.accept()).await;
    assert!(dialled.is_ok() && accepted.is_ok());
}

/// Also with links of the old listener still open, and those live on.
pub async fn dropping_a_listener_frees_its_address_at_once(transport: &dyn Transport, at: &Endpoint) {
    let mut first = transport.listen(at).await.expect("listens");
    let there = first.endpoint().clone();
    let (old_one, old_other) = future::join(transport.dial(&there, &Clearance::of_the_user()), first.accept()).await;
    let (mut old_one, mut old_other) = (old_one.expect("dials"), old_other.expect("accepts"));
    drop(first);
    for round in 0..3 {
        let mut again = transport.listen(&there).await.expect("listens at the same address again");
        let (one, other) = future::join(transport.dial(&there, &Clearance::of_the_user()), again.accept()).await;
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
        drop(transport.dial(&there, &Clearance::of_the_user()).now_or_never());
    }
    let honest = async {
        let mut link = transport.dial(&there, &Clearance::of_the_user()).await.expect("dials");
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
    let (dialled, accepted) = future::join(transport.dial(&there, &Clearance::of_the_user()), accepting).await;
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
