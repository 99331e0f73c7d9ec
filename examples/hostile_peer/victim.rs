//! The victim as others see it: its key and address as the tracker lists them, strangers at its door, and an honest peer who
//! wants to be served whatever the strangers do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chatp2p_core::code::Code;
use chatp2p_core::identity::{Identity, PeerId, Username};
use chatp2p_core::node::{Event, Events, Node, NodeError, PeerNode};
use chatp2p_core::protocol::wire::{Frame, Reason};
use chatp2p_core::record::{Endpoint, SignedRecord};
use chatp2p_core::testing::node::{Correspondent, Stranger};
use chatp2p_core::tracker::{Claim, HttpTracker, Lease, SignedClaim, Tracker};
use chatp2p_core::transport::WebSocketTransport;
use data_encoding::HEXLOWER;
use tokio::time::{Instant, timeout};

/// How long the honest peer may wait for anything: far above what it takes, and what a person would call an outage.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// How long the victim is listened to: an answer takes milliseconds, and one that does not come is no answer.
const LISTEN: Duration = Duration::from_millis(500);

/// Whom to bother.
#[derive(Debug, Clone)]
pub(crate) struct Victim {
    pub(crate) name: Username,
    pub(crate) key: PeerId,
    pub(crate) at: Endpoint,
    pub(crate) record: SignedRecord,
    pub(crate) tracker: Arc<HttpTracker>,
}

/// What the victim answered, each with how often.
#[derive(Debug, Default)]
pub(crate) struct Answers(pub(crate) BTreeMap<String, usize>);

impl Answers {
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, others: Self) {
        for (what, often) in others.0 {
            *self.0.entry(what).or_default() += often;
        }
    }

    /// Listens until nothing more comes.
    pub(crate) async fn hear(&mut self, link: &mut Stranger) {
        self.hear_for(LISTEN, link).await;
    }

    /// Listens until nothing comes for so long.
    pub(crate) async fn hear_for(&mut self, patience: Duration, link: &mut Stranger) {
        loop {
            match timeout(patience, link.hear()).await {
                Ok(Some(frame)) => self.frame(&frame),
                Ok(None) => return self.note("hung up"),
                Err(_) => return self.note("stayed on the line"),
            }
        }
    }

    fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Hello { .. } | Frame::Greeting { .. } => {}
            Frame::Seek { .. } => self.note("asked where somebody is"),
            Frame::Records { .. } => self.note("said where somebody is"),
            Frame::Entry(_) => self.note("wrote"),
            Frame::Ack(_) => self.note("acknowledged"),
            Frame::Nack(_) => self.note("could not read it"),
            Frame::Read(_) => self.note("says that it was read"),
            Frame::Goodbye { reason: Reason::Refused(code) } => self.note(format!("refused: {code}")),
            Frame::Goodbye { .. } => self.note("said goodbye"),
        }
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let all: Vec<_> = self.0.iter().map(|(what, often)| format!("{what} ({often})")).collect();
        f.write_str(&all.join(", "))
    }
}

impl Victim {
    /// Looks it up.
    pub(crate) async fn find(name: &Username, tracker: &str) -> anyhow::Result<Self> {
        let tracker = Arc::new(HttpTracker::new(tracker)?);
        let listed = tracker.find(name).await?.with_context(|| format!("the tracker lists nobody called {name}"))?;
        let record = listed.record.with_context(|| format!("{name} is a classic client, without a key"))?;
        let about = record.record();
        let at = about.endpoints.iter().find(|endpoint| endpoint.scheme() == "ws").cloned();
        let at = at.with_context(|| format!("{name} is not listed at a ws:// address"))?;
        Ok(Self { name: name.clone(), key: about.peer_id, at, record: record.clone(), tracker })
    }

    /// A line to it under a key, with nothing said yet.
    pub(crate) async fn dial(&self, who: &Identity) -> anyhow::Result<Stranger> {
        let network = WebSocketTransport::new();
        let dialling = Stranger::dial(&network, &self.at, who, self.key);
        Ok(timeout(SERVED_WITHIN, dialling).await.context("nobody takes the call")??)
    }

