//! Drives mainline 8, librqbit-dht 9, pkarr 8.1 and pkarr-relay 2.1 by lines of JSON, one request on stdin and one answer on
//! stdout, in the words that `benches/contender` answers too.
//!
//! A process of its own, because these crates' dependencies must never meet ours, and because its processor time is the figure.

mod dht;
mod packets;

use std::io::{BufRead, Write};

use serde_json::{Value, json};

/// Why a line could not be carried out, as the text to send back.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut started = dht::Started::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match answer(&mut started, &line).await {
            Ok(answer) => answer,
            Err(failure) => json!({ "error": failure.to_string() }),
        };
        println!("{answer}");
        if std::io::stdout().flush().is_err() {
            break;
        }
    }
    // Some of these crates keep threads that never end.
    std::process::exit(0);
}

async fn answer(started: &mut dht::Started, line: &str) -> Result<Value, Failure> {
    let request: Value = serde_json::from_str(line)?;
    match request["op"].as_str().unwrap_or_default() {
        "time" => packets::time(&request).await,
        "relay" => packets::relay(&request).await,
        op => started.answer(op, &request).await,
    }
}
