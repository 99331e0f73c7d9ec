//! Says a text to a program that may be killed meanwhile, and never twice what may have been taken.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::line::{Line, Said};
use crate::play::WITHIN;

/// How soon it is tried again when the outbox is full or the program is away.
const PAUSE: Duration = Duration::from_millis(20);

/// Says a text until it is taken. Whether it was answered with success; if not, nobody can say whether it was taken, and it must
/// not be said again.
pub(crate) async fn insist(line: &mut Line, api: &watch::Receiver<SocketAddr>, to: &str, text: &str) -> bool {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < WITHIN, "{text} is never taken");
        let at = *api.borrow();
        match line.say(at, to, text).await {
            Said::Answered(200) => return true,
            Said::Unanswered => return false,
            // Nothing was taken: the same text may be said again.
            Said::Away | Said::Answered(507) => sleep(PAUSE).await,
            Said::Answered(status) => panic!("{text} was answered with {status}"),
        }
    }
}
