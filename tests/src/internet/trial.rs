//! Puts and gets of real nodes before an internet, and what they took.
//!
//! Separate from the world, which only runs: here is what is measured, and how.

use std::time::Duration;

use mainstay_dht_proto::{Ask, Config, Event, LookupReport, Outcome};
use mainstay_keys::Keypair;
use mainstay_krpc::Id;
use mainstay_krpc::item::MutableItem;
use mainstay_sim::Dice;

use super::{Floor, Path, Spending, Terrain, World};

/// One row of a table: where, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// The internet.
    pub terrain: Terrain,
    /// Share of packets lost each way.
    pub loss: f64,
    /// How many items are put and got.
    pub trials: usize,
    /// How long the two nodes have to join and to know their network.
    pub settling: Duration,
    /// Whether to work out for every tenth get what nobody can be quicker than.
    pub floors: bool,
}

/// What a series of trials took.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// From a get to its first value.
    pub first_value: Quantiles,
    /// From a get to its end.
    pub complete: Quantiles,
    /// From a put to its first acknowledgement.
    pub first_ack: Quantiles,
    /// From a put to the acknowledgement of half of the nodes it stores at, which the node calls its quorum.
    pub quorum: Quantiles,
    /// Packets that a get sends.
    pub get_packets: Quantiles,
    /// Packets that a put sends.
    pub put_packets: Quantiles,
    /// Share of gets that found the value.
    pub found: f64,
    /// Share of puts that were acknowledged by a quorum.
    pub stored: f64,
    /// Share of the eight closest living nodes that a search for nodes found.
    pub recall: f64,
    /// Contacts asked in vain, of all asked.
    pub vain: f64,
    /// Answers that had to come one after the other before the first value.
    pub hops: Quantiles,
    /// The time that those answers took.
    pub answering: Quantiles,
    /// The time spent on waiting for nodes that said nothing, before the first value.
    pub stalling: Quantiles,
    /// Answers that had to come one after the other before the quorum.
    pub put_hops: Quantiles,
    /// The time that those took.
    pub put_answering: Quantiles,
    /// The time spent on waiting for silent nodes before the quorum.
    pub put_stalling: Quantiles,
    /// Where the packets of the puts went.
    pub spent: Vec<Spending>,
    /// What nobody can be quicker than: who knows the holders, who asks everybody at once, who has as many in flight
    /// as the node but none of them silent. Empty unless [asked for](Series::floors).
    pub floors: [Quantiles; 3],
    /// How many nodes the second of these asks.
    pub floor_asks: Quantiles,
    /// How many nodes the reader's table held at the end.
    pub table: usize,
    /// A hash of all that happened.
    pub trace: u64,
}

/// Values in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles(Vec<f64>);

impl FromIterator<f64> for Quantiles {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Quantiles {
    /// The value that this share of the values does not exceed; 0 if there are none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index between 0 and the length"
    )]
    pub fn at(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    /// The mean; 0 if there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / count(self.0.len().max(1))
    }

    /// Half are above.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }
}

/// Where a put is read from: a node that did not store it.
struct Pair {
    world: World,
    writer: usize,
    reader: usize,
    dice: Dice,
}

impl Series {
    /// Runs it, with both nodes as this configures them.
    #[must_use]
    pub fn run(&self, adjust: impl Fn(Config) -> Config) -> Figures {
        let mut world = World::before(self.terrain, self.loss);
        let writer = world.join(Duration::ZERO, &adjust);
        let reader = world.join(self.settling, &adjust);
        let mut pair =
            Pair { world, writer, reader, dice: Dice::of(&[self.terrain.seed, 0x0074_7269_616c]) };
        let quorum = adjust(Config::default()).store_at.div_ceil(2);
        let mut tally = Tally::default();
        for number in 0..self.trials {
            pair.world.net.run_for(pair.dice.exponential(Duration::from_secs(5)));
            let item = pair.item(number);
            let ask = Ask::PutMutable { item: item.clone(), cas: None };
            let (outcome, _, events) = pair.world.ask(pair.writer, ask, true);
            tally.put(outcome, &events, quorum);
            pair.world.net.run_for(pair.dice.exponential(Duration::from_secs(5)));
            if self.floors && number % 10 == 9 {
                let width = adjust(Config::default()).concurrency;
                let floor = Floor::of(&pair.world, pair.reader, item.target(), width);
                tally.floors.extend(floor);
            }
            let ask = Ask::GetMutable { key: *item.key(), salt: Vec::new(), newer_than: None };
            tally.get(pair.world.ask(pair.reader, ask, true), &item);
            if number % 4 == 0 {
                tally.recalls.push(pair.recall());
            }
        }
        let table = pair.world.node(pair.reader).info().ipv4.map_or(0, |family| family.nodes);
        Figures { table, trace: pair.world.net.trace(), ..tally.figures() }
    }
}

