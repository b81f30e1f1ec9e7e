//! The signed items that we stored in the network, so that they can be stored again after a restart.
//! Apart from the store, which keeps what others gave us.

use std::collections::{BTreeMap, VecDeque};

use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;

use crate::{Ask, Event, Outcome, QueryId};

/// Our items, the latest last, one for each target.
#[derive(Debug)]
pub(crate) struct Published {
    capacity: usize,
    /// Puts that have not ended.
    pending: BTreeMap<QueryId, MutableItem>,
    items: VecDeque<MutableItem>,
}

impl Published {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, pending: BTreeMap::new(), items: VecDeque::new() }
    }

    /// The item that a put is about, if it is one to remember.
    pub(crate) fn item_of(&self, ask: &Ask) -> Option<MutableItem> {
        match ask {
            Ask::PutMutable { item, .. } if self.capacity > 0 => Some(item.clone()),
            _ => None,
        }
    }

    /// A put has begun.
    pub(crate) fn begun(&mut self, query: QueryId, item: Option<MutableItem>) {
        if let Some(item) = item {
            self.pending.insert(query, item);
        }
    }

    pub(crate) fn cancelled(&mut self, query: QueryId) {
        self.pending.remove(&query);
    }

    /// Looks at what the owner is told: a put that succeeded is worth remembering.
    pub(crate) fn heed(&mut self, event: &Event) {
        if let Event::Done { query, outcome, .. } = event
            && let Some(item) = self.pending.remove(query)
            && matches!(outcome, Outcome::Put(Ok(_)))
        {
            self.insert(item);
        }
    }

    /// Remembers an item as the latest; when full, the earliest is forgotten.
    pub(crate) fn insert(&mut self, item: MutableItem) {
        let target: Id = item.target();
        if let Some(at) = self.items.iter().position(|known| known.target() == target) {
            if self.items.get(at).is_some_and(|known| known.seq() > item.seq()) {
                return;
            }
            self.items.remove(at);
        }
        self.items.push_back(item);
        while self.items.len() > self.capacity {
            self.items.pop_front();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MutableItem> {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_keys::Keypair;

    use super::*;

    fn item(salt: u8, seq: i64) -> MutableItem {
        MutableItem::sign_bytes(&Keypair::from_secret_key(&[1; 32]), &[salt], seq, b"v").unwrap()
    }

    #[test]
    fn of_each_target_the_newest_is_remembered_and_of_all_the_latest() {
        let mut published = Published::new(2);
        for (salt, seq) in [(1, 1), (2, 1), (1, 5), (1, 4), (3, 1)] {
            published.insert(item(salt, seq));
        }
        assert_eq!(published.iter().cloned().collect::<Vec<_>>(), [item(1, 5), item(3, 1)]);
    }

    #[test]
    fn what_is_put_again_is_the_latest_again_and_there_once() {
        let mut published = Published::new(3);
        for salt in [1, 2, 3, 1] {
            published.insert(item(salt, 1));
        }
        let kept: Vec<_> = published.iter().cloned().collect();
        assert_eq!(kept, [item(2, 1), item(3, 1), item(1, 1)]);
        let ask = Ask::PutMutable { item: item(4, 1), cas: None };
        assert_eq!(published.item_of(&ask), Some(item(4, 1)));
        let ask = Ask::FindNode { target: item(4, 1).target() };
        assert_eq!(published.item_of(&ask), None);
    }

    #[test]
    fn a_node_that_is_to_remember_nothing_keeps_nothing() {
        let mut published = Published::new(0);
        assert!(published.item_of(&Ask::PutMutable { item: item(1, 1), cas: None }).is_none());
        published.insert(item(1, 1));
        assert_eq!(published.iter().count(), 0);
    }

    #[test]
    fn a_put_that_failed_or_was_cancelled_is_forgotten() {
        let mut published = Published::new(5);
        for query in [QueryId(1), QueryId(2)] {
            published.begun(query, Some(item(1, 1)));
        }
        published.cancelled(QueryId(1));
        let outcome = Outcome::Put(Err(crate::LookupError::NoNodes.into()));
        let report = crate::LookupReport::default();
        published.heed(&Event::Done { query: QueryId(2), outcome, report });
        assert_eq!(published.iter().count(), 0);
        assert!(published.pending.is_empty());
    }
}
