//! The lookup against a reference that keeps a flat list and recomputes everything from it.
//! Separate because a walk is told other things than a table, and must end.

mod reference;

use mainstay_kad::{Answer, Id, Lookup, LookupConfig};
use proptest::prelude::*;
use reference::Reference;

use crate::peer::{Peer, any_peer};

type Walk = Lookup<Peer, 2, u16>;

/// One thing that an owner does with a walk. Numbers choose among the queries under way.
#[derive(Debug, Clone)]
enum Step {
    Add(Peer),
    AddUnidentified(Peer),
    Next,
    Responded(usize, Vec<Peer>),
    /// Under another id.
    Mismatched(usize, Id<2>),
    Failed(usize),
    Stalled(usize),
    /// From somebody who may not have been asked.
    Unasked(Peer),
}

fn any_step() -> impl Strategy<Value = Step> {
    let query = 0_usize..6;
    prop_oneof![
        2 => any_peer().prop_map(Step::Add),
        1 => any_peer().prop_map(Step::AddUnidentified),
        8 => Just(Step::Next),
        5 => (query.clone(), prop::collection::vec(any_peer(), 0..6))
            .prop_map(|(query, named)| Step::Responded(query, named)),
        1 => (query.clone(), any::<[u8; 2]>()).prop_map(|(query, id)| Step::Mismatched(query, id.into())),
        2 => query.clone().prop_map(Step::Failed),
        2 => query.prop_map(Step::Stalled),
        1 => any_peer().prop_map(Step::Unasked),
    ]
}

fn any_config() -> impl Strategy<Value = LookupConfig> {
    let numbers = (1_usize..5, 1_usize..4, 0_usize..4, 1_usize..30, 1_usize..5);
    (numbers, any::<bool>(), any::<bool>()).prop_map(
        |((closest, parallelism, more, visits, new_per_answer), one_per_host, one_per_subnet)| {
            LookupConfig {
                closest,
                parallelism,
                closing_parallelism: parallelism + more,
                visits,
                new_per_answer,
                one_per_host,
                one_per_subnet,
                ..LookupConfig::default()
            }
        },
    )
}

/// Takes one step with both and compares what they say.
fn take(step: Step, walk: &mut Walk, reference: &mut Reference) {
    match step {
        Step::Add(peer) => assert_eq!(walk.add(peer), reference.add(peer)),
        Step::AddUnidentified(peer) => {
            assert_eq!(walk.add_unidentified(peer), reference.add_unidentified(peer));
        }
        Step::Next => assert_eq!(walk.next(), reference.next()),
        Step::Responded(query, named) => {
            let Some(peer) = reference.query(query) else { return };
            let answer = walk.responded(peer, peer.mark(), named.iter().copied());
            assert_eq!(answer, reference.responded(peer, &named));
        }
        Step::Mismatched(query, id) => {
            let Some(asked) = reference.query(query) else { return };
            let liar = Peer { id, ..asked };
            assert_eq!(walk.responded(liar, liar.mark(), []), reference.responded(liar, &[]));
        }
        Step::Failed(query) => {
            let Some(peer) = reference.query(query) else { return };
            walk.failed(&(peer.host, peer.port));
            reference.failed(peer);
        }
        Step::Stalled(query) => {
            let Some(peer) = reference.query(query) else { return };
            walk.stalled(&(peer.host, peer.port));
            reference.stalled(peer);
        }
        Step::Unasked(peer) => {
            let expected = if reference.is_asked(peer) { return } else { Answer::Unasked };
            let answer = walk.responded(peer, 0, [peer]);
            assert_eq!(answer, if reference.is_settled() { Answer::Late } else { expected });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_walk_asks_and_ends_as_a_flat_list_says_it_should(
        target: [u8; 2],
        own: [u8; 2],
        config in any_config(),
        seeds in prop::collection::vec(any_peer(), 0..6),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let (target, own) = (Id::from(target), Id::from(own));
        let mut walk = Walk::new(target, config.clone()).excluding(own);
        let mut reference = Reference::new(target, own, config);
        let seeds = seeds.into_iter().map(Step::Add);
        for step in seeds.chain(steps) {
            take(step, &mut walk, &mut reference);
            reference.check(&walk);
        }
        // However it stands, it ends once every query has failed.
        loop {
            while let Some(peer) = walk.next() {
                prop_assert_eq!(Some(peer), reference.next());
            }
            prop_assert_eq!(None, reference.next());
            let Some(peer) = reference.query(0) else { break };
            walk.failed(&(peer.host, peer.port));
            reference.failed(peer);
        }
        prop_assert!(walk.is_settled());
    }
}
