//! All that a peer has kept, read page by page, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::play::Peer;

/// The most messages of a page: few enough that a page of long texts is answered in time by a busy machine.
const PAGE: usize = 50;

/// Everything that one peer wrote to another, as this peer has it, oldest first.
pub(crate) async fn written_by(author: &str, of: &Peer, with: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut before = String::new();
    loop {
        let page = of.get(&format!("/messages?peer={with}&limit={PAGE}{before}")).await.json();
        let page = page["messages"].as_array().expect("a page").clone();
        let full = page.len() == PAGE;
        if let Some(first) = page.first() {
            before = format!("&before={}", first["id"].as_str().expect("an id"));
        }
        all.splice(0..0, page);
        if !full {
            break;
        }
    }
    let mine = all.into_iter().filter(|message| message["from"] == author);
    mine.map(|message| message["content"].as_str().expect("a text").to_owned()).collect()
}

/// What must not happen to messages, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Answered with success, and not there.
    pub(crate) lost: usize,
    /// There more than once.
    pub(crate) twice: usize,
    /// Behind one that was sent later on the same stream.
    pub(crate) disordered: usize,
    /// Sent by nobody.
    pub(crate) foreign: usize,
}

/// Compares a history of texts like `stream/number` with the numbers that were answered with success, by stream.
pub(crate) fn compare(kept: &[String], acknowledged: &BTreeMap<String, Vec<u64>>) -> Damage {
    let mut damage = Damage::default();
    let mut seen: BTreeMap<&str, (BTreeSet<u64>, Option<u64>)> = BTreeMap::new();
    for text in kept {
        let place = text.split_once('/').and_then(|(stream, n)| Some((stream, n.parse::<u64>().ok()?)));
        let Some((stream, n)) = place.filter(|(stream, _)| acknowledged.contains_key(*stream)) else {
            damage.foreign += 1;
            continue;
        };
        let (numbers, last) = seen.entry(stream).or_default();
        damage.disordered += usize::from(last.is_some_and(|last| n < last));
        damage.twice += usize::from(!numbers.insert(n));
        *last = Some(n);
    }
    for (stream, numbers) in acknowledged {
        let there = |n: &&u64| seen.get(stream.as_str()).is_some_and(|(numbers, _)| numbers.contains(n));
        damage.lost += numbers.iter().filter(|n| !there(n)).count();
    }
    damage
}

#[test]
fn each_kind_of_damage_is_seen() {
    let acknowledged = BTreeMap::from([("a".to_owned(), vec![0, 1, 3]), ("b".to_owned(), vec![0])]);
    let judge = |kept: &[&str]| compare(&kept.iter().map(ToString::to_string).collect::<Vec<_>>(), &acknowledged);
    // What got no answer may be there or not.
    assert_eq!(judge(&["a/0", "b/0", "a/1", "a/3"]), Damage::default());
    assert_eq!(judge(&["a/0", "a/1", "a/2", "b/0", "a/3", "b/1"]), Damage::default());
    assert_eq!(judge(&["a/0", "a/1", "b/0"]), Damage { lost: 1, ..Damage::default() });
    assert_eq!(judge(&["a/0", "a/1", "b/0", "a/1", "a/3"]), Damage { twice: 1, ..Damage::default() });
    assert_eq!(judge(&["a/1", "a/0", "b/0", "a/3"]), Damage { disordered: 1, ..Damage::default() });
    assert_eq!(judge(&["a/0", "a/1", "b/0", "a/3", "c/0", "x"]), Damage { foreign: 2, ..Damage::default() });
}
