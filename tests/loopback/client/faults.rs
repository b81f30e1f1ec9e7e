//! Relays that fail in every way there is, beside one that works: what each costs.
//! Apart because it is a table, one row a fault.

use std::time::Instant;

use mainstay::{AnswerOutcome, Keypair, Policy, ResolveError};

use super::relay::{Manner, Relay};
use super::{AT_ONCE, RELAY_TIMEOUT, over_relays, packet};

/// Every fault, given a packet that is older than the newest and one of another key.
fn faults(keypair: &Keypair) -> Vec<Manner> {
    vec![
        Manner::Hangs,
        Manner::Resets,
        Manner::Babbles,
        Manner::Garbage,
        Manner::Endless,
        Manner::Empty,
        Manner::Insists(packet(keypair, 5000)),
        Manner::Insists(packet(&Keypair::random(), 1)),
        Manner::Status(400),
        Manner::Status(404),
        Manner::Status(429),
        Manner::Status(500),
        Manner::Status(503),
        Manner::Redirects,
    ]
}

#[tokio::test]
async fn no_fault_of_one_relay_delays_or_spoils_the_answer_of_another() {
    let keypair = Keypair::random();
    let newest = packet(&keypair, 5);
    let good = Relay::start(Manner::Honest).await.holding(&newest);
    for fault in faults(&keypair) {
        let bad = Relay::start(fault.clone()).await;
        let client = over_relays(&[&bad, &good]).build().unwrap();
        let begun = Instant::now();
        let first = client.resolve(&keypair.public_key()).await.expect("the good relay has it");
        assert!(begun.elapsed() < AT_ONCE, "{fault:?}");
        // An older packet is a good first answer until a newer one has been seen.
        let older = matches!(&fault, Manner::Insists(older) if first.is_same_as(older));
        assert!(first.is_same_as(&newest) || older, "{fault:?}");
        let most_recent = client.resolve_most_recent(&keypair.public_key()).await;
        assert_eq!(most_recent.as_ref(), Some(&newest), "{fault:?}");
        assert!(begun.elapsed() < RELAY_TIMEOUT + AT_ONCE, "{fault:?}");
        assert_eq!(client.resolve(&keypair.public_key()).await, Some(newest.clone()), "{fault:?}");
    }
}

/// The table of docs/operations.md: run it alone and with `--nocapture` for its figures.
#[tokio::test]
async fn a_relay_that_was_well_and_fails_costs_one_hedge_at_most() {
    println!("| fault of one of two relays | first answer |");
    println!("|---|---|");
    let half_hanging = [Manner::HangsInHeaders, Manner::HangsInBody];
    for fault in faults(&Keypair::random()).into_iter().chain(half_hanging) {
        let [known, cold] = [(); 2].map(|()| Keypair::random());
        let packets = [packet(&known, 5), packet(&cold, 5)];
        let bad = Relay::start(Manner::Honest).await.holding(&packets[0]);
        let good = Relay::start(Manner::Honest).await.holding(&packets[0]).holding(&packets[1]);
        let client = over_relays(&[&bad, &good]).build().unwrap();
        // Both are measured; then the one goes bad, whichever is the faster.
        assert!(client.resolve_most_recent(&known.public_key()).await.is_some());
        bad.change(fault.clone());
        let begun = Instant::now();
        let answer = client.resolve(&cold.public_key()).await;
        let took = begun.elapsed();
        assert_eq!(answer, Some(packets[1].clone()), "{fault:?}");
        assert!(took < AT_ONCE, "{fault:?}");
        assert_eq!(good.count("GET"), 2, "{fault:?}");
        let name = format!("{fault:?}");
        let name =
            name.split_once('(').filter(|_| name.len() > 20).map_or(&*name, |(name, _)| name);
        println!("| {name} | {:.1} ms |", took.as_secs_f64() * 1000.0);
    }
}

#[tokio::test]
async fn relays_behind_a_closed_port_or_a_broken_tls_or_a_name_that_is_none_cost_nothing() {
    let keypair = Keypair::random();
    let newest = packet(&keypair, 5);
    let good = Relay::start(Manner::Honest).await.holding(&newest);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = Relay::start(Manner::Honest).await;
    for url in [
        format!("http://{closed}/"),
        plain.url.replace("http:", "https:"),
        "http://no-such-host.invalid/".to_owned(),
    ] {
        let client = over_relays(&[&good]).extra_relays(&[&url]).unwrap().build().unwrap();
        let begun = Instant::now();
        assert_eq!(client.resolve(&keypair.public_key()).await, Some(newest.clone()), "{url}");
        assert!(begun.elapsed() < AT_ONCE, "{url}");
        let found = client.resolve_with(&keypair.public_key(), Policy::MostRecent).await.unwrap();
        assert!(matches!(found.answers[1].outcome, AnswerOutcome::Failed(_)), "{url}");
    }
}

