//! The `mainstay` command: reads the words, runs the verb, turns its end into an exit code.
//!
//! Separate from the verbs, which know nothing of processes.

#![forbid(unsafe_code)]

mod args;
mod failure;
mod input;
mod interrupt;
mod lines;
mod log;
mod network;
mod notify;
mod output;
mod progress;
mod show;
mod trace;
mod verb;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Verb};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A relay learns from its configuration how to log.
    if !matches!(arguments.verb, Verb::Relay(_)) {
        log::start(arguments.common.verbose);
    }
    let code = match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    };
    log::finish();
    code
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Failure::local("cannot start the threads that wait for the network", error)
        })?;
    runtime.block_on(verb::run(arguments))
}
