//! Events as the JSON texts that `/ws` and `/events` carry. The first three are the classic ones; clients ignore what they do not know.

use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::node::Event;
use serde_json::{Value, json};

/// The text for an event; `None` for one that this version has no words for.
pub(crate) fn text(event: &Event) -> Option<String> {
    let value = match event {
        Event::Message(message) => json!({"type": "message", "data": {
            "id": message.id.to_string(),
            "from": message.from.as_str(),
            "content": message.content,
            "timestamp": message.written.to_string(),
        }}),
        Event::PeerConnected(peer) => json!({"type": "peer_connected", "peer": peer.as_str()}),
        Event::PeerDisconnected(peer) => json!({"type": "peer_disconnected", "peer": peer.as_str()}),
        Event::Written(message) => json!({"type": "written", "data": {
            "id": message.id.to_string(),
            "to": message.to.as_str(),
            "content": message.content,
            "timestamp": message.written.to_string(),
            "delivery": message.delivery.as_str(),
        }}),
        Event::Sent { peer, through } => {
            json!({"type": "sent", "peer": peer.as_str(), "through": through.to_string()})
        }
        Event::Mailed { peer, through } => {
            json!({"type": "mailbox", "peer": peer.as_str(), "through": through.to_string()})
        }
        Event::Delivered { peer, through } => {
            json!({"type": "delivered", "peer": peer.as_str(), "through": through.to_string()})
        }
        Event::Read { peer, through } => {
            json!({"type": "read", "peer": peer.as_str(), "through": through.to_string()})
        }
        Event::KeyChanged { peer, presented } => with_code(
            json!({"type": "key_changed", "peer": peer.as_str(), "presented": presented.to_string()}),
            Code::KeyChanged,
        ),
        Event::KeyForgotten(peer) => json!({"type": "key_forgotten", "peer": peer.as_str()}),
        Event::KeyAccepted { peer, key } => {
            json!({"type": "key_accepted", "peer": peer.as_str(), "peer_id": key.to_string()})
        }
        Event::ContactAdded(peer) => json!({"type": "contact_added", "peer": peer.as_str()}),
        Event::ContactRemoved(peer) => json!({"type": "contact_removed", "peer": peer.as_str()}),
        Event::ContactRenamed { from, to } => {
            json!({"type": "contact_renamed", "peer": from.as_str(), "name": to.as_str()})
        }
        Event::ContactVerified { peer, verified } => {
            json!({"type": "contact_verified", "peer": peer.as_str(), "verified": verified})
        }
        Event::ContactBlocked { peer, blocked } => {
            json!({"type": "contact_blocked", "peer": peer.as_str(), "blocked": blocked})
        }
        Event::Requested { peer_id, name } => {
            json!({"type": "request", "peer_id": peer_id.to_string(), "name": name.as_str()})
        }
        Event::RequestClosed(peer_id) => json!({"type": "request_closed", "peer_id": peer_id.to_string()}),
        Event::RequestsFull => with_code(json!({"type": "requests_full"}), Code::RequestsFull),
        Event::TrackerTrouble(code) => with_code(json!({"type": "tracker_trouble"}), *code),
        Event::Gap { missed } => gap(Some(*missed)),
        _ => return None,
    };
    Some(value.to_string())
}

/// What is told when a node runs.
pub(crate) fn started(username: &Username) -> Value {
    json!({"type": "started", "username": username.as_str()})
}

/// What is told when no node runs any more.
pub(crate) fn stopped() -> Value {
    json!({"type": "stopped"})
}

/// What is told to whoever has missed something; how much, where that is known.
pub(crate) fn gap(missed: Option<u64>) -> Value {
    json!({"type": "gap", "missed": missed})
}

