//! What every [`MailStore`] must do, one named test per case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, lent to other crates")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::clock::Wall;
use crate::identity::Identity;
use crate::record::LetterboxId;
use crate::storage::{Deposited, KeptMail, MailAmount, MailClock, MailStore, MailUsage, NewMail, Room, Sweep, Swept};

/// Where a store's content lies: empty at first, and what was kept by one store is found by the next.
#[async_trait]
pub trait Home: Send + Sync {
    /// A store on this content. The one before it was dropped, as by a crash.
    async fn open(&self) -> Arc<dyn MailStore>;
}

/// One named test for each thing that a [`MailStore`] must do. Takes an expression that makes a [`Home`].
#[macro_export]
macro_rules! mail_store_contract {
    ($home:expr) => {
        $crate::mail_store_contract! { @cases $home;
            a_new_store_is_empty
            mail_is_kept_for_a_letterbox_that_is_open_and_for_no_other
            mail_comes_back_oldest_first_and_as_it_was_left
            what_is_taken_is_gone_and_so_is_its_weight
            nobody_takes_from_another_letterbox
            a_number_is_never_given_twice
            the_same_mail_is_kept_once_even_where_there_is_no_room
            a_letterbox_holds_so_many_bytes_and_not_one_more
            a_letterbox_holds_so_many_mails_and_not_one_more
            one_depositor_has_its_share_and_others_have_theirs
            all_letterboxes_together_hold_so_many_bytes
            deposits_at_the_same_time_never_share_the_last_place
            there_are_so_many_letterboxes_and_opening_one_again_is_no_other
            a_letterbox_that_is_closed_takes_its_mail_along
            old_mail_goes_and_younger_stays
            letterboxes_that_nobody_visits_go_with_what_is_in_them
            the_clock_is_kept
        }
    };
    (@cases $home:expr; $($case:ident)*) => {
        $(#[::tokio::test]
        async fn $case() {
            $crate::testing::mail_store::$case(&$home).await;
        })*
    };
}

/// The letterbox with this number.
pub fn letterbox(seed: u8) -> LetterboxId {
    LetterboxId::of(Identity::from_seed(&[seed; 32]).peer_id())
}

/// No bound at all.
pub const ENDLESS: Room = Room {
    letterbox: MailAmount { mails: u64::MAX, bytes: u64::MAX },
    depositor: MailAmount { mails: u64::MAX, bytes: u64::MAX },
    total: u64::MAX,
};

/// A mail of so many bytes, told by its number, from a depositor.
pub fn mail(of: u8, number: u8, bytes: usize, depositor: u8) -> NewMail {
    let sealed = vec![number; bytes];
    let hash = *blake3::hash(&sealed).as_bytes();
    NewMail { letterbox: letterbox(of), sealed, hash, depositor: [depositor; 16], arrived: seconds(100) }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn open(store: &dyn MailStore, of: u8) {
    assert!(store.open(letterbox(of), seconds(100), u64::MAX).await.unwrap());
}

async fn put(store: &dyn MailStore, mail: NewMail, room: Room) -> Option<u64> {
    match store.deposit(mail, room).await.unwrap() {
        Deposited::Kept { number } => Some(number),
        Deposited::Full => None,
        Deposited::Unknown => panic!("the letterbox is open"),
    }
}

async fn all(store: &dyn MailStore, of: u8) -> Vec<KeptMail> {
    let mut mails: Vec<KeptMail> = Vec::new();
    while let Some(mail) = store.next(letterbox(of), mails.last().map_or(0, |mail| mail.number)).await.unwrap() {
        mails.push(mail);
    }
    mails
}

async fn numbers(store: &dyn MailStore, of: u8) -> Vec<u64> {
    all(store, of).await.iter().map(|mail| mail.number).collect()
}

async fn usage(store: &dyn MailStore) -> (u64, u64, u64) {
    let MailUsage { letterboxes, mail } = store.usage().await.unwrap();
    (letterboxes, mail.mails, mail.bytes)
}

/// Nothing is in it.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_new_store_is_empty(home: &dyn Home) {
    let store = home.open().await;
    assert_eq!(usage(&*store).await, (0, 0, 0));
    assert_eq!(store.clock().await.unwrap(), None);
    assert_eq!(store.next(letterbox(1), 0).await.unwrap(), None);
    assert!(!store.visit(letterbox(1), seconds(1)).await.unwrap());
    store.close(letterbox(1)).await.unwrap();
    store.take(letterbox(1), vec![1, 2]).await.unwrap();
}

