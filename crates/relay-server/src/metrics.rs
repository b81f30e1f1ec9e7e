//! The numbers of a relay, as Prometheus reads them.
//!
//! Separate because they count what others do. They have no addresses and no keys: whoever reads them learns nothing of
//! anybody.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::limits::Kind;
use crate::route::Route;
use crate::spread::Spread;

/// The upper ends, in microseconds, of the classes into which answers fall by the time they took.
const CLASSES: [u64; 10] =
    [100, 500, 1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000, 10_000_000, 60_000_000];

/// What was asked for, as the numbers tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Get,
    Put,
    Batch,
    Watch,
    Page,
    Other,
}

impl Subject {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Get, "get"),
        (Self::Put, "put"),
        (Self::Batch, "batch"),
        (Self::Watch, "watch"),
        (Self::Page, "page"),
        (Self::Other, "other"),
    ];

    pub(crate) fn of(route: &Route<'_>, is_put: bool) -> Self {
        match route {
            Route::Packet(_) if is_put => Self::Put,
            Route::Packet(_) => Self::Get,
            Route::Packets => Self::Batch,
            Route::Watch => Self::Watch,
            Route::Page | Route::Records(_) => Self::Page,
            Route::Health
            | Route::Ready
            | Route::Info
            | Route::Metrics
            | Route::Style
            | Route::Script
            | Route::Nothing
            | Route::TooLong => Self::Other,
        }
    }
}

/// Answers to one subject: by the first digit of the status, and by time.
#[derive(Debug, Default)]
struct Answers {
    by_status: [AtomicU64; 6],
    by_time: [AtomicU64; CLASSES.len() + 1],
    micros: AtomicU64,
}

impl Answers {
    fn counters(&self) -> impl Iterator<Item = &AtomicU64> {
        self.by_status.iter().chain(&self.by_time).chain([&self.micros])
    }

    fn add(&self, others: &Self) {
        for (sum, counter) in self.counters().zip(others.counters()) {
            sum.fetch_add(counter.load(Relaxed), Relaxed);
        }
    }
}

/// What has been counted since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    since: Instant,
    answers: Spread<[Answers; 6]>,
    limited: [AtomicU64; 2],
    searches: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) open: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) made_way: AtomicU64,
    pub(crate) reloads: AtomicU64,
}

