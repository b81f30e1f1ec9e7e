//! A backend that is being asked: it stops counting as such however the asking ends.
//!
//! Separate because the task that asks may die, and the ranking must not wait for it for ever.

use std::time::Duration;

use super::Performance;
use crate::engine::Engine;

/// What a backend is asked for; what it says of the one it need not mean of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// To look a key up.
    Lookup,
    /// To store a packet.
    Publish,
}

/// Counts a backend as being asked until it is [ended](Self::end) or dropped.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    engine: &'a Engine,
    backend: usize,
    errand: Errand,
    has_ended: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn start(engine: &'a Engine, backend: usize, errand: Errand) -> Self {
        engine.ranking().handle_start(backend);
        Self { engine, backend, errand, has_ended: false }
    }

    /// Which backend it is.
    pub(crate) fn backend(&self) -> usize {
        self.backend
    }

    /// It has ended, and did like this.
    pub(crate) fn end(mut self, performance: Performance) {
        self.has_ended = true;
        let now: Duration = self.engine.now();
        self.engine.ranking().handle_end(self.backend, self.errand, now, performance);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.engine.ranking().handle_abandoned(self.backend);
        }
    }
}
