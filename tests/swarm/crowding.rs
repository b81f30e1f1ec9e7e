//! Nodes placed around one key to hide what is stored there or to refuse it, and how we store and find all the same.
//! Apart from other attacks, because these need a network large enough to be crowded.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

use mainstay_dht_proto::{Ask, AskOptions, Config, Outcome};
use mainstay_krpc::{Id, bep42};
use mainstay_tests::seeds::{nodes, seeds};

use crate::crowd::{Crowd, Member, Nature, four, mix};
use crate::figures::nth;
use crate::swarm::get_of;

/// Enlists nodes that share sixty bits with `target`, each in a /24 of its own.
fn crowd_at(crowd: &mut Crowd, target: &Id, count: usize, nature: Nature) {
    let member = |n: usize| {
        let mut id = target.to_bytes();
        id[8..16].copy_from_slice(&mix(n as u64).to_be_bytes());
        let [_, high, low, _] = (n as u32 * 256).to_be_bytes();
        let addr = four(Ipv4Addr::new(150, high, low, 9));
        Member { id: Id::from_bytes(id), addr, nature }
    };
    crowd.enlist((0..count).map(member).collect());
}

/// Enlists nodes that share sixty bits with `target`, each in a /64 of its own of one /32, whose ids fit their addresses.
fn fitting_crowd_at(crowd: &mut Crowd, target: &Id, count: usize, nature: Nature) {
    let hosts = hosts_that_fit(target);
    assert!(hosts.len() >= count, "{} hosts", hosts.len());
    let member = |(n, (ip, last)): (usize, (Ipv6Addr, u8))| {
        let mut id = target.to_bytes();
        id[8..16].copy_from_slice(&mix(n as u64).to_be_bytes());
        id[19] = last;
        let id = Id::from_bytes(id);
        assert!(bep42::fits(&id, ip.into()));
        Member { id, addr: SocketAddrV6::new(ip, 6881, 0, 0).into(), nature }
    };
    crowd.enlist(hosts.into_iter().take(count).enumerate().map(member).collect());
}

/// The hosts of one /32 at which an id may begin as `target` does, with the last byte that it must have there.
///
/// The first bits that an address demands are sums of its bits, as everything that CRC counts: so which addresses demand
/// these is found as the solutions of linear equations are.
fn hosts_that_fit(target: &Id) -> BTreeMap<Ipv6Addr, u8> {
    // The bits of an address below its /32 that count, and above them the three of the id.
    let place = |bits: u64| {
        let host = u128::from(bits & 0x1f3f_7fff) << 64;
        let ip = Ipv6Addr::from_bits(0x2b01_0203_u128 << 96 | host | 9);
        (ip, (bits >> 32) as u8)
    };
    let first_bits = |id: Id| {
        let [a, b, c, ..] = id.to_bytes();
        u32::from_be_bytes([a, b, c, 0]) >> 11
    };
    let demanded = |bits: u64| {
        let (ip, last) = place(bits);
        let mut random = [0; 20];
        random[19] = last;
        first_bits(bep42::id_for(ip.into(), random))
    };
    let reduced = |basis: &[(u32, u64)], mut sum: (u32, u64)| {
        for part in basis.iter().filter(|part| part.0 != 0) {
            if sum.0 ^ part.0 < sum.0 {
                sum = (sum.0 ^ part.0, sum.1 ^ part.1);
            }
        }
        sum
    };
    let nothing = demanded(0);
    let (mut basis, mut changes_nothing) = (Vec::new(), Vec::new());
    for bit in (0..35).map(|at| 1_u64 << at).filter(|bit| bit & 0x7_1f3f_7fff != 0) {
        let sum = reduced(&basis, (demanded(bit) ^ nothing, bit));
        if sum.0 == 0 {
            changes_nothing.push(sum.1);
        } else {
            basis.push(sum);
            basis.sort_unstable_by_key(|part| std::cmp::Reverse(part.0));
        }
    }
    let (rest, one) = reduced(&basis, (first_bits(*target) ^ nothing, 0));
    assert_eq!(rest, 0, "the /32 has an address for it");
    let all = 0..1_u64 << changes_nothing.len();
    let solution = |choice: u64| {
        let chosen = changes_nothing.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1);
        place(chosen.fold(one, |bits, (_, change)| bits ^ change))
    };
    all.map(solution).collect()
}

/// How it went for one key.
struct Fight {
    copies: usize,
    found: bool,
    alarms: [bool; 2],
    messages: usize,
}

fn fight(crowd: &mut Crowd, [writer, reader]: [usize; 2], number: usize) -> Fight {
    let item = nth(number);
    let put = crowd.ask(writer, Ask::PutMutable { item: item.clone(), cas: None });
    let copies = crowd.copies(&item);
    let got = crowd.ask(reader, get_of(&item));
    let found = matches!(got.0, Outcome::Mutable(Ok(Some(found))) if found == item);
    let alarms = [put.1.crowded > 0, got.1.crowded > 0];
    Fight { copies, found, alarms, messages: put.2 + got.2 }
}

/// Liars of both kinds, with each seed that is asked for.
fn natures(offset: u64) -> impl Iterator<Item = (u64, Nature)> {
    let pairs =
        move |seed| [(seed + offset, Nature::Forgetful), (seed + offset + 1, Nature::Conspirator)];
    seeds(1).flat_map(pairs)
}

