//! The rules, one by one where time or memory matter, and all together against a naive model.

use proptest::prelude::*;

use super::*;
use crate::identity::Identity;
use crate::record::PeerRecord;
use crate::tracker::{Lease, PeerQuery};

const TTL: Duration = Duration::from_secs(120);
const NAME_TTL: Duration = Duration::from_secs(90 * 86_400);
pub(super) const HERE: TrackerId = TrackerId([9; 16]);

pub(super) fn at(seconds: u64) -> Wall {
    Wall::from_millis(1_700_000_000_000 + seconds * 1_000)
}

pub(super) fn name(text: &str) -> Username {
    text.parse().unwrap()
}

pub(super) const fn rules(max_registrations: usize) -> Rules {
    Rules { ttl: TTL, max_registrations, name_ttl: NAME_TTL, require_signed: false }
}

pub(super) fn registry(max: usize) -> Registry {
    let snapshot = RegistrySnapshot { tracker_id: HERE.0, registrations: Vec::new() };
    Registry::new(snapshot, rules(max), at(0))
}

pub(super) fn classic(text: &str, port: u16) -> Claim {
    Claim::Classic(ClassicClaim::new(name(text), "192.0.2.1", port).unwrap())
}

pub(super) fn signed(seed: u8, text: &str, endpoints: &[&str], seq: u64) -> Claim {
    let identity = Identity::from_seed(&[seed; 32]);
    let endpoints = endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect();
    let record = PeerRecord {
        username: name(text),
        peer_id: identity.peer_id(),
        endpoints,
        seq,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    Claim::Signed(SignedClaim::sign(&identity, SignedRecord::sign(&identity, record).unwrap(), HERE))
}

pub(super) fn alive(registry: &Registry, text: &str, now: Wall) -> bool {
    registry.listed(&name(text)).is_some_and(|listed| now < listed.alive_until)
}

#[test]
fn a_ttl_lasts_to_the_millisecond() {
    let mut registry = registry(10);
    registry.enrol(&classic("alice", 1), [0; 32], at(0)).unwrap();
    let last = Wall::from_millis(at(120).as_millis() - 1);
    assert!(matches!(registry.enrol(&classic("alice", 2), [0; 32], last), Err(TrackerError::NameTaken { .. })));
    registry.enrol(&classic("alice", 2), [0; 32], at(120)).unwrap();
}

#[test]
fn the_listed_address_is_that_of_the_first_endpoint() {
    let mut registry = registry(10);
    let mut address = |text: &str, endpoints: &[&str]| {
        let granted = registry.enrol(&signed(1, text, endpoints, 1), [0; 32], at(0)).unwrap().registration;
        (granted.host, granted.port)
    };
    assert_eq!(address("a", &["ws://[2001:db8::1]:7", "ws://h:8"]), ("2001:db8::1".to_owned(), 7));
    assert_eq!(address("b", &["wss://chat.example.org:443"]), ("chat.example.org".to_owned(), 443));
    assert_eq!(address("c", &["memory:carol"]), ("carol".to_owned(), 0));
    assert_eq!(address("d", &[]), (String::new(), 0));
}

#[test]
fn an_expired_look_alike_does_not_come_back_beside_the_new_name() {
    let mut registry = registry(10);
    registry.enrol(&classic("aIice", 6666), [0; 32], at(0)).unwrap();
    registry.settle();
    registry.enrol(&signed(1, "alice", &["memory:alice"], 1), [0; 32], at(200)).unwrap();
    let put: Vec<_> =
        registry.unsaved().put.into_iter().map(|kept| (kept.username.to_string(), kept.is_active)).collect();
    assert_eq!(
        put,
        [("aIice".to_owned(), false), ("alice".to_owned(), true)],
        "a restart must not bring it back either"
    );
    registry.settle();
    assert!(matches!(registry.beat(&name("aIice"), None, at(201)), Err(TrackerError::Unknown { .. })));
}

#[test]
fn an_owned_name_keeps_look_alikes_away_though_nobody_is_there() {
    let mut registry = registry(10);
    registry.enrol(&signed(1, "alice", &["memory:alice"], 1), [0; 32], at(0)).unwrap();
    let refusal = registry.enrol(&classic("ALICE", 1), [0; 32], at(100_000));
    assert!(matches!(refusal, Err(TrackerError::NameConfusable { other, .. }) if other == name("alice")));
}

#[test]
fn a_full_registry_drops_whoever_nobody_owns_and_was_away_longest() {
    let mut registry = registry(4);
    registry.enrol(&signed(1, "owned", &[], 1), [0; 32], at(0)).unwrap();
    registry.enrol(&classic("first", 1), [0; 32], at(0)).unwrap();
    registry.enrol(&classic("second", 2), [0; 32], at(10)).unwrap();
    registry.enrol(&classic("third", 3), [0; 32], at(20)).unwrap();
    registry.beat(&name("first"), None, at(100)).unwrap();
    registry.settle();
    assert!(matches!(registry.enrol(&classic("fourth", 4), [0; 32], at(129)), Err(TrackerError::Full)));
    assert_eq!(registry.unsaved(), Unsaved::default(), "a refusal changes nothing");
    registry.enrol(&classic("fourth", 4), [0; 32], at(145)).unwrap();
    assert_eq!(registry.unsaved().forget, [name("second")]);
    registry.enrol(&classic("fifth", 5), [0; 32], at(145)).unwrap();
    assert_eq!(registry.unsaved().forget, [name("second"), name("third")]);
    assert!(matches!(registry.enrol(&classic("sixth", 6), [0; 32], at(145)), Err(TrackerError::Full)));
    registry.enrol(&classic("first", 9), [0; 32], at(500)).expect("a name that is kept needs no room");
    assert_eq!(registry.len(), 4);
}

#[test]
fn an_undone_turn_never_was() {
    let mut registry = registry(3);
    let secret = [7; 32];
    registry.enrol(&signed(1, "alice", &["memory:a"], 1), secret, at(0)).unwrap();
    registry.enrol(&classic("bob", 1), [0; 32], at(0)).unwrap();
    registry.enrol(&classic("carol", 1), [0; 32], at(0)).unwrap();
    registry.leave(&name("carol"), None, at(1)).unwrap();
    registry.beat(&name("bob"), None, at(1)).unwrap();
    registry.settle();
    let before: Vec<_> = ["alice", "bob", "carol", "dora"].map(|text| registry.stored(&name(text))).into();
    let lease = Lease::new(name("alice"), Some(secret));

    registry.enrol(&signed(1, "alice", &["memory:b"], 2), [8; 32], at(2)).unwrap();
    registry.leave(&name("bob"), None, at(2)).unwrap();
    registry.enrol(&classic("dora", 1), [0; 32], at(2)).unwrap();
    assert_eq!(registry.undo().len(), 4, "carol made room for dora");
    assert_eq!(registry.unsaved(), Unsaved::default());
    let after: Vec<_> = ["alice", "bob", "carol", "dora"].map(|text| registry.stored(&name(text))).into();
    assert_eq!(after, before);
    assert!(alive(&registry, "bob", at(2)));
    registry.beat(&name("alice"), lease.prove(LeaseAction::Heartbeat), at(3)).unwrap();
    let dora = registry.enrol(&classic("dora", 1), [0; 32], at(3)).unwrap().registration;
    assert_eq!(dora.id, 5, "an id that may be in the store is not given twice");
    assert!(matches!(registry.enrol(&classic("CAROL", 1), [0; 32], at(3)), Err(TrackerError::Full)));
}

#[test]
fn a_clock_that_was_set_back_keeps_nobody_alive() {
    let mut registry = registry(10);
    registry.enrol(&classic("alice", 1), [0; 32], at(100_000)).unwrap();
    assert!(registry.beat(&name("nobody"), None, at(0)).is_err());
    registry.enrol(&classic("alice", 2), [0; 32], at(121)).expect("expired by the new clock");

    let alice = registry.listed(&name("alice"));
    let mut listing = Listing::new(TTL, 0, at(100_000));
    let far = alice.map(|listed| Listed { alive_until: at(100_120), ..listed });
    listing.show(&name("alice"), far, at(100_000));
    assert!(listing.is_due(at(0)));
    listing.advance(at(0));
    assert_eq!(listing.active(), 1);
    assert!(!listing.is_due(at(119)) && listing.is_due(at(120)));
    listing.advance(at(120));
    assert_eq!((listing.active(), listing.version()), (0, 2));
}

#[test]
fn debugging_shows_no_secret() {
    let mut registry = registry(10);
    let granted = registry.enrol(&signed(1, "alice", &[], 1), [171; 32], at(0)).unwrap();
    let text = format!("{:?} {:?}", granted, registry);
    assert!(!text.contains("171, 171"), "{text}");
}

/// What somebody does to the registry.
#[derive(Debug, Clone)]
enum Deed {
    Classic { name: usize, port: u16 },
    Signed { name: usize, seed: u8, seq: u64 },
    Beat { name: usize, lease: bool },
    Leave { name: usize, lease: bool },
    Wait { seconds: u64 },
    Undo,
    Settle,
}

/// Two look-alikes and two others.
const NAMES: [&str; 4] = ["alice", "ALICE", "bob", "carol"];

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let name = 0..NAMES.len();
    let deed = prop_oneof![
        3 => (name.clone(), 1..3_u16).prop_map(|(name, port)| Deed::Classic { name, port }),
        4 => (name.clone(), 1..3_u8, 1..5_u64).prop_map(|(name, seed, seq)| Deed::Signed { name, seed, seq }),
        3 => (name.clone(), any::<bool>()).prop_map(|(name, lease)| Deed::Beat { name, lease }),
        2 => (name, any::<bool>()).prop_map(|(name, lease)| Deed::Leave { name, lease }),
        2 => (1..150_u64).prop_map(|seconds| Deed::Wait { seconds }),
        1 => Just(Deed::Undo),
        3 => Just(Deed::Settle),
    ];
    proptest::collection::vec(deed, 0..60)
}

