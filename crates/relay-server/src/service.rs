//! One request in, one answer out: the relay without its sockets.
//!
//! Separate from the server, so that tests, fuzzers and programs with a server of their own can ask it directly.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, HeaderMap, HeaderValue, VARY,
};
use hyper::{Method, Request, Response, StatusCode};
use mainstay_client::Client;
use tokio::sync::{Semaphore, watch};

use crate::answer::{self, Refusal};
use crate::body::Body;
use crate::config::Config;
use crate::limits::{Allowances, Kind, Lookups, Peer, RateLimits, Source, source_of};
use crate::metrics::{Metrics, Subject};
use crate::route::Route;
use crate::spread::Spread;
use crate::watches::Watches;
use crate::{batch, packets, page, records, status, watches};

/// What browsers may send; `POST` for batches.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, OPTIONS");
/// What scripts may read of an answer; a test holds it against the list of the protocol.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "pkarr-dht-stored-nodes, pkarr-invalid-signed-packet-seq, memento-datetime, etag, retry-after, age",
);
const ANY: HeaderValue = HeaderValue::from_static("*");
/// How long browsers may remember the answer to a preflight: a day.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("86400");

/// What may change while the relay runs, ready to use.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) allowances: Allowances,
    pub(crate) body_timeout: Duration,
}

impl Settings {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            allowances: Allowances::new(&config.rate_limiter),
            body_timeout: Duration::from_secs(config.http.body_timeout_seconds),
            config,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) client: Client,
    /// Whether the client's cache outlives the process, so that 204 means that it holds the packet.
    pub(crate) durable: bool,
    settings: Spread<RwLock<Arc<Settings>>>,
    pub(crate) limits: RateLimits,
    pub(crate) lookups: Lookups,
    pub(crate) metrics: Metrics,
    pub(crate) watches: Watches,
    /// Room for searches that are watched step by step.
    pub(crate) traced: Semaphore,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Relay {
    pub(crate) fn new(
        client: Client,
        durable: bool,
        config: Config,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            client,
            durable,
            limits: RateLimits::new(config.rate_limiter.remembered),
            settings: {
                let settings = Settings::new(config);
                Spread::new(|| RwLock::new(Arc::new(settings.clone())))
            },
            lookups: Lookups::default(),
            metrics: Metrics::new(),
            watches: Watches::default(),
            traced: Semaphore::new(records::TRACED),
            stopped,
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        // Nothing panics while it holds the lock, which only ever swaps a pointer.
        self.settings.here().read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, config: Config) {
        self.replace_settings(&Settings::new(config));
    }

    /// A finer time than the configuration can say.
    pub(crate) fn set_body_timeout(&self, body_timeout: Duration) {
        self.replace_settings(&Settings { body_timeout, ..(*self.settings()).clone() });
    }

    fn replace_settings(&self, settings: &Settings) {
        for copy in self.settings.iter() {
            *copy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
        }
    }
}

/// A relay without sockets: give it requests, it gives answers.
///
/// Cloning is cheap and gives another handle of the same relay. For a program that serves HTTP already; everybody else
/// uses [`RelayServer`](crate::RelayServer).
///
/// Caps on connections, heads and slow readers are the caller's matter here; rate limits, bodies and searches are kept
/// as the configuration says.
#[derive(Clone)]
pub struct RelayService {
    pub(crate) relay: Arc<Relay>,
    /// Whether this door shows the numbers, or there is one of their own for them.
    pub(crate) door: Door,
}

/// Which paths a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// All of them.
    Everything,
    /// All but the numbers.
    WithoutMetrics,
    /// The numbers alone.
    MetricsOnly,
}

impl RelayService {
    /// A relay in front of `client`, that never ends by itself.
    #[must_use]
    pub fn new(client: Client, config: Config) -> Self {
        let (_sender, stopped) = watch::channel(false);
        Self { relay: Arc::new(Relay::new(client, false, config, stopped)), door: Door::Everything }
    }

    /// Answers one request that came from `peer`. Must be called within a tokio runtime.
    ///
    /// Dropping the future gives the request up; a packet that is being published is published all the same.
    pub async fn answer<B>(&self, peer: Peer, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes>,
    {
        let begun = Instant::now();
        let relay = &*self.relay;
        let (head, body) = request.into_parts();
        let route = Route::of(head.uri.path());
        let subject = Subject::of(&route, head.method == Method::PUT);
        let question = Question {
            relay: &self.relay,
            settings: &relay.settings(),
            peer,
            method: &head.method,
            query: head.uri.query(),
            headers: &head.headers,
        };
        let mut response = if is_preflight(&head.method, &head.headers) {
            preflight(&head.headers)
        } else if self.shows(&route) {
            question.answer(route, body).await.unwrap_or_else(Refusal::into_response)
        } else {
            Refusal::Nothing.into_response()
        };
        for_every_origin(response.headers_mut());
        relay.metrics.answered(subject, response.status(), begun.elapsed());
        response
    }

    /// Answers a request that is none.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Response<Body> {
        let mut response = refusal.into_response();
        for_every_origin(response.headers_mut());
        self.relay.metrics.answered(Subject::Other, response.status(), Duration::ZERO);
        response
    }

