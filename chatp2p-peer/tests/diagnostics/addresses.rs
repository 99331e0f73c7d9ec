//! What is wrong with where a peer is said to be, and with what is found there.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use chatp2p_core::record::Endpoint;
use chatp2p_core::transport::{Transport, TransportError, Unreached, WebSocketTransport};
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::ask::{connects, door, fails, town, with_flags};
use crate::play::{self, Peer, Program, running, running_at};

/// Bob ends as in a power cut, and something else begins at his port. What alice is told about it ends with his return.
async fn in_place_of_bob<F: Future<Output = ()> + Send + 'static>(
    stand_in: impl FnOnce(TcpListener) -> F,
    (step, code, way_out): (&str, &str, &str),
) {
    let (tracker, alice, bob) = town().await;
    let at = door(&bob).await;
    let Peer { program, data, .. } = bob;
    program.kill().await;
    let mut other = JoinSet::new();
    other.spawn(stand_in(TcpListener::bind(at).await.unwrap()));
    fails(&alice, "bob", step, code, way_out).await;
    other.shutdown().await;
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}

/// Bob says that he is somewhere where he is not; without the flag he is found.
async fn advertised(host: &str, expected: (&str, &str, &str)) {
    let tracker = play::tracker().await;
    let alice = running("alice", &tracker).await;
    let data = tempfile::tempdir().unwrap();
    let bob = with_flags("bob", tracker.api, data, &["--advertise", host]).await;
    fails(&alice, "bob", expected.0, expected.1, expected.2).await;
    let Peer { program, data, .. } = bob;
    program.terminate().await;
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn a_closed_port_is_told_and_mended_by_starting_the_peer() {
    let (tracker, alice, bob) = town().await;
    let Peer { program, data, .. } = bob;
    program.kill().await;
    fails(&alice, "bob", "dialled", "port_closed", "Check that the other peer runs").await;
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn another_program_at_the_port_is_told_and_mended_by_starting_the_peer_at_its_own() {
    let web = async |listener: TcpListener| {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        }
    };
    in_place_of_bob(web, ("dialled", "not_chatp2p", "compare the port")).await;
}

#[tokio::test]
async fn a_program_that_never_answers_is_told_and_mended_by_starting_the_peer() {
    let silent = async |listener: TcpListener| {
        let mut kept = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            kept.push(socket);
        }
    };
    in_place_of_bob(silent, ("dialled", "timed_out", "its peer runs")).await;
}

#[tokio::test]
async fn an_end_that_breaks_the_handshake_is_told_and_mended_by_the_right_program() {
    let (tracker, alice, bob) = town().await;
    let at = door(&bob).await;
    let Peer { program, data, .. } = bob;
    program.kill().await;
    // It takes links as a peer does, and speaks another protocol behind the door.
    let mut listener = WebSocketTransport::new().listen(&Endpoint::ws(at)).await.unwrap();
    let mut other = JoinSet::new();
    other.spawn(async move {
        while let Ok(mut link) = listener.accept().await {
            let _ = link.outgoing.send("no TLS at all".into()).await;
        }
    });
    fails(&alice, "bob", "secured", "handshake_failed", "same version").await;
    other.shutdown().await;
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn another_key_at_the_address_is_told_and_mended_by_the_return_of_the_right_one() {
    let (tracker, alice, bob) = town().await;
    let at = door(&bob).await.to_string();
    let Peer { program, data, .. } = bob;
    program.kill().await;
    let (url, others) = (format!("http://{}", tracker.api), tempfile::tempdir().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    command.args(["--bind", "127.0.0.1:0", "--username", "carol", "--p2p", &at, "--tracker", &url, "--data-dir"]);
    let _carol = Program::start(command.arg(others.path())).await;
    fails(&alice, "bob", "secured", "wrong_key_at_address", "is registered at the tracker").await;
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn a_host_name_that_leads_nowhere_is_told_and_mended_by_another() {
    // Where nobody looks names up at all, that takes longer than a dial may.
    advertised("nobody.invalid", ("resolved", "host_unknown", "--advertise")).await;
}

#[tokio::test]
async fn an_address_at_which_no_peer_can_be_is_told_and_mended_by_another() {
    advertised("169.254.169.254", ("resolved", "address_unusable", "--advertise")).await;
}

/// How long it may take until the system says that there is no way: three questions to the neighbours, a second each. A dial
/// has four.
const NO_WAY_WITHIN: Duration = Duration::from_millis(3_500);

/// An address to which there is no way from here, and of which the system says so in time.
fn out_of_reach() -> Option<IpAddr> {
    // Where there is no IPv6, where there is no network at all.
    let candidates = ["2a00::1", "9.9.9.9"].map(|ip| ip.parse::<IpAddr>().unwrap());
    candidates.into_iter().find(|ip| {
        let tried = TcpStream::connect_timeout(&SocketAddr::new(*ip, 9), NO_WAY_WITHIN);
        tried.is_err_and(|error| Unreached::of(&error) == Unreached::NoWay)
    })
}

#[tokio::test]
async fn an_address_without_a_way_is_told_and_mended_by_another() {
    let Some(address) = out_of_reach() else {
        println!("skipped: every address seems to be reached from here");
        return;
    };
    advertised(&address.to_string(), ("dialled", "address_unreachable", "--advertise")).await;
}

#[tokio::test]
async fn of_several_addresses_each_has_its_own_reason() {
    let tracker = play::tracker().await;
    let alice = running("alice", &tracker).await;
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = here.local_addr().unwrap();
    let mut web = JoinSet::new();
    web.spawn(async move {
        while let Ok((mut socket, _)) = here.accept().await {
            let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        }
    });
    let endpoints = ["ws://127.0.0.1:1/p2p".to_owned(), format!("ws://{at}/p2p"), "ws://169.254.1.1:5/p2p".to_owned()];
    crate::trackers::register("bob", &endpoints, tracker.api).await;
    fails(&alice, "bob", "dialled", "port_closed", "Check that the other peer runs").await;
    let told = crate::ask::diagnosis(&alice, "bob").await;
    let tried = told["tried"].as_array().unwrap().iter();
    let tried: Vec<_> = tried.map(|one| (&one["endpoint"], &one["step"], &one["code"], &one["ok"])).collect();
    let expected = [("dialled", "port_closed"), ("dialled", "not_chatp2p"), ("resolved", "address_unusable")];
    for ((shown, endpoint), (step, code)) in tried.iter().zip(&endpoints).zip(expected) {
        assert_eq!(*shown, (&(&**endpoint).into(), &step.into(), &code.into(), &false.into()), "{told:#}");
    }
    assert_eq!(tried.len(), 3);
    assert!(told["tried"].as_array().unwrap().iter().all(|one| one["next"].is_string()), "{told:#}");
}

#[test]
fn a_refused_dial_and_a_missing_name_are_told_apart() {
    let closed = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(Unreached::of(&closed).code().as_str(), "port_closed");
    assert_eq!(TransportError::WrongKey.code().as_str(), "wrong_key_at_address");
}
