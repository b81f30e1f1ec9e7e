//! Answers, stalls, losses and what they say about us.
//! Apart from the code because there are more than a hundred and fifty lines of them.

use rand::SeedableRng as _;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(2);

struct Fixture {
    transactions: Transactions,
    rng: StdRng,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        Self {
            transactions: Transactions::new(TIMEOUT, crate::testing::start()),
            rng: StdRng::from_seed([3; 32]),
            now: crate::testing::start(),
        }
    }

    fn open(&mut self, port: u16) -> Tid {
        self.open_for(port, false, false)
    }

    fn open_for(&mut self, port: u16, patiently: bool, hedged: bool) -> Tid {
        let purpose = Purpose::Ping;
        let opened = Opened { to: addr(port), id: None, purpose, patiently, hedged };
        self.transactions.open(self.now, &mut self.rng, opened)
    }
}

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn an_answer_counts_once_and_only_from_the_address_asked() {
    let mut fix = Fixture::new();
    let tid = fix.open(1);
    let transactions = &mut fix.transactions;
    assert!(transactions.close(fix.now, addr(2), &tid).is_none());
    assert!(transactions.close(fix.now, addr(1), &tid[..2]).is_none());
    assert!(transactions.close(fix.now, addr(1), &tid).is_some());
    assert!(transactions.close(fix.now, addr(1), &tid).is_none());
    assert_eq!(transactions.poll_timeout(), None);
}

#[test]
fn silence_is_first_a_stall_and_then_a_loss() {
    let mut fix = Fixture::new();
    fix.open(1);
    let at = |millis| fix.now + Duration::from_millis(millis);
    let transactions = &mut fix.transactions;
    assert_eq!(transactions.poll_timeout(), Some(at(1000)));
    assert!(transactions.pop_lapsed(at(999)).is_none());
    assert!(matches!(transactions.pop_lapsed(at(1000)), Some(Lapse::Stalled(_))));
    assert_eq!(transactions.poll_timeout(), Some(at(2000)));
    assert!(matches!(transactions.pop_lapsed(at(2000)), Some(Lapse::Expired(_))));
    assert!(transactions.pop_lapsed(at(9000)).is_none());
}

#[test]
fn who_is_asked_patiently_has_half_as_long_again() {
    let mut fix = Fixture::new();
    fix.open_for(1, true, false);
    let at = |millis| fix.now + Duration::from_millis(millis);
    let transactions = &mut fix.transactions;
    assert!(matches!(transactions.pop_lapsed(at(1000)), Some(Lapse::Stalled(_))));
    assert!(transactions.pop_lapsed(at(2999)).is_none());
    assert!(matches!(transactions.pop_lapsed(at(3000)), Some(Lapse::Expired(_))));
}

#[test]
fn who_hedges_is_told_who_is_late_before_they_stall() {
    let mut fix = Fixture::new();
    fix.open_for(1, false, true);
    let at = fix.now + Duration::from_secs(1);
    assert_eq!(fix.transactions.poll_timeout(), Some(at), "nothing was measured");
    fix.transactions.take_any();
    fix.transactions.recall(Family::V4, std::iter::repeat_n(Duration::from_millis(200), 8));
    fix.open_for(1, false, true);
    for (millis, hedged) in [(250, true), (300, false), (2000, false)] {
        let at = fix.now + Duration::from_millis(millis);
        assert_eq!(fix.transactions.poll_timeout(), Some(at));
        let lapse = fix.transactions.pop_lapsed(at);
        assert_eq!(matches!(lapse, Some(Lapse::Late(_))), hedged, "{lapse:?}");
    }
    assert_eq!(fix.transactions.poll_timeout(), None);
    fix.open(1);
    let at = fix.now + Duration::from_millis(300);
    assert_eq!(fix.transactions.poll_timeout(), Some(at), "nobody else is told");
    // Who wakes late is told one thing after the other.
    fix.open_for(2, false, true);
    let late = fix.now + Duration::from_secs(3);
    let lapses: Vec<_> = std::iter::from_fn(|| fix.transactions.pop_lapsed(late)).collect();
    let losses = lapses.iter().filter(|lapse| matches!(lapse, Lapse::Expired(_))).count();
    assert_eq!((lapses.len(), losses), (3, 2), "{lapses:?}");
}

#[test]
fn a_stalled_request_still_takes_its_answer() {
    let mut fix = Fixture::new();
    let tid = fix.open(1);
    let late = fix.now + Duration::from_millis(1500);
    assert!(matches!(fix.transactions.pop_lapsed(late), Some(Lapse::Stalled(_))));
    assert!(fix.transactions.close(late, addr(1), &tid).is_some());
}

#[test]
fn a_node_that_hears_nothing_knows_that_it_is_offline() {
    let mut fix = Fixture::new();
    for port in 1..=10 {
        fix.open(port);
    }
    let end = fix.now + TIMEOUT;
    while fix.transactions.pop_lapsed(end).is_some() {}
    assert!(fix.transactions.is_down(Family::V4) && !fix.transactions.is_down(Family::V6));
    fix.transactions.heard(end, addr(1));
    assert!(!fix.transactions.is_down(Family::V4));
}

#[test]
fn transaction_ids_do_not_follow_from_each_other() {
    let mut fix = Fixture::new();
    let ids: Vec<u32> = (0..200).map(|port| u32::from_be_bytes(fix.open(port))).collect();
    let mut steps: Vec<u32> = ids.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    steps.sort_unstable();
    steps.dedup();
    assert_eq!(steps.len(), 199);
}

