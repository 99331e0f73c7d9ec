//! Two whole minds on a bad network, whose every step the input chooses.

use super::Depth;
use crate::protocol::sim::pair::{self, Manners};

/// Both are honest: nothing acknowledged is lost, shown twice or out of order, and no key makes two messages.
pub(super) fn conversation(input: &[u8]) -> Depth {
    match pair::play(input, Manners::Honest) {
        Ok(arrived) => Depth::of(arrived > 0),
        Err(broken) => panic!("a promise was broken: {broken}"),
    }
}

/// The second changes what it sends: the first goes on, and its store takes everything that it decides.
pub(super) fn hostile_peer(input: &[u8]) -> Depth {
    match pair::play(input, Manners::Hostile) {
        Ok(heard) => Depth::of(heard > 0),
        Err(broken) => panic!("a promise was broken: {broken}"),
    }
}

/// Everybody meets, talks, and something happens.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let meet: &[u8] = &[0x06, 0x7e, 0x7e];
    let storms: [&[u8]; 10] = [
        &[0x20, 0xa0, 0x7e, 0x7e],
        &[0x20, 0x01, 0x83, 0x12, 0x7e, 0x20, 0x84, 0x85, 0x7e],
        &[0x09, 0x20, 0x7e, 0x7e, 0x0a, 0x20, 0x7e, 0x89, 0x8a, 0xa0, 0x7e],
        &[0x20, 0x08, 0x01, 0x7e, 0xa0, 0x98, 0x81, 0x7e, 0x5b, 0x7e],
        &[0x20, 0x07, 0x7e, 0x4b, 0x7e, 0x7e, 0x0d, 0x7e, 0x86, 0x7e],
        &[0x8c, 0x20, 0x7e, 0x0c, 0xa0, 0x7e, 0x7e],
        &[0x89, 0x70, 0x7e, 0x8a, 0x70, 0xf0, 0x6b, 0x7e, 0x7e],
        &[0x70, 0x01, 0x84, 0x85, 0x83, 0x85, 0x82, 0x81, 0x7e, 0x6b, 0x7e],
        &[0x06, 0x86, 0x0f, 0x8f, 0x20, 0xa0, 0x7e],
        &[0x20, 0x01, 0x47, 0xc7, 0x1b, 0xa0, 0x81, 0x7e, 0x47, 0x20, 0x1b, 0x7e],
    ];
    storms.map(|storm| [meet, storm].concat()).to_vec()
}

/// The same, with changes on the way: flips, cuts, and what the sender itself never says.
pub(super) fn hostile_seeds() -> Vec<Vec<u8>> {
    let changes: [&[u8]; 5] = [
        &[0x03, 1, 0, 0, 9, 1, 0x12, 0x7e],
        &[0x03, 1, 1, 0, 20, 0x12, 0x7e],
        &[0x03, 1, 0, 0, 40, 0xff, 0x02, 0x01, 0x7e],
        &[0x13, 2, 3, 6, 1, 2, 3, 0x12, 0x7e],
        &[0x03, 1, 2, 0, 3, 0, 0x12, 0x7e],
    ];
    let talk: [&[u8]; 3] = [&[0x06, 0x81], &[0x06, 0x7e, 0x7e, 0xa0, 0x81], &[0x06, 0x7e, 0x20, 0x01, 0x72, 0x81]];
    let damage = talk.iter().flat_map(|talk| changes.map(|change| [*talk, change].concat()));
    let lies = lies().map(|lie| [&[0x06, 0x7e, 0x7e], lie, &[0x20, 0x7e]].concat());
    damage.chain(lies).collect()
}

/// What the second says that is well formed: entries with one thing wrong, epochs in a row, greetings, acknowledgements,
/// nacks, farewells and records.
fn lies() -> [&'static [u8]; 12] {
    [
        &[0x43, 0, 1, 0, 0x43, 0, 1, 0],
        &[0x43, 0, 1, 0, 0x43, 2, 70],
        &[0x43, 0, 1, 1, 3, 9, 0x43, 0, 1, 0, 0x53, 0, 2, 3, 0, 0, 1, 0x43, 0, 3, 4, 7],
        &[0x43, 0, 1, 5, 1, 0x43, 0, 1, 6, 15, 0x43, 0, 1, 12, 2, 0x43, 8, 0, 1],
        &[0x43, 0, 1, 7, 0x43, 0, 1, 8, 2, 0x43, 0, 1, 9, 1, 0, 0, 9, 1],
        &[0x43, 0, 1, 10, 1, 0, 0, 9, 1, 0x43, 0, 1, 11, 0x43, 0, 1, 0],
        &[0x20, 0x7e, 0x43, 3, 2, 0, 0, 0, 1, 0, 0, 1],
        &[0x20, 0x43, 3, 1, 3, 0, 0, 2, 2, 0x43, 3, 0, 3],
        &[0x70, 0x01, 0x43, 4, 0, 0, 1, 0x43, 4, 2, 0, 0, 15],
        &[0x20, 0x01, 0x43, 5, 0, 0, 0, 0x43, 5, 0, 1, 3, 1],
        &[0x43, 6, 2, 0x0b, 0x06, 0x7e, 0x43, 6, 0],
        &[0x53, 7, 3, 0, 1, 15, 0x7e, 0x53, 7, 0, 2, 0, 1, 0x7e],
    ]
}
