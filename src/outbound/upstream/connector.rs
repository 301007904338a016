//! Makes connections, plain or over TLS: each address of a host in its turn, all within the exchange's deadline.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketType};
use rustls::{ClientConfig, ClientConnection};

use crate::http1::target::Scheme;
use crate::outbound::upstream::connection::Connection;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::readiness::wait_for;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::waits::Waits;
use crate::platform::loops;

/// Why there is no connection to one address.
enum Failure {
    /// The address did not answer in its part of the time.
    Silent,
    /// What the system says.
    Refused(io::Error),
    /// The exchange is over.
    Over(UpstreamError),
}

/// Connects to the first of the addresses that takes a connection.
///
/// # Errors
/// None does so in time: why the last one did not. No addresses is an error, too.
pub(super) fn connect(server: &Server, addresses: &[SocketAddr], waits: &Waits) -> Result<Connection, UpstreamError> {
    let not_connected = |reason: String| UpstreamError::NotConnected {
        host: server.authority.clone(),
        reason,
    };
    let mut failure = not_connected("it has no address".to_owned());
    for (tried, address) in addresses.iter().enumerate() {
        // An address that is silent must leave time for those after it.
        let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
        match connect_to(*address, waits.next_wait()? / left, waits) {
            Ok(socket) => return Ok(Connection::plain(socket, *address)),
            Err(Failure::Over(UpstreamError::ClientGone)) => return Err(UpstreamError::ClientGone),
            Err(Failure::Over(error)) => failure = error,
            Err(Failure::Silent) if left == 1 => failure = waits.timed_out(),
            Err(Failure::Silent) => failure = not_connected(format!("{address}: timed out")),
            Err(Failure::Refused(error)) => failure = not_connected(format!("{address}: {error}")),
        }
    }
    Err(failure)
}

fn connect_to(address: SocketAddr, at_most: Duration, waits: &Waits) -> Result<OwnedFd, Failure> {
    let refused = |error: Errno| Failure::Refused(error.into());
    let (socket, is_connected) = begin(address).map_err(refused)?;
    if !is_connected {
        let ready = wait_for(&socket, PollFlags::OUT, waits, Some(at_most)).map_err(Failure::Over)?;
        if ready.is_empty() {
            return Err(Failure::Silent);
        }
    }
    end(&socket).map_err(refused)?;
    Ok(socket)
}

/// A socket that connects to an address, and whether it has done so.
///
/// # Errors
/// What the system says.
pub(super) fn begin(address: SocketAddr) -> rustix::io::Result<(OwnedFd, bool)> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = new_socket(family)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => Ok((socket, true)),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok((socket, false)),
        Err(error) => Err(error),
    }
}

/// Makes a socket ready for requests that has connected, or failed to.
///
/// # Errors
/// Why it is not connected.
pub(super) fn end(socket: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::socket_error(socket)??;
    // Requests are written whole; waiting for more would only delay them.
    sockopt::set_tcp_nodelay(socket, true)?;
    // Each call says for itself whether it waits.
    rustix::io::ioctl_fionbio(socket, false)
}

/// A socket that does not wait, and that no function inherits: one may be started at this moment.
#[cfg(target_os = "linux")]
fn new_socket(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

/// A socket that does not wait. Other systems cannot make one that no function inherits in one step.
#[cfg(not(target_os = "linux"))]
fn new_socket(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Takes a connection to TLS, where the server is reached so.
///
/// # Errors
/// The server cannot be trusted, or speaks no TLS, or not in time.
pub(super) fn secure(
    connection: Connection,
    server: &Server,
    config: &Arc<ClientConfig>,
    waits: &Waits,
) -> Result<Connection, UpstreamError> {
    if server.scheme == Scheme::Http {
        return Ok(connection);
    }
    loops::may_wait("for a TLS handshake");
    let failed = |reason: String| UpstreamError::Tls {
        host: server.authority.clone(),
        reason,
    };
    let name = server.name().map_err(failed)?;
    let tls = ClientConnection::new(Arc::clone(config), name).map_err(|error| failed(error.to_string()))?;
    let mut connection = connection.with_tls(tls);
    loop {
        match connection.shake_hands() {
            Ok(true) => return Ok(connection),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let wanted = match connection.wants_write() {
                    true => PollFlags::OUT,
                    false => PollFlags::IN,
                };
                wait_for(&connection, wanted, waits, None)?;
            }
            // What rustls objects to is TLS; a connection that ends is what it is without TLS.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(failed(error.to_string())),
            Err(error) => return Err(UpstreamError::Broken(format!("in the TLS handshake: {error}"))),
        }
    }
}
