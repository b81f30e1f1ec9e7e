//! Drives pkarr 5.0.3 and pkarr-relay 0.11 by lines of JSON: one request on stdin, one answer on stdout.
//!
//! A process of its own, because these crates' dependencies must never meet ours.

use std::io::{BufRead, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use pkarr::dns::CharacterString;
use pkarr::dns::rdata::SVCB;
use pkarr::extra::lmdb_cache::LmdbCache;
use pkarr::{Client, PublicKey, SignedPacket, Timestamp};
use pkarr_relay::{RateLimiterConfig, Relay};
use serde_json::{Value, json};

#[path = "../../records.rs"]
mod records;
use records::{Failure, cached, shown, sign, text};

/// What earlier requests of this process have started.
#[derive(Default)]
struct Started {
    cache: Option<LmdbCache>,
    client: Option<Client>,
    relays: Vec<Relay>,
}

#[tokio::main]
async fn main() {
    let mut started = Started::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match answer(&mut started, &line).await {
            Ok(answer) => answer,
            Err(failure) => json!({ "error": failure.to_string() }),
        };
        println!("{answer}");
        if std::io::stdout().flush().is_err() {
            break;
        }
    }
}

async fn answer(started: &mut Started, line: &str) -> Result<Value, Failure> {
    let request: Value = serde_json::from_str(line)?;
    match text(&request, "op")? {
        "relay" => {
            let relay = relay(&request).await?;
            let url = format!("http://127.0.0.1:{}", relay.relay_address().port());
            started.relays.push(relay);
            Ok(json!({ "url": url }))
        }
        "client" => {
            started.client = Some(client(&request)?);
            Ok(json!({ "ready": true }))
        }
        "sign" => Ok(shown(&sign(&request)?)),
        "read" => Ok(shown(&read(&request)?)),
        "publish" => {
            let packet =
                if request["packet"].is_string() { read(&request)? } else { sign(&request)? };
            let client = started.client.as_ref().ok_or("no client yet")?;
            client.publish(&packet, request["cas"].as_u64().map(Timestamp::from)).await?;
            Ok(json!({ "packet": shown(&packet) }))
        }
        "resolve" => {
            let client = started.client.as_ref().ok_or("no client yet")?;
            let key = PublicKey::try_from(text(&request, "public_key")?)?;
            let packet = client.resolve_most_recent(&key).await.ok_or("not found")?;
            Ok(shown(&packet))
        }
        other => cached(&mut started.cache, other, &request)?
            .ok_or_else(|| format!("op {other}: not known").into()),
    }
}

/// A relay of the generation that knows `If-Match`; with `limited`, for one request an hour.
async fn relay(request: &Value) -> Result<Relay, Failure> {
    let bootstrap = list(request, "bootstrap");
    let mut builder = Relay::builder();
    builder.http_port(0).disable_rate_limiter().pkarr(|client| {
        client
            .no_default_network()
            .bootstrap(&bootstrap)
            .request_timeout(Duration::from_secs(2))
            .dht(|dht| dht.server_mode().bind_address(Ipv4Addr::LOCALHOST))
    });
    if request["limited"].as_bool() == Some(true) {
        let limits = RateLimiterConfig { behind_proxy: false, per_second: 3600, burst_size: 1 };
        builder.rate_limiter_config(limits);
    }
    // SAFETY: its cache is in a folder of this process, which nobody else opens.
    Ok(unsafe { builder.run() }.await.map_err(|error| error.to_string())?)
}

fn client(request: &Value) -> Result<Client, Failure> {
    let mut builder = Client::builder();
    builder.no_default_network().cache_size(0).request_timeout(Duration::from_secs(5));
    let bootstrap = list(request, "bootstrap");
    if !bootstrap.is_empty() {
        builder.bootstrap(&bootstrap).dht(|dht| dht.bind_address(Ipv4Addr::LOCALHOST));
    }
    let relays = list(request, "relays");
    if !relays.is_empty() {
        builder.relays(&relays)?;
    }
    Ok(builder.build()?)
}

fn read(request: &Value) -> Result<SignedPacket, Failure> {
    let bytes = hex::decode(text(request, "packet")?)?;
    let key: [u8; 32] = bytes.get(..32).ok_or("packet: too short")?.try_into()?;
    let payload = bytes.get(32..).ok_or("packet: too short")?.to_vec().into();
    Ok(SignedPacket::from_relay_payload(&PublicKey::try_from(&key)?, &payload)?)
}

fn list(request: &Value, member: &str) -> Vec<String> {
    let items = request[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Sets the service parameters `alpn`, `port` and `ipv4hint`; their types differ between the generations.
pub fn set_params<'a>(svcb: &mut SVCB<'a>, data: &'a Value) -> Result<(), Failure> {
    if let Some(list) = data["alpn"].as_array() {
        let ids: Result<Vec<_>, Failure> = list
            .iter()
            .map(|id| {
                Ok(CharacterString::new(id.as_str().ok_or("alpn: not a string")?.as_bytes())?)
            })
            .collect();
        svcb.set_alpn(ids?)?;
    }
    if let Some(port) = data["port"].as_u64() {
        svcb.set_port(u16::try_from(port)?);
    }
    if let Some(hint) = data["ipv4hint"].as_str() {
        svcb.set_ipv4hint([hint.parse::<Ipv4Addr>()?.to_bits()])?;
    }
    Ok(())
}
