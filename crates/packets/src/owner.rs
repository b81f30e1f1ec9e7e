//! The owner name of a record before it is known whose zone it stands in, and its place in that zone.
//!
//! Separate because this is the one place that knows how a name relates to the key it is signed by; the builder places
//! owners here and lookups place their queries here, so the two cannot disagree.

use std::{fmt, str::FromStr};

use mainstay_keys::PublicKey;

use crate::{
    dns::Name,
    labels::{self, Labels, NameError},
};

/// The name of a record, relative to the key that will sign it.
///
/// As text: labels between dots; `@`, `.` and the empty text are the key itself (the apex of its zone), and so is `@`
/// as a last label (`www.@` is `www`); `*` as the first label is a wildcard; a name that ends in the signing key stays
/// as it is, any other is completed by the key. Bytes that are not printable are written `\DDD`, dots inside a label
/// `\.`. Two owners are equal if they are written alike; in a zone, case does not tell names apart.
///
/// ```
/// use mainstay_packets::Owner;
///
/// let owner: Owner = "_http._tcp".try_into()?;
/// assert_eq!(owner.to_string(), "_http._tcp");
/// assert_eq!(Owner::try_from("")?, Owner::apex());
/// assert_eq!(Owner::try_from("www.@")?.to_string(), "www.@");
/// # Ok::<(), mainstay_packets::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    labels: Box<[u8]>,
    /// The labels stand below the key, whatever the last one looks like.
    at_apex: bool,
}

impl Owner {
    /// The key itself.
    #[must_use]
    pub fn apex() -> Self {
        Self { labels: Box::default(), at_apex: true }
    }

    /// Whether both stand in one place of a zone, whichever way they were made.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        // The lengths among the labels are below the letters, so only letters lose their case.
        self.labels.eq_ignore_ascii_case(&other.labels)
    }

    /// The root name, for records whose name does not matter.
    pub(crate) fn root() -> Name<'static> {
        Name::new_with_labels(&[])
    }

    /// Appends the whole name under a key to `wire`, without the root.
    pub(crate) fn place(&self, origin: &Origin, wire: &mut Vec<u8>) -> Result<(), PlaceError> {
        let relative = origin.relative(&self.labels, self.at_apex)?;
        if relative.len() + 1 + origin.label().len() > labels::MAX_LABELS {
            return Err(PlaceError::TooLong);
        }
        wire.extend_from_slice(relative);
        wire.extend(u8::try_from(origin.label().len()));
        wire.extend_from_slice(origin.label());
        Ok(())
    }

    /// The name as zone files write it: `@` for the key, otherwise without it.
    #[cfg(feature = "zone-text")]
    pub(crate) fn in_zone(&self) -> String {
        let text = self.to_string();
        text.strip_suffix(".@").map(str::to_owned).unwrap_or(text)
    }

    /// A name below the key, from labels that stand in a packet.
    pub(crate) fn below_apex(labels: &[u8]) -> Self {
        Self { labels: labels.into(), at_apex: true }
    }
}

impl TryFrom<&str> for Owner {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        let mut labels = Labels::new();
        let at_apex = labels.read(text)?;
        Ok(Self { labels: labels.as_wire().into(), at_apex })
    }
}

impl TryFrom<String> for Owner {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.as_str().try_into()
    }
}

impl TryFrom<&String> for Owner {
    type Error = NameError;

    fn try_from(text: &String) -> Result<Self, NameError> {
        text.as_str().try_into()
    }
}

impl FromStr for Owner {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.try_into()
    }
}

impl TryFrom<&Name<'_>> for Owner {
    type Error = NameError;

    fn try_from(name: &Name<'_>) -> Result<Self, NameError> {
        let mut labels = Labels::new();
        for label in name.as_bytes().filter(|label| !label.is_empty()) {
            labels.push(label)?;
        }
        let at_apex = labels.last().is_none_or(|last| last == b"@");
        if at_apex {
            labels.pop();
        }
        Ok(Self { labels: labels.as_wire().into(), at_apex })
    }
}

