//! The least that a link could be: WebSocket frames of the same size over a socket of the same kind, one frame a message,
//! neither sealed nor kept.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

type Socket = WebSocketStream<TcpStream>;

async fn pair() -> anyhow::Result<(Socket, Socket)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, server) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (client, (server, _)) = (client?, server?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok((
        WebSocketStream::from_raw_socket(client, Role::Client, None).await,
        WebSocketStream::from_raw_socket(server, Role::Server, None).await,
    ))
}

/// How many frames a second arrive when they are sent one behind the other.
pub(crate) async fn rate(text: &str, frames: usize) -> anyhow::Result<f64> {
    let (mut from, mut to) = pair().await?;
    let message = Message::binary(text.as_bytes().to_vec());
    let begun = Instant::now();
    let sending = tokio::spawn(async move {
        for _ in 0..frames {
            from.send(message.clone()).await?;
        }
        anyhow::Ok(from)
    });
    for _ in 0..frames {
        to.next().await.context("the socket was closed")??;
    }
    let took = begun.elapsed();
    sending.await??;
    Ok(frames as f64 / took.as_secs_f64())
}

/// How long each frame takes when the next one is sent only once it has arrived.
pub(crate) async fn latencies(text: &str, frames: usize) -> anyhow::Result<Vec<Duration>> {
    let (mut from, mut to) = pair().await?;
    let message = Message::binary(text.as_bytes().to_vec());
    let (arrived, mut arrivals) = mpsc::channel(1);
    let receiving = tokio::spawn(async move {
        while let Some(frame) = to.next().await {
            if frame.is_err() || arrived.send(()).await.is_err() {
                break;
            }
        }
    });
    let mut all = Vec::with_capacity(frames);
    for _ in 0..frames {
        let begun = Instant::now();
        from.send(message.clone()).await?;
        arrivals.recv().await.context("the socket was closed")?;
        all.push(begun.elapsed());
    }
    drop(from);
    receiving.await?;
    Ok(all)
}