/// What a person would write down of each name, without any index.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    names: BTreeMap<usize, Held>,
}

#[derive(Debug, Clone, PartialEq)]
struct Held {
    owner: Option<(u8, u64)>,
    port: u16,
    until: u64,
    left: bool,
    leased: bool,
}

impl Model {
    fn active(&self, name: usize, now: u64) -> bool {
        self.names.get(&name).is_some_and(|held| !held.left && now < held.until)
    }

    fn confusable(&self, name: usize, now: u64) -> bool {
        let other = [1, 0].get(name).copied();
        other.is_some_and(|other| {
            self.active(other, now) || self.names.get(&other).is_some_and(|held| held.owner.is_some())
        })
    }

    fn take(&mut self, name: usize, owner: Option<(u8, u64)>, port: u16, now: u64) {
        if let Some(other) = [1, 0].get(name).and_then(|other| self.names.get_mut(other)) {
            // Whoever holds on to the look-alike was refused before; this one has expired.
            if other.owner.is_none() && self.names.get(&name).is_none_or(|held| held.owner.is_none()) {
                self.names.get_mut(&[1, 0][name]).unwrap().left = true;
            }
        }
        self.names.insert(name, Held { owner, port, until: now + 120, left: false, leased: owner.is_some() });
    }

    /// Whether the deed is granted, and what follows.
    fn decide(&mut self, deed: &Deed, now: u64) -> bool {
        match *deed {
            Deed::Classic { name, port } => {
                let held = self.names.get(&name).cloned();
                let granted = match held {
                    Some(held) if held.owner.is_some() => false,
                    Some(held) if self.active(name, now) => {
                        if held.port == port {
                            self.names.get_mut(&name).unwrap().until = now + 120;
                        }
                        return held.port == port;
                    }
                    _ => !self.confusable(name, now),
                };
                if granted {
                    self.take(name, None, port, now);
                }
                granted
            }
            Deed::Signed { name, seed, seq } => {
                let held = self.names.get(&name).cloned();
                let granted = match held.and_then(|held| held.owner) {
                    Some((owner, known)) if owner == seed && known == seq => return self.active(name, now),
                    Some((owner, known)) => owner == seed && seq > known,
                    None => !self.active(name, now) && !self.confusable(name, now),
                };
                if granted {
                    self.take(name, Some((seed, seq)), 0, now);
                }
                granted
            }
            Deed::Beat { name, lease } | Deed::Leave { name, lease } => {
                let Some(held) = self.names.get_mut(&name) else { return false };
                let granted = !held.left && (held.owner.is_none() || (lease && held.leased));
                if granted && matches!(deed, Deed::Beat { .. }) {
                    held.until = now + 120;
                } else if granted {
                    (held.left, held.leased) = (true, false);
                }
                granted
            }
            Deed::Wait { .. } | Deed::Undo | Deed::Settle => true,
        }
    }
}

