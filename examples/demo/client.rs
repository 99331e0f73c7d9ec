//! A peer as a program next to it sees it: HTTP requests, and the events of `/ws`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::compare::Said;

/// Longer than anything takes that is to happen: an attempt to reach a peer again may be thirty seconds away.
const WITHIN: Duration = Duration::from_secs(60);

/// How often is looked whether something has happened that no event tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many messages a page of the history has here: few enough that the conversation takes several.
const PAGE: usize = 150;

/// A peer, and what it has told so far.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    api: SocketAddr,
    http: reqwest::Client,
    socket: WebSocketStream<TcpStream>,
    pub(crate) heard: Heard,
    /// The newest message of before, if there was one: with `--data-dir` this conversation is not the first.
    before: Option<String>,
}

/// What the events said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) messages: Vec<Said>,
    /// Who came (true) and went (false).
    pub(crate) presence: Vec<(String, bool)>,
    /// The last message that was told to be delivered.
    pub(crate) delivered: Option<String>,
    /// All events but the answers to our own texts.
    pub(crate) events: usize,
    pongs: usize,
}

/// A message of the history.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) from: String,
    pub(crate) said: Said,
    pub(crate) delivery: String,
}

impl Peer {
    pub(crate) async fn meet(name: &'static str, api: SocketAddr, http: reqwest::Client) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(api).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{api}/ws"), stream)
            .await
            .with_context(|| format!("{name}'s /ws does not open"))?;
        let mut peer = Self { name, api, http, socket, heard: Heard::default(), before: None };
        let newest = peer.ask(Method::GET, "/messages?limit=1", None).await?;
        peer.before = newest["messages"][0]["id"].as_str().map(str::to_owned);
        Ok(peer)
    }

    /// Asks the API, and expects a 2xx.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let request = self.http.request(method.clone(), format!("http://{}{path}", self.api));
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        // A broadcast has its text in the path.
        let what = format!("{method} {} of {}", path.split('?').next().unwrap_or_default(), self.name);
        let answer = request.send().await.with_context(|| what.clone())?;
        let (status, body) = (answer.status(), answer.text().await.with_context(|| what.clone())?);
        ensure!(status.is_success(), "{what} answers {status}: {body}");
        serde_json::from_str(&body).with_context(|| format!("{what} answers no JSON"))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Sends a text; the answer must have this status.
    pub(crate) async fn say(&self, to: &str, text: &str, status: &str) -> anyhow::Result<Said> {
        let answer = self.post("/send", json!({"peer_username": to, "content": text})).await?;
        ensure!(answer["status"] == status, "{}: expected a message to be {status}, got {answer}", self.name);
        let id = answer["id"].as_str().context("/send answers no id")?.to_owned();
        Ok(Said { id, text: text.to_owned() })
    }

    /// Sends a text to everybody who is connected, who must be this one alone.
    pub(crate) async fn broadcast(&self, to: &str, text: &str) -> anyhow::Result<Said> {
        let url = reqwest::Url::parse_with_params("http://peer/broadcast", [("content", text)])?;
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let answer = self.ask(Method::POST, &path, None).await?;
        ensure!(answer["status"] == "broadcasted", "{} answers a broadcast with {answer}", self.name);
        let ids = answer["ids"].as_object().context("/broadcast answers no ids")?;
        let id = ids.get(to).and_then(Value::as_str).filter(|_| ids.len() == 1);
        let id = id.with_context(|| format!("expected a broadcast to {to} alone, got {answer}"))?.to_owned();
        Ok(Said { id, text: text.to_owned() })
    }

    /// Takes events until it is enough, or until nothing more comes of it: what was heard by then is for the caller to judge.
    pub(crate) async fn listen(&mut self, enough: impl Fn(&Heard) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + WITHIN;
        while !enough(&self.heard) {
            let Ok(frame) = timeout_at(deadline, self.socket.next()).await else { return Ok(()) };
            let frame = frame.with_context(|| format!("{}'s /ws was closed", self.name))??;
            if let Message::Text(text) = frame {
                let event = serde_json::from_str(&text).context("an event is no JSON")?;
                self.heard.take(event).with_context(|| format!("an event of {}", self.name))?;
            }
        }
        Ok(())
    }

    /// Takes all events that there are by now: the answer to a text comes after them.
    pub(crate) async fn listen_to_all(&mut self) -> anyhow::Result<()> {
        let next = self.heard.pongs + 1;
        self.socket.send(Message::Text("anything else?".into())).await?;
        self.listen(|heard| heard.pongs >= next).await?;
        ensure!(self.heard.pongs == next, "{}'s /ws does not answer", self.name);
        Ok(())
    }

    /// This conversation as the peer keeps it, oldest first, page by page.
    pub(crate) async fn history(&self, with: &str) -> anyhow::Result<Vec<Listed>> {
        let mut newest_first = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/messages?peer={with}&limit={PAGE}{before}");
            let page = self.ask(Method::GET, &path, None).await?;
            let page = page["messages"].as_array().context("/messages answers no messages")?;
            for message in page.iter().rev() {
                if message["id"].as_str() == self.before.as_deref() {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
                newest_first.push(Listed {
                    from: text(message, "from")?,
                    said: Said { id: text(message, "id")?, text: text(message, "content")? },
                    delivery: text(message, "delivery")?,
                });
            }
            match newest_first.last().filter(|_| page.len() == PAGE) {
                Some(oldest) => before = format!("&before={}", oldest.said.id),
                None => {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
            }
        }
    }

    /// Waits until all messages of this conversation are delivered.
    pub(crate) async fn delivered(&self, with: &str) -> anyhow::Result<Vec<Listed>> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let history = self.history(with).await?;
            let Some(waiting) = history.iter().find(|message| message.delivery != "delivered") else {
                return Ok(history);
            };
            if Instant::now() > deadline {
                let (id, delivery) = (&waiting.said.id, &waiting.delivery);
                bail!("{}'s history: expected [{id}] to be delivered, got {delivery}", self.name);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Heard {
    fn take(&mut self, event: Value) -> anyhow::Result<()> {
        let kind = event["type"].as_str().unwrap_or_default();
        if kind == "pong" {
            self.pongs += 1;
            return Ok(());
        }
        self.events += 1;
        match kind {
            "message" => {
                let data = &event["data"];
                self.messages.push(Said { id: text(data, "id")?, text: text(data, "content")? });
            }
            "peer_connected" => self.presence.push((text(&event, "peer")?, true)),
            "peer_disconnected" => self.presence.push((text(&event, "peer")?, false)),
            "delivered" => self.delivered = Some(text(&event, "through")?),
            // Nothing of the sort is to happen among friends.
            "gap" | "key_changed" | "tracker_trouble" => bail!("nobody expected {event}"),
            // Further types may come, and clients ignore what they do not know.
            _ => {}
        }
        Ok(())
    }
}

fn text(of: &Value, field: &str) -> anyhow::Result<String> {
    Ok(of[field].as_str().with_context(|| format!("expected a text as {field}"))?.to_owned())
}