    /// A line on which both have said hello.
    pub(crate) async fn greet(&self, who: &Identity, hello: &Frame) -> anyhow::Result<Stranger> {
        let mut link = self.dial(who).await?;
        link.say(hello).await;
        link.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
        loop {
            match timeout(SERVED_WITHIN, link.hear()).await.context("no greeting comes")? {
                Some(Frame::Greeting { .. }) => return Ok(link),
                Some(Frame::Goodbye { reason }) => bail!("{} lets nobody in: {reason:?}", self.name),
                Some(_) => {}
                None => bail!("{} hangs up", self.name),
            }
        }
    }
}

/// Somebody with a key, and a name that the tracker lists under it: whoever is let in by default.
pub(crate) struct Insider {
    pub(crate) who: Identity,
    pub(crate) pen: Correspondent,
    pub(crate) hello: Frame,
    lease: Lease,
    tracker: Arc<HttpTracker>,
}

impl Insider {
    pub(crate) async fn register(victim: &Victim) -> anyhow::Result<Self> {
        let who = Identity::generate()?;
        let key = HEXLOWER.encode(who.peer_id().as_bytes());
        let name: Username = format!("hostile-{}", key.get(..16).unwrap_or_default()).parse()?;
        let mut pen = Correspondent::new(&who);
        pen.meet(&victim.record);
        // Nobody listens there, and nobody is to.
        let record = pen.record(&name, vec!["ws://127.0.0.1:9/p2p".parse()?], 1);
        let tracker = Arc::clone(&victim.tracker);
        let claim = SignedClaim::sign(&who, record.clone(), tracker.health().await?.tracker_id);
        let lease = tracker.register(Claim::Signed(claim)).await?;
        Ok(Self { who, pen, hello: Frame::Hello { record }, lease, tracker })
    }

    /// A line on which both have said hello.
    pub(crate) async fn enter(&self, victim: &Victim) -> anyhow::Result<Stranger> {
        victim.greet(&self.who, &self.hello).await
    }

    /// Is on the tracker's list no more.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        Ok(self.tracker.unregister(&self.lease).await?)
    }
}

/// Somebody who only wants to talk.
pub(crate) struct Honest {
    node: Node,
    events: Events,
    victim: Username,
    pub(crate) said: Vec<String>,
    /// A victim that lets no strangers in answers them, and keeps what they say to itself.
    let_in: bool,
}

impl Honest {
    pub(crate) async fn meet(victim: &Victim) -> anyhow::Result<Self> {
        let who = Identity::generate()?;
        let key = HEXLOWER.encode(who.peer_id().as_bytes());
        let name: Username = format!("honest-{}", key.get(..16).unwrap_or_default()).parse()?;
        let node = Node::builder(name, victim.tracker.clone()).identity(who);
        let node =
            node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse()?).start().await?;
        let events = node.subscribe();
        let mut honest = Self { node, events, victim: victim.name.clone(), said: Vec::new(), let_in: true };
        honest.calls().await.context("before anything was done to it")?;
        honest.let_in = match timeout(LISTEN, honest.says()).await {
            Ok(said) => said.map(|()| true)?,
            Err(_) => false,
        };
        Ok(honest)
    }

    pub(crate) const fn is_let_in(&self) -> bool {
        self.let_in
    }

    /// On a new line: calls, says something, and has it acknowledged. Gives how long that took.
    pub(crate) async fn served(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let serving = async {
            match self.node.disconnect(&self.victim).await {
                Ok(()) | Err(NodeError::NotConnected { .. }) => {}
                Err(error) => bail!(error),
            }
            self.calls().await?;
            if self.let_in { self.says().await } else { Ok(()) }
        };
        timeout(SERVED_WITHIN, serving).await.context("in ten seconds")??;
        Ok(begun.elapsed())
    }

    async fn calls(&mut self) -> anyhow::Result<()> {
        match self.node.connect(&self.victim).await {
            Ok(()) => Ok(()),
            // That is an answer, too.
            Err(error) if error.code() == Code::Refused => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn says(&mut self) -> anyhow::Result<()> {
        let text = format!("excuse me {}", self.said.len());
        self.said.push(text.clone());
        let id = self.node.send(&self.victim, text).await?.id;
        while let Some(event) = self.events.next().await {
            if matches!(event, Event::Delivered { through, .. } if through == id) {
                return Ok(());
            }
        }
        bail!("the honest node stopped")
    }

    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        ensure!(!self.said.is_empty(), "nothing was said");
        Ok(self.node.stop().await?)
    }

    pub(crate) fn name(&self) -> &Username {
        self.node.username()
    }
}
