//! How long it takes until everything has arrived once nothing fails any more, and whether it is then as it was said.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::history::{Damage, compare, written_by};
use crate::part::Part;
use crate::play::Peer;
use crate::stage::Stage;
use crate::talk::STREAMS;

/// How long everything may take to arrive after the last fault.
pub(crate) const HEALED_WITHIN: Duration = Duration::from_secs(10);

/// How long is waited for what is late, so that it can be said how late.
const LATE_BY: Duration = Duration::from_secs(40);

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(20);

/// How many messages are looked at for the newest of one author's.
const PAGE: usize = 20;

/// The newest text that one peer wrote to another, as this peer has it, found without reading all.
async fn last_by(author: &str, of: &Peer, with: &str) -> Option<String> {
    let mut before = String::new();
    loop {
        let page = of.get(&format!("/messages?peer={with}&limit={PAGE}{before}")).await.json();
        let page = page["messages"].as_array().expect("a page").clone();
        if let Some(newest) = page.iter().rfind(|message| message["from"] == author) {
            return Some(newest["content"].as_str().expect("a text").to_owned());
        }
        before = format!("&before={}", page.first()?["id"].as_str().expect("an id"));
    }
}

/// When the newest message of one peer's was at the other, measured from then. Nobody says anything any more: as all come in
/// order, with the newest all have come. To read all of them again and again would measure the reading.
pub(crate) async fn healed(stage: &Stage, from: Part, to: Part, then: Instant) -> Option<Duration> {
    let (author, reader) = (stage.peer(from), stage.peer(to));
    let newest = last_by(&author.name, author, &reader.name).await.expect("something was said");
    while last_by(&author.name, reader, &author.name).await.as_ref() != Some(&newest) {
        if then.elapsed() > LATE_BY {
            return None;
        }
        sleep(PAUSE).await;
    }
    Some(then.elapsed())
}

/// That all which one peer was told to be taken is at the other, once, in the order in which its own history has it.
pub(crate) async fn is_whole(stage: &Stage, from: Part, to: Part, acknowledged: &BTreeMap<String, Vec<u64>>) {
    let (author, reader) = (stage.peer(from), stage.peer(to));
    let streams = STREAMS.iter().filter(|stream| (stream.from, stream.to) == (from, to)).map(|stream| stream.name);
    let expected = streams.map(|name| (name.to_owned(), acknowledged[name].clone())).collect();
    let there = written_by(&author.name, reader, &author.name).await;
    let what = format!("from {} as {} has it", author.name, reader.name);
    assert_eq!(compare(&there, &expected), Damage::default(), "{what}");
    let here = written_by(&author.name, author, &reader.name).await;
    // Not shown when it fails: it may be megabytes.
    let apart = here.iter().zip(&there).position(|(here, there)| here != there);
    assert_eq!((here.len(), apart), (there.len(), None), "{what}, in the order of the author's own history");
}
