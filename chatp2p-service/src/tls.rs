//! TLS for an API that is served beyond its machine: by a certificate that somebody gave, or by one that is made here.
//!
//! TLS 1.3 alone: every browser and library of this decade speaks it, and nothing in it has to be switched off.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The application protocol that is served. Browsers would rather have `h2`, and have to be told.
const ALPN: &[u8] = b"http/1.1";

/// The identity of a server, ready to shake hands.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    fingerprint: String,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// A certificate and its key, in PEM.
pub struct Pem {
    /// The certificate.
    pub cert: String,
    /// The key, which is nobody's business.
    pub key: String,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate is none.
    #[error("there is no certificate in PEM in it (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The key is none.
    #[error("there is no private key in PEM in it (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The two do not belong together, or cannot be used.
    #[error("the certificate and the key cannot be used together")]
    Unusable(#[from] rustls::Error),
    /// None can be made.
    #[error("no certificate can be made")]
    Made(#[from] rcgen::Error),
}

impl Tls {
    /// The identity of a certificate (the server's own first, then its chain) and its key.
    ///
    /// # Errors
    /// When either is none, or the two do not belong together.
    pub fn from_pem(cert: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
        let chain = chain.map_err(|_| TlsError::NoCertificate)?;
        let own = chain.first().ok_or(TlsError::NoCertificate)?;
        let fingerprint = fingerprint(own);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint })
    }

    /// The SHA-256 of the certificate, as browsers show it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Shakes hands with a client.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }
}

/// Makes a certificate that nobody vouches for, for these names and addresses. Whoever compares its fingerprint knows that
/// nobody stands in between; it has no end that anybody would notice, because a new one would have to be compared again.
///
/// # Errors
/// When a name is none, or the system gives no randomness.
pub fn self_signed(names: Vec<String>) -> Result<Pem, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "chatp2p");
    let cert = params.self_signed(&key)?;
    Ok(Pem { cert: cert.pem(), key: key.serialize_pem() })
}

fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Pem {
        self_signed(vec!["localhost".to_owned(), "192.168.1.5".to_owned()]).unwrap()
    }

    #[test]
    fn what_is_made_here_can_be_used_and_is_never_the_same() {
        let (one, other) = (made(), made());
        let tls = Tls::from_pem(one.cert.as_bytes(), one.key.as_bytes()).unwrap();
        assert_eq!(tls.fingerprint().len(), 32 * 3 - 1);
        let again = Tls::from_pem(one.cert.as_bytes(), one.key.as_bytes()).unwrap();
        assert_eq!(tls.fingerprint(), again.fingerprint());
        assert_ne!(
            tls.fingerprint(),
            Tls::from_pem(other.cert.as_bytes(), other.key.as_bytes()).unwrap().fingerprint()
        );
        assert!(!format!("{one:?} {tls:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_is_no_certificate_no_key_or_no_pair_is_refused() {
        let (one, other) = (made(), made());
        let tried = |cert: &str, key: &str| Tls::from_pem(cert.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(matches!(tried("", &one.key), TlsError::NoCertificate));
        assert!(matches!(tried(&one.key, &one.key), TlsError::NoCertificate));
        assert!(matches!(tried(&one.cert, ""), TlsError::NoKey));
        assert!(matches!(tried(&one.cert, &one.cert), TlsError::NoKey));
        assert!(matches!(tried(&one.cert, &other.key), TlsError::Unusable(_)));
        assert!(matches!(self_signed(vec!["ü".to_owned()]), Err(TlsError::Made(_))));
    }
}
