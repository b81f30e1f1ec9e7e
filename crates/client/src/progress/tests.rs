//! Which packet wins a lookup, in whatever order backends answer.
//!
//! Separate because it needs packets and chance.

use std::sync::LazyLock;
use std::time::Duration;

use mainstay_keys::Keypair;
use proptest::prelude::*;
use url::Url;

use super::{AnswerOutcome, BackendName, End, Find, Progress, Reach, Source, Worth};
use crate::scripted::{ago, packet};
use crate::{Freshness, SignedPacket, Timestamp};

/// Packets of one key: two of each time, from long past to far ahead.
static PACKETS: LazyLock<Vec<SignedPacket>> = LazyLock::new(|| {
    let keypair = Keypair::from_secret_key(&[7; 32]);
    let ahead = Timestamp::clock().checked_add(Duration::from_secs(86_400)).expect("before 9999");
    let times = [ago(9000), ago(60), ago(5), ahead, Timestamp::MAX];
    let two = |time| [packet(&keypair, time, 60), packet(&keypair, time, 61)];
    times.into_iter().flat_map(two).collect()
});

fn progress(backends: usize) -> Progress {
    let url = Url::parse("http://relay.test").expect("a URL");
    Progress::of((0..backends).map(|_| BackendName::Relay(url.clone())))
}

fn find(packet: &SignedPacket) -> Find {
    let source = Source::Dht { nodes: 1 };
    Find { packet: packet.clone(), source, last_seen: Timestamp::clock() }
}

fn give(progress: &mut Progress, packet: &SignedPacket, seen: Option<Timestamp>) -> Worth {
    progress.handle_find(0, find(packet), seen, &Freshness::default(), Timestamp::clock())
}

fn is_plausible(packet: &SignedPacket) -> bool {
    Freshness::is_plausible(packet.timestamp(), Timestamp::clock())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_same_packet_wins_in_whatever_order_answers_come(
        picks in proptest::collection::vec(0..10_usize, 1..12),
        floor in proptest::option::of(0..4_usize),
    ) {
        let seen = floor.map(|floor| PACKETS[floor].timestamp());
        let mut progress = progress(1);
        for pick in &picks {
            give(&mut progress, &PACKETS[*pick], seen);
        }
        let mut allowed: Vec<_> = picks.iter().map(|pick| &PACKETS[*pick]).collect();
        allowed.retain(|packet| seen.is_none_or(|seen| packet.timestamp() >= seen));
        if allowed.iter().any(|packet| is_plausible(packet)) {
            allowed.retain(|packet| is_plausible(packet));
        }
        let newest = allowed.into_iter().reduce(|a, b| if b.more_recent_than(a) { b } else { a });
        prop_assert_eq!(progress.best().map(|best| &best.packet), newest);
    }
}

#[test]
fn a_find_is_remembered_when_it_is_newer_and_not_again() {
    let mut progress = progress(1);
    assert_eq!(give(&mut progress, &PACKETS[2], None), Worth::Remember);
    assert_eq!(give(&mut progress, &PACKETS[2], None), Worth::Nothing);
    assert_eq!(give(&mut progress, &PACKETS[0], None), Worth::Nothing);
    assert_eq!(give(&mut progress, &PACKETS[4], None), Worth::Remember);
}

#[test]
fn nodes_that_give_the_same_packet_are_counted() {
    let mut progress = progress(1);
    for _ in 0..3 {
        give(&mut progress, &PACKETS[2], None);
    }
    let source = progress.best().map(|best| best.source.clone());
    assert_eq!(source, Some(Source::Dht { nodes: 3 }));
}

#[test]
fn any_answer_suffices_once_one_is_good_and_all_once_all_have_ended() {
    let mut progress = progress(2);
    assert!(!progress.suffices(Reach::First));
    give(&mut progress, &PACKETS[2], None);
    assert!(progress.suffices(Reach::First) && !progress.suffices(Reach::All));
    progress.handle_end(0, End::Exhausted);
    assert!(!progress.suffices(Reach::All));
    progress.handle_end(1, End::Exhausted);
    assert!(progress.suffices(Reach::All));
    assert!(matches!(progress.answers()[0].outcome, AnswerOutcome::Found { .. }));
    assert!(matches!(progress.answers()[1].outcome, AnswerOutcome::NotFound));
}

#[test]
fn a_packet_from_the_far_future_alone_is_no_good_first_answer() {
    let mut progress = progress(1);
    give(&mut progress, &PACKETS[8], None);
    assert!(!progress.suffices(Reach::First));
    progress.handle_end(0, End::Exhausted);
    assert!(progress.suffices(Reach::First) && progress.best().is_some());
}
