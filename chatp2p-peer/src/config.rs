//! What can be set from outside: every flag is an environment variable too, so that a service file or a container needs
//! no command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use chatp2p_core::identity::Username;
use chatp2p_core::mailbox::MailboxAddress;
use chatp2p_core::node::Inbound;
use chatp2p_core::record::{Host, MAX_LETTERBOXES};
use chatp2p_core::storage::Passphrase;
use chatp2p_core::tracker::{HttpTracker, TrackerError};
use chatp2p_service::{Origin, Origins, address};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};

use crate::access::Scope;
use crate::secret_file;

/// Where links are served unless `--p2p` says otherwise.
pub const DEFAULT_P2P: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5001);

/// The tracker that is used unless `--tracker` says otherwise.
pub const DEFAULT_TRACKER: &str = "http://localhost:8000";

/// A chatp2p peer: chats with other peers directly, and serves an HTTP API and a WebSocket of events to this machine.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where to serve the HTTP API; port 0 picks a free one.
    #[arg(long, env = "CHATP2P_PEER_BIND", value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_parser = address)]
    pub bind: SocketAddr,
    /// Where to keep keys and messages [default: $XDG_DATA_HOME/chatp2p or ~/.local/share/chatp2p].
    #[arg(long, env = "CHATP2P_PEER_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Start at once under this name, without waiting for POST /start.
    #[arg(long, env = "CHATP2P_PEER_USERNAME", value_name = "NAME")]
    pub username: Option<Username>,
    /// Where other peers reach this one; port 0 picks a free one [default: 0.0.0.0:5001, or a free port where 5001 is taken].
    #[arg(long, env = "CHATP2P_PEER_P2P", value_name = "HOST:PORT", value_parser = address)]
    pub p2p: Option<SocketAddr>,
    /// The host that other peers are told to dial [default: this machine's address on the way to the tracker].
    #[arg(long, env = "CHATP2P_PEER_ADVERTISE", value_name = "HOST")]
    pub advertise: Option<Host>,
    /// A tracker to register at and to ask; may be repeated, for when one fails (in the environment: separated by commas).
    #[arg(long = "tracker", env = "CHATP2P_PEER_TRACKER", value_name = "URL", default_value = DEFAULT_TRACKER, value_delimiter = ',', value_parser = tracker)]
    pub trackers: Vec<String>,
    /// An origin whose web pages may use the API, such as http://localhost:8080; may be repeated (in the environment: separated
    /// by commas).
    #[arg(long = "allow-origin", env = "CHATP2P_PEER_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origins: Vec<Origin>,
    /// A further host name or address under which the API is reached, such as that of a reverse proxy; may be repeated (in the
    /// environment: separated by commas).
    #[arg(long = "allow-host", env = "CHATP2P_PEER_ALLOW_HOST", value_name = "NAME", value_delimiter = ',')]
    pub allow_hosts: Vec<Host>,
    /// Ask every caller of the API for a token, also on this machine. Beyond this machine tokens are asked for anyway.
    #[arg(long, env = "CHATP2P_PEER_REQUIRE_TOKEN", value_parser = FalseyValueParser::new())]
    pub require_token: bool,
    /// Serve the API over TLS with this certificate, a PEM file with all of its chain; needs --tls-key.
    #[arg(long, env = "CHATP2P_PEER_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of --tls-cert, a PEM file that others cannot read.
    #[arg(long, env = "CHATP2P_PEER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Keep profiles under the passphrase in this file, its only line; one that is under none yet is put under it.
    #[arg(long, env = "CHATP2P_PEER_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// What becomes of strangers who connect: `open` makes them contacts, `requests` has them ask first (GET /requests).
    #[arg(long, env = "CHATP2P_PEER_INBOUND", value_name = "open|requests", default_value = "open", value_parser = inbound)]
    pub inbound: Inbound,
    /// Keep mail for others who are away: sealed, so that this peer cannot read it. GET /status says what to tell them.
    #[arg(long, env = "CHATP2P_PEER_MAILBOX", value_parser = FalseyValueParser::new())]
    pub mailbox: bool,
    /// A mailbox, run by a peer that is always on, in which others leave mail while this one is away; may be given twice (in the
    /// environment: separated by blanks).
    #[arg(long = "use-mailbox", env = "CHATP2P_PEER_USE_MAILBOX", value_name = "ADDRESS", value_delimiter = ' ')]
    pub use_mailboxes: Vec<MailboxAddress>,
    /// Serve the API without TLS beyond this machine, and use a tracker without TLS beyond the local network.
    #[arg(long, env = "CHATP2P_PEER_INSECURE_HTTP", value_parser = FalseyValueParser::new())]
    pub insecure_http: bool,
    /// Write the log as JSON.
    #[arg(long, env = "CHATP2P_PEER_LOG_JSON", value_parser = FalseyValueParser::new())]
    pub log_json: bool,
}

