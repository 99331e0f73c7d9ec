//! Beyond this machine: tokens and TLS, or a sentence that says what to do.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::keys::{command, create};
use crate::play::{Program, peer_command};

/// A peer that listens at all addresses.
async fn open(data: &Path, flags: &[&str]) -> Program {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    command.args(["--bind", "0.0.0.0:0", "--p2p", "127.0.0.1:0", "--data-dir"]).arg(data).args(flags);
    Program::start(&mut command).await
}

/// A client that trusts this certificate and no other.
async fn connect(port: u16, cert: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

async fn ask(port: u16, cert: &Path, head: &str) -> String {
    let mut stream = connect(port, cert).await.unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Some end without a goodbye; what they said is what counts.
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn beyond_this_machine_the_api_speaks_tls_and_wants_tokens_from_everybody() {
    let data = tempfile::tempdir().unwrap();
    let program = open(data.path(), &[]).await;
    let (port, cert) = (program.api.port(), data.path().join("access/tls-cert.pem"));
    let host = format!("host: localhost:{port}");
    let status = format!("GET /status HTTP/1.1\r\n{host}");
    let answer = ask(port, &cert, &status).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("token_required"), "{answer}");
    let (token, _) = create(data.path(), "read").await;
    let bearer = format!("authorization: Bearer {token}");
    let answer = ask(port, &cert, &format!("{status}\r\n{bearer}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = ask(port, &cert, "GET /status HTTP/1.1\r\nhost: elsewhere").await;
    assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("https://localhost"), "{answer}");
    assert!(!answer.contains("http://localhost"), "{answer}");
    // Its own pages have come over TLS, and no others are its own.
    for (origin, passes) in [("https", true), ("http", false)] {
        let answer = ask(port, &cert, &format!("{status}\r\n{bearer}\r\norigin: {origin}://localhost:{port}")).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), passes, "{origin}: {answer}");
        assert_eq!(answer.contains("foreign_origin"), !passes, "{origin}: {answer}");
    }
    let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let mut socket = connect(port, &cert).await.unwrap();
    socket.write_all(format!("GET /ws HTTP/1.1\r\n{host}\r\n{upgrade}\r\n{bearer}\r\n\r\n").as_bytes()).await.unwrap();
    let mut switched = [0; 12];
    socket.read_exact(&mut switched).await.unwrap();
    assert_eq!(&switched, b"HTTP/1.1 101");
    // Who does not speak TLS hears nothing of the API.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(format!("{status}\r\n{bearer}\r\n\r\n").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    plain.read_to_end(&mut heard).await.ok();
    assert!(!heard.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&heard));
}

#[tokio::test]
async fn the_certificate_stays_the_same_from_start_to_start_and_nobody_elses_will_do() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = data.path().join("access/tls-cert.pem");
    let program = open(data.path(), &[]).await;
    let first = std::fs::read(&kept).unwrap();
    assert_eq!(program.terminate().await.code(), Some(0));
    let program = open(data.path(), &[]).await;
    assert_eq!(std::fs::read(&kept).unwrap(), first);
    let _other = open(other.path(), &[]).await;
    assert!(connect(program.api.port(), &other.path().join("access/tls-cert.pem")).await.is_err());
}

#[tokio::test]
async fn a_certificate_of_ones_own_serves_this_machine_too() {
    let (made, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(made.path(), &[]).await);
    let [cert, key] = ["access/tls-cert.pem", "access/tls-key.pem"].map(|name| made.path().join(name));
    let mut command = peer_command(data.path());
    let program = Program::start(command.arg("--tls-cert").arg(&cert).arg("--tls-key").arg(&key)).await;
    let port = program.api.port();
    let answer = ask(port, &cert, &format!("GET /status HTTP/1.1\r\nhost: localhost:{port}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "callers of this machine are free: {answer}");
    assert!(!data.path().join("access/tls-key.pem").exists());
}

#[tokio::test]
async fn plain_http_beyond_this_machine_has_to_be_asked_for_and_wants_tokens_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let program = open(data.path(), &["--insecure-http"]).await;
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], program.api.port()));
    let host = format!("localhost:{}", at.port());
    let answer = crate::http::send(at, "GET", "/status", &[("host", &host)], None).await;
    answer.refuses(401, "token_required");
    let (token, _) = create(data.path(), "read").await;
    let bearer = format!("Bearer {token}");
    let headers = [("host", &*host), ("authorization", &*bearer)];
    assert_eq!(crate::http::send(at, "GET", "/status", &headers, None).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_served_with_is_refused_with_a_sentence_that_says_what_to_do() {
    let (data, made, strange) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(made.path(), &[]).await);
    drop(open(strange.path(), &[]).await);
    let path = |of: &tempfile::TempDir, name: &str| of.path().join("access").join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path(&made, "tls-cert.pem"), path(&made, "tls-key.pem"));
    let other = path(&strange, "tls-key.pem");
    let wide = made.path().join("wide.pem").to_str().unwrap().to_owned();
    std::fs::copy(&key, &wide).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&wide, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for (flags, says) in [
        (vec!["--tls-cert", &*cert], "add --tls-key FILE"),
        (vec!["--tls-key", &*key], "add --tls-cert FILE"),
        (vec!["--tls-cert", "/nowhere.pem", "--tls-key", &*key], "cannot read --tls-cert /nowhere.pem"),
        (vec!["--tls-cert", &*cert, "--tls-key", "/nowhere.pem"], "cannot read --tls-key /nowhere.pem"),
        (vec!["--tls-cert", &*key, "--tls-key", &*key], "BEGIN CERTIFICATE"),
        (vec!["--tls-cert", &*cert, "--tls-key", &*cert], "--tls-key"),
        (vec!["--tls-cert", &*cert, "--tls-key", &*other], "cannot be used together"),
        (vec!["--tls-cert", &*cert, "--tls-key", &*wide], "chmod 600"),
    ] {
        let (code, _, said) = command(data.path(), &[&["--bind", "127.0.0.1:0"], &flags[..]].concat()).await;
        assert_eq!(code, Some(1), "{flags:?}: {said}");
        assert!(said.contains(says), "{flags:?}: {said}");
    }
}
