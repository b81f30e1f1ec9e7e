//! Which addresses a node listens on, and what to do when one is taken.
//! Separate because the rules of ports have nothing to do with the rest of the configuration.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::builder::DEFAULT_PORT;
use crate::driver::port::{Port, bind};
use crate::error::BuildError;

/// What to ask the system for where the caller names no size.
const RECEIVE_BUFFER: usize = 1 << 20;

/// The wish for sockets.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    /// The port that the caller insists on.
    pub(crate) port: Option<u16>,
    /// The port that the caller would like, and does without where it is taken.
    pub(crate) preferred: Option<u16>,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) receive_buffer: Option<usize>,
    exact: Vec<SocketAddr>,
    /// Addresses beside those, each for a node of its own.
    further: Vec<SocketAddr>,
}

/// The sockets of a node; one at least.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) ipv4: Option<Port>,
    pub(crate) ipv6: Option<Port>,
}

impl Ports {
    /// The socket whose family is that of `address`.
    pub(crate) fn towards(&mut self, address: SocketAddr) -> Option<&mut Port> {
        if address.is_ipv4() { self.ipv4.as_mut() } else { self.ipv6.as_mut() }
    }

    /// Completes once every socket takes datagrams.
    pub(crate) async fn writable(&self) {
        for port in [&self.ipv4, &self.ipv6].into_iter().flatten() {
            port.writable().await;
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            port: None,
            preferred: None,
            ipv4: true,
            ipv6: true,
            receive_buffer: Some(RECEIVE_BUFFER),
            exact: Vec::new(),
            further: Vec::new(),
        }
    }
}

impl Listen {
    /// Insists on one address of its family.
    pub(crate) fn bind(&mut self, address: SocketAddr) {
        self.exact.retain(|other| other.is_ipv4() != address.is_ipv4());
        self.exact.push(address);
    }

    /// Wishes for one address more.
    pub(crate) fn also_bind(&mut self, address: SocketAddr) {
        self.further.push(address);
    }

    /// Binds each address that was wished for beside the first ones. Must run inside a tokio runtime.
    pub(crate) fn open_further(&self) -> Result<Vec<Ports>, BuildError> {
        let open = |address: &SocketAddr| {
            let port = self.try_open(*address).map_err(|source| refused(*address, source))?;
            Ok(match address {
                SocketAddr::V4(_) => Ports { ipv4: Some(port), ipv6: None },
                SocketAddr::V6(_) => Ports { ipv4: None, ipv6: Some(port) },
            })
        };
        self.further.iter().map(open).collect()
    }

    /// Binds what was wished for. Must run inside a tokio runtime.
    pub(crate) fn open(&self, server: bool) -> Result<Ports, BuildError> {
        let ports = if self.exact.is_empty() { self.open_any(server)? } else { self.open_exact()? };
        if ports.ipv4.is_none() && ports.ipv6.is_none() {
            return Err(BuildError::NoFamily);
        }
        Ok(ports)
    }

    fn open_exact(&self) -> Result<Ports, BuildError> {
        let mut ports = Ports { ipv4: None, ipv6: None };
        for address in &self.exact {
            let port = || self.open_preferred(*address).map_err(|source| refused(*address, source));
            match address {
                SocketAddr::V4(_) if self.ipv4 => ports.ipv4 = Some(port()?),
                SocketAddr::V6(_) if self.ipv6 => ports.ipv6 = Some(port()?),
                SocketAddr::V4(_) | SocketAddr::V6(_) => {}
            }
        }
        Ok(ports)
    }

    /// Every interface, in each family that is on and that the machine has.
    fn open_any(&self, server: bool) -> Result<Ports, BuildError> {
        let mut ports = Ports { ipv4: None, ipv6: None };
        if self.ipv4 {
            let preferred = self.preferred.unwrap_or(DEFAULT_PORT);
            ports.ipv4 = self.open_one(Ipv4Addr::UNSPECIFIED.into(), preferred, server)?;
        }
        if self.ipv6 {
            // Both families on one port, where the caller left the choice to us.
            let preferred = ports
                .ipv4
                .as_ref()
                .map_or(self.preferred.unwrap_or(DEFAULT_PORT), |port| port.local_addr().port());
            ports.ipv6 = self.open_one(Ipv6Addr::UNSPECIFIED.into(), preferred, server)?;
        }
        Ok(ports)
    }