impl TryFrom<Name<'_>> for Owner {
    type Error = NameError;

    fn try_from(name: Name<'_>) -> Result<Self, NameError> {
        (&name).try_into()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        labels::write_text(&self.labels, f)?;
        match (self.at_apex, self.labels.is_empty()) {
            (true, true) => f.write_str("@"),
            (true, false) => f.write_str(".@"),
            (false, _) => Ok(()),
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({self})")
    }
}

/// A key as the top-level label that its zone stands under.
pub(crate) struct Origin {
    key: PublicKey,
    label: Box<[u8]>,
}

/// Why a name has no place in a key's zone.
pub(crate) enum PlaceError {
    OtherKey(PublicKey),
    TooLong,
}

impl Origin {
    pub(crate) fn new(key: PublicKey) -> Self {
        Self { key, label: key.to_z32().into_bytes().into() }
    }

    pub(crate) const fn key(&self) -> PublicKey {
        self.key
    }

    pub(crate) fn label(&self) -> &[u8] {
        &self.label
    }

    /// Whether a label spells the key, in either case.
    pub(crate) fn is_label(&self, label: &[u8]) -> bool {
        // Comparing bytes is several times faster, and almost always enough.
        *label == *self.label || label.eq_ignore_ascii_case(&self.label)
    }

    /// The labels without the key, if they end in it.
    #[cfg(feature = "zone-text")]
    pub(crate) fn below<'a>(&self, wire: &'a [u8]) -> Option<&'a [u8]> {
        let (above, last) = labels::split_last(wire)?;
        (key_of_label(last, self)? == self.key).then_some(above)
    }

    /// The labels without the key, if they end in it, as they are if they end in no key at all.
    pub(crate) fn relative<'a>(
        &self,
        wire: &'a [u8],
        at_apex: bool,
    ) -> Result<&'a [u8], PlaceError> {
        let Some((above, last)) = labels::split_last(wire).filter(|_| !at_apex) else {
            return Ok(wire);
        };
        match key_of_label(last, self) {
            None => Ok(wire),
            Some(key) if key == self.key => Ok(above),
            Some(key) => Err(PlaceError::OtherKey(key)),
        }
    }
}

/// The key that a label spells, in either case and in any of the spellings that other implementations accept.
fn key_of_label(label: &[u8], origin: &Origin) -> Option<PublicKey> {
    if origin.is_label(label) {
        return Some(origin.key);
    }
    if label.len() != origin.label().len() || !label.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    PublicKey::parse(str::from_utf8(label).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Label;

    #[test]
    fn every_way_to_an_owner_leads_to_the_same_one() {
        let owner: Owner = "_ssh._tcp.www".try_into().unwrap();
        let text = "_ssh._tcp.www".to_owned();
        let name = Name::new("_ssh._tcp.www").unwrap();
        assert_eq!(Owner::try_from(&text).unwrap(), owner);
        assert_eq!(text.parse::<Owner>().unwrap(), owner);
        assert_eq!(Owner::try_from(&name).unwrap(), owner);
        assert_eq!(Owner::try_from(name).unwrap(), owner);
        assert_eq!(Owner::try_from(text).unwrap(), owner);
        assert_eq!(
            (owner.to_string(), format!("{owner:?}")),
            ("_ssh._tcp.www".to_owned(), "Owner(_ssh._tcp.www)".to_owned())
        );
    }

    #[test]
    fn a_name_of_more_than_255_bytes_owns_nothing() {
        let of = |labels: usize| {
            let label = Label::new_unchecked(&b"abc"[..]);
            Owner::try_from(Name::new_with_labels(&vec![label; labels]))
        };
        assert!(of(60).is_ok());
        assert_eq!(of(64), Err(NameError::TooLong));
    }
}
