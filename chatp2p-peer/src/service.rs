//! Puts the parts together and serves them.

use std::net::SocketAddr;
use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::record::{Host, P2P_PATH};
use chatp2p_service::problem::Allowed;
use chatp2p_service::{Beside, BodyLimit, Dress, Limits, Origins, Tls, docs, serve_over};
use poem::{Endpoint, EndpointExt, Response, Route, get};
use tokio::net::TcpListener;

use crate::access::{self, Access, Asked};
use crate::api;
use crate::config::Options;
use crate::desk::{Desk, DeskError};
use crate::guard::{Guard, Guarded};
use crate::live::{self, Hub};
use crate::p2p;
use crate::shield;
use crate::start::{NodeStarter, Order, Port, Start, StartError};
use crate::ui;

/// Where events are told, over a WebSocket.
pub(crate) const WS_PATH: &str = "/ws";

/// The same as server-sent events.
const EVENTS_PATH: &str = "/events";

/// What is not the API's own: the documentation, the two sockets, the stream of events, and the page.
const BESIDE: &[&str] = &["/docs", "/openapi.json", WS_PATH, EVENTS_PATH, P2P_PATH, ui::PATH];

/// The API over whatever starts nodes.
#[derive(Debug)]
pub struct App {
    desk: Arc<Desk>,
    hub: Arc<Hub>,
    guard: Guard,
    origins: Origins,
    access: Arc<Access>,
    tls: Option<Tls>,
    page: String,
}

impl App {
    /// An API with nothing running behind it yet.
    pub fn new(starter: Arc<dyn Start>, allow_hosts: Vec<Host>, allow_origins: Origins) -> Self {
        let hub = Arc::new(Hub::new());
        Self {
            desk: Desk::new(starter, Arc::clone(&hub)),
            hub,
            guard: Guard::new(allow_hosts, allow_origins.clone()),
            origins: allow_origins,
            access: Arc::default(),
            tls: None,
            page: String::new(),
        }
    }

    /// The same with rules about who may do what; without them callers of this machine are free and no token is right.
    #[must_use]
    pub fn admitting(self, access: Access) -> Self {
        Self { access: Arc::new(access), ..self }
    }

    /// The same over TLS.
    #[must_use]
    pub fn over(self, tls: Tls) -> Self {
        Self { guard: self.guard.over_tls(true), tls: Some(tls), ..self }
    }

    /// What whoever starts the program is told: where it serves, by which certificate, and how the page is opened.
    ///
    /// # Errors
    /// When a link cannot be made.
    pub fn greeting(&self, at: SocketAddr) -> anyhow::Result<Vec<String>> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut lines = vec![format!("peer listening on {scheme}://{at}")];
        if let Some(tls) = &self.tls {
            lines.push(format!("its certificate has the SHA-256 {}", tls.fingerprint()));
        }
        if self.access.is_required()
            && let Some(code) = self.access.add_code(&self.page)?
        {
            lines.push(format!("{}  {}", access::link_to(&self.page, &code), access::good_for()));
        }
        Ok(lines)
    }

    /// Starts the node.
    ///
    /// # Errors
    /// As for [`Start::start`].
    pub async fn start(&self, order: Order) -> Result<(), StartError> {
        match self.desk.start(order).await {
            Err(DeskError::Start(error)) => Err(error),
            Err(error) => Err(StartError::Invalid(error.to_string())),
            Ok(()) => Ok(()),
        }
    }

    /// What answers requests: from the outside in, what every answer needs, the guard, who asks, the routes.
    pub fn endpoint(&self) -> impl Endpoint<Output = Response> + use<> {
        let service = api::service();
        let dress = Dress {
            origins: self.origins.clone(),
            body: BodyLimit::default(),
            allowed: Allowed::from_spec(&service.spec()),
        };
        let pages =
            Route::new().at(WS_PATH, get(live::ws)).at(EVENTS_PATH, get(live::events)).at(P2P_PATH, get(p2p::p2p));
        let pages = docs::routes(ui::routes(pages), &service, "chatp2p peer");
        let routes = Beside::new(pages, BESIDE, service)
            .data(Arc::clone(&self.desk))
            .data(Arc::clone(&self.hub))
            .data(Arc::clone(&self.access))
            .data(p2p::Door::default())
            .with(Asked(Arc::clone(&self.access)))
            .with(Guarded(Arc::new(self.guard.clone())));
        dress.around(routes)
    }

    /// Serves until `shutdown` completes, then stops the node and says goodbye to every socket.
    ///
    /// # Errors
    /// When the listener is unusable.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        // Streams of events would go on for ever: they end first, and then what was asked for before.
        let shutdown = async {
            shutdown.await;
            self.hub.say_goodbye();
        };
        let served = serve_over(listener, self.tls.clone(), self.endpoint(), Limits::default(), shutdown).await;
        // Also when serving failed: the tracker and the others are told that we leave.
        if let Err(error @ DeskError::Panicked) = self.desk.stop().await {
            tracing::error!(%error, "the node was not stopped in good order");
        }
        self.hub.close().await;
        Ok(served?)
    }
}

/// Serves a peer until `shutdown` completes. With [`Options::username`] the node is started first.
///
/// # Errors
/// When the node does not start, or the listener is unusable.
pub async fn run(listener: TcpListener, options: Options, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let app = open(listener.local_addr()?, options).await?;
    app.serve(listener, shutdown).await
}

/// The API of a peer that is to be served at this address. With [`Options::username`] its node runs when this returns.
///
/// # Errors
/// When the node does not start, others may open the folder of the data, or a certificate cannot be used.
pub async fn open(api: SocketAddr, options: Options) -> anyhow::Result<App> {
    let (hosts, origins) = (shield::hosts(api, &options), options.allow_origins.clone());
    let access = Access::open(&options.data_dir, shield::needs_token(api, &options))?;
    let tls = shield::tls(api, &options, &access)?;
    let page = shield::page(api, &options, tls.is_some());
    let username = options.username.clone();
    // Other peers dial `ws://` there, and trust no certificate but their own: what speaks TLS shares its port with nobody.
    let shared = tls.is_none().then_some(api);
    let app = App { page, ..App::new(Arc::new(NodeStarter::new(options, shared)), hosts, origins).admitting(access) };
    let app = match tls {
        Some(tls) => app.over(tls),
        None => app,
    };
    if let Some(username) = username {
        let name = username.to_string();
        // Nobody sits in front of a program that was started again with its machine: it has to find its contacts by itself, also
        // while no tracker is there yet.
        let order =
            Order { username, port: Port::AsOptionsSay, tracker_url: None, may_be_unlisted: true, passphrase: None };
        app.start(order).await.map_err(|error| {
            let flag = match error.code() {
                Code::PortInUse | Code::CannotListen => "; --p2p HOST:PORT moves it",
                Code::TrackerUnreachable | Code::TrackerProtocol => "; --tracker URL names another one",
                Code::ProfileInUse => "; --data-dir DIR keeps this one apart",
                Code::PassphraseRequired => "; --passphrase-file FILE opens it",
                _ => "",
            };
            anyhow::anyhow!("cannot start as {name}: {error}{flag}")
        })?;
    }
    Ok(app)
}

/// The OpenAPI document as it is committed and served, with a line end.
pub fn openapi() -> String {
    api::service().spec() + "\n"
}