    /// `None` if the machine does not have the family.
    fn open_one(
        &self,
        host: IpAddr,
        preferred: u16,
        server: bool,
    ) -> Result<Option<Port>, BuildError> {
        // Port 0 in both families means one free port for both, if there is one.
        let insists = match self.port {
            Some(port) => port != 0,
            None => server && self.preferred.is_none(),
        };
        let first = match self.port {
            Some(0) if host.is_ipv4() || !self.ipv4 => 0,
            Some(0) | None => preferred,
            Some(port) => port,
        };
        let address = SocketAddr::new(host, first);
        let opened = match self.try_open(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && !insists => {
                self.try_open(SocketAddr::new(host, 0))
            }
            opened => opened,
        };
        match opened {
            Ok(port) => Ok(Some(port)),
            Err(error) if is_family_missing(&error) => Ok(None),
            Err(source) => Err(refused(address, source)),
        }
    }

    /// On the preferred port, where the address names none and it is not taken.
    fn open_preferred(&self, address: SocketAddr) -> io::Result<Port> {
        if let Some(preferred) =
            self.preferred.filter(|_| address.port() == 0 && self.port.is_none())
        {
            match self.try_open(SocketAddr::new(address.ip(), preferred)) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                opened => return opened,
            }
        }
        self.try_open(address)
    }

    fn try_open(&self, address: SocketAddr) -> io::Result<Port> {
        Port::new(bind(address, self.receive_buffer)?, self.receive_buffer)
    }
}

fn refused(address: SocketAddr, source: io::Error) -> BuildError {
    BuildError::Bind { address, source }
}

/// True where the system was built or booted without IPv6 (or IPv4).
fn is_family_missing(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own in std: 97 on Linux, 47 on macOS and BSD, 10047 on Windows.
    error.kind() == ErrorKind::AddrNotAvailable
        || matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

#[cfg(test)]
mod tests {
    use super::Listen;
    use crate::error::BuildError;
    use crate::runtime::current_or_background;

    #[test]
    fn a_given_port_that_is_taken_is_an_error() {
        let _entered = current_or_background().unwrap().enter();
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap();
        let mut second = Listen::default();
        second.bind(taken);
        assert!(
            matches!(second.open(false), Err(BuildError::Bind { address, .. }) if address == taken)
        );
    }

    #[test]
    fn a_preferred_port_is_taken_where_it_is_free_and_is_no_condition_of_a_server() {
        let _entered = current_or_background().unwrap().enter();
        let holder = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap().port();
        let open = |at: &str| {
            let mut listen = Listen { preferred: Some(taken), ..Listen::default() };
            listen.bind(at.parse().unwrap());
            listen.open(true).unwrap().ipv4.unwrap().local_addr().port()
        };
        assert_ne!(open("127.0.0.1:0"), taken);
        // Where loopback has many addresses, nobody else is at this one.
        if cfg!(target_os = "linux") {
            assert_eq!(open("127.83.41.7:0"), taken);
        }
        let everywhere = Listen { preferred: Some(taken), ..Listen::default() };
        assert_ne!(everywhere.open(true).unwrap().ipv4.unwrap().local_addr().port(), taken);
        let insisting = Listen { port: Some(taken), ..everywhere };
        assert!(matches!(insisting.open(true), Err(BuildError::Bind { .. })));
    }

    #[test]
    fn any_port_is_the_same_one_in_both_families() {
        let _entered = current_or_background().unwrap().enter();
        let listen = Listen { port: Some(0), ..Listen::default() };
        let ports = listen.open(false).unwrap();
        let ipv4 = ports.ipv4.unwrap().local_addr();
        assert_ne!(ipv4.port(), 0);
        if let Some(ipv6) = ports.ipv6 {
            assert_eq!(ipv6.local_addr().port(), ipv4.port());
        }
    }

    #[test]
    fn a_node_needs_a_family() {
        let _entered = current_or_background().unwrap().enter();
        let listen = Listen { ipv4: false, ipv6: false, ..Listen::default() };
        assert!(matches!(listen.open(false), Err(BuildError::NoFamily)));
    }
}
