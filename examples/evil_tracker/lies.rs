//! The lies a tracker can tell, and what each makes of an honest answer.

use std::net::SocketAddr;
use std::time::Duration;

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::record::{Endpoint, PeerRecord, SignedRecord};
use data_encoding::BASE64URL_NOPAD;
use futures_util::stream;
use poem::Body;
use serde_json::{Value, json};

/// How often a byte comes of an answer that drips: too often for the other end to take the tracker for gone.
const DRIP: Duration = Duration::from_millis(200);

/// A piece of an answer without end.
const PIECE: usize = 64 << 10;

/// How deep an answer is nested, in brackets: far beyond what recursion survives.
const DEPTH: usize = 60_000;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lie {
    /// None: every answer is passed on as it came.
    Honest,
    /// A name belongs to somebody else, who has a proper key and listens.
    Swap,
    /// What was true once: the first record that was ever asked for.
    Replay,
    /// Each record with one bit changed, each time another.
    Mutate,
    /// Everybody is listed at doors of the caller's own machine and network, under keys that hold.
    Near,
    /// Nobody goes by any name.
    Drop,
    /// Every name is another's, and no proof holds.
    Taken,
    /// Everybody is taken on, and nobody is known afterwards.
    Forget,
    /// The list goes on for ever, and begins again.
    Circle,
    /// Bytes that mean nothing.
    Garbage,
    /// JSON that is nested too deeply for anybody.
    Deep,
    /// An answer that does not end, as fast as it is read.
    Endless,
    /// An answer that does not end, a byte at a time.
    Drip,
    /// No answer at all.
    Silent,
    /// "Ask over there", where a door of the caller's own machine is.
    Redirect,
}

/// What a request is about, as far as lies tell it apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// One name.
    Name(Username),
    /// The list.
    List,
    /// A registration.
    Register,
    /// A sign of life, or a farewell.
    Lease,
    /// Anything else.
    Other,
}

impl About {
    /// Names that need escaping in a path are not lied about.
    pub(crate) fn read(method: &str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let name = path.strip_prefix("/peers/").and_then(|name| name.parse().ok());
        match (method, path, name) {
            ("GET", _, Some(name)) => Self::Name(name),
            ("GET", "/peers", _) => Self::List,
            ("POST", "/register", _) => Self::Register,
            ("POST", "/heartbeat", _) | ("DELETE", ..) => Self::Lease,
            _ => Self::Other,
        }
    }
}

impl Lie {
    /// Whether this is what it lies about. Only what is said about names is true or false; the rest is how it is said.
    pub(crate) fn concerns(self, about: &About) -> bool {
        let (of_names, of_leases) =
            (matches!(about, About::Name(_) | About::List), matches!(about, About::Register | About::Lease));
        match self {
            Self::Honest => false,
            Self::Swap | Self::Replay => matches!(about, About::Name(_)),
            Self::Mutate | Self::Near | Self::Drop => of_names,
            Self::Circle => *about == About::List,
            Self::Taken | Self::Forget => of_leases,
            Self::Garbage | Self::Deep | Self::Endless | Self::Drip | Self::Silent | Self::Redirect => true,
        }
    }
}

/// What is answered instead of an honest answer, or an honest one that was changed.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Said {
    pub(crate) fn new(status: u16, body: impl Into<Body>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    fn refusal(status: u16, code: &str) -> Self {
        Self::new(status, json!({"code": code, "detail": "so I say"}).to_string())
    }
}

