//! What `node` tells of its life and its numbers, for people and for programs.
//!
//! Separate, because the fields are an interface: scripts and dashboards read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mainstay::dht::{Counters, FamilyInfo, Histogram, Info, Methods, NodeEvent};
use serde_json::{Value, json};

/// One line for people.
pub(super) fn text(event: &NodeEvent) -> String {
    let said = match event {
        NodeEvent::Settled { nodes: 0 } => "knows no other node yet".to_owned(),
        NodeEvent::Settled { nodes } => format!("has joined and knows {nodes} nodes"),
        NodeEvent::BootstrapFailed { attempts, retry, .. } => format!(
            "found nobody to join through ({attempts} attempts); trying again in {} s",
            retry.as_secs()
        ),
        NodeEvent::Offline => "hears nobody any more: is the network down?".to_owned(),
        NodeEvent::Online { after } => format!("is heard again after {} s", after.as_secs()),
        NodeEvent::PublicAddress { address, id } => {
            format!("is seen at {address} and has the id {id} there")
        }
        NodeEvent::Role { reachable, read_only } => {
            let reached = match reachable {
                Some(true) => "is reached by strangers",
                Some(false) => "is not reached by strangers",
                None => "does not know yet whether strangers reach it",
            };
            format!("{reached} and {}", if *read_only { "answers nobody" } else { "answers" })
        }
        NodeEvent::Resumed { late } => format!("slept for {} s and joins anew", late.as_secs()),
        NodeEvent::ClockJumped { forward, by } => {
            let way = if *forward { "forward" } else { "back" };
            format!("noticed that the clock was set {way} by {} s", by.as_secs())
        }
        NodeEvent::SocketLost { local } => format!("lost its socket on {local}"),
        NodeEvent::SocketBound { local } => format!("has a socket on {local} again"),
        NodeEvent::StateRestored { path, nodes, published } => {
            format!("starts from {}: {nodes} nodes, {published} items", path.display())
        }
        NodeEvent::StateSetAside { path, moved_to, reason } => {
            let why = why(reason);
            match moved_to {
                Some(to) => format!("set {} aside as {}: {why}", path.display(), to.display()),
                None => format!("cannot use {} and writes no state: {why}", path.display()),
            }
        }
        NodeEvent::StateSaved { path } => format!("saved its state in {}", path.display()),
        NodeEvent::StateNotSaved { reason } => format!("could not save its state: {}", why(reason)),
        other => format!("{other:?}"),
    };
    format!("node {said}\n")
}

/// One object on one line, with its name in `event` and the time in `unix` (seconds since 1970).
pub(super) fn json(event: &NodeEvent) -> String {
    let mut object = match event {
        NodeEvent::Settled { nodes } => json!({ "event": "settled", "nodes": nodes }),
        NodeEvent::BootstrapFailed { ipv6, attempts, retry } => json!({
            "event": "bootstrap_failed", "ipv6": ipv6, "attempts": attempts,
            "retry": retry.as_secs(),
        }),
        NodeEvent::Offline => json!({ "event": "offline" }),
        NodeEvent::Online { after } => json!({ "event": "online", "after": after.as_secs() }),
        NodeEvent::PublicAddress { address, id } => json!({
            "event": "public_address", "address": address.to_string(), "id": id.to_string(),
        }),
        NodeEvent::Role { reachable, read_only } => {
            json!({ "event": "role", "reachable": reachable, "server": !read_only })
        }
        NodeEvent::Resumed { late } => json!({ "event": "resumed", "late": late.as_secs() }),
        NodeEvent::ClockJumped { forward, by } => {
            json!({ "event": "clock_jumped", "forward": forward, "by": by.as_secs() })
        }
        NodeEvent::SocketLost { local } => {
            json!({ "event": "socket_lost", "local": local.to_string() })
        }
        NodeEvent::SocketBound { local } => {
            json!({ "event": "socket_bound", "local": local.to_string() })
        }
        NodeEvent::StateRestored { path, nodes, published } => json!({
            "event": "state_restored", "file": path, "nodes": nodes, "published": published,
        }),
        NodeEvent::StateSetAside { path, moved_to, reason } => json!({
            "event": "state_set_aside", "file": path, "moved_to": moved_to, "reason": why(reason),
        }),
        NodeEvent::StateSaved { path } => json!({ "event": "state_saved", "file": path }),
        NodeEvent::StateNotSaved { reason } => {
            json!({ "event": "state_not_saved", "reason": why(reason) })
        }
        other => json!({ "event": "other", "debug": format!("{other:?}") }),
    };
    if let (Some(fields), Ok(unix)) =
        (object.as_object_mut(), SystemTime::now().duration_since(UNIX_EPOCH))
    {
        fields.insert("unix".to_owned(), unix.as_secs().into());
    }
    format!("{object}\n")
}

