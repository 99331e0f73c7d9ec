//! How the API is kept from who listens on the way, and what is demanded where it leaves this machine: there it asks
//! everybody for a token, and speaks TLS unless somebody said in so many words that it shall not.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use chatp2p_core::record::Host;
use chatp2p_core::storage::private;
use chatp2p_service::Tls;
use chatp2p_service::tls::{Pem, self_signed};

use crate::access::Access;
use crate::config::{Encryption, Options};
use crate::secret_file;

/// What the peer's own certificate and its key are called.
pub(crate) const CERTIFICATE: &str = "tls-cert.pem";
const KEY: &str = "tls-key.pem";

/// Whether everybody needs a token at an API that listens there.
pub(crate) const fn needs_token(at: SocketAddr, options: &Options) -> bool {
    options.require_token || !at.ip().is_loopback()
}

/// The identity that the API shows there; `None` for plain HTTP.
///
/// # Errors
/// When a certificate or its key cannot be used, or none can be kept.
pub(crate) fn tls(at: SocketAddr, options: &Options, access: &Access) -> anyhow::Result<Option<Tls>> {
    match &options.encryption {
        Encryption::Files { cert, key } => given(cert, key).map(Some),
        Encryption::AsNeeded if at.ip().is_loopback() || options.insecure_http => Ok(None),
        Encryption::AsNeeded => {
            let folder = access.folder()?.context("there is no folder to keep a certificate in")?;
            own(folder, names(at.ip(), options)).map(Some)
        }
    }
}

fn given(cert: &Path, key: &Path) -> anyhow::Result<Tls> {
    let chain = fs::read(cert).with_context(|| format!("cannot read --tls-cert {}", cert.display()))?;
    let secret = secret_file::read("--tls-key", key)?;
    Tls::from_pem(&chain, &secret)
        .with_context(|| format!("cannot use --tls-cert {} with --tls-key {}", cert.display(), key.display()))
}

/// The certificate that this peer made for itself; makes one where there is none.
fn own(folder: &Path, names: Vec<String>) -> anyhow::Result<Tls> {
    let (cert, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !cert.exists() || !key.exists() {
        let made: Pem = self_signed(names).context("cannot make a certificate; --tls-cert and --tls-key name one")?;
        let kept = private::write_whole(folder, KEY, made.key.as_bytes())
            .and_then(|()| private::write_whole(folder, CERTIFICATE, made.cert.as_bytes()));
        kept.with_context(|| format!("cannot keep a certificate in {}", folder.display()))?;
    }
    if !private::is_private(&key).with_context(|| format!("cannot read {}", key.display()))? {
        anyhow::bail!("others may open {0}: `chmod 600 {0}` makes it yours alone", key.display());
    }
    given(&cert, &key).with_context(|| format!("remove {} to have another one made", cert.display()))
}

/// Under which names people come, as far as one can know.
fn names(at: IpAddr, options: &Options) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let further = options.allow_hosts.iter().map(|host| match host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.to_string(),
    });
    let own = (!at.is_unspecified()).then(|| at.to_string());
    for name in further.chain(own) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The hosts by which the API is known there: those that were named, and the one address at which it listens. An address
/// is nobody's to give away, so that no name server can lead another page to it.
pub(crate) fn hosts(at: SocketAddr, options: &Options) -> Vec<Host> {
    let own = (!at.ip().is_loopback() && !at.ip().is_unspecified()).then(|| Host::Ip(at.ip()));
    options.allow_hosts.iter().cloned().chain(own).collect()
}

/// Where people find the page.
pub(crate) fn page(at: SocketAddr, options: &Options, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let host = if at.ip().is_loopback() { None } else { hosts(at, options).into_iter().next() };
    match (host, at.ip()) {
        (Some(host), _) => format!("{scheme}://{host}:{}", at.port()),
        // Somebody chose this one, and `localhost` may lead to the other.
        (None, IpAddr::V6(ip)) if ip.is_loopback() => format!("{scheme}://{at}"),
        (None, _) => format!("{scheme}://localhost:{}", at.port()),
    }
}
