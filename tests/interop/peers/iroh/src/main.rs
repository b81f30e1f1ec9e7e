//! Drives iroh's endpoints and its pkarr publisher, resolver and relay client by lines of JSON: one request on stdin,
//! one answer on stdout.
//!
//! A process of its own, because these crates' dependencies must never meet ours.

use std::io::{BufRead, Write};
use std::net::Ipv4Addr;

use iroh::address_lookup::{
    AddrFilter, AddressLookup, EndpointData, EndpointInfo, PkarrError, PkarrPublisher,
    PkarrRelayClient, PkarrResolver,
};
use iroh::dns::DnsResolver;
use iroh::endpoint::presets::Minimal;
use iroh::tls::{CaTlsConfig, default_provider};
use iroh::{Endpoint, EndpointId, RelayMode, SecretKey, TransportAddr};
use iroh_dns::pkarr::SignedPacket;
use n0_future::StreamExt;
use serde_json::{Value, json};

/// The protocol that two endpoints speak: one word, which is said back.
const ALPN: &[u8] = b"mainstay/echo";

/// Why a line could not be carried out, as the text to send back.
type Failure = Box<dyn std::error::Error>;

/// What earlier requests of this process have started; a publisher that is dropped publishes no more.
#[derive(Default)]
struct Started {
    endpoints: Vec<Endpoint>,
    publishers: Vec<PkarrPublisher>,
}

#[tokio::main]
async fn main() {
    let mut started = Started::default();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = match answer(&mut started, &line).await {
            Ok(answer) => answer,
            Err(failure) => {
                json!({ "error": format!("{failure:?}"), "status": status(failure.as_ref()) })
            }
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
        // An endpoint that announces itself at the relay, with all its addresses, and says back what it is told.
        "serve" => {
            let lookup = PkarrPublisher::builder(text(&request, "relay")?.parse()?)
                .addr_filter(AddrFilter::unfiltered());
            let endpoint = bound().address_lookup(lookup).bind().await?;
            let sockets = endpoint.bound_sockets();
            tokio::spawn(echo(endpoint.clone()));
            let key = endpoint.id().to_z32();
            started.endpoints.push(endpoint);
            Ok(json!({ "public_key": key, "addresses": sockets }))
        }
        // Another endpoint, which knows of the first its key and the relay.
        "dial" => {
            let lookup = PkarrResolver::builder(text(&request, "relay")?.parse()?);
            let endpoint = bound().address_lookup(lookup).bind().await?;
            let connection = endpoint.connect(key(&request)?, ALPN).await?;
            let (mut send, mut receive) = connection.open_bi().await?;
            send.write_all(text(&request, "word")?.as_bytes()).await?;
            send.finish()?;
            let said = String::from_utf8(receive.read_to_end(100).await?)?;
            endpoint.close().await;
            Ok(json!({ "said": said }))
        }
        "announce" => {
            let publisher = PkarrPublisher::builder(text(&request, "relay")?.parse()?)
                .addr_filter(AddrFilter::unfiltered())
                .build(secret_key(&request)?, tls()?);
            publisher.update_endpoint_data(&data(&request)?);
            started.publishers.push(publisher);
            Ok(json!({ "announced": true }))
        }
        "find" => {
            let resolver = PkarrResolver::builder(text(&request, "relay")?.parse()?).build(tls()?);
            let mut items = resolver.resolve(key(&request)?).ok_or("it resolves nothing")?;
            let item = items.next().await.ok_or("no item")??;
            Ok(shown(item.endpoint_info()))
        }
        "sign" => {
            let secret = secret_key(&request)?;
            let info = EndpointInfo::from_parts(secret.public(), data(&request)?);
            let packet = info.to_pkarr_signed_packet(&secret, 30)?;
            Ok(json!({ "packet": hex::encode(packet.as_bytes()) }))
        }
        "publish" => {
            let packet = SignedPacket::from_bytes(&hex::decode(text(&request, "packet")?)?)?;
            relay_client(&request)?.publish(&packet).await?;
            Ok(json!({ "published": true }))
        }
        "resolve" => {
            let packet = relay_client(&request)?.resolve(key(&request)?).await?;
            Ok(json!({ "packet": hex::encode(packet.as_bytes()) }))
        }
        op => Err(format!("op {op}: not known").into()),
    }
}

/// An endpoint that reaches nothing but loopback, and nobody by a relay of iroh's.
fn bound() -> iroh::endpoint::Builder {
    Endpoint::builder(Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr((Ipv4Addr::LOCALHOST, 0))
        .expect("an address")
        .alpns(vec![ALPN.to_vec()])
}

/// Says back what each stream of each connection says, as long as the endpoint is open.
async fn echo(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            let (mut send, mut receive) = connection.accept_bi().await?;
            send.write_all(&receive.read_to_end(100).await?).await?;
            send.finish()?;
            connection.closed().await;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
}

fn relay_client(request: &Value) -> Result<PkarrRelayClient, Failure> {
    Ok(PkarrRelayClient::new(text(request, "relay")?.parse()?, tls()?, DnsResolver::default()))
}

/// The member `tls` that each of them wants; the relays of the tests speak plain HTTP.
fn tls() -> Result<rustls::ClientConfig, Failure> {
    Ok(CaTlsConfig::embedded().client_config(default_provider())?)
}

/// What `{addresses: [...], relays: [...], user_data}` says of an endpoint.
fn data(request: &Value) -> Result<EndpointData, Failure> {
    let mut addresses = Vec::new();
    for relay in list(request, "relays") {
        addresses.push(TransportAddr::Relay(relay.parse()?));
    }
    for address in list(request, "addresses") {
        addresses.push(TransportAddr::Ip(address.parse()?));
    }
    let mut data = EndpointData::new(addresses);
    data.set_user_data(request["user_data"].as_str().map(str::parse).transpose()?);
    Ok(data)
}

/// The same, of what was found.
fn shown(info: &EndpointInfo) -> Value {
    json!({
        "public_key": info.endpoint_id.to_z32(),
        "relays": info.relay_urls().map(ToString::to_string).collect::<Vec<_>>(),
        "addresses": info.ip_addrs().map(ToString::to_string).collect::<Vec<_>>(),
        "user_data": info.user_data().map(ToString::to_string),
    })
}

fn key(request: &Value) -> Result<EndpointId, Failure> {
    Ok(EndpointId::from_z32(text(request, "public_key")?)?)
}

fn secret_key(request: &Value) -> Result<SecretKey, Failure> {
    let seed: [u8; 32] =
        hex::decode(text(request, "seed")?)?.try_into().map_err(|_| "seed: not 32 bytes")?;
    Ok(SecretKey::from_bytes(&seed))
}

fn text<'a>(request: &'a Value, member: &str) -> Result<&'a str, Failure> {
    Ok(request[member].as_str().ok_or_else(|| format!("{member}: not a string"))?)
}

fn list<'a>(request: &'a Value, member: &str) -> impl Iterator<Item = &'a str> {
    let items = request[member].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str)
}

/// The status of a relay's refusal: iroh keeps it in the error, and leaves it out of the words.
fn status(failure: &(dyn std::error::Error + 'static)) -> Option<u16> {
    let mut causes = std::iter::successors(Some(failure), |cause| cause.source());
    causes.find_map(|cause| match cause.downcast_ref()? {
        PkarrError::HttpRequest { status, .. } => Some(status.as_u16()),
        _ => None,
    })
}
