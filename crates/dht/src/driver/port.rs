//! One UDP socket of a node: bound, drained, written to, and bound again when it is lost.
//! Separate because errors of sockets are the operating system's business and no protocol rule.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tracing::{debug, warn};

/// Errors in a row after which a socket is given up and bound anew.
const FAULTS_BEFORE_REBIND: u8 = 8;
/// The first wait before a lost socket is bound again; doubles up to [`REBIND_MAX`].
const REBIND_MIN: Duration = Duration::from_millis(250);
/// The longest wait between two tries to bind a lost socket.
const REBIND_MAX: Duration = Duration::from_secs(30);

/// A UDP socket and what is needed to replace it.
#[derive(Debug)]
pub(crate) struct Port {
    socket: Option<UdpSocket>,
    local: SocketAddr,
    receive_buffer: Option<usize>,
    faults: u8,
    rebind_at: Option<Instant>,
    rebind_wait: Duration,
    /// Whether the socket was lost and nobody was told yet.
    loss: bool,
}

/// What one attempt to read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// A datagram of this length from this sender is in the buffer.
    Datagram(usize, SocketAddr),
    /// An error that concerns an earlier datagram only; the next read may bring one.
    Hiccup,
    /// There is nothing to read.
    Empty,
}

/// What became of a datagram that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The kernel took it.
    Yes,
    /// It is gone: there is no socket, or its buffer is full.
    Dropped,
    /// It is gone, and so will be all others to that address: this host knows no way there.
    NoRoute,
}

impl Port {
    /// Takes over a bound socket. Must run inside a tokio runtime with I/O.
    pub(crate) fn new(socket: Socket, receive_buffer: Option<usize>) -> io::Result<Self> {
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            local: socket.local_addr()?,
            socket: Some(socket),
            receive_buffer,
            faults: 0,
            rebind_at: None,
            rebind_wait: REBIND_MIN,
            loss: false,
        })
    }

    /// The address that the socket is, or will again be, bound to.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// When [`Port::rebind`] wants to be called, if the socket is lost.
    pub(crate) fn rebind_at(&self) -> Option<Instant> {
        self.rebind_at
    }

    /// Completes once the socket takes datagrams; at once if it is lost.
    ///
    /// A fresh socket refuses to send until the reactor has seen it: without this first wait the
    /// node's first datagrams would be dropped. Cancel safe.
    pub(crate) async fn writable(&self) {
        if let Some(socket) = &self.socket {
            let _ = socket.writable().await;
        }
    }

    /// Completes when there is something to read; never if the socket is lost. Cancel safe.
    pub(crate) async fn readable(&self) {
        match &self.socket {
            Some(socket) if socket.readable().await.is_ok() => {}
            Some(_) | None => pending().await,
        }
    }

    /// Reads one datagram, without waiting for it.
    pub(crate) fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Received {
        let Some(socket) = &self.socket else {
            return Received::Empty;
        };
        match socket.try_recv_from(buffer) {
            Ok((length, from)) => {
                self.faults = 0;
                self.rebind_wait = REBIND_MIN;
                Received::Datagram(length, from)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Empty,
            // An ICMP answer to something sent before, or a datagram larger than the buffer on
            // systems that report it so: neither says anything about the socket.
            Err(error) if is_about_a_peer(&error) => Received::Hiccup,
            Err(error) => {
                self.fault(now, &error);
                Received::Hiccup
            }
        }
    }

    /// Sends one datagram, or drops it if the kernel does not take it at once.
    pub(crate) fn send(&mut self, now: Instant, datagram: &[u8], to: SocketAddr) -> Sent {
        let Some(socket) = &self.socket else {
            return Sent::Dropped;
        };
        match socket.try_send_to(datagram, to) {
            Ok(_) => Sent::Yes,
            // Some systems report an ICMP answer to the datagram before this one.
            Err(error) if is_about_a_peer(&error) => match socket.try_send_to(datagram, to) {
                Ok(_) => Sent::Yes,
                Err(error) if is_about_the_way(&error) => Sent::NoRoute,
                Err(_) => Sent::Dropped,
            },
            Err(error) => {
                debug!(%to, %error, "datagram dropped");
                if is_about_the_socket(&error) {
                    self.fault(now, &error);
                }
                if is_about_the_way(&error) { Sent::NoRoute } else { Sent::Dropped }
            }
        }
    }

    /// Tries to bind a lost socket again, if its time has come; true if there is a new one.
    pub(crate) fn rebind(&mut self, now: Instant) -> bool {
        if self.rebind_at.is_none_or(|at| at > now) {
            return false;
        }
        let bound = bind(self.local, self.receive_buffer)
            .and_then(|socket| UdpSocket::from_std(socket.into()));
        match bound {
            Ok(socket) => {
                debug!(local = %self.local, "socket bound again");
                self.socket = Some(socket);
                self.rebind_at = None;
                self.faults = 0;
                true
            }
            Err(error) => {
                debug!(local = %self.local, %error, "socket still lost");
                self.rebind_wait = (self.rebind_wait * 2).min(REBIND_MAX);
                self.rebind_at = Some(now + self.rebind_wait);
                false
            }
        }
    }

    /// Whether the socket was lost since this was called last.
    pub(crate) fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.loss)
    }

    fn fault(&mut self, now: Instant, error: &io::Error) {
        self.faults = self.faults.saturating_add(1);
        debug!(local = %self.local, %error, faults = self.faults, "socket error");
        if self.faults >= FAULTS_BEFORE_REBIND {
            warn!(local = %self.local, %error, "socket lost, it will be bound again");
            self.socket = None;
            self.loss = true;
            self.rebind_at = Some(now + self.rebind_wait);
        }
    }
}

