//! The page for people: type a key, see its records, their age, and which nodes hold them.
//!
//! Separate from the answers for programs. The server writes all of it, so it needs no script; with one, answers come
//! without leaving the page and new packets show up by themselves. Nothing is loaded from elsewhere, and everything that
//! a stranger has written is escaped.

mod escape;
mod html;

use hyper::Response;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use mainstay_relay::protocol::Policy;

use crate::answer::{self, Refusal};
use crate::body::Body;
use crate::limits::Source;
use crate::packets::{self, parse_key};
use crate::records::{self, View};
use crate::route::parameter;
use crate::service::Question;
use crate::status::gauges;

/// The longest text that is looked at as a key, and shown again.
const LONGEST: usize = 256;
/// Nothing but what this server itself serves: no script within the page, no frames, no plug-ins, no other hosts.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// What the page has to show.
#[derive(Debug)]
enum Outcome {
    /// Nothing was asked.
    Welcome,
    /// A packet.
    Found(Box<View>),
    /// Why there is none.
    Refused(Refusal),
}

/// `GET /?key=…`: the page, with what was asked.
pub(crate) async fn answer(
    question: &Question<'_>,
    source: &Source,
) -> Result<Response<Body>, Refusal> {
    let asked = parameter(question.query, "key").unwrap_or_default();
    let asked: String = asked.trim().chars().take(LONGEST).collect();
    let outcome = if asked.is_empty() {
        Outcome::Welcome
    } else {
        look_up(question, source, &asked)
            .await
            .map_or_else(Outcome::Refused, |view| Outcome::Found(Box::new(view)))
    };
    let page = html::page(&asked, &outcome, gauges(question.relay));
    let mut response = answer::document("text/html; charset=utf-8", page);
    match outcome {
        Outcome::Refused(refusal) => refusal.mark(&mut response),
        Outcome::Welcome | Outcome::Found(_) => {}
    }
    secure(&mut response);
    Ok(response)
}

/// What the network has; where it may not be asked, what is at hand, as a `GET` would have it.
async fn look_up(question: &Question<'_>, source: &Source, asked: &str) -> Result<View, Refusal> {
    let key = parse_key(asked)?;
    let (relay, settings) = (question.relay, question.settings);
    let (cached, nodes) = match records::with_holders(relay, settings, source, &key).await {
        Err(refusal @ (Refusal::TooMany { .. } | Refusal::Busy)) => {
            let at_hand = packets::find(relay, settings, source, &key, Policy::CacheOnly).await;
            (at_hand.map_err(|_nothing| refusal)?, None)
        }
        found => found?,
    };
    Ok(View::new(relay, &cached, nodes))
}

/// How the page looks.
pub(crate) fn style() -> Response<Body> {
    asset("text/css; charset=utf-8", include_str!("page/relay.css"))
}

/// What makes the page live.
pub(crate) fn script() -> Response<Body> {
    asset("text/javascript; charset=utf-8", include_str!("page/relay.js"))
}

fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    let mut response = answer::bare(StatusCode::OK, Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    secure(&mut response);
    response
}

fn secure(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
}
