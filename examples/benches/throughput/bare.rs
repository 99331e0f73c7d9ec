//! The least that a tracker could be: poem-openapi parses the same requests, and answers something of the same size.

use std::net::SocketAddr;

use poem::listener::TcpAcceptor;
use poem::{Route, Server};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(Debug, Object)]
struct Register {
    username: String,
    host: String,
    port: u16,
    record: Option<String>,
    signature: Option<String>,
    tracker_id: Option<String>,
}

#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Registration {
    id: i64,
    username: String,
    host: String,
    port: u16,
    is_active: bool,
    last_heartbeat: String,
    peer_id: Option<String>,
    record: Option<String>,
    lease_secret: Option<String>,
}

#[derive(Debug, Object)]
struct Heartbeat {
    username: String,
    counter: Option<u64>,
    mac: Option<String>,
}

#[derive(Debug, Object)]
struct Alive {
    message: String,
    username: String,
}

#[derive(Debug)]
struct Bare;

#[OpenApi]
impl Bare {
    #[oai(path = "/register", method = "post")]
    async fn register(&self, Json(body): Json<Register>) -> Json<Registration> {
        Json(Registration {
            id: 1,
            username: body.username,
            host: body.host,
            port: body.port,
            is_active: true,
            last_heartbeat: "2026-01-31T12:00:00.000Z".to_owned(),
            peer_id: None,
            record: None,
            lease_secret: None,
        })
    }

    #[oai(path = "/heartbeat", method = "post")]
    async fn heartbeat(&self, Json(body): Json<Heartbeat>) -> Json<Alive> {
        Json(Alive { message: "Heartbeat received".to_owned(), username: body.username })
    }
}

/// Serves as long as the set of tasks is there.
pub(crate) async fn serve(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
    let app = Route::new().nest("/", OpenApiService::new(Bare, "bare", "1"));
    tasks.spawn(async move { Ok(server.run(app).await?) });
    Ok(address)
}
