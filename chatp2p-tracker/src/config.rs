//! The command line and the environment. The only place that reads either.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chatp2p_core::identity::Username;
use chatp2p_core::storage::{MemoryRegistry, RegistryStore, SqlRegistry};
use chatp2p_core::tracker::{DEFAULT_MAX_REGISTRATIONS, DEFAULT_TTL, LocalTracker};
use chatp2p_service::{Limits, Origin, address};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

use crate::{Options, Quotas};

/// A tracker of chatp2p: peers register here and find each other; no message passes through it.
#[derive(Debug, Parser)]
#[command(name = "chatp2p-tracker", version)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", env = "CHATP2P_TRACKER_BIND", value_parser = address)]
    pub bind: SocketAddr,

    /// Where to keep the registrations: sqlite:PATH, postgres://…, or memory [default: sqlite:tracker.sqlite in the data
    /// directory of chatp2p].
    #[arg(long, value_name = "DATABASE", env = "CHATP2P_TRACKER_DATABASE", hide_env_values = true, global = true)]
    pub database: Option<Database>,

    /// An origin whose web pages may call, as in http://localhost:8080; may be given several times (in the environment:
    /// separated by commas).
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "CHATP2P_TRACKER_ALLOW_ORIGIN")]
    pub allow_origin: Vec<Origin>,

    /// For how many seconds a peer is listed after its last heartbeat. Classic peers, which beat every 30 seconds, expect
    /// 60 to 180.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TTL.as_secs(), env = "CHATP2P_TRACKER_TTL",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub ttl: u64,

    /// The most names to keep.
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_MAX_REGISTRATIONS as u64,
          env = "CHATP2P_TRACKER_MAX_PEERS", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub max_peers: u64,

    /// For how long a key owns a name that it does not use, as in 90days.
    #[arg(long, value_name = "DURATION", default_value = "90days", env = "CHATP2P_TRACKER_NAME_TTL",
          value_parser = humantime::parse_duration)]
    pub name_ttl: Duration,

    /// List nobody without a key: classic clients, who sign nothing, are turned away.
    #[arg(long, env = "CHATP2P_TRACKER_REQUIRE_SIGNED", value_parser = clap::builder::FalseyValueParser::new())]
    pub require_signed: bool,

    /// Answer every address as often as it asks. For a tracker behind a proxy that bounds requests by itself, and behind
    /// which all have one address.
    #[arg(long, env = "CHATP2P_TRACKER_NO_QUOTAS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_quotas: bool,

    /// Write the log as one JSON object a line. RUST_LOG chooses what is logged.
    #[arg(long, env = "CHATP2P_TRACKER_LOG_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub log_json: bool,

    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do beside serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
    /// Free a name, whoever owns it: the next who registers it gets it. A tracker that runs on the database does so within
    /// ten seconds, another one when it starts.
    Release {
        /// The name.
        name: Username,
    },
}

/// Where registrations are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// Nowhere: they are gone with the process.
    Memory,
    /// In a file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database; the URL may hold its password.
    Postgres(String),
}

