//! The bot. It writes nothing but echoes, one for each message and in order. So in the history with a friend, its n-th
//! message answers the friend's n-th, and those that have no answer are the last ones: no notes of its own to get out of step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chatp2p_core::identity::Username;
use chatp2p_core::message::{EntryId, Message};
use chatp2p_core::node::{ConversationPage, Event, Events, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::storage::Profile;
use chatp2p_core::tracker::HttpTracker;
use chatp2p_core::transport::WebSocketTransport;

use crate::Flags;

/// How many messages, or friends, are read at once: few, because most often one is new.
const PAGE: usize = 50;

pub(crate) struct Bot {
    node: Node,
    events: Events,
    /// The last message of each friend that was answered, as far as it is known: further back nothing is owed.
    answered: BTreeMap<Username, EntryId>,
    /// Those who do not fetch their echoes: nothing more is written to them until they do.
    slow: BTreeSet<Username>,
}

impl Bot {
    pub(crate) async fn start(flags: &Flags) -> anyhow::Result<Self> {
        let profile = Profile::open(&flags.data_dir, &flags.name).await?;
        let node = Node::builder(flags.name.clone(), Arc::new(HttpTracker::new(&flags.tracker)?))
            .identity(profile.identity().clone())
            .store(profile.store())
            .transport(Arc::new(WebSocketTransport::new()))
            .listen(flags.listen.clone())
            .start()
            .await?;
        let events = node.subscribe();
        Ok(Self { node, events, answered: BTreeMap::new(), slow: BTreeSet::new() })
    }

    /// Answers what was left unanswered, and then whatever comes, until the node stops.
    pub(crate) async fn run(&mut self) -> anyhow::Result<()> {
        self.answer_everybody().await?;
        while let Some(event) = self.events.next().await {
            match event {
                Event::Message(message) => self.answer(&message.from).await?,
                Event::Delivered { peer, .. } if self.slow.remove(&peer) => self.answer(&peer).await?,
                Event::Gap { .. } => {
                    // Among what was missed may be that they have fetched something.
                    self.slow.clear();
                    self.answer_everybody().await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.node.stop().await?)
    }

    async fn answer(&mut self, friend: &Username) -> Result<(), NodeError> {
        if self.slow.contains(friend) {
            return Ok(());
        }
        for message in self.owed(friend).await? {
            match self.node.send(friend, message.content).await {
                Ok(_) => drop(self.answered.insert(friend.clone(), message.id)),
                // What is owed stays in the history.
                Err(NodeError::OutboxFull { .. }) => {
                    self.slow.insert(friend.clone());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What this friend wrote and the bot has not answered, oldest first. The first time, this reads all that they ever said.
    async fn owed(&self, friend: &Username) -> Result<Vec<Message>, NodeError> {
        let (mut theirs, mut answers, mut before) = (Vec::new(), 0, None);
        loop {
            let page = HistoryPage { peer: Some(friend.clone()), before, limit: PAGE };
            let page = self.node.history(page).await?;
            let Some(oldest) = page.first() else { break };
            before = Some(oldest.id);
            for message in page.into_iter().rev() {
                if message.from != *friend {
                    answers += 1;
                } else if self.answered.get(friend) == Some(&message.id) {
                    // Since then, every answer was to something before it.
                    theirs.reverse();
                    return Ok(theirs);
                } else {
                    theirs.push(message);
                }
            }
        }
        theirs.truncate(theirs.len().saturating_sub(answers));
        theirs.reverse();
        Ok(theirs)
    }

    async fn answer_everybody(&mut self) -> Result<(), NodeError> {
        let mut before = None;
        loop {
            let page = self.node.conversations(ConversationPage { before, limit: PAGE }).await?;
            for conversation in &page {
                self.answer(&conversation.peer).await?;
            }
            // Those with whom nothing was said come last.
            let Some(last) = page.last().and_then(|conversation| conversation.last.as_ref()) else { return Ok(()) };
            before = Some(last.id);
        }
    }
}