impl Pair {
    fn item(&self, number: usize) -> MutableItem {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&(number as u64).to_be_bytes());
        secret[8..16].copy_from_slice(
            &self
                .world
                .internet
                .as_ref()
                .map_or(0, |internet| internet.borrow().census().terrain().seed)
                .to_be_bytes(),
        );
        let value = [b'v'; 200];
        MutableItem::sign_bytes(&Keypair::from_secret_key(&secret), b"", 1, &value)
            .expect("a small value")
    }

    /// How much of the truth about a random target the reader finds.
    #[expect(clippy::cast_precision_loss, reason = "at most eight")]
    fn recall(&mut self) -> f64 {
        let mut target = [0; 20];
        target.fill_with(|| u8::try_from(self.dice.below(256)).unwrap_or_default());
        let target = Id::from_bytes(target);
        let (outcome, _, _) = self.world.ask(self.reader, Ask::FindNode { target }, false);
        let Outcome::Nodes(Ok(found)) = outcome else { return 0.0 };
        let Some(internet) = &self.world.internet else { return 0.0 };
        let internet = internet.borrow();
        let census = internet.census();
        let truth = census.closest(&target, 8, |number| census.lives(number));
        let known = truth.iter().filter(|number| {
            let id = census.id(**number);
            found.iter().any(|node| node.id == id)
        });
        known.count() as f64 / truth.len().max(1) as f64
    }
}

#[derive(Default)]
struct Tally {
    gets: usize,
    puts: usize,
    first_value: Vec<f64>,
    complete: Vec<f64>,
    first_ack: Vec<f64>,
    quorum: Vec<f64>,
    get_packets: Vec<f64>,
    put_packets: Vec<f64>,
    recalls: Vec<f64>,
    floors: Vec<Floor>,
    get_paths: Vec<Path>,
    put_paths: Vec<Path>,
    spent: Vec<Spending>,
    asked: usize,
    vain: usize,
}

impl Tally {
    fn put(&mut self, outcome: Outcome, events: &[(Duration, Event)], quorum: usize) {
        self.puts += 1;
        let Outcome::Put(Ok(put)) = outcome else { return };
        self.first_ack.push(millis(put.first_stored));
        self.quorum.extend(put.quorum.map(millis));
        let spending = Spending::of(events.iter().map(|(_, event)| event));
        self.put_paths.extend(Path::to_stored(events, quorum));
        self.put_packets.push(count(spending.total()));
        self.spent.push(spending);
    }

    fn get(
        &mut self,
        (outcome, report, events): (Outcome, LookupReport, Vec<(Duration, Event)>),
        item: &MutableItem,
    ) {
        self.gets += 1;
        self.asked += report.queried;
        self.vain += report.timed_out;
        self.get_packets.push(count(report.queried));
        self.complete.push(millis(report.elapsed));
        if let Outcome::Mutable(Ok(Some(found))) = outcome
            && found == *item
        {
            self.get_paths.extend(Path::to_first_value(&events));
            self.first_value.extend(report.first_value.map(millis));
        }
    }

    fn figures(self) -> Figures {
        let hops = |paths: &[Path]| paths.iter().map(|path| count(path.hops)).collect();
        let answering = |paths: &[Path]| paths.iter().map(|path| millis(path.answering)).collect();
        let stalling = |paths: &[Path]| paths.iter().map(|path| millis(path.stalling)).collect();
        let floor = |of: fn(&Floor) -> Duration| self.floors.iter().map(of).map(millis).collect();
        Figures {
            floors: [
                floor(|floor| floor.holders),
                floor(|floor| floor.everybody),
                floor(|floor| floor.in_flight),
            ],
            floor_asks: self.floors.iter().map(|floor| count(floor.asked)).collect(),
            hops: hops(&self.get_paths),
            answering: answering(&self.get_paths),
            stalling: stalling(&self.get_paths),
            put_hops: hops(&self.put_paths),
            put_answering: answering(&self.put_paths),
            put_stalling: stalling(&self.put_paths),
            spent: self.spent,
            found: count(self.first_value.len()) / count(self.gets.max(1)),
            stored: count(self.quorum.len()) / count(self.puts.max(1)),
            recall: self.recalls.iter().sum::<f64>() / count(self.recalls.len().max(1)),
            vain: count(self.vain) / count(self.asked.max(1)),
            first_value: self.first_value.into_iter().collect(),
            complete: self.complete.into_iter().collect(),
            first_ack: self.first_ack.into_iter().collect(),
            quorum: self.quorum.into_iter().collect(),
            get_packets: self.get_packets.into_iter().collect(),
            put_packets: self.put_packets.into_iter().collect(),
            ..Figures::default()
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets and trials are small")]
fn count(number: usize) -> f64 {
    number as f64
}
