//! A tracker that lies: it stands before an honest one, and before one where somebody else owns the names. It answers from
//! either as it likes, with what it heard once, or with what it makes up.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatp2p_core::identity::Username;
use chatp2p_service::{Limits, serve};
use poem::endpoint::make;
use poem::http::StatusCode;
use poem::{Body, Request, Response};
use tokio::net::TcpListener;

use crate::lies::{About, Lie, Said, invent, twist};

/// What it says at present.
#[derive(Debug)]
struct Mood {
    lie: Lie,
    /// About whom; everybody if not given.
    about: Option<Username>,
    /// How often it has lied since this is its mood.
    told: usize,
    /// How often it was asked at all.
    turn: u64,
    /// The first answer about each name.
    first: BTreeMap<Username, String>,
}

/// A tracker that serves until the program ends. Clones are handles of the same.
#[derive(Debug, Clone)]
pub(crate) struct EvilTracker {
    pub(crate) url: String,
    honest: String,
    falsehood: String,
    trap: SocketAddr,
    knocks: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
    http: reqwest::Client,
}

impl EvilTracker {
    /// Stands before these two, by their addresses as in `http://localhost:8000`, and is honest for now.
    pub(crate) async fn before(honest: &str, falsehood: &str, bind: SocketAddr) -> anyhow::Result<Self> {
        // The client wants a provider of cryptography. It may be there already; it is never used.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let listener = TcpListener::bind(bind).await?;
        let (trap, knocks) = trap().await?;
        let mood = Mood { lie: Lie::Honest, about: None, told: 0, turn: 0, first: BTreeMap::new() };
        let evil = Self {
            url: format!("http://{}", listener.local_addr()?),
            honest: honest.trim_end_matches('/').to_owned(),
            falsehood: falsehood.trim_end_matches('/').to_owned(),
            trap,
            knocks,
            mood: Arc::new(Mutex::new(mood)),
            http,
        };
        let answering = evil.clone();
        let app = make(move |request: Request| {
            let evil = answering.clone();
            async move { Ok::<_, poem::Error>(evil.answer(request).await) }
        });
        tokio::spawn(serve(listener, app, Limits::default(), std::future::pending()));
        Ok(evil)
    }

    /// From now on it tells this lie, about one name or about all.
    pub(crate) fn tells(&self, lie: Lie, about: Option<&Username>) {
        let mut mood = self.mood();
        (mood.lie, mood.about, mood.told) = (lie, about.cloned(), 0);
    }

    /// How often it has lied since it was told to.
    pub(crate) fn told(&self) -> usize {
        self.mood().told
    }

    /// How often somebody came to the door to which it sends people.
    pub(crate) fn knocks(&self) -> usize {
        self.knocks.load(Ordering::SeqCst)
    }

    fn mood(&self) -> MutexGuard<'_, Mood> {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, mut request: Request) -> Response {
        let method = request.method().as_str().to_owned();
        let path = request.original_uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let about = About::read(&method, &path);
        let (lie, turn) = self.choose(&about);
        if lie == Lie::Silent {
            std::future::pending::<()>().await;
        }
        let said = match invent(lie, &about, turn, self.trap) {
            Some(said) => said,
            None => self.pass_on(lie, &about, turn, &method, &path, request.take_body()).await,
        };
        let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = Response::builder().status(status).content_type("application/json");
        for (name, value) in said.headers {
            response = response.header(name, value);
        }
        response.body(said.body)
    }

    /// What it is going to do about a request, and its number.
    fn choose(&self, about: &About) -> (Lie, u64) {
        let mut mood = self.mood();
        mood.turn += 1;
        let meant = match (&mood.about, about) {
            (Some(name), About::Name(asked)) => name == asked,
            _ => true,
        };
        let lie = if meant && mood.lie.concerns(about) { mood.lie } else { Lie::Honest };
        mood.told += usize::from(lie != Lie::Honest);
        (lie, mood.turn)
    }

    async fn pass_on(&self, lie: Lie, about: &About, turn: u64, method: &str, path: &str, body: Body) -> Said {
        let base = if lie == Lie::Swap { &self.falsehood } else { &self.honest };
        let answer = match self.forward(base, method, path, body).await {
            Ok(answer) => answer,
            Err(error) => return Said::new(502, format!("the honest tracker: {error}")),
        };
        let (status, link, text) = answer;
        if let (About::Name(name), 200, false) = (about, status, lie == Lie::Swap) {
            self.mood().first.entry(name.clone()).or_insert_with(|| text.clone());
        }
        let first = if let About::Name(name) = about { self.mood().first.get(name).cloned() } else { None };
        if let Some(said) = twist(lie, &text, first.as_deref(), turn).filter(|_| status == 200) {
            return said;
        }
        let mut said = Said::new(status, text);
        said.headers.extend(link.map(|link| ("link", link)));
        said
    }

    async fn forward(
        &self,
        base: &str,
        method: &str,
        path: &str,
        body: Body,
    ) -> anyhow::Result<(u16, Option<String>, String)> {
        let request = self.http.request(method.parse()?, format!("{base}{path}"));
        let body = body.into_string().await.map_err(io::Error::other)?;
        let request = if body.is_empty() { request } else { request.header("content-type", "application/json") };
        let answer = request.body(body).send().await?;
        let link = answer.headers().get("link").and_then(|link| link.to_str().ok()).map(str::to_owned);
        Ok((answer.status().as_u16(), link, answer.text().await?))
    }
}

/// A door on this machine at which nobody lives; counts who knocks.
async fn trap() -> io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let knocks = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&knocks);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            drop(socket);
        }
    });
    Ok((at, knocks))
}
