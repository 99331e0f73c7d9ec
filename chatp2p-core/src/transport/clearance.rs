//! Leave to dial. Every address is shown to a [`Clearance`] before a socket is opened to it, and again once the socket is
//! connected: names resolve to what whoever owns them likes, and differently each time.

use std::net::SocketAddr;
use std::sync::Arc;

use super::budget::DialBudget;
use crate::code::Code;
use crate::record::Reach;

/// For whose sake something is dialled, and how often that may be.
///
/// **To implementers of transports** with addresses: show every address to [`admit`](Self::admit) before anything is sent
/// there, and that of the connected socket to [`confirm`](Self::confirm). Transports without have nothing to ask.
#[derive(Debug, Clone)]
pub struct Clearance {
    named_by: Reach,
    budget: Option<Arc<DialBudget>>,
}

/// Why an address is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCleared {
    /// No peer can be there.
    #[error("{0} is an address at which no peer can be")]
    NoPeer(SocketAddr),
    /// It is nearer than whoever named it.
    #[error("{0} is an address of this machine or its network, named by somebody who is not there")]
    TooNear(SocketAddr),
    /// It was dialled too often within a minute.
    #[error("{0} was dialled too often just now, without the peer being there")]
    TooOften(SocketAddr),
}

impl NotCleared {
    /// The stable code for it.
    pub const fn code(self) -> Code {
        match self {
            Self::NoPeer(_) => Code::AddressUnusable,
            Self::TooNear(_) => Code::AddressWithheld,
            Self::TooOften(_) => Code::DialledTooOften,
        }
    }
}

impl Clearance {
    /// For an address that was named by somebody who was reached across this, within a budget.
    pub const fn new(named_by: Reach, budget: Arc<DialBudget>) -> Self {
        Self { named_by, budget: Some(budget) }
    }

    /// For an address that the user of this program has named. Even a user has no peer at an address where none can be.
    pub const fn of_the_user() -> Self {
        Self { named_by: Reach::Process, budget: None }
    }

    /// Whether an address may be dialled now. Each time counts.
    ///
    /// # Errors
    /// [`NotCleared`], and nothing must be sent there.
    pub fn admit(&self, address: SocketAddr) -> Result<(), NotCleared> {
        self.confirm(address)?;
        match &self.budget {
            Some(budget) if !budget.take(address) => Err(NotCleared::TooOften(address)),
            _ => Ok(()),
        }
    }

    /// Whether a socket may be connected to an address.
    ///
    /// # Errors
    /// [`NotCleared`], and the socket must be dropped.
    pub fn confirm(&self, address: SocketAddr) -> Result<(), NotCleared> {
        match Reach::of_peer(address.ip()) {
            None => Err(NotCleared::NoPeer(address)),
            Some(_) if !self.named_by.may_name(address.ip()) => Err(NotCleared::TooNear(address)),
            Some(_) => Ok(()),
        }
    }

    /// The peer that was dialled is there: the dial was no nuisance to anybody, and does not count.
    pub(crate) fn found(&self, at: Option<SocketAddr>) {
        if let (Some(budget), Some(address)) = (&self.budget, at) {
            budget.give_back(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_near_or_nowhere_costs_no_dial() {
        let budget = Arc::new(DialBudget::default());
        let far = Clearance::new(Reach::Public, Arc::clone(&budget));
        let near = Clearance::new(Reach::Loopback, budget);
        let here: SocketAddr = "127.0.0.1:5001".parse().unwrap();
        for _ in 0..100 {
            assert_eq!(far.admit(here), Err(NotCleared::TooNear(here)));
        }
        assert_eq!(near.admit(here), Ok(()));
        let metadata: SocketAddr = "169.254.169.254:80".parse().unwrap();
        for clearance in [far, near, Clearance::of_the_user()] {
            assert_eq!(clearance.admit(metadata), Err(NotCleared::NoPeer(metadata)));
        }
    }
}
