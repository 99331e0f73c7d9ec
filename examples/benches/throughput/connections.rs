//! Many clients that each keep one connection and wait for every answer. As little client as possible: it shares the
//! processor with what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// How many clients there are.
pub(crate) const CONNECTIONS: usize = 64;

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// How many requests a second are answered with 200. `body` makes the next body of the client with this number.
pub(crate) async fn rate(
    server: SocketAddr,
    path: &'static str,
    lasting: Duration,
    body: Arc<dyn Fn(usize) -> String + Send + Sync>,
) -> anyhow::Result<f64> {
    let ready = Arc::new(Barrier::new(CONNECTIONS));
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for client in 0..CONNECTIONS {
        let (ready, body) = (Arc::clone(&ready), Arc::clone(&body));
        clients.spawn(async move {
            let connected = Connection::open(server).await;
            ready.wait().await;
            let mut connection = connected?;
            let (begun, mut answered) = (Instant::now(), 0_u32);
            while begun.elapsed() < lasting {
                connection.post(path, &body(client)).await?;
                answered += 1;
            }
            anyhow::Ok((answered, begun, Instant::now()))
        });
    }
    let (mut answered, mut first, mut last) = (0, None, begun);
    while let Some(client) = clients.join_next().await {
        let (number, from, to) = client??;
        answered += number;
        first = Some(first.map_or(from, |first: Instant| first.min(from)));
        last = last.max(to);
    }
    let took = last.duration_since(first.unwrap_or(begun));
    Ok(f64::from(answered) / took.as_secs_f64())
}

impl Connection {
    async fn open(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4 << 10) })
    }

    async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<()> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.answer.clear();
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "{path}: the connection was closed");
            if whole.is_none() {
                whole = length(&self.answer)?;
            }
        }
        let status = self.answer.get(..12).unwrap_or_default();
        ensure!(status == b"HTTP/1.1 200", "{path}: {}", String::from_utf8_lossy(&self.answer));
        Ok(())
    }
}

/// How long an answer is, head and body, once its head is there.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.context("an answer without a length")?;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}