    fn shows(&self, route: &Route<'_>) -> bool {
        match self.door {
            Door::Everything => true,
            Door::WithoutMetrics => *route != Route::Metrics,
            Door::MetricsOnly => *route == Route::Metrics,
        }
    }
}

impl fmt::Debug for RelayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayService").field("client", &self.relay.client).finish_non_exhaustive()
    }
}

/// A request without its body.
pub(crate) struct Question<'a> {
    pub(crate) relay: &'a Arc<Relay>,
    pub(crate) settings: &'a Arc<Settings>,
    peer: Peer,
    method: &'a Method,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

impl Question<'_> {
    async fn answer<B>(self, route: Route<'_>, body: B) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody<Data = Bytes>,
    {
        let Self { relay, settings, query, headers, .. } = self;
        let source = source_of(&settings.config.rate_limiter, self.peer, headers);
        self.charge(&source, 1)?;
        let is_put = matches!(route, Route::Packet(_)) && self.method == Method::PUT;
        if !is_put {
            self.allows(&route)?;
        }
        match route {
            Route::Packet(key) if is_put => {
                Box::pin(packets::put(relay, settings, &source, &key, headers, body)).await
            }
            Route::Packet(key) => {
                packets::get(relay, settings, &source, &key, query, headers).await
            }
            Route::Packets => Box::pin(batch::packets(&self, source, body)).await,
            Route::Watch => watches::open(&self, source),
            Route::Records(key) => Box::pin(records::answer(&self, &source, &key)).await,
            Route::Page => Box::pin(page::answer(&self, &source)).await,
            Route::Style => Ok(page::style()),
            Route::Script => Ok(page::script()),
            Route::Health => Ok(status::health(relay)),
            Route::Ready => Ok(status::ready(relay)),
            Route::Info => Ok(status::info(relay, settings)),
            Route::Metrics if settings.config.metrics.enabled => Ok(status::metrics(relay)),
            Route::TooLong => Err(Refusal::TooLong),
            Route::Metrics | Route::Nothing => Err(Refusal::Nothing),
        }
    }

    /// Takes so many requests from the client's budget.
    pub(crate) fn charge(&self, source: &Source, cost: u32) -> Result<(), Refusal> {
        let charged = self.relay.limits.charge(&self.settings.allowances, Kind::Http, source, cost);
        charged.map_err(|wait| {
            self.relay.metrics.limited(Kind::Http);
            Refusal::TooMany { wait }
        })
    }

    fn allows(&self, route: &Route<'_>) -> Result<(), Refusal> {
        let reads = matches!(*self.method, Method::GET | Method::HEAD);
        match route {
            Route::Nothing | Route::TooLong => Ok(()),
            Route::Packets if self.method == Method::POST => Ok(()),
            Route::Packets if !reads => Err(Refusal::Method { allowed: "GET, HEAD, POST" }),
            // A stream without its body would never end.
            Route::Watch if self.method != Method::GET => Err(Refusal::Method { allowed: "GET" }),
            Route::Packet(_) if !reads => Err(Refusal::Method { allowed: "GET, HEAD, PUT" }),
            _ if !reads => Err(Refusal::Method { allowed: "GET, HEAD" }),
            _ => Ok(()),
        }
    }
}

/// Lets the scripts of every page read the answer.
fn for_every_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && (headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) || !headers.contains_key("origin"))
}

/// Any page may read and publish: nothing here depends on who asks, and no credentials exist.
fn preflight(headers: &HeaderMap) -> Response<Body> {
    let mut response = answer::bare(StatusCode::OK, Body::default());
    let ours = response.headers_mut();
    ours.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    ours.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    ours.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ours.insert(VARY, HeaderValue::from_static("access-control-request-headers"));
    if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        ours.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use mainstay_relay::protocol::header;

    #[test]
    fn scripts_may_read_every_header_of_the_protocol() {
        let exposed = super::EXPOSED;
        let exposed: Vec<_> = exposed.to_str().unwrap().split(", ").collect();
        for name in header::EXPOSED {
            assert!(exposed.contains(&name), "{name} is hidden from scripts");
        }
    }
}
