//! Log lines: always on stderr, quiet unless asked for.
//!
//! Separate, because it must be set up once, before anything runs.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::Duration;

use mainstay_relay_server::{LogConfig, LogFormat};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::failure::Failure;
use crate::lines::Lines;

/// How many lines may wait for whoever reads stderr.
const WAITING: usize = 4096;
/// How long the end waits for what was not read yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything on its way to stderr.
static STDERR: LazyLock<Lines> = LazyLock::new(|| Lines::to(io::stderr(), WAITING));

/// Writes a line to stderr, sooner or later; never waits for who reads it.
pub(crate) fn say(line: Vec<u8>) {
    // With stderr gone nobody is left to tell, and whoever speaks goes on.
    let _ = STDERR.push(line);
}

/// Waits a moment until everything was written.
pub(crate) fn finish() {
    STDERR.finish(PATIENCE);
}

/// One line of the log, which comes in one piece.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        say(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The level of the log of a service, which may change while it runs.
#[derive(Debug)]
pub(crate) struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
    /// Set where the command line or the environment decides, and the configuration does not.
    fixed: bool,
}

impl LogLevel {
    /// Logs at the level that the configuration says from now on.
    pub(crate) fn set(&self, level: &str) -> Result<(), ParseError> {
        if !self.fixed {
            let filter = EnvFilter::try_new(level)?;
            // An error means that nothing logs any more, which no level changes.
            let _ = self.handle.reload(filter);
        }
        Ok(())
    }
}

/// Starts logging at the level of `-v`, or as the variable `MAINSTAY_LOG` says (the syntax of `RUST_LOG`).
pub(crate) fn start(verbose: u8) -> Option<LogLevel> {
    let asked = asked(verbose);
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or(level(verbose)))
        .unwrap_or_else(|_| EnvFilter::new(level(verbose)));
    begin(filter, LogFormat::Text);
    None
}

/// Starts logging as the configuration of a service says; `-v` and `MAINSTAY_LOG` go before it.
pub(crate) fn start_service(verbose: u8, config: &LogConfig) -> Result<Option<LogLevel>, Failure> {
    let asked = asked(verbose).or_else(|| (verbose > 0).then(|| level(verbose).to_owned()));
    let filter = filter(asked.as_deref().unwrap_or(&config.level))?;
    let handle = begin(filter, config.format);
    Ok(Some(LogLevel { handle, fixed: asked.is_some() }))
}

/// Whether the level is one.
pub(crate) fn check(config: &LogConfig) -> Result<(), Failure> {
    filter(&config.level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(level).map_err(|error| Failure::input("[log] level cannot be used", error))
}

fn level(verbose: u8) -> &'static str {
    // Crate names begin with mainstay_, and a directive matches by prefix.
    match verbose {
        0 => "off",
        1 => "mainstay=info",
        2 => "mainstay=debug",
        _ => "mainstay=trace",
    }
}

fn asked(verbose: u8) -> Option<String> {
    std::env::var("MAINSTAY_LOG").ok().filter(|_| verbose == 0)
}

fn begin(filter: EnvFilter, format: LogFormat) -> reload::Handle<EnvFilter, Registry> {
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(|| Line);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        _ => lines.with_ansi(io::stderr().is_terminal()).boxed(),
    };
    // An error means that logging runs already, which is all that is wanted.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    handle
}