/// What to do instead of serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Print the OpenAPI document.
    Openapi,
    /// Make, list or revoke tokens for the API. A peer that runs with the same data heeds it at once.
    Token {
        /// Which of these.
        #[command(subcommand)]
        what: TokenCommand,
    },
    /// Print a link that opens the page of a running peer with --require-token, once.
    Link,
    /// Say how the running peer is, or why another one is not connected, and what to do about it.
    Doctor(Doctor),
}

/// What to ask a running peer about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Doctor {
    /// The name of a peer that is not connected; without one, how this peer is.
    pub peer: Option<String>,
    /// Where the running peer serves its API [default: where --bind says, or where it last asked for tokens].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// A token for an API that asks for one: a file with nothing else in it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to do with tokens.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it: this once, for only its hash is kept.
    Create {
        /// What it is good for; each scope holds those before it.
        #[arg(long, value_enum, default_value = "read")]
        scope: Scope,
        /// What to call it in lists.
        #[arg(long, value_name = "LABEL", default_value = "")]
        name: String,
    },
    /// Show which tokens there are.
    List,
    /// Refuse a token from now on, and close what it has opened.
    Revoke {
        /// Which, as `token list` shows it.
        id: String,
    },
}

/// How the API is kept from who listens on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// With TLS by a certificate of the peer's own beyond this machine, and not at all within it.
    #[default]
    AsNeeded,
    /// With TLS, by this certificate and its key.
    Files {
        /// The certificate and its chain, in PEM.
        cert: PathBuf,
        /// Its key, in PEM.
        key: PathBuf,
    },
}

/// What a peer needs to know to run, wherever its API listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where keys and messages are kept.
    pub data_dir: PathBuf,
    /// Whether to start at once, and under which name.
    pub username: Option<Username>,
    /// Where to serve links; `None` for [`DEFAULT_P2P`], or a free port where that one is taken.
    pub p2p: Option<SocketAddr>,
    /// The host to tell other peers, instead of one that is found out.
    pub advertise: Option<Host>,
    /// The trackers of a start that names none.
    pub trackers: Vec<String>,
    /// Whose web pages may use the API, beside its own.
    pub allow_origins: Origins,
    /// Further names of the API's host.
    pub allow_hosts: Vec<Host>,
    /// Whether every caller of the API needs a token. Beyond this machine everybody does.
    pub require_token: bool,
    /// How the API is encrypted.
    pub encryption: Encryption,
    /// What profiles are under, where whoever starts the node does not say it.
    pub passphrase: Option<Passphrase>,
    /// What becomes of strangers who connect.
    pub inbound: Inbound,
    /// Whether to keep mail for others.
    pub mailbox: bool,
    /// In which mailboxes others leave mail for this peer; at most [`MAX_LETTERBOXES`].
    pub use_mailboxes: Vec<MailboxAddress>,
    /// Whether plain HTTP may leave the local network.
    pub insecure_http: bool,
}

