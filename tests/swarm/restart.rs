//! Restarts, sleep, lost uplinks, other addresses and clocks that are set: what a node survives without help.
//! Apart from joining, since here the node has a life behind it.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_dht_proto::{
    Ask, Config, Event, Identity, Outcome, RemoteNode, SavedNode, Snapshot, StoreConfig,
};
use mainstay_krpc::item::ImmutableItem;
use mainstay_krpc::{Body, Id, Message, Method, Put, Query, bep42};

use crate::scripted::{Answer, Bench, Fake};
use crate::swarm::{Swarm, TODAY, address, ending, get_of, item, settled, v4};

/// How many nodes a cache holds, and how many of them still live.
const CACHE: [usize; 2] = [200, 20];

#[test]
fn a_cache_nine_tenths_dead_makes_a_node_ready_within_ten_seconds_although_all_hosts_are_dead() {
    let mut swarm = Swarm::joined(60, 1);
    let (mut ready, mut slowest) = (0, Duration::ZERO);
    let trials = 100;
    for trial in 0..trials {
        let cache = cache(&swarm, trial);
        let hosts = (0..5).map(|n| SocketAddr::from(([203, n, 1, 1], 6881))).collect();
        let newcomer = restart(&mut swarm, &cache, |config| Config { bootstrap: hosts, ..config });
        let node = swarm.nodes[newcomer];
        let before = swarm.net.now();
        let settled = swarm.net.run_while_not(Duration::from_secs(10), |net| {
            let nodes = net.machine(node).events.iter().find_map(|event| match event {
                Event::Bootstrapped { nodes } => Some(*nodes),
                _ => None,
            });
            nodes.is_some_and(|nodes| nodes > 0)
        });
        let took = swarm.net.now() - before;
        if settled && swarm.node(newcomer).info().ipv4.unwrap().nodes >= 8 {
            ready += 1;
            slowest = slowest.max(took);
        }
        swarm.kill([newcomer]);
    }
    assert!(ready * 100 >= trials * 99, "{ready} of {trials} ready, the slowest after {slowest:?}");
}

/// Nodes of the swarm between as many dead ones, in an order of its own for each trial.
fn cache(swarm: &Swarm, trial: usize) -> Snapshot {
    let [all, living] = CACHE;
    let saved = |id, addr| SavedNode {
        node: RemoteNode { id, addr },
        rtt: Duration::from_millis(40),
        age: Duration::from_secs(3600),
    };
    let alive = (0..living).map(|n| {
        let index = (n * 7 + trial) % swarm.nodes.len().min(60);
        saved(swarm.node(index).info().ipv4.unwrap().id, address(index))
    });
    let dead = (living..all).map(|n| {
        let ip = [100 + u8::try_from(n).unwrap() / 2, u8::try_from(n).unwrap(), 9, 9];
        saved(Id::from_bytes([u8::try_from(n).unwrap(); 20]), SocketAddr::from((ip, 6881)))
    });
    let mut nodes: Vec<SavedNode> = alive.chain(dead).collect();
    // A seeded shuffle.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(trial as u64 + 1);
    for at in (1..nodes.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        nodes.swap(at, (state >> 33) as usize % (at + 1));
    }
    Snapshot { nodes, ..Snapshot::default() }
}

/// Starts a node from a snapshot, on an address of its own.
fn restart(swarm: &mut Swarm, snapshot: &Snapshot, adjust: impl FnOnce(Config) -> Config) -> usize {
    let index = swarm.nodes.len();
    let config = adjust(settled(Config { ipv4: Some(v4(index)), ..Config::default() }));
    let mut peer = swarm.peer(config, index);
    peer.node.restore(swarm.net.now(), snapshot);
    swarm.nodes.push(swarm.net.add(mainstay_sim::Host::open(address(index)), peer));
    index
}

