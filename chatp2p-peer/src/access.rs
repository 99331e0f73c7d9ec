//! Who may do what at the local API: tokens with scopes, one-time links for the page, tickets for its socket. The guard
//! has decided before whether a browser may ask at all; here it is decided who asks.
//!
//! Without `--require-token` callers of this machine stay free, as they always were. A token that is presented counts
//! either way, and a wrong one is refused.

mod book;
mod command;
mod failures;
mod ledger;
mod middleware;
mod presented;
mod scope;
mod secret;
mod tickets;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chatp2p_core::clock::Wall;
use chatp2p_core::record::network;
use poem::http::{HeaderMap, Method};

pub(crate) use book::CODE_LIFE;
pub(crate) use command::{good_for, last_page};
pub use command::{link, token};
use failures::Failures;
pub(crate) use ledger::FOLDER;
use ledger::{Ledger, LedgerError};
pub(crate) use middleware::{Asked, remote};
use presented::Presented;
pub use scope::Scope;
pub(crate) use scope::{Need, is_reading, need};
pub use secret::Secret;
use tickets::Tickets;
pub(crate) use tickets::{LIFE as TICKET_LIFE, PROTOCOL as TICKET_PROTOCOL, TicketError};

/// The rules for one API.
#[derive(Debug, Default)]
pub struct Access {
    /// Whether callers need a token.
    required: bool,
    /// `None` where there are no tokens: every one that is presented is wrong.
    ledger: Option<Ledger>,
    tickets: Tickets,
    failures: Failures,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody without a token where none is needed.
    Free,
    /// Who holds the token of this id.
    Holder(String),
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Denied {
    /// It needs a token and has none.
    Missing,
    /// What it presents is wrong.
    Wrong,
    /// Its token is right, and for less than this.
    TooSmall { has: Scope, needs: Scope },
    /// Too many wrong ones came from there.
    TooOften { wait: Duration },
    /// The tokens cannot be read.
    Unreadable(LedgerError),
}

impl Access {
    /// The rules of a peer that keeps its data there. The folder is made where there is none.
    ///
    /// # Errors
    /// When others than its owner may open the folder, or the tokens in it cannot be read.
    pub fn open(data_dir: &Path, required: bool) -> anyhow::Result<Self> {
        Ok(Self { required, ledger: Some(Ledger::open(data_dir)?), ..Self::default() })
    }

    /// Whether callers need a token.
    pub(crate) const fn is_required(&self) -> bool {
        self.required
    }

    /// The folder beside the tokens, for what else is nobody's business.
    pub(crate) fn folder(&self) -> anyhow::Result<Option<&Path>> {
        Ok(self.ledger.as_ref().map(Ledger::folder).transpose()?)
    }

    /// Makes a code by which a page can be opened once. Notes where, for whoever makes the next one.
    pub(crate) fn add_code(&self, page: &str) -> anyhow::Result<Option<Secret>> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let code = ledger.change(|book| {
            book.page = Some(page.to_owned());
            book.add_code(now())
        })?;
        Ok(Some(code))
    }

    /// Decides who asks, by the head of a request.
    pub(crate) fn judge(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        remote: Option<IpAddr>,
    ) -> Result<Caller, Denied> {
        let need = need(method, path);
        let presented = match need {
            Need::Elsewhere => return Ok(Caller::Free),
            _ => Presented::read(headers, path == crate::service::WS_PATH),
        };
        let known = |presented: Presented| self.known(&presented);
        match (presented, need) {
            (Presented::Nothing, Need::Token(_)) if self.required => Err(Denied::Missing),
            (Presented::Nothing, _) => Ok(Caller::Free),
            (presented, need) => {
                let (caller, has) = self.try_once(remote, || known(presented))?;
                match need {
                    Need::Token(needs) if has < needs => Err(Denied::TooSmall { has, needs }),
                    _ => Ok(caller),
                }
            }
        }
    }

    fn known(&self, presented: &Presented) -> Result<Option<(Caller, Scope)>, LedgerError> {
        let holder = |token: Option<&book::Token>| token.map(|t| (Caller::Holder(t.id.clone()), t.scope));
        match presented {
            Presented::Token(secret) => match &self.ledger {
                Some(ledger) => Ok(holder(ledger.current()?.token(secret))),
                None => Ok(None),
            },
            // It is good for reading alone, whoever asked for it.
            Presented::Ticket(secret) => {
                let token = self.tickets.take(secret, Instant::now());
                let caller = token.map(|token| token.map_or(Caller::Free, Caller::Holder));
                Ok(caller.filter(|caller| self.still_holds(caller)).map(|caller| (caller, Scope::Read)))
            }
            Presented::Nothing | Presented::Nonsense => Ok(None),
        }
    }

    /// Whether what a caller was admitted by still is what it was.
    pub(crate) fn still_holds(&self, caller: &Caller) -> bool {
        let Caller::Holder(id) = caller else { return true };
        let book = self.ledger.as_ref().map(Ledger::current);
        matches!(book, Some(Ok(book)) if book.tokens.iter().any(|token| token.id == *id))
    }

    /// Gives a page a token of its own for a code.
    pub(crate) async fn exchange(self: &Arc<Self>, code: Secret, remote: Option<IpAddr>) -> Result<Secret, Denied> {
        let access = Arc::clone(self);
        // It waits for a lock and for the disk.
        let done = tokio::task::spawn_blocking(move || {
            access.try_once(remote, || {
                let Some(ledger) = &access.ledger else { return Ok(None) };
                // Whoever guesses does not make the disk work.
                if !ledger.current()?.knows_code(&code, now()) {
                    return Ok(None);
                }
                ledger.change(|book| book.exchange(&code, now()))
            })
        });
        done.await.unwrap_or(Err(Denied::Wrong))
    }

    /// A ticket for the event socket of whoever asks.
    pub(crate) fn ticket(&self, caller: &Caller) -> Result<Secret, TicketError> {
        let token = match caller {
            Caller::Free => None,
            Caller::Holder(id) => Some(id.clone()),
        };
        self.tickets.issue(token, Instant::now())
    }

    /// Tries what somebody presents, and counts it where it is wrong. What comes from this machine is always tried: all its
    /// programs share one count, and none shall lock out another.
    fn try_once<T>(
        &self,
        remote: Option<IpAddr>,
        attempt: impl FnOnce() -> Result<Option<T>, LedgerError>,
    ) -> Result<T, Denied> {
        // What has no address has not come over a network.
        let from = network(remote.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        if !from.is_loopback()
            && let Some(wait) = self.failures.wait(from, Instant::now())
        {
            return Err(Denied::TooOften { wait });
        }
        match attempt() {
            Ok(Some(done)) => Ok(done),
            Ok(None) => match self.failures.count(from, Instant::now()) {
                None => Err(Denied::Wrong),
                Some(wait) => Err(Denied::TooOften { wait }),
            },
            Err(error) => Err(Denied::Unreadable(error)),
        }
    }
}

/// The link by which a page is opened once. What stands behind `#` never leaves the browser: no server and no log sees it.
pub(crate) fn link_to(page: &str, code: &Secret) -> String {
    format!("{page}/#code={}", code.expose())
}

fn now() -> Wall {
    Wall::from(SystemTime::now())
}
