//! A client that keeps its connection: whatever it says goes out in order, and it remembers what was answered.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take, a program that was killed in the middle of it included.
const WITHIN: Duration = Duration::from_secs(30);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was answered with this status.
    Answered(u16),
    /// There was no answer: nobody can say whether it was taken.
    Unanswered,
    /// There is nobody to say it to.
    Away,
}

/// One connection to an API, opened when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Line {
    stream: Option<(SocketAddr, BufReader<TcpStream>)>,
}

impl Line {
    /// Sends a message.
    pub(crate) async fn say(&mut self, api: SocketAddr, to: &str, content: &str) -> Said {
        let body = json!({"peer_username": to, "content": content}).to_string();
        let mut stream = match self.stream.take() {
            Some((at, stream)) if at == api => stream,
            _ => match TcpStream::connect(api).await {
                Ok(stream) => BufReader::new(stream),
                Err(_) => return Said::Away,
            },
        };
        let answer = timeout(WITHIN, exchange(&mut stream, api, &body)).await.expect("an answer or an end in time");
        let Some(status) = answer else { return Said::Unanswered };
        self.stream = Some((api, stream));
        Said::Answered(status)
    }
}

async fn exchange(stream: &mut BufReader<TcpStream>, api: SocketAddr, body: &str) -> Option<u16> {
    let request = format!(
        "POST /send HTTP/1.1\r\nhost: {api}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes()).await.ok()?;
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match status {
            None => status = line.split(' ').nth(1).and_then(|status| status.parse().ok()),
            Some(_) => {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().expect("a length");
                }
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    status
}