#[test]
fn a_restarted_node_has_its_first_result_within_a_second() {
    let mut swarm = Swarm::joined(80, 2);
    let item = item(1, 1);
    assert!(matches!(swarm.put(3, &item), Outcome::Put(Ok(_))));
    let snapshot = swarm.node(40).snapshot(swarm.net.now(), 200);
    let hosts = vec![SocketAddr::from(([203, 1, 1, 1], 6881))];
    let newcomer = restart(&mut swarm, &snapshot, |config| Config { bootstrap: hosts, ..config });
    let query = swarm.start(newcomer, get_of(&item));
    let (outcome, report) = swarm.finish(newcomer, query);
    assert!(matches!(outcome, Outcome::Mutable(Ok(Some(found))) if found == item));
    assert!(report.first_value.unwrap() < Duration::from_millis(400), "{report:?}");
    assert!(report.elapsed < Duration::from_secs(1), "{report:?}");
}

#[test]
fn bootstrap_hosts_are_left_in_peace_by_who_knows_the_living() {
    let mut swarm = Swarm::joined(40, 3);
    let host = swarm.spawn(|config| Config { bootstrap: vec![], ..config });
    let snapshot = swarm.node(20).snapshot(swarm.net.now(), 200);
    for (snapshot, asked) in [(snapshot, false), (Snapshot::default(), true)] {
        let bootstrap = vec![address(host)];
        let newcomer = restart(&mut swarm, &snapshot, |config| Config { bootstrap, ..config });
        swarm.net.run_for(Duration::from_secs(20));
        assert!(swarm.node(newcomer).info().bootstrapped);
        assert_eq!(swarm.node(host).info().counters.received > 0, asked);
    }
}

#[test]
fn bootstrap_hosts_are_asked_when_nobody_of_the_last_run_answers_in_time() {
    let mut swarm = Swarm::joined(20, 4);
    let dead = cache(&swarm, 0).nodes;
    let dead = dead
        .into_iter()
        .filter(|saved| saved.node.id.as_bytes()[..19] == saved.node.id.as_bytes()[1..]);
    let snapshot = Snapshot { nodes: dead.collect(), ..Snapshot::default() };
    assert_eq!(snapshot.nodes.len(), 180);
    let bootstrap = vec![address(0)];
    let newcomer = restart(&mut swarm, &snapshot, |config| Config { bootstrap, ..config });
    swarm.net.run_for(Duration::from_millis(300));
    assert_eq!(swarm.node(newcomer).contacts(), []);
    swarm.net.run_for(Duration::from_millis(700));
    assert!(swarm.node(newcomer).contacts().len() >= 8);
    assert!(swarm.node(newcomer).info().bootstrapped);
}

#[test]
fn an_id_is_kept_for_the_address_it_fits() {
    let bench =
        Bench::with(Config { public_ipv4: Some([80, 1, 1, 1].into()), ..Config::default() });
    let first = bench.node.snapshot(bench.now, 10);
    let at_home = first.ipv4[0];
    assert_eq!(at_home, Identity { id: bench.id(), address: Some([80, 1, 1, 1].into()) });

    // Elsewhere another id is needed; back home, the old one fits again, and was not forgotten.
    let restored = |ip: [u8; 4], snapshot: &Snapshot| {
        let mut bench = Bench::with(Config { public_ipv4: Some(ip.into()), ..Config::default() });
        bench.node.restore(bench.now, snapshot);
        (bench.id(), bench.node.snapshot(bench.now, 10))
    };
    let (elsewhere, second) = restored([90, 2, 2, 2], &first);
    assert_ne!(elsewhere, at_home.id);
    assert!(bep42::fits(&elsewhere, [90, 2, 2, 2].into()));
    assert_eq!(second.ipv4.len(), 2);
    let (back, third) = restored([80, 1, 1, 1], &second);
    assert_eq!(back, at_home.id);
    assert_eq!(third.ipv4.len(), 2);
    // Who does not know its address goes on with the id it had last.
    let mut bench = Bench::with(Config::default());
    bench.node.restore(bench.now, &second);
    assert_eq!(bench.id(), elsewhere);
    // And one that was told its id keeps that.
    let id = Id::from_bytes([7; 20]);
    let mut bench = Bench::with(Config { id: Some(id), ..Config::default() });
    bench.node.restore(bench.now, &second);
    assert_eq!(bench.id(), id);
}

