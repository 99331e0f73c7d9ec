//! Where a node can be dialled, which may change while it runs.

use std::fmt;
use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

use crate::record::{Endpoint, MAX_ENDPOINTS};

/// Who says where the node is from now on.
pub(super) type Moves = Pin<Box<dyn Stream<Item = Vec<Endpoint>> + Send>>;

/// Where the node says that it can be dialled.
pub(super) struct Whereabouts(watch::Sender<Vec<Endpoint>>);

impl Whereabouts {
    pub(super) fn new(endpoints: Vec<Endpoint>) -> Self {
        Self(watch::Sender::new(bounded(endpoints)))
    }

    /// As it is now, best first.
    pub(super) fn now(&self) -> Vec<Endpoint> {
        self.0.borrow().clone()
    }

    /// Says something else from now on. False if it is nothing else.
    pub(super) fn change(&self, endpoints: Vec<Endpoint>) -> bool {
        let endpoints = bounded(endpoints);
        self.0.send_if_modified(|now| {
            let differs = *now != endpoints;
            *now = endpoints;
            differs
        })
    }
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.borrow().fmt(f)
    }
}

/// The next place of a node. Never, once nobody says it any more.
pub(super) async fn next(moves: &mut Option<Moves>) -> Vec<Endpoint> {
    if let Some(told) = moves {
        if let Some(endpoints) = told.next().await {
            return endpoints;
        }
        *moves = None;
    }
    std::future::pending().await
}

fn bounded(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.truncate(MAX_ENDPOINTS);
    endpoints
}
