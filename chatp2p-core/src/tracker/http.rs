//! A tracker somewhere else, reached over HTTP. Whatever answers is not trusted: answers are bounded, records are
//! verified, redirects are not followed.

mod near;
mod wire;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use rustls_platform_verifier::BuilderVerifierExt;
use serde::de::DeserializeOwned;

use crate::identity::Username;
use crate::record::Reach;

use super::{
    Claim, DEFAULT_MAX_REGISTRATIONS, Lease, LeaseAction, MAX_PAGE, Page, PeerQuery, Registration, Tracker,
    TrackerError, TrackerHealth,
};

use near::{NearOnly, TooFar, is_near};
use wire::{Beat, Done, Health, Listed, Problem, Register};

/// How long to wait for a connection: a tracker that needs longer is not there for a person who waits.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a whole request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection is kept for the next request. Shorter than any usual server keeps it, so that no request meets a
/// connection that is just being closed; and so short that hardly any is left of a network that the machine is not in any
/// more, where a request would get no answer. What is asked in a row comes faster.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);

/// The largest answer about one name in bytes: a record at its bound is 5.5 kB as text.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The largest page of a listing in bytes: [`MAX_PAGE`] records at their bound.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// The most bytes of a listing that is asked for as a whole; what lies behind is said to be there and left to further pages.
const MAX_LISTING_BYTES: usize = 256 << 20;

/// A tracker somewhere else.
#[derive(Clone)]
pub struct HttpTracker {
    client: Client,
    base: Url,
    /// Whether it may be used without TLS beyond the local network.
    anywhere: bool,
    /// The farthest address that has answered, by its place in [`REACHES`]; 0 for none.
    reach: Arc<AtomicU8>,
}

/// From near to far.
const REACHES: [Reach; 4] = [Reach::Process, Reach::Loopback, Reach::Private, Reach::Public];