/// Nobody makes a letterbox but its owner.
///
/// # Panics
/// When the store does otherwise.
pub async fn mail_is_kept_for_a_letterbox_that_is_open_and_for_no_other(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    assert_eq!(store.deposit(mail(2, 1, 10, 1), ENDLESS).await.unwrap(), Deposited::Unknown);
    assert_eq!(store.deposit(mail(1, 1, 10, 1), ENDLESS).await.unwrap(), Deposited::Kept { number: 1 });
    assert_eq!(usage(&*store).await, (1, 1, 10));
    drop(store);
    let store = home.open().await;
    assert_eq!(usage(&*store).await, (1, 1, 10));
    assert_eq!(all(&*store, 2).await, []);
}

/// Byte for byte, over a restart.
///
/// # Panics
/// When the store does otherwise.
pub async fn mail_comes_back_oldest_first_and_as_it_was_left(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    let sizes = [70_000, 1, 1_049, (1 << 20) + (16 << 10) + 49];
    for (number, bytes) in (1..).zip(sizes) {
        put(&*store, mail(1, number, bytes, 1), ENDLESS).await.unwrap();
    }
    drop(store);
    let found = all(&*home.open().await, 1).await;
    let expected: Vec<_> = (1..).zip(sizes).map(|(number, bytes)| vec![number; bytes]).collect();
    assert!(found.iter().map(|mail| &mail.sealed).eq(&expected));
    assert_eq!(found.iter().map(|mail| mail.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

/// For good.
///
/// # Panics
/// When the store does otherwise.
pub async fn what_is_taken_is_gone_and_so_is_its_weight(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    for number in 1..=4 {
        put(&*store, mail(1, number, 10, 1), ENDLESS).await.unwrap();
    }
    store.take(letterbox(1), vec![1, 3, 9, 3, u64::MAX]).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(numbers(&*store, 1).await, [2, 4]);
    assert_eq!(usage(&*store).await, (1, 2, 20));
    store.take(letterbox(1), (0..1_000).collect()).await.unwrap();
    assert_eq!(usage(&*store).await, (1, 0, 0));
}

/// Numbers of different letterboxes have nothing to do with each other.
///
/// # Panics
/// When the store does otherwise.
pub async fn nobody_takes_from_another_letterbox(home: &dyn Home) {
    let store = home.open().await;
    for of in [1, 2] {
        open(&*store, of).await;
        put(&*store, mail(of, 7, 10, 1), ENDLESS).await.unwrap();
    }
    store.take(letterbox(1), vec![1]).await.unwrap();
    assert_eq!((numbers(&*store, 1).await, numbers(&*store, 2).await), (vec![], vec![1]));
    assert_eq!(usage(&*store).await, (2, 1, 10));
}

/// Whatever was taken meanwhile.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_number_is_never_given_twice(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    for number in 1..=2 {
        put(&*store, mail(1, number, 10, 1), ENDLESS).await.unwrap();
    }
    store.take(letterbox(1), vec![1, 2]).await.unwrap();
    drop(store);
    let store = home.open().await;
    open(&*store, 1).await;
    assert_eq!(put(&*store, mail(1, 1, 10, 1), ENDLESS).await, Some(3));
}

/// A depositor who did not hear that it was kept leaves it again.
///
/// # Panics
/// When the store does otherwise.
pub async fn the_same_mail_is_kept_once_even_where_there_is_no_room(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    open(&*store, 2).await;
    let room = Room { letterbox: MailAmount { mails: 1, bytes: 10 }, ..ENDLESS };
    assert_eq!(put(&*store, mail(1, 5, 10, 1), room).await, Some(1));
    drop(store);
    let store = home.open().await;
    assert_eq!(put(&*store, mail(1, 5, 10, 2), room).await, Some(1));
    assert_eq!(put(&*store, mail(1, 6, 10, 1), room).await, None);
    assert_eq!(put(&*store, mail(2, 5, 10, 1), room).await, Some(1), "of another letterbox it is another mail");
    assert_eq!(usage(&*store).await, (2, 2, 20));
    store.take(letterbox(1), vec![1]).await.unwrap();
    assert_eq!(put(&*store, mail(1, 5, 10, 1), room).await, Some(2), "once it is taken it is a new one");
}

/// To the byte.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_letterbox_holds_so_many_bytes_and_not_one_more(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    let room = Room { letterbox: MailAmount { bytes: 100, ..ENDLESS.letterbox }, ..ENDLESS };
    assert_eq!(put(&*store, mail(1, 1, 101, 1), room).await, None);
    assert_eq!(put(&*store, mail(1, 2, 60, 1), room).await, Some(1));
    drop(store);
    let store = home.open().await;
    assert_eq!(put(&*store, mail(1, 3, 41, 2), room).await, None);
    assert_eq!(put(&*store, mail(1, 4, 40, 2), room).await, Some(2));
    assert_eq!(put(&*store, mail(1, 5, 1, 3), room).await, None);
    store.take(letterbox(1), vec![1]).await.unwrap();
    assert_eq!(put(&*store, mail(1, 6, 60, 3), room).await, Some(3));
}

