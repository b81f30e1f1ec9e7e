//! Names of the DNS, looked up by the system and never on the caller's thread.
//!
//! Separate because browsers have nothing of the kind.

use std::io;
use std::net::IpAddr;

/// The addresses of a name.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn addresses(domain: String) -> io::Result<Vec<IpAddr>> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    crate::runtime::Background::shared()?.spawn(async move {
        let found = tokio::net::lookup_host((domain, 0)).await;
        let _ = sender.send(found.map(|found| found.map(|found| found.ip()).collect()));
    });
    receiver.await.map_err(|_| io::Error::from(io::ErrorKind::Interrupted))?
}

/// The addresses of a name.
#[cfg(target_family = "wasm")]
#[expect(clippy::unused_async, reason = "as the native one")]
pub(crate) async fn addresses(_domain: String) -> io::Result<Vec<IpAddr>> {
    Err(io::ErrorKind::Unsupported.into())
}