proptest! {
    #[test]
    fn the_rules_hold_whatever_happens(deeds in deeds()) {
        let mut registry = registry(10);
        let mut listing = Listing::new(TTL, 0, at(0));
        let (mut model, mut durable) = (Model::default(), Model::default());
        let mut secrets = BTreeMap::new();
        let mut durable_secrets = BTreeMap::new();
        let (mut now, mut counter) = (0_u64, 0_u64);
        for deed in deeds {
            let turn_ends = matches!(deed, Deed::Wait { .. } | Deed::Undo | Deed::Settle);
            let expected = model.decide(&deed, now);
            let granted = match deed {
                Deed::Classic { name, port } => registry.enrol(&classic(NAMES[name], port), [0; 32], at(now)).is_ok(),
                Deed::Signed { name, seed, seq } => {
                    counter += 1;
                    let secret = [u8::try_from(counter % 251).unwrap(); 32];
                    let claim = signed(seed, NAMES[name], &["memory:x"], seq);
                    let answer = registry.enrol(&claim, secret, at(now));
                    if let Ok(Enrolment { secret: Some(secret), .. }) = &answer {
                        secrets.insert(name, *secret);
                    }
                    answer.is_ok()
                }
                Deed::Beat { name: n, lease } | Deed::Leave { name: n, lease } => {
                    counter += 1;
                    let name = name(NAMES[n]);
                    let action = if matches!(deed, Deed::Beat { .. }) { LeaseAction::Heartbeat } else { LeaseAction::Unregister };
                    // A lease with the right secret whose counter has never been used.
                    let proof = secrets.get(&n).filter(|_| lease).and_then(|secret| {
                        let lease = Lease::new(name.clone(), Some(*secret));
                        (0..counter).filter_map(|_| lease.prove(action)).last()
                    });
                    match action {
                        LeaseAction::Heartbeat => registry.beat(&name, proof, at(now)).is_ok(),
                        LeaseAction::Unregister => registry.leave(&name, proof, at(now)).is_ok(),
                    }
                }
                Deed::Wait { .. } | Deed::Undo | Deed::Settle => true,
            };
            prop_assert_eq!(granted, expected, "{:?} at {}", deed, now);
            if !turn_ends {
                continue;
            }
            if let Deed::Undo = deed {
                // Beats of names that did not change otherwise stand; the model cannot tell, so it follows.
                for name in registry.undo() {
                    let n = NAMES.iter().position(|text| *text == name.as_str()).unwrap();
                    match durable.names.get(&n) {
                        Some(held) => model.names.insert(n, held.clone()),
                        None => model.names.remove(&n),
                    };
                    match durable_secrets.get(&n) {
                        Some(secret) => secrets.insert(n, *secret),
                        None => secrets.remove(&n),
                    };
                    // A beat before the change stands, and only the registry knows.
                    if let (Some(held), Some(listed)) = (model.names.get_mut(&n), registry.listed(&name)) {
                        held.until = listed.alive_until.since(at(0)).as_secs();
                    }
                }
            } else {
                registry.settle();
            }
            (durable, durable_secrets) = (model.clone(), secrets.clone());
            if let Deed::Wait { seconds } = deed {
                now += seconds;
            }
            listing.advance(at(now));
            for text in NAMES {
                listing.show(&name(text), registry.listed(&name(text)), at(now));
            }
            let mut expected: Vec<_> = (0..4).filter(|n| model.active(*n, now)).map(|n| NAMES[n]).collect();
            expected.sort_unstable();
            let page = listing.page(&PeerQuery::default());
            let shown: Vec<_> = page.items.iter().map(|listed| listed.registration.username.as_str()).collect();
            prop_assert_eq!(&shown, &expected);
            prop_assert_eq!(listing.active(), expected.len());
            prop_assert!(!(shown.contains(&"alice") && shown.contains(&"ALICE")), "look-alikes side by side");
            prop_assert_eq!(registry.len(), model.names.len());
        }
    }
}
