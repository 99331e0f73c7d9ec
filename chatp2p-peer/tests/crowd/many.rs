//! Much at once: texts of all sizes from many clients, and two who connect to each other at the same time.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::task::JoinSet;

use crate::history::written_by;
use crate::line::{Line, Said};
use crate::play::{running, tracker, until};

/// How many programs use one peer's API at once.
const CLIENTS: usize = 16;

/// How much they say in all.
const TEXTS: usize = 1_000;

/// Around the sizes at which the original cut texts, in bytes.
const SIZES: [usize; 4] = [3_900, 4_100, 20_000, 60_000];

fn text(client: usize, n: usize) -> String {
    let mut text = format!("{client}/{n} José-ñandú \u{1f600} \"\\");
    let size = SIZES[n % SIZES.len()];
    while text.len() < size {
        text.push(char::from(b'a' + u8::try_from((text.len() + n) % 26).unwrap()));
    }
    text
}

#[tokio::test]
async fn texts_of_all_sizes_from_many_clients_arrive_intact_and_in_order_with_no_page_open() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    assert_eq!(alice.connect("bob").await.status, 200);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let api = alice.program.api;
        clients.spawn(async move {
            let mut line = Line::default();
            for n in (0..).take_while(|n| n * CLIENTS + client < TEXTS) {
                assert_eq!(line.say(api, "bob", &text(client, n)).await, Said::Answered(200), "{client}/{n}");
            }
        });
    }
    clients.join_all().await;
    let kept = until("the last text", async || {
        let kept = written_by("alice", &bob, "alice").await;
        (kept.len() >= TEXTS).then_some(kept)
    })
    .await;
    let mut by_client: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for text in &kept {
        by_client.entry(text.split_once('/').unwrap().0).or_default().push(text);
    }
    for client in 0..CLIENTS {
        let count = (TEXTS - client).div_ceil(CLIENTS);
        let expected: Vec<String> = (0..count).map(|n| text(client, n)).collect();
        // Not shown when it fails: it is a megabyte.
        assert!(by_client[&*client.to_string()] == expected, "what client {client} said");
    }
    assert_eq!(kept.len(), TEXTS);
}

#[tokio::test]
async fn two_who_connect_at_once_are_connected_once() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (mut of_alice, mut of_bob) = (alice.events().await, bob.events().await);
    let mut talk = Vec::new();
    for round in 0..10 {
        let (one, other) = tokio::join!(alice.connect("bob"), bob.connect("alice"));
        assert_eq!((one.status, other.status), (200, 200), "{round}: {one:?} {other:?}");
        assert_eq!((alice.connected().await, bob.connected().await), (json!(["bob"]), json!(["alice"])));
        for (from, to) in [(&alice, &bob), (&bob, &alice)] {
            let said = format!("{round} from {}", from.name);
            assert_eq!(from.say(&to.name, &said).await.json()["status"], "sent");
            talk.push((from.name.clone(), said));
            until("the text", async || (to.talk(&from.name).await == talk).then_some(())).await;
        }
        assert_eq!(alice.ask("DELETE", "/disconnect/bob", None).await.status, 200);
        bob.has(&[]).await;
        for (events, peer, texts) in
            [(&mut of_alice, "bob", ["written", "message"]), (&mut of_bob, "alice", ["message", "written"])]
        {
            assert_eq!(events.happens().await, json!({"type": "peer_connected", "peer": peer}));
            for text in texts {
                assert_eq!(events.happens().await["type"], text);
            }
            assert_eq!(events.happens().await, json!({"type": "peer_disconnected", "peer": peer}));
        }
    }
    of_alice.quiet().await;
    of_bob.quiet().await;
}
