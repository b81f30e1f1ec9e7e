//! The search over zones written down here, with seeds for its shuffles.
//! Apart from the search because the zones are longer than it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use mainstay_keys::Keypair;
use mainstay_packets::SignedPacketBuilder;
use mainstay_packets::dns::rdata::{SVCB, SVCParam};
use mainstay_packets::dns::{CharacterString, Name};

use super::*;
use crate::endpoints::CouldNotResolveEndpoint;
use crate::error::Answers;

const TTL: u32 = 300;

/// Zones by the number of their key, and which were asked for.
#[derive(Default)]
struct World {
    packets: BTreeMap<PublicKey, SignedPacket>,
    asked: RefCell<Vec<PublicKey>>,
}

impl Zones for &World {
    async fn zone(&self, key: &PublicKey) -> Result<SignedPacket, ResolveError> {
        self.asked.borrow_mut().push(*key);
        let packet = self.packets.get(key).cloned();
        packet.ok_or(ResolveError::NotFound(Answers(Vec::new())))
    }
}

impl World {
    fn zone(
        mut self,
        n: u8,
        fill: impl FnOnce(SignedPacketBuilder) -> SignedPacketBuilder,
    ) -> Self {
        let packet = fill(SignedPacket::builder()).sign(&keypair(n)).unwrap();
        self.packets.insert(packet.public_key(), packet);
        self
    }

    fn walk<'a>(&'a self, name: &str, seed: u64) -> Walk<&'a World> {
        Walk::new(self, Place::parse(name).unwrap(), TYPE::HTTPS, 7, seed)
    }

    async fn all(&self, name: &str) -> Vec<Endpoint> {
        drain(self.walk(name, 0)).await.0
    }

    /// What is tried in vain where there is no endpoint.
    async fn dead_ends(&self, name: &str) -> Vec<DeadEnd> {
        let (found, tried) = drain(self.walk(name, 0)).await;
        assert_eq!(found, []);
        tried.0.into_iter().map(|attempt| attempt.reason).collect()
    }
}

async fn drain(mut walk: Walk<&World>) -> (Vec<Endpoint>, Attempts) {
    let mut found = Vec::new();
    while let Some(endpoint) = walk.next().await {
        found.push(endpoint);
    }
    (found, walk.tried())
}

fn keypair(n: u8) -> Keypair {
    Keypair::from_secret_key(&[n; 32])
}

fn key(n: u8) -> PublicKey {
    keypair(n).public_key()
}

/// `below` under the key, or the key itself.
fn name(below: &str, n: u8) -> String {
    if below.is_empty() { key(n).to_z32() } else { format!("{below}.{}", key(n)) }
}

fn to(priority: u16, target: &str) -> SVCB<'static> {
    SVCB::new(priority, Name::new(target).unwrap().into_owned())
}

fn on_port(priority: u16, target: &str, port: u16) -> SVCB<'static> {
    to(priority, target).with_param(SVCParam::Port(port))
}

trait Zone {
    fn at(self, name: &str, service: SVCB<'static>) -> Self;
    fn ip(self, name: &str, address: &str) -> Self;
    fn alias(self, name: &str, target: &str) -> Self;
}

impl Zone for SignedPacketBuilder {
    fn at(self, name: &str, service: SVCB<'static>) -> Self {
        self.https(name.try_into().unwrap(), service, TTL)
    }

    fn ip(self, name: &str, address: &str) -> Self {
        self.address(name.try_into().unwrap(), address.parse().unwrap(), TTL)
    }

