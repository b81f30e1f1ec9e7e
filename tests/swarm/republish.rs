//! Whether names stay up: the republisher's schedule over a swarm whose nodes come and go, read all the time.
//!
//! Separate because it lives through days. `MAINSTAY_DAYS` says how many; without it, half a day.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay::republish::{End, RepublishConfig, Schedule, Task, Work};
use mainstay::{PublicKey, SignedPacket, Timestamp};
use mainstay_dht_proto::{Ask, Config, Outcome, PutError};
use mainstay_krpc::item::MutableItem;
use mainstay_tests::seeds;

use crate::swarm::{Swarm, TODAY, get_of, keypair, settled, v4};

const NODES: usize = 40;
/// The first lets others in and the second publishes; they stay.
const STAYING: usize = 2;
const NAMES: u8 = 4;
const STEP: Duration = Duration::from_secs(300);
/// In an hour so many of a hundred nodes leave, and as many others come in their places.
const CHURN_PERCENT: usize = 25;
const CRASHES_EVERY: Duration = Duration::from_secs(24 * 3600);
const DOWN_FOR: Duration = Duration::from_secs(600);

/// A swarm with a publisher in it, and readers everywhere.
struct Life {
    swarm: Swarm,
    items: Vec<MutableItem>,
    /// What the republisher has written down.
    saved: BTreeMap<PublicKey, (SignedPacket, Timestamp)>,
    schedule: Option<Schedule>,
    chance: u64,
    newcomers: usize,
    reads: usize,
    misses: usize,
}

impl Life {
    fn new(seed: u64) -> Self {
        let swarm = Swarm::joined(NODES, seed);
        let mut schedule = Schedule::new(RepublishConfig::default(), seed);
        let mut life = Self {
            swarm,
            items: Vec::new(),
            saved: BTreeMap::new(),
            schedule: None,
            chance: seed,
            newcomers: 0,
            reads: 0,
            misses: 0,
        };
        for number in 0..NAMES {
            let packet = SignedPacket::builder()
                .txt("n".try_into().unwrap(), "v".try_into().unwrap(), 300)
                .timestamp(life.now())
                .sign(&keypair(number + 1))
                .unwrap();
            life.items.push(packet.to_mutable_item().unwrap());
            life.saved.insert(packet.public_key(), (packet.clone(), life.now()));
            schedule.add(life.now(), packet).unwrap();
        }
        life.schedule = Some(schedule);
        life
    }

    fn now(&self) -> Timestamp {
        let now = TODAY + self.swarm.net.elapsed();
        Timestamp::from(u64::try_from(now.as_micros()).unwrap())
    }

