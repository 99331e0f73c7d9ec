//! A client that sends exactly what it is told: the guard is about headers that proper clients set by themselves.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer takes: a connect may dial for ten seconds.
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// As it came.
    pub(crate) bytes: Vec<u8>,
    /// As text.
    pub(crate) body: String,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.status, self.headers, self.body)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A refusal in the one shape, with this status and code.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
        }
    }

    /// An answer of 200 with exactly this JSON.
    #[track_caller]
    pub(crate) fn is(&self, body: &Value) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(&self.json(), body);
    }
}

/// Sends a request with these headers and no others but `Connection` and `Content-Length`.
pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    timeout(WITHIN, exchange(to, method, path, headers, body)).await.expect("an answer in time")
}

async fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
        request.push_str("connection: close\r\n");
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body.unwrap_or_default());
    stream.write_all(request.as_bytes()).await.unwrap();
    read(stream, method != "HEAD").await
}

async fn read(mut stream: TcpStream, has_body: bool) -> Answer {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = head {
            let (status, headers) = parse(std::str::from_utf8(&bytes[..end]).unwrap());
            let mut answer = Answer { status, headers, bytes: bytes.split_off(end + 4), body: String::new() };
            let length = answer.header("content-length").filter(|_| has_body);
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            assert!(answer.header("transfer-encoding").is_none(), "{answer:?}");
            while answer.bytes.len() < length {
                assert!(stream.read_buf(&mut answer.bytes).await.unwrap() > 0, "a body that ends early");
            }
            answer.body = String::from_utf8_lossy(&answer.bytes).into_owned();
            return answer;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "no answer");
    }
}

fn parse(head: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned()));
    (status, headers.collect())
}
