//! What a node says about why a peer is not connected, where the other end is no whole program: each is made, told, and
//! mended by what the code says.

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::identity::Identity;
use chatp2p_core::node::{Node, NodeError, PeerDiagnosis, PeerNode, Step, StepState};
use chatp2p_core::protocol::wire::{Frame, VERSION, encode};
use chatp2p_core::record::{PeerRecord, Reach, SignedRecord};
use chatp2p_core::testing::node::{self, Stranger, in_time, name, until};
use chatp2p_core::transport::{MAX_DIALS_PER_TARGET, Transport, WebSocketTransport};
use tokio::task::JoinSet;
use tokio::time::{advance, pause, resume};

use crate::town::{Town, all_delivered, numbered, say};

/// That the last attempt failed at this step and for this reason, and that there is something to do about it.
async fn told(node: &Node, whom: &str, step: Step, code: Code) -> PeerDiagnosis {
    let told = node.diagnose(&name(whom)).await.unwrap();
    let trouble = told.trouble.as_ref().unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!((told.failed(), trouble.code), (Some(step), code), "{told:?}");
    assert!(trouble.code.next().is_some_and(|next| !next.is_empty()), "{code} says what to do");
    for report in &told.steps {
        let fine = match report.step.cmp(&step) {
            std::cmp::Ordering::Less => report.state == StepState::Ok,
            std::cmp::Ordering::Equal => matches!(report.state, StepState::Failed(_)),
            std::cmp::Ordering::Greater => report.state == StepState::NotReached,
        };
        assert!(fine, "{report:?} of {told:?}");
    }
    told
}

async fn connects(node: &Node, whom: &Node) {
    node.connect(whom.username()).await.expect("it is mended");
    let told = node.diagnose(whom.username()).await.unwrap();
    assert!(told.link.is_some() && told.trouble.is_none() && told.failed().is_none(), "{told:?}");
    assert_eq!(told.steps.iter().map(|report| report.step).collect::<Vec<_>>(), Step::ALL);
    assert!(told.steps.iter().all(|report| report.state == StepState::Ok), "{told:?}");
}

/// At bob's address somebody proves his key, says this, and goes if `leaves`. Alice is told why there is no link; with the
/// real bob there is one.
async fn instead_of_bob(says: Option<Vec<u8>>, leaves: bool, step: Step, code: Code) {
    let town = Town::in_memory().await;
    let at = "memory:elsewhere".parse().unwrap();
    let (a, bob) = (town.alice().start().await, town.bob());
    let b = bob.builder().advertise(vec![at]).start().await.unwrap();
    let mut door = town.network.listen(&"memory:elsewhere".parse().unwrap()).await.unwrap();
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        let mut kept = Vec::new();
        loop {
            let stranger = Stranger::answer(door.accept().await.unwrap(), &node::bob()).await.unwrap();
            if let Some(bytes) = &says {
                stranger.say_bytes(bytes.clone()).await;
            }
            if !leaves {
                kept.push(stranger);
            }
        }
    });
    a.connect(b.username()).await.unwrap_err();
    until("the link is given up", async || a.diagnose(&name("bob")).await.unwrap().trouble.is_some()).await;
    told(&a, "bob", step, code).await;
    b.stop().await.unwrap();
    let b = bob.start().await;
    connects(&a, &b).await;
}

fn without_keys(identity: &Identity) -> Vec<u8> {
    let (username, peer_id) = (name("bob"), identity.peer_id());
    let record =
        PeerRecord { username, peer_id, endpoints: Vec::new(), seq: 1, pre_keys: None, letterboxes: Vec::new() };
    encode(&Frame::Hello { record: SignedRecord::sign(identity, record).unwrap() })
}