/// Binds a non-blocking UDP socket; an IPv6 one takes no IPv4.
pub(crate) fn bind(address: SocketAddr, receive_buffer: Option<usize>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(size) = receive_buffer {
        // The system's ceiling may be lower; whatever it gives is an improvement.
        let _ = socket.set_recv_buffer_size(size);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Errors of a send after which no other will do better: the address or the interface is gone.
fn is_about_the_socket(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
    )
}

/// Errors that a peer's host, or a router on the way, caused with an answer to an earlier datagram.
fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    ) || is_about_the_way(error)
}

/// Errors that say that there is no way to where a datagram was to go.
fn is_about_the_way(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::net::UdpSocket;
    use std::time::Instant;

    use super::{FAULTS_BEFORE_REBIND, Port, REBIND_MIN, Received, Sent, bind};

    #[tokio::test]
    async fn a_lost_socket_is_bound_again_at_the_same_address() {
        let now = Instant::now();
        let (mut port, peer) = (open(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for _ in 0..FAULTS_BEFORE_REBIND {
            port.fault(now, &io::Error::from(ErrorKind::NetworkDown));
        }
        assert_eq!(port.send(now, b"x", peer.local_addr().unwrap()), Sent::Dropped);
        assert_eq!(port.rebind_at(), Some(now + REBIND_MIN));
        assert!(!port.rebind(now), "too early");
        assert!(port.rebind(now + REBIND_MIN));
        assert_eq!(port.rebind_at(), None);

        peer.send_to(b"hello", port.local_addr()).unwrap();
        port.readable().await;
        let mut buffer = [0; 16];
        let received = port.receive(now, &mut buffer);
        assert_eq!(received, Received::Datagram(5, peer.local_addr().unwrap()));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_meanwhile_is_tried_again_later() {
        let now = Instant::now();
        let mut port = open();
        for _ in 0..FAULTS_BEFORE_REBIND {
            port.fault(now, &io::Error::from(ErrorKind::NetworkDown));
        }
        let squatter = UdpSocket::bind(port.local_addr()).unwrap();
        let due = now + REBIND_MIN;
        assert!(!port.rebind(due));
        assert_eq!(port.rebind_at(), Some(due + REBIND_MIN * 2));
        drop(squatter);
        assert!(port.rebind(due + REBIND_MIN * 2));
    }

    #[tokio::test]
    async fn errors_now_and_then_do_not_lose_the_socket() {
        let now = Instant::now();
        let (mut port, peer) = (open(), UdpSocket::bind("127.0.0.1:0").unwrap());
        for _ in 0..FAULTS_BEFORE_REBIND {
            port.fault(now, &io::Error::from(ErrorKind::Other));
            peer.send_to(b"hello", port.local_addr()).unwrap();
            port.readable().await;
            assert!(matches!(port.receive(now, &mut [0; 16]), Received::Datagram(5, _)));
        }
        assert_eq!(port.rebind_at(), None);
    }

    #[tokio::test]
    async fn a_fresh_socket_sends_once_it_is_writable() {
        let (mut port, peer) = (open(), UdpSocket::bind("127.0.0.1:0").unwrap());
        port.writable().await;
        assert_eq!(port.send(Instant::now(), b"x", peer.local_addr().unwrap()), Sent::Yes);
    }

    fn open() -> Port {
        Port::new(bind("127.0.0.1:0".parse().unwrap(), None).unwrap(), None).unwrap()
    }
}
