//! What happens at a line that was typed, and at an event.

use std::collections::VecDeque;

use chatp2p_core::identity::Username;
use chatp2p_core::message::{Delivery, EntryId};
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
    under_way: VecDeque<Written>,
}

struct Written {
    number: u64,
    to: Username,
    id: EntryId,
    delivery: Delivery,
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
            Event::Sent { peer, through } => self.got(Delivery::Sent, &peer, through),
            Event::Mailed { peer, through } => self.got(Delivery::Mailbox, &peer, through),
            Event::Delivered { peer, through } => self.got(Delivery::Delivered, &peer, through),
            Event::KeyForgotten(peer) => self.under_way.retain(|written| written.to != peer),
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
                let (number, id, delivery) = (self.written, receipt.id, receipt.delivery);
                self.under_way.push_back(Written { number, to: peer, id, delivery });
            }
            Err(NodeError::NotConnected { .. }) => say(&format!("! you have never met {peer}: /connect {peer}")),
            Err(error) => say(&format!("! not sent: {error}")),
        }
    }

    /// This message got that far, and with it all that were written to them before it.
    fn got(&mut self, far: Delivery, peer: &Username, through: EntryId) {
        let Some(last) = self.under_way.iter().position(|written| written.to == *peer && written.id == through) else {
            return say(&format!("  to {peer}: {}, what you wrote before this session", far.as_str()));
        };
        for written in self.under_way.iter_mut().take(last + 1).filter(|written| written.to == *peer) {
            if written.delivery < far {
                written.delivery = far;
                say(&format!("  [{}] to {peer}: {}", written.number, far.as_str()));
            }
        }
        self.under_way.retain(|written| written.delivery != Delivery::Delivered);
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
            Ok(()) => say(&format!("/connect {peer} believes the next key that the tracker names")),
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
