//! The cache against a real redis-server, which each test starts on a socket of its own.
//! Separate because it is not part of what the example shows.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mainstay::{Cache, Cached, Client, Keypair, Policy, PublicKey, Put, SignedPacket};
use tempfile::TempDir;

use super::cache::RedisCache;
use super::resp::Connection;

/// A server that ends with its test.
struct Server {
    folder: TempDir,
    process: Child,
}

impl Server {
    /// `None` where there is no redis-server and that is allowed.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::run(&folder);
        if process.is_none() {
            assert!(
                std::env::var_os("MAINSTAY_REQUIRE_ALL").is_none(),
                "there is no redis-server; Debian's package of that name brings it"
            );
            eprintln!("skipped: there is no redis-server");
        }
        Some(Self { process: process?, folder })
    }

    fn run(folder: &TempDir) -> Option<Child> {
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let told = BufReader::new(process.stdout.take().unwrap());
        let mut told = told.lines().map_while(Result::ok);
        assert!(told.any(|line| line.contains("eady to accept connections")));
        // Whatever else it tells: a full pipe would stop it.
        std::thread::spawn(move || told.for_each(drop));
        Some(process)
    }

    fn socket(&self) -> String {
        self.folder.path().join("redis.sock").to_str().unwrap().to_owned()
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn cache(&self) -> RedisCache {
        RedisCache::connect(&self.socket()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cached(keypair: &Keypair, timestamp: u64) -> Cached {
    let packet = SignedPacket::builder()
        .txt("_t".try_into().unwrap(), "a text".try_into().unwrap(), 300)
        .timestamp(timestamp.into());
    Cached::seen_now(packet.sign(keypair).unwrap())
}

async fn get(cache: &RedisCache, key: &PublicKey) -> Option<Cached> {
    cache.get(key).await.unwrap()
}

#[tokio::test]
async fn what_one_puts_another_reads_and_an_older_packet_changes_nothing() {
    let Some(server) = Server::start() else { return };
    let (one, other) = (server.cache().await, server.cache().await);
    let keypair = Keypair::random();
    let (old, new) = (cached(&keypair, 5), cached(&keypair, 6));
    assert_eq!(get(&one, &keypair.public_key()).await, None);
    assert_eq!(one.put(new.clone()).await.unwrap(), Put::Stored);
    assert_eq!(get(&other, &keypair.public_key()).await, Some(new.clone()));
    assert_eq!(other.put(old).await.unwrap(), Put::Superseded(new.clone()));
    let again = Cached { last_seen: (new.last_seen.as_u64() + 9).into(), ..new };
    assert_eq!(other.put(again.clone()).await.unwrap(), Put::Refreshed);
    assert_eq!(get(&one, &keypair.public_key()).await, Some(again));
    assert_eq!((one.len(), server.cache().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_puts_the_newest_stands_and_each_is_told_the_truth() {
    let Some(server) = Server::start() else { return };
    let keypair = Arc::new(Keypair::random());
    let writers = (0..6_u64).map(|writer| {
        let (socket, keypair) = (server.socket(), Arc::clone(&keypair));
        tokio::spawn(async move {
            let cache = RedisCache::connect(&socket).await.unwrap();
            for step in 0..20 {
                // Up and down, so that older ones follow newer ones.
                let number = (step * 7 + writer * 3) % 20 + 1;
                let put = cache.put(cached(&keypair, number)).await.unwrap();
                let stands = get(&cache, &keypair.public_key()).await.unwrap().packet.timestamp();
                assert!(stands.as_u64() >= number, "{stands:?} stands after {number}: {put:?}");
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let stands = get(&server.cache().await, &keypair.public_key()).await.unwrap();
    assert_eq!(stands.packet.timestamp().as_u64(), 20);
}

#[tokio::test]
async fn what_the_key_has_not_signed_is_not_served_and_makes_way() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache().await;
    let cached = cached(&Keypair::random(), 5);
    let key = cached.packet.public_key();
    cache.put(cached.clone()).await.unwrap();
    let connection = Connection::new(&server.socket());
    let name = format!("mainstay:{}", key.to_z32());
    for (offset, value) in [("90", "x"), ("3", "xxxxxxxxxxxxxxxx"), ("0", "")] {
        connection
            .ask(&[b"SETRANGE", name.as_bytes(), offset.as_bytes(), value.as_bytes()])
            .await
            .unwrap();
        if value.is_empty() {
            connection.ask(&[b"SET", name.as_bytes(), b"short"]).await.unwrap();
        }
        assert_eq!(get(&cache, &key).await, None, "{offset}");
        assert_eq!(cache.put(cached.clone()).await.unwrap(), Put::Stored);
        assert_eq!(get(&cache, &key).await, Some(cached.clone()));
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_and_one_that_is_back_is_used() {
    let Some(mut server) = Server::start() else { return };
    let cache = server.cache().await;
    let cached = cached(&Keypair::random(), 5);
    cache.put(cached.clone()).await.unwrap();
    server.stop();
    assert!(cache.get(&cached.packet.public_key()).await.is_err());
    assert!(cache.put(cached.clone()).await.is_err());
    server.process = Server::run(&server.folder).unwrap();
    // It keeps nothing over a restart.
    assert_eq!(cache.put(cached.clone()).await.unwrap(), Put::Stored);
    assert_eq!(get(&cache, &cached.packet.public_key()).await, Some(cached));
}

#[tokio::test]
async fn a_command_given_up_halfway_leaves_no_reply_to_the_next() {
    let Some(server) = Server::start() else { return };
    let cache = server.cache().await;
    let (one, other) = (cached(&Keypair::random(), 5), cached(&Keypair::random(), 5));
    for cached in [&one, &other] {
        cache.put(cached.clone()).await.unwrap();
    }
    for _ in 0..20 {
        // Sent, and then forgotten: the reply has not come yet.
        let key = one.packet.public_key();
        tokio::select! {
            biased;
            found = cache.get(&key) => panic!("nothing was waited for: {found:?}"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(get(&cache, &other.packet.public_key()).await, Some(other.clone()));
    }
}

#[tokio::test]
async fn a_client_answers_from_it() {
    let Some(server) = Server::start() else { return };
    let cached = cached(&Keypair::random(), 5);
    server.cache().await.put(cached.clone()).await.unwrap();
    let cache = Arc::new(server.cache().await);
    let client = Client::builder()
        .no_default_network()
        .relays(&["http://127.0.0.1:9"])
        .unwrap()
        .cache(cache)
        .build()
        .unwrap();
    let found = client.resolve_with(&cached.packet.public_key(), Policy::CacheOnly).await.unwrap();
    assert_eq!(found.packet, cached.packet);
}
