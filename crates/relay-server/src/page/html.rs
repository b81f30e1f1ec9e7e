//! The page itself.
//!
//! Separate from what fetches the data: here are words and elements only.

use std::fmt::Write as _;

use mainstay_packets::{SignedPacket, Timestamp};

use super::Outcome;
use super::escape::Escaped;
use crate::metrics::Gauges;
use crate::records::{Holder, Shown, View};

/// How many seconds ahead of ours a clock must stand to be worth a word.
const AHEAD: u64 = 60;

/// Writes the page. Writing to a string cannot fail, so no result of it is looked at.
pub(super) fn page(asked: &str, outcome: &Outcome, gauges: Gauges) -> String {
    let mut html = String::with_capacity(8 * 1024);
    let _ = writeln!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Mainstay relay</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"relay.css\">\n\
         <script src=\"relay.js\" defer></script>\n</head>\n<body>\n\
         <header><h1><a href=\"./\">Mainstay relay</a></h1>\
         <p>Names that only their owner controls, from the Mainline DHT.</p></header>\n\
         <form action=\"./\" method=\"get\" role=\"search\">\
         <label for=\"key\">Public key</label>\
         <div class=\"ask\"><input id=\"key\" name=\"key\" value=\"{}\" required maxlength=\"256\" \
         placeholder=\"a key, or any name or link under one\" \
         autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\">\
         <button>Resolve</button></div></form>\n<main aria-live=\"polite\">",
        Escaped(asked)
    );
    match outcome {
        Outcome::Welcome => html.push_str(WELCOME),
        Outcome::Found(view) => found(&mut html, view),
        Outcome::Refused(refusal) => {
            let _ = writeln!(
                html,
                "<section class=\"refused\"><h2>{}</h2><p>{}</p></section>",
                refusal.status().canonical_reason().unwrap_or("No answer"),
                Escaped(&refusal.to_string())
            );
        }
    }
    html.push_str("</main>\n");
    footer(&mut html, gauges);
    html.push_str("</body>\n</html>\n");
    html
}

const WELCOME: &str = "<section class=\"welcome\"><p>Enter a key to see what its owner has \
    published: the records, how old they are, and which nodes of the DHT hold them.</p>\
    <p>Programs use <code>GET /&lt;key&gt;</code> for the signed packet, \
    <code>GET /records/&lt;key&gt;</code> for its records as JSON, and \
    <code>GET /watch?key=&lt;key&gt;</code> to be told of new ones. Nothing here needs trust: \
    every packet is signed by its key.</p></section>\n";

fn found(html: &mut String, view: &View) {
    let _ = writeln!(
        html,
        "<section class=\"packet\" data-key=\"{0}\" data-timestamp=\"{1}\">\
         <h2><span class=\"key\">{0}</span></h2>\n<dl>\
         <div><dt>Signed</dt><dd><time datetime=\"{2}\">{3}</time></dd></div>\
         <div><dt>Last confirmed</dt><dd><time datetime=\"{4}\">{5}</time></dd></div>\
         <div><dt>Fresh for</dt><dd>{6}</dd></div>\
         <div><dt>Size</dt><dd>{7} of {8} bytes</dd></div></dl>",
        Escaped(&view.public_key),
        view.timestamp,
        Escaped(&view.signed),
        signed(view.timestamp),
        Escaped(&view.last_seen),
        ago(view.age),
        span(view.max_age),
        view.bytes,
        SignedPacket::MAX_STORED_DNS_BYTES,
    );
    records(html, &view.records);
    if view.left_out > 0 {
        let _ = writeln!(
            html,
            "<p class=\"note\">Left out: {}, since the key proves nothing about names that are not under it.</p>",
            counted(view.left_out, "record of another name", "records of other names")
        );
    }
    nodes(html, view.nodes.as_deref());
    html.push_str("</section>\n");
}

