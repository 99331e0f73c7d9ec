//! Records are lists of addresses that strangers chose. A node knocks at none of its own doors, nor its network's, for
//! somebody who is not there; and at nobody's door too often.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::node::{Node, NodeError, PeerNode};
use chatp2p_core::record::{Endpoint, Reach};
use chatp2p_core::testing::node::{FaultyTracker, Stranger, alice, in_time, name};
use chatp2p_core::tracker::{Claim, Lease, Page, PeerQuery, Registration, Tracker, TrackerError, TrackerHealth};
use chatp2p_core::transport::{Clearance, DialBudget, MAX_DIALS_PER_TARGET, NotCleared};
use chatp2p_core::transport::{Transport, TransportError, WebSocketTransport};
use futures_util::StreamExt;
use tokio::net::TcpListener;

/// Says of every name that it is somebody else's, who is to be dialled at these endpoints.
#[derive(Debug)]
struct Hostile {
    honest: FaultyTracker,
    endpoints: Vec<Endpoint>,
    keys: AtomicU64,
}

#[async_trait]
impl Tracker for Hostile {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        self.honest.register(claim).await
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.honest.heartbeat(lease).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.honest.unregister(lease).await
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&self.keys.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        let record = Stranger::record(&Identity::from_seed(&seed), name, self.endpoints.clone(), 1);
        Ok(Some(Registration {
            id: 1,
            username: name.clone(),
            host: "192.0.2.1".to_owned(),
            port: 1,
            is_active: true,
            last_heartbeat: chatp2p_core::clock::Wall::default(),
            record: Some(record),
        }))
    }

    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        self.honest.peers(query).await
    }

    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        self.honest.health().await
    }

    fn reach(&self) -> Reach {
        self.honest.reach()
    }
}

/// Somebody on this machine who counts who knocks, and speaks to nobody.
async fn victim() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let knocks = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&knocks);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            drop(socket);
        }
    });
    (port, knocks)
}

/// Alice, whose tracker she reached across this, and who hears of everybody that they are there.
async fn alice_at(reach: Reach, endpoints: &[String]) -> Node {
    let endpoints = endpoints.iter().map(|text| text.parse().unwrap()).collect();
    let honest = FaultyTracker::start().await.seen_across(reach);
    let tracker = Hostile { honest, endpoints, keys: AtomicU64::new(0) };
    let node = Node::builder(name("alice"), Arc::new(tracker)).identity(alice());
    node.transport(Arc::new(WebSocketTransport::new())).start().await.unwrap()
}

/// Connects to so many names, and gives the reasons why that failed.
async fn connect_to(alice: &Node, names: usize) -> Vec<String> {
    let connecting = futures_util::stream::iter(0..names).map(|n| async move {
        match in_time("it is tried", alice.connect(&name(&format!("victim{n}")))).await {
            Err(NodeError::Unreachable { reason, .. }) => reason,
            other => panic!("nobody is there: {other:?}"),
        }
    });
    connecting.buffer_unordered(64).collect().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_of_a_tracker_far_away_make_no_node_knock_at_its_own_doors() {
    let (port, knocks) = victim().await;
    let doors = [
        format!("ws://127.0.0.1:{port}"),
        format!("ws://[::ffff:127.0.0.1]:{port}"),
        format!("ws://localhost:{port}"),
        format!("wss://127.0.0.1:{port}"),
    ];
    for reach in [Reach::Public, Reach::Private] {
        let a = alice_at(reach, &doors).await;
        let reasons = connect_to(&a, if reach == Reach::Public { 10_000 } else { 100 }).await;
        assert!(
            reasons.iter().all(|reason| reason.matches("named by somebody who is not there").count() == 4),
            "{}",
            reasons[0]
        );
        assert_eq!(knocks.load(Ordering::SeqCst), 0, "{reach:?}");
    }
    // So that it is known that the door can be found.
    for reach in [Reach::Loopback, Reach::Process] {
        let a = alice_at(reach, &doors[..1]).await;
        connect_to(&a, 1).await;
        assert_eq!(knocks.swap(0, Ordering::SeqCst), 1, "{reach:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tracker_far_away_names_is_not_dialled_because_another_one_is_near() {
    let (port, knocks) = victim().await;
    let doors = [format!("ws://127.0.0.1:{port}"), format!("ws://localhost:{port}")];
    let hostile = |honest| {
        let endpoints = doors.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Hostile { honest, endpoints, keys: AtomicU64::new(0) })
    };
    let near = Arc::new(FaultyTracker::start().await);
    let start = async |far: FaultyTracker, near: Arc<dyn Tracker>| {
        let node = Node::builder(name("alice"), hostile(far)).tracker(near).identity(alice());
        node.transport(Arc::new(WebSocketTransport::new())).start().await.unwrap()
    };
    let a = start(FaultyTracker::start().await.seen_across(Reach::Public), near.clone()).await;
    let reasons = connect_to(&a, 10).await;
    assert!(reasons.iter().all(|reason| reason.contains("named by somebody who is not there")), "{reasons:?}");
    assert_eq!(knocks.load(Ordering::SeqCst), 0);
    a.stop().await.unwrap();
    // So that it is known that the door can be found.
    let a = start(FaultyTracker::start().await.seen_across(Reach::Loopback), near).await;
    connect_to(&a, 1).await;
    assert!(knocks.load(Ordering::SeqCst) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_records_that_name_one_victim_are_ten_knocks_a_minute() {
    let (port, knocks) = victim().await;
    let doors =
        [format!("ws://127.0.0.1:{port}"), format!("ws://[::ffff:127.0.0.1]:{port}"), format!("ws://localhost:{port}")];
    let a = alice_at(Reach::Process, &doors).await;
    let reasons = connect_to(&a, 1_000).await;
    assert!(reasons.iter().any(|reason| reason.contains("too often")), "{}", reasons[0]);
    let knocks = knocks.load(Ordering::SeqCst);
    assert!((1..=MAX_DIALS_PER_TARGET).contains(&knocks), "{knocks}");
}

#[tokio::test]
async fn what_a_socket_is_connected_to_is_looked_at_and_not_only_what_was_named() {
    let (port, knocks) = victim().await;
    let far = Clearance::new(Reach::Public, Arc::new(DialBudget::default()));
    let here: SocketAddr = ([127, 0, 0, 1], port).into();
    for endpoint in [format!("ws://127.0.0.1:{port}"), format!("ws://localhost:{port}")] {
        let refused = WebSocketTransport::new().dial(&endpoint.parse().unwrap(), &far).await.unwrap_err();
        assert!(matches!(refused, TransportError::NotCleared { reason: NotCleared::TooNear(_), .. }), "{refused:?}");
    }
    assert_eq!(far.confirm(here), Err(NotCleared::TooNear(here)));
    for nowhere in ["ws://169.254.169.254:80", "ws://0.0.0.0:80", "ws://[::]:80", "ws://255.255.255.255:80"] {
        let asked = Clearance::of_the_user();
        let refused = WebSocketTransport::new().dial(&nowhere.parse().unwrap(), &asked).await.unwrap_err();
        assert!(matches!(refused, TransportError::NotCleared { reason: NotCleared::NoPeer(_), .. }), "{refused:?}");
    }
    assert_eq!(knocks.load(Ordering::SeqCst), 0);
}
