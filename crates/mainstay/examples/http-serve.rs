//! Serves HTTPS under a key: no certificate, no domain, no authority.
//! Separate from `http-get`, the other half, so that each can run on a machine of its own.
//!
//! ```sh
//! cargo run -p mainstay --features reqwest-builder --example http-serve -- 203.0.113.5:8443
//! ```
//!
//! The address is the one that others reach this machine at. Addresses after it are nodes to join the DHT through,
//! in place of the public ones; `mainstay testnet` prints some.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person")]

use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, routing::get};
use mainstay::dns::Name;
use mainstay::dns::rdata::{SVCB, SVCParam};
use mainstay::tls::TlsKeypair;
use mainstay::{Client, Keypair, SignedPacket};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a visitor may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("name the address that others reach this machine at")?;
    let address: SocketAddr = address.parse()?;
    let bootstrap: Vec<String> = arguments.collect();
    let client = match bootstrap.as_slice() {
        [] => Client::builder().build()?,
        nodes => Client::builder().no_default_network().bootstrap(nodes).build()?,
    };

    // A server that is to keep its name keeps its key in a file: see Keypair::from_secret_key_file.
    let keypair = Keypair::random();
    let packet = leading_to(address, &keypair)?;
    let tcp = TcpListener::bind((Ipv6Addr::UNSPECIFIED, address.port())).await?;
    serve(client, packet, &keypair, tcp).await?;
    Ok(())
}

/// The records of a key that is served at this address.
fn leading_to(address: SocketAddr, keypair: &Keypair) -> Result<SignedPacket, Box<dyn Error>> {
    let here = SVCB::new(1, Name::new(".")?).with_param(SVCParam::Port(address.port()));
    let packet = SignedPacket::builder()
        .https("@".try_into()?, here, 3_600)
        .address("@".try_into()?, address.ip(), 3_600)
        .sign(keypair)?;
    Ok(packet)
}

/// Serves the key, and keeps its records published.
async fn serve(
    client: Client,
    packet: SignedPacket,
    keypair: &Keypair,
    tcp: TcpListener,
) -> std::io::Result<()> {
    tokio::spawn(keep_published(client, packet));
    println!("https://{}/", keypair.public_key());
    let tls = TlsAcceptor::from(Arc::new(keypair.to_rpk_rustls_server_config()));
    let listener = ByKey { tcp, tls, handshakes: JoinSet::new() };
    let app = Router::new().route("/", get(|| async { "Served by a key.\n" }));
    axum::serve(listener, app).await
}

/// The DHT forgets; see the chapter on integration.
async fn keep_published(client: Client, packet: SignedPacket) {
    loop {
        match client.publish(&packet, None).await {
            Ok(()) => eprintln!("published"),
            Err(error) => eprintln!("not published, trying again in an hour: {error}"),
        }
        sleep(Duration::from_secs(3_600)).await;
    }
}

/// Accepts connections whose handshake is done, and lets no slow one hold up the others.
struct ByKey {
    tcp: TcpListener,
    tls: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl axum::serve::Listener for ByKey {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, from)) => {
                        let handshake = timeout(HANDSHAKE, self.tls.accept(stream));
                        self.handshakes.spawn(async move {
                            let stream = handshake.await.ok()?.ok()?;
                            Some((stream, from))
                        });
                    }
                    // Out of file descriptors, most likely: some will be closed.
                    Err(_) => sleep(Duration::from_millis(100)).await,
                },
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use mainstay::dht::Testnet;

    use super::*;

    #[tokio::test]
    async fn a_page_served_by_a_key_is_fetched_with_the_key_alone() {
        let testnet = Testnet::new(5).await.unwrap();
        let client = || {
            let builder = Client::builder().no_default_network().bootstrap(&testnet.bootstrap);
            builder.dht(|node| node.bind(([127, 0, 0, 1], 0).into())).build().unwrap()
        };
        let keypair = Keypair::random();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let packet = leading_to(tcp.local_addr().unwrap(), &keypair).unwrap();
        let reader = client();
        let fetched = async {
            while reader.resolve(&keypair.public_key()).await.is_none() {}
            let http = reqwest::ClientBuilder::from(reader).no_proxy().build().unwrap();
            let url = format!("https://{}/", keypair.public_key());
            http.get(url).send().await.unwrap().text().await.unwrap()
        };
        tokio::select! {
            ended = serve(client(), packet, &keypair, tcp) => panic!("it ended: {ended:?}"),
            text = fetched => assert_eq!(text, "Served by a key.\n"),
        }
    }
}
