//! Mail: what reaches somebody who is away, by the mailbox of somebody who is not.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::mailbox::{Mailbox, MailboxAddress, MailboxLimits};
use chatp2p_core::message::Delivery;
use chatp2p_core::node::{Event, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::storage::{MailAmount, MailUsage, MemoryMail};
use chatp2p_core::testing::node::{Trouble, next_event, texts_from, until};

use crate::town::{Person, Town, all_delivered, introduce, numbered, ticks};

/// Carol, who keeps mail, and what her friends are told of that.
pub(crate) struct Carol {
    pub(crate) node: Node,
    mailbox: Mailbox,
    address: MailboxAddress,
}

impl Carol {
    async fn of(town: &Town, limits: MailboxLimits) -> Self {
        let mailbox = Mailbox::open(Arc::new(MemoryMail::new()), limits).await.unwrap();
        let node = town.carol().builder().mailbox(mailbox.clone()).start().await.unwrap();
        let address = node.status().await.unwrap().mailbox.expect("it serves one").address.expect("an address");
        Self { node, mailbox, address }
    }

    pub(crate) async fn of_any_size(town: &Town) -> Self {
        Self::of(town, MailboxLimits::default()).await
    }

    pub(crate) async fn start(&self, person: &Person) -> Node {
        person.builder().use_mailbox(self.address.clone()).start().await.expect("starts")
    }

    /// Two who know each other and can collect; bob has gone.
    pub(crate) async fn left_by_bob(&self, town: &Town) -> (Person, Node, Person) {
        let (alice, bob) = (town.alice(), town.bob());
        let (a, b) = (self.start(&alice).await, self.start(&bob).await);
        introduce(&a, &b).await;
        collects(&a).await;
        collects(&b).await;
        b.stop().await.unwrap();
        (alice, a, bob)
    }

    async fn mails(&self) -> u64 {
        self.mailbox.usage().await.unwrap().mail.mails
    }
}

/// Waits until whoever uses this mailbox collects from it.
async fn collects(node: &Node) {
    until("mail can be collected", async || node.status().await.unwrap().mailboxes[0].confirmed.is_some()).await;
}

async fn all_are(node: &Node, step: Delivery) {
    until(&format!("all is {}", step.as_str()), async || {
        ticks(node).await.iter().all(|(_, delivery)| *delivery == step)
    })
    .await;
}

pub(crate) async fn say_to(from: &Node, to: &Person, text: impl Into<String>) {
    from.send(&to.name, text.into()).await.expect("is durable");
}

async fn read_all(reader: &Node, author: &Node) {
    let page = HistoryPage { peer: None, before: None, limit: 1 };
    let newest = reader.history(page).await.unwrap().remove(0);
    reader.mark_read(author.username(), newest.id).await.unwrap();
}

#[tokio::test]
async fn two_who_are_never_there_at_once_write_to_each_other() {
    for town in [Town::in_memory().await, Town::over_sockets().await] {
        let carol = Carol::of_any_size(&town).await;
        let (alice, a, bob) = carol.left_by_bob(&town).await;
        let mut events = a.subscribe();
        for text in numbered("while you were away", 20) {
            say_to(&a, &bob, text).await;
        }
        next_event("a mailbox signs", &mut events, |event| matches!(event, Event::Mailed { .. }).then_some(())).await;
        all_are(&a, Delivery::Mailbox).await;
        assert!(carol.mails().await > 0);
        a.stop().await.unwrap();
        drop(a);

        let b = carol.start(&bob).await;
        let from_alice = async || texts_from(&b, &alice.name).await.len() == 20;
        until("bob has the texts", from_alice).await;
        assert_eq!(texts_from(&b, &alice.name).await, numbered("while you were away", 20));
        b.send(&alice.name, "thanks".to_owned()).await.unwrap();
        all_are(&b, Delivery::Mailbox).await;
        let page = HistoryPage { peer: Some(alice.name.clone()), before: None, limit: 2 };
        let last_of_hers = b.history(page).await.unwrap()[0].id;
        let before = carol.mails().await;
        b.mark_read(&alice.name, last_of_hers).await.unwrap();
        until("it is mailed that he has read them", async || carol.mails().await > before).await;
        let told = b.diagnose(&alice.name).await.unwrap();
        assert!(told.mail.is_some_and(|mail| mail.failure.is_none()) && told.link.is_none());
        b.stop().await.unwrap();
        drop(b);

        let a = carol.start(&alice).await;
        until("alice has his text", async || texts_from(&a, &bob.name).await == ["thanks"]).await;
        all_are(&a, Delivery::Read).await;
        // She says that she has it, and bob is away.
        until("what is left is her acknowledgement", async || carol.mails().await == 1).await;
        assert!(texts_from(&a, &alice.name).await == numbered("while you were away", 20));
        drop((a, carol.node));
    }
}

#[tokio::test]
async fn what_was_mailed_comes_once_though_a_link_brings_it_too() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let (alice, a, bob) = carol.left_by_bob(&town).await;
    for text in numbered("text", 5) {
        say_to(&a, &bob, text).await;
    }
    all_are(&a, Delivery::Mailbox).await;
    let b = carol.start(&bob).await;
    b.connect(&alice.name).await.unwrap();
    all_delivered(&a).await;
    until("nothing is left", async || carol.mails().await == 0).await;
    assert_eq!(texts_from(&b, &alice.name).await, numbered("text", 5));
    read_all(&b, &a).await;
    all_are(&a, Delivery::Read).await;
}

