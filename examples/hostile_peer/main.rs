//! A peer that means harm, against your own: one attack after the other, what was answered, and whether somebody honest is
//! still served. It ends with 0 if they are.
//!
//! `cargo run --example hostile_peer -- --tracker http://localhost:8000 alice` (`cargo demo` runs a tracker and alice). The
//! victim keeps whom it lets in: take one made for it, and for `requests` one that says `--inbound requests`. With
//! `-- --check` it brings victims of its own, and looks at what they kept as well.

mod check;
mod crude;
mod fluent;
mod victim;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chatp2p_core::identity::Username;
use clap::{Parser, ValueEnum};

use crude::Held;
use victim::{Answers, Honest, Victim};

/// A peer that means harm.
#[derive(Debug, Clone, Parser)]
#[command(name = "hostile_peer", bin_name = "cargo run --example hostile_peer --")]
struct Flags {
    /// The tracker that lists the victim.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    tracker: String,
    /// What to do to it; may be repeated. Everything but `requests` if not given.
    #[arg(long = "attack", value_name = "ATTACK")]
    attacks: Vec<Attack>,
    /// How many lines to hold.
    #[arg(long, default_value_t = 1_000)]
    links: usize,
    /// How many strangers ask to be let in.
    #[arg(long, default_value_t = 100_000)]
    requests: usize,
    /// The name of the victim.
    #[arg(required_unless_present = "check")]
    victim: Option<Username>,
    /// Do everything to victims of its own, and end with 0 if they stand.
    #[arg(long)]
    check: bool,
}

/// What can be done to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attack {
    /// Noise in place of each layer.
    Garbage,
    /// A request and a message that do not end.
    Endless,
    /// Lengths that are announced and not kept.
    Oversize,
    /// The same again.
    Replay,
    /// What comes at the wrong time or place.
    Disorder,
    /// Acknowledgements of what was never sent.
    Acks,
    /// Complaints and keys that are somebody else's, or make no sense.
    Forgeries,
    /// Ciphertexts that nobody can read.
    Ciphertexts,
    /// Texts that are none.
    Texts,
    /// Callers who dribble.
    Slow,
    /// Callers who are silent.
    Many,
    /// Strangers who ask to be let in.
    Requests,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match if flags.check { check::run(&flags).await } else { attack(&flags).await } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile_peer: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn attack(flags: &Flags) -> anyhow::Result<()> {
    let name = flags.victim.as_ref().context("whom?")?;
    let victim = Victim::find(name, &flags.tracker).await?;
    let mut honest = Honest::meet(&victim).await?;
    let all: Vec<_> = Attack::value_variants().iter().filter(|attack| **attack != Attack::Requests).copied().collect();
    let attacks = if flags.attacks.is_empty() { &all } else { &flags.attacks };
    if !honest.is_let_in() {
        println!("{name} lets no strangers in; whoever is answered in time counts as served");
    }
    rounds(attacks, &victim, &mut honest, flags).await?;
    println!("{name} stands: {} attacks, and somebody honest was served during or after each", attacks.len());
    honest.leave().await
}

/// One attack after the other; the honest peer is served after each, while what is held is held.
async fn rounds(attacks: &[Attack], victim: &Victim, honest: &mut Honest, flags: &Flags) -> anyhow::Result<()> {
    let before = honest.served().await?;
    println!("| attack | what {} did | an honest peer was served in |", victim.name);
    println!("|---|---|--:|");
    println!("| none | | {} |", millis(before));
    for attack in attacks {
        let (answers, held) = carry_out(*attack, victim, flags).await.with_context(|| format!("{attack:?}"))?;
        let took = honest.served().await.with_context(|| format!("after {attack:?} nobody is served"))?;
        println!("| {attack:?} | {answers} | {} |", millis(took));
        drop(held);
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

async fn carry_out(attack: Attack, victim: &Victim, flags: &Flags) -> anyhow::Result<(Answers, Held)> {
    let answers = match attack {
        Attack::Slow => return crude::slow(victim, flags.links).await,
        Attack::Many => return crude::many(victim, flags.links).await,
        Attack::Garbage => crude::garbage(victim).await?,
        Attack::Endless => crude::endless(victim).await?,
        Attack::Oversize => crude::oversize(victim).await?,
        Attack::Replay => fluent::replay(victim).await?,
        Attack::Disorder => fluent::disorder(victim).await?,
        Attack::Acks => fluent::acks(victim).await?,
        Attack::Forgeries => fluent::forgeries(victim).await?,
        Attack::Ciphertexts => fluent::ciphertexts(victim).await?,
        Attack::Texts => fluent::texts(victim).await?,
        Attack::Requests => fluent::requests(victim, flags.requests).await?,
    };
    Ok((answers, Held::default()))
}
