//! One fault after the other on the wire to one program, until it is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::draw::Draw;
use crate::part::Part;
use crate::proxy::{Proxy, Weather};
use crate::tally::{Kind, Tally};

/// How long a wire is left alone between two faults, in milliseconds: mostly long enough for a link to come up, which takes a
/// quarter of a second after it broke, and sometimes not.
const PAUSE: (u64, u64) = (50, 500);

/// How long bytes are late or sliced, in milliseconds.
const NUISANCE: (u64, u64) = (100, 600);

/// By how much they are late, in milliseconds.
const LATE: (u64, u64) = (5, 100);

/// How long a wire is silent, in milliseconds. What makes a node notice a silence that never ends are its pings, after 40
/// seconds; they have tests of their own, on paused clocks. Here each silence ends before that, as most do: what was held goes
/// on, and what has lost bytes is reset, by which both ends know. So what is waited for after the last fault is the healing
/// alone, and never that somebody notices.
const SILENCE: (u64, u64) = (200, 1_500);

/// How long the last silence is: longer than nodes wait before they dial again, so that they dial into it.
const LAST_SILENCE: Duration = Duration::from_secs(2);

/// How long after a cut it is looked who felt it.
const CUT: Duration = Duration::from_millis(10);

/// Strikes until told that it is over. The wire is well when this returns.
pub(crate) async fn storm(
    part: Part,
    proxy: Arc<Proxy>,
    mut draw: Draw,
    tally: Arc<Mutex<Tally>>,
    over: watch::Receiver<bool>,
) {
    // As cards are dealt: each kind comes before any comes again, and as often as the others.
    let mut kinds = Vec::new();
    while !*over.borrow() {
        let kind = kinds.pop().unwrap_or_else(|| {
            kinds = Kind::OF_WIRES.to_vec();
            draw.shuffle(&mut kinds);
            kinds.pop().unwrap()
        });
        let before = proxy.felt();
        strike(&proxy, kind, &mut draw).await;
        tally.lock().unwrap().add(kind, part, proxy.felt() > before);
        sleep(draw.millis(PAUSE)).await;
    }
}

/// The last fault of all: these are cut at once, and silent for whoever dials then. It goes on until `meanwhile` is done.
pub(crate) async fn last_silence<T>(
    proxies: Vec<(Part, Arc<Proxy>)>,
    tally: &Mutex<Tally>,
    meanwhile: impl Future<Output = T>,
) -> T {
    let before: Vec<usize> = proxies.iter().map(|(_, proxy)| proxy.felt()).collect();
    for (_, proxy) in &proxies {
        proxy.turn(Weather::Swallowed);
        proxy.cut();
    }
    sleep(LAST_SILENCE).await;
    let done = meanwhile.await;
    for ((part, proxy), before) in proxies.into_iter().zip(before) {
        tally.lock().unwrap().add(Kind::HalfOpen, part, proxy.felt() > before);
        proxy.turn(Weather::Fair);
    }
    done
}

async fn strike(proxy: &Proxy, kind: Kind, draw: &mut Draw) {
    let (weather, lasts) = match kind {
        Kind::Delay => (Weather::Late(draw.millis(LATE)), draw.millis(NUISANCE)),
        Kind::HalfOpen => (Weather::Swallowed, draw.millis(SILENCE)),
        Kind::Stall => (Weather::Held, draw.millis(SILENCE)),
        Kind::Slices => (Weather::Sliced, draw.millis(NUISANCE)),
        Kind::Cut => {
            proxy.cut();
            return sleep(CUT).await;
        }
        Kind::Kill => panic!("a wire cannot be killed"),
    };
    proxy.turn(weather);
    sleep(lasts).await;
    proxy.turn(Weather::Fair);
}
