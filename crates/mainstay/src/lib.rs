//! Names that only their owner controls: an Ed25519 key signs DNS records, the Mainline DHT and HTTP
//! relays carry them, and whoever knows the key resolves them.
//!
//! Separate from the crates below so that a program names one dependency and chooses its parts by
//! feature; there is no code here.
//!
//! # Which features?
//!
//! | you want to | Cargo.toml |
//! |---|---|
//! | publish and resolve from a server or a desktop | `mainstay` |
//! | speak to relays only | `default-features = false, features = ["relays"]` |
//! | sign and verify offline | `default-features = false, features = ["signed_packet"]` |
//! | make and read keys | `default-features = false, features = ["keys"]` |
//! | have everything | `features = ["full"]` |
//!

#![forbid(unsafe_code)]
#![cfg_attr(
    feature = "dht",
    doc = r#"
# Publish and resolve

```
use mainstay::{Client, Keypair, SignedPacket};

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
// A network of ten nodes in this process. Without the two lines that name it, the client asks the
// public DHT and the default relays.
let testnet = mainstay::dht::Testnet::new(10).await?;
let client = Client::builder()
    .no_default_network()
    .bootstrap(&testnet.bootstrap)
    .build()?;

let keypair = Keypair::random();
let packet = SignedPacket::builder()
    .address("@".try_into()?, "192.0.2.7".parse()?, 300)
    .txt("_proto".try_into()?, "v=1".try_into()?, 300)
    .sign(&keypair)?;
client.publish(&packet, None).await?;

let resolved = client.resolve(&keypair.public_key()).await.expect("it was just published");
let address = resolved.resource_records("@").find_map(|record| record.address());
assert_eq!(address, Some("192.0.2.7".parse()?));
# Ok(())
# }
```
"#
)]

#[cfg(feature = "keys")]
pub use mainstay_keys::{
    Keypair, PublicKey, PublicKeyError, SecretKey, Signature, SignatureError, z32,
};

#[cfg(all(feature = "keys", not(target_family = "wasm")))]
pub use mainstay_keys::file as key_file;

#[cfg(feature = "zone-text")]
pub use mainstay_packets::zone;
#[cfg(feature = "signed_packet")]
pub use mainstay_packets::{
    AllRecords, BuildError as SignedPacketBuildError, NameError, Owner, Record, RecordName,
    Records, SignedPacket, SignedPacketBuilder, Timestamp, TimestampError,
    VerifyError as SignedPacketVerifyError, dns, parse_type, type_name,
};

#[cfg(all(feature = "disk-cache", not(target_family = "wasm")))]
pub use mainstay_client::DiskCache;
#[cfg(all(feature = "lmdb-cache", not(target_family = "wasm")))]
pub use mainstay_client::LmdbCache;
#[cfg(all(
    any(feature = "hyper-connector", feature = "quinn-connector"),
    not(target_family = "wasm")
))]
pub use mainstay_client::connect;
#[cfg(all(feature = "tls", not(target_family = "wasm")))]
pub use mainstay_client::tls;
#[cfg(any(
    feature = "dht",
    feature = "relays",
    feature = "endpoints",
    feature = "lmdb-cache",
    feature = "disk-cache"
))]
pub use mainstay_client::{
    Answer, AnswerOutcome, Answers, BackendName, BuildError, Cache, CacheError, Cached, Client,
    ClientBuilder, ConcurrencyError, CurrentZone, DEFAULT_CACHE_SIZE, DEFAULT_MAX_RECURSION_DEPTH,
    DEFAULT_MAXIMUM_TTL, DEFAULT_MINIMUM_TTL, DEFAULT_RELAY_TIMEOUT, EditError, Failure, Freshness,
    Hop, InMemoryCache, Known, MAX_UPDATE_ATTEMPTS, NameAnswer, Peek, Policy, PublishError,
    PublishOutcome, PublishReport, PublishResult, Put, Resolution, ResolveError, ResolveNameError,
    ResolveStream, Source, UpdateError, Updated, Verdict,
};
#[cfg(feature = "endpoints")]
pub use mainstay_client::{Attempt, Attempts, CouldNotResolveEndpoint, DeadEnd, Endpoint};
#[cfg(all(any(feature = "lmdb-cache", feature = "disk-cache"), not(target_family = "wasm")))]
pub use mainstay_client::{
    CacheFault, CacheOptions, CacheStatus, Durability, OpenCacheError, SetAside, Writing,
};
#[cfg(all(
    any(
        feature = "dht",
        feature = "relays",
        feature = "endpoints",
        feature = "lmdb-cache",
        feature = "disk-cache"
    ),
    not(target_family = "wasm")
))]
pub use mainstay_client::{ClientBlocking, ResolveIter, republish};
#[cfg(feature = "relays")]
pub use mainstay_client::{DEFAULT_RELAYS, InvalidRelayUrl};

/// The DHT node itself, for programs that need more of it than [`Client::dht`] gives: server nodes,
/// peers, immutable items, test networks.
#[cfg(feature = "dht")]
pub use mainstay_dht as dht;
/// [`dht`], under the name that pkarr 5 gave it.
#[cfg(feature = "dht")]
pub use mainstay_dht as mainline;