    /// A number below `most`, the same in every run of the seed.
    fn draw(&mut self, most: usize) -> usize {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.chance >> 33).unwrap() % most
    }

    /// Somebody leaves, and somebody else comes, at the same address, knowing the first node alone.
    fn replace_somebody(&mut self) {
        let index = STAYING + self.draw(NODES - STAYING);
        self.newcomers += 1;
        let bootstrap = vec![crate::swarm::address(0)];
        let config = Config { bootstrap, ipv4: Some(v4(index)), ..Config::default() };
        let peer = self.swarm.peer(settled(config), NODES + self.newcomers);
        let node = self.swarm.nodes[index];
        self.swarm.net.replace(node, peer);
    }

    fn crash(&mut self) {
        self.schedule = None;
    }

    fn restart(&mut self) {
        let mut schedule = Schedule::new(RepublishConfig::default(), self.chance);
        for (packet, next) in self.saved.values() {
            schedule.restore(self.now(), packet.clone(), *next).unwrap();
        }
        self.schedule = Some(schedule);
    }

    /// Does all that is due.
    fn republish(&mut self) {
        let Some(mut schedule) = self.schedule.take() else { return };
        while let Some(task) = schedule.poll(self.now()) {
            let end = self.carry_out(&task);
            schedule.handle_end(self.now(), &task, end);
            let kept = schedule.kept(self.now(), &task.key).unwrap();
            self.saved.insert(task.key, (kept.packet.unwrap(), kept.next));
            self.swarm.net.run_for(Duration::from_millis(20));
        }
        self.schedule = Some(schedule);
    }

    fn carry_out(&mut self, task: &Task) -> End {
        let item = task.packet.as_ref().unwrap().to_mutable_item().unwrap();
        let failed = End::Failed { retry_after: None };
        match task.work {
            Work::Put => match self.swarm.put(1, &item) {
                Outcome::Put(Ok(report)) => End::Stored { copies: Some(report.stored) },
                Outcome::Put(Err(PutError::Conflict { .. } | PutError::NotMostRecent { .. })) => {
                    End::Refused
                }
                _ => failed,
            },
            Work::Read => match self.swarm.ask(1, get_of(&item)) {
                (Outcome::Mutable(Ok(Some(found))), report) => {
                    let packet = SignedPacket::try_from(&found).unwrap();
                    End::Found { packet, copies: Some(report.values) }
                }
                (Outcome::Mutable(Ok(None)), _) => End::Absent,
                _ => failed,
            },
        }
    }

    /// Somebody reads each name.
    fn read(&mut self) {
        for index in 0..self.items.len() {
            let reader = STAYING + self.draw(NODES - STAYING);
            let item = self.items[index].clone();
            let ask = Ask::GetMutable { key: *item.key(), salt: Vec::new(), newer_than: None };
            let found = self.swarm.ask(reader, ask).0;
            self.reads += 1;
            if !matches!(found, Outcome::Mutable(Ok(Some(found))) if found == item) {
                self.misses += 1;
            }
        }
    }

    /// Lives through this much time; readers read in each step.
    fn live(&mut self, time: Duration) {
        let end = self.swarm.net.elapsed() + time;
        let each = Duration::from_secs(3600) * 100 / u32::try_from(NODES * CHURN_PERCENT).unwrap();
        let mut next_churn = self.swarm.net.elapsed() + each;
        let mut next_crash = self.swarm.net.elapsed() + CRASHES_EVERY.min(time) / 2;
        let mut restart = None;
        while self.swarm.net.elapsed() < end {
            self.swarm.net.run_for(STEP);
            let elapsed = self.swarm.net.elapsed();
            while next_churn <= elapsed {
                self.replace_somebody();
                next_churn += each;
            }
            if next_crash <= elapsed && self.schedule.is_some() {
                self.crash();
                restart = Some(elapsed + DOWN_FOR);
                next_crash += CRASHES_EVERY;
            }
            if restart.is_some_and(|restart| restart <= elapsed) {
                self.restart();
                restart = None;
            }
            self.republish();
            self.read();
        }
    }
}

fn days() -> f64 {
    std::env::var("MAINSTAY_DAYS").map_or(0.5, |days| days.parse().unwrap())
}

#[test]
fn names_stay_up_while_a_quarter_of_the_nodes_leaves_every_hour_and_the_republisher_crashes() {
    seeds::each(1, |seed| {
        let mut life = Life::new(seed);
        life.republish();
        life.live(Duration::from_secs(24 * 3600).mul_f64(days()));
        let (reads, misses) = (life.reads, life.misses);
        assert!(misses * 10_000 <= reads, "{misses} of {reads} reads found nothing");
        if std::env::var_os("MAINSTAY_DAYS").is_some() {
            say(&format!("{misses} of {reads} reads missed, {} newcomers", life.newcomers));
        }
    });
}

#[test]
fn without_a_republisher_names_are_gone_after_two_hours() {
    let mut life = Life::new(1);
    life.republish();
    life.crash();
    life.saved.clear();
    life.schedule = None;
    life.swarm.net.run_for(Duration::from_secs(2 * 3600 + 60));
    life.read();
    assert_eq!((life.misses, life.reads), (4, 4));
}

#[expect(clippy::print_stderr, reason = "a figure that was asked for")]
fn say(line: &str) {
    eprintln!("{line}");
}
