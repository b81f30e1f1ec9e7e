//! Rules about functions: none over 100 lines, exceptions of clippy's limit give a reason, tests are named
//! as sentences and never sleep.
//!
//! Separate because it reads the shape of rustfmt'd code: a function ends at the brace under its `fn`.

use super::Problem;
use super::repository::{Repository, Text};
use super::sources::without_comment_and_text;

/// Lines of code no function may exceed, with or without clippy's leave.
const LONGEST_FUNCTION: usize = 100;
/// Words a test's name has at least: a sentence, not a topic.
const FEWEST_WORDS: usize = 3;

/// Checks every `.rs` file.
pub(crate) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repository.ending(".rs") {
        problems.extend(lengths(file));
        problems.extend(exceptions(file));
        problems.extend(test_names(file));
        problems.extend(sleeping_tests(file));
    }
    problems
}

fn lengths(file: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lines: Vec<&str> = file.content.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = declared(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let body = lines.iter().skip(index + 1).take_while(|line| **line != closing);
        let code = body.filter(|line| !without_comment_and_text(line).trim().is_empty()).count();
        if !line.ends_with(['}', ';']) && code > LONGEST_FUNCTION {
            let rule = format!("`{name}` has {code} lines, at most {LONGEST_FUNCTION}");
            problems.push(Problem::new(&file.path, index + 1, rule));
        }
    }
    problems
}

/// The name of the function that this line begins.
pub(super) fn declared(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let mut words = code.split(' ');
    loop {
        match words.next()? {
            "fn" => break,
            "async" | "const" | "unsafe" => {}
            word if word.starts_with("pub") => {}
            _ => return None,
        }
    }
    let name = words.next()?;
    name.split(['(', '<']).next()
}

fn exceptions(file: &Text) -> Vec<Problem> {
    let limit = "clippy::too_many_lines";
    let lines: Vec<&str> = file.content.lines().collect();
    let mut problems = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = without_comment_and_text(line);
        if code.contains("[allow(") && code.contains(limit) {
            let rule = "write `expect` with a reason instead of `allow`";
            problems.push(Problem::new(&file.path, index + 1, rule));
        }
        let attribute = lines.iter().skip(index).take(6).copied();
        let has_reason = || attribute.clone().any(|line| line.contains("reason"));
        if code.contains("[expect(") && code.contains(limit) && !has_reason() {
            problems.push(Problem::new(&file.path, index + 1, "an exception gives its reason"));
        }
    }
    problems
}

fn test_names(file: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut is_test = false;
    for (number, line) in file.numbered() {
        let code = line.trim();
        if code == "#[test]" || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(name) = declared(line) {
            if is_test && name.split('_').filter(|word| !word.is_empty()).count() < FEWEST_WORDS {
                let rule = format!("name the test `{name}` as the sentence it proves");
                problems.push(Problem::new(&file.path, number, rule));
            }
            is_test = false;
        }
    }
    problems
}

fn sleeping_tests(file: &Text) -> Vec<Problem> {
    let blocks = file.inline_tests();
    let in_tests =
        |number| file.is_all_tests() || blocks.iter().any(|block| block.contains(&number));
    // Under tokio's paused clock a sleep takes no time and waits for nothing: it is how time is driven there.
    let is_paused = file.content.contains("start_paused = true");
    let sleeps = file.numbered().filter(|(number, line)| {
        let code = without_comment_and_text(line);
        let sleeps = code.contains("thread::sleep") || code.contains("time::sleep") && !is_paused;
        in_tests(*number) && sleeps
    });
    let rule = "a test that sleeps is a bug: wait for the event, or drive the time by hand";
    sleeps.map(|(number, _)| Problem::new(&file.path, number, rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, content: &str) -> Vec<String> {
        check(&Repository::of(&[(path, content)])).into_iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn a_function_over_100_lines_is_refused_whatever_clippy_is_told() {
        let function = |count| {
            format!(
                "impl A {{\n    pub(crate) async fn a() {{\n{}    }}\n}}\n",
                "        b();\n".repeat(count)
            )
        };
        assert_eq!(rules("src/a.rs", &function(100)), [""; 0]);
        assert_eq!(rules("src/a.rs", &function(101)), ["`a` has 101 lines, at most 100"]);
        let spaced = function(60).replace("b();", "b();\n\n        // why");
        assert_eq!(rules("src/a.rs", &spaced), [""; 0], "blank lines and comments are free");
    }

    #[test]
    fn a_test_is_named_as_a_sentence() {
        let named = |name: &str| format!("#[test]\nfn {name}() {{\n}}\n");
        assert_eq!(rules("src/a.rs", &named("round_trip")).len(), 1);
        assert_eq!(rules("src/a.rs", &named("late_reply_counts")), [""; 0]);
        assert_eq!(rules("src/a.rs", "#[tokio::test]\nasync fn works() {}\n").len(), 1);
        assert_eq!(rules("src/a.rs", "fn works() {}\n"), [""; 0], "not a test");
    }

    #[test]
    fn a_sleep_is_refused_in_tests_only() {
        let line = "std::thread::sleep(patience);\n";
        assert_eq!(rules("tests/loopback/main.rs", line).len(), 1);
        assert_eq!(rules("crates/dht/src/driver.rs", line), [""; 0]);
        let inline = format!("#[cfg(test)]\nmod tests {{\n    {line}}}\n");
        assert_eq!(rules("crates/dht/src/driver.rs", &inline).len(), 1);
    }

    #[test]
    fn an_exception_of_the_limit_is_an_expectation_with_a_reason() {
        let refused = "#[allow(clippy::too_many_lines)]\nfn a() {}\n";
        assert_eq!(rules("src/a.rs", refused).len(), 1);
        let silent = "#[expect(clippy::too_many_lines)]\nfn a() {}\n";
        assert_eq!(rules("src/a.rs", silent).len(), 1);
        let good = "#[expect(clippy::too_many_lines, reason = \"one row a quirk\")]\nfn a() {}\n";
        assert_eq!(rules("src/a.rs", good), [""; 0]);
    }
}
