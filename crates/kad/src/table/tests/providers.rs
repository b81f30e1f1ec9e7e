//! How much of a table one provider may have.
//! Apart from the other rules on who gets in, because this one looks at the whole table.

use std::collections::BTreeMap;

use super::*;

/// A host of this provider, in a subnet of its own there.
fn of(provider: u32, number: u32, id: Id<20>) -> Peer {
    Peer { id, host: (provider << 16) | (number << 8), port: 1, preferred: true }
}

fn entries_of(table: &Table<Peer, 20>, provider: u32) -> usize {
    table.iter().filter(|entry| entry.contact.host >> 16 == provider).count()
}

/// A table with the defaults and `count` nodes that all have providers of their own.
fn mixed(now: Instant, count: u32) -> Table<Peer, 20> {
    let (mut table, mut rng) = (Table::new(Id::ZERO, TableConfig::default()), rng(4));
    while table.len() < count as usize {
        let number = 1000 + u32::try_from(table.len()).unwrap();
        table.responded(now, of(number, 0, random_id(&mut rng)), ms(10));
    }
    table
}

#[test]
fn a_provider_of_many_subnets_gets_a_tenth_of_the_table() {
    let now = start();
    let mut table = mixed(now, 120);
    let mut rng = rng(5);
    for number in 0..250 {
        table.responded(now, of(7, number, random_id(&mut rng)), ms(1));
    }
    assert!((12..=table.len() / 10).contains(&entries_of(&table, 7)), "{}", table.len());
    let late = of(7, 251, random_id(&mut rng));
    assert_eq!(table.responded(now, late, ms(1)), Insert::Refused(Refusal::ProviderFull));
    assert_eq!(table.heard(of(7, 252, random_id(&mut rng))), Heard::Refused(Refusal::ProviderFull));
}

#[test]
fn a_young_table_takes_eight_of_one_provider() {
    let (mut table, now, mut rng) = (Table::new(Id::ZERO, TableConfig::default()), start(), rng(6));
    for number in 0..8 {
        let peer = of(7, number, random_id(&mut rng));
        assert_eq!(table.responded(now, peer, ms(1)), Insert::Added);
    }
    let ninth = of(7, 8, random_id(&mut rng));
    assert_eq!(table.responded(now, ninth, ms(1)), Insert::Refused(Refusal::ProviderFull));
}

#[test]
fn one_of_the_provider_that_fails_makes_way_for_the_next() {
    let (mut table, now, mut rng) = (Table::new(Id::ZERO, TableConfig::default()), start(), rng(7));
    let peers: Vec<Peer> = (0..9).map(|number| of(7, number, random_id(&mut rng))).collect();
    for peer in &peers {
        table.responded(now, *peer, ms(1));
    }
    table.failed(now, &peers[3].id);
    assert_eq!(table.responded(now, peers[8], ms(1)), Insert::Added);
    assert!(!table.contains(&peers[3].id));
    assert_eq!(entries_of(&table, 7), 8);
}

#[test]
fn a_spare_above_the_share_of_its_provider_waits_until_one_of_them_goes() {
    let now = start();
    let config = TableConfig {
        bucket_size: 2,
        wide_levels: Vec::new(),
        provider_floor: 2,
        ..TableConfig::default()
    };
    let mut table = Table::new(Id::ZERO, config);
    // The far bucket is full of others; a spare of provider 7 is confirmed beside it.
    for (bits, provider) in [("10", 1), ("11", 2), ("01", 3), ("001", 7)] {
        table.responded(now, of(provider, 0, id(bits)), ms(10));
    }
    let spare = of(7, 1, id("101"));
    assert_eq!(table.responded(now, spare, ms(10)), Insert::Queued);
    assert_eq!(table.responded(now, of(7, 2, id("0001")), ms(10)), Insert::Added);
    assert_eq!(table.failed(now, &id("10")), Failure::Kept { failures: 1 });
    table.remove(&id("001"));
    table.remove(&id("10"));
    assert!(table.contains(&spare.id));
    assert_eq!(entries_of(&table, 7), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn no_provider_grows_beyond_its_share(
        answers in prop::collection::vec((clustered_id(), 0_u32..40, 0_u32..256), 0..400),
        percent in 1_u8..60,
        floor in 0_usize..12,
    ) {
        let now = start();
        let config = TableConfig {
            provider_percent: percent,
            provider_floor: floor,
            ..TableConfig::default()
        };
        let mut table = Table::new(Id::ZERO, config);
        for (id, provider, number) in answers {
            let (before, had) = (table.len(), entries_of(&table, provider));
            table.responded(now, of(provider, number, id), ms(10));
            let mut counts = BTreeMap::new();
            for entry in table.iter() {
                *counts.entry(entry.contact.host >> 16).or_insert(0_usize) += 1;
            }
            let share = before.max(table.len()) * usize::from(percent) / 100;
            let has = counts.get(&provider).copied().unwrap_or(0);
            prop_assert!(has <= had || has <= share.max(floor).max(1), "{has} of {}", table.len());
        }
    }
}
