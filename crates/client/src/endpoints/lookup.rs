//! Names of the DNS, looked up by the system and never on the caller's thread.
//!
//! Separate because browsers have nothing of the kind.

use std::io;
use std::net::IpAddr;
#[cfg(not(target_family = "wasm"))]
use std::net::ToSocketAddrs;

#[cfg(not(target_family = "wasm"))]
use tokio::{sync::oneshot, task};

#[cfg(not(target_family = "wasm"))]
use crate::runtime::Background;

/// The addresses of a name.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn addresses(domain: String) -> io::Result<Vec<IpAddr>> {
    let (sender, receiver) = oneshot::channel();
    Background::shared()?.spawn(async move {
        // The system's look-up blocks, so it gets a thread that may.
        let look_up = move || {
            let found = (domain.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|found| found.ip()).collect())
        };
        let found = task::spawn_blocking(look_up).await;
        let _ = sender.send(found.unwrap_or_else(|died| Err(io::Error::other(died))));
    });
    receiver.await.map_err(io::Error::other)?
}

/// The addresses of a name.
#[cfg(target_family = "wasm")]
pub(crate) async fn addresses(_domain: String) -> io::Result<Vec<IpAddr>> {
    Err(io::ErrorKind::Unsupported.into())
}
