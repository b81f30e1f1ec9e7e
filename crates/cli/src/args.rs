//! The command line's words: verbs, options and what each means, as `--help` shows them.
//!
//! Separate from the verbs, so that the whole interface can be read, and kept stable, in one file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use mainstay::Timestamp;
use mainstay::dht::Id;

/// Names that only their owner controls: sign DNS records with a key, publish and resolve them.
///
/// Exit codes: 0 done or found · 1 not found · 2 bad input · 3 network failure · 4 conflict with a newer packet ·
/// 5 a local failure (a file, a port, a terminal).
#[derive(Debug, Parser)]
#[command(name = "mainstay", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Options,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Options {
    /// Print JSON on stdout, in the documented schema
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Join the DHT through these nodes instead of the public ones (host:port, commas or repeated)
    #[arg(long, global = true, value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) bootstrap: Vec<String>,
    /// Use these relays instead of the public ones (URL, commas or repeated)
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    pub(crate) relay: Vec<String>,
    /// Do not use the DHT
    #[arg(long, global = true)]
    pub(crate) no_dht: bool,
    /// Do not use relays
    #[arg(long, global = true)]
    pub(crate) no_relays: bool,
    /// Give up on the network after this many seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Log to stderr what is done: -v progress, -vv requests, -vvv packets
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make or show a key
    #[command(subcommand)]
    Key(Key),
    /// Sign a zone and write the packet, without any network
    Sign(Sign),
    /// Check a signed packet and show what it says
    Verify(Verify),
    /// Sign a zone and publish it
    Publish(Publish),
    /// Look up a name
    Resolve(Resolve),
    /// Keep the names of a folder alive: put their packets again before they are forgotten
    Republish(Republish),
    /// Run a DHT node until interrupted
    #[command(
        after_help = "A node asks no relay: of the common options --relay, --no-relays and --timeout change nothing or are refused."
    )]
    Node(Node),
    /// Ask the Mainline DHT itself: nodes, peers, samples of what it holds
    #[command(subcommand)]
    Dht(DhtVerb),
    /// Run an HTTP relay until interrupted
    #[command(
        after_help = "A relay asks the DHT and no other relay: of the common options --relay, --no-relays and --timeout change nothing or are refused."
    )]
    Relay(Relay),
    /// Run a DHT of many nodes and a relay on loopback until interrupted
    Testnet(Testnet),
    /// Publish and resolve a sample zone over 50 nodes and a relay, all in this process
    Demo,
    /// Print completions for a shell
    Completions(Completions),
}

/// Make or show a key.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new key and write its secret to a file that only you can read
    New(KeyNew),
    /// Show the public key of a secret-key file, or of anything pasted
    Show(KeyShow),
}

#[derive(Debug, Args)]
pub(crate) struct KeyNew {
    /// Where to write the secret key
    pub(crate) file: PathBuf,
    /// Replace the file if it exists: the old key is lost
    #[arg(long)]
    pub(crate) force: bool,
    /// Encrypt the file with the passphrase on the first line of this file (- for stdin)
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyShow {
    /// A secret-key file (- for stdin), or a public key in any form
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

/// How an encrypted secret-key file is opened.
#[derive(Clone, Debug, Args)]
pub(crate) struct Passphrase {
    /// The passphrase of an encrypted key is on the first line of this file (- for stdin)
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// The key and the zone of `sign` and `publish`.
#[derive(Debug, Args)]
pub(crate) struct ZoneInput {
    /// The secret-key file to sign with, - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    /// The zone: a master file (RFC 1035), - for stdin
    pub(crate) zone: PathBuf,
    /// The TTL in seconds of records that give none
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) ttl: u32,
    /// The packet's timestamp in microseconds since 1970; now by default
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u64).range(..=Timestamp::MAX.as_u64()))]
    pub(crate) timestamp: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    pub(crate) input: ZoneInput,
    /// Where to write the packet; stdout by default and for -
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The packet: a file, - for stdin
    pub(crate) packet: PathBuf,
    /// Only show records of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    pub(crate) input: ZoneInput,
    /// Only replace the packet with this timestamp in microseconds
    #[arg(long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u64).range(..=Timestamp::MAX.as_u64()))]
    pub(crate) cas: Option<u64>,
}