#[test]
fn a_timeout_shorter_than_the_usual_time_is_a_loss_without_a_stall() {
    let mut fix = Fixture::new();
    fix.transactions = Transactions::new(Duration::from_millis(500), fix.now);
    fix.open(1);
    let at = fix.now + Duration::from_millis(500);
    assert_eq!(fix.transactions.poll_timeout(), Some(at));
    assert!(matches!(fix.transactions.pop_lapsed(at), Some(Lapse::Expired(_))));
    // The longest there is does not reach beyond the end of time either.
    fix.transactions = Transactions::new(Duration::MAX, fix.now);
    fix.open(1);
    fix.transactions.pop_lapsed(fix.now + Duration::from_secs(1));
    let a_day = Duration::from_secs(86_400);
    assert_eq!(fix.transactions.poll_timeout(), Some(fix.now + a_day));
}

#[test]
fn ten_losses_in_a_row_are_our_own_fault_and_one_answer_between_them_is_a_new_start() {
    let mut fix = Fixture::new();
    let (start, end) = (fix.now, fix.now + TIMEOUT);
    fix.transactions = Transactions::new(TIMEOUT, start);
    let tids: Vec<_> = (1..=11).map(|port| fix.open(port)).collect();
    let lost = |transactions: &mut Transactions, count| {
        let lapses = transactions.pending.len() - count;
        assert!((0..lapses).all(|_| transactions.pop_lapsed(end).is_some()));
        assert_eq!(transactions.pending.len(), count);
    };
    lost(&mut fix.transactions, 2);
    assert_eq!(fix.transactions.silent_since(), None);
    lost(&mut fix.transactions, 1);
    assert_eq!(fix.transactions.silent_since(), Some(start));
    let (tid, pending) = fix.transactions.pending.first_key_value().unwrap();
    let (tid, to) = (*tid, pending.to);
    assert!(tids.contains(&tid));
    assert!(fix.transactions.close(end, to, &tid).is_some());
    assert_eq!(fix.transactions.silent_since(), None);
    for port in 1..=10 {
        fix.now = end;
        fix.open(port);
    }
    while fix.transactions.pop_lapsed(end + TIMEOUT).is_some() {}
    assert_eq!(fix.transactions.silent_since(), Some(end));
}

#[test]
fn requests_to_one_address_or_all_can_be_given_up_and_leave_no_deadline() {
    let mut fix = Fixture::new();
    for port in [1, 2, 1, 3] {
        fix.open(port);
    }
    let transactions = &mut fix.transactions;
    let given_up = std::iter::from_fn(|| transactions.take_unreachable(addr(1)));
    assert_eq!(given_up.map(|pending| pending.to).collect::<Vec<_>>(), [addr(1); 2]);
    let rest = std::iter::from_fn(|| transactions.take_any()).map(|pending| pending.to.port());
    let mut rest: Vec<_> = rest.collect();
    rest.sort_unstable();
    assert_eq!(rest, [2, 3]);
    assert_eq!(transactions.poll_timeout(), None);
}

#[test]
fn each_family_has_a_patience_of_its_own_that_answers_and_earlier_runs_teach() {
    let mut fix = Fixture::new();
    let second = Duration::from_secs(1);
    fix.transactions.recall(Family::V6, std::iter::repeat_n(Duration::from_millis(200), 8));
    assert_eq!(fix.transactions.patience(Family::V6), Duration::from_millis(300));
    assert_eq!(fix.transactions.patience(Family::V4), second);
    for port in 1..=8 {
        let tid = fix.open(port);
        fix.transactions.close(fix.now + Duration::from_millis(400), addr(port), &tid);
    }
    assert_eq!(fix.transactions.patience(Family::V4), Duration::from_millis(600));
    assert_eq!(fix.transactions.patience(Family::V6), Duration::from_millis(300));
}

#[test]
fn a_request_that_no_way_leads_to_is_lost_by_the_line_of_its_family() {
    let mut fix = Fixture::new();
    for port in 1..=10 {
        fix.open(port);
    }
    let transactions = &mut fix.transactions;
    assert!(transactions.take_without_route(addr(99)).is_none());
    for port in 1..=10 {
        assert!(!transactions.is_down(Family::V4));
        let taken = transactions.take_without_route(addr(port));
        assert_eq!(taken.map(|pending| pending.to), Some(addr(port)));
    }
    assert!(transactions.is_down(Family::V4) && !transactions.is_down(Family::V6));
    assert_eq!(transactions.poll_timeout(), None);
}

#[test]
fn a_loss_is_held_against_a_node_if_somebody_was_heard_after_its_answer_was_overdue() {
    let mut fix = Fixture::new();
    let (id, sent) = (Id::from_bytes([1; 20]), fix.now);
    let (overdue, end) = (sent + Duration::from_secs(1), sent + TIMEOUT);
    fix.open(1);
    let transactions = &mut fix.transactions;
    let Some(Lapse::Expired(pending)) = transactions.pop_lapsed(end) else { panic!("no loss") };
    transactions.heard(overdue, addr(2));
    assert!(!transactions.blames(end, &pending, id), "nobody was heard since");
    assert_eq!(transactions.next_blamed(Family::V4), None, "it is in doubt");
    transactions.heard(end, addr(2));
    assert_eq!(transactions.next_blamed(Family::V6), None);
    assert_eq!(transactions.next_blamed(Family::V4).map(|silent| silent.addr), Some(addr(1)));
    assert_eq!(transactions.next_blamed(Family::V4), None);
    assert!(transactions.blames(end, &pending, id));
}