impl Options {
    /// The options of a peer that keeps its data in this folder, everything else as the flags have it by default.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            username: None,
            p2p: None,
            advertise: None,
            trackers: vec![DEFAULT_TRACKER.to_owned()],
            allow_origins: Origins::default(),
            allow_hosts: Vec::new(),
            require_token: false,
            encryption: Encryption::default(),
            passphrase: None,
            inbound: Inbound::Open,
            mailbox: false,
            use_mailboxes: Vec::new(),
            insecure_http: false,
        }
    }
}

impl Config {
    /// Where this peer keeps its data.
    ///
    /// # Errors
    /// When nobody said where and there is no home directory.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = self.data_dir.clone().or_else(default_data_dir);
        dir.context("there is no home directory to keep data in: add --data-dir DIR")
    }

    /// What the flags say about the peer itself.
    ///
    /// # Errors
    /// When flags contradict one another, there is no place for the data, or the passphrase cannot be read.
    pub fn options(self) -> anyhow::Result<Options> {
        let data_dir = self.data_dir()?;
        let encryption = match (self.tls_cert, self.tls_key) {
            (None, None) => Encryption::AsNeeded,
            (Some(cert), Some(key)) => Encryption::Files { cert, key },
            (Some(_), None) => anyhow::bail!("--tls-cert needs its key: add --tls-key FILE"),
            (None, Some(_)) => anyhow::bail!("--tls-key needs its certificate: add --tls-cert FILE"),
        };
        if self.use_mailboxes.len() > MAX_LETTERBOXES {
            anyhow::bail!("--use-mailbox may be given {MAX_LETTERBOXES} times at most");
        }
        let passphrase = self.passphrase_file.map(|file| secret_file::passphrase("--passphrase-file", &file));
        Ok(Options {
            username: self.username,
            p2p: self.p2p,
            advertise: self.advertise,
            trackers: self.trackers,
            allow_origins: Origins::from_iter(self.allow_origins),
            allow_hosts: self.allow_hosts,
            require_token: self.require_token,
            encryption,
            passphrase: passphrase.transpose()?,
            inbound: self.inbound,
            mailbox: self.mailbox,
            use_mailboxes: self.use_mailboxes,
            insecure_http: self.insecure_http,
            ..Options::new(data_dir)
        })
    }
}

fn default_data_dir() -> Option<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let xdg = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = xdg.or_else(|| std::env::home_dir().map(|home| home.join(".local").join("share")))?;
    Some(base.join("chatp2p"))
}

fn inbound(text: &str) -> Result<Inbound, String> {
    match text {
        "open" => Ok(Inbound::Open),
        "requests" => Ok(Inbound::Requests),
        _ => Err("strangers are let in (open) or have to ask (requests)".to_owned()),
    }
}

