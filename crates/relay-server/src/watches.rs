//! `/watch`: new packets of some keys, pushed as server-sent events.
//!
//! Separate because it is the one answer that lasts. A key that somebody watches is asked for again and again, once for
//! all who watch it; what anybody publishes through this relay, or has it look up, is pushed at once.

mod stream;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use mainstay_client::Policy;
use mainstay_keys::PublicKey;
use mainstay_packets::SignedPacket;
use mainstay_relay::protocol;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use crate::answer::{self, Refusal};
use crate::body::Body;
use crate::limits::Source;
use crate::packets::{self, parse_key};
use crate::route::parameters;
use crate::service::{Question, Relay, Settings};

/// How many events may wait for a client that reads slowly before the stream waits for it.
const QUEUE: usize = 4;

/// Who watches what.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    /// How many streams there are; so that nobody takes the lock while nobody watches.
    streams: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: HashMap<PublicKey, Watched>,
    by_source: HashMap<u128, usize>,
}

/// A key that somebody watches.
#[derive(Debug)]
struct Watched {
    latest: Option<SignedPacket>,
    /// Who is to be woken, by the number of its stream.
    streams: Vec<Arc<Notify>>,
    refreshing: AbortHandle,
}

impl Watches {
    /// Tells who watches the packet's key, if it is newer than what they know.
    pub(crate) fn offer(&self, packet: &SignedPacket) {
        if self.streams.load(Relaxed) == 0 {
            return;
        }
        let mut state = self.lock();
        let Some(watched) = state.keys.get_mut(&packet.public_key()) else { return };
        if watched.latest.as_ref().is_none_or(|latest| packet.more_recent_than(latest)) {
            watched.latest = Some(packet.clone());
            for stream in &watched.streams {
                stream.notify_one();
            }
        }
    }

    /// How many streams there are, and how many keys they watch.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.streams.load(Relaxed), self.lock().keys.len())
    }

    fn latest(&self, key: &PublicKey) -> Option<SignedPacket> {
        self.lock().keys.get(key)?.latest.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder leaves the maps half changed, so what a panic left is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's place in the lists. Dropping it gives the place back, and ends the searches that nobody needs any more.
pub(crate) struct Place {
    relay: Arc<Relay>,
    source: u128,
    keys: Vec<PublicKey>,
    woken: Arc<Notify>,
}

impl Place {
    /// Takes a place, unless there are too many.
    fn take(
        relay: &Arc<Relay>,
        settings: &Settings,
        source: &Source,
        keys: Vec<PublicKey>,
    ) -> Result<Self, Refusal> {
        let (config, watches) = (&settings.config.watch, &relay.watches);
        let mut state = watches.lock();
        let of_source = state.by_source.get(&source.prefix()).copied().unwrap_or_default();
        let more = keys.iter().filter(|key| !state.keys.contains_key(*key)).count();
        if watches.streams.load(Relaxed) >= config.max_watches
            || of_source >= config.max_watches_per_source
            || state.keys.len().saturating_add(more) > config.max_keys
        {
            return Err(Refusal::Watches);
        }
        let woken = Arc::new(Notify::new());
        for key in &keys {
            let watched = state.keys.entry(*key).or_insert_with(|| Watched {
                latest: None,
                streams: Vec::new(),
                refreshing: tokio::spawn(refresh(relay.clone(), *source, *key)).abort_handle(),
            });
            watched.streams.push(woken.clone());
        }
        *state.by_source.entry(source.prefix()).or_default() += 1;
        watches.streams.fetch_add(1, Relaxed);
        Ok(Self { relay: relay.clone(), source: source.prefix(), keys, woken })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.relay.watches.lock();
        for key in &self.keys {
            let Some(watched) = state.keys.get_mut(key) else { continue };
            watched.streams.retain(|stream| !Arc::ptr_eq(stream, &self.woken));
            if watched.streams.is_empty() {
                watched.refreshing.abort();
                state.keys.remove(key);
            }
        }
        if let Some(streams) = state.by_source.get_mut(&self.source) {
            *streams = streams.saturating_sub(1);
            if *streams == 0 {
                state.by_source.remove(&self.source);
            }
        }
        self.relay.watches.streams.fetch_sub(1, Relaxed);
    }
}

/// Asks for a watched key: at first as a request for it would, counted against whoever began to watch it, and then
/// the network from time to time.
async fn refresh(relay: Arc<Relay>, source: Source, key: PublicKey) {
    let settings = relay.settings();
    let policy = protocol::Policy::CacheFirst;
    if let Ok(known) = packets::find(&relay, &settings, &source, &key, policy).await {
        relay.watches.offer(&known.packet);
    }
    drop(settings);
    loop {
        let settings = relay.settings();
        tokio::time::sleep(apart(settings.config.watch.refresh_seconds, &key)).await;
        let Some(_room) = relay.lookups.enter(key, settings.config.http.max_lookups) else {
            continue;
        };
        if let Ok(found) = relay.client.resolve_with(&key, Policy::MostRecent).await {
            relay.watches.offer(&found.packet);
        }
    }
}

/// The interval, a little longer for one key than for another, so that not all keys are asked for at once.
fn apart(seconds: u64, key: &PublicKey) -> Duration {
    let spread = u64::from(key.as_bytes().first().copied().unwrap_or_default());
    let millis = seconds.saturating_mul(1000);
    Duration::from_millis(millis.saturating_add(millis.saturating_mul(spread) / 1024))
}

/// `GET /watch?key=…&key=…`: the packets of these keys that the client does not have yet, and each newer one.
pub(crate) fn open(question: &Question<'_>, source: Source) -> Result<Response<Body>, Refusal> {
    let (relay, settings) = (question.relay, question.settings);
    if *relay.stopped.borrow() {
        return Err(Refusal::Ending);
    }
    let most = settings.config.watch.max_keys_per_watch;
    let mut keys = Vec::new();
    let mut given = 0_usize;
    for text in parameters(question.query, "key") {
        given = given.saturating_add(1);
        let key = parse_key(&text)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
        if given > most {
            return Err(Refusal::Keys { given, most });
        }
    }
    if keys.is_empty() {
        return Err(Refusal::Keys { given, most });
    }
    let known = question.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let sent = stream::sent_before(known.unwrap_or_default(), keys.len());
    let place = Place::take(relay, settings, &source, keys)?;
    let (events, chunks) = mpsc::channel(QUEUE);
    tokio::spawn(stream::run(place, sent, settings.clone(), events));
    let mut response = answer::bare(hyper::StatusCode::OK, Body::stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of one family hold answers back unless told otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
