//! Waiting for signals: SIGINT (Ctrl-C) or SIGTERM for the end, SIGHUP to read files again.
//!
//! Separate, because every verb that runs until interrupted stops the same way.

use crate::failure::Failure;

/// The signals, heard from now on; make it before saying that one is ready.
#[derive(Debug)]
pub(crate) struct Interrupt {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupt {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind).map_err(Failure::Signals);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    /// Returns when a signal has come.
    pub(crate) async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Interrupt {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Returns when Ctrl-C has come.
    pub(crate) async fn wait(self) {
        // Without a way to be told, running on is the lesser evil.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// SIGHUP: the wish that files are read again, a configuration or a folder.
#[derive(Debug)]
pub(crate) struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Hangup {
    /// Starts to listen; from now on the signal ends nothing.
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup()).map_err(Failure::Signals)? })
    }

    /// Returns when the signal has come.
    pub(crate) async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Hangup {
    /// There is no such signal here.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self {})
    }

    /// Never returns.
    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
