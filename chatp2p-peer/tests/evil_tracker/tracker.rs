//! A tracker that lies: it stands before an honest one and before one where somebody else owns bob's name, and answers from
//! either as it likes, or with what it heard once, or says that nobody is there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chatp2p_service::{Limits, serve};
use poem::endpoint::make;
use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use tokio::net::TcpListener;

use crate::http;

/// How it answers when somebody asks for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    /// With another key.
    Swap,
    /// With the first record that it ever saw.
    Replay,
    /// That nobody goes by it.
    Drop,
}

#[derive(Debug)]
struct Lies {
    mood: Mood,
    old: Option<String>,
    told: usize,
}

/// A tracker that serves until the test ends.
#[derive(Debug, Clone)]
pub(crate) struct EvilTracker {
    pub(crate) url: String,
    lies: Arc<Mutex<Lies>>,
}

impl EvilTracker {
    /// Stands before these two.
    pub(crate) async fn before(honest: SocketAddr, falsehood: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let lies = Arc::new(Mutex::new(Lies { mood: Mood::Honest, old: None, told: 0 }));
        let evil = Self { url, lies };
        let answering = evil.clone();
        let app = make(move |request: Request| {
            let evil = answering.clone();
            async move { Ok::<_, poem::Error>(evil.answer(request, honest, falsehood).await) }
        });
        tokio::spawn(serve(listener, app, Limits::default(), std::future::pending()));
        evil
    }

    pub(crate) fn is(&self, mood: Mood) {
        let mut lies = self.lies.lock().unwrap();
        (lies.mood, lies.told) = (mood, 0);
    }

    /// How often it has lied since it changed its mood.
    pub(crate) fn told(&self) -> usize {
        self.lies.lock().unwrap().told
    }

    async fn answer(&self, mut request: Request, honest: SocketAddr, falsehood: SocketAddr) -> Response {
        let path = request.original_uri().to_string();
        let asks_for_bob = request.method() == Method::GET && path.starts_with("/peers/bob");
        let mood = if asks_for_bob { self.lies.lock().unwrap().mood } else { Mood::Honest };
        if mood != Mood::Honest {
            self.lies.lock().unwrap().told += 1;
        }
        let from = if mood == Mood::Swap { falsehood } else { honest };
        let body = request.take_body().into_string().await.unwrap();
        let host = from.to_string();
        let headers = [("host", host.as_str()), ("content-type", "application/json")];
        let body = Some(body.as_str()).filter(|body| !body.is_empty());
        let headers = if body.is_some() { &headers[..] } else { &headers[..1] };
        let answer = http::send(from, request.method().as_str(), &path, headers, body).await;
        let (mut status, mut text) = (answer.status, answer.body.clone());
        if asks_for_bob && status == 200 {
            let old = self.lies.lock().unwrap().old.get_or_insert_with(|| text.clone()).clone();
            match mood {
                Mood::Replay => text = old,
                Mood::Drop => (status, text) = (404, r#"{"detail":"nobody","code":"unknown_peer"}"#.to_owned()),
                Mood::Honest | Mood::Swap => {}
            }
        }
        let content_type = answer.header("content-type").unwrap_or("application/json").to_owned();
        Response::builder().status(StatusCode::from_u16(status).unwrap()).content_type(content_type).body(text)
    }
}