fn with_code(mut event: Value, code: Code) -> Value {
    event["code"] = code.as_str().into();
    event["next"] = code.next().into();
    event
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chatp2p_core::clock::Wall;
    use chatp2p_core::identity::Identity;
    use chatp2p_core::message::{Delivery, EntryId, Message};

    use super::*;

    fn value(event: &Event) -> Value {
        serde_json::from_str(&text(event).unwrap()).unwrap()
    }

    fn message() -> Message {
        Message {
            id: EntryId::from_bytes([0xab; 16]),
            from: "bob".parse().unwrap(),
            to: "alice".parse().unwrap(),
            content: "<b>\u{0}\"\u{1f600}".to_owned(),
            written: Wall::from_millis(1_700_000_000_123),
            delivery: Delivery::Delivered,
        }
    }

    #[test]
    fn the_classic_events_have_their_classic_form() {
        assert_eq!(
            value(&Event::Message(message())),
            json!({"type": "message", "data": {
                "id": "abababababababababababababababab",
                "from": "bob",
                "content": "<b>\u{0}\"\u{1f600}",
                "timestamp": "2023-11-14T22:13:20.123Z",
            }})
        );
        let bob = || "bob".parse().unwrap();
        assert_eq!(value(&Event::PeerConnected(bob())), json!({"type": "peer_connected", "peer": "bob"}));
        assert_eq!(value(&Event::PeerDisconnected(bob())), json!({"type": "peer_disconnected", "peer": "bob"}));
    }

    /// The types that stand in the code above.
    fn types() -> BTreeSet<&'static str> {
        let (code, _) = include_str!("event.rs").split_once("#[cfg(test)]").unwrap();
        code.split("\"type\": \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
    }

    #[test]
    fn whatever_is_told_is_described() {
        let types = types();
        assert!(types.len() > 20, "{types:?}");
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/API-DESIGN.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, table) = page.split_once("| type | fields | |").unwrap();
        let rows = table.lines().skip(1).take_while(|line| line.starts_with('|')).skip(1);
        let named = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
        assert_eq!(named.collect::<BTreeSet<_>>(), types, "the table in docs/API-DESIGN.md");
        let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
        let description = document["info"]["description"].as_str().unwrap();
        for told in types {
            assert!(description.contains(&format!("`{told}`")), "{told} in the description of the OpenAPI document");
        }
    }

    #[test]
    fn what_we_write_is_told_with_its_recipient_and_its_delivery() {
        for (delivery, word) in [(Delivery::Sent, "sent"), (Delivery::Queued, "queued")] {
            assert_eq!(
                value(&Event::Written(Message { delivery, ..message() })),
                json!({"type": "written", "data": {
                    "id": "abababababababababababababababab",
                    "to": "alice",
                    "content": "<b>\u{0}\"\u{1f600}",
                    "timestamp": "2023-11-14T22:13:20.123Z",
                    "delivery": word,
                }})
            );
        }
        let (peer, through) = ("bob".parse().unwrap(), EntryId::from_bytes([1; 16]));
        let sent = value(&Event::Sent { peer, through });
        assert_eq!(sent, json!({"type": "sent", "peer": "bob", "through": through.to_string()}));
    }

    #[test]
    fn our_own_events_say_what_to_do() {
        let eve = Identity::from_seed(&[3; 32]).peer_id();
        let changed = value(&Event::KeyChanged { peer: "bob".parse().unwrap(), presented: eve });
        assert_eq!(changed["presented"], eve.to_string());
        assert_eq!(changed["code"], "key_changed");
        assert_eq!(changed["next"], Code::KeyChanged.next().unwrap());
        let forgotten = value(&Event::KeyForgotten("bob".parse().unwrap()));
        assert_eq!(forgotten, json!({"type": "key_forgotten", "peer": "bob"}));
        let accepted = value(&Event::KeyAccepted { peer: "bob".parse().unwrap(), key: eve });
        assert_eq!(accepted, json!({"type": "key_accepted", "peer": "bob", "peer_id": eve.to_string()}));
        let renamed = value(&Event::ContactRenamed { from: "bob".parse().unwrap(), to: "uncle".parse().unwrap() });
        assert_eq!(renamed, json!({"type": "contact_renamed", "peer": "bob", "name": "uncle"}));
        let asked = value(&Event::Requested { peer_id: eve, name: "eve".parse().unwrap() });
        assert_eq!(asked, json!({"type": "request", "peer_id": eve.to_string(), "name": "eve"}));
        let full = value(&Event::RequestsFull);
        assert_eq!((&full["code"], &full["next"]), (&json!("requests_full"), &json!(Code::RequestsFull.next())));
        let trouble = value(&Event::TrackerTrouble(Code::TrackerUnreachable));
        assert_eq!((&trouble["type"], &trouble["code"]), (&json!("tracker_trouble"), &json!("tracker_unreachable")));
        assert_eq!(value(&Event::Gap { missed: 7 }), json!({"type": "gap", "missed": 7}));
        let through = EntryId::from_bytes([1; 16]);
        let delivered = value(&Event::Delivered { peer: "bob".parse().unwrap(), through });
        assert_eq!(delivered, json!({"type": "delivered", "peer": "bob", "through": through.to_string()}));
        let mailed = value(&Event::Mailed { peer: "bob".parse().unwrap(), through });
        assert_eq!(mailed, json!({"type": "mailbox", "peer": "bob", "through": through.to_string()}));
        let read = value(&Event::Read { peer: "bob".parse().unwrap(), through });
        assert_eq!(read, json!({"type": "read", "peer": "bob", "through": through.to_string()}));
    }
}