#[test]
fn a_crowd_around_a_key_neither_hides_nor_swallows_it() {
    for (seed, nature) in natures(0) {
        let mut crowd = Crowd::new(nodes(3000), seed);
        let clients = [(); 2].map(|()| crowd.spawn(|config| config));
        for client in clients {
            crowd.warm(client, 40);
        }
        let (mut calm, mut false_alarms) = (0, 0);
        for number in 0..10 {
            let fight = fight(&mut crowd, clients, number);
            assert!(fight.found);
            calm += fight.messages;
            false_alarms += fight.alarms.iter().filter(|alarm| **alarm).count();
        }
        for count in [20, 45, 100] {
            let (mut lost, mut silent, mut messages, mut copies) = (0, 0, 0, 0);
            for number in 0..5 {
                let number = count * 100 + number;
                crowd_at(&mut crowd, &nth(number).target(), count, nature);
                let fight = fight(&mut crowd, clients, number);
                lost += usize::from(!fight.found);
                silent += fight.alarms.iter().filter(|alarm| !**alarm).count();
                messages += fight.messages;
                copies += fight.copies;
            }
            println!(
                "{nature:?} {count}: {lost} lost, {silent} silent, {copies} copies, {messages} vs {calm}, {false_alarms} false alarms"
            );
            assert_eq!((lost, silent, false_alarms), (0, 0, 0));
            // Half as many keys as in calm, and at most three times the messages for each.
            assert!(messages * 2 <= calm * 3, "{messages} messages instead of {calm}");
        }
    }
}

#[test]
fn a_crowd_of_one_provider_of_ipv6_whose_ids_fit_does_no_more() {
    for (seed, nature) in natures(8) {
        let mut crowd = Crowd::six(nodes(3000), seed);
        let clients = [(); 2].map(|()| crowd.spawn(|config| config));
        for client in clients {
            crowd.warm(client, 40);
        }
        let calm: Vec<_> = (0..6).map(|number| fight(&mut crowd, clients, number)).collect();
        assert!(calm.iter().all(|fight| fight.found && fight.alarms == [false; 2]));
        for count in [20, 45, 100] {
            let fights: Vec<_> = (0..3)
                .map(|number| {
                    let number = count * 100 + number;
                    fitting_crowd_at(&mut crowd, &nth(number).target(), count, nature);
                    fight(&mut crowd, clients, number)
                })
                .collect();
            let lost = fights.iter().filter(|fight| !fight.found).count();
            let alarms = fights.iter().flat_map(|fight| fight.alarms).filter(|it| *it).count();
            let messages = |fights: &[Fight]| fights.iter().map(|it| it.messages).sum::<usize>();
            let (spent, usual) = (messages(&fights), messages(&calm));
            println!(
                "IPv6 {nature:?} {count}: {lost} lost, {alarms} of 6 alarms, {spent} vs {usual}"
            );
            assert_eq!((lost, alarms), (0, 6));
            // Half as many keys as in calm, and at most three times the messages for each.
            assert!(spent * 2 <= usual * 3, "{spent} messages instead of {usual}");
        }
    }
}

#[test]
fn a_client_without_memory_finds_what_a_crowd_sits_on() {
    for (seed, nature) in natures(4) {
        let mut crowd = Crowd::new(nodes(3000), seed);
        let writer = crowd.spawn(|config| config);
        crowd.warm(writer, 40);
        let mut lost = 0;
        for number in 0..6 {
            crowd_at(&mut crowd, &nth(number).target(), 45, nature);
            // It joins, and this is the first thing it asks: it cannot judge the network yet.
            let cold = crowd.spawn(|config| Config { contacts: 0, ..config });
            lost += usize::from(!fight(&mut crowd, [writer, cold], number).found);
        }
        println!("{nature:?}: {lost} of 6 lost by cold clients");
        assert_eq!(lost, 0);
    }
}

#[test]
fn half_of_all_nodes_lie_in_vain() {
    for (seed, nature) in natures(2) {
        let mut crowd = Crowd::new(nodes(3000), seed);
        crowd.turn(0.5, nature);
        let clients = [(); 2].map(|()| crowd.spawn(|config| config));
        for client in clients {
            crowd.warm(client, 30);
        }
        let found = (0..30).filter(|number| fight(&mut crowd, clients, *number).found).count();
        println!("{nature:?}: {found} of 30 found");
        assert_eq!(found, 30);
    }
}

#[test]
fn four_paths_find_what_a_fifth_of_all_nodes_hides_at_most_five_times_the_packets() {
    for (seed, nature) in natures(6) {
        let mut crowd = Crowd::new(nodes(3000), seed);
        crowd.turn(0.2, nature);
        let (mut found, mut messages) = ([0; 2], [0; 2]);
        for number in 0..15 {
            let item = nth(number);
            crowd.plant(&item, 8);
            // It joins, and this is the first thing it asks: it has no memory to lean on.
            for (at, paths) in [1, 4].into_iter().enumerate() {
                let cold = crowd.spawn(|config| Config { contacts: 0, ..config });
                let options = AskOptions { paths, ..AskOptions::default() };
                let (outcome, _, sent) = crowd.ask_with(cold, get_of(&item), options);
                let hit = matches!(outcome, Outcome::Mutable(Ok(Some(got))) if got == item);
                found[at] += usize::from(hit);
                messages[at] += sent;
            }
        }
        println!("{nature:?}: {found:?} of 15 found over 1 and 4 paths, {messages:?} packets");
        assert!(found[1] >= found[0] && found[1] >= 14, "{found:?}");
        assert!(messages[1] <= 5 * messages[0], "{messages:?}");
    }
}
