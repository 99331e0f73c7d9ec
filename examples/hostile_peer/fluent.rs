//! Attacks within the protocol: by somebody with a proper key and a listed name, who says what no honest peer says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use chatp2p_core::crypto::{Ciphertext, Mark, Nack, OLM_V2, Offer, SessionId};
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Conversation, Epoch, LogHash, Place, Position};
use chatp2p_core::protocol::wire::{Frame, Letter, LogEntry, MAX_RECORDS, encode, encode_letter};
use chatp2p_core::record::ExchangeKey;
use chatp2p_core::testing::node::{Correspondent, Stranger};
use tokio::task::JoinSet;

use crate::victim::{Answers, Insider, Victim};

/// The life of a log that hostile peers say they have.
const EPOCH: Epoch = Epoch::new(7);

/// How many strangers come at once: as many as a network of them would, and few enough that each is heard out.
const AT_ONCE: usize = 16;

/// How long each of them waits for an answer: masses do not linger.
const LINGER: Duration = Duration::from_millis(50);

/// Somebody new says these, once let in, and is heard out.
async fn says(victim: &Victim, frames: impl FnOnce(&mut Insider) -> Vec<Frame>) -> anyhow::Result<Answers> {
    let mut insider = Insider::register(victim).await?;
    let frames = frames(&mut insider);
    let link = insider.enter(victim).await?;
    heard(link, insider, frames).await
}

/// Somebody new says these instead of saying hello.
async fn bursts_in(victim: &Victim, frames: impl FnOnce(&mut Insider) -> Vec<Frame>) -> anyhow::Result<Answers> {
    let mut insider = Insider::register(victim).await?;
    let frames = frames(&mut insider);
    let link = victim.dial(&insider.who).await?;
    heard(link, insider, frames).await
}

async fn heard(mut link: Stranger, insider: Insider, frames: Vec<Frame>) -> anyhow::Result<Answers> {
    for frame in &frames {
        link.say(frame).await;
    }
    let mut answers = Answers::default();
    answers.hear(&mut link).await;
    insider.leave().await?;
    Ok(answers)
}

/// An entry of theirs that says this.
fn entry(insider: &mut Insider, n: u64, text: &str) -> Frame {
    let before = (n > 1).then(|| LogHash::from_bytes([n.to_be_bytes()[7]; 32]));
    insider.pen.entry(EPOCH, n, before, Correspondent::saying(n.to_be_bytes()[7], text.to_owned()))
}

const fn position(n: u64) -> Position {
    Position { epoch: EPOCH, n, hash: LogHash::from_bytes([9; 32]) }
}

/// The same hello, greeting and entry again and again, and the same bytes on another line.
pub(crate) async fn replay(victim: &Victim) -> anyhow::Result<Answers> {
    let mut insider = Insider::register(victim).await?;
    let first = entry(&mut insider, 1, "said once");
    let mut answers = Answers::default();
    for _ in 0..3 {
        let mut link = insider.enter(victim).await?;
        for _ in 0..5 {
            link.say_bytes(encode(&first)).await;
        }
        answers.hear(&mut link).await;
    }
    for again in [insider.hello.clone(), Frame::Greeting { have: Vec::new(), offer: None, watchword: None }] {
        let mut link = insider.enter(victim).await?;
        for _ in 0..100 {
            link.say(&again).await;
        }
        answers.hear(&mut link).await;
    }
    // Somebody else's hello under one's own key.
    let other = Insider::register(victim).await?;
    let mut link = victim.dial(&other.who).await?;
    link.say(&insider.hello).await;
    answers.hear(&mut link).await;
    insider.leave().await?;
    other.leave().await?;
    Ok(answers)
}

/// What comes before its time, after it, or at no place of the log.
pub(crate) async fn disorder(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = bursts_in(victim, |me| vec![entry(me, 1, "before hello"), me.hello.clone()]).await?;
    let greeting = Frame::Greeting { have: Vec::new(), offer: None, watchword: None };
    answers.add(bursts_in(victim, |me| vec![greeting.clone(), me.hello.clone()]).await?);
    answers.add(bursts_in(victim, |_| vec![Frame::Ack(position(1))]).await?);
    answers.add(says(victim, |me| vec![entry(me, 5, "the fifth first")]).await?);
    answers.add(says(victim, |me| [3, 2, 1].map(|n| entry(me, n, "backwards")).into()).await?);
    answers.add(says(victim, |me| [1, 2, 3].map(|n| entry(me, n, "with the hash of another")).into()).await?);
    Ok(answers)
}

