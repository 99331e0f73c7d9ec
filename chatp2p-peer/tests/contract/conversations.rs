//! With whom a node talks.

use serde_json::{Value, json};

use crate::play::{Peer, link, running, tracker, until};

async fn page(peer: &Peer, query: &str) -> Vec<Value> {
    let answer = peer.get(&format!("/conversations{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["conversations"].as_array().unwrap().clone()
}

fn names(page: &[Value]) -> Vec<&str> {
    page.iter().map(|conversation| conversation["peer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn conversations_are_listed_newest_first_with_the_beginning_of_what_was_said_last() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (carol, dave) = (running("carol", &tracker).await, running("dave", &tracker).await);
    assert_eq!(page(&alice, "").await, [] as [Value; 0]);
    for other in [&dave, &carol, &bob] {
        link(&alice, other).await;
    }
    let silent = |name| json!({"peer": name, "contact": true, "connected": true});
    assert_eq!(page(&alice, "").await, [silent("bob"), silent("carol"), silent("dave")]);

    assert_eq!(alice.say("bob", "hello, bob").await.status, 200);
    let long = "ñ".repeat(300);
    let id = carol.say("alice", &long).await.json()["id"].clone();
    alice.heard("carol", &[("carol", &long)]).await;
    until("bob's tick", async || (page(&alice, "").await[1]["last"]["delivery"] == "delivered").then_some(())).await;
    let timestamp = alice.get("/messages?peer=carol").await.json()["messages"][0]["timestamp"].clone();
    let all = page(&alice, "").await;
    assert_eq!(names(&all), ["carol", "bob", "dave"]);
    let last =
        json!({"id": id, "from": "carol", "excerpt": "ñ".repeat(200), "timestamp": timestamp, "delivery": "delivered"});
    assert_eq!(all[0], json!({"peer": "carol", "contact": true, "connected": true, "last": last}));
    assert_eq!((&all[1]["last"]["from"], &all[1]["last"]["excerpt"]), (&json!("alice"), &json!("hello, bob")));

    let before = |page: &[Value]| format!("?limit=1&before={}", page[0]["last"]["id"].as_str().unwrap());
    let first = page(&alice, "?limit=1").await;
    let second = page(&alice, &before(&first)).await;
    let third = page(&alice, &before(&second)).await;
    assert_eq!([first, second, third].concat(), all);

    bob.program.kill().await;
    until("bob is gone", async || (page(&alice, "").await[1]["connected"] == false).then_some(())).await;
    assert_eq!(alice.say("bob", "later").await.json()["status"], "queued");
    let newest = page(&alice, "?limit=1").await;
    assert_eq!((names(&newest), &newest[0]["last"]["delivery"]), (vec!["bob"], &json!("queued")));
    assert_eq!(alice.ask("DELETE", "/contacts/bob/key", None).await.status, 200);
    let forgotten = page(&alice, "?limit=1").await;
    assert_eq!((names(&forgotten), &forgotten[0]["contact"]), (vec!["bob"], &json!(false)));
}

#[tokio::test]
async fn a_page_of_conversations_that_cannot_be_is_refused() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    for query in ["limit=0", "limit=1001", "limit=many", "before=xyz", "before="] {
        let answer = alice.get(&format!("/conversations?{query}")).await;
        answer.refuses(422, "invalid_input");
    }
    let unknown = "0".repeat(32);
    alice.get(&format!("/conversations?before={unknown}")).await.refuses(404, "unknown_message");
}
