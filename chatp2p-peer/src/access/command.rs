//! `chatp2p-peer token` and `chatp2p-peer link`: they work on the data folder, whether the peer runs or not.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::ledger::Ledger;
use super::{CODE_LIFE, now};
use crate::config::TokenCommand;

/// How long the peer may take to take a connection, on this machine or on one beside it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Makes, lists or revokes tokens. The token itself goes to `out` alone, all else to `aside`, so that
/// `TOKEN=$(chatp2p-peer token create)` does what it says.
///
/// # Errors
/// When the tokens cannot be read or written, or there is none of the id.
pub fn token(data_dir: &Path, what: &TokenCommand, out: &mut dyn Write, aside: &mut dyn Write) -> anyhow::Result<()> {
    let ledger = Ledger::open(data_dir)?;
    match what {
        TokenCommand::Create { scope, name } => {
            let (token, secret) = ledger.change(|book| book.create(*scope, name, now()))?;
            writeln!(out, "{}", secret.expose())?;
            writeln!(
                aside,
                "This is shown once. It may {}; send it as `Authorization: Bearer …`. `token revoke {}` ends it.",
                may(token.scope),
                token.id
            )?;
        }
        TokenCommand::List => {
            let book = ledger.current()?;
            if book.tokens.is_empty() {
                writeln!(aside, "There are no tokens. `token create` makes one.")?;
                return Ok(());
            }
            writeln!(out, "{:<14}{:<7}{:<26}NAME", "ID", "SCOPE", "CREATED")?;
            for token in &book.tokens {
                let label = if token.session { "(a page that a link opened)" } else { &token.label };
                writeln!(out, "{:<14}{:<7}{:<26}{label}", token.id, token.scope.as_str(), token.created().to_string())?;
            }
        }
        TokenCommand::Revoke { id } => {
            if !ledger.change(|book| Ok(book.revoke(id)))? {
                anyhow::bail!("there is no token {id}; `chatp2p-peer token list` shows those that there are");
            }
            writeln!(aside, "The token {id} is refused from now on.")?;
        }
    }
    Ok(())
}

/// Prints a link by which the page of the peer that runs can be opened once.
///
/// # Errors
/// When no peer runs with this data, or none that asks for tokens.
pub fn link(data_dir: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let ledger = Ledger::open(data_dir)?;
    let page = ledger.current()?.page.clone();
    let page =
        page.context("no peer with --require-token has run with this data yet; start it, or add --data-dir DIR")?;
    if !answers(&page) {
        anyhow::bail!("nothing answers at {page}: start the peer, which prints a link too");
    }
    let code = ledger.change(|book| book.add_code(now()))?;
    writeln!(out, "{}", super::link_to(&page, &code))?;
    Ok(())
}

/// Where the peer that runs with this data and asks for tokens was last, if one ever did. Nothing is made for the question.
pub(crate) fn last_page(data_dir: &Path) -> Option<String> {
    if !data_dir.is_dir() {
        return None;
    }
    Ledger::open(data_dir).ok()?.current().ok()?.page.clone()
}

/// Whether something takes connections where the page is.
fn answers(page: &str) -> bool {
    let authority = page.split_once("://").map_or(page, |(_, rest)| rest).trim_end_matches('/');
    let addresses = authority.to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, ANSWERS_WITHIN).is_ok())
}

const fn may(scope: super::Scope) -> &'static str {
    match scope {
        super::Scope::Read => "read (scope read)",
        super::Scope::Send => "read and send (scope send)",
        super::Scope::Admin => "do everything (scope admin)",
    }
}

/// What is said beside a link.
pub(crate) fn good_for() -> String {
    format!("opens the page once, within {} minutes; `chatp2p-peer link` makes another", CODE_LIFE.as_secs() / 60)
}
