//! The server of somebody else's page, which takes the page's report.

use std::net::SocketAddr;

use poem::endpoint::make_sync;
use poem::listener::TcpAcceptor;
use poem::web::Html;
use poem::{Request, Route, Server, endpoint, get, post};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::play::WITHIN;

const PAGE: &str = include_str!("page.html");

/// A site with the one page.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) at: SocketAddr,
    reports: mpsc::Receiver<String>,
    _serving: JoinSet<()>,
}

impl Site {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (sender, reports) = mpsc::channel(1);
        let report = endpoint::make(move |request: Request| {
            let sender = sender.clone();
            async move {
                let body = request.into_body().into_string().await?;
                // Whoever does not wait for it any more has failed already.
                sender.send(body).await.ok();
                Ok::<_, poem::Error>(())
            }
        });
        let app = Route::new().at("/", get(make_sync(|_| Html(PAGE)))).at("/report", post(report));
        let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { server.run(app).await.unwrap() });
        Self { at, reports, _serving: serving }
    }

    /// The address of the page, by one of this machine's names.
    pub(crate) fn page(&self, name: &str, query: &[(&str, &str)]) -> String {
        let query: Vec<String> =
            query.iter().map(|(key, value)| format!("{key}={}", value.replace(' ', "%20"))).collect();
        format!("http://{name}:{}/?{}", self.at.port(), query.join("&"))
    }

    /// What the page tried, and what came of it.
    pub(crate) async fn report(&mut self) -> Vec<(String, String)> {
        let report = timeout(WITHIN, self.reports.recv()).await.expect("a report in time").unwrap();
        serde_json::from_str(&report).unwrap()
    }
}