/// Acknowledgements of what was never sent, word that it was read, and where others are whom nobody sought.
pub(crate) async fn acks(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    for n in [0, 1, 2, u64::MAX] {
        answers.add(says(victim, |_| vec![Frame::Ack(position(n)); 50]).await?);
        answers.add(says(victim, |_| vec![Frame::Read(Place { epoch: EPOCH, n }); 50]).await?);
    }
    // Questions in whose marks nobody is, and answers to none.
    let of = (1..=32).map(|mark| Mark::from_bytes([mark; 16])).collect::<Vec<_>>();
    answers.add(says(victim, |_| vec![Frame::Seek { salt: [7; 16], of }; 50]).await?);
    let records = vec![victim.record.clone(); MAX_RECORDS];
    answers.add(says(victim, |_| vec![Frame::Records { records }; 50]).await?);
    let have = (1..=8).map(position).collect();
    answers.add(says(victim, |_| vec![Frame::Greeting { have, offer: None, watchword: None }]).await?);
    Ok(answers)
}

/// Complaints about what was never sent, and keys to encrypt with, in one's own name and in somebody else's.
pub(crate) async fn forgeries(victim: &Victim) -> anyhow::Result<Answers> {
    let mallory = Identity::generate()?;
    let key = victim.key;
    let mut answers = Answers::default();
    for theirs in [true, false] {
        let signer = |me: &Insider| if theirs { mallory.clone() } else { me.who.clone() };
        answers.add(
            says(victim, |me| {
                let nack = |n| Frame::Nack(Nack::sign(&signer(me), key, EPOCH, n, [3; 32]));
                (1..=50).map(nack).collect()
            })
            .await?,
        );
        let nothing = ExchangeKey::from_bytes([0; 32]);
        answers.add(
            says(victim, |me| {
                let keys = victim.record.record().pre_keys;
                let offer = keys.map(|keys| Offer::sign(&signer(me), &keys, key, nothing));
                vec![Frame::Greeting { have: Vec::new(), offer, watchword: None }; 20]
            })
            .await?,
        );
    }
    Ok(answers)
}

/// Ciphertexts that nobody can read, of every kind that there may be.
pub(crate) async fn ciphertexts(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    for (suite, begins) in [(OLM_V2, true), (OLM_V2, false), (0, true), (u8::MAX, false)] {
        answers.add(
            says(victim, |_| {
                let unreadable = |n: u8| {
                    let (session, message) = (SessionId::from_bytes([n; 32]), vec![n; 200]);
                    let ciphertext = Ciphertext { suite, session, begins, message };
                    Frame::Entry(LogEntry { epoch: EPOCH, n: 1, before: None, follows: None, ciphertext })
                };
                (0..50).map(unreadable).collect()
            })
            .await?,
        );
    }
    Ok(answers)
}

/// A text that is none, and a letter that says something else than its envelope, both encrypted as they should be.
pub(crate) async fn texts(victim: &Victim) -> anyhow::Result<Answers> {
    let (me_first, to) = (1, victim.key);
    let letter = |me: &Insider, n: u64, text: &str| Letter {
        conversation: Conversation::direct(me.who.peer_id(), to),
        from: me.who.peer_id(),
        to,
        epoch: EPOCH,
        n,
        before: None,
        follows: None,
        content: Correspondent::saying(1, text.to_owned()),
    };
    let sealed = |me: &mut Insider, bytes: &[u8]| {
        let ciphertext = me.pen.encrypt(bytes);
        vec![Frame::Entry(LogEntry { epoch: EPOCH, n: 1, before: None, follows: None, ciphertext })]
    };
    let mut answers = says(victim, |me| {
        let marker = "AAAAAAAA";
        let mut bytes = encode_letter(&letter(me, me_first, marker));
        let at = bytes.windows(marker.len()).position(|window| window == marker.as_bytes()).unwrap_or_default();
        bytes.iter_mut().skip(at).take(marker.len()).for_each(|byte| *byte = 0xff);
        sealed(me, &bytes)
    })
    .await?;
    answers.add(
        says(victim, |me| {
            let bytes = encode_letter(&letter(me, 2, "another place"));
            sealed(me, &bytes)
        })
        .await?,
    );
    answers.add(says(victim, |me| sealed(me, &[0x9f; 4_096])).await?);
    Ok(answers)
}

/// So many strangers, each with a key and a listed name of their own, who each leave a message.
pub(crate) async fn requests(victim: &Victim, count: usize) -> anyhow::Result<Answers> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut crowd = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (victim, left) = (victim.clone(), Arc::clone(&left));
        crowd.spawn(async move {
            let mut answers = Answers::default();
            while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                answers.add(knock(&victim).await?);
            }
            anyhow::Ok(answers)
        });
    }
    let mut answers = Answers::default();
    while let Some(heard) = crowd.join_next().await {
        answers.add(heard.context("a stranger fell over")??);
    }
    Ok(answers)
}

async fn knock(victim: &Victim) -> anyhow::Result<Answers> {
    let mut insider = Insider::register(victim).await?;
    let mut answers = Answers::default();
    let first = entry(&mut insider, 1, "let me in");
    match victim.dial(&insider.who).await {
        Ok(mut link) => {
            for frame in [&insider.hello, &Frame::Greeting { have: Vec::new(), offer: None, watchword: None }, &first] {
                link.say(frame).await;
            }
            answers.hear_for(LINGER, &mut link).await;
        }
        Err(_) => answers.note("took no call"),
    }
    insider.leave().await?;
    Ok(answers)
}