#[tokio::test]
async fn a_link_that_is_lost_before_it_is_up_is_told_and_mended_by_another_try() {
    instead_of_bob(None, true, Step::Accepted, Code::LinkLost).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_never_greets_is_told_and_mended_by_one_that_does() {
    instead_of_bob(None, false, Step::Accepted, Code::TimedOut).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_of_another_version_is_told_and_mended_by_one_of_the_same() {
    instead_of_bob(Some(without_keys(&node::bob())), false, Step::Accepted, Code::KeysUnusable).await;
}

#[tokio::test]
async fn an_end_that_speaks_an_older_protocol_is_told_and_mended_by_one_that_does_not() {
    let mut hello = without_keys(&node::bob());
    assert_eq!(hello[0], VERSION);
    hello[0] = VERSION - 1;
    instead_of_bob(Some(hello), false, Step::Accepted, Code::HandshakeFailed).await;
}

#[tokio::test]
async fn a_peer_without_an_address_is_told_and_mended_by_one_that_names_it() {
    let town = Town::in_memory().await;
    let (a, bob) = (town.alice().start().await, town.bob());
    let b = bob.builder().advertise(Vec::new()).start().await.unwrap();
    a.connect(b.username()).await.unwrap_err();
    told(&a, "bob", Step::Resolved, Code::NoAddress).await;
    b.stop().await.unwrap();
    connects(&a, &bob.start().await).await;
}

#[tokio::test]
async fn an_address_that_no_transport_dials_is_told_and_mended_by_another() {
    let town = Town::in_memory().await;
    let (a, bob) = (town.alice().start().await, town.bob());
    let b = bob.builder().advertise(vec!["ws://127.0.0.1:5001/p2p".parse().unwrap()]).start().await.unwrap();
    a.connect(b.username()).await.unwrap_err();
    told(&a, "bob", Step::Resolved, Code::UnsupportedEndpoint).await;
    b.stop().await.unwrap();
    connects(&a, &bob.start().await).await;
}

#[tokio::test]
async fn an_address_that_was_dialled_too_often_is_told_and_mended_by_waiting() {
    let town = Town::over_sockets().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = format!("ws://{closed}/p2p");
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, bob.builder().advertise(vec![at.parse().unwrap()]).start().await.unwrap());
    for _ in 0..MAX_DIALS_PER_TARGET {
        a.connect(b.username()).await.unwrap_err();
        told(&a, "bob", Step::Dialled, Code::PortClosed).await;
    }
    a.connect(b.username()).await.unwrap_err();
    told(&a, "bob", Step::Resolved, Code::DialledTooOften).await;
    b.stop().await.unwrap();
    pause();
    advance(Duration::from_secs(61)).await;
    resume();
    let transport = Arc::new(WebSocketTransport::new());
    let b = bob.builder().listener(transport.listen(&at.parse().unwrap()).await.unwrap());
    connects(&a, &b.advertise(vec![at.parse().unwrap()]).start().await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_is_told_and_mended_by_the_return_of_the_contact() {
    const BOUND: usize = 10_000;
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    let to = b.username().clone();
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    for text in numbered("waiting", BOUND) {
        a.send(&to, text).await.unwrap();
    }
    let refused = a.send(&to, "one too many".to_owned()).await;
    assert!(matches!(&refused, Err(NodeError::OutboxFull { .. })), "{refused:?}");
    let codes = async || {
        let told = a.diagnostics().await.unwrap();
        told.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, [Code::OutboxFull]);
    let outbox = a.diagnose(&to).await.unwrap().outbox;
    assert!(outbox.full && outbox.messages == BOUND as u64 && outbox.bytes > 0, "{outbox:?}");
    let b = bob.start().await;
    all_delivered(&a).await;
    until("nothing waits any more", async || a.diagnose(&to).await.unwrap().outbox.messages == 0).await;
    assert_eq!(codes().await, []);
    say(&a, &b, "there is room again").await;
}

#[tokio::test]
async fn a_node_tells_who_has_called_and_nothing_that_it_cannot_know() {
    let town = Town::over_sockets().await;
    let (a, b) = (town.alice().start().await, town.bob().start().await);
    let told = b.diagnostics().await.unwrap();
    assert_eq!((told.callers.len(), told.links, told.trackers.len()), (0, 0, 1));
    assert_eq!(told.listening, told.advertised);
    assert!(told.trackers[0].answered_in.is_some() && told.trackers[0].failure.is_none() && told.findings.is_empty());
    in_time("alice calls", a.connect(b.username())).await.unwrap();
    let told = b.diagnostics().await.unwrap();
    assert_eq!((told.callers[0].reach, told.callers[0].times, told.links), (Reach::Loopback, 1, 1));
    town.tracker.set(node::Trouble::Down);
    let told = b.diagnostics().await.unwrap();
    assert_eq!(told.trackers[0].failure.as_ref().map(|why| why.code), Some(Code::TrackerUnreachable), "{told:?}");
    let stranger = a.diagnose(&name("nobody")).await.unwrap();
    assert_eq!((stranger.failed(), stranger.peer_id), (Some(Step::Found), None), "{stranger:?}");
    let own = a.diagnose(&name("alice")).await;
    assert!(matches!(own, Err(NodeError::Oneself { .. })), "{own:?}");
    b.stop().await.unwrap();
    assert!(matches!(b.diagnostics().await, Err(NodeError::Stopped)));
}