/// What the node knows and has counted, and what of it since `earlier` was taken, which is `over` ago.
pub(super) fn info(info: &Info, earlier: &Counters, over: Duration) -> Value {
    let counters = info.counters();
    let late = counters.since(earlier);
    json!({
        "ipv4": info.ipv4().map(family),
        "ipv6": info.ipv6().map(family),
        "addresses": info.local_addrs().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "nodes": info.nodes(),
        "network_size": info.network_size(),
        "server": info.server_mode(),
        "reachable": info.reachable(),
        "online": info.is_online(),
        "running": info.running(),
        "items": info.items(),
        "info_hashes": info.info_hashes(),
        "received": counters.received,
        "queries": counters.queries,
        "answers": counters.answers,
        "errors": counters.errors,
        "dropped": {
            "malformed": counters.malformed,
            "unexpected": counters.unexpected,
            "limited": counters.limited,
            "unserved": counters.unserved,
            "reflected": counters.reflected,
            "unusable": counters.unusable,
        },
        "sent": counters.sent,
        "not_sent": info.dropped(),
        "served": counters.served,
        "served_bytes": counters.served_bytes,
        "withheld": counters.withheld,
        "timed_out": counters.timed_out,
        "dead_share": counters.dead_share(),
        "round_trips": histogram(&counters.round_trips),
        "ask_requests": histogram(&counters.ask_requests),
        "ask_times": histogram(&counters.ask_times),
        "ask_hops": histogram(&counters.ask_hops),
        "asked_of_us": methods(&counters.asked_of_us),
        "asked_by_us": methods(&counters.asked_by_us),
        "late": {
            "seconds": over.as_secs_f64(),
            "dead_share": late.dead_share(),
            "round_trips": histogram(&late.round_trips),
            "ask_hops": histogram(&late.ask_hops),
            "asked_of_us_a_second": rates(&late.asked_of_us, over),
            "asked_by_us_a_second": rates(&late.asked_by_us, over),
        },
    })
}

fn family(family: FamilyInfo) -> Value {
    json!({
        "id": family.id.to_string(),
        "public": family.public.map(|address| address.to_string()),
        "nodes": family.nodes,
        "network_size": family.network_size,
    })
}

/// The classes that are not empty: the least figure of each, and how many.
fn histogram<const EXACT: bool>(histogram: &Histogram<EXACT>) -> Value {
    histogram.classes().filter(|(_, count)| *count > 0).map(|class| json!(class)).collect()
}

fn methods(methods: &Methods) -> Value {
    Value::Object(methods.iter().map(|(name, count)| (name.to_owned(), count.into())).collect())
}

/// How many a second.
fn rates(late: &Methods, over: Duration) -> Value {
    let thousandths = |rate: f64| Value::from((rate * 1000.0).round() / 1000.0);
    late.rates(over).map(|(name, rate)| (name.to_owned(), thousandths(rate))).collect()
}

/// An error with its causes.
fn why(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