    fn alias(self, name: &str, target: &str) -> Self {
        self.cname(name.try_into().unwrap(), Name::new(target).unwrap(), TTL)
    }
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn ports(endpoints: &[Endpoint]) -> Vec<Option<u16>> {
    endpoints.iter().map(Endpoint::port).collect()
}

#[tokio::test]
async fn records_come_in_the_order_of_their_priority_and_bare_addresses_last() {
    let world = World::default().zone(1, |zone| {
        let zone = zone.at("@", on_port(30, ".", 3)).at("@", on_port(1, ".", 1));
        zone.at("@", on_port(20, "example.com", 2)).ip("@", "192.0.2.1").ip("@", "2001:db8::1")
    });
    let found = world.all(&name("", 1)).await;
    assert_eq!(ports(&found), [Some(1), Some(2), Some(3), None]);
    assert_eq!(found[0].addresses(), [ip("192.0.2.1"), ip("2001:db8::1")]);
    assert_eq!((found[0].target(), found[0].domain(), found[0].priority()), (".", None, Some(1)));
    assert_eq!((found[1].target(), found[1].domain()), ("example.com", Some("example.com")));
    assert_eq!(found[3].priority(), None);
    assert!(found.iter().all(|endpoint| endpoint.public_key() == key(1)));
    let addresses = found[0].to_socket_addrs().await.unwrap();
    assert_eq!(addresses, ["192.0.2.1:1".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap()]);
}

#[tokio::test]
async fn records_of_equal_priority_come_in_every_order_and_never_before_a_better_one() {
    let world = World::default().zone(1, |zone| {
        let zone = zone.at("@", on_port(2, "a.example", 2)).at("@", on_port(2, "b.example", 3));
        zone.at("@", on_port(2, "c.example", 4)).at("@", on_port(1, "d.example", 1))
    });
    let mut orders = BTreeSet::new();
    for seed in 0..100 {
        let (found, _) = drain(world.walk(&name("", 1), seed)).await;
        let again = drain(world.walk(&name("", 1), seed)).await.0;
        assert_eq!(found, again, "a seed is an order");
        let order = ports(&found);
        assert_eq!((order.len(), order[0]), (4, Some(1)));
        orders.insert(order);
    }
    assert_eq!(orders.len(), 6);
}

#[tokio::test]
async fn a_dead_branch_costs_only_itself_at_every_level() {
    let world = World::default()
        .zone(1, |zone| {
            let zone = zone.at("@", to(1, &name("", 99))).at("@", to(2, &name("", 2)));
            zone.at("@", on_port(3, "example.com", 3))
        })
        .zone(2, |zone| zone.at("@", to(1, &name("", 98))).at("@", on_port(2, "deep.example", 2)));
    let (found, tried) = drain(world.walk(&name("", 1), 0)).await;
    assert_eq!(ports(&found), [Some(2), Some(3)]);
    assert_eq!((found[0].public_key(), found[1].public_key()), (key(2), key(1)));
    let names: Vec<_> = tried.as_slice().iter().map(|attempt| attempt.name.clone()).collect();
    assert_eq!(names, [name("", 99), name("", 98)]);
    assert!(
        matches!(&tried.as_slice()[0].reason, DeadEnd::Unresolved { key: k, .. } if *k == key(99))
    );
}

#[tokio::test]
async fn the_search_for_svcb_records_follows_svcb_records() {
    let world = World::default().zone(1, |zone| {
        let zone = zone.at("_foo", on_port(1, "https.example", 443));
        zone.svcb("_foo".try_into().unwrap(), on_port(1, "svcb.example", 53), TTL)
    });
    let place = Place::parse(&name("_foo", 1)).unwrap();
    let (found, _) = drain(Walk::new(&world, place, TYPE::SVCB, 7, 0)).await;
    assert_eq!((found.len(), found[0].domain()), (1, Some("svcb.example")));
    assert_eq!(world.all(&name("_foo", 1)).await[0].domain(), Some("https.example"));
}

#[tokio::test]
async fn an_alias_leads_on_and_puts_services_beside_it_out_of_force() {
    let world = World::default()
        .zone(1, |zone| {
            let alias = on_port(0, &name("www", 2), 9);
            zone.at("@", alias).at("@", on_port(1, "ignored.example", 1)).ip("@", "192.0.2.1")
        })
        .zone(2, |zone| zone.at("www", on_port(1, ".", 8443)).ip("www", "192.0.2.2"));
    let found = world.all(&name("", 1)).await;
    assert_eq!(ports(&found), [Some(8443), None, None]);
    let addresses: Vec<_> = found.iter().map(|endpoint| endpoint.addresses()[0]).collect();
    assert_eq!(addresses, [ip("192.0.2.2"), ip("192.0.2.2"), ip("192.0.2.1")]);
    let keys: Vec<_> = found.iter().map(Endpoint::public_key).collect();
    assert_eq!(keys, [key(2), key(2), key(1)]);
}

#[tokio::test]
async fn an_alias_to_a_name_without_services_leads_to_its_addresses() {
    let world = World::default()
        .zone(1, |zone| zone.at("@", to(0, &name("www", 2))))
        .zone(2, |zone| zone.ip("www", "192.0.2.2").ip("@", "192.0.2.9"));
    let found = world.all(&name("", 1)).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].addresses(), found[0].port()), (&[ip("192.0.2.2")][..], None));
    let dns = World::default().zone(1, |zone| zone.at("@", to(0, "example.com")));
    let found = dns.all(&name("", 1)).await;
    assert_eq!((found[0].domain(), found[0].public_key()), (Some("example.com"), key(1)));
}

