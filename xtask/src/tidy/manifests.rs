//! Rules about manifests and what repeats them: one minimum Rust version, lints and licence inherited, the
//! licence texts present.
//!
//! Separate because these are the facts that several files must tell alike.

use super::Problem;
use super::repository::{Repository, Text};

/// The files that a repository of ours has at its top.
const REQUIRED: [&str; 7] = [
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deny.toml",
];

/// Checks the manifests, `clippy.toml` files and README.
pub(crate) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in REQUIRED {
        if repository.file(path).is_none() {
            problems.push(Problem::new(path, 1, "is missing"));
        }
    }
    match repository.file("Cargo.toml").and_then(|file| value(file, "rust-version")) {
        Some((_, version)) => problems.extend(versions(repository, &version)),
        None => problems.push(Problem::new("Cargo.toml", 1, "has no rust-version")),
    }
    for file in repository.ending("Cargo.toml").filter(|file| is_member(file)) {
        problems.extend(inheritance(file));
    }
    problems
}

/// A package of the workspace: not the root, not a workspace of its own.
fn is_member(file: &Text) -> bool {
    file.path != "Cargo.toml" && !file.numbered().any(|(_, line)| line.trim() == "[workspace]")
}

fn inheritance(file: &Text) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lints = file.content.replace(' ', "");
    if !lints.contains("[lints]\nworkspace=true") {
        problems.push(Problem::new(&file.path, 1, "write `[lints]` and `workspace = true`"));
    }
    for field in ["rust-version", "license", "edition", "version"] {
        let inherited = format!("{field}.workspace = true");
        if !file.content.contains(&inherited) {
            problems.push(Problem::new(&file.path, 1, format!("write `{inherited}`")));
        }
    }
    problems
}

fn versions(repository: &Repository, version: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repository.ending("clippy.toml") {
        match value(file, "msrv") {
            Some((_, told)) if told == version => {}
            Some((number, told)) => {
                let rule = format!("msrv is {told} here and {version} in Cargo.toml");
                problems.push(Problem::new(&file.path, number, rule));
            }
            None => {
                let rule = format!("write `msrv = \"{version}\"`");
                problems.push(Problem::new(&file.path, 1, rule));
            }
        }
    }
    problems.extend(forgotten_lints(repository));
    let sentence = format!("Rust {version}");
    for file in ["README.md", "CONTRIBUTING.md"].iter().filter_map(|path| repository.file(path)) {
        problems.extend(other_versions(file, version));
    }
    if repository.file("README.md").is_some_and(|file| !file.content.contains(&sentence)) {
        problems.push(Problem::new("README.md", 1, format!("must say `{sentence}`")));
    }
    problems
}

/// Clippy reads only the nearest file: what the root's says, a crate's own must say again.
fn forgotten_lints(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(root) = repository.file("clippy.toml") else { return problems };
    for file in repository.ending("/clippy.toml") {
        let present = |setting: &str| file.content.lines().any(|line| line == setting);
        for setting in root.content.lines().filter(|line| line.contains('=') && !present(line)) {
            problems.push(Problem::new(&file.path, 1, format!("repeat the root's `{setting}`")));
        }
    }
    problems
}

/// Every `Rust 1.n` that is another version than ours.
fn other_versions(file: &Text, version: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.numbered() {
        for (_, rest) in line.match_indices("Rust 1.").map(|(at, _)| line.split_at(at)) {
            let told: String = rest
                .chars()
                .skip("Rust ".len())
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            if told.trim_end_matches('.') != version {
                let rule = format!("says Rust {told}, Cargo.toml says {version}");
                problems.push(Problem::new(&file.path, number, rule));
            }
        }
    }
    problems
}

/// The line and text of `key = "text"`.
fn value(file: &Text, key: &str) -> Option<(usize, String)> {
    file.numbered().find_map(|(number, line)| {
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some((number, rest.trim().trim_matches('"').to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n";

    fn rules(changed: &str, content: &str) -> Vec<String> {
        let mut files = vec![
            ("Cargo.toml", "[workspace.package]\nrust-version = \"1.91\"\n"),
            ("README.md", "Mainstay needs Rust 1.91 or later.\n"),
            ("clippy.toml", "msrv = \"1.91\"\n"),
            ("crates/kad/clippy.toml", "msrv = \"1.91\"\n"),
            ("crates/kad/Cargo.toml", MEMBER),
        ];
        files.extend(REQUIRED.iter().filter(|path| **path != "README.md").map(|path| (*path, "")));
        for file in &mut files {
            if file.0 == changed {
                file.1 = content;
            }
        }
        check(&Repository::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_that_agree_pass() {
        assert_eq!(rules("", ""), [""; 0]);
    }

    #[test]
    fn a_readme_with_another_rust_version_is_refused() {
        let problems = rules("README.md", "Rust 1.91 it is.\nNeeds Rust 1.80.\n");
        assert_eq!(problems, ["README.md:2: says Rust 1.80., Cargo.toml says 1.91"]);
        assert_eq!(rules("README.md", "Hello.\n"), ["README.md:1: must say `Rust 1.91`"]);
    }

    #[test]
    fn a_clippy_file_with_another_version_is_refused() {
        let problems = rules("crates/kad/clippy.toml", "msrv = \"1.85\"\n");
        let sentence = "crates/kad/clippy.toml:1: msrv is 1.85 here and 1.91 in Cargo.toml";
        assert!(problems.iter().any(|problem| problem == sentence), "{problems:?}");
        assert_eq!(rules("clippy.toml", "").len(), 1);
    }

    #[test]
    fn a_crates_clippy_file_repeats_the_roots() {
        let root = "msrv = \"1.91\"\ntoo-many-lines-threshold = 60\n";
        let sentence =
            "crates/kad/clippy.toml:1: repeat the root's `too-many-lines-threshold = 60`";
        assert_eq!(rules("clippy.toml", root), [sentence]);
    }

    #[test]
    fn a_member_must_inherit_its_lints_and_licence() {
        let without_lints = MEMBER.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(rules("crates/kad/Cargo.toml", &without_lints).len(), 1);
        let own_licence = MEMBER.replace("license.workspace = true", "license = \"MIT\"");
        assert_eq!(rules("crates/kad/Cargo.toml", &own_licence).len(), 1);
        assert_eq!(rules("crates/kad/Cargo.toml", "[package]\n\n[workspace]\n"), [""; 0]);
    }
}
