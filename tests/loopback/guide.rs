//! Every code block of the integration guide for pkarr 5, with `mainstay` in the place of `pkarr`.
//! Apart from the client's tests because this is a promise about words: a program written after the
//! guide compiles when one line changes. Blocks that would ask the public network are compiled only.

use mainstay as pkarr;
// The guide takes `Timestamp` from the crate that pkarr 5 took it from.
use mainstay as ntimestamp;

use std::sync::Arc;

// As in pkarr 5: the DHT crate under the name that it has there.
use pkarr::mainline::Testnet;
// The guide writes the path out; it is imported because tests must not wait, and none does.
use tokio::time::{Duration, sleep};

type Anything = Result<(), Box<dyn std::error::Error>>;

fn networks() -> Anything {
    use pkarr::Client;

    // Default: both DHT and relays enabled
    let client = Client::builder().build()?;
    drop(client);

    // DHT only (no relay fallback)
    let client = Client::builder().no_relays().build()?;
    drop(client);

    // Relays only (required for WASM, optional for firewall-restricted environments)
    let client = Client::builder().no_dht().build()?;
    drop(client);

    // Custom relays
    let client = Client::builder()
        .relays(&["https://pkarr.pubky.app", "https://my-relay.example.com"])?
        .build()?;
    drop(client);

    // Custom DHT bootstrap nodes
    let client = Client::builder().bootstrap(&["router.bittorrent.com:6881"]).build()?;
    drop(client);

    // Extend defaults with additional nodes
    let client = Client::builder()
        .extra_bootstrap(&["my-bootstrap.example.com:6881"])
        .extra_relays(&["https://my-relay.example.com"])?
        .build()?;
    drop(client);
    Ok(())
}

fn caches() -> Anything {
    use pkarr::Client;

    // Adjust in-memory cache size (default: 1000 entries)
    let client = Client::builder().cache_size(5000).build()?;
    drop(client);

    // Disable caching
    let client = Client::builder().cache_size(0).build()?;
    drop(client);

    // Custom cache implementation
    let custom_cache: Arc<dyn pkarr::Cache> = Arc::new(pkarr::InMemoryCache::new(7));
    let client = Client::builder().cache(custom_cache).build()?;
    drop(client);
    Ok(())
}

fn ttl_bounds() -> Anything {
    use pkarr::Client;
    let client = Client::builder()
        // Minimum time before a packet is considered expired
        .minimum_ttl(60) // At least 60 seconds
        // Maximum time before forcing a refresh
        .maximum_ttl(86400) // At most 24 hours
        .build()?;
    drop(client);
    Ok(())
}

fn timeouts() -> Anything {
    use pkarr::Client;
    use std::time::Duration;
    let client = Client::builder().request_timeout(Duration::from_secs(5)).build()?;
    drop(client);
    Ok(())
}

fn recursion() -> Anything {
    use pkarr::Client;
    let client = Client::builder()
        .max_recursion_depth(7) // Limit CNAME/alias chain depth
        .build()?;
    drop(client);
    Ok(())
}

async fn asynchronous() -> Anything {
    use pkarr::{Client, PublicKey};

    let client = Client::builder().build()?;
    let public_key: PublicKey = "pk:...".try_into()?;
    let packet = client.resolve(&public_key).await;
    drop(packet);
    Ok(())
}

