//! What a builder is given to put into its nodes: a store, a hook. Apart from the builder because both are made
//! anew for every node that it builds.

use std::fmt;
use std::sync::Arc;

use mainstay_dht_proto::{Node, Request, Store, Verdict};

type MakeStore = dyn Fn() -> Box<dyn Store> + Send + Sync;
type Hook = dyn Fn(&Request<'_>) -> Verdict + Send + Sync;

/// A store and a hook, where they are not the usual ones.
#[derive(Clone, Default)]
pub(crate) struct Extensions {
    pub(crate) store: Option<Arc<MakeStore>>,
    pub(crate) hook: Option<Arc<Hook>>,
}

impl Extensions {
    /// Puts them into a node that has just been made.
    pub(crate) fn apply(&self, node: &mut Node) {
        if let Some(store) = &self.store {
            node.set_store(store());
        }
        if let Some(hook) = self.hook.clone() {
            node.set_hook(Box::new(move |request| hook(request)));
        }
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("store", &self.store.is_some())
            .field("hook", &self.hook.is_some())
            .finish()
    }
}