/// Says what needs no honest answer first. `trap` is the door to which the caller is to be sent.
pub(crate) fn invent(lie: Lie, about: &About, turn: u64, trap: SocketAddr) -> Option<Said> {
    Some(match (lie, about) {
        (Lie::Near, About::Name(name)) => Said::new(200, listed(name, turn, trap)?.to_string()),
        (Lie::Near, _) => {
            let crowd = (0..20).filter_map(|n| listed(&format!("neighbour{n}").parse().ok()?, n, trap));
            Said::new(200, Value::Array(crowd.collect()).to_string())
        }
        (Lie::Drop, About::Name(_)) => Said::refusal(404, "unknown_peer"),
        (Lie::Drop, _) => Said::new(200, "[]"),
        (Lie::Taken, About::Register) => Said::refusal(409, "name_taken"),
        (Lie::Taken, _) => Said::refusal(403, "proof_invalid"),
        (Lie::Forget, About::Lease) => Said::refusal(404, "unknown_peer"),
        (Lie::Garbage, _) => {
            let noise = (0..4_096_u64).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761 + turn) >> 7 & 0xff));
            Said::new(200, noise.map(Result::unwrap_or_default).collect::<Vec<u8>>())
        }
        (Lie::Deep, _) => Said::new(200, "[".repeat(DEPTH)),
        (Lie::Endless, _) => {
            let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>("[0,".repeat(PIECE / 3)));
            Said::new(200, Body::from_bytes_stream(pieces))
        }
        (Lie::Drip, _) => {
            let drops = stream::unfold((), async |()| {
                tokio::time::sleep(DRIP).await;
                Some((Ok::<_, std::io::Error>(" "), ()))
            });
            Said::new(200, Body::from_bytes_stream(Box::pin(drops)))
        }
        (Lie::Redirect, _) => {
            let mut said = Said::new(307, "");
            said.headers.push(("location", format!("http://{trap}/peers")));
            said
        }
        _ => return None,
    })
}

/// Changes an honest answer about names.
pub(crate) fn twist(lie: Lie, honest: &str, first: Option<&str>, turn: u64) -> Option<Said> {
    match lie {
        Lie::Replay => Some(Said::new(200, first?.to_owned())),
        Lie::Mutate => {
            let mut answer: Value = serde_json::from_str(honest).ok()?;
            match &mut answer {
                Value::Array(all) => all.iter_mut().for_each(|one| flip(one, turn)),
                one => flip(one, turn),
            }
            Some(Said::new(200, answer.to_string()))
        }
        Lie::Circle => {
            let mut said = Said::new(200, honest.to_owned());
            said.headers.push(("link", r#"</peers?limit=1000&cursor=a>; rel="next""#.to_owned()));
            Some(said)
        }
        _ => None,
    }
}

/// Changes one bit of a record.
fn flip(listed: &mut Value, turn: u64) {
    let record = listed["record"].as_str().and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
    if let Some(mut bytes) = record {
        let bits = u64::try_from(bytes.len()).unwrap_or(1).saturating_mul(8).max(1);
        // Far from the one before, so that a few answers touch all parts.
        let bit = turn.wrapping_mul(7_919) % bits;
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1 << (bit % 8);
        }
        listed["record"] = Value::String(BASE64URL_NOPAD.encode(&bytes));
    }
}

/// Somebody with a key that holds, listed at doors that are the caller's own.
fn listed(name: &Username, turn: u64, trap: SocketAddr) -> Option<Value> {
    let mut seed = [0x7e; 32];
    seed[..8].copy_from_slice(&turn.to_be_bytes());
    let eve = Identity::from_seed(&seed);
    let doors = [format!("ws://{trap}"), "ws://169.254.169.254:80".to_owned(), "ws://0.0.0.0:22".to_owned()];
    let endpoints: Vec<Endpoint> = doors.iter().filter_map(|door| door.parse().ok()).collect();
    let record = PeerRecord {
        username: name.clone(),
        peer_id: eve.peer_id(),
        endpoints,
        seq: 1,
        pre_keys: None,
        letterboxes: Vec::new(),
    };
    let record = SignedRecord::sign(&eve, record).ok()?;
    Some(json!({
        "id": turn, "username": name.as_str(), "host": trap.ip().to_string(), "port": trap.port(), "is_active": true,
        "last_heartbeat": "2026-01-01T00:00:00Z", "record": BASE64URL_NOPAD.encode(&record.encode()),
    }))
}
