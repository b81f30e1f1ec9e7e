//! A night of simulation: seed after seed of whole nodes in trouble, each run twice, for as long as there is time.
//!
//! Separate from the sweeps, which measure: here nothing is measured but how much time was simulated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mainstay_dht_proto::{Ask, Config, Outcome, QueryId};
use mainstay_keys::Keypair;
use mainstay_krpc::item::MutableItem;
use mainstay_sim::{Bursts, Churn, Dice, Latency, Lifetime, Link};
use mainstay_tests::internet::{World, address, home_address};

use crate::page::peak_memory;

/// How long the trouble of one seed lasts, and how long the peace after it.
const TROUBLE: Duration = Duration::from_secs(5 * 3600);
const PEACE: Duration = Duration::from_secs(3600);
/// Between two things that somebody does.
const PACE: Duration = Duration::from_secs(90);

/// What one run of one seed came to.
struct Run {
    trace: u64,
    node_hours: f64,
    complaint: Option<String>,
}

/// Runs seeds from `first` on for about `seconds`; the report, or what broke.
pub(crate) fn watch(first: u64, seconds: u64) -> Result<String, String> {
    let began = Instant::now();
    let (mut seeds, mut node_hours, mut broken) = (0_u64, 0.0, Vec::new());
    while began.elapsed().as_secs() < seconds {
        let seed = first + seeds;
        let runs = [run(seed), run(seed)];
        if runs[0].trace != runs[1].trace {
            broken.push(format!("seed {seed}: two runs differ"));
        }
        broken.extend(runs[0].complaint.clone());
        node_hours += runs[0].node_hours;
        seeds += 1;
    }
    let took = began.elapsed().as_secs_f64();
    let report = format!(
        "{seeds} seeds from {first}, each twice: {node_hours:.0} node-hours in {took:.0} s, {:.0} node-hours/s counting both; peak memory {}",
        2.0 * node_hours / took,
        peak_memory().unwrap_or_else(|| "unknown".to_owned()),
    );
    if broken.is_empty() { Ok(report) } else { Err(format!("{report}\n{}", broken.join("\n"))) }
}

/// A village whose every trouble is drawn from the seed, many of them absent; then peace, in which all must work.
fn run(seed: u64) -> Run {
    let mut dice = Dice::of(&[seed, 0x006e_6967_6874]);
    let count = 8 + draw(&mut dice, 25);
    let mut village = Village::settle(seed, count);
    village.make_trouble(&mut dice);
    let trouble_ends = village.world.net.elapsed() + TROUBLE;
    while village.world.net.elapsed() < trouble_ends {
        village.act(&mut dice);
        village.world.net.run_for(dice.exponential(PACE));
    }
    village.make_peace();
    village.world.net.run_for(PEACE);
    let complaint = village.complaint(&mut dice).map(|text| format!("seed {seed}: {text}"));
    let hours = village.world.net.elapsed().as_secs_f64() / 3600.0;
    let nodes = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    Run { trace: village.world.net.trace(), node_hours: nodes * hours, complaint }
}

fn draw(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).unwrap_or(0)
}

/// The first few of them neither go nor restart: they ask, and are held to what they are promised.
struct Village {
    world: World,
    count: usize,
    /// The newest sequence number that anybody put, by key.
    newest: [i64; KEYS],
    open: Vec<Open>,
    restarts: u64,
}

/// An ask that has not been judged.
struct Open {
    asker: usize,
    query: QueryId,
    began: Instant,
    key: usize,
}

const KEYS: usize = 8;
const ASKERS: usize = 3;

impl Village {
    fn settle(seed: u64, count: usize) -> Self {
        let mut world = World::empty(seed, 0.0);
        for index in 0..count {
            world.spawn(|config| Config { bootstrap: hosts(index), ..config });
            world.net.run_for(Duration::from_millis(200));
        }
        world.net.run_for(Duration::from_secs(60));
        Self { world, count, newest: [0; KEYS], open: Vec::new(), restarts: 0 }
    }

    fn make_trouble(&mut self, dice: &mut Dice) {
        let mut share = |most: f64| if dice.below(2) == 0 { 0.0 } else { dice.unit() * most };
        let [loss, bursts, sigma] = [share(0.4), share(1.0), share(0.9)];
        let link = Link {
            latency: Latency::LogNormal {
                median: Duration::from_millis(60),
                sigma: 0.6 + sigma,
                least: Duration::from_millis(3),
            },
            jitter: Duration::from_secs(1).mul_f64(share(1.0)),
            loss,
            duplication: share(0.3),
            corruption: share(0.1),
            bursts: (bursts > 0.5).then(|| Bursts {
                good: Duration::from_secs(60),
                bad: Duration::from_secs(5),
                loss: bursts,
            }),
            ..Link::default()
        };
        self.world.net.set_link(link);
        if dice.below(2) == 0 {
            let session = Lifetime::Exponential(Duration::from_secs(600 + dice.below(7200)));
            let absence = Lifetime::Exponential(Duration::from_secs(60 + dice.below(3600)));
            let nodes = self.world.guests[ASKERS..].to_vec();
            self.world.net.set_churn(Churn { session, absence }, nodes);
        }
    }

