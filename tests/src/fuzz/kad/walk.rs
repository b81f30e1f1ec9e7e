//! The lookup against a reference that keeps a flat list and recomputes everything from it.
//! Separate because a walk is told other things than a table, and must end.

mod reference;

use mainstay_kad::{Answer, Id, Lookup, LookupConfig};
use reference::Reference;

use super::Script;
use super::peer::Peer;

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

impl Step {
    fn read(script: &mut Script<'_>) -> Self {
        match script.below(22) {
            0 | 1 => Self::Add(script.peer()),
            2 => Self::AddUnidentified(script.peer()),
            3..11 => Self::Next,
            11..16 => Self::Responded(script.count(6), script.peers(6)),
            16 => Self::Mismatched(script.count(6), script.word().to_be_bytes().into()),
            17 | 18 => Self::Failed(script.count(6)),
            19 | 20 => Self::Stalled(script.count(6)),
            _ => Self::Unasked(script.peer()),
        }
    }
}

fn any_config(script: &mut Script<'_>) -> LookupConfig {
    let parallelism = 1 + script.count(3);
    LookupConfig {
        closest: 1 + script.count(4),
        parallelism,
        closing_parallelism: parallelism + script.count(4),
        visits: 1 + script.count(29),
        new_per_answer: 1 + script.count(4),
        one_per_host: script.coin(),
        one_per_subnet: script.coin(),
        ..LookupConfig::default()
    }
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

/// A walk asks and ends as a flat list says it should, whatever it is told.
pub(in crate::fuzz) fn lookup_walk(script: &[u8]) {
    let mut script = Script(script);
    let (target, own) = (Id::from(script.word().to_be_bytes()), script.id());
    let config = any_config(&mut script);
    let mut walk = Walk::new(target, config.clone()).excluding(own);
    let mut reference = Reference::new(target, own, config);
    for peer in script.peers(6) {
        take(Step::Add(peer), &mut walk, &mut reference);
        reference.check(&walk);
    }
    while !script.is_over() {
        take(Step::read(&mut script), &mut walk, &mut reference);
        reference.check(&walk);
    }
    // However it stands, it ends once every query has failed.
    loop {
        while let Some(peer) = walk.next() {
            assert_eq!(Some(peer), reference.next());
        }
        assert_eq!(None, reference.next());
        let Some(peer) = reference.query(0) else { break };
        walk.failed(&(peer.host, peer.port));
        reference.failed(peer);
    }
    assert!(walk.is_settled());
}
