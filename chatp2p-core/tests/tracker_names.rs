//! Names that people would take for each other, and many who want one name at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::tracker::{
    Claim, ClassicClaim, LocalTracker, PeerQuery, SignedClaim, Tracker as _, TrackerError, TrackerId,
};
use tokio::task::JoinSet;

fn key(n: u16) -> Identity {
    let mut seed = [9; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    Identity::from_seed(&seed)
}

fn signed(who: &Identity, name: &Username, tracker: TrackerId) -> Claim {
    let record = PeerRecord {
        username: name.clone(),
        peer_id: who.peer_id(),
        endpoints: Vec::new(),
        seq: 1,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    Claim::Signed(SignedClaim::sign(who, SignedRecord::sign(who, record).unwrap(), tracker))
}

/// A name, and what somebody types who wants to be taken for its owner: capitals, other scripts, letters of one script that
/// look alike, what is not seen at all. (Digits that only remind of a letter, as in `b0b`, are other names: UTS 39 says so, and one
/// sees them.)
const LOOK_ALIKES: &[(&str, &[&str])] = &[
    (
        "alice",
        &[
            "Alice",
            "ALICE",
            "aLiCe",
            "a1ice",
            "aIice",
            "A1ICE",
            "аlice",
            "alіce",
            "aliсe",
            "alicе",
            "аӏісе",
            "αlice",
            "ɑlice",
            "a|ice",
            "ａｌｉｃｅ",
            "al\u{200d}ice",
            "alice\u{200b}",
            "\u{202e}alice",
            "alice\u{202c}",
            "alice ",
            " alice",
            "al ice",
            "alic\u{435}",
            "𝐚𝐥𝐢𝐜𝐞",
            "𝒶𝓁𝒾𝒸ℯ",
            "ⓐⓛⓘⓒⓔ",
            "al\u{ad}ice",
            "alice\u{feff}",
            "al\u{0131}ce",
            "alıce",
            "alⅰce",
            "aliⅽe",
        ],
    ),
    ("admin", &["аdmin", "admın", "adrnin", "admіn", "ADMIN", "Admin", "ɑdmin", "ad\u{200c}min", "admin\u{2060}"]),
    ("bob", &["BOB", "Bob", "bоb", "ЬоЬ", "bοb", "b\u{3bf}b", "ｂｏｂ", "bob\u{202d}"]),
    ("paypal", &["раураl", "paypaI", "paypa1", "pаypal", "PayPal", "раураӏ", "paypal\u{200e}"]),
    ("scope", &["ѕсоре", "SCOPE", "ѕсорe", "scорe"]),
    ("modern", &["rnodern", "modem", "MODERN", "mоdern", "rnodem"]),
    (
        "José-ñandú",
        &["José-ñandú\u{200d}", "JOSÉ-ÑANDÚ", "josé-ñandú", "José‐ñandú", "Jose\u{301}-n\u{303}andu\u{301} "],
    ),
    ("иван", &["ИВАН", "Иван", "ивaн", "ивɑн"]),
];

#[tokio::test]
async fn no_look_alike_is_registered_beside_the_original() {
    let tracker = LocalTracker::in_memory().await.unwrap();
    let (mut tried, mut beside) = (0, Vec::new());
    for (original, others) in LOOK_ALIKES {
        let original: Username = original.parse().unwrap();
        tracker.register(signed(&key(0), &original, tracker.id())).await.unwrap();
        for text in *others {
            tried += 1;
            let Ok(name) = text.parse::<Username>() else { continue };
            let claims = [
                signed(&key(1), &name, tracker.id()),
                Claim::Classic(ClassicClaim::new(name.clone(), "192.0.2.1", 5001).unwrap()),
            ];
            for claim in claims {
                let outcome = tracker.register(claim).await;
                // What is the same name, only written otherwise, is taken.
                let refused = match &outcome {
                    Err(TrackerError::NameConfusable { other, .. }) => *other == original,
                    Err(TrackerError::NameTaken { name } | TrackerError::ProofRequired { name }) => *name == original,
                    _ => false,
                };
                if !refused {
                    beside.push(format!("{text} ({}) beside {original}: {outcome:?}", text.escape_unicode()));
                }
            }
        }
    }
    assert!(beside.is_empty(), "{beside:#?}");
    assert!(tried >= 60, "{tried}");
    assert_eq!(tracker.peers(PeerQuery::default()).await.unwrap().items.len(), LOOK_ALIKES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_who_want_one_name_at_once_one_gets_it() {
    const CLAIMANTS: u16 = 100;
    const ROUNDS: usize = 200;
    let tracker = LocalTracker::in_memory().await.unwrap();
    let keys: Vec<Identity> = (0..CLAIMANTS).map(key).collect();
    for round in 0..ROUNDS {
        let name: Username = format!("prize{}", "x".repeat(round % 50) + &"y".repeat(round / 50)).parse().unwrap();
        let mut claims = JoinSet::new();
        for (n, who) in keys.iter().enumerate() {
            let claim = if n % 4 == 3 {
                Claim::Classic(ClassicClaim::new(name.clone(), "192.0.2.1", 1 + u16::try_from(n).unwrap()).unwrap())
            } else {
                signed(who, &name, tracker.id())
            };
            let tracker = tracker.clone();
            claims.spawn(async move { tracker.register(claim).await });
        }
        let outcomes = claims.join_all().await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "round {round}");
        for lost in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, TrackerError::NameTaken { .. } | TrackerError::ProofRequired { .. }), "{lost:?}");
        }
    }
    assert_eq!(tracker.peers(PeerQuery::default()).await.unwrap().items.len(), ROUNDS);
}
