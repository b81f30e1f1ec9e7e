//! Which address gets the connection, and when the next is tried; on a clock that is moved by hand.

use std::cell::RefCell;

use super::*;

fn address(n: u8) -> SocketAddr {
    ([192, 0, 2, n], 443).into()
}

/// Runs a race; each address answers after so many milliseconds, well or not. Gives what came of it, and who was asked
/// when.
async fn race(field: &[(u8, u64, bool)]) -> (Result<u8, Vec<SocketAddr>>, Vec<(u8, u128)>) {
    let (began, asked) = (Instant::now(), RefCell::new(Vec::new()));
    let addresses = stream::iter(field.iter().map(|(n, _, _)| address(*n)));
    let outcome = first_of(addresses, |at: SocketAddr| {
        let (n, after, is_well) = *field.iter().find(|(n, _, _)| address(*n) == at).unwrap();
        asked.borrow_mut().push((n, began.elapsed().as_millis()));
        async move {
            sleep(Duration::from_millis(after)).await;
            if is_well { Ok(n) } else { Err(io(std::io::ErrorKind::ConnectionRefused.into())) }
        }
    });
    let outcome = outcome.await;
    let outcome = outcome.map_err(|failed| failed.iter().map(|failed| failed.address).collect());
    (outcome, asked.into_inner())
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_at_once_where_one_fails() {
    let (outcome, asked) = race(&[(1, 20, false), (2, 30, true), (3, 0, true)]).await;
    assert_eq!((outcome, asked), (Ok(2), vec![(1, 0), (2, 20)]));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_says_nothing_is_given_a_quarter_of_a_second_for_itself() {
    let (outcome, asked) = race(&[(1, 60_000, true), (2, 40, true), (3, 0, true)]).await;
    assert_eq!((outcome, asked), (Ok(2), vec![(1, 0), (2, 250)]));
}

#[tokio::test(start_paused = true)]
async fn the_first_address_wins_though_the_next_was_tried_if_it_is_done_before() {
    let (outcome, asked) = race(&[(1, 300, true), (2, 200, true)]).await;
    assert_eq!((outcome, asked), (Ok(1), vec![(1, 0), (2, 250)]));
}

#[tokio::test(start_paused = true)]
async fn an_address_is_tried_once_and_for_ten_seconds() {
    let began = Instant::now();
    let (outcome, asked) = race(&[(1, 60_000, true), (1, 60_000, true), (2, 5, false)]).await;
    assert_eq!(outcome, Err(vec![address(2), address(1)]));
    assert_eq!(asked, [(1, 0), (2, 250)]);
    assert_eq!(began.elapsed(), PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn of_very_many_addresses_only_the_first_are_tried() {
    let field: Vec<_> = (0..100).map(|n| (n, 1, false)).collect();
    let (outcome, asked) = race(&field).await;
    assert_eq!(outcome.unwrap_err().len(), MAX_ADDRESSES);
    assert_eq!(asked.len(), MAX_ADDRESSES);
}

#[tokio::test(start_paused = true)]
async fn without_an_address_nothing_is_tried() {
    assert_eq!(race(&[]).await, (Err(vec![]), vec![]));
}
