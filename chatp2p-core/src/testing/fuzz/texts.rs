//! Texts from outside that become something: addresses, names, keys, ids, and the answers of a tracker.

use super::{Choices, Depth};
use crate::identity::{ContactLink, MAX_LINK_BYTES, MAX_USERNAME_CHARS, PeerId, Username};
use crate::message::EntryId;
use crate::record::{Endpoint, Host, MAX_ENDPOINT_BYTES};

/// Any text as everything that a text can be. What it becomes reads back as the same.
pub(super) fn names(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    let kind = choices.byte();
    let text = String::from_utf8_lossy(choices.rest());
    let parsed = match kind % 5 {
        0 => text.parse::<Endpoint>().is_ok_and(|endpoint| {
            let shown = endpoint.to_string();
            assert!(text.len() <= MAX_ENDPOINT_BYTES);
            // The path is added to what may be left out.
            assert_eq!(
                shown.parse::<Endpoint>().as_ref().ok().or((shown.len() > MAX_ENDPOINT_BYTES).then_some(&endpoint)),
                Some(&endpoint)
            );
            assert!(!shown.contains(['@', '?', '#', ' ', '\\', '\n', '\0']), "something is smuggled in");
            true
        }),
        1 => text.parse::<Host>().is_ok_and(|host| {
            assert_eq!(host.to_string().parse(), Ok(host));
            true
        }),
        2 => text.parse::<Username>().is_ok_and(|name| {
            assert_eq!(name.as_str().parse().as_ref(), Ok(&name), "a name that was enforced is one");
            assert!((1..=MAX_USERNAME_CHARS).contains(&name.as_str().chars().count()));
            assert!(
                !name.as_str().contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"'&/\\`%".contains(c))
            );
            assert!(name.is_confusable_with(&name));
            true
        }),
        3 => text.parse::<PeerId>().is_ok_and(|peer| {
            assert_eq!(peer.to_string().parse(), Ok(peer));
            assert_eq!(peer.to_string(), text.to_ascii_lowercase(), "a key has one spelling");
            true
        }),
        _ => text.parse::<EntryId>().is_ok_and(|id| {
            assert_eq!(id.to_string(), text);
            true
        }),
    };
    Depth::of(parsed)
}

pub(super) fn names_seeds() -> Vec<Vec<u8>> {
    let kinds: [&[&str]; 5] = [
        &["ws://127.0.0.1:5001/p2p", "wss://[::1]:443", "memory:alice", "ws://Chat.Example.org:0/", "ws://127.1:1"],
        &["localhost", "192.0.2.1", "[2001:db8::1]", "my_pc-2.example"],
        &["alice", "José-ñandú", "Ａlice", "мария", "a\u{301}", "李小龍", "p\u{430}ypal", "alice%2e"],
        &[
            "qe4zo4l2whl3h7p5kuwq4xk3zg6mwnt3lz3jdmnojtpxdwtqqhkq",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ],
        &["00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF"],
    ];
    let mut seeds = Vec::new();
    for (kind, texts) in (0_u8..).zip(kinds) {
        seeds.extend(texts.iter().map(|text| [&[kind][..], text.as_bytes()].concat()));
    }
    seeds.push([&[3][..], super::signed::alice().peer_id().to_string().as_bytes()].concat());
    seeds
}

/// Any text as a contact link; a real one that was changed; and one for any name at any tracker, which nobody could write by
/// chance.
pub(super) fn contact_link(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    let kind = choices.byte();
    let (text, real) = match kind % 3 {
        0 => (choices.rest().to_vec(), None),
        1 => {
            let real = link();
            (choices.edit(real.to_string().as_bytes()), Some(real))
        }
        _ => {
            let length = usize::from(choices.byte());
            let name = String::from_utf8_lossy(choices.take(length)).parse();
            let Ok(name) = name else { return Depth::Refused };
            let link = ContactLink::new(super::signed::alice().peer_id(), name);
            let tracker = String::from_utf8_lossy(choices.rest());
            let link = link.clone().at_tracker(&tracker).unwrap_or(link);
            (link.to_string().into_bytes(), Some(link))
        }
    };
    let text = String::from_utf8_lossy(&text);
    let read = text.parse::<ContactLink>();
    if let Ok(read) = &read {
        assert_eq!(read.to_string(), text, "a link has one spelling");
        assert!(text.len() <= MAX_LINK_BYTES && text.chars().all(|c| c.is_ascii_graphic()), "something is smuggled in");
        assert!(real.is_none_or(|real| real == *read), "a link that was changed leads elsewhere");
    } else {
        assert!(kind % 3 != 2, "what was written cannot be read: {text}");
    }
    Depth::of(read.is_ok())
}

fn link() -> ContactLink {
    let link = ContactLink::new(super::signed::alice().peer_id(), "José".parse().unwrap());
    link.at_tracker("https://tracker.example.org:8443").unwrap()
}

pub(super) fn contact_link_seeds() -> Vec<Vec<u8>> {
    let edits = super::signed::edit_seeds().into_iter().map(|edit| [&[1][..], &edit[1..]].concat());
    let made = |name: &str, tracker: &str| {
        [&[2, u8::try_from(name.len()).unwrap()][..], name.as_bytes(), tracker.as_bytes()].concat()
    };
    let mut seeds: Vec<_> = edits.step_by(2).collect();
    seeds.push([&[0][..], link().to_string().as_bytes()].concat());
    seeds.extend([made("мария", "http://192.0.2.1:8000/?a=b#c"), made("bob", "ftp://example.org"), made("a b", "")]);
    seeds
}

/// Any bytes as each kind of answer that a tracker gives.
#[cfg(feature = "http")]
pub(super) fn tracker_answer(input: &[u8]) -> Depth {
    let mut choices = Choices::new(input);
    let (kind, status) = (choices.byte(), 400 + u16::from(choices.byte()));
    Depth::of(crate::tracker::HttpTracker::believes(kind, status, choices.rest()))
}

#[cfg(feature = "http")]
pub(super) fn tracker_answer_seeds() -> Vec<Vec<u8>> {
    let record = data_encoding::BASE64URL_NOPAD.encode(&super::signed::signed_record().encode());
    let secret = data_encoding::BASE64URL_NOPAD.encode(&[7; 32]);
    let listed = |name: &str, more: &str| {
        format!(
            r#"{{"id":1,"username":"{name}","host":"192.0.2.1","port":5001,"is_active":true,"last_heartbeat":"2026-01-31T12:00:00.000Z"{more}}}"#
        )
    };
    let signed = format!(r#","record":"{record}","lease_secret":"{secret}","peer_id":"x""#);
    let health = r#"{"status":"healthy","total_peers":2,"active_peers":1,"timestamp":"2026-01-31T12:00:00Z","tracker_id":"00112233445566778899aabbccddeeff"}"#;
    let problem = |code: &str, more: &str| format!(r#"{{"code":"{code}","detail":"no","status":409{more}}}"#);
    let answers = [
        (0, listed("bob", "")),
        (0, listed("alice", &signed)),
        (0, listed("eve", &signed)),
        (1, format!("[{},{}]", listed("alice", &signed), listed("bob", ""))),
        (2, health.to_owned()),
        (3, problem("name_taken", "")),
        (3, problem("name_confusable", r#","other":"a1ice""#)),
        (3, problem("record_stale", r#","known":18446744073709551615"#)),
        (3, problem("tracker_full", "")),
    ];
    answers.into_iter().map(|(kind, text)| [&[kind, 9][..], text.as_bytes()].concat()).collect()
}