#[tokio::test]
async fn one_honest_relay_among_five_is_enough() {
    let keypair = Keypair::random();
    let newest = packet(&keypair, 5);
    let foreign = packet(&Keypair::random(), 1);
    let liars = [Manner::Hangs, Manner::Endless, Manner::Garbage, Manner::Insists(foreign)];
    let mut relays = Vec::new();
    for liar in liars {
        relays.push(Relay::start(liar).await);
    }
    relays.push(Relay::start(Manner::Honest).await.holding(&newest));
    let client = over_relays(&relays.iter().collect::<Vec<_>>()).build().unwrap();
    let begun = Instant::now();
    assert_eq!(client.resolve(&keypair.public_key()).await, Some(newest.clone()));
    assert!(begun.elapsed() < AT_ONCE);
    assert_eq!(client.resolve_most_recent(&keypair.public_key()).await, Some(newest));
}

#[tokio::test]
async fn no_fault_of_one_relay_fails_a_publish_that_another_stores() {
    for fault in faults(&Keypair::random()) {
        let keypair = Keypair::random();
        let newest = packet(&keypair, 5);
        let (bad, good) = (Relay::start(fault.clone()).await, Relay::start(Manner::Honest).await);
        let client = over_relays(&[&bad, &good]).build().unwrap();
        let begun = Instant::now();
        let report = client.publish_report(&newest, None).await.expect("the good relay stored it");
        assert!(begun.elapsed() < 2 * RELAY_TIMEOUT + AT_ONCE, "{fault:?}");
        // Whoever answers 200 claims to have stored it, and nobody can tell.
        let claims = !matches!(fault, Manner::Status(_) | Manner::Redirects)
            && !matches!(fault, Manner::Hangs | Manner::Resets | Manner::Babbles);
        assert_eq!(report.stored_backends(), 1 + usize::from(claims), "{fault:?}: {report}");
        assert_eq!(good.packet(keypair.public_key()), Some(newest), "{fault:?}");
    }
}

#[tokio::test]
async fn with_nothing_but_faults_the_error_says_what_each_relay_did() {
    let keypair = Keypair::random();
    let manners =
        [Manner::Resets, Manner::Garbage, Manner::Status(429), Manner::Status(500), Manner::Empty];
    let mut relays = Vec::new();
    for manner in manners {
        relays.push(Relay::start(manner).await);
    }
    let relays: Vec<_> = relays.iter().collect();
    let client = over_relays(&relays).build().unwrap();
    let key = keypair.public_key();
    let error = client.resolve_with(&key, Policy::CacheFirst).await.unwrap_err();
    assert!(matches!(error, ResolveError::NoAnswer(_)), "{error}");
    for (answer, relay) in error.answers().iter().zip(&relays) {
        assert_eq!(answer.backend.to_string(), relay.url);
        assert!(matches!(answer.outcome, AnswerOutcome::Failed(_)), "{answer}");
    }
    assert_eq!(client.resolve(&key).await, None);
    for relay in &relays {
        relay.change(Manner::Status(500));
    }
    let error = client.publish(&packet(&keypair, 5), None).await.unwrap_err();
    assert_eq!(error.report().map(|report| report.outcomes.len()), Some(5));
}

#[tokio::test]
async fn a_relay_that_goes_back_to_an_older_packet_is_not_believed() {
    let keypair = Keypair::random();
    let (old, new) = (packet(&keypair, 50), packet(&keypair, 5));
    let relay = Relay::start(Manner::Honest).await.holding(&new);
    let client = over_relays(&[&relay]).cache_size(0).build().unwrap();
    let key = keypair.public_key();
    assert_eq!(client.resolve(&key).await, Some(new.clone()));
    relay.change(Manner::Insists(old));
    assert_eq!(client.resolve(&key).await, None);
    let error = client.resolve_with(&key, Policy::NetworkOnly).await.unwrap_err();
    assert!(matches!(error, ResolveError::Outdated { seen, .. } if seen == new.timestamp()));
}
