//! What a tracker can do to people by lying, with real programs: nothing to those who have met or hold each other's link, and to
//! others nothing that they could not see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "../../examples/evil_tracker/lies.rs"]
mod lies;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "../../examples/evil_tracker/tracker.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod tracker;

use lies::Lie;
use play::{Peer, Program, peer_command, running, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracker::EvilTracker;

/// Alice and bob trust the evil tracker. Eve goes by the name of bob, at a tracker where nobody else does.
struct Town {
    evil: EvilTracker,
    eve: Peer,
    _trackers: [Program; 2],
}

impl Town {
    async fn new() -> Self {
        let (honest, falsehood) = (play::tracker().await, play::tracker().await);
        let at = [&honest, &falsehood].map(|tracker| format!("http://{}", tracker.api));
        let evil = EvilTracker::before(&at[0], &at[1], ([127, 0, 0, 1], 0).into()).await.unwrap();
        let eve = running("bob", &falsehood).await;
        Self { evil, eve, _trackers: [honest, falsehood] }
    }

    async fn person(&self, name: &str, data: TempDir) -> Peer {
        let mut command = peer_command(data.path());
        let program = Program::start(command.args(["--username", name, "--tracker", &self.evil.url])).await;
        Peer { program, name: name.to_owned(), data }
    }

    async fn newcomer(&self, name: &str) -> Peer {
        self.person(name, tempfile::tempdir().unwrap()).await
    }

    /// From now on the tracker tells this lie about bob.
    fn lies(&self, lie: Lie) {
        self.evil.tells(lie, Some(&"bob".parse().unwrap()));
    }

    /// What has come to the false key.
    async fn eve_got(&self) -> usize {
        self.eve.get("/messages").await.json()["messages"].as_array().unwrap().len()
    }
}

async fn identity(peer: &Peer) -> Value {
    peer.get("/identity").await.json()
}

async fn safety_number(peer: &Peer, of: &str) -> Value {
    peer.get(&format!("/contacts/{of}/safety-number")).await.json()
}

async fn adds(peer: &Peer, other: &Peer) {
    let link = identity(other).await["link"].clone();
    let added = peer.ask("POST", "/contacts", Some(&json!({"link": link}))).await;
    assert_eq!(added.status, 200, "{added:?}");
}

#[tokio::test]
async fn a_swapped_key_gets_nothing_from_those_who_have_met_and_they_are_warned() {
    let town = Town::new().await;
    let (alice, bob) = (town.newcomer("alice").await, town.newcomer("bob").await);
    // Eve would let alice in, if only she came.
    adds(&town.eve, &alice).await;
    let (mut events, _) = play::link(&alice, &bob).await;
    alice.say("bob", "hello").await;
    bob.heard("alice", &[("alice", "hello")]).await;
    let (hers, his) = (safety_number(&alice, "bob").await, safety_number(&bob, "alice").await);
    assert_eq!(hers["safety_number"], his["safety_number"]);
    let verified = json!({"shown": his["code"]});
    assert_eq!(alice.ask("PUT", "/contacts/bob/safety-number", Some(&verified)).await.json()["verified"], true);

    let data = bob.data;
    bob.program.kill().await;
    alice.has(&[]).await;
    town.lies(Lie::Swap);
    for n in 0..10 {
        assert_eq!(alice.say("bob", &format!("secret {n}")).await.json()["status"], "queued");
    }
    alice.connect("bob").await.refuses(400, "key_changed");
    let false_key = identity(&town.eve).await["peer_id"].clone();
    loop {
        let event = events.next().await.expect("a warning");
        if event["type"] == "key_changed" {
            assert_eq!((&event["peer"], &event["presented"]), (&json!("bob"), &false_key));
            assert!(event["next"].as_str().is_some_and(|next| !next.is_empty()));
            break;
        }
    }
    until("the tracker has lied several times", async || (town.evil.told() > 3).then_some(())).await;
    let contact = alice.get("/contacts/bob").await.json();
    assert_eq!((&contact["presented"], &contact["verified"]), (&false_key, &json!(true)));
    assert_eq!((town.eve_got().await, town.eve.connected().await), (0, json!([])));

    town.lies(Lie::Honest);
    let bob = town.person("bob", data).await;
    let secrets: Vec<String> = (0..10).map(|n| format!("secret {n}")).collect();
    let mut talk = vec![("alice", "hello")];
    talk.extend(secrets.iter().map(|text| ("alice", text.as_str())));
    bob.heard("alice", &talk).await;
    assert_eq!(town.eve_got().await, 0);
}

#[tokio::test]
async fn a_swapped_key_gets_nothing_from_who_holds_the_link() {
    let town = Town::new().await;
    let (alice, bob) = (town.newcomer("alice").await, town.newcomer("bob").await);
    adds(&town.eve, &alice).await;
    adds(&alice, &bob).await;
    town.lies(Lie::Swap);
    let mut events = alice.events().await;
    alice.connect("bob").await.refuses(400, "key_changed");
    assert_eq!(events.happens().await["type"], "key_changed");
    assert_eq!(alice.say("bob", "for your eyes").await.json()["status"], "queued");
    until("the tracker has lied again", async || (town.evil.told() > 2).then_some(())).await;
    assert_eq!((town.eve_got().await, town.eve.connected().await), (0, json!([])));
    town.lies(Lie::Honest);
    bob.heard("alice", &[("alice", "for your eyes")]).await;
}

#[tokio::test]
async fn who_believes_the_tracker_about_a_first_contact_sees_another_safety_number() {
    let town = Town::new().await;
    let (alice, bob) = (town.newcomer("alice").await, town.newcomer("bob").await);
    adds(&town.eve, &alice).await;
    adds(&bob, &alice).await;
    town.lies(Lie::Swap);
    assert_eq!(alice.connect("bob").await.status, 200, "there is nothing to see it by yet");
    let (hers, his) = (safety_number(&alice, "bob").await, safety_number(&bob, "alice").await);
    assert_ne!(hers["safety_number"], his["safety_number"]);
    for shown in [&his["safety_number"], &his["code"]] {
        let compared = alice.ask("PUT", "/contacts/bob/safety-number", Some(&json!({"shown": shown}))).await;
        compared.refuses(409, "safety_number_differs");
    }
    assert_eq!(alice.get("/contacts/bob").await.json()["verified"], false);
}

#[tokio::test]
async fn old_records_and_silence_only_delay_what_is_said() {
    let town = Town::new().await;
    let (alice, bob) = (town.newcomer("alice").await, town.newcomer("bob").await);
    play::link(&alice, &bob).await;
    // Bob comes back at another port, and the tracker goes on naming the old one.
    let data = bob.data;
    bob.program.kill().await;
    alice.has(&[]).await;
    town.lies(Lie::Replay);
    let bob = town.person("bob", data).await;
    assert_eq!(alice.say("bob", "one").await.status, 200);
    bob.heard("alice", &[("alice", "one")]).await;
    let data = bob.data;
    bob.program.kill().await;
    alice.has(&[]).await;
    town.lies(Lie::Drop);
    assert_eq!(alice.say("bob", "two").await.json()["status"], "queued");
    until("nobody is there, the tracker says", async || (town.evil.told() > 1).then_some(())).await;
    town.lies(Lie::Honest);
    let bob = town.person("bob", data).await;
    bob.heard("alice", &[("alice", "one"), ("alice", "two")]).await;
    assert_eq!(town.eve_got().await, 0);
}
