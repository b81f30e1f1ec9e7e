//! State machines against plain models of themselves, step by generated step.
//! A binary of its own, because a failing script is shrunk here; the models are fuzz targets, too.

use mainstay_tests::fuzz;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(250) })]

    #[test]
    fn a_table_is_what_a_flat_list_says_it_should_be(script: [u8; 32], more in any_script()) {
        fuzz::run("routing_table", &[&script[..], &more].concat());
    }

    #[test]
    fn a_walk_asks_and_ends_as_a_flat_list_says_it_should(script in any_script()) {
        fuzz::run("lookup_walk", &script);
    }

    #[test]
    fn a_book_hands_out_the_closest_of_those_it_can_rely_on(script in any_script()) {
        fuzz::run("contact_book", &script);
    }
}

/// Any bytes are a script.
fn any_script() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..900)
}
