//! Keys that do not exist: found with their line, answered with the key that was probably meant.
//!
//! Separate because it asks the configuration's own types which keys there are, so that no second list can lag behind.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor, value::Error};
use toml::de::{DeTable, DeValue};

use super::error::line;
use super::{
    CacheConfig, Config, ConfigError, HttpConfig, LogConfig, MainlineConfig, MetricsConfig,
    RateLimiterConfig, TlsConfig, WatchConfig,
};

type Fields = &'static [&'static str];

/// Fails on the first table or key that the configuration does not have.
pub(super) fn refuse_unknown_keys(text: &str) -> Result<(), ConfigError> {
    let document = DeTable::parse(text).map_err(|error| ConfigError::value(text, &error))?;
    for (name, value) in document.get_ref() {
        let table = name.get_ref().as_ref();
        let Some((table, keys)) = tables().into_iter().find(|(known, _)| *known == table) else {
            let names = fields::<Config>();
            return Err(ConfigError::UnknownTable {
                line: line(text, Some(name.span())),
                table: table.to_owned(),
                suggestion: nearest(table, names),
            });
        };
        let DeValue::Table(entries) = value.get_ref() else { continue };
        for key in entries.keys() {
            let word = key.get_ref().as_ref();
            if !keys.contains(&word) {
                return Err(ConfigError::UnknownKey {
                    line: line(text, Some(key.span())),
                    table,
                    key: word.to_owned(),
                    suggestion: nearest(word, keys),
                });
            }
        }
    }
    Ok(())
}

/// Every table with its keys.
pub(super) fn tables() -> [(&'static str, Fields); 8] {
    [
        ("http", fields::<HttpConfig>()),
        ("tls", fields::<TlsConfig>()),
        ("mainline", fields::<MainlineConfig>()),
        ("cache", fields::<CacheConfig>()),
        ("rate_limiter", fields::<RateLimiterConfig>()),
        ("watch", fields::<WatchConfig>()),
        ("metrics", fields::<MetricsConfig>()),
        ("log", fields::<LogConfig>()),
    ]
}

/// The keys that a type reads.
pub(super) fn fields<'de, T: Deserialize<'de>>() -> Fields {
    let mut seen: Fields = &[];
    // It ends with an error, having said what it would read.
    let _ = T::deserialize(Curious(&mut seen));
    seen
}

/// A deserializer that gives nothing and notes what it is asked for.
struct Curious<'a>(&'a mut Fields);

impl<'de> Deserializer<'de> for Curious<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: Fields,
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("only asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The name most like `word`, if one is alike enough to be a slip of the hand.
fn nearest(word: &str, names: Fields) -> Option<&'static str> {
    // Nobody's slip is that long, and the comparison takes time by the square.
    if word.len() > 64 {
        return None;
    }
    let (distance, name) = names.iter().map(|name| (distance(word, name), *name)).min()?;
    (distance <= (name.len() / 3).max(2).min(word.len() / 2)).then_some(name)
}

/// How many letters to insert, remove or replace to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, of_a) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        let mut next = vec![left];
        for (of_b, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(of_a != *of_b));
            left = replaced.min(left.saturating_add(1)).min(above.saturating_add(1));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
