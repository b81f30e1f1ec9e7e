//! Rules about prose: the crates, files and tests that documents name must exist.
//!
//! Separate because a map that is wrong is worse than none, and nobody rereads a map.

use std::collections::BTreeSet;

use super::Problem;
use super::repository::{Repository, Text};

/// The pages whose long names in backticks are tests; on others they may be keys of a configuration.
const NAMING_TESTS: [&str; 3] = ["docs/compare/", "docs/testing.md", "CONTRIBUTING.md"];

/// Checks every Markdown file.
pub(crate) fn check(repository: &Repository, packages: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let functions: BTreeSet<&str> = repository.ending(".rs").flat_map(functions).collect();
    for file in repository.ending(".md") {
        for (number, line) in file.numbered() {
            for name in crate_names(line).filter(|name| !packages.contains(name)) {
                let rule = format!("there is no package `{name}`");
                problems.push(Problem::new(&file.path, number, rule));
            }
            let names_tests = NAMING_TESTS.iter().any(|page| file.path.starts_with(page));
            let named = sentences(line).filter(|name| names_tests && !functions.contains(name));
            for name in named {
                let rule = format!("there is no test `{name}`");
                problems.push(Problem::new(&file.path, number, rule));
            }
            for link in links(line).filter(|link| !leads_somewhere(repository, file, link)) {
                let rule = format!("`{link}` leads nowhere");
                problems.push(Problem::new(&file.path, number, rule));
            }
        }
    }
    problems
}

/// Words like `mainstay-kad` and `mainstay_kad`, as package names.
fn crate_names(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    words
        .filter(|word| word.starts_with("mainstay-") || word.starts_with("mainstay_"))
        .map(|word| word.trim_end_matches(['-', '_']).replace('_', "-"))
}

/// What stands in backticks and reads like a test's name: lower case, and three words or more.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |word: &&str| {
        word.matches('_').count() > 2
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    line.split('`').skip(1).step_by(2).filter(is_name)
}

/// The names of the functions in a source.
fn functions(file: &Text) -> impl Iterator<Item = &str> {
    let declared = file.content.split("fn ").skip(1);
    declared.filter_map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next())
}

/// Targets of `[text](target)` that are files of this repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).filter(
        |link| {
            !link.contains("://") && !link.starts_with(['#', '<']) && !link.starts_with("mailto:")
        },
    )
}

fn leads_somewhere(repository: &Repository, from: &Text, link: &str) -> bool {
    let path = link.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = from.path.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let target = parts.join("/");
    let folder = format!("{target}/");
    repository.files.iter().any(|file| file.path == target || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(page: &str) -> Vec<String> {
        rules_at("docs/wire/keys.md", page)
    }

    fn rules_at(path: &str, page: &str) -> Vec<String> {
        let repository = Repository::of(&[
            (path, page),
            ("docs/architecture.md", ""),
            ("crates/kad/Cargo.toml", ""),
            ("crates/kad/src/table.rs", "#[test]\nfn the_closest_come_first() {}\n"),
        ]);
        let packages = BTreeSet::from(["mainstay-kad".to_owned(), "mainstay".to_owned()]);
        check(&repository, &packages).into_iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn a_crate_that_is_not_there_is_named() {
        assert_eq!(rules("see `mainstay-kad` and `mainstay_kad::Table`"), [""; 0]);
        assert_eq!(rules("see `mainstay-client`"), ["there is no package `mainstay-client`"]);
    }

    #[test]
    fn a_test_that_is_named_must_be_there() {
        let page = "docs/compare/mainline.md";
        assert_eq!(rules_at(page, "shown by `the_closest_come_first`, of `num_seeds`"), [""; 0]);
        let missing = "shown by `the_closest_come_last`";
        assert_eq!(rules_at(page, missing), ["there is no test `the_closest_come_last`"]);
        assert_eq!(rules("`max_connections_per_source = 8`, `key_of_a_file`"), [""; 0]);
    }

    #[test]
    fn a_link_must_lead_to_a_file_or_folder() {
        assert_eq!(rules("[a](../architecture.md#invariants) [k](../../crates/kad)"), [""; 0]);
        assert_eq!(rules("[a](architecture.md)"), ["`architecture.md` leads nowhere"]);
        assert_eq!(rules("[web](https://example.com) [here](#there)"), [""; 0]);
    }
}
