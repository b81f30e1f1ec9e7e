//! What the stream promises: better and better, to the end, and at nobody's cost.
//!
//! Separate because each promise needs backends that answer one after the other.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use mainstay_keys::Keypair;

use super::ResolveStream;
use crate::backend::{End, Reach};
use crate::cache::Cached;
use crate::report::{AnswerOutcome, Failure, Source};
use crate::scripted::{Scripted, ago, engine, packet, settle};
use crate::{Policy, ResolveError};

#[tokio::test(start_paused = true)]
async fn better_answers_come_in_order_with_their_source_and_older_ones_do_not() {
    let keypair = Keypair::random();
    let [cached, old, newer, newest] =
        [400, 500, 50, 5].map(|seconds| packet(&keypair, ago(seconds), 60));
    let relays = [old, newer.clone(), newest.clone()].map(|it| Arc::new(Scripted::gated(&[it])));
    let engine = engine(&[&relays[0], &relays[1], &relays[2]]);
    engine.remember(Cached { packet: cached.clone(), last_seen: ago(390) }).await;
    let mut answers = ResolveStream::start(&engine, keypair.public_key());
    let first = answers.next().await.unwrap();
    assert_eq!((first.packet, first.source), (cached, Source::Cache));
    for (relay, better) in relays.iter().zip([None, Some(newer), Some(newest.clone())]) {
        relay.gate.add_permits(1);
        settle().await;
        let Some(better) = better else {
            assert!(answers.next().now_or_never().is_none(), "what is older is no answer");
            continue;
        };
        let answer = answers.next().await.unwrap();
        assert_eq!(answer.packet, better);
        assert!(matches!(answer.source, Source::Relay(_)));
    }
    assert!(answers.next().await.is_none());
    let conclusion = answers.conclusion().unwrap();
    assert_eq!(conclusion.packet, newest);
    assert!(matches!(conclusion.answers[0].outcome, AnswerOutcome::Outdated { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_gets_the_best_there_is_and_then_the_end() {
    let keypair = Keypair::random();
    let packets = [50, 40, 30, 5].map(|seconds| packet(&keypair, ago(seconds), 60));
    let relay = Arc::new(Scripted::with(&packets));
    let engine = engine(&[&relay]);
    let answers = ResolveStream::start(&engine, keypair.public_key());
    settle().await;
    let answers: Vec<_> = answers.map(|answer| answer.packet).collect().await;
    assert_eq!(answers.last(), packets.last());
    assert!(answers.windows(2).all(|pair| pair[1].more_recent_than(&pair[0])));
}

#[tokio::test(start_paused = true)]
async fn dropping_it_takes_nothing_from_others() {
    let keypair = Keypair::random();
    let packet = packet(&keypair, ago(5), 60);
    let relay = Arc::new(Scripted::gated(std::slice::from_ref(&packet)));
    let engine = engine(&[&relay]);
    let answers = ResolveStream::start(&engine, keypair.public_key());
    let other = tokio::spawn(engine.clone().resolve(keypair.public_key(), Policy::MostRecent));
    settle().await;
    drop(answers);
    relay.gate.add_permits(1);
    assert_eq!(other.await.unwrap().unwrap().packet, packet);
    assert_eq!(*relay.asked.lock().unwrap(), [Reach::All]);
}

#[tokio::test(start_paused = true)]
async fn without_any_answer_it_ends_and_says_why() {
    let keypair = Keypair::random();
    let broken = Scripted::with(&[]).ending(End::Failed(Failure::Abandoned));
    let engine = engine(&[&Arc::new(broken)]);
    let mut answers = ResolveStream::start(&engine, keypair.public_key());
    assert!(answers.next().await.is_none());
    assert!(matches!(answers.conclusion(), Err(ResolveError::NoAnswer(_))));
}
