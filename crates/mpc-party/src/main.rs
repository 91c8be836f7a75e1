//! `strongroom-mpc-party`: one of the three parties of a threshold wallet.

mod memory;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strongroom_mpc::{Card, Identity};

/// One of the three parties of a threshold wallet. Each is to run on a machine of its own.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make this party's identity: a private key that stays here, and a card for the other parties and the hosts
    Init {
        /// What the party is called
        #[arg(long)]
        name: String,
        /// Where the others reach it, as `10.0.0.1:7600`
        #[arg(long)]
        address: SocketAddr,
        /// The directory for its identity, ledger and shares; it is made
        #[arg(long)]
        state: PathBuf,
    },
    /// Print the words of cards, to be compared with whoever has made them, over the phone
    Words {
        /// Cards
        #[arg(required = true)]
        cards: Vec<PathBuf>,
    },
    /// Look at the configuration and at what is kept, and say what is wrong
    Check {
        /// The configuration
        #[arg(long, default_value = "party.toml")]
        config: PathBuf,
    },
    /// Run
    Run {
        /// The configuration
        #[arg(long, default_value = "party.toml")]
        config: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Init { name, address, state } => init(&name, address, &state),
        Verb::Words { cards } => cards.iter().try_for_each(|path| {
            let card = Card::read(path)?;
            println!("{}: {}", card.name, card.words()?);
            Ok(())
        }),
        Verb::Check { config } => {
            let (party, listen) = strongroom_mpc_party::open(&config)?;
            println!("`{}` is in order, and would listen on {listen}", party.trio.name(party.trio.index));
            Ok(())
        }
        Verb::Run { config } => run(&config),
    }
}

fn init(name: &str, address: SocketAddr, state: &Path) -> Result<()> {
    let identity = Identity::fresh(name, Some(address))?;
    let card = state.join("card.toml");
    identity.write(&card, &state.join("identity.pem"))?;
    println!("{}: give this card to the other parties and to the hosts, and compare its words with them:", card.display());
    println!("{}", identity.card.words()?);
    Ok(())
}

#[tokio::main]
async fn run(config: &Path) -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    memory::keep_off_disks();
    let (party, listen) = strongroom_mpc_party::open(config)?;
    let ready = Arc::clone(&party);
    // Minutes of work, once in a party's life, beside all else.
    std::thread::Builder::new().name("primes".to_owned()).spawn(move || ready.prepare())?;
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        served = party.serve(listen) => served,
        _ = ended.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
