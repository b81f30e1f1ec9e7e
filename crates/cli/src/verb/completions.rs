//! `mainstay completions`: the shell's knowledge of our words.
//!
//! Separate as every verb is.

use clap::CommandFactory;

use crate::args::{Arguments, Completions};
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(completions: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Arguments::command(), "mainstay", &mut script);
    output::bytes(&script)
}