/// Runs until interrupted. The folder has any of: NAME.packet, a signed packet of anybody; NAME.zone with NAME.key,
/// signed here when the zone changes; NAME.key or NAME.pub (a public key a line), whose newest packet is looked for.
/// SIGHUP reads it again. A packet never replaces a newer one.
#[derive(Debug, Args)]
pub(crate) struct Republish {
    /// The folder of packets, zones and keys
    pub(crate) folder: PathBuf,
    /// Remember packets and their next turn in this folder, and go on from there after a restart
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Put everything that is due once, print a summary and end; exit code 3 if something was
    /// not stored, 2 if a file could not be used
    #[arg(long)]
    pub(crate) once: bool,
    /// Put each packet again after this many seconds at most; nodes forget after two hours
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    pub(crate) interval: Duration,
    /// Repeat a put early that fewer nodes than this acknowledged
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) enough: usize,
    /// Begin no more than this many puts a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// The TTL in seconds of a zone's records that give none
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) ttl: u32,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// A key, or a name or URL under one, in any form people paste
    pub(crate) name: String,
    /// Only records of this type (A, AAAA, TXT …, TYPE65280, ANY)
    #[arg(value_name = "TYPE", default_value = "ANY")]
    pub(crate) kind: String,
    /// Ask every backend and take the newest packet instead of the first
    #[arg(long)]
    pub(crate) most_recent: bool,
    /// Show all records of the key, whatever the name says
    #[arg(long)]
    pub(crate) all: bool,
    /// Print each step of the lookup with its time
    #[arg(long)]
    pub(crate) trace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Node {
    /// The address to listen on; give one of each family for both, and further ones for a host with several
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:6881")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Serve only while strangers reach this node; find out whether they do
    #[arg(long)]
    pub(crate) adaptive: bool,
    /// Keep ids, known nodes and published items in this file, and start from it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Print what the node knows and counts on stdout, as one line of JSON, every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) info_every: Option<Duration>,
    /// Start a network of its own: join through nobody
    #[arg(long, conflicts_with = "bootstrap")]
    pub(crate) no_bootstrap: bool,
}

/// Ask the Mainline DHT itself.
#[derive(Debug, Subcommand)]
pub(crate) enum DhtVerb {
    /// Ask whether a node is at an address
    Ping {
        /// Where
        address: SocketAddr,
    },
    /// Find the nodes closest to an id
    Find {
        /// 40 hexadecimal digits
        target: Id,
    },
    /// Find who announced an info hash
    Peers {
        /// 40 hexadecimal digits
        info_hash: Id,
        /// Leave out who has everything
        #[arg(long)]
        no_seeds: bool,
    },
    /// Announce this host under an info hash
    Announce {
        /// 40 hexadecimal digits
        info_hash: Id,
        /// Where peers should connect to; the node's own port by default
        #[arg(long)]
        port: Option<u16>,
        /// Say that this host has everything
        #[arg(long)]
        seed: bool,
    },
    /// Count who announced an info hash
    Scrape {
        /// 40 hexadecimal digits
        info_hash: Id,
    },
    /// Walk through the network, ask every node once which info hashes it holds, and print each once
    Sample(SampleWalk),
}

#[derive(Debug, Args)]
pub(crate) struct SampleWalk {
    /// Ask no more nodes than this; the public network has millions
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) nodes: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Relay {
    /// Read the configuration from this file, and again on SIGHUP; other options go before it
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print a configuration file with every key, its meaning and its default, and end
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Only check the configuration file, and end
    #[arg(long, requires = "config")]
    pub(crate) check_config: bool,
    /// The address to serve HTTP on; without it and a configuration file 127.0.0.1:6881
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address of its DHT node; without it and a configuration file the same host and a free port
    #[arg(long, value_name = "ADDR")]
    pub(crate) dht_listen: Option<SocketAddr>,
    /// Start a network of its own: join through nobody
    #[arg(long, conflicts_with = "bootstrap")]
    pub(crate) no_bootstrap: bool,
    /// How many HTTP connections to serve at once; each takes an open file [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<usize>,
    /// How many packets to keep [default: 100000]
    #[arg(long, value_name = "N")]
    pub(crate) cache_size: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Testnet {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub(crate) nodes: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

/// Seconds, with a fraction if wanted, above zero and below a day.
fn seconds(text: &str) -> Result<Duration, NotSeconds> {
    let seconds: f64 = text.parse().map_err(|_| NotSeconds)?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| NotSeconds)?;
    if duration.is_zero() || duration > Duration::from_secs(86_400) {
        Err(NotSeconds)
    } else {
        Ok(duration)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a number of seconds above 0 and up to 86400")]
struct NotSeconds;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Verb};

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn common_options_stand_before_and_behind_the_verb() {
        for words in [
            ["mainstay", "--json", "--timeout", "1.5", "resolve", "name", "TXT"],
            ["mainstay", "resolve", "name", "TXT", "--json", "--timeout", "1.5"],
        ] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            assert!(arguments.common.json);
            assert_eq!(arguments.common.timeout.as_millis(), 1500);
            assert!(matches!(arguments.verb, Verb::Resolve(resolve) if resolve.kind == "TXT"));
        }
    }

    #[test]
    fn a_timeout_of_zero_or_nonsense_is_refused() {
        for seconds in ["0", "-1", "nan", "inf", "1e99", "", "2s"] {
            let words = ["mainstay", "--timeout", seconds, "demo"];
            assert!(Arguments::try_parse_from(words).is_err(), "{seconds:?} passed");
        }
    }
}
