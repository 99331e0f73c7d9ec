//! Finding the peer that runs, and asking it. Whatever answers is not trusted: answers are bounded, redirects not followed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, StatusCode, Url};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::access;
use crate::config::Doctor;
use crate::secret_file;
use crate::shield;

/// How long the peer may take: it asks its tracker, for five seconds at most.
const WITHIN: Duration = Duration::from_secs(15);

/// How long it may take to take a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The largest answer: a thousand contacts for whom something waits.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// What to do where something else answers.
const ELSEWHERE: &str = "next: say where the peer serves with --url URL";

/// How to ask.
pub(super) struct Asking {
    client: Client,
    /// Where the peer may be, likeliest first.
    places: Vec<Url>,
    token: Option<Zeroizing<String>>,
}

/// What came back.
pub(super) enum Answer {
    /// What was asked for.
    Told(Value),
    /// A refusal, as the API words it.
    Refused(Value),
}

impl Asking {
    pub(super) fn new(bind: SocketAddr, data_dir: Option<&Path>, what: &Doctor) -> anyhow::Result<Self> {
        let places = match &what.url {
            Some(url) => vec![address(url)?],
            None => {
                let page = data_dir.and_then(access::last_page);
                let bound = here(bind);
                page.iter().chain(&bound).map(|url| address(url)).collect::<anyhow::Result<_>>()?
            }
        };
        let token = what.token_file.as_deref().map(token).transpose()?;
        Ok(Self { client: client(data_dir)?, places, token })
    }

    pub(super) async fn ask(&self, peer: Option<&str>) -> anyhow::Result<Answer> {
        let mut silent = Vec::new();
        for place in &self.places {
            match self.ask_at(place, peer).await {
                Err(error) if error.is_connect() || error.is_timeout() => {
                    silent.push(format!("{place} ({})", root(&error)));
                }
                Err(error) => {
                    anyhow::bail!("what answers at {place} is no chatp2p peer: {}\n{ELSEWHERE}", root(&error))
                }
                Ok((status, body)) => return read(place, status, &body),
            }
        }
        silent.dedup();
        anyhow::bail!(
            "nothing answers at {}\nnext: start the peer (`chatp2p-peer --username NAME`), or say where it serves with --url URL",
            silent.join(" or ")
        )
    }

    async fn ask_at(&self, place: &Url, peer: Option<&str>) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let mut url = place.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("diagnostics").extend(peer);
        }
        let request = self.client.get(url);
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        };
        let mut answer = request.send().await?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        Ok((status, body))
    }
}

fn read(place: &Url, status: StatusCode, body: &[u8]) -> anyhow::Result<Answer> {
    let value = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let value = value.with_context(|| format!("what answers at {place} is no chatp2p peer\n{ELSEWHERE}"))?;
    Ok(if status.is_success() { Answer::Told(value) } else { Answer::Refused(value) })
}

/// What was at the bottom of an error: whether nobody listens, or a certificate is not trusted.
fn root(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

fn address(url: &str) -> anyhow::Result<Url> {
    let wrong = || format!("--url {url}: an address as in http://localhost:3000 is needed");
    let url: Url = url.trim().parse().with_context(wrong)?;
    anyhow::ensure!(matches!(url.scheme(), "http" | "https") && url.has_host(), wrong());
    Ok(url)
}

/// Where a peer that listens there is found on this machine: in plain HTTP, or over TLS.
fn here(bind: SocketAddr) -> Vec<String> {
    let mut at = bind;
    if at.ip().is_unspecified() {
        at.set_ip(if at.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let plain = format!("http://{at}");
    if bind.ip().is_loopback() { vec![plain] } else { vec![format!("https://{at}"), plain] }
}

fn token(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let content = secret_file::read("--token-file", file)?;
    let text = std::str::from_utf8(&content).ok().map(str::trim);
    let fine = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = text.filter(fine).with_context(|| format!("--token-file {} holds no token", file.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Trusts whom this machine trusts, and the certificate that the peer made for itself.
fn client(data_dir: Option<&Path>) -> anyhow::Result<Client> {
    let own = data_dir.map(|dir| dir.join(access::FOLDER).join(shield::CERTIFICATE));
    let own = own.and_then(|file| CertificateDer::from_pem_file(file).ok());
    let provider = Arc::new(default_provider());
    let verifier = Verifier::new_with_extra_roots(own, Arc::clone(&provider));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match verifier {
        Ok(verifier) => config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        // A machine without any certificates can still ask over plain HTTP; nothing is ever verified by this.
        Err(_) => config.with_root_certificates(rustls::RootCertStore::empty()),
    };
    let client = Client::builder()
        .tls_backend_preconfigured(config.with_no_client_auth())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(WITHIN)
        .build()?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_listens_everywhere_is_asked_on_this_machine() {
        let here = |bind: &str| super::here(bind.parse().unwrap());
        assert_eq!(here("127.0.0.1:3000"), ["http://127.0.0.1:3000"]);
        assert_eq!(here("0.0.0.0:3000"), ["https://127.0.0.1:3000", "http://127.0.0.1:3000"]);
        assert_eq!(here("[::]:3000"), ["https://[::1]:3000", "http://[::1]:3000"]);
        assert_eq!(here("192.168.1.5:3000"), ["https://192.168.1.5:3000", "http://192.168.1.5:3000"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "localhost:3000", "ftp://localhost", "http://"] {
            assert!(address(url).is_err(), "{url}");
        }
    }
}
