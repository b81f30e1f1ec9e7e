//! Writes states to a file for as long as it is let, each with the next number, and tells which are written.
//!
//! Separate from its test, because it is there to be killed. Usage: `state-writer FILE FIRST`.
#![expect(clippy::print_stdout, reason = "its test reads what it tells")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use mainstay_dht::{Id, RemoteNode, SavedNode, Snapshot, write_state};

/// More than any test waits for.
const MOST: u64 = 100_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().map(PathBuf::from);
    let first = arguments.next().and_then(|text| text.to_str()?.parse::<u64>().ok());
    let (Some(path), Some(first)) = (path, first) else { return ExitCode::from(2) };
    for number in first..first + MOST {
        let addr = SocketAddr::from(([60, 1, 1, 1], 6881));
        let node = RemoteNode { id: Id::from_bytes([7; 20]), addr };
        let saved = SavedNode { node, rtt: Duration::ZERO, age: Duration::ZERO };
        let taken = Some(Duration::from_secs(number));
        let snapshot = Snapshot { taken, nodes: vec![saved; 200], ..Snapshot::default() };
        if write_state(&path, &snapshot).is_err() {
            return ExitCode::FAILURE;
        }
        println!("{number}");
    }
    ExitCode::SUCCESS
}
