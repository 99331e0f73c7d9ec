//! Tickets for `/ws`: a browser cannot send a token when it opens a WebSocket, and a token in the address would stand in
//! logs and histories. So the page asks for a ticket first, which is good for one socket and half a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::secret::{Digest, Secret};

/// How long a ticket is good: the time from the answer to the handshake, over a poor link.
pub(crate) const LIFE: Duration = Duration::from_secs(30);

/// How many may be about at once: one for each event socket that there may be.
const MAX_TICKETS: usize = crate::live::MAX_LISTENERS;

/// What the sub-protocol begins with that carries a ticket.
pub(crate) const PROTOCOL: &str = "chatp2p.ticket.";

/// The tickets that nobody has used yet.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<Vec<Ticket>>);

#[derive(Debug)]
struct Ticket {
    digest: Digest,
    until: Instant,
    /// The id of the token by which it was asked for, if it was by one.
    token: Option<String>,
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("as many tickets wait to be used as there can be")]
    TooMany,
    #[error("the system gives no randomness")]
    Random(#[from] getrandom::Error),
}

impl Tickets {
    /// A ticket for whoever holds this token.
    pub(crate) fn issue(&self, token: Option<String>, now: Instant) -> Result<Secret, TicketError> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|ticket| ticket.until > now);
        if tickets.len() >= MAX_TICKETS {
            return Err(TicketError::TooMany);
        }
        let secret = Secret::draw("")?;
        tickets.push(Ticket { digest: secret.digest(), until: now + LIFE, token });
        Ok(secret)
    }

    /// Uses a ticket up. Gives the token by which it was asked for; `None` where there is no such ticket any more.
    pub(crate) fn take(&self, presented: &Secret, now: Instant) -> Option<Option<String>> {
        let digest = presented.digest();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|ticket| ticket.until > now);
        let at = tickets.iter().position(|ticket| ticket.digest == digest)?;
        Some(tickets.swap_remove(at).token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_its_life() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.issue(Some("a".to_owned()), now).unwrap();
        assert_eq!(tickets.take(&Secret::presented("another"), now), None);
        assert_eq!(tickets.take(&ticket, now), Some(Some("a".to_owned())));
        assert_eq!(tickets.take(&ticket, now), None, "used");
        let ticket = tickets.issue(None, now).unwrap();
        assert_eq!(tickets.take(&ticket, now + LIFE), None, "too late");
    }

    #[test]
    fn there_are_only_so_many_until_they_are_used_or_old() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let all: Vec<_> = (0..MAX_TICKETS).map(|_| tickets.issue(None, now).unwrap()).collect();
        assert!(matches!(tickets.issue(None, now), Err(TicketError::TooMany)));
        tickets.take(&all[0], now).unwrap();
        tickets.issue(None, now).unwrap();
        tickets.issue(None, now + LIFE).unwrap();
        assert_eq!(tickets.0.lock().unwrap().len(), 1);
    }
}