#[tokio::test]
async fn an_alias_to_nowhere_says_that_the_service_is_not_offered() {
    let world = World::default().zone(1, |zone| zone.at("@", to(0, ".")).ip("@", "192.0.2.1"));
    assert!(matches!(world.dead_ends(&name("", 1)).await[..], [DeadEnd::NotOffered]));
}

#[tokio::test]
async fn a_record_that_demands_what_we_do_not_know_is_skipped() {
    let demanding = to(1, "new.example").with_param(SVCParam::Mandatory([9999].into()));
    let demanding = demanding.with_param(SVCParam::Unknown(9999, b"x".as_slice().into()));
    let world =
        World::default().zone(1, |zone| zone.at("@", demanding).at("@", to(2, "old.example")));
    let (found, tried) = drain(world.walk(&name("", 1), 0)).await;
    assert_eq!((found.len(), found[0].domain()), (1, Some("old.example")));
    let reason = &tried.as_slice()[0].reason;
    assert!(matches!(reason, DeadEnd::UnknownMandatory { priority: 1, key: 9999 }), "{reason}");
}

#[tokio::test]
async fn one_malformed_record_spoils_its_set_and_leaves_the_addresses() {
    // The list of mandatory keys must not name itself.
    let malformed = to(2, ".").with_param(SVCParam::Mandatory([0].into()));
    let world = World::default().zone(1, |zone| {
        zone.at("@", on_port(1, ".", 8443)).at("@", malformed).ip("@", "192.0.2.1")
    });
    let (found, tried) = drain(world.walk(&name("", 1), 0)).await;
    assert_eq!(ports(&found), [None]);
    assert!(matches!(tried.as_slice()[0].reason, DeadEnd::Malformed));
}

#[tokio::test]
async fn without_service_records_addresses_and_cnames_are_followed() {
    let world = World::default()
        .zone(1, |zone| {
            let zone = zone.ip("@", "192.0.2.1").alias("www", &name("www", 2));
            zone.alias("blog", "example.com").at("api", on_port(1, &name("www", 1), 8443))
        })
        .zone(2, |zone| zone.alias("www", &name("host", 2)).ip("host", "192.0.2.2"));
    let apex = world.all(&name("", 1)).await;
    assert_eq!((apex.len(), apex[0].addresses()), (1, &[ip("192.0.2.1")][..]));
    let www = world.all(&name("www", 1)).await;
    assert_eq!((www[0].addresses(), www[0].public_key()), (&[ip("192.0.2.2")][..], key(2)));
    let blog = world.all(&name("blog", 1)).await;
    assert_eq!((blog[0].domain(), blog[0].public_key()), (Some("example.com"), key(1)));
    let api = world.all(&name("api", 1)).await;
    assert_eq!((api[0].addresses(), api[0].port()), (&[ip("192.0.2.2")][..], Some(8443)));
}

#[tokio::test]
async fn service_records_behind_a_cname_are_found() {
    let world = World::default()
        .zone(1, |zone| zone.alias("www", &name("", 2)))
        .zone(2, |zone| zone.at("@", on_port(1, ".", 8443)).ip("@", "192.0.2.2"));
    let found = world.all(&name("www", 1)).await;
    assert_eq!((found[0].port(), found[0].public_key()), (Some(8443), key(2)));
}

