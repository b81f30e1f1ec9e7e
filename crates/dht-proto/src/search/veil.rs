//! What nodes far from a target are asked instead, so that they do not learn what somebody looks for.
//! Apart from the walk, which goes to the true target all the same.

use mainstay_krpc::{Id, Method};
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::contact::{Contact, kad_id};
use crate::goal::Goal;
use crate::network::Network;

/// About how many nodes see the true target, were all of them asked: four times as many as a put stores at by
/// default, so that who holds the value is among them though the size of the network is only known roughly.
const WITNESSES: u64 = 64;
/// How many bits further than its own id each node is led: as far as one answer of eight nodes carries.
const AHEAD: usize = 4;

/// Hides the target of one walk from nodes that share fewer than so many bits with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Veil {
    near: usize,
}

impl Veil {
    /// For a walk over `network`, whose size decides where near begins; `None` where there is nothing to hide, or
    /// nobody to hide it from.
    pub(super) fn new(goal: &Goal, network: &Network) -> Option<Self> {
        let open = matches!(goal, Goal::Nodes { .. } | Goal::Samples { .. } | Goal::Ping { .. });
        let nodes = network.guessed_size() / WITNESSES;
        let near = usize::try_from(nodes.checked_ilog2()?).unwrap_or(0);
        (!open && near > 0).then_some(Self { near })
    }

    /// What to ask `contact`: a node whose id is not known counts as far.
    pub(super) fn method(
        self,
        goal: &Goal,
        contact: &Contact,
        rng: &mut StdRng,
    ) -> Method<'static> {
        let target = kad_id(&goal.target());
        let shared = contact.known_id().map_or(0, |id| target.shared_prefix(&kad_id(&id)));
        if shared >= self.near {
            return goal.method();
        }
        let told = (shared + AHEAD).min(self.near);
        let veiled = target.random_with_prefix(told, |bytes| rng.fill_bytes(bytes));
        Method::FindNode { target: Id::from_bytes(veiled.to_bytes()) }
    }
}
