//! Fuzz target of the client crate: HTTPS and SVCB records of any bytes, and what they lead to.
//!
//! Separate, because each crate's promises are written down in one file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use futures_util::StreamExt;
use mainstay_client::{Cache, Cached, Client, InMemoryCache};
use mainstay_packets::{SignedPacketBuilder, zone};
use tokio::runtime::{Builder, Runtime};

use super::packets::{KEYPAIR, TIMESTAMP, signed};

/// More than a search of one packet yields.
const MANY: usize = 4096;

/// The longest text of a name without its last dot; one byte counts its first label and one ends it.
const LONGEST_NAME: usize = 253;

/// A client whose only relay is a closed port of this machine, the cache that it answers from, and who waits for it.
static PLACE: LazyLock<(Client, Arc<InMemoryCache>, Runtime)> = LazyLock::new(|| {
    let cache = Arc::new(InMemoryCache::new(10));
    let client = Client::builder()
        .no_default_network()
        .relays(&["http://127.0.0.1:1"])
        .expect("an address")
        .cache(cache.clone())
        .build()
        .expect("a client");
    (client, cache, Builder::new_current_thread().build().expect("a runtime"))
});

/// Each packet is later than those before it, so that the cache takes it.
static LATER: AtomicU64 = AtomicU64::new(TIMESTAMP);

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "@ HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1\n@ A 192.0.2.2\n",
        "@ HTTPS 0 www\nwww HTTPS 1 . mandatory=port port=1 no-default-alpn alpn=x\nwww A 192.0.2.3\n",
        "@ HTTPS 1 a\n@ HTTPS 1 b\na CNAME @\nb CNAME a\n",
        "@ SVCB 2 @ key667=ab\n@ SVCB 1 example.com. mandatory=key667 key667=ab\n@ AAAA ::1\n",
    ]
    .iter()
    .filter_map(|text| zone::parse(text, &KEYPAIR.public_key()).ok())
    .filter_map(|zone| SignedPacketBuilder::from(zone).sign(&KEYPAIR).ok())
    .map(|packet| packet.encoded_packet().to_vec())
    .collect()
}

/// Whatever the records, the search ends, its endpoints have names that DNS can carry, and the first of them is what
/// the search for one gives.
pub(super) fn endpoints(dns: &[u8]) {
    let (client, cache, runtime) = &*PLACE;
    let Ok(packet) = signed(LATER.fetch_add(1, Ordering::Relaxed), dns) else { return };
    let name = packet.public_key().to_z32();
    runtime.block_on(async {
        cache.put(Cached::seen_now(packet)).await.expect("memory takes what is newer");
        let https: Vec<_> = client.resolve_https_endpoints(&name).take(MANY).collect().await;
        let svcb: Vec<_> = client.resolve_svcb_endpoints(&name).take(MANY).collect().await;
        assert!(https.len() < MANY && svcb.len() < MANY, "a search without end");
        for endpoint in https.iter().chain(&svcb) {
            assert!(endpoint.target().len() <= LONGEST_NAME, "{endpoint:?}");
        }
        let first = client.resolve_https_endpoint(&name).await;
        assert_eq!(first.is_ok(), !https.is_empty(), "{first:?} of {https:?}");
    });
}
