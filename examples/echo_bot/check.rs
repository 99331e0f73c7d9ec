//! The bot is put through it: difficult texts, a stop, and a message that it hears and does not live to answer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chatp2p_core::identity::Username;
use chatp2p_core::message::EntryId;
use chatp2p_core::node::{Event, Events, Node, PeerNode};
use chatp2p_core::tracker::{HttpTracker, LocalTracker};
use chatp2p_core::transport::WebSocketTransport;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::Flags;
use crate::bot::Bot;

/// Longer than anything takes that is to happen: an attempt to reach a peer again may be thirty seconds away.
const WITHIN: Duration = Duration::from_secs(60);

/// Somebody who talks to the bot, and remembers.
struct Friend {
    node: Node,
    events: Events,
    bot: Username,
    said: Vec<String>,
    echoes: Vec<String>,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let registry = LocalTracker::in_memory().await?;
    // Ends with the program.
    tokio::spawn(chatp2p_tracker::run(listener, registry, chatp2p_tracker::Options::default(), pending()));
    let flags = Flags {
        tracker: url,
        name: "echo".parse()?,
        data_dir: home.path().to_owned(),
        listen: "ws://127.0.0.1:0".parse()?,
        check: true,
    };

    let mut bot = Bot::start(&flags).await?;
    let mut friend = Friend::meet(&flags).await?;
    let long = "é".repeat(60_000);
    for text in ["hello", "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽", "", " \0\t\r\n ", "hello", &long, "hello"]
    {
        friend.say(text).await?;
    }
    friend.hears_all(&mut bot).await?;
    bot.stop().await?;

    let unanswered = friend.say("do you hear me?").await?;
    let bot = Bot::start(&flags).await?;
    friend.is_heard(unanswered).await?;
    // It never came to answering.
    bot.stop().await?;

    let mut bot = Bot::start(&flags).await?;
    // Nothing new comes to remind it.
    friend.hears_all(&mut bot).await?;
    friend.say("and now?").await?;
    friend.say("hello").await?;
    friend.hears_all(&mut bot).await?;
    bot.stop().await?;
    friend.node.stop().await?;
    println!(
        "check passed: {} messages were echoed, once each and in order, by a bot of three lives",
        friend.said.len()
    );
    Ok(())
}

impl Friend {
    async fn meet(bot: &Flags) -> anyhow::Result<Self> {
        let node = Node::builder("friend".parse()?, Arc::new(HttpTracker::new(&bot.tracker)?))
            .transport(Arc::new(WebSocketTransport::new()))
            .listen("ws://127.0.0.1:0".parse()?)
            .start()
            .await?;
        node.connect(&bot.name).await?;
        let events = node.subscribe();
        Ok(Self { node, events, bot: bot.name.clone(), said: Vec::new(), echoes: Vec::new() })
    }

    async fn say(&mut self, text: &str) -> anyhow::Result<EntryId> {
        self.said.push(text.to_owned());
        Ok(self.node.send(&self.bot, text.to_owned()).await?.id)
    }

    /// Lets the bot run until there are as many echoes as there should be, and compares them.
    async fn hears_all(&mut self, bot: &mut Bot) -> anyhow::Result<()> {
        let listening = async {
            while self.echoes.len() < self.said.len() {
                if let Event::Message(echo) = self.events.next().await.context("the friend's node stopped")? {
                    self.echoes.push(echo.content);
                }
            }
            anyhow::Ok(())
        };
        tokio::select! {
            ended = bot.run() => bail!("the bot ended: {ended:?}"),
            heard = timeout(WITHIN, listening) => match heard {
                Ok(heard) => heard?,
                Err(_) => bail!("{} messages had {} echoes", self.said.len(), self.echoes.len()),
            },
        }
        for (n, (said, echo)) in self.said.iter().zip(&self.echoes).enumerate() {
            ensure!(said == echo, "echo {n} has {} bytes: not what was said, which has {}", echo.len(), said.len());
        }
        Ok(())
    }

    async fn is_heard(&mut self, message: EntryId) -> anyhow::Result<()> {
        let listening = async {
            while let Some(event) = self.events.next().await {
                if matches!(event, Event::Delivered { through, .. } if through == message) {
                    break;
                }
            }
        };
        timeout(WITHIN, listening).await.context("the bot's node does not take a message")
    }
}
