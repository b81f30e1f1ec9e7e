//! Records as lines of JSON, for both generations of the pkarr crate: `{name, type, ttl, data}`.
//!
//! Included by each peer's `main.rs`, because the two crates' types differ by version only.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use pkarr::Cache;
use pkarr::dns::rdata::{CAA, CNAME, HTTPS, MX, NS, RData, SRV, SVCB, TXT};
use pkarr::dns::{CLASS, CharacterString, Name, ResourceRecord};
use pkarr::extra::lmdb_cache::LmdbCache;
use pkarr::{CacheKey, Keypair, PublicKey, SignedPacket, Timestamp};
use serde_json::{Value, json};

/// Why a line could not be carried out, as the text to send back.
pub type Failure = Box<dyn std::error::Error>;

/// Builds and signs the zone `{seed, timestamp, records: [{name, type, ttl, data}]}`.
pub fn sign(request: &Value) -> Result<SignedPacket, Failure> {
    let keypair = keypair(request)?;
    let mut builder = SignedPacket::builder();
    if let Some(timestamp) = request["timestamp"].as_u64() {
        builder = builder.timestamp(Timestamp::from(timestamp));
    }
    for record in request["records"].as_array().ok_or("records: not a list")? {
        let name = text(record, "name")?;
        let ttl = u32::try_from(record["ttl"].as_u64().ok_or("ttl: not a number")?)?;
        let rdata = rdata(text(record, "type")?, &record["data"])?;
        builder = builder.record(ResourceRecord::new(
            Name::new_unchecked(name).into_owned(),
            CLASS::IN,
            ttl,
            rdata.into_owned(),
        ));
    }
    Ok(builder.sign(&keypair)?)
}

/// The keypair of the request's `seed` (64 hex characters).
pub fn keypair(request: &Value) -> Result<Keypair, Failure> {
    let seed: [u8; 32] =
        hex::decode(text(request, "seed")?)?.try_into().map_err(|_| "seed: not 32 bytes")?;
    Ok(Keypair::from_secret_key(&seed))
}

/// A string member of the request.
pub fn text<'a>(request: &'a Value, member: &str) -> Result<&'a str, Failure> {
    Ok(request[member].as_str().ok_or_else(|| format!("{member}: not a string"))?)
}

fn number<T: TryFrom<u64>>(data: &Value, member: &str) -> Result<T, Failure> {
    let number = data[member].as_u64().ok_or_else(|| format!("{member}: not a number"))?;
    T::try_from(number).map_err(|_| format!("{member}: out of range").into())
}

fn rdata<'a>(kind: &str, data: &'a Value) -> Result<RData<'a>, Failure> {
    let plain = || data.as_str().ok_or("data: not a string");
    Ok(match kind {
        "A" => RData::A(plain()?.parse::<Ipv4Addr>()?.into()),
        "AAAA" => RData::AAAA(plain()?.parse::<Ipv6Addr>()?.into()),
        "TXT" => RData::TXT(TXT::try_from(plain()?)?),
        "CNAME" => RData::CNAME(CNAME(Name::new_unchecked(plain()?))),
        "NS" => RData::NS(NS(Name::new_unchecked(plain()?))),
        "MX" => RData::MX(MX {
            preference: number(data, "preference")?,
            exchange: Name::new_unchecked(text(data, "exchange")?),
        }),
        "SRV" => RData::SRV(SRV {
            priority: number(data, "priority")?,
            weight: number(data, "weight")?,
            port: number(data, "port")?,
            target: Name::new_unchecked(text(data, "target")?),
        }),
        "CAA" => RData::CAA(CAA {
            flag: number(data, "flag")?,
            tag: CharacterString::new(text(data, "tag")?.as_bytes())?,
            value: text(data, "value")?.as_bytes().into(),
        }),
        "HTTPS" => RData::HTTPS(HTTPS(svcb(data)?)),
        "SVCB" => RData::SVCB(svcb(data)?),
        other => return Err(format!("type {other}: not known to this peer").into()),
    })
}

fn svcb(data: &Value) -> Result<SVCB<'_>, Failure> {
    let mut svcb = SVCB::new(number(data, "priority")?, Name::new_unchecked(text(data, "target")?));
    crate::set_params(&mut svcb, data)?;
    Ok(svcb)
}

/// A packet as `{public_key, timestamp, packet (hex of the whole), dns (hex), records}`.
pub fn shown(packet: &SignedPacket) -> Value {
    let records: Vec<Value> = packet
        .all_resource_records()
        .map(|record| {
            json!({
                "name": record.name.to_string(),
                "ttl": record.ttl,
                "rdata": format!("{:?}", record.rdata),
            })
        })
        .collect();
    json!({
        "public_key": packet.public_key().to_z32(),
        "timestamp": packet.timestamp().as_u64(),
        "packet": hex::encode(packet.as_bytes()),
        "records": records,
    })
}

/// Answers the requests about pkarr's cache on disk: `cache_open {folder, capacity}`, `cache_put` (as [`sign`]),
/// `cache_get {public_key}`, `cache_close`. `None` if the operation is another one.
pub fn cached(
    cache: &mut Option<LmdbCache>,
    op: &str,
    request: &Value,
) -> Result<Option<Value>, Failure> {
    if !op.starts_with("cache_") {
        return Ok(None);
    }
    let opened = || cache.as_ref().ok_or("no cache yet");
    Ok(Some(match op {
        "cache_open" => {
            let capacity = number::<u32>(request, "capacity")? as usize;
            let folder = Path::new(text(request, "folder")?);
            *cache = Some(LmdbCache::open_unsafe(folder, capacity)?);
            json!({ "ready": true })
        }
        "cache_put" => {
            let packet = sign(request)?;
            opened()?.put(&CacheKey::from(packet.public_key()), &packet);
            seen(&packet)
        }
        "cache_get" => {
            let key = PublicKey::try_from(text(request, "public_key")?)?;
            let packet = opened()?.get(&CacheKey::from(&key)).ok_or("not found")?;
            seen(&packet)
        }
        "cache_close" => {
            *cache = None;
            json!({ "closed": true })
        }
        other => return Err(format!("op {other}: not known").into()),
    }))
}

/// As [`shown`], and when it was last seen.
fn seen(packet: &SignedPacket) -> Value {
    let mut value = shown(packet);
    value["last_seen"] = packet.last_seen().as_u64().into();
    value
}