/// What others know and the numbers show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) cached: usize,
    pub(crate) capacity: usize,
    pub(crate) nodes: usize,
    pub(crate) joined: bool,
    pub(crate) searching: usize,
    pub(crate) watches: usize,
    pub(crate) watched: usize,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            answers: Spread::new(Default::default),
            limited: Default::default(),
            searches: AtomicU64::default(),
            accepted: AtomicU64::default(),
            open: AtomicU64::default(),
            turned_away: AtomicU64::default(),
            made_way: AtomicU64::default(),
            reloads: AtomicU64::default(),
        }
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, subject: Subject, status: StatusCode, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let Some(answers) = self.answers.here().get(subject as usize) else { return };
        let class = CLASSES.partition_point(|end| *end < micros);
        for counter in
            [answers.by_status.get(usize::from(status.as_u16() / 100)), answers.by_time.get(class)]
        {
            counter.map(|counter| counter.fetch_add(1, Relaxed));
        }
        answers.micros.fetch_add(micros, Relaxed);
    }

    /// Counts a request that was one too many.
    pub(crate) fn limited(&self, kind: Kind) {
        self.limited[usize::from(kind == Kind::Dht)].fetch_add(1, Relaxed);
    }

    /// Counts a search of the network that a request has begun or joined.
    pub(crate) fn searched(&self) {
        self.searches.fetch_add(1, Relaxed);
    }

    /// Everything, in the text format of Prometheus.
    pub(crate) fn to_text(&self, gauges: Gauges) -> String {
        let mut text = String::with_capacity(8 * 1024);
        self.write_answers(&mut text);
        let [http, dht] = &self.limited;
        family(&mut text, "requests_limited_total", "counter", "Requests that were one too many.");
        for (kind, counter) in [("http", http), ("dht", dht)] {
            let _ = writeln!(
                text,
                "mainstay_relay_requests_limited_total{{kind=\"{kind}\"}} {}",
                counter.load(Relaxed)
            );
        }
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        for (name, kind, help, value) in [
            (
                "searches_total",
                "counter",
                "Requests for which the network was asked.",
                count(&self.searches),
            ),
            ("connections_total", "counter", "Connections taken.", count(&self.accepted)),
            (
                "connections_refused_total",
                "counter",
                "Connections closed because their source had too many.",
                count(&self.turned_away),
            ),
            (
                "connections_cut_total",
                "counter",
                "Connections closed while they waited for a request, as others needed the room.",
                count(&self.made_way),
            ),
            ("connections", "gauge", "Connections that are open.", count(&self.open)),
            ("reloads_total", "counter", "Configurations taken over.", count(&self.reloads)),
            (
                "searching_keys",
                "gauge",
                "Keys that are being searched for.",
                size(gauges.searching),
            ),
            ("watches", "gauge", "Streams of new packets.", size(gauges.watches)),
            ("watched_keys", "gauge", "Keys that those watch.", size(gauges.watched)),
            ("cached_packets", "gauge", "Packets at hand.", size(gauges.cached)),
            ("cache_capacity_packets", "gauge", "Packets that fit.", size(gauges.capacity)),
            ("dht_nodes", "gauge", "Nodes of the DHT that are known.", size(gauges.nodes)),
            ("dht_joined", "gauge", "Whether the DHT was joined.", gauges.joined.into()),
            ("uptime_seconds", "gauge", "Time since the start.", self.uptime().as_secs()),
        ] {
            family(&mut text, name, kind, help);
            let _ = writeln!(text, "mainstay_relay_{name} {value}");
        }
        family(&mut text, "info", "gauge", "The version.");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(text, "mainstay_relay_info{{version=\"{version}\"}} 1");
        text
    }

    /// What all threads have counted.
    fn answers_in_all(&self) -> [Answers; 6] {
        let all: [Answers; 6] = Default::default();
        for of_thread in self.answers.iter() {
            for (sum, answers) in all.iter().zip(of_thread) {
                sum.add(answers);
            }
        }
        all
    }

    fn write_answers(&self, text: &mut String) {
        family(text, "responses_total", "counter", "Answers, by what was asked and how it ended.");
        let all = self.answers_in_all();
        for ((_, name), answers) in Subject::ALL.iter().zip(&all) {
            for (class, counter) in answers.by_status.iter().enumerate().skip(2) {
                let _ = writeln!(
                    text,
                    "mainstay_relay_responses_total{{subject=\"{name}\",status=\"{class}xx\"}} {}",
                    counter.load(Relaxed)
                );
            }
        }
        family(text, "response_seconds", "histogram", "How long answers took.");
        for ((_, name), answers) in Subject::ALL.iter().zip(&all) {
            let mut sum = 0_u64;
            for (index, counter) in answers.by_time.iter().enumerate() {
                sum = sum.saturating_add(counter.load(Relaxed));
                let end = CLASSES.get(index).map_or("+Inf".to_owned(), |end| seconds(*end));
                let _ = writeln!(
                    text,
                    "mainstay_relay_response_seconds_bucket{{subject=\"{name}\",le=\"{end}\"}} {sum}"
                );
            }
            let total = seconds(answers.micros.load(Relaxed));
            let _ = writeln!(
                text,
                "mainstay_relay_response_seconds_sum{{subject=\"{name}\"}} {total}\n\
                 mainstay_relay_response_seconds_count{{subject=\"{name}\"}} {sum}"
            );
        }
    }
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ =
        writeln!(text, "# HELP mainstay_relay_{name} {help}\n# TYPE mainstay_relay_{name} {kind}");
}

fn seconds(micros: u64) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    format!("{whole}.{rest:06}")
}
