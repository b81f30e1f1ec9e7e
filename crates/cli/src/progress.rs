//! What a person sees while waiting: a spinner on stderr, and nothing of it when stderr is no terminal.
//!
//! Separate, so that verbs say what they do and this file alone decides whether anybody sees it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Options;

/// A spinner with a message; gone from the screen when dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Shows `message` while the value lives, if a person is likely to look.
    pub(crate) fn start(common: &Options, message: impl Into<String>) -> Self {
        let watched = std::io::stderr().is_terminal() && !common.json && common.verbose == 0;
        if !watched {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner().with_message(message.into());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
