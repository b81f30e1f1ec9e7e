//! A torrent whose content changes ([BEP 46](https://www.bittorrent.org/beps/bep_0046.html)): a mutable item that holds
//! an info hash. Apart from the items, because it is one agreement on what a value means.

use std::fmt;
use std::str::FromStr;

use mainstay_keys::{Keypair, PublicKey};

use super::{ItemError, MAX_SALT, MutableItem};
use crate::Id;

/// What a link `magnet:?xs=urn:btpk:<key>&s=<salt>` names: whose torrent, and which of theirs.
///
/// ```
/// use mainstay_krpc::item::TorrentLink;
///
/// let link = "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e&s=6e";
/// let torrent: TorrentLink = link.parse()?;
/// assert_eq!(torrent.target().to_string(), "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f");
/// assert_eq!(torrent.to_string(), link);
/// # Ok::<(), mainstay_krpc::item::TorrentLinkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TorrentLink {
    /// Whose.
    pub key: PublicKey,
    /// Which; empty for the only one. At most 64 bytes.
    pub salt: Vec<u8>,
}

impl TorrentLink {
    /// Where the item is stored that says which torrent it is at present.
    #[must_use]
    pub fn target(&self) -> Id {
        super::mutable_target(self.key.as_bytes(), &self.salt)
    }
}

impl fmt::Display for TorrentLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("magnet:?xs=urn:btpk:")?;
        self.key.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if !self.salt.is_empty() {
            f.write_str("&s=")?;
            self.salt.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl FromStr for TorrentLink {
    type Err = TorrentLinkError;

    /// Reads a link; other parameters are passed over, and digits may be of either case.
    fn from_str(link: &str) -> Result<Self, Self::Err> {
        let parameters = link.strip_prefix("magnet:?").ok_or(TorrentLinkError::NotAMagnet)?;
        let find = |name: &str| {
            parameters.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let key = parameters.split('&').find_map(|pair| pair.strip_prefix("xs=urn:btpk:"));
        let key = hex(key.ok_or(TorrentLinkError::NoKey)?).ok_or(TorrentLinkError::NoKey)?;
        let key = PublicKey::try_from(&key[..]).map_err(|_| TorrentLinkError::NoKey)?;
        let salt = hex(find("s").unwrap_or_default()).ok_or(TorrentLinkError::BadSalt)?;
        if salt.len() > MAX_SALT {
            return Err(TorrentLinkError::BadSalt);
        }
        Ok(Self { key, salt })
    }
}

/// Why a text is no [`TorrentLink`]; whoever wrote it must correct it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TorrentLinkError {
    /// It does not begin with `magnet:?`.
    #[error("the link does not begin with magnet:?")]
    NotAMagnet,
    /// It has no `xs=urn:btpk:` with the 64 digits of a public key.
    #[error("the link names no public key: xs=urn:btpk: and 64 hexadecimal digits")]
    NoKey,
    /// Its salt is no hexadecimal, or longer than 64 bytes.
    #[error("the link's salt is not hexadecimal, or longer than 64 bytes")]
    BadSalt,
}

impl MutableItem {
    /// Signs that the torrent of `keypair` and `salt` is `info_hash` from now on: the value `d2:ih20:…e`.
    ///
    /// # Errors
    /// [`ItemError`] for a salt that is too long or a negative sequence number.
    pub fn sign_torrent(
        keypair: &Keypair,
        salt: &[u8],
        seq: i64,
        info_hash: Id,
    ) -> Result<Self, ItemError> {
        let value = [b"d2:ih20:".as_slice(), info_hash.as_bytes(), b"e"].concat();
        Self::sign(keypair, salt, seq, &value)
    }

    /// The info hash that this item says its torrent has, if it is such an item. Other keys of the dictionary are
    /// passed over as long as `ih` is its first, which it is unless a shorter or smaller one is there.
    #[must_use]
    pub fn torrent(&self) -> Option<Id> {
        let rest = self.value().strip_prefix(b"d2:ih20:")?;
        rest.first_chunk().copied().map(Id::from_bytes)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";

    #[test]
    fn links_lead_to_the_targets_of_the_bep() {
        for (salt, target) in [
            ("", "cc3f9d90b572172053626f9980ce261a850d050b"),
            ("&s=6e", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f"),
        ] {
            let text = format!("magnet:?xs=urn:btpk:{KEY}{salt}");
            let link: TorrentLink = text.parse().unwrap();
            assert_eq!(link.target().to_string(), target);
            assert_eq!(link.to_string(), text);
            let noisy = format!("magnet:?dn=name&xs=urn:btpk:{}{salt}&tr=x", KEY.to_uppercase());
            assert_eq!(noisy.parse(), Ok(link));
        }
    }

    #[test]
    fn what_is_no_link_says_why() {
        let parse = str::parse::<TorrentLink>;
        assert_eq!(parse("http://x"), Err(TorrentLinkError::NotAMagnet));
        assert_eq!(parse("magnet:?xt=urn:btih:00"), Err(TorrentLinkError::NoKey));
        assert_eq!(parse("magnet:?xs=urn:btpk:00"), Err(TorrentLinkError::NoKey));
        for salt in ["6", "zz", &"00".repeat(65)] {
            let link = format!("magnet:?xs=urn:btpk:{KEY}&s={salt}");
            assert_eq!(parse(&link), Err(TorrentLinkError::BadSalt), "{salt}");
        }
        let longest = format!("magnet:?xs=urn:btpk:{KEY}&s={}", "00".repeat(64));
        assert_eq!(parse(&longest).unwrap().salt, [0; 64]);
    }

    #[test]
    fn a_torrent_is_read_back_and_nothing_else_is_one() {
        let keypair = Keypair::from_secret_key(&[7; 32]);
        let info_hash = Id::from_bytes([9; 20]);
        let item = MutableItem::sign_torrent(&keypair, b"n", 3, info_hash).unwrap();
        assert_eq!(item.value(), [b"d2:ih20:".as_slice(), &[9; 20], b"e"].concat());
        assert_eq!(item.torrent(), Some(info_hash));
        for other in [&b"de"[..], b"d2:ih3:abce", b"i1e", b"d2:ix20:aaaaaaaaaaaaaaaaaaaae"] {
            let item = MutableItem::sign(&keypair, b"", 1, other).unwrap();
            assert_eq!(item.torrent(), None);
        }
    }
}
