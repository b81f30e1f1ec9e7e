//! Mainstay as a contender: the same words by lines of JSON that the peers answer, one request and one answer a line.
//!
//! A process of its own, as each peer is, so that its processor time and memory are its own.

mod dht;
mod packets;

use std::io::{BufRead, Write};

use serde_json::{Value, json};

/// Why a line could not be carried out, as the text to send back.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut started = dht::Started::default();
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match answer(&mut started, &line).await {
            Ok(answer) => answer,
            Err(failure) => json!({ "error": failure.to_string() }),
        };
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
}

async fn answer(started: &mut dht::Started, line: &str) -> Result<Value, Failure> {
    let request: Value = serde_json::from_str(line)?;
    match request["op"].as_str().unwrap_or_default() {
        "time" => packets::time(&request).await,
        "relay" => packets::relay(&request).await,
        "republish" => packets::republish(&request).await,
        op => started.answer(op, &request).await,
    }
}
