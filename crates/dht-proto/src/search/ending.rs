//! How a search ends: from what was found and stored to the one outcome the owner gets.
//! Apart from the walking, so that the rules of success and failure can be read in one place.

use std::time::Instant;

use mainstay_krpc::error_code::{CAS_MISMATCH, SEQUENCE_TOO_LOW};

use super::Search;
use crate::goal::Goal;
use crate::{LookupError, LookupReport, Outcome, PutError, PutReport, RemoteNode};

impl Search {
    /// The outcome and the report; `cut_short` if the deadline ended it.
    pub(crate) fn finish(mut self, now: Instant, cut_short: bool) -> (Outcome, LookupReport) {
        let mut report = std::mem::take(&mut self.report);
        report.elapsed = now.saturating_duration_since(self.began);
        report.cut_short = cut_short;
        // What still stalls at the end was not answered either; what was just sent may yet be.
        report.timed_out += self.stalling;
        let settled = report.answered + report.timed_out + report.errors + report.invalid;
        report.open = report.queried.saturating_sub(settled);
        report.closest = self.closest();
        report.crowded = self.legs.iter().map(|leg| leg.crowded).sum();
        report.hops = self.legs.iter().map(super::Leg::hops).max().unwrap_or(0);
        (self.outcome(&report), report)
    }

    fn closest(&self) -> Vec<RemoteNode> {
        let target = self.goal.target();
        let mut nodes: Vec<_> =
            self.legs.iter().flat_map(|leg| leg.closest.iter().copied()).collect();
        nodes.sort_by_key(|node| (xor(node, target.as_bytes()), node.addr));
        nodes
    }

    fn outcome(self, report: &LookupReport) -> Outcome {
        let failure = failure(report);
        let unless_found = |found: bool| failure.filter(|_| !found).map_or(Ok(()), Err);
        match self.goal {
            Goal::Mutable { newest, .. } => {
                Outcome::Mutable(unless_found(newest.is_some()).map(|()| newest))
            }
            Goal::Immutable { found, .. } => {
                Outcome::Immutable(unless_found(found.is_some()).map(|()| found))
            }
            Goal::Peers { found, .. } => Outcome::Peers(
                unless_found(!found.is_empty()).map(|()| found.into_iter().collect()),
            ),
            Goal::Nodes { .. } | Goal::Ping { .. } => {
                Outcome::Nodes(unless_found(false).map(|()| report.closest.clone()))
            }
            Goal::Samples { found, .. } => {
                Outcome::Samples(unless_found(!found.is_empty()).map(|()| found))
            }
            Goal::Scrape { found, .. } => {
                Outcome::Scrape(unless_found(found.nodes > 0).map(|()| found))
            }
            Goal::PutMutable { .. } | Goal::PutImmutable { .. } | Goal::Announce { .. } => {
                Outcome::Put(self.put_outcome(failure, report))
            }
        }
    }

    fn put_outcome(
        self,
        failure: Option<LookupError>,
        report: &LookupReport,
    ) -> Result<PutReport, PutError> {
        if let Some(conflict) = self.proven_conflict() {
            return Err(conflict);
        }
        if let Some(failure) = failure {
            return Err(PutError::Lookup(failure));
        }
        let asked: usize = self.legs.iter().map(super::Leg::asked_to_store).sum();
        if asked == 0 {
            return Err(PutError::NoTokens { answered: report.answered });
        }
        let (stored, refused) = (self.tally.stored.len(), self.tally.refused.len());
        let mut outdated = self
            .tally
            .refused
            .iter()
            .filter(|(_, code)| matches!(*code, CAS_MISMATCH | SEQUENCE_TOO_LOW));
        let count = outdated.clone().count();
        if count > stored
            && let Some((node, code)) = outdated.next()
        {
            return Err(PutError::Conflict { code: *code, refused: count, stored, node: *node });
        }
        let timed_out = asked.saturating_sub(stored + refused);
        if stored == 0 {
            let code = self.tally.refused.first().map(|(_, code)| *code);
            return Err(PutError::NotStored { asked, refused, timed_out, code });
        }
        Ok(PutReport {
            target: self.goal.target(),
            stored,
            nodes: self.tally.stored,
            refused: self.tally.refused,
            timed_out,
            first_stored: self.tally.first_stored,
            quorum: self.tally.quorum,
            cut_short: report.cut_short,
        })
    }

    /// The conflict that a verified item proves, whatever the nodes answered.
    fn proven_conflict(&self) -> Option<PutError> {
        if !self.goal.is_outdated(true) {
            return None;
        }
        let Goal::PutMutable { cas, newest: Some(newest), .. } = &self.goal else {
            return None;
        };
        let newest = Box::new(newest.clone());
        let expected = cas.is_none_or(|cas| cas == newest.seq());
        Some(if expected {
            PutError::NotMostRecent { newest }
        } else {
            PutError::CasFailed { newest }
        })
    }
}

/// Why nothing can be concluded from finding nothing.
fn failure(report: &LookupReport) -> Option<LookupError> {
    if report.answered > 0 {
        None
    } else if report.queried > 0 {
        Some(LookupError::NoAnswer { asked: report.queried })
    } else {
        Some(LookupError::NoNodes)
    }
}

fn xor(node: &RemoteNode, target: &[u8; 20]) -> [u8; 20] {
    let mut distance = node.id.to_bytes();
    for (byte, other) in distance.iter_mut().zip(target) {
        *byte ^= other;
    }
    distance
}
