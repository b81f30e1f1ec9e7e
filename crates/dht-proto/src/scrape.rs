//! How many have a torrent, without a list of who ([BEP 33](https://www.bittorrent.org/beps/bep_0033.html)).
//! Apart from the other findings because it is the union of what all nodes say, and not one node's answer.

use mainstay_krpc::Response;
use mainstay_krpc::bloom::Bloom;

/// The filters of all nodes that gave some, merged.
///
/// Nodes are told the truth by those who announce, or not: take the counts for what is claimed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrape {
    /// Who has everything.
    pub seeds: Bloom,
    /// Who has not.
    pub downloaders: Bloom,
    /// How many nodes gave filters; none may know the info hash, or none of them BEP 33.
    pub nodes: usize,
}

impl Scrape {
    /// About how many addresses have everything; the error is some per cent, and no filter tells more than 6,000
    /// apart.
    #[must_use]
    pub fn seed_count(&self) -> u64 {
        count(&self.seeds)
    }

    /// About how many addresses have not.
    #[must_use]
    pub fn downloader_count(&self) -> u64 {
        count(&self.downloaders)
    }

    /// Adds what one node says; gives whether it said anything.
    pub(crate) fn merge(&mut self, response: &Response<'_>) -> bool {
        let (Some(seeds), Some(downloaders)) = (response.bloom_seeds, response.bloom_peers) else {
            return false;
        };
        self.seeds.merge(&Bloom::from_bytes(*seeds));
        self.downloaders.merge(&Bloom::from_bytes(*downloaders));
        self.nodes += 1;
        true
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate lies between 0 and some thousands"
)]
fn count(filter: &Bloom) -> u64 {
    if *filter == Bloom::new() {
        // The formula of the BEP says half an address.
        return 0;
    }
    filter.estimate().round() as u64
}
