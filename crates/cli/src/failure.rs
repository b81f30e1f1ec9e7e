//! Why the command line stops, and with which exit code.
//!
//! Separate, because scripts branch on these codes: they are listed in one place and never change meaning.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

/// Everything that ends a verb without success.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A file, a key, a zone or an option cannot be what is meant.
    #[error("{what}")]
    BadInput {
        /// What is wrong with what.
        what: String,
        /// What told so.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The key or name has no such record, and the network was there to say so.
    #[error("{what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The network could not be reached, or nobody answered in time.
    #[error("{what}")]
    Network {
        /// What was tried.
        what: String,
        /// What told so.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A newer packet is published, or not the expected one.
    #[error("{what}")]
    Conflict {
        /// Who refused, and what stands in the way.
        what: String,
        /// What told so.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output is gone or full.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// Something on this machine is missing or taken: a port, a thread.
    #[error("{what}")]
    Local {
        /// What was tried.
        what: String,
        /// What told so.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system does not let us hear signals.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
}

impl Failure {
    /// Bad input with the error that told so.
    pub(crate) fn input(
        what: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::BadInput { what: what.into(), source: Some(Box::new(source)) }
    }

    /// A network failure with the error that told so.
    pub(crate) fn network(
        what: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Network { what: what.into(), source: Some(Box::new(source)) }
    }

    /// A local failure with the error that told so.
    pub(crate) fn local(
        what: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Local { what: what.into(), source: Box::new(source) }
    }

    /// The exit code: 1 not found, 2 bad input, 3 network, 4 conflict, 5 local.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 1,
            Self::BadInput { .. } => 2,
            Self::Network { .. } => 3,
            Self::Conflict { .. } => 4,
            Self::File { .. } | Self::Output(_) | Self::Local { .. } | Self::Signals(_) => 5,
        }
    }

    /// Says on stderr what went wrong and gives the exit code.
    ///
    /// A reader that closed our output early (`| head`) is told nothing.
    pub(crate) fn report(&self) -> ExitCode {
        if let Self::Output(source) = self
            && source.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::from(self.code());
        }
        let text = self.text();
        crate::log::say(text.into_bytes());
        ExitCode::from(self.code())
    }

    /// What went wrong, causes included, on one line.
    pub(crate) fn line(&self) -> String {
        let text = self.text();
        let text = text.strip_prefix("mainstay: ").unwrap_or(&text).trim_end();
        text.replace("\n  because: ", ": ")
    }

    /// What went wrong, and each cause on a line of its own that says more than the line before it.
    pub(crate) fn text(&self) -> String {
        let mut said = self.to_string();
        let mut text = format!("mainstay: {said}\n");
        let mut cause = self.source();
        while let Some(error) = cause {
            let because = error.to_string();
            if !said.contains(&because) {
                text.push_str(&format!("  because: {because}\n"));
                said = because;
            }
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[derive(Debug, thiserror::Error)]
    #[error("told again: {0}")]
    struct Repeats(#[source] std::io::Error);

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let failure = Failure::input("no zone", Repeats(std::io::Error::other("why")));
        assert_eq!(failure.text(), "mainstay: no zone\n  because: told again: why\n");
    }

    #[test]
    fn each_kind_of_failure_has_its_documented_code() {
        let io = || std::io::Error::other("why");
        assert_eq!(Failure::NotFound { what: String::new() }.code(), 1);
        assert_eq!(Failure::input("", io()).code(), 2);
        assert_eq!(Failure::network("", io()).code(), 3);
        assert_eq!(Failure::Conflict { what: String::new(), source: Box::new(io()) }.code(), 4);
        assert_eq!(Failure::local("", io()).code(), 5);
        assert_eq!(Failure::Output(io()).code(), 5);
    }
}