fn records(html: &mut String, records: &[Shown]) {
    let _ = writeln!(html, "<h3>{}</h3>", counted(records.len(), "record", "records"));
    if records.is_empty() {
        html.push_str("<p class=\"note\">The owner has published an empty zone.</p>\n");
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Name</th>\
         <th scope=\"col\">Type</th><th scope=\"col\">TTL</th><th scope=\"col\">Data</th></tr></thead><tbody>\n",
    );
    for Shown { name, kind, ttl, data } in records {
        let _ = writeln!(
            html,
            "<tr><td class=\"name\">{}</td><td><span class=\"type\">{}</span></td>\
             <td class=\"ttl\">{ttl}</td><td class=\"data\">{}</td></tr>",
            Escaped(name),
            Escaped(kind),
            Escaped(data)
        );
    }
    html.push_str("</tbody></table></div>\n");
}

fn nodes(html: &mut String, nodes: Option<&[Holder]>) {
    let Some(nodes) = nodes else {
        html.push_str(
            "<h3>Nodes</h3><p class=\"note\">Who holds it was not seen this time: this relay had it at hand, \
             or joined a search that was under way. Ask again in a moment.</p>\n",
        );
        return;
    };
    let held = counted(nodes.len(), "node holds", "nodes hold");
    let _ = write!(html, "<h3>{held} this packet</h3>\n<ul class=\"nodes\">");
    for Holder { address, id } in nodes {
        let id = id.as_deref().unwrap_or("id not known");
        let short: String = id.chars().take(8).collect();
        let _ = write!(
            html,
            "<li><span class=\"address\">{address}</span><abbr title=\"{}\">{}…</abbr></li>",
            Escaped(id),
            Escaped(&short)
        );
    }
    html.push_str("</ul>\n");
}

fn footer(html: &mut String, gauges: Gauges) {
    let version = env!("CARGO_PKG_VERSION");
    let joined = if gauges.joined { "joined" } else { "joining" };
    let _ = writeln!(
        html,
        "<footer><span>mainstay {version}</span><span>DHT {joined}, {}</span><span>{} at hand</span>\
         <a href=\"info\">info</a><a href=\"health\">health</a></footer>",
        counted(gauges.nodes, "node", "nodes"),
        counted(gauges.cached, "packet", "packets"),
    );
}

/// When a packet was signed, as seen from now: a clock that stood ahead signs for later.
fn signed(timestamp: u64) -> String {
    let (signed, now) = (Timestamp::from(timestamp), Timestamp::clock());
    let ahead = signed.saturating_duration_since(now).as_secs();
    // Two clocks are never quite the same.
    if ahead >= AHEAD {
        return format!("in {}, by our clock", span(ahead));
    }
    ago(now.saturating_duration_since(signed).as_secs())
}

fn ago(seconds: u64) -> String {
    if seconds == 0 { "just now".to_owned() } else { format!("{} ago", span(seconds)) }
}

fn span(seconds: u64) -> String {
    let units = [(86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes")];
    let fitting = units.into_iter().find(|(length, ..)| seconds >= *length);
    let (length, one, many) = fitting.unwrap_or((1, "second", "seconds"));
    let count = usize::try_from(seconds / length).unwrap_or(usize::MAX);
    counted(count, one, many)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Timestamp, signed};

    #[test]
    fn the_time_of_signing_is_told_as_seen_from_now_also_if_it_is_yet_to_come() {
        let now = Timestamp::clock();
        let hours = Duration::from_secs(2 * 3600 + 30);
        let at = |timestamp: Option<Timestamp>| signed(timestamp.unwrap().as_u64());
        assert_eq!(at(now.checked_sub(hours)), "2 hours ago");
        assert_eq!(at(Some(now)), "just now");
        assert_eq!(at(now.checked_add(Duration::from_secs(20))), "just now");
        assert_eq!(at(now.checked_add(hours)), "in 2 hours, by our clock");
    }
}