impl FromStr for Database {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.trim_start_matches('/').is_empty() => {
                // `sqlite:///srv/x` is how URLs write `/srv/x`.
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            _ => Err("sqlite:PATH, postgres://… or memory is needed"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("Memory"),
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

impl Config {
    /// How the service is to be.
    pub fn options(&self) -> Options {
        let quotas = if self.no_quotas { Quotas::Nobody } else { Quotas::default() };
        Options { origins: self.allow_origin.iter().cloned().collect(), limits: Limits::default(), quotas }
    }

    /// Takes the address and opens the database. The address first: whoever starts a second tracker by mistake should hear
    /// of that, not of its database.
    ///
    /// # Errors
    /// One line that names the setting to change.
    pub async fn open(&self) -> anyhow::Result<(TcpListener, LocalTracker)> {
        let listener = TcpListener::bind(self.bind)
            .await
            .with_context(|| format!("cannot listen at {}; choose another address with --bind", self.bind))?;
        let tracker = LocalTracker::builder()
            .store(
                self.database()?.open().await.context("cannot use the database; choose another one with --database")?,
            )
            .ttl(Duration::from_secs(self.ttl))
            .max_registrations(usize::try_from(self.max_peers)?)
            .name_ttl(self.name_ttl)
            .require_signed(self.require_signed)
            .start()
            .await
            .context("cannot read the database; choose another one with --database")?;
        Ok((listener, tracker))
    }

    fn database(&self) -> anyhow::Result<Database> {
        match &self.database {
            Some(database) => Ok(database.clone()),
            None => Ok(Database::Sqlite(data_directory()?.join("tracker.sqlite"))),
        }
    }

    /// Has a name freed, by the tracker that runs on the database or by the next that does.
    ///
    /// # Errors
    /// One line, when there is no such name or the database cannot be used.
    pub async fn release(&self, name: &Username) -> anyhow::Result<()> {
        let database = self.database()?;
        match &database {
            Database::Memory => anyhow::bail!("a tracker in memory keeps nothing that could be released: restart it"),
            // Opened, it would be made.
            Database::Sqlite(path) if !path.exists() => {
                anyhow::bail!("there is no database at {}; name it with --database", path.display())
            }
            Database::Sqlite(_) | Database::Postgres(_) => {}
        }
        let store = database.open().await.context("cannot use the database; choose another one with --database")?;
        anyhow::ensure!(store.release(name).await?, "nobody has registered {name} here");
        Ok(())
    }
}

impl Database {
    /// Opens the database; makes a file, and the folders above it, where there is none.
    ///
    /// # Errors
    /// When it cannot be made, opened or read.
    pub async fn open(&self) -> anyhow::Result<Arc<dyn RegistryStore>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryRegistry::new()),
            Self::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    make_private(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
                }
                let path = path.to_str().context("the path is not UTF-8")?;
                // These two mean something in a URL, and nothing in a path.
                let path = path.replace('%', "%25").replace('?', "%3F");
                Arc::new(SqlRegistry::open(&format!("sqlite:{path}")).await?)
            }
            Self::Postgres(url) => Arc::new(SqlRegistry::open(url).await?),
        })
    }
}

/// Makes a folder, and those above it, for its owner alone. One that exists is left as it is.
fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if folder.as_os_str().is_empty() { Ok(()) } else { builder.create(folder) }
}

/// Where this user's programs keep what they need (XDG; on Windows the local application data).
fn data_directory() -> anyhow::Result<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("LOCALAPPDATA").filter(|_| cfg!(windows)))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|data| data.join("chatp2p"))
        .context("there is no home directory; say where to keep registrations with --database")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_flag_is_a_variable_too() {
        let mut command = Config::command();
        command.build();
        command.clone().debug_assert();
        for flag in command.get_arguments().filter(|flag| !matches!(flag.get_id().as_str(), "help" | "version")) {
            let variable = format!("CHATP2P_TRACKER_{}", flag.get_id().as_str().to_uppercase());
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
        let help = command.render_long_help().to_string();
        assert!(help.contains("CHATP2P_TRACKER_ALLOW_ORIGIN"), "{help}");
    }

    #[test]
    fn databases_are_told_apart() {
        assert_eq!("memory".parse(), Ok(Database::Memory));
        assert_eq!("sqlite:a/b.sqlite".parse(), Ok(Database::Sqlite("a/b.sqlite".into())));
        assert_eq!("sqlite:/srv/b.sqlite".parse(), Ok(Database::Sqlite("/srv/b.sqlite".into())));
        assert_eq!("sqlite:///srv/b.sqlite".parse(), Ok(Database::Sqlite("/srv/b.sqlite".into())));
        assert_eq!("postgres://u:p@h/d".parse(), Ok(Database::Postgres("postgres://u:p@h/d".to_owned())));
        for text in ["", "sqlite:", "sqlite://", "mysql://h", "/srv/b.sqlite"] {
            assert!(text.parse::<Database>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_debugged() {
        assert!(!format!("{:?}", "postgres://u:hunter2@h/d".parse::<Database>()).contains("hunter2"));
    }

    #[test]
    fn classic_peers_are_served_by_default() {
        let config = Config::try_parse_from(["chatp2p-tracker"]).unwrap();
        assert!((60..=180).contains(&config.ttl));
        assert_eq!(config.bind.to_string(), "127.0.0.1:8000");
        let config = Config::try_parse_from(["chatp2p-tracker", "--bind", "localhost:8001"]).unwrap();
        assert_eq!(config.bind.to_string(), "127.0.0.1:8001");
        assert!(Config::try_parse_from(["chatp2p-tracker", "--allow-origin", "*"]).is_err());
    }
}
