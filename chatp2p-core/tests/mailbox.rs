//! A mailbox that a node serves: over both transports, over restarts, with those who use it well and those who do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chatp2p_core::identity::Identity;
use chatp2p_core::mailbox::wire::{Answer, Refusal, Request, Terms, decode_answer, encode_answer, encode_request};
use chatp2p_core::mailbox::{
    BoxKeys, Collector, DEPOSITORS_SHARE, Depositor, Mailbox, MailboxAddress, MailboxError, MailboxLimits, mail,
};
use chatp2p_core::node::{Node, PeerNode};
use chatp2p_core::record::{Endpoint, ExchangeKey, Letterbox, PeerRecord, PreKeys, SignedRecord};
use chatp2p_core::storage::{MailAmount, MailStore, MemoryMail, SqlMail};
use chatp2p_core::testing::node::{alice, carol, eve, in_time, name};
use chatp2p_core::tracker::LocalTracker;
use chatp2p_core::transport::secure::{self, Purpose};
use chatp2p_core::transport::{Clearance, MemoryTransport, SecureLink, Transport, TransportError, WebSocketTransport};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const SMALL: MailboxLimits =
    MailboxLimits { bytes: 20 * 1_073, letterboxes: 3, letterbox: MailAmount { mails: 8, bytes: 100 * 1_073 } };

/// Carol, who keeps mail.
struct Carol {
    node: Node,
    transport: Arc<dyn Transport>,
    at: Endpoint,
}

impl Carol {
    async fn over(transport: Arc<dyn Transport>, at: &str, mailbox: Option<Mailbox>) -> Self {
        let tracker = Arc::new(LocalTracker::in_memory().await.unwrap());
        let builder = Node::builder(name("carol"), tracker).identity(carol()).transport(Arc::clone(&transport));
        let builder = builder.listen(at.parse().unwrap());
        let builder = match mailbox {
            Some(mailbox) => builder.mailbox(mailbox),
            None => builder,
        };
        let node = builder.start().await.unwrap();
        let at = node.status().await.unwrap().endpoints[0].clone();
        Self { node, transport, at }
    }

    async fn in_memory(limits: MailboxLimits) -> Self {
        let mailbox = Mailbox::open(Arc::new(MemoryMail::new()), limits).await.unwrap();
        Self::over(Arc::new(MemoryTransport::new()), "memory:carol", Some(mailbox)).await
    }

    async fn dial(&self, with: &Identity) -> Result<SecureLink, TransportError> {
        let link = self.transport.dial(&self.at, &Clearance::of_the_user()).await?;
        secure::client(link, with, carol().peer_id(), Purpose::Mailbox).await
    }

    async fn depositor(&self) -> Depositor {
        Depositor::new(self.dial(&Identity::generate().unwrap()).await.unwrap()).unwrap()
    }

    async fn collector(&self, keys: &BoxKeys) -> Collector {
        in_time("collecting", Collector::open(self.dial(keys.identity()).await.unwrap())).await.unwrap()
    }

    fn letterbox(&self, keys: &BoxKeys) -> Letterbox {
        keys.letterbox(&MailboxAddress::new(carol().peer_id(), vec![self.at.clone()]).unwrap())
    }
}

fn bobs() -> BoxKeys {
    BoxKeys::from_seed(&[6; 32])
}

fn record() -> SignedRecord {
    let key = ExchangeKey::from_bytes([5; 32]);
    let record = PeerRecord {
        username: name("alice"),
        peer_id: alice().peer_id(),
        endpoints: Vec::new(),
        seq: 1,
        pre_keys: Some(PreKeys { suite: 1, identity: key, fallback: key }),
        letterboxes: Vec::new(),
    };
    SignedRecord::sign(&alice(), record).unwrap()
}

fn sealed(to: &Letterbox, text: &[u8]) -> Vec<u8> {
    mail::seal(&alice(), &record(), to, &[Bytes::copy_from_slice(text)]).unwrap()
}

fn said(sealed: &[u8]) -> Bytes {
    mail::open(&bobs(), carol().peer_id(), sealed).unwrap().frames[0].clone()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, MailboxError>) -> Refusal {
    match result {
        Err(MailboxError::Refused(refusal)) => refusal,
        other => panic!("refused, and not {other:?}"),
    }
}

