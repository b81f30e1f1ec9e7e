//! The asks that a node works on, and where the answers to each go.
//! Separate because it is the only place where the node's names for asks meet those of the handles.

use std::collections::HashMap;
use std::time::Instant;

use mainstay_dht_proto::{
    AskOptions, Event, LookupError, LookupReport, Node, Outcome, QueryId, RemoteNode,
};
use mainstay_krpc::Id;
use tokio::sync::mpsc;
use tracing::Span;

use crate::command::{NewAsk, Pong, Reply};
use crate::error::{GetError, PutError};
use crate::putting::{Acknowledged, PutStep, Refused};
use crate::span;
use crate::trace::TraceStep;

/// Asks by both of their names. The node bounds how many there can be.
#[derive(Debug, Default)]
pub(crate) struct OpenAsks {
    by_query: HashMap<QueryId, OpenAsk>,
    by_ticket: HashMap<u64, QueryId>,
    tracers: Vec<mpsc::Sender<TraceStep>>,
}

#[derive(Debug)]
struct OpenAsk {
    ticket: u64,
    target: Option<Id>,
    reply: Reply,
    span: Span,
}

impl OpenAsks {
    /// Starts an ask in the node, unless its caller has gone away in the meantime.
    pub(crate) fn open(&mut self, node: &mut Node, now: Instant, ask: NewAsk) {
        let NewAsk { ticket, ask, options, reply, span } = ask;
        if reply.is_abandoned() {
            span::cancelled(&span);
            return;
        }
        self.tracers.retain(|tracer| !tracer.is_closed());
        let target = span::target(&ask);
        let traced = options.traced || !self.tracers.is_empty();
        let query = node.ask_with(now, ask, AskOptions { traced, ..options });
        self.by_query.insert(query, OpenAsk { ticket, target, reply, span });
        self.by_ticket.insert(ticket, query);
    }

    /// Drops an ask that nobody waits for.
    pub(crate) fn cancel(&mut self, node: &mut Node, now: Instant, ticket: u64) {
        if let Some(query) = self.by_ticket.remove(&ticket) {
            if let Some(open) = self.by_query.remove(&query) {
                span::cancelled(&open.span);
            }
            node.cancel(now, query);
            self.rest();
        }
    }

    /// Gives back the room of asks that ended: most nodes ask rarely, and then many things at once.
    fn rest(&mut self) {
        if self.by_query.is_empty() {
            (self.by_query, self.by_ticket) = (HashMap::new(), HashMap::new());
        }
    }

    /// Lets somebody watch the asks that start from now on.
    pub(crate) fn trace(&mut self, steps: mpsc::Sender<TraceStep>) {
        self.tracers.push(steps);
    }

    /// Passes on what the node says about an ask.
    ///
    /// A caller who is gone, or whose queue is full, loses the event: nothing may hold up the node.
    pub(crate) fn event(&mut self, event: Event) {
        let Some(query) = event.query() else { return };
        if let Event::Done { outcome, report, .. } = event {
            if let Some(open) = self.by_query.remove(&query) {
                self.by_ticket.remove(&open.ticket);
                span::end(&open.span, &outcome, &report);
                finish(open.reply, outcome, report);
                self.rest();
            }
            return;
        }
        let Some(open) = self.by_query.get(&query) else { return };
        match event {
            Event::Mutable { item, .. } => {
                if let Reply::Items(items, _) = &open.reply {
                    let _ = items.try_send(item);
                }
            }
            Event::Peers { peers, .. } => {
                if let Reply::Peers(batches, _) = &open.reply {
                    let _ = batches.try_send(peers);
                }
            }
            Event::Stored { node, stored, quorum, .. } => {
                if let Reply::Putting { answers, .. } = &open.reply {
                    let step = PutStep::Stored(Acknowledged { node, stored, quorum });
                    let _ = answers.try_send(step);
                }
            }
            Event::Refused { node, code, .. } => {
                if let Reply::Putting { answers, .. } = &open.reply {
                    let _ = answers.try_send(PutStep::Refused(Refused { node, code }));
                }
            }
            Event::Step { step, .. } => {
                for tracer in &self.tracers {
                    let _ = tracer.try_send(TraceStep::new(query, open.target, step));
                }
            }
            // All of these come again in the outcome.
            _ => {}
        }
    }
}

/// Answers the caller. The node ends each ask with the outcome that fits it.
fn finish(reply: Reply, outcome: Outcome, report: LookupReport) {
    match (reply, outcome) {
        (Reply::Items(_items, settled), Outcome::Mutable(result)) => {
            let _ = settled.send(result.map(|_| report).map_err(GetError::from));
        }
        (Reply::Newest(reply), Outcome::Mutable(result)) => {
            let _ = reply.send(result.map_err(GetError::from));
        }
        (Reply::Immutable(reply), Outcome::Immutable(result)) => {
            let _ = reply.send(result.map_err(GetError::from));
        }
        (Reply::Peers(_batches, settled), Outcome::Peers(result)) => {
            let _ = settled.send(result.map(|_| report).map_err(GetError::from));
        }
        (Reply::Nodes(reply), Outcome::Nodes(result)) => {
            let _ = reply.send(result.map_err(GetError::from));
        }
        (Reply::Pong(reply), Outcome::Nodes(result)) => {
            let _ = reply.send(pong(result, &report));
        }
        (Reply::Samples(reply), Outcome::Samples(result)) => {
            let _ = reply.send(result.map_err(GetError::from));
        }
        (Reply::Scrape(reply), Outcome::Scrape(result)) => {
            let _ = reply.send(result.map_err(GetError::from));
        }
        (
            Reply::Put(cas, reply) | Reply::Putting { cas, report: reply, .. },
            Outcome::Put(result),
        ) => {
            let _ = reply.send(result.map_err(|error| PutError::from_node(error, cas)));
        }
        (reply, outcome) => {
            debug_assert!(false, "{outcome:?} does not answer {reply:?}");
        }
    }
}

fn pong(result: Result<Vec<RemoteNode>, LookupError>, report: &LookupReport) -> Option<Pong> {
    let node = result.ok()?.into_iter().next()?;
    Some(Pong { node, round_trip: report.elapsed })
}
