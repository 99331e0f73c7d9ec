//! Somebody with a proper key who speaks as they like: the far end of a link, by hand.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::in_time;
use crate::crypto::OLM_V2;
use crate::identity::{Identity, PeerId, Username};
use crate::protocol::wire::{Frame, decode, encode};
use crate::record::{Endpoint, ExchangeKey, PeerRecord, PreKeys, SignedRecord};
use crate::transport::secure::Purpose;
use crate::transport::{Clearance, Link, SecureLink, Transport, TransportError, secure};

/// A secure link without a node behind it.
#[derive(Debug)]
pub struct Stranger {
    outgoing: mpsc::Sender<Bytes>,
    incoming: mpsc::Receiver<Bytes>,
    /// Ends with the link; let go of, it breaks the link.
    _task: JoinSet<Result<(), TransportError>>,
}

impl Stranger {
    /// Dials a node, as whom `identity` is.
    ///
    /// # Errors
    /// When there is no link to be had.
    pub async fn dial(
        transport: &dyn Transport,
        at: &Endpoint,
        identity: &Identity,
        whom: PeerId,
    ) -> Result<Self, TransportError> {
        Ok(Self::over(
            secure::client(transport.dial(at, &Clearance::of_the_user()).await?, identity, whom, Purpose::Peer).await?,
        ))
    }

    /// Takes a link that a node dialled.
    ///
    /// # Errors
    /// When the node did not mean this identity.
    pub async fn answer(link: Link, identity: &Identity) -> Result<Self, TransportError> {
        Ok(Self::over(secure::server(link, identity, &[Purpose::Peer]).await?))
    }

    fn over(link: SecureLink) -> Self {
        let (outgoing, frames) = mpsc::channel(16);
        let (received, incoming) = mpsc::channel(16);
        let mut task = JoinSet::new();
        task.spawn(link.run(frames, received, Ok));
        Self { outgoing, incoming, _task: task }
    }

    /// A record that this identity signs.
    ///
    /// # Panics
    /// When its fields are not within their bounds.
    pub fn record(identity: &Identity, username: &Username, endpoints: Vec<Endpoint>, seq: u64) -> SignedRecord {
        let [lasting, fallback] = [7, 9].map(|byte| ExchangeKey::from_bytes([byte; 32]));
        let pre_keys = Some(PreKeys { suite: OLM_V2, identity: lasting, fallback });
        let record = PeerRecord {
            username: username.clone(),
            peer_id: identity.peer_id(),
            endpoints,
            seq,
            pre_keys,
            letterboxes: Vec::new(),
        };
        SignedRecord::sign(identity, record).expect("a record within its bounds")
    }

    /// Says something well-formed.
    pub async fn say(&self, frame: &Frame) {
        self.say_bytes(encode(frame)).await;
    }

    /// Says anything. When the link has ended, it is said to nobody.
    pub async fn say_bytes(&self, bytes: impl Into<Bytes>) {
        drop(self.outgoing.send(bytes.into()).await);
    }

    /// Whether the link is up, as far as is known here.
    pub fn is_open(&self) -> bool {
        !self.outgoing.is_closed()
    }

    /// What the node says next; `None` once the link has ended.
    ///
    /// # Panics
    /// When the node says nothing for a long time, or nothing that is a frame.
    pub async fn hear(&mut self) -> Option<Frame> {
        let bytes = in_time("the node says something or ends the link", self.incoming.recv()).await?;
        Some(decode(&bytes).expect("a frame"))
    }

    /// Lets the node speak until it ends the link, and tells what it said.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn hear_out(&mut self) -> Vec<Frame> {
        let mut heard = Vec::new();
        while let Some(frame) = self.hear().await {
            heard.push(frame);
        }
        heard
    }
}
