//! The repository's text files in memory, and which lines of a Rust file are tests.
//!
//! Separate so that every rule is a function of texts, and reading happens once.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Every text file of the repository, sorted by path.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) files: Vec<Text>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Text {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) content: String,
}

/// What holds nothing of ours: folders, and the file `.git` that stands in a second work tree.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];
/// Where the book is written to.
const BOOK: &str = "docs/book";

/// Larger files are data, not prose or code.
const LARGEST: u64 = 1 << 20;

impl Repository {
    /// Reads all text files below `root`.
    ///
    /// # Errors
    ///
    /// A folder or file cannot be read.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut waiting = vec![root.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let kind = entry.file_type()?;
                let is_book =
                    entry.path().strip_prefix(root).is_ok_and(|path| path == Path::new(BOOK));
                if is_book || SKIPPED.iter().any(|skipped| name == *skipped) {
                    continue;
                }
                if kind.is_dir() {
                    waiting.push(entry.path());
                } else if kind.is_file() && entry.metadata()?.len() <= LARGEST {
                    files.extend(Text::read(root, &entry.path())?);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The file at that path.
    pub(crate) fn file(&self, path: &str) -> Option<&Text> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files whose names end so.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a Text> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let text = |(path, content): &(&str, &str)| Text {
            path: (*path).to_owned(),
            content: (*content).to_owned(),
        };
        Self { files: files.iter().map(text).collect() }
    }
}

impl Text {
    /// The file, unless it is not UTF-8 (then it is data).
    fn read(root: &Path, path: &Path) -> io::Result<Option<Self>> {
        let Ok(content) = String::from_utf8(fs::read(path)?) else { return Ok(None) };
        let relative = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        Ok(Some(Self { path: parts.join("/"), content }))
    }

    /// The file's name without folder and ending.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.content.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines (from 1, end exclusive) of the inline `#[cfg(test)] mod … { … }` blocks.
    pub(crate) fn inline_tests(&self) -> Vec<Range<usize>> {
        let mut blocks = Vec::new();
        let mut attribute = None;
        let mut open: Option<usize> = None;
        for (number, line) in self.numbered() {
            match (open, attribute) {
                (Some(start), _) if line == "}" => {
                    blocks.push(start..number + 1);
                    open = None;
                }
                (None, _) if line == "#[cfg(test)]" => attribute = Some(number),
                (None, Some(start)) if line.starts_with("mod ") && line.ends_with('{') => {
                    open = Some(start);
                    attribute = None;
                }
                (None, Some(_)) if !line.starts_with("#[") => attribute = None,
                _ => {}
            }
        }
        blocks
    }

    /// The whole file is tests: below a `tests` folder, or named `tests.rs`.
    pub(crate) fn is_all_tests(&self) -> bool {
        let mut parts = self.path.split('/');
        self.stem() == "tests" || parts.any(|part| part == "tests")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_tests_reach_from_the_attribute_to_the_closing_brace() {
        let source = "//! x\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n";
        let repository = Repository::of(&[("a.rs", source)]);
        assert_eq!(repository.file("a.rs").unwrap().inline_tests(), [4..9; 1]);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_not_inline() {
        let repository = Repository::of(&[("a.rs", "#[cfg(test)]\nmod tests;\nfn b() {\n}\n")]);
        assert!(repository.file("a.rs").unwrap().inline_tests().is_empty());
    }

    #[test]
    fn files_below_tests_are_tests_from_end_to_end() {
        let repository = Repository::of(&[
            ("tests/wire/main.rs", ""),
            ("crates/kad/src/table/tests.rs", ""),
            ("crates/kad/src/table.rs", ""),
        ]);
        let all: Vec<bool> = repository.files.iter().map(Text::is_all_tests).collect();
        assert_eq!(all, [true, true, false]);
    }
}
