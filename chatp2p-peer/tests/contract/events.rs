//! `GET /events` and cursors: who comes back misses nothing, however often.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::play::{Peer, Program, WITHIN, idle, link, running, running_at, tracker};

/// A program that reads the stream.
struct Stream {
    io: BufReader<TcpStream>,
    /// What came of an event whose end is not there yet.
    begun: Vec<u8>,
    cursor: String,
}

impl Stream {
    /// Opens it; with a cursor as a browser comes back.
    async fn open(program: &Program, cursor: Option<&str>) -> Self {
        let mut io = BufReader::new(TcpStream::connect(program.api).await.unwrap());
        let returning = cursor.map(|cursor| format!("Last-Event-ID: {cursor}\r\n")).unwrap_or_default();
        let request = format!("GET /events HTTP/1.1\r\nHost: {}\r\n{returning}\r\n", program.api);
        io.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(io.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("transfer-encoding: chunked") && head.contains("cache-control: no-"), "{head}");
        Self { io, begun: Vec::new(), cursor: cursor.unwrap_or_default().to_owned() }
    }

    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        timeout(WITHIN, self.read()).await.expect("an event")
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.begun.windows(2).position(|two| two == b"\n\n") {
                let event = String::from_utf8(self.begun.drain(..end + 2).collect()).unwrap();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                // A line without a meaning keeps the connection alive.
                let Some(data) = field("data: ") else { continue };
                self.cursor = field("id: ").unwrap().to_owned();
                return Some(serde_json::from_str(data).unwrap());
            }
            let mut size = String::new();
            if self.io.read_line(&mut size).await.unwrap_or(0) == 0 {
                return None;
            }
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            if size == 0 {
                return None;
            }
            let mut chunk = vec![0; size + 2];
            self.io.read_exact(&mut chunk).await.unwrap();
            self.begun.extend_from_slice(&chunk[..size]);
        }
    }
}

fn is_last(event: &Value) -> bool {
    event["type"] == "message" && event["data"]["content"] == "the last"
}

#[tokio::test]
async fn a_client_that_starts_again_fifty_times_hears_what_one_hears_that_stays() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let mut stays = Stream::open(&bob.program, None).await;
    let mut comes_back = Stream::open(&bob.program, None).await;
    let _events = link(&alice, &bob).await;
    let talk = async {
        for n in 0..400 {
            assert_eq!(alice.say("bob", &format!("nr {n}\nñ")).await.status, 200);
            if n % 8 == 0 {
                assert_eq!(bob.say("alice", "yes?").await.status, 200);
            }
        }
        assert_eq!(alice.say("bob", "the last").await.status, 200);
    };
    let all = async {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|event| !is_last(event)) {
            heard.push(stays.next().await.unwrap());
        }
        heard
    };
    let pieces = async {
        let (mut heard, mut starts) = (Vec::<Value>::new(), 0);
        while heard.last().is_none_or(|event| !is_last(event)) {
            heard.push(comes_back.next().await.unwrap());
            if heard.len() % 7 == 0 {
                starts += 1;
                comes_back = Stream::open(&bob.program, Some(&comes_back.cursor)).await;
            }
        }
        (heard, starts)
    };
    let ((), all, (pieces, starts)) = tokio::join!(talk, all, pieces);
    assert!(starts >= 50 && all.len() > 400, "{starts} starts, {} events", all.len());
    assert_eq!(pieces, all);
    assert!(all.iter().all(|event| event["type"] != "gap"));
}

#[tokio::test]
async fn a_cursor_from_before_the_program_began_gets_a_gap_and_all_since() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let mut stream = Stream::open(&alice.program, None).await;
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(stream.next().await.unwrap(), json!({"type": "stopped"}));
    let cursor = stream.cursor.clone();
    let Peer { program, data, .. } = alice;
    program.terminate().await;
    assert_eq!(stream.next().await, None, "a stream ends with the program, and does not hold it up");
    let alice = running_at("alice", &tracker, data).await;
    let mut stream = Stream::open(&alice.program, Some(&cursor)).await;
    assert_eq!(stream.next().await.unwrap(), json!({"type": "gap", "missed": null}));
    assert_eq!(stream.next().await.unwrap(), json!({"type": "started", "username": "alice"}));
}

#[tokio::test]
async fn a_socket_is_told_of_cursors_if_it_asks_and_goes_on_at_one() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    let mut classic = peer.events().await;
    let mut asking = peer.events_at("/ws?cursor=").await;
    assert_eq!(peer.start("alice", 0, tracker.api).await.status, 200);
    assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(classic.happens().await, json!({"type": "started", "username": "alice"}));
    let first = asking.happens().await;
    let cursor = first["cursor"].as_str().unwrap();
    assert_eq!(first, json!({"cursor": cursor, "type": "started", "username": "alice"}));
    let mut back = peer.events_at(&format!("/ws?cursor={cursor}")).await;
    for socket in [&mut asking, &mut back] {
        assert_eq!(socket.happens().await["type"], "stopped");
        socket.say(Message::Text("ping".into())).await;
        assert_eq!(socket.happens().await, json!({"type": "pong"}));
    }
    let mut streamed = Stream::open(&peer.program, Some(cursor)).await;
    assert_eq!(streamed.next().await.unwrap(), json!({"type": "stopped"}));
}

#[tokio::test]
async fn what_is_no_cursor_is_refused() {
    let peer = idle(&[]).await;
    for path in ["/events?cursor=yesterday", "/events?cursor=1-1", "/events?a=b&cursor=%00"] {
        peer.get(path).await.refuses(422, "invalid_input");
    }
    peer.raw("GET", "/events", &[("last-event-id", "\u{ff}")], None).await.refuses(422, "invalid_input");
    peer.ask("POST", "/events", None).await.refuses(405, "wrong_method");
}