/// Whoever comes back only to look answers before they are gone again.
#[tokio::test]
async fn a_node_that_stops_leaves_its_last_mail_first() {
    let town = Town::over_sockets().await;
    let carol = Carol::of_any_size(&town).await;
    let (alice, a, bob) = carol.left_by_bob(&town).await;
    say_to(&a, &bob, "are you there?").await;
    all_are(&a, Delivery::Mailbox).await;
    a.stop().await.unwrap();
    let b = carol.start(&bob).await;
    let mut events = b.subscribe();
    next_event("her text", &mut events, |event| matches!(event, Event::Message(_)).then_some(())).await;
    b.stop().await.unwrap();
    drop(b);
    let a = carol.start(&alice).await;
    all_delivered(&a).await;
}

/// What is not durable at its reader is not taken from the mailbox.
#[tokio::test]
async fn mail_that_could_not_be_kept_comes_again() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let (alice, a, bob) = carol.left_by_bob(&town).await;
    say_to(&a, &bob, "once").await;
    all_are(&a, Delivery::Mailbox).await;
    a.stop().await.unwrap();
    let b = carol.start(&bob).await;
    bob.store.fail_commits(1);
    until("bob has it all the same", async || texts_from(&b, &alice.name).await == ["once"]).await;
    assert_eq!(bob.store.failures_left(), 0);
    until("it is taken", async || {
        let waiting = carol.mailbox.usage().await.unwrap();
        // What is left is the acknowledgement to alice.
        waiting.mail.mails <= 1
    })
    .await;
}

/// Letterboxes for a few small mails each, and for none that is larger than a page.
const TINY: MailboxLimits =
    MailboxLimits { bytes: 1 << 20, letterboxes: 2, letterbox: MailAmount { mails: 4, bytes: 4 * 1_200 } };

#[tokio::test]
async fn mail_that_finds_no_room_is_told_and_waits_for_a_link() {
    let town = Town::in_memory().await;
    let carol = Carol::of(&town, TINY).await;
    let (alice, a, bob) = carol.left_by_bob(&town).await;
    let long = "x".repeat(5_000);
    say_to(&a, &bob, long.clone()).await;
    until("it is told", async || {
        let mail = a.diagnose(&bob.name).await.unwrap().mail;
        mail.is_some_and(|mail| mail.failure.is_some_and(|failure| failure.code == Code::MailboxFull))
    })
    .await;
    all_are(&a, Delivery::Queued).await;
    assert_eq!(carol.mailbox.usage().await.unwrap(), MailUsage { letterboxes: 2, mail: MailAmount::default() });
    let b = carol.start(&bob).await;
    b.connect(&alice.name).await.unwrap();
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, &alice.name).await, [long]);
}

#[tokio::test]
async fn a_mailbox_that_is_away_is_told_and_used_when_it_is_back() {
    let town = Town::over_sockets().await;
    let carol = Carol::of_any_size(&town).await;
    let (alice, bob) = (town.alice(), town.bob());
    let at = carol.address.endpoints()[0].clone();
    let mailbox = carol.mailbox.clone();
    let address = carol.address.clone();
    carol.node.stop().await.unwrap();
    drop(carol.node);
    let start = async |person: &Person| person.builder().use_mailbox(address.clone()).start().await.unwrap();
    let (a, b) = (start(&alice).await, start(&bob).await);
    introduce(&a, &b).await;
    until("it is told", async || a.status().await.unwrap().mailboxes[0].trouble.is_some()).await;
    let findings = a.diagnostics().await.unwrap().findings;
    assert!(findings.iter().any(|finding| finding.detail.contains(&address.to_string())), "{findings:?}");
    b.stop().await.unwrap();
    say_to(&a, &bob, "later").await;
    until("the failure is told", async || {
        a.diagnose(&bob.name).await.unwrap().mail.is_some_and(|mail| mail.failure.is_some())
    })
    .await;
    let back = Person { at, ..town.carol() };
    let _carol = back.builder().mailbox(mailbox).start().await.unwrap();
    // Bob opens his letterbox, without which nobody can leave anything in it.
    let b = start(&bob).await;
    collects(&b).await;
    all_delivered(&a).await;
}

/// Those who use it know where it is.
#[tokio::test]
async fn a_mailbox_is_there_though_no_tracker_is() {
    let town = Town::in_memory().await;
    town.tracker.set(Trouble::Down);
    let carol = town.carol();
    let refused = carol.builder().may_start_unlisted(true).start().await.expect_err("nobody is there to be found");
    assert_eq!(refused.code(), Code::TrackerUnreachable);
    let mailbox = Mailbox::open(Arc::new(MemoryMail::new()), MailboxLimits::default()).await.unwrap();
    let _c = carol.builder().may_start_unlisted(true).mailbox(mailbox).start().await.expect("starts");
}

#[tokio::test]
async fn a_node_uses_two_mailboxes_at_most() {
    let town = Town::in_memory().await;
    let carol = Carol::of_any_size(&town).await;
    let alice = town.alice();
    let builder = (0..3).fold(alice.builder(), |builder, _| builder.use_mailbox(carol.address.clone()));
    let refused = builder.start().await.unwrap_err();
    assert!(matches!(refused, NodeError::TooManyMailboxes), "{refused:?}");
}
