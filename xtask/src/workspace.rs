//! The workspace as `cargo metadata` tells it: packages, their features and declared dependencies.
//!
//! Separate so that the checks work on plain values, which their tests can doctor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cargo;

/// All packages of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One package of ours.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]` table.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The default features are on.
    pub(crate) default_features: bool,
    pub(crate) features: Vec<String>,
    /// It is a package of this workspace (or of this disk).
    pub(crate) is_local: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Development,
    Build,
}

impl Workspace {
    /// Asks cargo about the workspace in `root`.
    ///
    /// # Errors
    ///
    /// Cargo cannot read a manifest; the text is cargo's.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let text = cargo::output(cargo::cargo(root).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
        ]))?;
        Self::from_metadata(&text)
    }

    /// Reads the JSON of `cargo metadata --no-deps`.
    ///
    /// # Errors
    ///
    /// The text is not JSON or lacks a field that the format promises.
    pub(crate) fn from_metadata(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| format!("cargo metadata: {e}"))?;
        let root = PathBuf::from(text_of(&value, "workspace_root")?);
        let mut packages = Vec::new();
        for package in list_of(&value, "packages")? {
            packages.push(Package::from_json(package)?);
        }
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, packages })
    }

    /// The package of that name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// The packages of those names, with or without `mainstay-` before them; all when there is no name.
    ///
    /// # Errors
    ///
    /// A name that is no package's.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Package>, String> {
        if names.is_empty() {
            return Ok(self.packages.iter().collect());
        }
        let find = |name: &String| {
            let prefixed = format!("mainstay-{name}");
            let found = self.package(name).or_else(|| self.package(&prefixed));
            found.ok_or_else(|| format!("there is no package `{name}`"))
        };
        names.iter().map(find).collect()
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }
}

impl Package {
    /// The features of this package that `feature` switches on, itself not counted.
    pub(crate) fn reached_from(&self, feature: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![feature];
        while let Some(next) = waiting.pop() {
            for implied in self.features.get(next).into_iter().flatten() {
                if self.features.contains_key(implied) && reached.insert(implied.as_str()) {
                    waiting.push(implied);
                }
            }
        }
        reached
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        let name = text_of(value, "name")?.to_owned();
        let features = value.get("features").and_then(Value::as_object);
        let features = features
            .ok_or("cargo metadata: a package without `features`")?
            .iter()
            .map(|(feature, implies)| (feature.clone(), texts(implies)))
            .collect();
        let mut dependencies = Vec::new();
        for dependency in list_of(value, "dependencies")? {
            dependencies.push(Dependency::from_json(dependency)?);
        }
        Ok(Self { name, features, dependencies })
    }
}

impl Dependency {
    fn from_json(value: &Value) -> Result<Self, String> {
        let kind = match value.get("kind").and_then(Value::as_str) {
            None => Kind::Normal,
            Some("dev") => Kind::Development,
            Some("build") => Kind::Build,
            Some(other) => return Err(format!("cargo metadata: a dependency of kind `{other}`")),
        };
        Ok(Self {
            name: text_of(value, "name")?.to_owned(),
            kind,
            default_features: value
                .get("uses_default_features")
                .and_then(Value::as_bool)
                .unwrap_or(true),
            features: texts(value.get("features").unwrap_or(&Value::Null)),
            is_local: value.get("path").is_some_and(Value::is_string),
        })
    }
}

fn text_of<'a>(value: &'a Value, field: &str) -> Result<&'a str, String> {
    value
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("cargo metadata: no text `{field}`"))
}

fn list_of<'a>(value: &'a Value, field: &str) -> Result<&'a [Value], String> {
    value
        .get(field)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| format!("cargo metadata: no list `{field}`"))
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
