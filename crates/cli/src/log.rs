//! Log lines: always on stderr, quiet unless asked for.
//!
//! Separate, because it must be set up once, before anything runs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at the level of `-v`, or as the variable `MAINSTAY_LOG` says (the syntax of `RUST_LOG`).
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "mainstay=info",
        2 => "mainstay=debug",
        _ => "mainstay=trace",
    };
    let asked = std::env::var("MAINSTAY_LOG").ok().filter(|_| verbose == 0);
    // Crate names begin with mainstay_, and a directive matches by prefix.
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or(level))
        .unwrap_or_else(|_| EnvFilter::new(level));
    // An error means that logging runs already, which is all that is wanted.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
