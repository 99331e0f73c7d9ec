//! People who were let in because anybody is, and name mailboxes of their own that take for ever. They mail whatever has to
//! be answered, so that their mailboxes are never without a visit; and the mail of others is left all the same.

use std::time::Duration;

use bytes::Bytes;
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::mailbox::wire::{Answer, Kept, Request, decode_request, encode_answer};
use chatp2p_core::mailbox::{ANSWER_TIMEOUT, BoxKeys, Depositor, MailboxAddress, mail};
use chatp2p_core::message::{Delivery, Epoch};
use chatp2p_core::node::{Node, PeerNode};
use chatp2p_core::protocol::wire::{Frame, encode};
use chatp2p_core::record::{Endpoint, Letterbox, PeerRecord, SignedRecord};
use chatp2p_core::testing::node::{Correspondent, Stranger, carol, in_time, name, texts_from, until};
use chatp2p_core::tracker::{Claim, SignedClaim, Tracker};
use chatp2p_core::transport::secure::{self, Purpose};
use chatp2p_core::transport::{Clearance, SecureLink, TransportError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::mail::{Carol, say_to};
use crate::town::{Person, Town, address, ticks};

/// More than a node visits at once.
const HOSTILE: u8 = 20;

/// The slowest that is not given up.
const SLOW: Duration = Duration::from_secs(ANSWER_TIMEOUT.as_secs() - 1);

/// How often each mails: something waits whenever a mailbox has answered at last.
const FEEDS_EVERY: Duration = Duration::from_secs(20);

/// Somebody with a slow mailbox.
struct Hostile {
    who: Identity,
    name: Username,
    record: SignedRecord,
    entry: Bytes,
}

impl Hostile {
    /// Calls alice once, to become a contact.
    async fn lets_itself_in(number: u8, town: &Town, a: &Node, alices: &SignedRecord) -> Self {
        let (who, name) = (Identity::from_seed(&[100 + number; 32]), Self::name(number));
        let mut pen = Correspondent::new(&who);
        pen.meet(alices);
        let at = vec![Self::mailbox(number)];
        let letterbox =
            BoxKeys::from_seed(&[100 + number; 32]).letterbox(&MailboxAddress::new(who.peer_id(), at).unwrap());
        let letterboxes = vec![letterbox];
        let record = PeerRecord { letterboxes, ..pen.record(&name, Vec::new(), 1).record().clone() };
        let record = SignedRecord::sign(&who, record).unwrap();
        let tracker = town.tracker.health().await.unwrap().tracker_id;
        town.tracker.register(Claim::Signed(SignedClaim::sign(&who, record.clone(), tracker))).await.unwrap();
        let calls = Stranger::dial(&*town.network, &address(a).await, &who, a.peer_id()).await.unwrap();
        calls.say(&Frame::Hello { record: record.clone() }).await;
        calls.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
        until("it is let in", async || a.connected().await.unwrap().contains(&name)).await;
        let said = Correspondent::saying(number, "answer me".to_owned());
        let entry = encode(&pen.entry(Epoch::new(7), 1, None, said)).into();
        Self { who, name, record, entry }
    }

    fn name(number: u8) -> Username {
        name(&format!("slow-{number}"))
    }

    fn mailbox(number: u8) -> Endpoint {
        Endpoint::memory(&format!("slow-{number}")).unwrap()
    }
}

/// Keeps, or says so, whatever is left with it, and takes its time.
async fn serves_slowly(link: SecureLink, key: Identity) -> Result<(), TransportError> {
    let (answers, outgoing) = mpsc::channel(1);
    let (arrived, mut requests) = mpsc::channel::<Bytes>(1);
    let answering = async {
        while let Some(request) = requests.recv().await {
            let Ok(Request::Deposit { letterbox, sealed }) = decode_request(&request) else { return };
            sleep(SLOW).await;
            let kept = Answer::Kept(Kept::sign(&key, letterbox, &sealed));
            let _ = answers.send(encode_answer(&kept).into()).await;
        }
    };
    tokio::join!(link.run(outgoing, arrived, Ok), answering).0
}

async fn keeps_a_slow_mailbox(town: &Town, number: u8, key: Identity) -> impl Future<Output = ()> + use<> {
    let mut listener = town.network.listen(&Hostile::mailbox(number)).await.unwrap();
    async move {
        let mut visits = JoinSet::new();
        while let Ok(link) = listener.accept().await {
            let key = key.clone();
            visits.spawn(async move {
                let link = secure::server(link, &key, &[Purpose::Mailbox]).await.unwrap();
                let _ = serves_slowly(link, key).await;
            });
        }
    }
}

/// Leaves the same again and again, in alice's letterbox.
async fn feeds(town: &Town, at: Endpoint, to: Letterbox, hostile: Vec<Hostile>) -> impl Future<Output = ()> + use<> {
    let network = town.network.clone();
    async move {
        loop {
            let link = network.dial(&at, &Clearance::of_the_user()).await.unwrap();
            let nobody = Identity::generate().unwrap();
            let link = secure::client(link, &nobody, carol().peer_id(), Purpose::Mailbox).await.unwrap();
            let mut depositor = Depositor::new(link).unwrap();
            for Hostile { who, record, entry, .. } in &hostile {
                let sealed = mail::seal(who, record, &to, std::slice::from_ref(entry)).unwrap();
                depositor.deposit(&to, sealed).await.unwrap();
            }
            sleep(FEEDS_EVERY).await;
        }
    }
}

/// Alice, whom they have beset for some minutes, and bob, who is away. They are there as long as their tasks.
async fn beset(town: &Town, carol: &Carol, has_turned_to_them: bool) -> (Node, Person, JoinSet<()>) {
    let (_, a, bob) = carol.left_by_bob(town).await;
    let alices = town.tracker.find(a.username()).await.unwrap().unwrap().record.unwrap();
    let mut tasks = JoinSet::new();
    let mut hostile = Vec::new();
    for number in 0..HOSTILE {
        let one = Hostile::lets_itself_in(number, town, &a, &alices).await;
        tasks.spawn(keeps_a_slow_mailbox(town, number, one.who.clone()).await);
        if has_turned_to_them {
            a.send(&one.name, "who are you?".to_owned()).await.unwrap();
        }
        hostile.push(one);
    }
    let at = address(&carol.node).await;
    tasks.spawn(feeds(town, at, alices.record().letterboxes[0].clone(), hostile).await);
    sleep(Duration::from_secs(300)).await;
    (a, bob, tasks)
}

/// How long it takes until the mailboxes of all these have what alice writes to them.
async fn kept_after(a: &Node, to: &[Username]) -> Duration {
    let text = "are you well?";
    let begun = Instant::now();
    for name in to {
        a.send(name, text.to_owned()).await.unwrap();
    }
    let kept = (text.to_owned(), Delivery::Mailbox);
    while ticks(a).await.iter().filter(|tick| **tick == kept).count() < to.len() {
        assert!(begun.elapsed() < Duration::from_secs(500), "it is never kept");
        sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn those_to_whom_nobody_has_turned_hold_up_no_mail_to_those_who_are_known() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let (a, bob, _tasks) = beset(&town, &carol, false).await;
    let waited = kept_after(&a, std::slice::from_ref(&bob.name)).await;
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    // Nor its last mail, when the node stops.
    say_to(&a, &bob, "good night").await;
    in_time("it stops", a.stop()).await.unwrap();
    let b = carol.start(&bob).await;
    let both = async || texts_from(&b, &name("alice")).await == ["are you well?", "good night"];
    until("bob has both", both).await;
}

/// There is room for twelve more, and not for that many among those to whom nobody has turned.
#[tokio::test(start_paused = true)]
async fn whoever_is_written_to_waits_among_the_others_no_longer() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let (a, _, _tasks) = beset(&town, &carol, false).await;
    let written_to: Vec<Username> = (0..12).map(Hostile::name).collect();
    let waited = kept_after(&a, &written_to).await;
    // One that is visited already answers twice.
    assert!(waited < 2 * SLOW + Duration::from_secs(5), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_are_known_hold_up_others_for_a_turn() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let (a, bob, _tasks) = beset(&town, &carol, true).await;
    let waited = kept_after(&a, std::slice::from_ref(&bob.name)).await;
    // A minute, and the last answer.
    assert!(waited < Duration::from_secs(60) + ANSWER_TIMEOUT, "{waited:?}");
}
