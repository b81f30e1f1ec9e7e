//! Answers to requests that write: announces and puts, with every reason to refuse.
//! What costs nothing to check comes first; the signature, which costs most, last.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_keys::Signature;
use mainstay_krpc::item::{
    ImmutableItem, ItemError, MAX_SALT, MAX_VALUE, MutableItem, mutable_target,
};
use mainstay_krpc::{AnnouncePort, Id, MutablePut, Put, error_code};

use super::{Refusal, Server, Visit};
use crate::store::{ItemKind, Peer};

const BAD_TOKEN: Refusal = refusal(error_code::PROTOCOL, b"bad token");
const BAD_PORT: Refusal = refusal(error_code::PROTOCOL, b"port is 0");
const NO_ROOM: Refusal = refusal(error_code::SERVER, b"no room");
const TOO_LARGE: Refusal = refusal(error_code::VALUE_TOO_LARGE, b"v has more than 1000 bytes");
const SALT_TOO_LONG: Refusal = refusal(error_code::SALT_TOO_LONG, b"salt has more than 64 bytes");
const CAS_MISMATCH: Refusal = refusal(error_code::CAS_MISMATCH, b"another seq is stored");
const NOT_NEWER: Refusal = refusal(error_code::SEQUENCE_TOO_LOW, b"seq is not newer");
const FROM_THE_FUTURE: Refusal = refusal(error_code::PROTOCOL, b"seq is a time in the future");

const fn refusal(code: i64, text: &'static [u8]) -> Refusal {
    Refusal { code, text }
}

impl Server {
    pub(super) fn announce(
        &mut self,
        visit: &Visit<'_>,
        info_hash: Id,
        port: AnnouncePort,
        token: &[u8],
        seed: bool,
    ) -> Result<(), Refusal> {
        self.check_token(visit, &info_hash, token)?;
        let port = port.resolve(visit.from.port());
        if port == 0 {
            return Err(BAD_PORT);
        }
        let ip = visit.from.ip();
        let peer = Peer { addr: SocketAddr::new(ip, port), seed };
        self.store.announce(visit.now, info_hash, ip, peer).map_err(|_| NO_ROOM)
    }

    /// Stores an item, under the target computed from it: a put names none
    /// ([BEP 44](https://www.bittorrent.org/beps/bep_0044.html)).
    pub(super) fn put(&mut self, visit: &Visit<'_>, put: &Put<'_>) -> Result<(), Refusal> {
        if put.value.len() > MAX_VALUE {
            return Err(TOO_LARGE);
        }
        match &put.mutable {
            Some(mutable) => self.put_mutable(visit, put, mutable),
            None => self.put_immutable(visit, put),
        }
    }

    /// A token shows that its bearer gets what we send to its address.
    fn check_token(&mut self, visit: &Visit<'_>, target: &Id, token: &[u8]) -> Result<(), Refusal> {
        if !self.tokens.accepts(visit.now, visit.from.ip(), target, token) {
            return Err(BAD_TOKEN);
        }
        self.proven.note(visit.now, visit.from.ip());
        Ok(())
    }

    fn put_immutable(&mut self, visit: &Visit<'_>, put: &Put<'_>) -> Result<(), Refusal> {
        let item = ImmutableItem::new(put.value).map_err(|error| explain(&error))?;
        self.check_token(visit, &item.target(), put.token)?;
        self.store.put_immutable(visit.now, visit.from.ip(), item).map_err(|_| NO_ROOM)
    }

    /// We differ from the order that BEP 44 suggests: sequence numbers are compared before the signature
    /// is verified, so that a flood of old items costs a comparison each and not a verification.
    fn put_mutable(
        &mut self,
        visit: &Visit<'_>,
        put: &Put<'_>,
        mutable: &MutablePut<'_>,
    ) -> Result<(), Refusal> {
        if mutable.salt.len() > MAX_SALT {
            return Err(SALT_TOO_LONG);
        }
        let target = mutable_target(mutable.key, mutable.salt);
        self.check_token(visit, &target, put.token)?;
        if self.is_from_the_future(visit, mutable.seq) {
            return Err(FROM_THE_FUTURE);
        }
        if let Some(old) = self.store.mutable(visit.now, &target) {
            if mutable.cas.is_some_and(|cas| cas != old.seq()) {
                return Err(CAS_MISMATCH);
            }
            let same_value = put.value == old.value();
            if mutable.seq == old.seq()
                && same_value
                && mutable.signature == old.signature().as_bytes()
            {
                self.store.refresh(visit.now, &target);
                return Ok(());
            }
            if mutable.seq < old.seq() || (mutable.seq == old.seq() && !same_value) {
                return Err(NOT_NEWER);
            }
        } else if !self.store.has_room(visit.now, visit.from.ip(), &target, ItemKind::Mutable) {
            return Err(NO_ROOM);
        }
        let signature = Signature::from_bytes(mutable.signature);
        let item = MutableItem::verify_signer(
            mutable.key,
            mutable.salt,
            mutable.seq,
            put.value,
            signature,
        )
        .map_err(|error| explain(&error))?;
        self.store.put_mutable(visit.now, visit.from.ip(), item).map_err(|_| NO_ROOM)
    }

    /// Whether `seq`, read as microseconds since 1970, lies too far ahead of our clock. An item dated
    /// centuries ahead could never be replaced by its owner's next one.
    fn is_from_the_future(&self, visit: &Visit<'_>, seq: i64) -> bool {
        let (Some(ahead), Some((at, unix))) = (self.sequence_ahead, self.wall_clock) else {
            return false;
        };
        let today = unix.saturating_add(visit.now.saturating_duration_since(at));
        let seq = Duration::from_micros(u64::try_from(seq).unwrap_or(0));
        seq > today.saturating_add(ahead)
    }
}

/// What to tell the author of an item that is none.
fn explain(error: &ItemError) -> Refusal {
    let text: &'static [u8] = match error {
        ItemError::ValueTooLarge { .. } => b"v has more than 1000 bytes",
        ItemError::SaltTooLong { .. } => b"salt has more than 64 bytes",
        ItemError::NegativeSequence { .. } => b"seq is negative",
        ItemError::NotCanonical(_) => b"v is not canonical bencode",
        ItemError::BadKey(_) => b"not a public key",
        ItemError::BadSignature(_) => b"bad signature",
        _ => b"not an item",
    };
    refusal(error.code(), text)
}
