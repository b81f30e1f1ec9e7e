//! Resolves a key with a cache in Redis, which any number of programs on any number of machines may share.
//! Separate from the caches of Mainstay: it shows all that a cache of your own needs.
//!
//! ```sh
//! redis-server --port 0 --unixsocket /run/redis.sock --maxmemory 64mb --maxmemory-policy allkeys-lru
//! cargo run -p mainstay --features full-client --example redis-cache -- /run/redis.sock <key>
//! ```
//!
//! A `host:port` does in place of the socket. The packets need no trust in whoever runs the server, since each is
//! verified when it is read; that they are fresh, or there at all, does.

#![allow(clippy::print_stdout, reason = "it talks to a person")]

mod cache;
mod resp;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mainstay::{Cache as _, Client, PublicKey};

use self::cache::RedisCache;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("name the server and the key".into());
    };
    let key = PublicKey::try_from(key.as_str())?;
    let cache = Arc::new(RedisCache::connect(&server).await?);
    println!("{} packets in the cache", cache.len());
    let client = Client::builder().cache(Arc::clone(&cache) as _).build()?;
    let packet = client.resolve(&key).await.ok_or("nobody has a packet of this key")?;
    for record in packet.all_resource_records() {
        println!("{record:?}");
    }
    println!("{} packets in the cache", cache.len());
    Ok(())
}