    /// One thing that happens: somebody asks, or the network or a node gets into trouble.
    fn act(&mut self, dice: &mut Dice) {
        self.judge();
        let any = draw(dice, self.count);
        let node = self.world.guests[any];
        match dice.below(24) {
            0 => self.world.net.partition([node], u32::from(dice.below(2) == 0)),
            1 => self.world.net.heal(),
            2 => {
                let jump = Duration::from_secs(dice.below(20 * 365 * 24 * 3600));
                let time = Duration::from_secs(1_500_000_000) + jump;
                self.world.net.with(node, |guest, now| guest.node.set_wall_clock(now, time));
            }
            3 if any >= ASKERS => {
                self.restarts += 1;
                let config = Config { bootstrap: hosts(any), ..configuration(any) };
                let guest = self.world.guest(config, self.restarts << 16);
                self.world.net.replace(node, guest);
            }
            _ => self.ask(dice),
        }
    }

    fn ask(&mut self, dice: &mut Dice) {
        let (asker, key) = (draw(dice, ASKERS), draw(dice, KEYS));
        let ask = if dice.below(3) == 0 {
            self.newest[key] += 1;
            Ask::PutMutable { item: item(key, self.newest[key]), cas: None }
        } else {
            get(key)
        };
        let began = self.world.net.now();
        let query = self.world.start(asker, ask, false);
        self.open.push(Open { asker, query, began, key });
    }

    /// Each ask ends once, in time, with nothing that nobody put.
    fn judge(&mut self) {
        let limit = Config::default().ask_deadline + Duration::from_millis(1);
        let now = self.world.net.now();
        let mut open = std::mem::take(&mut self.open);
        open.retain(|ask| {
            let machine = self.world.net.machine(self.world.guests[ask.asker]);
            let Some((outcome, report)) = machine.ending(ask.query) else {
                assert!(now - ask.began <= limit, "{:?} of {} never ended", ask.query, ask.asker);
                return true;
            };
            assert!(report.elapsed <= limit, "an ask took {:?}", report.elapsed);
            if let Outcome::Mutable(Ok(Some(found))) = outcome {
                assert!(found.seq() <= self.newest[ask.key], "an item that nobody put");
            }
            false
        });
        if open.is_empty() {
            for asker in 0..ASKERS {
                self.world.net.with(self.world.guests[asker], |guest, _| guest.events.clear());
            }
        }
        self.open = open;
    }

    fn make_peace(&mut self) {
        let latency = Latency::Fixed(Duration::from_millis(30));
        self.world.net.set_link(Link { latency, ..Link::default() });
        self.world.net.stop_churn();
        self.world.net.heal();
        for node in self.world.guests.clone() {
            self.world.net.set_up(node, true);
        }
    }

    /// What does not work although there has been peace for an hour.
    fn complaint(&mut self, dice: &mut Dice) -> Option<String> {
        self.judge();
        let few = (self.count - 1).min(6);
        for index in 0..self.count {
            let known = self.world.node(index).info().ipv4.map_or(0, |family| family.nodes);
            if known < few {
                return Some(format!("node {index} of {} knows {known}", self.count));
            }
        }
        for key in 0..KEYS {
            let [writer, reader] = [(); 2].map(|()| draw(dice, self.count));
            let newest = item(key, self.newest[key] + 1);
            let put = Ask::PutMutable { item: newest.clone(), cas: None };
            if !matches!(self.world.ask(writer, put, false).0, Outcome::Put(Ok(_))) {
                return Some(format!("node {writer} stores nothing"));
            }
            let found = self.world.ask(reader, get(key), false).0;
            if !matches!(found, Outcome::Mutable(Ok(Some(found))) if found == newest) {
                return Some(format!("node {reader} does not find what {writer} stored"));
            }
        }
        (self.world.net.stats().stuck > 0).then(|| "a node does not move its deadline".to_owned())
    }
}

/// Where a node joins: at the first, and at another.
fn hosts(index: usize) -> Vec<SocketAddr> {
    if index == 0 { vec![address(1)] } else { vec![address(0), address(index / 2)] }
}

fn configuration(index: usize) -> Config {
    let home = home_address(index);
    Config { ipv4: Some(home), public_ipv4: Some(*home.ip()), ..Config::default() }
}

fn item(key: usize, seq: i64) -> MutableItem {
    let value = format!("value {seq}");
    MutableItem::sign_bytes(&keypair(key), b"", seq, value.as_bytes()).expect("a small value")
}

fn get(key: usize) -> Ask {
    Ask::GetMutable { key: keypair(key).public_key(), salt: Vec::new(), newer_than: None }
}

fn keypair(key: usize) -> Keypair {
    Keypair::from_secret_key(&[u8::try_from(key + 1).unwrap_or(1); 32])
}