#[tokio::test]
async fn wildcards_of_the_zone_answer_for_services_and_addresses() {
    let world = World::default().zone(1, |zone| {
        let zone = zone.at("*", on_port(1, ".", 8443)).ip("*", "192.0.2.7").ip("@", "192.0.2.1");
        zone.ip("taken", "192.0.2.8")
    });
    let found = world.all(&name("anything", 1)).await;
    assert_eq!((found[0].port(), found[0].addresses()), (Some(8443), &[ip("192.0.2.7")][..]));
    let taken = world.all(&name("taken", 1)).await;
    assert_eq!((taken[0].port(), taken[0].addresses()), (None, &[ip("192.0.2.8")][..]));
    // The wildcard is nobody's host name.
    assert!(matches!(world.dead_ends(&name("*", 1)).await[..], [DeadEnd::NoRecords]));
}

#[tokio::test]
async fn the_target_of_a_record_under_a_name_is_that_name_and_not_the_apex() {
    let world = World::default().zone(1, |zone| {
        zone.at("foo", on_port(1, ".", 8443)).ip("foo", "192.0.2.7").ip("@", "192.0.2.1")
    });
    assert_eq!(world.all(&name("foo", 1)).await[0].addresses(), [ip("192.0.2.7")]);
}

#[tokio::test]
async fn a_record_that_names_its_own_name_serves_its_addresses() {
    let world = World::default()
        .zone(1, |zone| zone.at("@", on_port(1, &name("", 1), 8443)).ip("@", "192.0.2.1"));
    let found = world.all(&name("", 1)).await;
    assert_eq!(ports(&found), [Some(8443), None]);
}

#[tokio::test]
async fn circles_of_aliases_end_and_are_told() {
    let world = World::default()
        .zone(1, |zone| zone.at("@", to(0, &name("", 2))))
        .zone(2, |zone| zone.at("@", to(0, &name("", 3))))
        .zone(3, |zone| zone.at("@", to(0, &name("", 1))));
    let dead_ends = world.dead_ends(&name("", 1)).await;
    assert!(matches!(dead_ends[0], DeadEnd::Circle), "{dead_ends:?}");
    let cnames =
        World::default().zone(1, |zone| zone.alias("a", &name("b", 1)).alias("b", &name("a", 1)));
    assert!(matches!(cnames.dead_ends(&name("a", 1)).await[..], [DeadEnd::Circle]));
}