/// To the mail.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_letterbox_holds_so_many_mails_and_not_one_more(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    let room = Room { letterbox: MailAmount { mails: 2, ..ENDLESS.letterbox }, ..ENDLESS };
    for (number, kept) in [(1, Some(1)), (2, Some(2)), (3, None)] {
        assert_eq!(put(&*store, mail(1, number, 1, number), room).await, kept);
    }
    store.take(letterbox(1), vec![2]).await.unwrap();
    assert_eq!(put(&*store, mail(1, 4, 1, 9), room).await, Some(3));
    assert_eq!(put(&*store, mail(1, 5, 1, 9), room).await, None);
}

/// By bytes and by mails, in each letterbox.
///
/// # Panics
/// When the store does otherwise.
pub async fn one_depositor_has_its_share_and_others_have_theirs(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    open(&*store, 2).await;
    let room = Room { depositor: MailAmount { mails: 3, bytes: 20 }, ..ENDLESS };
    for (of, number, bytes, depositor, kept) in [
        (1, 1, 10, 1, true),
        (1, 2, 11, 1, false),
        (1, 3, 10, 1, true),
        (1, 4, 1, 1, false),
        (1, 5, 20, 2, true),
        (2, 6, 20, 1, true),
        (1, 7, 1, 3, true),
        (1, 8, 1, 3, true),
        (1, 9, 1, 3, true),
        (1, 10, 1, 3, false),
    ] {
        assert_eq!(put(&*store, mail(of, number, bytes, depositor), room).await.is_some(), kept, "mail {number}");
    }
    store.take(letterbox(1), vec![1]).await.unwrap();
    assert!(put(&*store, mail(1, 11, 10, 1), room).await.is_some());
}

/// To the byte.
///
/// # Panics
/// When the store does otherwise.
pub async fn all_letterboxes_together_hold_so_many_bytes(home: &dyn Home) {
    let store = home.open().await;
    let room = Room { total: 100, ..ENDLESS };
    for of in 1..=3 {
        open(&*store, of).await;
    }
    assert!(put(&*store, mail(1, 1, 50, 1), room).await.is_some());
    assert!(put(&*store, mail(2, 2, 50, 1), room).await.is_some());
    assert!(put(&*store, mail(3, 3, 1, 1), room).await.is_none());
    store.close(letterbox(1)).await.unwrap();
    assert!(put(&*store, mail(3, 3, 51, 1), room).await.is_none());
    assert!(put(&*store, mail(3, 3, 50, 1), room).await.is_some());
}

/// However they run beside each other.
///
/// # Panics
/// When the store does otherwise.
pub async fn deposits_at_the_same_time_never_share_the_last_place(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    let room = Room { letterbox: MailAmount { mails: 10, ..ENDLESS.letterbox }, ..ENDLESS };
    let deposits = (0..40).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { put(&*store, mail(1, number, 10, number), room).await })
    });
    let kept = join_all(deposits).await.into_iter().filter(|kept| kept.as_ref().unwrap().is_some()).count();
    assert_eq!(kept, 10);
    assert_eq!(usage(&*store).await, (1, 10, 100));
    assert_eq!(numbers(&*store, 1).await, (1..=10).collect::<Vec<_>>());
}

/// Also when many are opened at once.
///
/// # Panics
/// When the store does otherwise.
pub async fn there_are_so_many_letterboxes_and_opening_one_again_is_no_other(home: &dyn Home) {
    let store = home.open().await;
    let opened = (1..=9).flat_map(|of| [of, of]).map(|of| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { (of, store.open(letterbox(of), seconds(1), 5).await.unwrap()) })
    });
    let opened = join_all(opened).await.into_iter().map(Result::unwrap);
    let opened: std::collections::BTreeSet<u8> = opened.filter(|(_, open)| *open).map(|(of, _)| of).collect();
    assert_eq!(opened.len(), 5);
    drop(store);
    let store = home.open().await;
    assert_eq!(usage(&*store).await, (5, 0, 0));
    let (one, another) = (*opened.first().unwrap(), (1..=9).find(|of| !opened.contains(of)).unwrap());
    put(&*store, mail(one, 1, 10, 1), ENDLESS).await.unwrap();
    assert!(store.open(letterbox(one), seconds(2), 5).await.unwrap());
    assert_eq!(numbers(&*store, one).await, [1], "what is in it stays there");
    assert!(!store.open(letterbox(another), seconds(2), 5).await.unwrap());
    assert!(!store.open(letterbox(another), seconds(2), 0).await.unwrap());
    store.close(letterbox(one)).await.unwrap();
    assert!(store.open(letterbox(another), seconds(2), 5).await.unwrap());
}

