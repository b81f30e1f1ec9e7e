//! The text of `docs/features.md`, from the decision tree and the manifest of `mainstay`.
//!
//! Separate because the page is prose for users; nothing but this file knows its wording.

use std::fmt::Write as _;

use super::tree::TREE;
use crate::workspace::Package;

/// The page: the tree, one section a branch, then every feature with the comment above it in the manifest.
pub(crate) fn render(facade: &Package, manifest: &str) -> String {
    let mut page = String::from(
        "<!-- Written by `cargo xtask features` from the tree in xtask and crates/mainstay/Cargo.toml. -->\n\n\
         # Features\n\n\
         Each row below compiles alone, and `cargo xtask features` holds it to the crates that must be in and\n\
         out. A feature adds API; it never changes how something else behaves.\n\n\
         ## Which one do you need?\n\n",
    );
    for branch in TREE {
        let comes = listed(branch.brings.iter().copied());
        let stays = listed(branch.absent.iter().copied());
        let _ = write!(
            page,
            "### {}\n\n```toml\n{}\n```\n\nBrings in {comes}. Stays out: {stays}.{}\n\n",
            branch.question,
            branch.line,
            if branch.is_for_browsers { " Compiles for `wasm32-unknown-unknown` too." } else { "" },
        );
    }
    page.push_str("## Every feature\n\n| feature | what it adds | switches on |\n|---|---|---|\n");
    for feature in facade.features.keys().filter(|feature| *feature != "default") {
        let implied = listed(facade.reached_from(feature).into_iter());
        let meaning = comment_above(manifest, feature);
        let _ = writeln!(page, "| `{feature}` | {meaning} | {implied} |");
    }
    let defaults = facade.features.get("default").map(Vec::as_slice).unwrap_or_default();
    let _ = write!(page, "\nOn by default: {}.\n", listed(defaults.iter().map(String::as_str)));
    page
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

/// The comment lines directly above `feature = [` in the manifest, as one sentence.
fn comment_above(manifest: &str, feature: &str) -> String {
    let mut comment: Vec<&str> = Vec::new();
    for line in manifest.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if line.strip_prefix(feature).is_some_and(|rest| rest.trim_start().starts_with('='))
        {
            return comment.join(" ");
        } else {
            comment.clear();
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_above_a_feature_is_its_meaning() {
        let manifest = "[features]\n# Keys,\n# and nothing more.\nkeys = []\nserde = []\n";
        assert_eq!(comment_above(manifest, "keys"), "Keys, and nothing more.");
        assert_eq!(comment_above(manifest, "serde"), "");
    }

    #[test]
    fn every_feature_of_the_manifest_is_on_the_page() {
        let features = [("default", vec!["a"]), ("a", vec!["b"]), ("b", vec![])];
        let features = features.map(|(name, implied)| {
            (name.to_owned(), implied.into_iter().map(str::to_owned).collect())
        });
        let facade = Package {
            name: "mainstay".to_owned(),
            features: features.into_iter().collect(),
            dependencies: Vec::new(),
        };
        let page = render(&facade, "# First.\na = []\n# Second.\nb = []\n");
        assert!(page.contains("| `a` | First. | `b` |"), "{page}");
        assert!(page.contains("| `b` | Second. | – |"), "{page}");
        assert!(page.ends_with("On by default: `a`.\n"), "{page}");
    }
}
