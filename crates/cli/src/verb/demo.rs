//! `mainstay demo`: the main job, start to end, in one process and without any network but loopback.
//!
//! Separate as every verb is.

use std::time::Instant;

use mainstay::{Client, Keypair, Resolution, SignedPacketBuilder, zone};
use serde::Serialize;

use crate::args::Options;
use crate::failure::Failure;
use crate::network::within;
use crate::show::{self, Question};
use crate::{output, progress::Progress};

use super::resolve;
use super::testnet::{LOOPBACK, Network};

/// How many nodes the demo runs.
const NODES: usize = 50;

/// The zone that it publishes.
const ZONE: &str = "\
@        3600 A     192.0.2.17
@        3600 AAAA  2001:db8::17
@        3600 HTTPS 1 . alpn=h2,h3 port=8443
www      300  CNAME @
_greeting 60  TXT   \"a name that only its owner controls\"
*.files  300  A     192.0.2.18
";

/// One thing the demo did.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    milliseconds: f64,
}

/// What `demo` prints with `--json`.
#[derive(Debug, Serialize)]
struct Done {
    steps: Vec<Step>,
    stored: usize,
    dht: show::Packet,
    relay: show::Packet,
}

/// The clock of the demo: names what was done and how long it took.
#[derive(Debug)]
struct Steps {
    since: Instant,
    done: Vec<Step>,
    aloud: bool,
}

impl Steps {
    fn done(&mut self, step: &'static str) -> Result<(), Failure> {
        let milliseconds = self.since.elapsed().as_secs_f64() * 1000.0;
        if self.aloud {
            output::text(&format!(";; {milliseconds:9.2} ms  {step}"))?;
        }
        self.done.push(Step { step, milliseconds });
        self.since = Instant::now();
        Ok(())
    }
}

pub(crate) async fn run(common: &Options) -> Result<(), Failure> {
    let mut steps = Steps { since: Instant::now(), done: Vec::new(), aloud: !common.json };
    let progress = Progress::start(common, format!("starting {NODES} nodes"));
    let network = within(common, "starting the network", Network::start(NODES)).await??;
    drop(progress);
    steps.done("started a DHT of 50 nodes and a relay on loopback")?;
    let done = publish_and_resolve(common, &network, &mut steps).await;
    network.stop().await;
    let (question, stored, by_dht, by_relay, took) = done?;
    if common.json {
        let shown = |resolution: &Resolution| {
            let records: Vec<_> = resolution.packet.all_resource_records().collect();
            show::Packet::new(&resolution.packet, &records, resolution)
        };
        return output::json(&Done {
            dht: shown(&by_dht),
            relay: shown(&by_relay),
            stored,
            steps: steps.done,
        });
    }
    let records: Vec<_> = by_dht.packet.all_resource_records().collect();
    output::text("")?;
    output::text(&show::dig(&question, &records, &by_dht, took))
}

type Answers = (Question, usize, Resolution, Resolution, std::time::Duration);

async fn publish_and_resolve(
    common: &Options,
    network: &Network,
    steps: &mut Steps,
) -> Result<Answers, Failure> {
    let keypair = Keypair::random();
    let key = keypair.public_key();
    let zone = zone::parse(ZONE, &key).map_err(|error| Failure::input("the sample zone", error))?;
    let packet = SignedPacketBuilder::from(&zone)
        .sign(&keypair)
        .map_err(|error| Failure::input("the sample zone", error))?;
    steps.done("made a key and signed a zone of six records")?;

    let publisher = client(network, true, true)?;
    let report = within(common, "publishing", publisher.publish_report(&packet, None))
        .await?
        .map_err(|error| Failure::network("the sample zone is not published", error))?;
    steps.done("published it through the DHT and the relay")?;

    let begun = Instant::now();
    let cold = client(network, true, false)?;
    let by_dht = within(common, "resolving", resolve::newest(&cold, &key)).await??;
    let took = begun.elapsed();
    steps.done("resolved it through the DHT, with a new node and an empty cache")?;

    let cold = client(network, false, true)?;
    let by_relay = within(common, "resolving", resolve::newest(&cold, &key)).await??;
    steps.done("resolved it through the relay, with an empty cache")?;

    for resolution in [&by_dht, &by_relay] {
        if !resolution.packet.is_same_as(&packet) {
            let what = format!("{} gave another packet than the one published", resolution.source);
            return Err(Failure::Network { what, source: None });
        }
    }
    let question = Question { key, name: String::new(), kind: None, whole_zone: true };
    Ok((question, report.stored_nodes(), by_dht, by_relay, took))
}

/// A client that knows nothing yet.
fn client(network: &Network, dht: bool, relay: bool) -> Result<Client, Failure> {
    let mut builder = Client::builder().no_default_network();
    if dht {
        builder = builder.bootstrap(&network.testnet.bootstrap).dht(|node| node.bind(LOOPBACK));
    }
    if relay {
        builder = builder
            .relays(&[network.relay.url().as_str()])
            .map_err(|error| Failure::input("the relay's own address", error))?;
    }
    builder.build().map_err(|error| Failure::local("cannot start a client", error))
}