/// The address of a tracker, as it was given. How far it may be is another flag's matter.
fn tracker(text: &str) -> Result<String, TrackerError> {
    match HttpTracker::new_insecure(text) {
        Err(error @ TrackerError::Invalid { .. }) => Err(error),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["chatp2p-peer"], args].concat())
    }

    #[test]
    fn every_flag_is_a_variable_too_and_those_without_a_value_take_any_usual_word() {
        let mut command = Config::command();
        command.build();
        for flag in command.get_arguments().filter(|flag| !matches!(flag.get_id().as_str(), "help" | "version")) {
            let name = flag.get_long().unwrap();
            let variable = format!("CHATP2P_PEER_{}", name.replace('-', "_").to_uppercase());
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
            if !flag.get_action().takes_values() {
                let parser = format!("{:?}", flag.get_value_parser());
                assert_eq!(
                    parser,
                    format!("{:?}", clap::builder::ValueParser::new(FalseyValueParser::new())),
                    "{name}"
                );
            }
            if flag.get_value_delimiter().is_some() {
                let help = flag.get_help().unwrap().to_string();
                assert!(help.contains("in the environment: separated by"), "{name}: {help}");
            }
        }
    }

    #[test]
    fn what_is_no_address_of_a_tracker_is_refused_at_once_by_the_name_of_its_flag() {
        for wrong in ["foo", "", "localhost:8000", "ftp://localhost", "http://user@localhost", "http://a,foo"] {
            let refused = parse(&["--tracker", wrong]).unwrap_err().to_string();
            assert!(refused.contains("--tracker <URL>") && refused.contains("http://localhost:8000"), "{refused}");
            assert!(!refused.contains("tracker_url"), "{refused}");
        }
        assert!(parse(&["--tracker", "http://192.0.2.1:8000"]).is_ok(), "--insecure-http may come from elsewhere");
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        for (given, missing) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
            let refused = parse(&[given, "x.pem", "--data-dir", "d"]).unwrap().options().unwrap_err();
            assert!(refused.to_string().contains(&format!("add {missing} FILE")), "{refused}");
        }
        let both = parse(&["--tls-cert", "c.pem", "--tls-key", "k.pem", "--data-dir", "d"]).unwrap();
        let files = Encryption::Files { cert: "c.pem".into(), key: "k.pem".into() };
        assert_eq!(both.options().unwrap().encryption, files);
        assert_eq!(parse(&["--data-dir", "d"]).unwrap().options().unwrap().encryption, Encryption::AsNeeded);
    }

    #[test]
    fn a_token_is_for_reading_unless_more_is_asked_for() {
        let what = |args: &[&str]| match parse(args).unwrap().command {
            Some(Command::Token { what }) => what,
            other => panic!("{other:?}"),
        };
        let create = |scope, name: &str| TokenCommand::Create { scope, name: name.to_owned() };
        assert_eq!(what(&["token", "create"]), create(Scope::Read, ""));
        assert_eq!(what(&["token", "create", "--scope", "admin", "--name", "me"]), create(Scope::Admin, "me"));
        assert!(parse(&["token", "create", "--scope", "all"]).is_err());
        let config = parse(&["token", "list", "--data-dir", "d"]).unwrap();
        assert_eq!(config.data_dir, Some("d".into()), "it may stand behind the command");
    }

    #[test]
    fn lists_are_repeated_flags() {
        let config = parse(&["--tracker", "http://one:1", "--tracker", "http://two:2", "--data-dir", "d"]).unwrap();
        assert_eq!(config.options().unwrap().trackers, ["http://one:1", "http://two:2"]);
        assert_eq!(parse(&["--data-dir", "d"]).unwrap().options().unwrap().trackers, [DEFAULT_TRACKER]);
    }

    #[test]
    fn two_mailboxes_can_be_used_and_no_more() {
        let carol =
            "chatp2p-mailbox:ahfjhlaxaumha4owpob4p7yo72aqr2hmiuyfoxlxe2dzgm633k7hzobvgeixcifb@ws://192.0.2.7:5001";
        let using = |times| {
            let flags = std::iter::repeat_n(["--use-mailbox", carol], times).flatten().collect::<Vec<_>>();
            parse(&[&flags[..], &["--data-dir", "d"]].concat()).unwrap().options()
        };
        assert_eq!(using(2).unwrap().use_mailboxes, [carol.parse().unwrap(), carol.parse().unwrap()]);
        assert!(using(3).unwrap_err().to_string().contains("2 times at most"));
    }

    #[test]
    fn what_is_no_name_host_or_origin_is_refused() {
        for (flag, value) in [
            ("--username", "two words"),
            ("--advertise", "http://x"),
            ("--allow-host", "a/b"),
            ("--allow-origin", "*"),
            ("--p2p", "5001"),
            ("--inbound", "everybody"),
            ("--use-mailbox", "chatp2p:x"),
        ] {
            assert!(parse(&[flag, value]).is_err(), "{flag} {value}");
        }
    }

    #[test]
    fn every_flag_is_an_environment_variable_too() {
        use clap::CommandFactory;
        for argument in Config::command().get_arguments().filter(|argument| argument.get_long().is_some()) {
            let Some(flag) = argument.get_long().filter(|flag| !["help", "version"].contains(flag)) else { continue };
            let variable = format!("CHATP2P_PEER_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(&*variable), "--{flag}");
        }
    }
}