fn synchronous() -> Anything {
    use pkarr::{Client, PublicKey};

    let client = Client::builder().build()?.as_blocking();
    let public_key: PublicKey = "pk:...".try_into()?;
    let packet = client.resolve(&public_key);
    drop(packet);
    Ok(())
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the guide prints")]
mod republishing {
    use super::{Duration, pkarr, sleep};
    use pkarr::{Client, Keypair, SignedPacket};

    pub(super) async fn republish_loop(
        client: Client,
        keypair: Keypair,
        build_packet: impl Fn() -> SignedPacket,
    ) {
        let interval = Duration::from_secs(3600); // Republish hourly
        drop(keypair);
        loop {
            let packet = build_packet();
            match client.publish(&packet, None).await {
                Ok(()) => println!("Republished successfully"),
                Err(e) => eprintln!("Republish failed: {e}"),
            }
            sleep(interval).await;
        }
    }
}

mod compare_and_swap {
    use super::{ntimestamp, pkarr};
    use ntimestamp::Timestamp;
    use pkarr::{Client, Keypair, SignedPacket};

    pub(super) async fn safe_republish(
        client: &Client,
        keypair: &Keypair,
    ) -> Result<(), Box<dyn std::error::Error>> {
        // Get the most recent version
        let (current_packet, cas): (SignedPacket, Option<Timestamp>) =
            match client.resolve_most_recent(&keypair.public_key()).await {
                Some(existing) => {
                    // Rebuild packet with same or updated records
                    let new_packet = SignedPacket::builder()
                        // Copy existing records you want to keep
                        .txt("key".try_into()?, "updated_value".try_into()?, 300)
                        .sign(keypair)?;
                    (new_packet, Some(existing.timestamp()))
                }
                None => {
                    let new_packet = SignedPacket::builder()
                        .txt("key".try_into()?, "value".try_into()?, 300)
                        .sign(keypair)?;
                    (new_packet, None)
                }
            };
        // Publish with CAS - fails if someone else published in between
        client.publish(&current_packet, cas).await?;
        Ok(())
    }
}

fn the_dht_node() -> Anything {
    use pkarr::Client;
    let client = Client::builder().build()?;

    // Access the underlying mainline DHT node
    if let Some(dht) = client.dht() {
        // Check if bootstrapped
        let bootstrapped = dht.bootstrapped();
        // Get routing table info
        let info = dht.info();
        // Export bootstrap nodes for other clients
        let bootstrap_nodes = dht.to_bootstrap();
        drop((bootstrapped, info, bootstrap_nodes));
    }
    Ok(())
}

fn the_cache() -> Anything {
    use pkarr::Client;
    let client = Client::builder().build()?;
    if let Some(cache) = client.cache() {
        let len = cache.len();
        let capacity = cache.capacity();
        let _: (usize, usize) = (len, capacity);
    }
    Ok(())
}

/// A client of a test network, in a runtime of its own as a program would have it.
async fn client_of(testnet: &Testnet) -> pkarr::Client {
    let builder = pkarr::Client::builder().no_default_network();
    let builder = builder.bootstrap(&testnet.bootstrap);
    builder.dht(|dht| dht.bind(([127, 0, 0, 1], 0).into())).build().expect("a free port")
}

#[test]
fn every_block_of_the_guide_compiles() {
    let blocks: [fn() -> Anything; 8] =
        [networks, caches, ttl_bounds, timeouts, recursion, synchronous, the_dht_node, the_cache];
    let unstarted = asynchronous();
    drop(unstarted);
    assert_eq!(blocks.len(), 8);
}

#[tokio::test]
async fn the_guides_republish_with_cas_works_for_a_new_key_and_for_a_known_one() {
    let testnet = Testnet::new(10).await.unwrap();
    let client = client_of(&testnet).await;
    let keypair = pkarr::Keypair::random();
    for expected in ["value", "updated_value"] {
        compare_and_swap::safe_republish(&client, &keypair).await.unwrap();
        let reader = client_of(&testnet).await;
        let packet = reader.resolve(&keypair.public_key()).await.expect("it was published");
        let text = packet.resource_records("key").find_map(|record| record.text());
        assert_eq!(text.as_deref(), Some(expected.as_bytes()));
    }
}

#[tokio::test]
async fn the_guides_republish_loop_publishes_at_once() {
    let testnet = Testnet::new(10).await.unwrap();
    let keypair = pkarr::Keypair::random();
    let packet = pkarr::SignedPacket::builder().sign(&keypair).unwrap();
    let build_packet = {
        let packet = packet.clone();
        move || packet.clone()
    };
    let client = client_of(&testnet).await;
    let republishing =
        tokio::spawn(republishing::republish_loop(client.clone(), keypair.clone(), build_packet));
    let reader = client_of(&testnet).await;
    let mut found = None;
    for _ in 0..100 {
        found = reader.resolve(&keypair.public_key()).await;
        if found.is_some() {
            break;
        }
    }
    republishing.abort();
    assert_eq!(found, Some(packet));
}

#[tokio::test]
async fn the_guides_accessors_show_a_joined_node_and_a_filled_cache() {
    let testnet = Testnet::new(10).await.unwrap();
    let client = client_of(&testnet).await;
    let packet = pkarr::SignedPacket::builder().sign(&pkarr::Keypair::random()).unwrap();
    client.publish(&packet, None).await.unwrap();
    let dht = client.dht().expect("the DHT is on");
    assert!(dht.ready().await);
    assert!(dht.bootstrapped());
    let cache = client.cache().expect("the cache is on");
    assert_eq!((cache.len(), cache.capacity()), (1, 1000));
}
