//! What happens at a line that was typed, and at an event.

use std::collections::VecDeque;

use chatp2p_core::identity::Username;
use chatp2p_core::message::EntryId;
use chatp2p_core::node::{Event, HistoryPage, Node, NodeError, PeerNode};

use crate::screen::{describe, line, say};

/// How much of what was said before is shown at a connect.
const RECENT: usize = 10;

pub(crate) struct Chat {
    node: Node,
    /// Who gets what is typed.
    current: Option<Username>,
    /// How many messages were written in this session; what is on its way is known by its number.
    written: u64,
    /// Not delivered yet, in the order in which they were written; a node bounds how many these can be.
    under_way: VecDeque<(u64, Username, EntryId)>,
}

impl Chat {
    pub(crate) fn new(node: Node) -> Self {
        Self { node, current: None, written: 0, under_way: VecDeque::new() }
    }

    pub(crate) async fn typed(&mut self, line: &str) {
        if !line.starts_with('/') {
            if !line.is_empty() {
                self.send(line).await;
            }
            return;
        }
        let (command, name) = line.split_once(' ').unwrap_or((line, ""));
        match (command, name.trim().parse()) {
            ("/peers", _) => self.peers().await,
            ("/connect", Ok(name)) => self.connect(name).await,
            ("/forget", Ok(name)) => self.forget(&name).await,
            ("/connect" | "/forget", Err(error)) => say(&format!("! {error}")),
            _ => say("! there are /connect NAME, /peers, /forget NAME and /quit"),
        }
    }

    pub(crate) async fn heard(&mut self, event: Event) {
        if let Some(text) = describe(&event) {
            say(&text);
        }
        match event {
            Event::Delivered { peer, through } => self.delivered(&peer, through),
            Event::Gap { .. } => self.recent().await,
            _ => {}
        }
    }

    /// From now on what is typed goes to this peer, reachable or not: never to somebody who was not named last.
    pub(crate) async fn connect(&mut self, peer: Username) {
        match self.node.connect(&peer).await {
            Ok(()) => say(&format!("you are talking to {peer}")),
            Err(error) => say(&format!("! {error}")),
        }
        self.current = Some(peer);
        self.recent().await;
    }

    pub(crate) async fn quit(self) -> anyhow::Result<()> {
        if !self.under_way.is_empty() {
            say(&format!("{} not delivered yet: kept here, and sent when you are back", self.under_way.len()));
        }
        Ok(self.node.stop().await?)
    }

    async fn send(&mut self, text: &str) {
        let Some(peer) = self.current.clone() else { return say("! to whom? /connect NAME") };
        match self.node.send(&peer, text.to_owned()).await {
            Ok(receipt) => {
                self.written += 1;
                say(&format!("  [{}] to {peer}: {}", self.written, receipt.delivery.as_str()));
                self.under_way.push_back((self.written, peer, receipt.id));
            }
            Err(NodeError::NotConnected { .. }) => say(&format!("! you have never met {peer}: /connect {peer}")),
            Err(error) => say(&format!("! not sent: {error}")),
        }
    }

    /// They have this message, and all that were written to them before it.
    fn delivered(&mut self, peer: &Username, through: EntryId) {
        if !self.under_way.iter().any(|(_, to, id)| to == peer && *id == through) {
            return say(&format!("  to {peer}: delivered, what you wrote before this session"));
        }
        while let Some(at) = self.under_way.iter().position(|(_, to, _)| to == peer) {
            let Some((number, _, id)) = self.under_way.remove(at) else { break };
            say(&format!("  [{number}] to {peer}: delivered"));
            if id == through {
                break;
            }
        }
    }

    async fn peers(&self) {
        match (self.node.available().await, self.node.connected().await) {
            (Ok(available), Ok(connected)) => {
                for peer in available.into_iter().map(|peer| peer.username) {
                    say(&format!("  {peer}{}", if connected.contains(&peer) { ", connected" } else { "" }));
                }
            }
            (Err(error), _) | (_, Err(error)) => say(&format!("! {error}")),
        }
    }

    async fn forget(&self, peer: &Username) {
        match self.node.forget_key(peer).await {
            Ok(()) => say(&format!("the key of {peer} is forgotten; /connect {peer} believes the next one")),
            Err(error) => say(&format!("! {error}")),
        }
    }

    /// What was said last with the current peer, with how far it got.
    async fn recent(&self) {
        let page = HistoryPage { peer: self.current.clone(), before: None, limit: RECENT };
        match self.node.history(page).await {
            Ok(messages) => messages.iter().for_each(|message| say(&line(message, self.node.username()))),
            Err(error) => say(&format!("! {error}")),
        }
    }
}
