//! The contact book through its public face: who gets a place, who gives way, who is handed out.
//! Apart from the book, whose file is long enough without them.

use super::*;
use crate::testing::{Peer, id, ms, random_id, rng, secs, start};

type TestBook = Book<Peer, 20>;

fn book(capacity: usize) -> (TestBook, Instant) {
    let now = start();
    (Book::new(now, BookConfig { capacity, ..BookConfig::default() }), now)
}

/// A peer with a provider of its own.
fn peer(bits: &str, number: u32) -> Peer {
    Peer::new(id(bits), number << 8)
}

fn ids(found: &[Known<'_, Peer>]) -> Vec<Id<20>> {
    found.iter().map(|known| known.contact.id()).collect()
}

#[test]
fn the_closest_come_first_whatever_cell_they_are_in() {
    let (mut book, now) = book(4096);
    let mut rng = rng(1);
    let mut all: Vec<Peer> = (1..2000).map(|n| Peer::new(random_id(&mut rng), n << 8)).collect();
    for peer in &all {
        book.responded(now, *peer, ms(40));
    }
    all.retain(|peer| book.iter().any(|known| known.contact == peer));
    assert!(all.len() > 1500, "{} of 2,000 kept", all.len());
    for _ in 0..50 {
        let target = random_id(&mut rng);
        all.sort_by(|left, right| target.closer(&left.id, &right.id));
        let nearest: Vec<Id<20>> = all.iter().take(20).map(|peer| peer.id).collect();
        assert_eq!(ids(&book.closest(now, &target, 20)), nearest);
    }
}

#[test]
fn no_flood_makes_a_book_larger_than_its_capacity() {
    for capacity in [0, 1, 15, 16, 100, 1000] {
        let (mut book, now) = book(capacity);
        let mut rng = rng(2);
        for number in 1..5000 {
            let peer = Peer::new(random_id(&mut rng), number << 8);
            book.responded(now, peer, ms(40));
            book.heard(now, Peer::new(random_id(&mut rng), (number + 5000) << 8));
        }
        assert!(book.len() <= capacity, "{} of {capacity}", book.len());
        assert!(book.len() * 3 >= capacity, "{} of {capacity}", book.len());
    }
}

#[test]
fn a_book_that_knows_few_is_small() {
    let (mut book, now) = book(4096);
    for number in 1..=16 {
        book.responded(now, peer("0", number), ms(40));
    }
    assert_eq!((book.len(), book.cells.len()), (1, 1));
    assert!(size_of::<Note<Peer>>() <= size_of::<Peer>() + 8);
}

#[test]
fn one_provider_has_one_place_in_a_cell() {
    let (mut book, now) = book(16);
    let mut rng = rng(3);
    for number in 0..200 {
        // All of one /16, each in a /24 of its own.
        let host = 0x0909_0000 + (number << 8);
        let peer = Peer { id: random_id(&mut rng), host, port: 1, preferred: true };
        book.responded(now, peer, ms(40));
    }
    assert_eq!(book.len(), 1);
}

#[test]
fn hearsay_displaces_nobody_and_goes_first() {
    let (mut book, now) = book(2);
    assert_eq!(book.heard(now, peer("01", 2)), Noted::Added);
    assert_eq!(book.responded(now, peer("00", 1), ms(40)), Noted::Added);
    assert_eq!(book.heard(now, peer("10", 3)), Noted::Refused);
    assert_eq!(book.responded(now, peer("11", 4), ms(900)), Noted::Replaced);
    let rtts: Vec<_> = book.iter().map(|known| known.rtt).collect();
    assert_eq!(rtts, [Some(ms(900)), Some(ms(40))]);
}

#[test]
fn a_full_cell_keeps_the_quick() {
    let (mut book, now) = book(2);
    book.responded(now, peer("00", 1), ms(40));
    book.responded(now, peer("01", 2), ms(100));
    assert_eq!(book.responded(now, peer("10", 3), ms(80)), Noted::Refused);
    assert_eq!(book.responded(now, peer("10", 3), ms(70)), Noted::Replaced);
    assert_eq!(ids(&book.closest(now, &id("0"), 9)), [id("00"), id("10")]);
}

#[test]
fn who_was_silent_for_long_is_not_handed_out_and_gives_way() {
    let (mut book, now) = book(1);
    book.responded(now, peer("00", 1), ms(10));
    assert_eq!(book.closest(now + secs(3600), &id("0"), 1).len(), 1);
    assert!(book.closest(now + secs(3601), &id("0"), 1).is_empty());
    assert_eq!(book.responded(now + secs(3601), peer("01", 2), ms(500)), Noted::Replaced);
}

#[test]
fn a_node_that_failed_is_passed_over_until_it_answers_and_forgotten_the_second_time() {
    let (mut book, now) = book(16);
    let node = peer("00", 1);
    book.responded(now, node, ms(10));
    book.failed(&node.id, &(7, 7));
    assert!(book.vouches_for(now, &node.id, &node.address()));
    book.failed(&node.id, &node.address());
    assert!(book.closest(now, &id("0"), 1).is_empty());
    book.responded(now, node, ms(10));
    assert_eq!(book.closest(now, &id("0"), 1).len(), 1);
    book.failed(&node.id, &node.address());
    book.failed(&node.id, &node.address());
    assert!(book.is_empty());
    book.heard(now, node);
    book.failed(&node.id, &node.address());
    assert!(book.is_empty());
}

#[test]
fn an_id_stays_where_it_answers() {
    let (mut book, now) = book(16);
    let (true_one, thief) = (peer("00", 1), peer("00", 2));
    book.responded(now, true_one, ms(40));
    assert_eq!(book.heard(now, thief), Noted::Refused);
    assert_eq!(book.responded(now, thief, ms(1)), Noted::Refused);
    book.remove(&thief.id, &thief.address());
    assert!(book.vouches_for(now, &true_one.id, &true_one.address()));
    book.failed(&true_one.id, &true_one.address());
    assert_eq!(book.responded(now, thief, ms(1)), Noted::Added);
}
