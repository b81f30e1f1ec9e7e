//! No path of one machine: a folder below a user's home, a build machine's, or the temporary one.
//!
//! Separate because it reads every text file, not only Rust and prose.

use super::Problem;
use super::repository::Repository;

/// First folders of paths that exist on one machine only. Kept without slashes, or this file would be found.
const FOLDERS: [&str; 6] = ["home", "root", "work", "farm", "tmp", "Users"];

/// Checks every text file.
pub(crate) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repository.files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (number, line) in file.numbered() {
            if let Some(folder) = FOLDERS.iter().find(|folder| has_path(line, folder)) {
                let rule = format!("a path of one machine: {folder} at the root");
                problems.push(Problem::new(&file.path, number, rule));
            }
        }
    }
    problems
}

/// True when the line has `/folder/` where a path can begin.
fn has_path(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| !(c.is_alphanumeric() || "_.-~}>)/".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found_and_an_address_is_not() {
        for folder in FOLDERS {
            let path = format!("/{folder}/me");
            assert!(has_path(&format!("see `{path}`"), folder), "{path}");
            assert!(has_path(&path, folder), "{path}");
            assert!(!has_path(&format!("https://example.com{path}"), folder), "{path}");
            assert!(!has_path(&format!("crates{path}"), folder), "{path}");
        }
    }
}
