//! How a node notices that its links may be dead: the machine has slept, or is somewhere else now. It doubts them, and is
//! listed anew without waiting for the next beat.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::clock::Vigil;
use crate::protocol::Input;
use crate::record::Endpoint;

use super::announce::Publisher;
use super::builder::Parts;
use super::driver::Inbound;
use super::whereabouts::{self, Moves};

/// How often a node looks whether the machine has slept, if nobody says otherwise: as soon as somebody who opened the lid
/// begins to wonder, and seldom enough to cost nothing.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks after a node's links until it is dropped.
pub(super) struct Healer {
    pub(super) parts: Arc<Parts>,
    pub(super) publisher: Arc<Publisher>,
    pub(super) driver: mpsc::Sender<Inbound>,
    /// Tells the announcers that something happened.
    pub(super) prompt: watch::Sender<()>,
}

impl Healer {
    /// Also follows who says where the node is, if somebody does.
    pub(super) async fn run(self, mut moves: Option<Moves>) {
        let every = self.parts.look_every;
        let mut vigil = Vigil::new(every);
        vigil.look(self.parts.now());
        loop {
            let is_doubtful = tokio::select! {
                () = sleep(every) => self.has_slept(&mut vigil),
                endpoints = whereabouts::next(&mut moves) => self.moved(endpoints).await,
            };
            if !is_doubtful {
                continue;
            }
            self.prompt.send_replace(());
            if self.driver.send(Inbound::Input(Input::Doubt)).await.is_err() {
                return;
            }
        }
    }

    fn has_slept(&self, vigil: &mut Vigil) -> bool {
        let slept = vigil.look(self.parts.now());
        if let Some(slept) = slept {
            tracing::info!(seconds = slept.as_secs(), "the machine seems to have slept; all links are dialled anew");
        }
        slept.is_some()
    }

    /// The new record comes first: whoever is dialled then is to see it.
    async fn moved(&self, endpoints: Vec<Endpoint>) -> bool {
        if !self.parts.whereabouts.change(endpoints) {
            return false;
        }
        tracing::info!(endpoints = ?self.parts.whereabouts, "this node has another address; all links are dialled anew");
        if let Err(error) = self.publisher.present().await {
            // Whoever announces it tries that again.
            tracing::warn!(%error, "the new address could not be written down yet");
        }
        true
    }
}