#[test]
fn a_node_that_moves_and_comes_back_is_known_by_the_id_it_had() {
    let mut swarm = Swarm::grown(40, 5, |config| config);
    let id = |swarm: &Swarm| swarm.node(7).info().ipv4.unwrap().id;
    let at_home = id(&swarm);
    let mut seen = vec![at_home];
    for host in [address(900), address(7)] {
        swarm.net.relocate(swarm.nodes[7], mainstay_sim::Host::open(host));
        // The verdict on our address changes once an hour at most.
        swarm.net.run_for(Duration::from_secs(2 * 3600));
        for n in 0..40_u8 {
            swarm.ask(7, Ask::FindNode { target: Id::from_bytes([n.wrapping_mul(37); 20]) });
        }
        assert!(bep42::fits(&id(&swarm), host.ip()), "{host}");
        seen.push(id(&swarm));
        let told = swarm.events(7).iter().rev().find_map(|event| match event {
            Event::PublicAddress { addr, id } => Some((*addr, *id)),
            _ => None,
        });
        assert_eq!(told, Some((host, id(&swarm))));
        assert_eq!(swarm.node(7).info().ipv4.unwrap().public, Some(host));
        // The table was sorted anew around the new id, not emptied.
        assert!(swarm.node(7).contacts().len() >= 20);
    }
    assert_ne!(seen[1], at_home);
    assert_eq!(seen[2], at_home);
}

#[test]
fn a_run_without_an_uplink_does_not_spoil_what_an_earlier_one_knew() {
    let mut swarm = Swarm::joined(40, 6);
    let snapshot = swarm.node(20).snapshot(swarm.net.now(), 200);
    assert!(snapshot.nodes.len() >= 20);
    let newcomer = restart(&mut swarm, &snapshot, |config| config);
    swarm.net.partition([swarm.nodes[newcomer]], 1);
    swarm.net.run_for(Duration::from_secs(600));
    let second = swarm.node(newcomer).snapshot(swarm.net.now(), 200);
    let who =
        |snapshot: &Snapshot| snapshot.nodes.iter().map(|saved| saved.node).collect::<Vec<_>>();
    assert_eq!(who(&second), who(&snapshot));
    assert!(
        second
            .nodes
            .iter()
            .zip(&snapshot.nodes)
            .all(|(later, earlier)| later.age >= earlier.age + Duration::from_secs(600))
    );
    // With the uplink back, only those who answer are worth keeping.
    swarm.kill(0..20);
    swarm.net.heal();
    swarm.net.run_for(Duration::from_secs(1800));
    let third = swarm.node(newcomer).snapshot(swarm.net.now(), 200);
    let living = third.nodes.iter().filter(|saved| (20..40).any(|n| address(n) == saved.node.addr));
    assert!(living.count() >= 10, "{:?}", third.nodes);
}

#[test]
fn a_lost_uplink_is_told_and_its_return_is_noticed_within_ten_seconds() {
    let mut swarm = Swarm::joined(40, 7);
    swarm.net.partition([swarm.nodes[5]], 1);
    // An idle node has nothing to ask for a quarter of an hour.
    swarm.net.run_for(Duration::from_secs(1500));
    let offline = |swarm: &Swarm| {
        let told = swarm.events(5).iter();
        told.filter(|event| matches!(event, Event::Offline | Event::Online { .. })).count()
    };
    assert!(swarm.node(5).info().offline);
    assert_eq!(offline(&swarm), 1, "{:?}", swarm.events(5));
    let known = swarm.node(5).contacts().len();
    swarm.net.run_for(Duration::from_secs(60));
    swarm.net.heal();
    swarm.net.run_for(Duration::from_secs(if swarm.node(5).info().offline { 61 } else { 0 }));
    assert!(!swarm.node(5).info().offline);
    assert!(matches!(swarm.events(5).last(), Some(Event::Online { .. })), "{:?}", swarm.events(5));
    assert!(swarm.node(5).contacts().len() >= known / 2);

    // An uplink that is away for a minute is back within ten seconds, without anybody asking for anything.
    for n in 0..6 {
        swarm.start(5, Ask::FindNode { target: Id::from_bytes([n; 20]) });
    }
    swarm.net.partition([swarm.nodes[5]], 1);
    for n in 0..6 {
        swarm.start(5, Ask::FindNode { target: Id::from_bytes([n; 20]) });
    }
    swarm.net.run_for(Duration::from_secs(60));
    assert!(swarm.node(5).info().offline);
    swarm.net.heal();
    swarm.net.run_for(Duration::from_secs(10));
    assert!(!swarm.node(5).info().offline);
    let (outcome, _) = swarm.ask(5, Ask::FindNode { target: Id::from_bytes([3; 20]) });
    assert!(matches!(outcome, Outcome::Nodes(Ok(nodes)) if nodes.len() == 8));
}

