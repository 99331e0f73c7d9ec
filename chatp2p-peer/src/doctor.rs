//! `chatp2p-peer doctor`: asks the running peer how it is, and says it so that it can be read aloud, with what to do next as the
//! last line.

mod ask;
mod words;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::config::Doctor;

use ask::{Answer, Asking};

/// Asks the peer that runs, and prints what it says. `bind` is where it serves unless it is known better. Says whether all is
/// well.
///
/// # Errors
/// When nothing could be asked: what is wrong with the question, and what to do about it.
pub async fn doctor(
    bind: SocketAddr,
    data_dir: Option<PathBuf>,
    what: &Doctor,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let asking = Asking::new(bind, data_dir.as_deref(), what)?;
    let answer = asking.ask(what.peer.as_deref()).await?;
    let value = match answer {
        Answer::Told(value) => value,
        Answer::Refused(problem) => {
            if what.json {
                writeln!(out, "{problem:#}")?;
            } else {
                writeln!(out, "{}", words::refusal(&problem))?;
            }
            return Ok(false);
        }
    };
    let (text, well) = match what.peer {
        Some(_) => tell(&value, words::peer)?,
        None => tell(&value, words::node)?,
    };
    if what.json {
        writeln!(out, "{value:#}")?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(well)
}

fn tell<T: serde::de::DeserializeOwned>(
    value: &Value,
    words: impl FnOnce(&T) -> (String, bool),
) -> anyhow::Result<(String, bool)> {
    let report = T::deserialize(value);
    let report = report.map_err(|_| anyhow::anyhow!("the peer that runs is of another version than this program"))?;
    Ok(words(&report))
}