async fn mail_survives_a_restart(transport: Arc<dyn Transport>, at: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mailbox.sqlite");
    let open = async || {
        let store = Arc::new(SqlMail::open(&file).await.unwrap());
        Some(Mailbox::open(store, MailboxLimits::default()).await.unwrap())
    };
    let there = Carol::over(Arc::clone(&transport), at, open().await).await;
    drop(there.collector(&bobs()).await);
    let to = there.letterbox(&bobs());
    let mut depositor = there.depositor().await;
    for text in [&b"first"[..], &[7; 1 << 20], b"third"] {
        in_time("keeping", depositor.deposit(&to, sealed(&to, text))).await.unwrap();
    }
    // Without a goodbye.
    drop(there);

    let there = Carol::over(Arc::clone(&transport), at, open().await).await;
    let mut collector = there.collector(&bobs()).await;
    let mut taken = Vec::new();
    for text in [&b"first"[..], &[7; 1 << 20], b"third"] {
        let mail = in_time("the next mail", collector.next()).await.unwrap();
        assert!(said(&mail.sealed) == text);
        taken.push(mail.number);
    }
    in_time("taking", collector.take(&taken[..2])).await.unwrap();
    // What comes while somebody collects is told at once.
    let mut depositor = there.depositor().await;
    let (kept, fresh) = tokio::join!(
        in_time("keeping", depositor.deposit(&to, sealed(&to, b"fourth"))),
        in_time("the fresh one", collector.next())
    );
    kept.unwrap();
    assert_eq!(said(&fresh.unwrap().sealed), &b"fourth"[..]);
    drop(there);

    let there = Carol::over(transport, at, open().await).await;
    let mut collector = there.collector(&bobs()).await;
    for text in [&b"third"[..], b"fourth"] {
        let mail = in_time("what was not taken", collector.next()).await.unwrap();
        assert_eq!(said(&mail.sealed), text);
    }
    in_time("closing", collector.close()).await.unwrap();
    let mut depositor = there.depositor().await;
    let refused = in_time("an answer", depositor.deposit(&to, sealed(&to, b"fifth"))).await;
    assert_eq!(refusal(refused), Refusal::Unknown);
    there.node.stop().await.unwrap();
}

#[tokio::test]
async fn mail_is_kept_over_restarts_until_it_is_taken_over_memory() {
    mail_survives_a_restart(Arc::new(MemoryTransport::new()), "memory:carol").await;
}

#[tokio::test]
async fn mail_is_kept_over_restarts_until_it_is_taken_over_websocket() {
    mail_survives_a_restart(Arc::new(WebSocketTransport::default()), "ws://127.0.0.1:0").await;
}

#[tokio::test]
async fn a_node_without_a_mailbox_serves_none() {
    let there = Carol::over(Arc::new(MemoryTransport::new()), "memory:carol", None).await;
    let refused = there.dial(&alice()).await;
    assert!(matches!(refused, Err(TransportError::Protocol { .. } | TransportError::Closed)), "{refused:?}");
}

#[tokio::test]
async fn another_key_collects_and_deletes_nothing() {
    let there = Carol::in_memory(MailboxLimits::default()).await;
    drop(there.collector(&bobs()).await);
    let to = there.letterbox(&bobs());
    there.depositor().await.deposit(&to, sealed(&to, b"for bob")).await.unwrap();

    let mut eves = there.collector(&BoxKeys::from_seed(&[9; 32])).await;
    in_time("an answer", eves.take(&[0, 1, 2, 3])).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(200), eves.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    in_time("closing", eves.close()).await.unwrap();

    // Who has opened no letterbox collects from none.
    let mut raw = Raw::over(there.dial(&eve()).await.unwrap());
    assert_eq!(raw.ask(&Request::Collect).await, Some(Answer::Refused(Refusal::Unknown)));

    let mail = in_time("his mail", there.collector(&bobs()).await.next()).await.unwrap();
    assert_eq!(said(&mail.sealed), &b"for bob"[..]);
}