/// And is gone.
///
/// # Panics
/// When the store does otherwise.
pub async fn a_letterbox_that_is_closed_takes_its_mail_along(home: &dyn Home) {
    let store = home.open().await;
    for of in [1, 2] {
        open(&*store, of).await;
        put(&*store, mail(of, 1, 10, 1), ENDLESS).await.unwrap();
    }
    store.close(letterbox(1)).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(usage(&*store).await, (1, 1, 10));
    assert_eq!(store.deposit(mail(1, 1, 10, 1), ENDLESS).await.unwrap(), Deposited::Unknown);
    open(&*store, 1).await;
    assert_eq!(all(&*store, 1).await, []);
}

const NOON: MailClock = MailClock { time: seconds(1_000), wall: Wall::from_millis(1_700_000_000_000) };

/// To the millisecond.
///
/// # Panics
/// When the store does otherwise.
pub async fn old_mail_goes_and_younger_stays(home: &dyn Home) {
    let store = home.open().await;
    open(&*store, 1).await;
    for (number, arrived) in [(1, 499), (2, 500), (3, 501)] {
        let mail = NewMail { arrived: Duration::from_millis(arrived), ..mail(1, number, 10, 1) };
        put(&*store, mail, ENDLESS).await.unwrap();
    }
    let sweep = Sweep { clock: NOON, arrived_before: Duration::ZERO, visited_before: Duration::ZERO };
    assert_eq!(store.sweep(sweep).await.unwrap(), Swept::default());
    let sweep = Sweep { arrived_before: Duration::from_millis(500), ..sweep };
    assert_eq!(store.sweep(sweep).await.unwrap(), Swept { mails: 1, letterboxes: 0 });
    drop(store);
    let store = home.open().await;
    assert_eq!(numbers(&*store, 1).await, [2, 3]);
    assert_eq!(usage(&*store).await, (1, 2, 20));
    let sweep = Sweep { arrived_before: Duration::MAX, ..sweep };
    assert_eq!(store.sweep(sweep).await.unwrap(), Swept { mails: 2, letterboxes: 0 });
    assert_eq!(usage(&*store).await, (1, 0, 0));
}

/// A visit counts from when it was last.
///
/// # Panics
/// When the store does otherwise.
pub async fn letterboxes_that_nobody_visits_go_with_what_is_in_them(home: &dyn Home) {
    let store = home.open().await;
    for of in 1..=3 {
        open(&*store, of).await;
        put(&*store, mail(of, 1, 10, 1), ENDLESS).await.unwrap();
    }
    assert!(store.visit(letterbox(2), seconds(200)).await.unwrap());
    assert!(store.open(letterbox(3), seconds(200), 0).await.unwrap());
    let sweep = Sweep { clock: NOON, arrived_before: Duration::ZERO, visited_before: seconds(200) };
    assert_eq!(store.sweep(sweep).await.unwrap(), Swept { mails: 0, letterboxes: 1 });
    drop(store);
    let store = home.open().await;
    assert_eq!(usage(&*store).await, (2, 2, 20));
    assert!(!store.visit(letterbox(1), seconds(201)).await.unwrap());
    assert_eq!(all(&*store, 1).await, []);
    assert_eq!((numbers(&*store, 2).await, numbers(&*store, 3).await), (vec![1], vec![1]));
}

/// The last one that was given.
///
/// # Panics
/// When the store does otherwise.
pub async fn the_clock_is_kept(home: &dyn Home) {
    let store = home.open().await;
    for clock in [NOON, MailClock { time: seconds(2_000), wall: Wall::from_millis(0) }] {
        let sweep = Sweep { clock, arrived_before: Duration::ZERO, visited_before: Duration::ZERO };
        store.sweep(sweep).await.unwrap();
        assert_eq!(store.clock().await.unwrap(), Some(clock));
    }
    drop(store);
    let clock = MailClock { time: seconds(2_000), wall: Wall::from_millis(0) };
    assert_eq!(home.open().await.clock().await.unwrap(), Some(clock));
}
