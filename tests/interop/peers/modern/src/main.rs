//! Drives pkarr 8.1, pkarr-relay 2.1 and mainline 8 by lines of JSON: one request on stdin, one answer on stdout.
//!
//! A process of its own, because these crates' dependencies must never meet ours.

use std::io::{BufRead, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_lite::StreamExt;
use mainline::{Dht, Id, MutableItem, SigningKey};
use pkarr::dht::ReportPolicy;
use pkarr::dns::CharacterString;
use pkarr::dns::rdata::{SVCB, SVCParam};
use pkarr::extra::lmdb_cache::LmdbCache;
use pkarr::{Client, PublicKey, ResolvePolicy, SignedPacket};
use pkarr_relay::{RateLimiterConfig, Relay};
use serde_json::{Value, json};

#[path = "../../records.rs"]
mod records;
use records::{Failure, cached, keypair, shown, sign, text};

/// What earlier requests of this process have started.
#[derive(Default)]
struct Started {
    cache: Option<LmdbCache>,
    client: Option<Client>,
    dht: Option<Dht>,
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
            let stored = client.publish(&packet).await?;
            Ok(json!({ "stored": format!("{stored:?}"), "packet": shown(&packet) }))
        }
        "resolve" => {
            let client = started.client.as_ref().ok_or("no client yet")?;
            let key = PublicKey::try_from(text(&request, "public_key")?)?;
            Ok(shown(&client.resolve(&key, ResolvePolicy::NetworkOnly).await?))
        }
        op => match cached(&mut started.cache, op, &request)? {
            Some(answer) => Ok(answer),
            None => mainline_answer(started, op, &request).await,
        },
    }
}

/// A relay without limits; with `quota` or `user_dht_quota`, one with these and no others to speak of.
async fn relay(request: &Value) -> Result<Relay, Failure> {
    let bootstrap = list(request, "bootstrap");
    if request["quota"].is_null() && request["user_dht_quota"].is_null() {
        return Ok(Relay::run_test(&bootstrap).await.map_err(|error| error.to_string())?);
    }
    let quota = |member: &str| request[member].as_str().unwrap_or("1000r/s").parse();
    let limits = RateLimiterConfig {
        quota: quota("quota")?,
        dht_quota: quota("dht_quota")?,
        user_dht_quota: quota("user_dht_quota")?,
        ..RateLimiterConfig::default()
    };
    let mut builder = Relay::builder();
    builder.http_port(0).rate_limiter_config(limits).report_policy(ReportPolicy::testnet());
    builder.request_timeout(Duration::from_secs(2)).dht(|dht| {
        let bootstrap = bootstrap.iter().filter_map(|address| address.parse().ok());
        dht.bootstrap = Some(bootstrap.collect());
        dht.bind_address = Some(Ipv4Addr::LOCALHOST);
        // A port of the system's choice, as in the relay's own tests.
        dht.port = Some(0);
        dht
    });
    // SAFETY: its cache is in a folder of this process, which nobody else opens.
    Ok(unsafe { builder.run() }.await.map_err(|error| error.to_string())?)
}

/// The requests that speak to mainline itself.
async fn mainline_answer(
    started: &mut Started,
    op: &str,
    request: &Value,
) -> Result<Value, Failure> {
    if op == "dht" {
        let mut builder = Dht::builder();
        builder.bootstrap(&list(request, "bootstrap")).bind_address(Ipv4Addr::LOCALHOST).port(0);
        if request["server"].as_bool() == Some(true) {
            builder.server_mode();
        }
        let dht = builder.build()?;
        let ready = dht.clone().as_async().bootstrapped().await;
        let address = dht.clone().as_async().info().await.local_addr().to_string();
        started.dht = Some(dht);
        return Ok(json!({ "address": address, "bootstrapped": ready }));
    }
    let dht = started.dht.clone().ok_or("no dht yet")?.as_async();
    match op {
        "put_mutable" => {
            let seed = keypair(request)?.secret_key();
            let salt = salt(request)?;
            let value = hex::decode(text(request, "value")?)?;
            let seq = request["seq"].as_i64().ok_or("seq: not a number")?;
            let item =
                MutableItem::new(SigningKey::from_bytes(&seed), &value, seq, salt.as_deref());
            let done = dht.put_mutable(item, request["cas"].as_i64()).await;
            Ok(match done {
                Ok(outcome) => json!({ "stored": outcome.stored_at }),
                Err(error) => json!({ "error": error.to_string() }),
            })
        }
        "get_mutable" => {
            let key: [u8; 32] =
                hex::decode(text(request, "key")?)?.try_into().map_err(|_| "key: not 32 bytes")?;
            let salt = salt(request)?;
            match dht.get_mutable_most_recent(&key, salt.as_deref()).await {
                Some(item) => Ok(json!({ "seq": item.seq(), "value": hex::encode(item.value()) })),
                None => Ok(json!({ "error": "not found" })),
            }
        }
        "put_immutable" => {
            let value = hex::decode(text(request, "value")?)?;
            Ok(json!({ "target": dht.put_immutable(&value).await?.to_string() }))
        }
        "get_immutable" => {
            let target: Id = text(request, "target")?.parse().map_err(|_| "target: not an id")?;
            match dht.get_immutable(target).await {
                Some(value) => Ok(json!({ "value": hex::encode(value) })),
                None => Ok(json!({ "error": "not found" })),
            }
        }
        "announce" => {
            let hash: Id =
                text(request, "info_hash")?.parse().map_err(|_| "info_hash: not an id")?;
            let port = u16::try_from(request["port"].as_u64().ok_or("port: not a number")?)?;
            Ok(json!({ "target": dht.announce_peer(hash, Some(port)).await?.to_string() }))
        }
        "get_peers" => {
            let hash: Id =
                text(request, "info_hash")?.parse().map_err(|_| "info_hash: not an id")?;
            let mut found = Vec::new();
            let mut peers = dht.get_peers(hash);
            while let Some(some) = peers.next().await {
                found.extend(some.iter().map(ToString::to_string));
            }
            found.sort();
            found.dedup();
            Ok(json!({ "peers": found }))
        }
        other => Err(format!("op {other}: not known").into()),
    }
}

fn client(request: &Value) -> Result<Client, Failure> {
    let mut builder = Client::builder();
    builder
        .no_default_network()
        .cache_size(0)
        .dht_request_timeout(Duration::from_secs(2))
        .relay_request_timeout(Duration::from_secs(10));
    let bootstrap = list(request, "bootstrap");
    if !bootstrap.is_empty() {
        builder.bootstrap(&bootstrap).dht(|config| {
            config.bind_address = Some(Ipv4Addr::LOCALHOST);
            config
        });
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

fn salt(request: &Value) -> Result<Option<Vec<u8>>, Failure> {
    Ok(request["salt"].as_str().map(hex::decode).transpose()?)
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
        svcb.set_param(SVCParam::Alpn(ids?));
    }
    if let Some(port) = data["port"].as_u64() {
        svcb.set_port(u16::try_from(port)?);
    }
    if let Some(hint) = data["ipv4hint"].as_str() {
        svcb.set_ipv4hint(&[hint.parse::<Ipv4Addr>()?.to_bits()]);
    }
    Ok(())
}