#[tokio::test]
async fn depth_is_counted_for_each_branch() {
    let mut world = World::default().zone(1, |zone| {
        let zone = zone.at("@", to(1, &name("", 2))).at("@", to(2, &name("", 20)));
        zone.at("@", to(3, &name("", 30)))
    });
    // Two branches of six packets beyond the first, and one of a single packet.
    for n in (2..7).chain(20..25) {
        world = world.zone(n, |zone| zone.at("@", to(1, &name("", n + 1))));
    }
    world = world.zone(7, |zone| zone.at("@", on_port(1, "deep.example", 1)));
    world = world.zone(25, |zone| zone.at("@", to(1, &name("", 26))));
    world = world.zone(26, |zone| zone.at("@", on_port(1, "deeper.example", 2)));
    world = world.zone(30, |zone| zone.at("@", on_port(1, "near.example", 3)));
    let (found, tried) = drain(world.walk(&name("", 1), 0)).await;
    assert_eq!(ports(&found), [Some(1), Some(3)]);
    let [attempt, ..] = tried.as_slice() else { panic!("{tried}") };
    assert!(matches!(attempt.reason, DeadEnd::TooDeep { limit: 7 }), "{attempt}");
    assert_eq!(attempt.name, name("", 26));
    let place = Place::parse(&name("", 1)).unwrap();
    let (found, _) = drain(Walk::new(&world, place, TYPE::HTTPS, 8, 0)).await;
    assert_eq!(ports(&found), [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn records_that_branch_without_end_cost_a_bounded_number_of_packets() {
    let mut world = World::default();
    for n in 1..=10 {
        world = world.zone(n, |mut zone| {
            for target in 0..10 {
                zone = zone.at("@", to(1, &name("", 10 * (n - 1) + target + 2)));
            }
            zone
        });
    }
    let dead_ends = world.dead_ends(&name("", 1)).await;
    assert_eq!(world.asked.borrow().len(), MAX_PACKETS);
    assert_eq!(dead_ends.len(), MAX_ATTEMPTS);
}

#[tokio::test]
async fn names_that_all_name_each_other_are_followed_once() {
    let labels = ["a", "b", "c", "d"];
    let world = World::default().zone(1, |mut zone| {
        for from in labels {
            for target in labels.iter().filter(|target| **target != from) {
                zone =
                    zone.at(from, SVCB::new(0, Name::new(&name(target, 1)).unwrap()).into_owned());
            }
        }
        zone
    });
    let (found, _) = drain(world.walk(&name("a", 1), 0)).await;
    assert_eq!(found, []);
    assert_eq!(world.asked.borrow().len(), 1);
}

#[tokio::test]
async fn hints_count_only_where_no_address_is_signed() {
    let hinting = || to(1, &name("", 2)).with_param(SVCParam::Ipv4Hint(vec![0xc000_0264]));
    let with = World::default()
        .zone(1, |zone| zone.at("@", hinting()))
        .zone(2, |zone| zone.ip("@", "192.0.2.2"));
    assert_eq!(with.all(&name("", 1)).await[0].addresses(), [ip("192.0.2.2")]);
    let without = World::default()
        .zone(1, |zone| zone.at("@", hinting()))
        .zone(2, |zone| zone.ip("elsewhere", "192.0.2.2"));
    let unresolved = World::default().zone(1, |zone| zone.at("@", hinting()));
    for world in [without, unresolved] {
        let found = world.all(&name("", 1)).await;
        assert_eq!(found[0].addresses(), [ip("192.0.2.100")]);
        assert_eq!(found[0].public_key(), key(2), "the server must still be the one named");
    }
}

#[tokio::test]
async fn an_endpoint_tells_its_protocols_and_parameters() {
    let mut service =
        to(1, "example.com").with_param(SVCParam::Unknown(667, b"x".as_slice().into()));
    service.set_alpn(&[CharacterString::new(b"h2").unwrap()]);
    service.set_no_default_alpn();
    let world = World::default().zone(1, |zone| zone.at("@", service));
    let found = world.all(&name("", 1)).await;
    assert_eq!(found[0].alpn().collect::<Vec<_>>(), [b"h2"]);
    assert!(found[0].no_default_alpn());
    assert_eq!((found[0].param(667), found[0].param(3)), (Some(&b"x"[..]), None));
    assert_eq!(found[0].params().map(|(key, _)| key).collect::<Vec<_>>(), [1, 2, 667]);
}

#[tokio::test]
async fn packets_are_asked_for_when_needed_and_once() {
    let world = World::default()
        .zone(1, |zone| {
            zone.at("@", on_port(1, ".", 1)).at("@", to(2, &name("", 2))).ip("@", "192.0.2.1")
        })
        .zone(2, |zone| zone.at("@", on_port(1, ".", 2)).ip("@", "192.0.2.2"));
    let mut walk = world.walk(&name("", 1), 0);
    assert_eq!(walk.next().await.unwrap().port(), Some(1));
    assert_eq!(*world.asked.borrow(), [key(1)]);
    assert_eq!(walk.next().await.unwrap().port(), Some(2));
    assert!(walk.next().await.is_some());
    drain(walk).await;
    assert_eq!(*world.asked.borrow(), [key(1), key(2)]);
}

#[tokio::test]
async fn the_error_names_every_dead_end() {
    let world = World::default()
        .zone(1, |zone| zone.at("@", to(1, &name("", 2))).at("@", to(2, &name("empty", 1))));
    let (_, tried) = drain(world.walk(&name("", 1), 0)).await;
    let error = CouldNotResolveEndpoint::NothingUsable { name: name("", 1), tried };
    let told = error.to_string();
    assert!(told.contains(&format!("{}: cannot resolve {}", key(2), key(2))), "{told}");
    assert!(told.contains(&format!("{}: there is no such record", name("empty", 1))), "{told}");
    assert_eq!(error.tried().len(), 2);
}

#[test]
fn a_name_outside_keys_is_told_apart() {
    assert!(Place::parse("www.example.com").is_err());
    let pasted = Place::parse(&format!("https://WWW.{}:8443/path", key(1))).unwrap();
    assert_eq!(pasted.to_string(), name("www", 1));
}
