//! `mainstay resolve`: from whatever people paste to the records of that name.
//!
//! Separate as every verb is.

use std::time::{Duration, Instant};

use mainstay::{Client, Policy, PublicKey, Resolution, ResolveError, ResolveNameError};

use crate::args::{Options, Resolve};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::show::{self, Question};
use crate::trace::Trace;
use crate::{network, output};

pub(crate) async fn run(common: &Options, resolve: &Resolve) -> Result<(), Failure> {
    let question = question(resolve)?;
    let client = network::client(common)?;
    let progress = Progress::start(common, format!("resolving {question}"));
    let trace = if resolve.trace { Trace::start(&client).await } else { None };
    let begun = Instant::now();
    let policy = if resolve.most_recent { Policy::MostRecent } else { Policy::CacheFirst };
    let answered = if question.whole_zone {
        let zone = client.resolve_with(&question.key, policy);
        network::within(common, "resolving", zone)
            .await
            .and_then(|zone| zone.map(Answer::Zone).map_err(failure))
    } else {
        let name = client.resolve_name(&resolve.name, question.kind, policy);
        let answered = network::within(common, "resolving", name).await;
        answered.and_then(|name| name.map(Answer::Name).map_err(name_failure))
    };
    let took = begun.elapsed();
    if let Some(trace) = trace {
        trace.finish();
    }
    drop(progress);
    answered?.print(common, &question, took)
}

/// What is asked: which key, which name under it, which type.
fn question(resolve: &Resolve) -> Result<Question, Failure> {
    let (key, below) = PublicKey::parse_name(&resolve.name).map_err(|error| {
        Failure::input(format!("{:?} is no name under a public key", resolve.name), error)
    })?;
    let kind = show::kind(&resolve.kind)?;
    let whole_zone = resolve.all || (below.is_empty() && kind.is_none());
    Ok(Question { key, name: below.to_ascii_lowercase(), kind, whole_zone })
}

/// What came back.
#[derive(Debug)]
enum Answer {
    /// The whole packet of a key.
    Zone(Resolution),
    /// The records of one name, over its aliases.
    Name(mainstay::NameAnswer),
}

impl Answer {
    /// Prints the records, or says that there are none.
    fn print(&self, common: &Options, question: &Question, took: Duration) -> Result<(), Failure> {
        let (resolution, records) = match self {
            Self::Zone(resolution) => {
                (resolution, show::of_kind(&resolution.packet, question.kind))
            }
            Self::Name(answer) => (answer.first(), answer.records().collect::<Vec<_>>()),
        };
        if records.is_empty() && !question.is_whole() {
            let what = format!("the packet of {} has no record for {question}", question.key);
            return Err(Failure::NotFound { what });
        }
        if common.json {
            output::json(&show::Packet::new(&resolution.packet, &records, resolution))
        } else {
            output::text(&show::dig(question, &records, resolution, took))
        }
    }
}

fn failure(error: ResolveError) -> Failure {
    if error.is_not_found() {
        return Failure::NotFound { what: error.to_string() };
    }
    Failure::network("not resolved", error)
}

fn name_failure(error: ResolveNameError) -> Failure {
    match error {
        ResolveNameError::Resolve { source, .. } => failure(source),
        ResolveNameError::NoKey(source) => {
            Failure::input("this is no name under a public key", source)
        }
        // The zone is there, but what is asked for can never be: its owner has to mend it.
        circular => Failure::NotFound { what: circular.to_string() },
    }
}

/// The newest packet of a key, for other verbs.
pub(crate) async fn newest(client: &Client, key: &PublicKey) -> Result<Resolution, Failure> {
    client.resolve_with(key, Policy::NetworkOnly).await.map_err(failure)
}
