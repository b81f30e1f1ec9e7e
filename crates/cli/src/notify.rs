//! Tells the service manager how a verb that runs is getting on, as `sd_notify` of systemd does.
//!
//! Separate, because it is a protocol of its own: one datagram to the socket that `NOTIFY_SOCKET` names. Without that
//! variable nobody wants to know.

/// The service does its work, from the start or again.
pub(crate) fn ready() {
    tell("READY=1");
}

/// It reads its configuration again.
pub(crate) fn reloading() {
    tell("RELOADING=1");
}

/// It ends.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

#[cfg(target_os = "linux")]
fn tell(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let told = address
        .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, state, "the service manager cannot be told");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_state: &str) {}
