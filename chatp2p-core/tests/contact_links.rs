//! Contact links under every kind of damage: nothing panics, and no damaged link leads to another key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chatp2p_core::identity::{ContactLink, Identity, Username};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// How many links are mutilated, and how often each.
const LINKS: u32 = 400;
const TIMES: u32 = 300;

fn name() -> impl Strategy<Value = Username> {
    prop_oneof!["[a-z0-9._~-]{1,20}", "[а-я]{1,64}", "[ぁ-ん]{1,64}"]
        .prop_filter_map("a username", |text| text.parse().ok())
}

fn link() -> impl Strategy<Value = ContactLink> {
    let tracker = proptest::option::of("https?://[a-z0-9.]{1,40}(:[1-9][0-9]{0,3})?(/[!-~]{0,20})?");
    (any::<[u8; 32]>(), name(), tracker).prop_map(|(seed, name, tracker)| {
        let link = ContactLink::new(Identity::from_seed(&seed).peer_id(), name);
        match tracker {
            Some(tracker) => link.at_tracker(&tracker).unwrap(),
            None => link,
        }
    })
}

/// One to three changes of a text.
fn damage(link: &str, rng: &mut TestRng) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567ABC/%?=: \0\xc3\xb1";
    let mut bytes = link.as_bytes().to_vec();
    for _ in 0..=rng.next_u32() % 3 {
        let at = |len: usize, rng: &mut TestRng| rng.next_u32() as usize % len.max(1);
        let letter = LETTERS[at(LETTERS.len(), rng)];
        let place = at(bytes.len(), rng);
        match rng.next_u32() % 6 {
            0 if !bytes.is_empty() => drop(bytes.remove(place)),
            1 => bytes.insert(place, letter),
            2 => bytes.truncate(place),
            3 if !bytes.is_empty() => {
                let other = at(bytes.len(), rng);
                bytes.swap(place, other);
            }
            4 if !bytes.is_empty() => bytes[place] ^= 1 << (rng.next_u32() % 8),
            _ if !bytes.is_empty() => bytes[place] = letter,
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_hundred_thousand_damaged_links_lead_to_no_other_key() {
    let mut runner =
        TestRunner::new_with_rng(ProptestConfig::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (mut refused, mut unharmed) = (0, 0);
    for _ in 0..LINKS {
        let link = link().new_tree(&mut runner).unwrap().current();
        let text = link.to_string();
        for _ in 0..TIMES {
            let damaged = damage(&text, runner.rng());
            match damaged.parse::<ContactLink>() {
                Ok(read) if damaged == text => {
                    assert_eq!(read, link);
                    unharmed += 1;
                }
                Ok(read) => panic!("{damaged} was read as {read:?}, and was {text}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > LINKS * TIMES / 2, "{refused} refused, {unharmed} as they were");
}

proptest! {
    #[test]
    fn any_link_reads_back(link in link()) {
        prop_assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(chatp2p:)?.{0,200}") {
        if let Ok(link) = text.parse::<ContactLink>() {
            prop_assert_eq!(link.to_string(), text);
        }
    }
}
