//! The tracing span of one question to the node, a child of the span that asked it.
//! Separate, so that its fields, on which dashboards rely, stand in one place.

use mainstay_dht_proto::{Ask, LookupReport, Outcome};
use mainstay_krpc::Id;
use mainstay_krpc::item::mutable_target;
use tracing::field::{Empty, display};
use tracing::{Span, debug_span};

/// The span of an ask, from its question to its end. Costs a comparison where nobody subscribes to `debug`.
pub(crate) fn of(ask: &Ask) -> Span {
    debug_span!(
        "ask",
        kind = kind(ask),
        wanted = target(ask).map(display),
        outcome = Empty,
        error = Empty,
        asked = Empty,
        answered = Empty,
        lost = Empty,
        values = Empty,
        hops = Empty,
        millis = Empty,
    )
}

/// Writes down how it ended.
pub(crate) fn end(span: &Span, outcome: &Outcome, report: &LookupReport) {
    if span.is_disabled() {
        return;
    }
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    span.record("asked", count(report.queried));
    span.record("answered", count(report.answered));
    span.record("lost", count(report.timed_out));
    span.record("values", count(report.values));
    span.record("hops", count(report.hops));
    span.record("millis", u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX));
    match said(outcome) {
        Ok(outcome) => span.record("outcome", outcome),
        Err(error) => span.record("outcome", "failed").record("error", display(error)),
    };
    span.in_scope(|| tracing::debug!("ended"));
}

/// Writes down that nobody waits any more.
pub(crate) fn cancelled(span: &Span) {
    span.record("outcome", "cancelled");
}

fn said(outcome: &Outcome) -> Result<&'static str, &dyn std::error::Error> {
    const fn found(is: bool) -> &'static str {
        if is { "found" } else { "nothing" }
    }
    match outcome {
        Outcome::Mutable(Ok(item)) => Ok(found(item.is_some())),
        Outcome::Immutable(Ok(item)) => Ok(found(item.is_some())),
        Outcome::Peers(Ok(peers)) => Ok(found(!peers.is_empty())),
        Outcome::Nodes(Ok(nodes)) => Ok(found(!nodes.is_empty())),
        Outcome::Samples(Ok(samples)) => Ok(found(!samples.is_empty())),
        Outcome::Scrape(Ok(_)) => Ok(found(true)),
        Outcome::Put(Ok(_)) => Ok("stored"),
        Outcome::Mutable(Err(error)) => Err(error),
        Outcome::Immutable(Err(error)) => Err(error),
        Outcome::Peers(Err(error)) | Outcome::Nodes(Err(error)) => Err(error),
        Outcome::Samples(Err(error)) => Err(error),
        Outcome::Scrape(Err(error)) => Err(error),
        Outcome::Put(Err(error)) => Err(error),
    }
}

fn kind(ask: &Ask) -> &'static str {
    match ask {
        Ask::GetMutable { .. } => "get_mutable",
        Ask::GetImmutable { .. } => "get_immutable",
        Ask::PutMutable { .. } => "put_mutable",
        Ask::PutImmutable { .. } => "put_immutable",
        Ask::GetPeers { .. } => "get_peers",
        Ask::Scrape { .. } => "scrape",
        Ask::AnnouncePeer { .. } => "announce_peer",
        Ask::Ping { .. } => "ping",
        Ask::FindNode { .. } => "find_node",
        Ask::SampleInfohashes { .. } | Ask::SampleNode { .. } => "sample_infohashes",
    }
}

/// What an ask is after; a ping is after nothing.
pub(crate) fn target(ask: &Ask) -> Option<Id> {
    match ask {
        Ask::GetMutable { key, salt, .. } => Some(mutable_target(key.as_bytes(), salt)),
        Ask::PutMutable { item, .. } => Some(item.target()),
        Ask::PutImmutable { item } => Some(item.target()),
        Ask::GetImmutable { target }
        | Ask::FindNode { target }
        | Ask::SampleInfohashes { target }
        | Ask::SampleNode { target, .. } => Some(*target),
        Ask::GetPeers { info_hash, .. }
        | Ask::Scrape { info_hash }
        | Ask::AnnouncePeer { info_hash, .. } => Some(*info_hash),
        Ask::Ping { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Record};
    use tracing::{Event, Metadata, Subscriber};

    use crate::{Dht, Testnet};

    /// The spans that were opened: their names and fields, in order.
    #[derive(Debug, Clone, Default)]
    struct Spans(Arc<Mutex<Vec<Fields>>>);

    #[derive(Debug, Default)]
    struct Fields(BTreeMap<&'static str, String>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
        }
    }

    impl Subscriber for Spans {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> tracing::span::Id {
            let mut fields = Fields::default();
            span.record(&mut fields);
            fields.0.insert("name", span.metadata().name().to_owned());
            let mut spans = self.0.lock().unwrap();
            spans.push(fields);
            tracing::span::Id::from_u64(spans.len() as u64)
        }

        fn record(&self, span: &tracing::span::Id, values: &Record<'_>) {
            let at = usize::try_from(span.into_u64()).unwrap() - 1;
            values.record(&mut self.0.lock().unwrap()[at]);
        }

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &Event<'_>) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn every_operation_has_a_span_with_what_it_was_after_and_how_it_ended() {
        let spans = Spans::default();
        let _watched = tracing::subscriber::set_default(spans.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let before = std::cell::Cell::new(0);
        let target = runtime.block_on(async {
            let testnet = Testnet::new(5).await.unwrap();
            let dht = Dht::builder().bootstrap(&testnet.bootstrap);
            let dht = dht.bind("127.0.0.1:0".parse().unwrap()).build().unwrap();
            assert!(dht.ready().await);
            before.set(spans.0.lock().unwrap().len());
            let target = dht.put_immutable(b"hello").await.unwrap().target;
            dht.get_immutable(target).await.unwrap().unwrap();
            dht.announce_peer(target, Some(1)).await.unwrap();
            dht.get_peers(target).finish().await.unwrap();
            dht.find_node(target).await.unwrap();
            dht.scrape(target).await.unwrap();
            dht.sample_infohashes(target).await.unwrap();
            dht.ping(testnet.nodes[0].local_addr()).await.unwrap();
            dht.shutdown().await;
            target
        });
        let spans = spans.0.lock().unwrap();
        let lately = spans.iter().skip(before.get());
        let asks: Vec<_> = lately.filter(|span| span.0["name"] == "ask").collect();
        let of = |field: &str| -> Vec<&str> {
            asks.iter().map(|span| span.0.get(field).map_or("", |value| value)).collect()
        };
        let kinds = [
            "put_immutable",
            "get_immutable",
            "announce_peer",
            "get_peers",
            "find_node",
            "scrape",
            "sample_infohashes",
            "ping",
        ];
        assert_eq!(of("kind"), kinds);
        let found = "found";
        assert_eq!(of("outcome"), ["stored", found, "stored", found, found, found, found, found]);
        let wanted = target.to_string();
        assert_eq!(of("wanted"), [[wanted.as_str(); 7].as_slice(), &[""]].concat());
        for field in ["asked", "answered", "hops"] {
            assert!(of(field).iter().all(|count| count.parse::<u64>().is_ok()), "{field}");
        }
        assert!(spans.iter().any(|span| span.0["name"] == "dht"));
    }
}
