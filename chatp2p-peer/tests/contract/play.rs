//! The players: real processes of the real programs, on free ports, with their own data.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::http::{self, Answer};

/// Longer than anything takes that is to happen.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until something is so.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WITHIN;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// A program that runs, and where it serves.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) api: SocketAddr,
}

impl Program {
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut said = String::new();
        let reading = async {
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            lines.read_line(&mut said).await.unwrap();
        };
        timeout(WITHIN, reading).await.expect("a program that says where it serves");
        let api = said.trim().rsplit_once("://").and_then(|(_, address)| address.parse().ok());
        let Some(api) = api else {
            let mut trouble = String::new();
            child.stderr.take().unwrap().read_to_string(&mut trouble).await.unwrap();
            panic!("it said {said:?}; {trouble}");
        };
        // A pipe that nobody reads would stop a program that logs a lot.
        let mut log = child.stderr.take().unwrap();
        tokio::spawn(async move { tokio::io::copy(&mut log, &mut tokio::io::sink()).await });
        Self { child, api }
    }

    /// Its number at the operating system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("a running program")
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.ended_by("TERM").await
    }

    /// Sends it this signal, and waits until it has ended.
    pub(crate) async fn ended_by(mut self, signal: &str) -> ExitStatus {
        let signal = format!("-{signal}");
        assert!(Command::new("kill").args([&signal, &self.id().to_string()]).status().await.unwrap().success());
        timeout(WITHIN, self.child.wait()).await.expect("a program that ends").unwrap()
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// The tracker's program. It is no dependency of the peer: it has to be there already.
pub(crate) fn tracker_program() -> PathBuf {
    let peer = Path::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    let tracker = peer.with_file_name(format!("chatp2p-tracker{}", std::env::consts::EXE_SUFFIX));
    assert!(tracker.exists(), "{} is missing: run `cargo build -p chatp2p-tracker` first", tracker.display());
    tracker
}

/// The command that starts a tracker, which keeps what it knows in this folder or, without one, in memory alone.
pub(crate) fn tracker_command(bind: &str, data: Option<&Path>) -> Command {
    let database = data.map(|data| format!("sqlite:{}", data.join("tracker.sqlite").display()));
    let mut command = Command::new(tracker_program());
    command.args(["--bind", bind, "--database", database.as_deref().unwrap_or("memory")]);
    command
}

pub(crate) async fn tracker_at(bind: &str) -> Program {
    Program::start(&mut tracker_command(bind, None)).await
}

pub(crate) async fn tracker() -> Program {
    tracker_at("127.0.0.1:0").await
}

/// A peer, its data and its name.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) program: Program,
    pub(crate) name: String,
    pub(crate) data: TempDir,
}

/// The command that starts a peer with its data there, on ports of its own.
pub(crate) fn peer_command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    command.args(["--bind", "127.0.0.1:0", "--p2p", "127.0.0.1:0", "--data-dir"]).arg(data);
    command
}

/// Runs the program to its end: its exit code, and what it printed.
pub(crate) async fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    let output = command.args(args).kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A peer whose node does not run.
pub(crate) async fn idle(flags: &[&str]) -> Peer {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(peer_command(data.path()).args(flags)).await;
    Peer { program, name: String::new(), data }
}

/// A peer that runs under this name at that tracker.
pub(crate) async fn running(name: &str, tracker: &Program) -> Peer {
    running_at(name, tracker, tempfile::tempdir().unwrap()).await
}

/// The same with the data of an earlier life.
pub(crate) async fn running_at(name: &str, tracker: &Program, data: TempDir) -> Peer {
    let url = format!("http://{}", tracker.api);
    let program = Program::start(peer_command(data.path()).args(["--username", name, "--tracker", &url])).await;
    Peer { program, name: name.to_owned(), data }
}