#[test]
fn sleep_is_told_and_nobody_is_blamed_for_it() {
    let peers = Fake::all(30);
    let mut bench = Bench::knowing(&peers);
    let query = bench.ask(Ask::FindNode { target: Id::from_bytes([3; 20]) });
    assert!(!bench.sent.is_empty());
    bench.sent.clear();
    bench.now += Duration::from_secs(8 * 3600);
    bench.tick();
    let told = bench.events.iter().find_map(|event| match event {
        Event::Resumed { late } => Some(*late),
        _ => None,
    });
    assert!(told.unwrap() > Duration::from_secs(7 * 3600), "{:?}", bench.events);
    assert!(ending(&bench.events, query).is_some());
    // It looks around at once, everybody answers, and all whom it knew are still known.
    assert!(!bench.sent.is_empty());
    bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &peers), &peers);
    assert_eq!(bench.node.contacts().len(), peers.len());
    assert!(!bench.node.info().offline);
}

#[test]
fn an_idle_node_that_is_driven_in_time_does_not_think_that_it_slept() {
    let peers = Fake::all(10);
    let mut bench = Bench::knowing(&peers);
    while bench.now < crate::swarm::start() + Duration::from_secs(2 * 3600) {
        bench.tick();
        bench.serve(&mut |peer: &Fake, query: &Query<'_>| peer.polite(query, &peers), &peers);
    }
    assert!(!bench.events.iter().any(|event| matches!(event, Event::Resumed { .. })));
}

/// One hour, thirty days and ten years, in seconds.
const JUMPS: [u64; 3] = [3600, 30 * 86_400, 3652 * 86_400];

#[test]
fn a_clock_that_jumps_is_told_and_after_its_correction_nothing_is_refused() {
    for seconds in JUMPS {
        for forward in [false, true] {
            let mut bench = Bench::with(Config::default());
            let by = Duration::from_secs(seconds);
            let wrong = if forward { TODAY + by } else { TODAY.saturating_sub(by) };
            bench.node.set_wall_clock(bench.now, wrong);
            bench.wait(Duration::from_secs(10));
            let _ = publish(&mut bench, 1, TODAY + Duration::from_secs(10));
            bench.node.set_wall_clock(bench.now, TODAY + Duration::from_secs(10));
            bench.wait(Duration::ZERO);
            let right = publish(&mut bench, 2, TODAY + Duration::from_secs(10));
            assert_eq!(right, None, "refused after the correction of {seconds} s, {forward}");
            // Drained by the requests above.
            let jumps: Vec<_> = bench
                .events
                .iter()
                .filter_map(|event| match event {
                    Event::ClockJumped { forward, by } => Some((*forward, by.as_secs())),
                    _ => None,
                })
                .collect();
            assert_eq!(jumps, [(forward, seconds), (!forward, seconds)]);
        }
    }
}

#[test]
fn no_lifetime_follows_a_clock_that_jumps() {
    let lifetime = StoreConfig::default().item_lifetime;
    for seconds in JUMPS {
        for forward in [false, true] {
            let mut bench = Bench::with(Config::default());
            assert_eq!(publish(&mut bench, 1, TODAY), None);
            let by = Duration::from_secs(seconds);
            let wrong = if forward { TODAY + by } else { TODAY.saturating_sub(by) };
            bench.node.set_wall_clock(bench.now, wrong);
            bench.wait(lifetime - Duration::from_secs(1));
            assert_eq!(bench.node.info().items, 1, "gone too early, {seconds} {forward}");
            bench.wait(Duration::from_secs(2));
            assert_eq!(bench.node.info().items, 0, "kept too long, {seconds} {forward}");
        }
    }
}

/// A stranger stores an item numbered by the time of day; the error code, if it was refused.
fn publish(bench: &mut Bench, number: u8, today: Duration) -> Option<i64> {
    let from = SocketAddr::from(([70, 1, 1, 1], 7));
    let item = item(number, i64::try_from(today.as_micros()).unwrap());
    let reply = bench.query(from, Method::Get { target: item.target(), seq: None }).unwrap();
    let Body::Response(response) = Message::decode(&reply).unwrap().body else { panic!() };
    let token = response.token.unwrap().to_vec();
    let reply = bench.query(from, Method::Put(Put::mutable(&token, &item, None))).unwrap();
    match Message::decode(&reply).unwrap().body {
        Body::Error(error) => Some(error.code),
        _ => None,
    }
}

#[test]
fn what_we_published_outlives_a_restart_with_its_sequence() {
    let mut swarm =
        Swarm::grown(20, 8, |config| Config { remember_published: 2, ..settled(config) });
    for (number, seq) in [(1, 1), (2, 1), (3, 7), (2, 9)] {
        assert!(matches!(swarm.put(4, &item(number, seq)), Outcome::Put(Ok(_))));
    }
    // One that fails is not worth remembering: a newer one is stored.
    let stale = Ask::PutMutable { item: item(3, 1), cas: None };
    assert!(matches!(swarm.ask(4, stale).0, Outcome::Put(Err(_))));
    let immutable = Ask::PutImmutable { item: ImmutableItem::from_bytes(b"x").unwrap() };
    assert!(matches!(swarm.ask(4, immutable).0, Outcome::Put(Ok(_))));
    let snapshot = swarm.node(4).snapshot(swarm.net.now(), 200);
    assert_eq!(snapshot.published, [item(3, 7), item(2, 9)]);
    let again = Snapshot::decode(&snapshot.encode()).unwrap();
    let remembers = |config| Config { remember_published: 2, ..config };
    let newcomer = restart(&mut swarm, &again, remembers);
    assert_eq!(swarm.node(newcomer).snapshot(swarm.net.now(), 0).published, snapshot.published);
    assert!(swarm.node(4).snapshot(swarm.net.now(), 0).nodes.is_empty());
}

#[test]
fn a_saved_node_at_an_address_of_our_own_site_is_not_asked_by_a_node_of_the_world() {
    let near = Fake::new(1);
    let saved = |addr: &str| SavedNode {
        node: RemoteNode { id: near.id, addr: addr.parse().unwrap() },
        rtt: Duration::ZERO,
        age: Duration::ZERO,
    };
    let nodes =
        ["192.168.1.1:53", "127.0.0.1:53", "60.1.1.1:0", "224.0.0.1:1", "60.1.1.1:7", "60.1.1.1:7"];
    let snapshot = Snapshot { nodes: nodes.map(saved).to_vec(), ..Snapshot::default() };
    let bootstrap = vec!["60.9.9.9:1".parse().unwrap()];
    let mut bench = Bench::with(Config { bootstrap, ..Config::default() });
    bench.sent.clear();
    bench.node.restore(bench.now, &snapshot);
    bench.tick();
    let asked: Vec<_> = bench.sent.iter().map(|sent| sent.to.to_string()).collect();
    assert_eq!(asked, ["60.1.1.1:7"]);
}

/// Nodes of both families, as many as said.
fn both(v4: usize, v6: usize) -> Snapshot {
    let addr = |n: usize| {
        let index = u8::try_from(n % 250).unwrap();
        let ip = if n < v4 {
            [60, index, 1, 1].into()
        } else {
            std::net::Ipv6Addr::new(0x2a00, index.into(), 7, 7, 0, 0, 0, 1).into()
        };
        SocketAddr::new(ip, 6881)
    };
    let saved = |n| SavedNode {
        node: RemoteNode {
            id: Id::from_bytes([u8::try_from(n % 250).unwrap(); 20]),
            addr: addr(n),
        },
        rtt: Duration::from_millis(40),
        age: Duration::ZERO,
    };
    Snapshot { nodes: (0..v4 + v6).map(saved).collect(), ..Snapshot::default() }
}

/// How many nodes of each family a snapshot holds.
fn counts(snapshot: &Snapshot) -> (usize, usize) {
    let v4 = snapshot.nodes.iter().filter(|saved| saved.node.addr.is_ipv4()).count();
    (v4, snapshot.nodes.len() - v4)
}

#[test]
fn neither_family_crowds_the_other_out_of_what_is_kept() {
    for (there, kept) in [
        ((150, 150), (100, 100)),
        ((240, 10), (190, 10)),
        ((10, 240), (10, 190)),
        ((240, 0), (200, 0)),
        ((20, 30), (20, 30)),
    ] {
        let ipv6 = Some("[2a00::1]:6881".parse().unwrap());
        let mut bench = Bench::with(Config { ipv6, ..Config::default() });
        bench.node.restore(bench.now, &both(there.0, there.1));
        assert_eq!(counts(&bench.node.snapshot(bench.now, 200)), kept, "of {there:?}");
        assert_eq!(bench.node.snapshot(bench.now, 0).nodes, []);
    }
}

#[test]
fn a_family_that_is_off_or_cut_off_keeps_what_an_earlier_run_knew() {
    let mut swarm = Swarm::joined(20, 9);
    let living = swarm.node(7).snapshot(swarm.net.now(), 200);
    let six = Identity { id: Id::from_bytes([6; 20]), address: None };
    let nodes = living.nodes.iter().copied().chain(both(0, 30).nodes).collect();
    let snapshot = Snapshot { nodes, ipv6: vec![six], ..living };
    let local = Some("[2a00::1]:6881".parse().unwrap());
    // Where nobody answers over IPv6, and where this run has none.
    for ipv6 in [local, None] {
        let newcomer = restart(&mut swarm, &snapshot, |config| Config { ipv6, ..config });
        swarm.net.run_for(Duration::from_secs(600));
        assert!(swarm.node(newcomer).info().ipv4.unwrap().nodes >= 10);
        let second = swarm.node(newcomer).snapshot(swarm.net.now(), 200);
        assert_eq!(counts(&second).1, 30, "{ipv6:?}");
        assert_eq!(second.ipv6, [six], "{ipv6:?}");
    }
}

#[test]
fn while_nodes_of_the_last_run_are_still_being_asked_none_is_forgotten() {
    let peers = Fake::all(60);
    let saved = |peer: &Fake| SavedNode {
        node: RemoteNode { id: peer.id, addr: peer.addr },
        rtt: Duration::from_millis(40),
        age: Duration::ZERO,
    };
    let hour = Duration::from_secs(3600);
    let nodes = peers.iter().map(saved).collect();
    let snapshot = Snapshot { nodes, taken: Some(TODAY - hour), ..Snapshot::default() };
    let mut bench = Bench::with(Config { ipv4: Some(v4(9999)), ..Config::default() });
    bench.node.restore(bench.now, &snapshot);
    bench.tick();
    let sent = std::mem::take(&mut bench.sent);
    assert_eq!(sent.len(), 20);
    for ping in &sent[..10] {
        let peer = peers.iter().find(|peer| peer.addr == ping.to).unwrap();
        let Message { transaction, .. } = Message::decode(&ping.payload).unwrap();
        let answer = Answer { id: Some(peer.id), ..Answer::default() }.encode(transaction);
        bench.receive(peer.addr, &answer);
    }
    assert_eq!(bench.node.contacts().len(), 10);
    let kept = bench.node.snapshot(bench.now, 200).nodes;
    assert_eq!(kept.len(), 60);
    // Those of the last run have been silent since then.
    assert_eq!(kept.iter().filter(|saved| saved.age >= hour).count(), 50);
}

#[test]
fn a_clock_that_runs_ahead_makes_a_node_look_around_and_one_that_is_set_back_does_not() {
    for forward in [false, true] {
        let mut bench = Bench::knowing(&Fake::all(30));
        let hour = Duration::from_secs(3600);
        let unix = if forward { TODAY + hour } else { TODAY - hour };
        bench.node.set_wall_clock(bench.now, unix);
        assert_eq!(bench.node.poll_timeout().is_some_and(|due| due <= bench.now), forward);
    }
}
