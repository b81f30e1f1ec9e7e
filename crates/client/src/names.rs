//! Names below keys: which packet to ask, and how aliases lead from one to another.
//!
//! Separate because a client resolves keys; that a name may take several of them is decided here.

use std::collections::BTreeSet;

use mainstay_keys::{PublicKey, PublicKeyError};
use mainstay_packets::dns::TYPE;
use mainstay_packets::dns::rdata::RData;
use mainstay_packets::{Record, SignedPacket};
use thiserror::Error;

use crate::client::Client;
use crate::error::ResolveError;
use crate::freshness::Policy;
use crate::report::Resolution;

/// What a name leads to, from [`Client::resolve_name`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NameAnswer {
    /// The names looked up: the one asked for, then each alias's target.
    pub hops: Vec<Hop>,
    /// Where the last alias leads, if that is not a name below a key: ask DNS for it.
    pub leads_to: Option<String>,
    rtype: Option<TYPE>,
}

/// One name of a chain of aliases.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hop {
    /// The key that the name lies below.
    pub key: PublicKey,
    /// The name below the key; empty for the key itself.
    pub below: String,
    /// The key's packet, and where it came from.
    pub resolution: Resolution,
}

impl NameAnswer {
    /// The records of the answer in the order of DNS: the aliases followed, then what they lead to.
    ///
    /// Nothing means that the packet is there, but has no such record.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.hops.iter().flat_map(|hop| {
            let records = || hop.resolution.packet.resource_records(&hop.below);
            let is_asked =
                |record: &Record<'_>| self.rtype.is_none_or(|rtype| record.rtype() == rtype);
            let answered = records().any(|record| is_asked(&record));
            records().filter(move |record| {
                if answered { is_asked(record) } else { record.rtype() == TYPE::CNAME }
            })
        })
    }

    /// The packet of the name that was asked for.
    ///
    /// # Panics
    /// Never for an answer of [`Client::resolve_name`]: the first name is always among the hops.
    #[must_use]
    pub fn first(&self) -> &Resolution {
        &self.hops.first().expect("the first name is among the hops").resolution
    }
}

/// A name was not resolved.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ResolveNameError {
    /// The name does not end in a public key.
    #[error("the name does not end in a public key")]
    NoKey(#[from] PublicKeyError),
    /// The packet of a key on the way was not resolved.
    #[error("cannot resolve {key}")]
    Resolve {
        /// The key.
        key: PublicKey,
        /// Why not.
        source: ResolveError,
    },
    /// The aliases lead through more packets than
    /// [`max_recursion_depth`](crate::ClientBuilder::max_recursion_depth) allows.
    #[error("the aliases lead through more than {limit} packets")]
    TooDeep {
        /// How many are allowed.
        limit: u8,
    },
    /// The aliases lead back to a name they came from; the owner of one of the keys has to mend it.
    #[error("the aliases lead in a circle, back to {below:?} below {key}")]
    Circle {
        /// The key that the repeated name lies below.
        key: PublicKey,
        /// The repeated name below it.
        below: String,
    },
}

/// Names.
impl Client {
    /// The records of a name: of one type, following aliases ([RFC 1034
    /// 3.6.2](https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2)), or of all types, following none.
    ///
    /// Takes what people paste: `pk:<key>`, `www.<key>`, `https://www.<key>/path`. An alias may lead
    /// to a name below another key, whose packet is then resolved by the same policy.
    ///
    /// # Errors
    /// [`ResolveNameError`], if there is no key in the name, a packet on the way is not to be had, or the
    /// aliases never end.
    pub async fn resolve_name(
        &self,
        name: &str,
        rtype: Option<TYPE>,
        policy: Policy,
    ) -> Result<NameAnswer, ResolveNameError> {
        let limit = self.max_recursion_depth();
        let (mut key, below) = PublicKey::parse_name(name)?;
        let mut below = below.to_owned();
        let mut answer = NameAnswer { hops: Vec::new(), leads_to: None, rtype };
        let mut visited = BTreeSet::new();
        let mut packets: u8 = 0;
        loop {
            if !visited.insert((key, below.to_ascii_lowercase())) {
                return Err(ResolveNameError::Circle { key, below });
            }
            let known = answer.hops.iter().find(|hop| hop.key == key);
            let resolution = match known.map(|hop| hop.resolution.clone()) {
                Some(resolution) => resolution,
                None if packets >= limit.max(1) => return Err(ResolveNameError::TooDeep { limit }),
                None => {
                    packets = packets.saturating_add(1);
                    let resolved = self.resolve_with(&key, policy).await;
                    resolved.map_err(|source| ResolveNameError::Resolve { key, source })?
                }
            };
            let target = rtype.and_then(|rtype| alias(&resolution.packet, &below, rtype));
            answer.hops.push(Hop { key, below, resolution });
            let Some(target) = target else {
                return Ok(answer);
            };
            let Some(next) = below_a_key(&target) else {
                answer.leads_to = Some(target);
                return Ok(answer);
            };
            (key, below) = next;
        }
    }
}

/// Where the name's CNAME leads, unless it has records of the type itself.
fn alias(packet: &SignedPacket, below: &str, rtype: TYPE) -> Option<String> {
    let mut target = None;
    for record in packet.resource_records(below) {
        if record.rtype() == rtype {
            return None;
        }
        if let Ok(RData::CNAME(name)) = record.rdata() {
            target = target.or_else(|| Some(name.0.to_string()));
        }
    }
    target
}

fn below_a_key(name: &str) -> Option<(PublicKey, String)> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let (below, last) = name.rsplit_once('.').unwrap_or(("", &name));
    PublicKey::from_z32(last).ok().map(|key| (key, below.to_owned()))
}