/// What came back, whole and within its bound.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl HttpTracker {
    /// The tracker at this URL: `https`, or `http` on this machine and in the local network, perhaps with a path under which
    /// it is served. Connects only when used.
    ///
    /// The environment's proxies are not used, and no TLS provider has to be installed. Certificates are judged as the
    /// operating system does.
    ///
    /// # Errors
    /// [`TrackerError::Invalid`] for anything that is no such URL; [`Unreachable`](TrackerError::Unreachable) for `https`
    /// where the system knows no certificates; [`Insecure`](TrackerError::Insecure) for `http` and an address beyond the local
    /// network. Where a name leads is found out, and refused, when it is used.
    pub fn new(url: &str) -> Result<Self, TrackerError> {
        Self::at(url, false)
    }

    /// The same, also without TLS beyond the local network: whoever is on the way can read and change what the tracker says.
    ///
    /// # Errors
    /// As for [`new`](Self::new), without `Insecure`.
    pub fn new_insecure(url: &str) -> Result<Self, TrackerError> {
        Self::at(url, true)
    }

    fn at(url: &str, insecure: bool) -> Result<Self, TrackerError> {
        let invalid = || TrackerError::Invalid {
            reason: "a tracker's address is needed, as in http://localhost:8000, without user, query or fragment"
                .to_owned(),
        };
        let base: Url = url.trim().parse().map_err(|_| invalid())?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none()
            && base.has_host();
        if !plain || !matches!(base.scheme(), "http" | "https") {
            return Err(invalid());
        }
        let anywhere = insecure || base.scheme() == "https";
        let literal = base.host_str().unwrap_or_default().trim_matches(['[', ']']).parse::<IpAddr>();
        if !anywhere && literal.is_ok_and(|ip| !is_near(ip)) {
            return Err(TrackerError::Insecure { host: base.host_str().unwrap_or_default().to_owned() });
        }
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| TrackerError::Unreachable {
            url: base.to_string(),
            source: Some(source),
        };
        let tls = tls_config(base.scheme() == "https").map_err(|error| unusable(Box::new(error)))?;
        let client = Client::builder();
        let client = if anywhere { client } else { client.dns_resolver(NearOnly) };
        let client = client
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .pool_idle_timeout(IDLE_CONNECTION)
            .user_agent(concat!("chatp2p/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(Box::new(error)))?;
        Ok(Self { client, base, anywhere, reach: Arc::new(AtomicU8::new(0)) })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The address of this machine on the way to the tracker: where others who use it are likely to reach this machine.
    /// `None` when there is no way to it now.
    pub async fn local_address(&self) -> Option<IpAddr> {
        let host = self.base.host_str()?.trim_matches(['[', ']']).to_owned();
        let port = self.base.port_or_known_default()?;
        let connecting = async {
            for address in tokio::net::lookup_host((host, port)).await.ok()? {
                if (self.anywhere || is_near(address.ip()))
                    && let Ok(stream) = tokio::net::TcpStream::connect(address).await
                {
                    return stream.local_addr().ok();
                }
            }
            None
        };
        let local = tokio::time::timeout(CONNECT_WITHIN, connecting).await.ok()??;
        Some(local.ip())
    }

    /// The address from which this machine would set out for the tracker, whether anybody answers there or not: the system
    /// is asked for the way, and nothing is sent.
    pub async fn departing_address(&self) -> Option<IpAddr> {
        let host = self.base.host_str()?.trim_matches(['[', ']']).to_owned();
        let port = self.base.port_or_known_default()?;
        let found = tokio::time::timeout(CONNECT_WITHIN, tokio::net::lookup_host((host, port))).await.ok()?.ok()?;
        for address in found.filter(|address| self.anywhere || is_near(address.ip())) {
            let any: IpAddr =
                if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            if let Ok(socket) = tokio::net::UdpSocket::bind((any, 0)).await
                && socket.connect(address).await.is_ok()
            {
                return Some(socket.local_addr().ok()?.ip());
            }
        }
        None
    }

    /// How far the tracker is by what its address says. A name says nothing, but for the one that always means this machine.
    fn reach_by_address(&self) -> Reach {
        let host = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(ip) => Reach::across(ip),
            Err(_) if host == "localhost" => Reach::Loopback,
            Err(_) => Reach::Public,
        }
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.client.request(method, url)
    }

    async fn send(&self, request: RequestBuilder, limit: usize) -> Result<Answer, TrackerError> {
        let mut response = request.send().await.map_err(|error| self.unreachable(error))?;
        // Known before the answer is believed: whoever asks how far the tracker is has the answer then.
        let across = response.remote_addr().map_or(Reach::Public, |address| Reach::across(address.ip()));
        let place = REACHES.iter().position(|reach| *reach == across).unwrap_or(REACHES.len());
        self.reach.fetch_max(u8::try_from(place).unwrap_or(u8::MAX), Ordering::SeqCst);
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > limit {
                return Err(self.protocol(format!("an answer of more than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request about one name, and reads the answer or the refusal.
    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder, name: &Username) -> Result<T, TrackerError> {
        let answer = self.send(request, MAX_ANSWER_BYTES).await?;
        self.read(&answer, Some(name))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer, name: Option<&Username>) -> Result<T, TrackerError> {
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .map_err(|error| self.protocol(format!("an answer with {}", wire::fault(&error))));
        }
        match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => Err(problem.into_error(self.url(), answer.status.as_u16(), name)),
            // A gateway speaks for a tracker that is away.
            Err(_) if matches!(answer.status.as_u16(), 502..=504) => {
                Err(TrackerError::Unreachable { url: self.url().to_owned(), source: None })
            }
            Err(_) => Err(self.protocol(format!("status {} without a reason", answer.status.as_u16()))),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> TrackerError {
        if TooFar::is_reason_of(&error) {
            return TrackerError::Insecure { host: self.base.host_str().unwrap_or_default().to_owned() };
        }
        // The address of a farewell carries its proof.
        TrackerError::Unreachable { url: self.url().to_owned(), source: Some(Box::new(error.without_url())) }
    }

    fn protocol(&self, reason: String) -> TrackerError {
        TrackerError::Protocol { url: self.url().to_owned(), reason }
    }
}

#[async_trait]
impl Tracker for HttpTracker {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        let name = claim.username();
        let request = self.request(Method::POST, &["register"], &[]).json(&Register::new(&claim));
        let granted: Listed = self.ask(request, name).await?;
        let secret = granted.secret().map_err(|reason| self.protocol(reason))?;
        let registration = granted.into_registration().map_err(|reason| self.protocol(reason))?;
        if registration.username != *name {
            return Err(self.protocol("a registration of another name".to_owned()));
        }
        Ok(Lease::new(registration.username, secret))
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        let name = lease.username();
        let beat = Beat::new(name, lease.prove(LeaseAction::Heartbeat));
        let request = self.request(Method::POST, &["heartbeat"], &[]).json(&beat);
        self.ask(request, name).await.map(|Done { .. }| ())
    }

    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        let name = lease.username();
        let proof = lease.prove(LeaseAction::Unregister);
        let query = proof.map_or_else(Vec::new, |proof| {
            vec![("counter", proof.counter.to_string()), ("mac", wire::to_text(&proof.mac))]
        });
        let request = self.request(Method::DELETE, &["unregister", name.as_str()], &query);
        self.ask(request, name).await.map(|Done { .. }| ())
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        let request = self.request(Method::GET, &["peers", name.as_str()], &[]);
        let listed: Listed = match self.ask(request, name).await {
            Err(TrackerError::Unknown { .. }) => return Ok(None),
            other => other?,
        };
        let registration = listed.into_registration().map_err(|reason| self.protocol(reason))?;
        if registration.username != *name {
            return Err(self.protocol("a registration of another name".to_owned()));
        }
        Ok(Some(registration).filter(|registration| registration.is_active))
    }

    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        let wanted = query.limit.unwrap_or(usize::MAX).min(DEFAULT_MAX_REGISTRATIONS);
        let mut after = query.after;
        let (mut items, mut bytes, mut asked) = (Vec::new(), 0, 0);
        loop {
            let limit = wanted.saturating_sub(asked).clamp(1, MAX_PAGE);
            let mut parameters = vec![("limit", limit.to_string())];
            parameters.extend(query.prefix.clone().map(|prefix| ("prefix", prefix)));
            parameters.extend(after.clone().map(|after| ("cursor", after)));
            let answer = self.send(self.request(Method::GET, &["peers"], &parameters), MAX_PAGE_BYTES).await?;
            let listed: Vec<Listed> = self.read(&answer, None)?;
            bytes += answer.body.len();
            let last = listed.last().map(|listed| listed.username.clone());
            if last.is_some() && last <= after {
                return Err(self.protocol("a listing that does not go on after its cursor".to_owned()));
            }
            let room = wanted.saturating_sub(asked);
            let more = listed.len() > room || has_next(&answer.headers);
            asked += listed.len();
            // One liar in the list is no reason to see nobody.
            items.extend(listed.into_iter().take(room).filter_map(|listed| listed.into_registration().ok()));
            if !more || last.is_none() || asked >= wanted || bytes >= MAX_LISTING_BYTES {
                return Ok(Page { items, more });
            }
            after = last;
        }
    }

    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        let answer = self.send(self.request(Method::GET, &["health"], &[]), MAX_ANSWER_BYTES).await?;
        self.read::<Health>(&answer, None)?.into_health().map_err(|reason| self.protocol(reason))
    }

    fn reach(&self) -> Reach {
        // Nothing that answers over a socket is in this process: the first place stands for no answer.
        match self.reach.load(Ordering::SeqCst) {
            0 => self.reach_by_address(),
            place => REACHES.get(usize::from(place)).copied().unwrap_or(Reach::Public),
        }
    }

    fn address(&self) -> Option<String> {
        Some(self.url().to_owned())
    }
}

impl fmt::Debug for HttpTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTracker").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// reqwest would look for a process-wide TLS provider, which an embedder need not have installed, and panic without one.
fn tls_config(used: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = if used {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        // A machine without any certificates can still use plain HTTP; nothing is ever verified by this.
        builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether there is a page behind this one (RFC 8288).
fn has_next(headers: &HeaderMap) -> bool {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(';')).any(|parameter| {
        let parameter = parameter.split(',').next().unwrap_or_default().trim();
        parameter.eq_ignore_ascii_case("rel=\"next\"") || parameter.eq_ignore_ascii_case("rel=next")
    })
}

#[cfg(feature = "test-utils")]
impl HttpTracker {
    /// Whether an answer with this status and body would be believed, as one of each kind: about one name, a listing, the
    /// tracker's health, or a refusal.
    pub(crate) fn believes(kind: u8, status: u16, body: &[u8]) -> bool {
        let listed = |listed: Listed| listed.secret().is_ok() && listed.into_registration().is_ok();
        match kind % 4 {
            0 => serde_json::from_slice(body).is_ok_and(listed),
            1 => serde_json::from_slice::<Vec<Listed>>(body)
                .is_ok_and(|all| !all.is_empty() && all.into_iter().all(listed)),
            2 => serde_json::from_slice::<Health>(body).is_ok_and(|health| health.into_health().is_ok()),
            _ => serde_json::from_slice::<Problem>(body).is_ok_and(|problem| {
                let error = problem.into_error("http://localhost:8000", status, "alice".parse().ok().as_ref());
                // What a tracker says about itself is shown to people and written into logs.
                assert!(!error.to_string().contains(char::is_control), "a tracker writes into logs as it likes");
                true
            }),
        }
    }
}