#[tokio::test]
async fn mail_that_was_changed_on_the_way_opens_for_nobody_and_the_same_one_comes_once() {
    let there = Carol::in_memory(MailboxLimits::default()).await;
    let mut collector = there.collector(&bobs()).await;
    let (to, mut depositor) = (there.letterbox(&bobs()), there.depositor().await);
    let honest = sealed(&to, b"hello");
    let mut changed = honest.clone();
    changed[200] ^= 1;
    for sealed in [&changed, &honest, &honest] {
        in_time("keeping", depositor.deposit(&to, sealed.clone())).await.unwrap();
    }
    let first = in_time("the changed one", collector.next()).await.unwrap();
    assert!(mail::open(&bobs(), carol().peer_id(), &first.sealed).is_err());
    let second = in_time("the honest one", collector.next()).await.unwrap();
    assert_eq!(said(&second.sealed), &b"hello"[..]);
    assert!(tokio::time::timeout(Duration::from_millis(200), collector.next()).await.is_err(), "it came twice");
    in_time("taking", collector.take(&[first.number, second.number])).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_deposits_ends_where_the_letterbox_and_the_mailbox_do() {
    let there = Carol::in_memory(SMALL).await;
    let boxes = [6, 7, 8].map(|seed| BoxKeys::from_seed(&[seed; 32]));
    let mut kept = Vec::new();
    for keys in &boxes {
        drop(there.collector(keys).await);
        let (to, mut depositor) = (there.letterbox(keys), there.depositor().await);
        let mut of_this = 0;
        for number in 0..12_u8 {
            match in_time("an answer", depositor.deposit(&to, sealed(&to, &[number]))).await {
                Ok(_) => of_this += 1,
                Err(error) => assert!(matches!(error, MailboxError::Refused(Refusal::Full)), "{error}"),
            }
        }
        kept.push(of_this);
    }
    // Eight mails a letterbox; twenty mails' bytes in all.
    assert_eq!(kept, [8, 8, 4]);
    let fourth = Collector::open(there.dial(BoxKeys::from_seed(&[9; 32]).identity()).await.unwrap()).await;
    assert_eq!(refusal(fourth), Refusal::Full);
    // Room that is made is there again.
    let mut collector = there.collector(&boxes[0]).await;
    let mail = in_time("a mail", collector.next()).await.unwrap();
    in_time("taking", collector.take(&[mail.number])).await.unwrap();
    let (to, mut depositor) = (there.letterbox(&boxes[0]), there.depositor().await);
    in_time("keeping", depositor.deposit(&to, sealed(&to, b"again"))).await.unwrap();
    assert_eq!(refusal(depositor.deposit(&to, sealed(&to, b"and again")).await), Refusal::Full);
}

/// Both ends of a link to carol, at which she sees it come from there.
async fn linked(from: Option<std::net::SocketAddr>, with: &Identity) -> (SecureLink, SecureLink) {
    let transport = MemoryTransport::new();
    let at = "memory:carol".parse().unwrap();
    let mut listener = transport.listen(&at).await.unwrap();
    let near = transport.dial(&at, &Clearance::of_the_user()).await.unwrap();
    let mut far = listener.accept().await.unwrap();
    far.remote = from;
    let key = carol();
    let (near, far) = tokio::join!(
        secure::client(near, with, key.peer_id(), Purpose::Mailbox),
        secure::server(far, &key, &[Purpose::Mailbox])
    );
    (near.unwrap(), far.unwrap())
}

/// A link that says it comes from elsewhere.
async fn from_afar(mailbox: &Mailbox, network: u8, with: &Identity) -> (SecureLink, JoinHandle<()>) {
    let (near, far) = linked(Some(([8, 8, network, 8], 5_001).into()), with).await;
    let mailbox = mailbox.clone();
    (near, tokio::spawn(async move { mailbox.serve(far, &carol()).await }))
}

#[tokio::test]
async fn one_address_elsewhere_fills_a_quarter_of_a_letterbox_and_no_more() {
    let mailbox = Mailbox::open(Arc::new(MemoryMail::new()), SMALL).await.unwrap();
    let (link, _) = from_afar(&mailbox, 1, bobs().identity()).await;
    drop(Collector::open(link).await.unwrap());
    let to = bobs().letterbox(&MailboxAddress::new(carol().peer_id(), vec!["memory:carol".parse().unwrap()]).unwrap());
    let mut kept = Vec::new();
    for network in [1, 1, 2, 3, 4, 5] {
        let (link, _) = from_afar(&mailbox, network, &Identity::generate().unwrap()).await;
        let mut depositor = Depositor::new(link).unwrap();
        let mut of_this = 0;
        for number in 0..4 {
            of_this += u64::from(depositor.deposit(&to, sealed(&to, &[network, number])).await.is_ok());
        }
        kept.push(of_this);
    }
    let share = SMALL.letterbox.mails / DEPOSITORS_SHARE;
    assert_eq!(kept, [share, 0, share, share, share, 0]);
}

/// Says what it likes.
struct Raw {
    to_send: mpsc::Sender<Bytes>,
    heard: mpsc::Receiver<Bytes>,
    link: JoinHandle<Result<(), TransportError>>,
}

impl Raw {
    fn over(link: SecureLink) -> Self {
        let (to_send, outgoing) = mpsc::channel(8);
        let (arrived, heard) = mpsc::channel(8);
        Self { to_send, heard, link: tokio::spawn(link.run(outgoing, arrived, Ok)) }
    }

    async fn ask(&mut self, request: &Request) -> Option<Answer> {
        self.to_send.send(encode_request(request).into()).await.unwrap();
        let heard = in_time("an answer", self.heard.recv()).await?;
        Some(decode_answer(&heard).unwrap())
    }
}

#[tokio::test]
async fn who_speaks_garbage_is_hung_up_on_and_nobody_else_notices() {
    let there = Carol::in_memory(MailboxLimits::default()).await;
    let mut collector = there.collector(&bobs()).await;
    let to = there.letterbox(&bobs());
    let short = encode_request(&Request::Deposit { letterbox: to.id, sealed: vec![1; 100] });
    for garbage in [&b""[..], b"\x01", b"\x02\x82\x00\x80", b"GET / HTTP/1.1\r\n\r\n", &[1; 4_096], &short] {
        let mut raw = Raw::over(there.dial(&eve()).await.unwrap());
        raw.to_send.send(Bytes::copy_from_slice(garbage)).await.unwrap();
        assert_eq!(in_time("the end", raw.heard.recv()).await, None, "{garbage:?}");
        in_time("the end of the link", raw.link).await.unwrap().ok();
    }
    let mut depositor = there.depositor().await;
    in_time("keeping", depositor.deposit(&to, sealed(&to, b"hello"))).await.unwrap();
    in_time("the mail", collector.next()).await.unwrap();
}

#[tokio::test]
async fn a_collector_that_takes_nothing_is_sent_so_much_and_no_more() {
    let there = Carol::in_memory(MailboxLimits::default()).await;
    drop(there.collector(&bobs()).await);
    let (to, mut depositor) = (there.letterbox(&bobs()), there.depositor().await);
    for number in 0..70_u8 {
        in_time("keeping", depositor.deposit(&to, sealed(&to, &[number]))).await.unwrap();
    }
    let mut collector = there.collector(&bobs()).await;
    let mut numbers = Vec::new();
    for _ in 0..64 {
        numbers.push(in_time("a mail", collector.next()).await.unwrap().number);
    }
    assert!(tokio::time::timeout(Duration::from_millis(200), collector.next()).await.is_err(), "more than it may");
    in_time("taking", collector.take(&numbers)).await.unwrap();
    for _ in 64..70 {
        in_time("the rest", collector.next()).await.unwrap();
    }
}

/// Answers a collector that waits for its taking with so many of the largest mails first.
async fn taking_behind(mails: u64) -> Result<(), MailboxError> {
    let (near, far) = linked(None, bobs().identity()).await;
    let mut carol = Raw::over(far);
    let serving = tokio::spawn(async move {
        let to = bobs().letterbox(&MailboxAddress::new(alice().peer_id(), vec!["memory:a".parse().unwrap()]).unwrap());
        let largest = sealed(&to, &[7; 1 << 20]);
        let terms = Terms { mails: 1, bytes: 1, keeps: 1, stays: 1 };
        let mail = |number| Answer::Mail { number, sealed: largest.clone() };
        let begins = [Answer::Opened(terms), Answer::Collecting].into_iter().map(|answer| vec![answer]);
        let takes = (1..=mails).map(mail).chain([Answer::Taken]).collect();
        for answers in begins.chain([takes]) {
            carol.heard.recv().await;
            for answer in answers {
                // Nobody may be listening any more.
                let _ = carol.to_send.send(encode_answer(&answer).into()).await;
            }
        }
        carol
    });
    let mut collector = in_time("collecting", Collector::open(near)).await.unwrap();
    let taken = in_time("taking", collector.take(&[1])).await;
    let _carol = in_time("all is said", serving).await.unwrap();
    taken
}

#[tokio::test]
async fn a_mailbox_that_sends_more_than_it_may_is_hung_up_on() {
    // Four of them have four mebibytes.
    taking_behind(4).await.unwrap();
    let refused = taking_behind(10).await;
    assert!(matches!(refused, Err(MailboxError::Protocol { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deaf_collector_and_a_silent_visitor_are_given_up() {
    let mailbox = Mailbox::open(Arc::new(MemoryMail::new()), MailboxLimits::default()).await.unwrap();
    let (link, silent) = from_afar(&mailbox, 1, &eve()).await;
    in_time_of_day("the silent one is gone", silent).await.unwrap();
    drop(link);

    let (link, _) = from_afar(&mailbox, 1, bobs().identity()).await;
    drop(Collector::open(link).await.unwrap());
    let to = bobs().letterbox(&MailboxAddress::new(carol().peer_id(), vec!["memory:carol".parse().unwrap()]).unwrap());
    for network in 2..6 {
        let (link, _) = from_afar(&mailbox, network, &Identity::generate().unwrap()).await;
        let mut depositor = Depositor::new(link).unwrap();
        for number in 0..3 {
            let large = [vec![number, network], vec![7; 1 << 20]].concat();
            depositor.deposit(&to, sealed(&to, &large[..1 << 20])).await.unwrap();
        }
    }
    let (link, deaf) = from_afar(&mailbox, 1, bobs().identity()).await;
    let (to_send, outgoing) = mpsc::channel(8);
    let (arrived, heard) = mpsc::channel(1);
    let _deaf = tokio::spawn(link.run(outgoing, arrived, Ok));
    to_send.send(encode_request(&Request::Collect).into()).await.unwrap();
    in_time_of_day("the deaf one is gone", deaf).await.unwrap();
    drop(heard);
}

/// With a clock that jumps ahead whenever nothing happens.
async fn in_time_of_day<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(600), future).await.unwrap_or_else(|_| panic!("in time: {what}"))
}

#[tokio::test]
async fn who_collects_anew_takes_the_place_of_who_did() {
    let there = Carol::in_memory(MailboxLimits::default()).await;
    let mut earlier = there.collector(&bobs()).await;
    let mut later = there.collector(&bobs()).await;
    assert!(matches!(in_time("the end", earlier.next()).await, Err(MailboxError::Closed)));
    let (to, mut depositor) = (there.letterbox(&bobs()), there.depositor().await);
    in_time("keeping", depositor.deposit(&to, sealed(&to, b"hello"))).await.unwrap();
    in_time("the mail", later.next()).await.unwrap();
}

#[tokio::test]
async fn a_mailbox_whose_word_does_not_hold_is_not_believed() {
    let (near, far) = linked(None, &Identity::generate().unwrap()).await;
    let store: Arc<dyn MailStore> = Arc::new(MemoryMail::new());
    store.open(bobs().id(), Duration::ZERO, 1).await.unwrap();
    let mailbox = Mailbox::open(store, MailboxLimits::default()).await.unwrap();
    // It signs with another key than the one that it proved.
    tokio::spawn(async move { mailbox.serve(far, &eve()).await });
    let to = bobs().letterbox(&MailboxAddress::new(carol().peer_id(), vec!["memory:carol".parse().unwrap()]).unwrap());
    let mut depositor = Depositor::new(near).unwrap();
    let refused = in_time("an answer", depositor.deposit(&to, sealed(&to, b"hello"))).await;
    assert!(matches!(refused, Err(MailboxError::Protocol { .. })), "{refused:?}");
}
