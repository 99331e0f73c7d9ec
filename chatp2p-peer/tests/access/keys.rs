//! What people do on the command line, and how programs then ask.

use std::path::Path;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::Answer;
use crate::play::{Peer, WITHIN};

/// Runs the program with this data until it ends by itself.
pub(crate) async fn command(data: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    let output = command.args(args).arg("--data-dir").arg(data).kill_on_drop(true).output();
    let output = timeout(WITHIN, output).await.expect("a program that ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A token, and the id by which it is revoked.
pub(crate) async fn create(data: &Path, scope: &str) -> (String, String) {
    let (code, out, aside) = command(data, &["token", "create", "--scope", scope, "--name", "a label"]).await;
    assert_eq!(code, Some(0), "{aside}");
    let id = aside.rsplit_once("token revoke ").unwrap().1.split('`').next().unwrap().to_owned();
    (out.trim().to_owned(), id)
}

/// The code of a new link.
pub(crate) async fn link(data: &Path) -> String {
    let (code, out, aside) = command(data, &["link"]).await;
    assert_eq!(code, Some(0), "{aside}");
    out.trim().split_once("/#code=").expect("a link with a code").1.to_owned()
}

/// A request with a token.
pub(crate) async fn with(peer: &Peer, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let value = format!("Bearer {token}");
    let body = body.map(ToString::to_string);
    peer.raw(method, path, &[("authorization", &value)], body.as_deref()).await
}

/// Exchanges a code as the page does.
pub(crate) async fn exchange(peer: &Peer, code: &str) -> Answer {
    peer.ask("POST", "/sessions", Some(&json!({"code": code}))).await
}

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Opens `/ws` with these headers; the status where that is refused.
pub(crate) async fn socket(peer: &Peer, headers: &[(&'static str, &str)]) -> Result<(Socket, Option<String>), u16> {
    let mut request = format!("ws://{}/ws", peer.program.api).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(peer.program.api).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, answer)) => {
            let chosen = answer.headers().get("sec-websocket-protocol");
            Ok((socket, chosen.map(|chosen| chosen.to_str().unwrap().to_owned())))
        }
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// Waits until the peer closes a socket, and says why it did.
pub(crate) async fn closed(mut socket: Socket) -> CloseCode {
    let closing = async {
        loop {
            match socket.next().await.expect("a goodbye").unwrap() {
                Message::Close(frame) => return frame.expect("a reason").code,
                _ => continue,
            }
        }
    };
    timeout(WITHIN, closing).await.expect("a socket that is closed in time")
}