impl Peer {
    /// Sends a request as a script does.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(ToString::to_string);
        self.raw(method, path, &[], body.as_deref()).await
    }

    /// Sends a request with further headers.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let host = self.program.api.to_string();
        let mut all = vec![("host", host.as_str())];
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/json"));
        }
        all.extend_from_slice(headers);
        http::send(self.program.api, method, path, &all, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn start(&self, name: &str, port: u16, tracker: SocketAddr) -> Answer {
        let body = json!({"username": name, "port": port, "tracker_url": format!("http://{tracker}")});
        self.ask("POST", "/start", Some(&body)).await
    }

    pub(crate) async fn connect(&self, to: &str) -> Answer {
        self.ask("POST", "/connect", Some(&json!({"peer_username": to}))).await
    }

    pub(crate) async fn say(&self, to: &str, content: &str) -> Answer {
        self.ask("POST", "/send", Some(&json!({"peer_username": to, "content": content}))).await
    }

    pub(crate) async fn connected(&self) -> Value {
        self.get("/connected-peers").await.json()["connected_peers"].clone()
    }

    /// Waits until exactly these are connected.
    pub(crate) async fn has(&self, names: &[&str]) {
        let names = json!(names);
        until(&format!("{} connected to {}", self.name, names), async || {
            (self.connected().await == names).then_some(())
        })
        .await;
    }

    /// The history with one peer, as who wrote what.
    pub(crate) async fn talk(&self, with: &str) -> Vec<(String, String)> {
        let answer = self.get(&format!("/messages?limit=1000&peer={with}")).await.json();
        let messages = answer["messages"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages.map(|message| (text(&message["from"]), text(&message["content"]))).collect()
    }

    /// Waits until the talk with one peer is this.
    pub(crate) async fn heard(&self, with: &str, talk: &[(&str, &str)]) {
        let talk: Vec<_> = talk.iter().map(|(from, text)| ((*from).to_owned(), (*text).to_owned())).collect();
        until(&format!("{} has {talk:?}", self.name), async || (self.talk(with).await == talk).then_some(())).await;
    }

    /// Opens `/ws`.
    pub(crate) async fn events(&self) -> Events {
        self.events_at("/ws").await
    }

    /// The same with a query.
    pub(crate) async fn events_at(&self, path: &str) -> Events {
        let request = format!("ws://{}{path}", self.program.api).into_client_request().unwrap();
        let stream = TcpStream::connect(self.program.api).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Events { socket }
    }
}

/// An open `/ws`.
#[derive(Debug)]
pub(crate) struct Events {
    socket: WebSocketStream<TcpStream>,
}

impl Events {
    pub(crate) async fn say(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next event, whatever it is; `None` when the socket was closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        // Of all frames together: pings come for ever.
        let deadline = Instant::now() + WITHIN;
        loop {
            let frame = timeout_at(deadline, self.socket.next()).await.expect("an event");
            match frame {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)))
                | None => {
                    return None;
                }
                // As it ends for who did not read what was there.
                Some(Err(Error::Io(error))) if error.kind() == ErrorKind::ConnectionReset => return None,
                Some(other) => drop(other.unwrap()),
            }
        }
    }

    /// The next event that is no tick: the ladder of delivery has tests of its own.
    pub(crate) async fn happens(&mut self) -> Value {
        loop {
            let event = self.next().await.expect("an open socket");
            if !["sent", "delivered"].iter().any(|tick| event["type"] == *tick) {
                return event;
            }
        }
    }

    /// That nothing came so far: what was told before is in order before the answer to a ping.
    pub(crate) async fn quiet(&mut self) {
        self.say(Message::Text("anything new?".into())).await;
        assert_eq!(self.happens().await, json!({"type": "pong"}));
    }
}

/// Connects two peers, and waits until both have told so. Whatever their sockets tell from then on came later.
pub(crate) async fn link(one: &Peer, other: &Peer) -> (Events, Events) {
    let (mut of_one, mut of_other) = (one.events().await, other.events().await);
    one.connect(&other.name).await.is(&json!({"status": "connected", "peer": other.name}));
    assert_eq!(of_one.happens().await, json!({"type": "peer_connected", "peer": other.name}));
    assert_eq!(of_other.happens().await, json!({"type": "peer_connected", "peer": one.name}));
    (of_one, of_other)
}
