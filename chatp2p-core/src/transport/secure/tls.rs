//! How two peers prove their keys to each other: TLS 1.3 with raw public keys (RFC 7250). A key *is* the identity, so
//! there are no certificates, no authorities and no expiry dates.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    PeerMisbehaved, ServerConfig, ServerConnection, SignatureAlgorithm, SignatureScheme,
};

use super::Purpose;
use crate::identity::{Identity, PeerId};

/// The protocol inside. Another version of it is another name, and the two ends then part during the handshake.
const fn alpn(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::Peer => b"chatp2p/1",
        Purpose::Mailbox => b"chatp2p-mailbox/1",
    }
}

/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Named here and never taken from the process default: a program may have installed another provider, or two.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        // The hybrid first: whoever records a link today cannot read it with tomorrow's quantum computer.
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
        ..default_provider()
    })
});

/// The dialling end. It accepts the `expected` key alone.
pub(super) fn client(identity: &Identity, expected: PeerId, purpose: Purpose) -> Result<Connection, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(expected)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![alpn(purpose).to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.enable_early_data = false;
    // TLS wants a name. With SNI off it is never sent, and the verifier does not look at it.
    let name = ServerName::try_from("peer.invalid").map_err(|_| Error::General("the dummy name".to_owned()))?;
    ClientConnection::new(Arc::new(config), name).map(Connection::Client)
}

/// The listening end. It accepts every key whose owner proves it; who that may be is the caller's decision.
pub(super) fn server(identity: &Identity, serves: &[Purpose]) -> Result<Connection, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = serves.iter().map(|purpose| alpn(*purpose).to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    ServerConnection::new(Arc::new(config)).map(Connection::Server)
}

/// Whose key the other end has proved. `None` before the handshake is done.
pub(super) fn peer(connection: &Connection) -> Option<PeerId> {
    match connection.peer_certificates()? {
        [key] => key_of(key),
        _ => None,
    }
}

/// What both ends have agreed to use it for. `None` before the handshake is done.
pub(super) fn purpose(connection: &Connection) -> Option<Purpose> {
    let agreed = connection.alpn_protocol()?;
    [Purpose::Peer, Purpose::Mailbox].into_iter().find(|purpose| alpn(*purpose) == agreed)
}

fn key_of(spki: &[u8]) -> Option<PeerId> {
    PeerId::from_bytes(spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?).ok()
}

fn spki_of(peer: PeerId) -> Vec<u8> {
    [&SPKI_PREFIX[..], peer.as_bytes()].concat()
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let spki = CertificateDer::from(spki_of(identity.peer_id()));
    Arc::new(CertifiedKey::new(vec![spki], Arc::new(TranscriptKey(identity.clone()))))
}

/// Our key, for signing `CertificateVerify` and nothing else: TLS 1.3 puts 64 spaces and a context before what is signed.
#[derive(Debug, Clone)]
struct TranscriptKey(Identity);

impl SigningKey for TranscriptKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(spki_of(self.0.peer_id())))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for TranscriptKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign_transcript(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

fn verify(
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signed, &PROVIDER.signature_verification_algorithms)
}

/// Unreachable: neither end offers anything but TLS 1.3.
fn refuse_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
}

/// Accepts one key.
#[derive(Debug)]
struct Pinned(PeerId);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if others.is_empty() && key_of(key) == Some(self.0) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts every usable key.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if others.is_empty() && key_of(key).is_some() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::BadEncoding.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a handshake in memory, and says how it went at the client's end and at the server's.
    fn shake_hands(mut client: Connection, mut server: Connection) -> [Result<(), Error>; 2] {
        let mut outcome = [Ok(()), Ok(())];
        for _ in 0..6 {
            outcome[1] = carry(&mut client, &mut server);
            outcome[0] = carry(&mut server, &mut client);
            if outcome.iter().any(Result::is_err) {
                break;
            }
        }
        outcome
    }

    fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            to.read_tls(&mut bytes).unwrap();
            to.process_new_packets()?;
        }
        Ok(())
    }

    fn alice() -> Identity {
        Identity::from_seed(&[1; 32])
    }

    fn bob() -> Identity {
        Identity::from_seed(&[2; 32])
    }

    /// What eve can do: show somebody's key, and sign with her own.
    fn disguised_as(victim: PeerId) -> Arc<CertifiedKey> {
        let key = Arc::new(TranscriptKey(Identity::from_seed(&[3; 32])));
        Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki_of(victim))], key))
    }

    #[test]
    fn two_honest_ends_agree() {
        let outcome = shake_hands(
            client(&alice(), bob().peer_id(), Purpose::Peer).unwrap(),
            server(&bob(), &[Purpose::Peer]).unwrap(),
        );
        assert_eq!(outcome, [Ok(()), Ok(())]);
    }

    #[test]
    fn showing_a_key_without_holding_it_does_not_pass_for_a_listener() {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(disguised_as(bob().peer_id()))));
        config.alpn_protocols = vec![alpn(Purpose::Peer).to_vec()];
        let eve = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
        let outcome = shake_hands(client(&alice(), bob().peer_id(), Purpose::Peer).unwrap(), eve);
        assert_eq!(outcome[0], Err(CertificateError::BadSignature.into()));
    }

    #[test]
    fn showing_a_key_without_holding_it_does_not_pass_for_a_dialler() {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(bob().peer_id())))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(disguised_as(
                alice().peer_id(),
            ))));
        config.alpn_protocols = vec![alpn(Purpose::Peer).to_vec()];
        let name = ServerName::try_from("peer.invalid").unwrap();
        let eve = Connection::Client(ClientConnection::new(Arc::new(config), name).unwrap());
        let outcome = shake_hands(eve, server(&bob(), &[Purpose::Peer]).unwrap());
        assert_eq!(outcome[1], Err(CertificateError::BadSignature.into()));
    }

    #[test]
    fn a_dialler_without_a_key_is_refused() {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned(bob().peer_id())))
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn(Purpose::Peer).to_vec()];
        let name = ServerName::try_from("peer.invalid").unwrap();
        let eve = Connection::Client(ClientConnection::new(Arc::new(config), name).unwrap());
        let outcome = shake_hands(eve, server(&bob(), &[Purpose::Peer]).unwrap());
        assert!(outcome[1].is_err());
    }

    #[test]
    fn another_protocol_inside_is_refused() {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Anybody))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(&bob()))));
        config.alpn_protocols = vec![b"chatp2p/2".to_vec()];
        let newer = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
        let outcome = shake_hands(client(&alice(), bob().peer_id(), Purpose::Peer).unwrap(), newer);
        assert_eq!(outcome[1], Err(Error::NoApplicationProtocol));
    }
}
