//! Rules about Rust files as wholes: how they begin, how long they may be, what they may be called.
//!
//! Separate from the rules about functions, which need to know where one begins and ends.

use super::Problem;
use super::repository::{Repository, Text};

/// Lines a file may have, inline tests not counted.
const LONGEST_FILE: usize = 600;
/// Lines of inline tests that still read as part of the file.
const LONGEST_INLINE_TESTS: usize = 150;
/// The exceptions: one `path: reason` a line.
const ALLOWED: &str = "xtask/tidy-allow.txt";
/// The one file that may hold unsafe code.
const UNSAFE: &str = "crates/client/src/cache/lmdb/map.rs";
/// Words that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["utils", "util", "common", "helpers", "helper", "types", "manager", "inner", "misc"];

/// Checks every `.rs` file.
pub(crate) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (allowed, broken) = allowances(repository);
    problems.extend(broken);
    for file in repository.ending(".rs") {
        problems.extend(header(file));
        problems.extend(size(file, &allowed));
        problems.extend(names(file));
        problems.extend(forbidden(file));
    }
    problems.extend(facade(repository));
    problems
}

/// The paths of tidy-allow.txt, and what is wrong with that file itself.
fn allowances(repository: &Repository) -> (Vec<&str>, Vec<Problem>) {
    let mut allowed = Vec::new();
    let mut problems = Vec::new();
    let Some(list) = repository.file(ALLOWED) else { return (allowed, problems) };
    for (number, line) in list.numbered() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(": ") {
            Some((path, reason)) if !reason.trim().is_empty() => {
                let long = repository.file(path).is_some_and(|f| product_lines(f) > LONGEST_FILE);
                if !long {
                    let rule = format!("{path} needs no exception: strike it");
                    problems.push(Problem::new(ALLOWED, number, rule));
                }
                allowed.push(path);
            }
            _ => problems.push(Problem::new(ALLOWED, number, "write `path: reason`")),
        }
    }
    (allowed, problems)
}

fn header(file: &Text) -> Option<Problem> {
    let first = file.content.lines().next().unwrap_or_default();
    let says_something = first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty());
    (!says_something).then(|| {
        Problem::new(&file.path, 1, "begin with `//!`: what this file is, and why it is separate")
    })
}

fn product_lines(file: &Text) -> usize {
    let tests: usize = file.inline_tests().iter().map(ExactSizeIterator::len).sum();
    file.content.lines().count() - tests
}

fn size(file: &Text, allowed: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lines = product_lines(file);
    if lines > LONGEST_FILE && !allowed.contains(&file.path.as_str()) {
        let rule = format!("{lines} lines without tests, at most {LONGEST_FILE}: split it");
        problems.push(Problem::new(&file.path, 1, rule));
    }
    for block in file.inline_tests() {
        if block.len() > LONGEST_INLINE_TESTS {
            let rule =
                format!("{} lines of inline tests: move them to their own file", block.len());
            problems.push(Problem::new(&file.path, block.start, rule));
        }
    }
    problems
}

fn names(file: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    if file.path.ends_with("/mod.rs") {
        problems.push(Problem::new(&file.path, 1, "name it `folder.rs` beside `folder/`"));
    }
    if EMPTY_NAMES.contains(&file.stem()) {
        let rule = format!("`{}` names nothing: name what is inside", file.stem());
        problems.push(Problem::new(&file.path, 1, rule));
    }
    for (number, line) in file.numbered() {
        let Some(name) = declared(line) else { continue };
        let empty = EMPTY_NAMES.contains(&name.to_ascii_lowercase().as_str());
        if empty || name.ends_with("Manager") || name.ends_with("Inner") {
            let rule = format!("`{name}` names nothing: say what it does or holds");
            problems.push(Problem::new(&file.path, number, rule));
        }
    }
    problems
}

/// The name that a line declares, if it declares a type or a module.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    match words.next()? {
        "struct" | "enum" | "trait" | "type" | "mod" | "union" => {}
        _ => return None,
    }
    let name = words.next()?;
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
    name.get(..end)
}

fn forbidden(file: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.numbered() {
        let code = without_comment_and_text(line);
        for (word, why) in [
            ("todo!(", "finish it, or open an issue"),
            ("unimplemented!(", "make the type say that it cannot be"),
            ("#[ignore", "fix the test or delete it"),
            ("#[should_panic", "return an error and match it"),
        ] {
            if code.contains(word) {
                let rule = format!("`{word}` is refused: {why}");
                problems.push(Problem::new(&file.path, number, rule));
            }
        }
        // The lint that denies it cannot be lifted without its name.
        let forbids = code.contains("forbid(unsafe_code)");
        if code.contains("unsafe_code") && !forbids && file.path != UNSAFE {
            let rule = format!("unsafe code stands in {UNSAFE} alone");
            problems.push(Problem::new(&file.path, number, rule));
        }
        problems.extend(reminder(&file.path, number, line));
    }
    if is_crate_root(&file.path) && !file.content.contains("forbid(unsafe_code)") {
        problems.push(Problem::new(&file.path, 1, "a crate begins with `#![forbid(unsafe_code)]`"));
    }
    problems
}

/// Whether the file is what a crate of ours begins with.
fn is_crate_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "src", "lib.rs" | "main.rs"])
}

/// A reminder in a comment must lead to an issue: a to-do word followed by `(#12)`.
fn reminder(path: &str, number: usize, line: &str) -> Option<Problem> {
    let comment = line.split_once("//")?.1;
    let rest = ["TODO", "FIXME", "XXX"]
        .iter()
        .find_map(|word| comment.split_once(word).map(|(_, rest)| rest))?;
    let issue = rest.strip_prefix("(#").and_then(|rest| rest.split_once(')'));
    let has_number =
        issue.is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!has_number).then(|| Problem::new(path, number, "a reminder needs its issue, as in `(#12)`"))
}

/// The line without its comment and without what stands in double quotes.
pub(crate) fn without_comment_and_text(line: &str) -> String {
    let mut code = String::new();
    let mut quoted = false;
    let mut previous = ' ';
    for character in line.chars() {
        match character {
            '"' if previous != '\\' && previous != '\'' => quoted = !quoted,
            '/' if !quoted && previous == '/' => {
                code.pop();
                return code;
            }
            _ if !quoted => code.push(character),
            _ => {}
        }
        previous = character;
    }
    code
}

/// The crate `mainstay` is features and re-exports; a function there would be in the wrong house.
fn facade(repository: &Repository) -> Vec<Problem> {
    let files = repository.ending(".rs").filter(|f| f.path.starts_with("crates/mainstay/src/"));
    let functions = files.flat_map(|file| {
        let lines = file.numbered().filter(|(_, line)| super::functions::declared(line).is_some());
        lines.map(|(number, _)| {
            let rule = "`mainstay` re-exports; put the function in its crate";
            Problem::new(&file.path, number, rule)
        })
    });
    functions.collect()
}

#[cfg(test)]
mod tests;
