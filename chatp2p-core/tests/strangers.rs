//! Masses of strangers at the door of a node that lets nobody in: what they cost the disk, and what they learn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use chatp2p_core::clock::{Now, Wall};
use chatp2p_core::crypto::{Keyring, Olm};
use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::message::Epoch;
use chatp2p_core::protocol::wire::Frame;
use chatp2p_core::protocol::{
    Command, CommandId, ContactCommand, Decision, Effect, Found, Inbound, Input, LinkId, MAX_REQUEST_BYTES,
    MAX_REQUESTS, Me, State,
};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::storage::{ProfileStore, SqlProfile};
use chatp2p_core::testing::node::Correspondent;

/// What any number of strangers may add to the files of a profile: the requests that wait, the keys that were refused, and
/// SQLite's journal, which it cuts off at 4 MiB.
const CAP: u64 = 6 << 20;

/// How many come: `CHATP2P_STRANGERS`, or as many as are done in some seconds.
fn count() -> u32 {
    std::env::var("CHATP2P_STRANGERS").ok().map_or(3_000, |count| count.parse().unwrap())
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// Commits what was decided, and counts what would tell a stranger that something of theirs was taken.
async fn carry_out(state: &mut State, store: &SqlProfile, mut decision: Decision) -> usize {
    let changes = state.conclude(&mut decision).unwrap();
    let receipt = if changes.is_empty() { Default::default() } else { store.commit(changes).await.unwrap() };
    let (_, effects) = decision.release(&receipt);
    effects.iter().filter(|effect| matches!(effect, Effect::Send { frame: Frame::Ack(_), .. })).count()
}

#[tokio::test]
async fn masses_of_strangers_fill_no_disk_and_get_no_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlProfile::open(&folder.path().join("profile.sqlite"), &Identity::from_seed(&[2; 32])).await.unwrap();
    let bob = Identity::from_seed(&[2; 32]);
    let name: Username = "bob".parse().unwrap();
    let mut now = Now { mono: Duration::ZERO, wall: Wall::from_millis(1_700_000_000_000) };
    let keyring = Keyring::load(bob.clone(), &Olm, Vec::new(), [8; 32], now.wall).unwrap();
    let pre_keys = Some(keyring.pre_keys());
    let record = PeerRecord {
        username: name.clone(),
        peer_id: bob.peer_id(),
        endpoints: Vec::new(),
        seq: 1,
        pre_keys,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&bob, record).unwrap();
    let me = Me { peer_id: bob.peer_id(), username: name, record: record.clone() };
    let mut state = State::new(me, keyring, store.load().await.unwrap(), [9; 32], now).receiving(Inbound::Requests);
    let before = size(folder.path());
    let (mut receipts, mut refused) = (0, 0_u32);
    for number in 0..count() {
        let mut seed = [0xee; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let (who, name) = (Identity::from_seed(&seed), format!("stranger-{number}").parse::<Username>().unwrap());
        let (link, peer) = (LinkId(u64::from(number) + 1), who.peer_id());
        let mut pen = Correspondent::new(&who);
        pen.meet(&record);
        let shown = pen.record(&name, Vec::new(), 1);
        let long = Correspondent::saying(1, "x".repeat(MAX_REQUEST_BYTES));
        let message = pen.entry(Epoch::new(7), 1, None, long);
        let frame = |frame| Input::Frame { link, frame };
        let mut decision = Decision::new();
        for input in [
            Input::LinkUp { link, peer, dialled: false },
            frame(Frame::Hello { record: shown.clone() }),
            Input::Found { name, answer: Found::Record(Box::new(shown)) },
            frame(Frame::Greeting { have: Vec::new(), offer: None, watchword: None }),
            frame(message.clone()),
            frame(message),
            Input::LinkDown(link),
        ] {
            state.handle(input, now, &mut decision);
        }
        // Bob goes through his inbox now and then, so that there is room for others.
        if number % 50 == 49 {
            let waiting: Vec<_> = state.requests().take(20).map(|request| request.peer_id).collect();
            for peer in waiting {
                let command = Command::Contact(ContactCommand::Dismiss(peer));
                state.handle(Input::Command { id: CommandId(1), command }, now, &mut decision);
                refused += 1;
            }
        }
        receipts += carry_out(&mut state, &store, decision).await;
        now.mono += Duration::from_secs(10);
    }
    let grown = size(folder.path()) - before;
    println!("{} strangers, {refused} refused: {grown} bytes more on the disk, {receipts} receipts", count());
    assert_eq!(receipts, 0);
    assert!(grown < CAP, "{grown}");
    let kept = store.load().await.unwrap();
    assert_eq!((kept.contacts.len(), kept.logs.len()), (0, 0));
    assert!(kept.requests.iter().filter(|request| !request.refused).count() <= MAX_REQUESTS);
    assert!(kept.requests.iter().any(|request| request.first.is_some()), "what they say is read");
    assert!(kept.keys.len() <= 1, "nobody who only knocks has a session");
}
