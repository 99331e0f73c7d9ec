//! Events as the JSON texts that `/ws` carries. The first three are the classic ones; clients ignore what they do not know.

use chatp2p_core::code::Code;
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
        Event::Delivered { peer, through } => {
            json!({"type": "delivered", "peer": peer.as_str(), "through": through.to_string()})
        }
        Event::KeyChanged { peer, presented } => with_code(
            json!({"type": "key_changed", "peer": peer.as_str(), "presented": presented.to_string()}),
            Code::KeyChanged,
        ),
        Event::TrackerTrouble(code) => with_code(json!({"type": "tracker_trouble"}), *code),
        Event::Gap { missed } => gap(*missed),
        _ => return None,
    };
    Some(value.to_string())
}

/// What is told to who was too slow.
pub(crate) fn gap(missed: u64) -> Value {
    json!({"type": "gap", "missed": missed})
}

fn with_code(mut event: Value, code: Code) -> Value {
    event["code"] = code.as_str().into();
    event["next"] = code.next().into();
    event
}

#[cfg(test)]
mod tests {
    use chatp2p_core::clock::Wall;
    use chatp2p_core::identity::Identity;
    use chatp2p_core::message::{Delivery, EntryId, Message};

    use super::*;

    fn value(event: &Event) -> Value {
        serde_json::from_str(&text(event).unwrap()).unwrap()
    }

    #[test]
    fn the_classic_events_have_their_classic_form() {
        let message = Message {
            id: EntryId::from_bytes([0xab; 16]),
            from: "bob".parse().unwrap(),
            to: "alice".parse().unwrap(),
            content: "<b>\u{0}\"\u{1f600}".to_owned(),
            written: Wall::from_millis(1_700_000_000_123),
            delivery: Delivery::Delivered,
        };
        assert_eq!(
            value(&Event::Message(message)),
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

    #[test]
    fn our_own_events_say_what_to_do() {
        let eve = Identity::from_seed(&[3; 32]).peer_id();
        let changed = value(&Event::KeyChanged { peer: "bob".parse().unwrap(), presented: eve });
        assert_eq!(changed["presented"], eve.to_string());
        assert_eq!(changed["code"], "key_changed");
        assert_eq!(changed["next"], Code::KeyChanged.next().unwrap());
        let trouble = value(&Event::TrackerTrouble(Code::TrackerUnreachable));
        assert_eq!((&trouble["type"], &trouble["code"]), (&json!("tracker_trouble"), &json!("tracker_unreachable")));
        assert_eq!(value(&Event::Gap { missed: 7 }), json!({"type": "gap", "missed": 7}));
        let through = EntryId::from_bytes([1; 16]);
        let delivered = value(&Event::Delivered { peer: "bob".parse().unwrap(), through });
        assert_eq!(delivered, json!({"type": "delivered", "peer": "bob", "through": through.to_string()}));
    }
}
