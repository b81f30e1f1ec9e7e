//! Each rule about files, broken once.
//!
//! Separate from the rules for its length.

use super::*;

fn rules(path: &str, content: &str) -> Vec<String> {
    check(&Repository::of(&[(path, content)])).into_iter().map(|problem| problem.rule).collect()
}

fn lines(count: usize) -> String {
    format!("//! a header\n{}", "const A: u8 = 1;\n".repeat(count - 1))
}

#[test]
fn a_file_without_a_header_is_refused() {
    assert_eq!(rules("src/a.rs", "fn a() {}\n").len(), 1);
    assert_eq!(rules("src/a.rs", "//!\nfn a() {}\n").len(), 1);
    assert_eq!(rules("src/a.rs", "//! what\nfn a() {}\n"), [""; 0]);
}

#[test]
fn a_file_of_601_lines_is_refused_and_one_of_600_is_not() {
    assert_eq!(rules("src/a.rs", &lines(601)).len(), 1);
    assert_eq!(rules("src/a.rs", &lines(600)), [""; 0]);
}

#[test]
fn inline_tests_do_not_count_but_may_not_be_long() {
    let tests = |count| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // x\n".repeat(count));
    let short = lines(600) + &tests(100);
    assert_eq!(rules("src/a.rs", &short), [""; 0]);
    let long = lines(100) + &tests(200);
    assert!(rules("src/a.rs", &long)[0].contains("inline tests"));
}

#[test]
fn an_exception_needs_a_reason_and_a_long_file() {
    let files = |list: &str, count| {
        let content = lines(count);
        let repository = Repository::of(&[("src/a.rs", &content), ("xtask/tidy-allow.txt", list)]);
        check(&repository).len()
    };
    assert_eq!(files("src/a.rs: one table of one standard\n", 700), 0);
    assert_eq!(files("src/a.rs\n", 700), 2, "no reason, hence no exception");
    assert_eq!(files("src/a.rs: it was long once\n", 10), 1, "the exception is stale");
}

#[test]
fn names_that_say_nothing_are_refused() {
    for path in ["src/utils.rs", "src/helpers.rs", "src/types.rs", "src/table/mod.rs"] {
        assert_eq!(rules(path, "//! x\n").len(), 1, "{path}");
    }
    for line in [
        "pub struct TableManager;",
        "struct Inner {",
        "mod common;",
        "pub(crate) enum NodeInner<T> {",
    ] {
        assert_eq!(rules("src/a.rs", &format!("//! x\n{line}\n")).len(), 1, "{line}");
    }
    assert_eq!(rules("src/a.rs", "//! x\npub struct Table;\nmod inner_product;\n"), [""; 0]);
}

#[test]
fn stubs_and_switched_off_tests_are_refused() {
    for line in
        ["    todo!()", "    unimplemented!()", "#[ignore]", "#[should_panic(expected = \"x\")]"]
    {
        assert_eq!(rules("src/a.rs", &format!("//! x\n{line}\n")).len(), 1, "{line}");
    }
    assert_eq!(rules("src/a.rs", "//! x\nlet a = \"todo!()\"; // todo!()\n"), [""; 0]);
}

#[test]
fn lifting_the_lint_is_refused_everywhere_but_in_one_file() {
    let lifted = "//! what\n#![allow(unsafe_code)]\n";
    assert_eq!(rules("crates/keys/src/file.rs", lifted).len(), 1);
    assert_eq!(rules(UNSAFE, lifted), [""; 0]);
}

#[test]
fn every_crate_forbids_it_by_itself() {
    assert_eq!(rules("crates/keys/src/lib.rs", "//! x\n").len(), 1);
    assert_eq!(rules("crates/cli/src/main.rs", "//! x\n").len(), 1);
    assert_eq!(rules("crates/keys/src/lib.rs", "//! x\n#![forbid(unsafe_code)]\n"), [""; 0]);
}

#[test]
fn a_reminder_without_an_issue_is_refused() {
    let word = "TODO";
    assert_eq!(rules("src/a.rs", &format!("//! x\n// {word}: later\n")).len(), 1);
    assert_eq!(rules("src/a.rs", &format!("//! x\n// {word}(#): later\n")).len(), 1);
    assert_eq!(rules("src/a.rs", &format!("//! x\n// {word}(#12): later\n")), [""; 0]);
}

#[test]
fn the_facade_has_no_function() {
    let source =
        "//! x\n#![forbid(unsafe_code)]\npub use mainstay_keys::PublicKey;\npub fn helper() {}\n";
    assert_eq!(rules("crates/mainstay/src/lib.rs", source).len(), 1);
    assert_eq!(rules("crates/keys/src/lib.rs", source), [""; 0]);
}
