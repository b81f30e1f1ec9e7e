//! Writers of one key in several processes, which share nothing but the network.
//! Apart because the test starts itself anew for each writer.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use mainstay::dht::Testnet;
use mainstay::{Client, Keypair};
use mainstay_relay_server::RelayServer;

use super::over_dht;

/// What a writer is told: its name, how many updates it makes, the bootstrap addresses and the relays.
const TASK: &str = "MAINSTAY_TEST_WRITER";

/// The secret key of all writers; nothing outside of the test network ever sees it.
const SECRET: [u8; 32] = [42; 32];

/// How many updates each writer makes; their records must fit one packet.
const UPDATES: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_update_one_key_over_two_relays_and_the_dht_lose_nothing() {
    if let Ok(task) = std::env::var(TASK) {
        return write(&task).await;
    }
    let testnet = Testnet::new(10).await.unwrap();
    let (one, two) = (relay(&testnet).await, relay(&testnet).await);
    // The key has no packet yet: who creates it is part of the race.
    let writers = ["a", "b"].map(|name| {
        let bootstrap = testnet.bootstrap.join(",");
        let task = format!("{name} {bootstrap} {},{}", one.url(), two.url());
        tokio::task::spawn_blocking(move || start(&task))
    });
    let mut told = String::new();
    for writer in writers {
        let Output { status, stdout, stderr } = writer.await.unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "a writer failed:\n{stdout}\n{stderr}");
        told.push_str(&stdout);
    }
    let reader = over_dht(&testnet).extra_relays(&[one.url(), two.url()]).unwrap().build().unwrap();
    let key = Keypair::from_secret_key(&SECRET).public_key();
    let stands = reader.resolve_most_recent(&key).await.unwrap();
    let there: BTreeSet<_> =
        stands.all_resource_records().map(|record| record.name().relative()).collect();
    let written: BTreeSet<_> = ["a", "b"]
        .iter()
        .flat_map(|name| (0..UPDATES).map(move |n| format!("{name}{n}")))
        .collect();
    assert_eq!(there, written, "{told}");
}

async fn relay(testnet: &Testnet) -> RelayServer {
    let client = over_dht(testnet).build().expect("a free port");
    let server = RelayServer::builder(client).no_rate_limits().bind(([127, 0, 0, 1], 0).into());
    server.await.expect("a free port")
}

/// Runs this very test as a writer, to its end.
fn start(task: &str) -> Output {
    let program = std::env::current_exe().expect("it runs");
    let this = concat!(
        "client::processes::",
        "two_processes_that_update_one_key_over_two_relays_and_the_dht_lose_nothing"
    );
    let mut writer = Command::new(program);
    writer.args(["--exact", this, "--nocapture"]).env(TASK, task);
    writer.output().expect("it starts again")
}

#[expect(clippy::print_stdout, reason = "how often two writers met is a figure")]
async fn write(task: &str) {
    let parts: Vec<_> = task.split(' ').collect();
    let [name, bootstrap, relays] = parts[..] else { panic!("a malformed task: {task}") };
    let client = Client::builder()
        .no_default_network()
        .bootstrap(&bootstrap.split(',').collect::<Vec<_>>())
        .dht(|dht| dht.bind(([127, 0, 0, 1], 0).into()))
        .extra_relays(&relays.split(',').collect::<Vec<_>>())
        .unwrap()
        .build()
        .unwrap();
    let keypair = Keypair::from_secret_key(&SECRET);
    let mut attempts = 0;
    for n in 0..UPDATES {
        let record = format!("{name}{n}");
        let updated = client
            .update(&keypair, |zone| {
                Ok(zone.to_builder().txt(record.as_str().try_into()?, "x".try_into()?, 300))
            })
            .await
            .unwrap_or_else(|error| panic!("{record}: {error}"));
        attempts += updated.attempts;
        let signed = updated.packet.timestamp().as_u64();
        println!("{record}: signed {signed}, attempt {}: {}", updated.attempts, updated.report);
        assert!(updated.packet.resource_records(&record).next().is_some(), "{record}");
    }
    println!("{name}: {UPDATES} updates in {attempts} attempts");
}
