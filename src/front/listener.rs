//! Listening sockets.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use rustix::net::sockopt;

/// Connections that the kernel completes while none is accepted. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Listens at `HOST:PORT`; port 0 picks a free one.
///
/// Accepted sockets inherit the options, which spares system calls for each of them.
///
/// # Errors
/// The name cannot be resolved or the address not be had, as the operating system says.
pub fn bind(address: &str) -> io::Result<TcpListener> {
    let addresses: Vec<_> = address.to_socket_addrs()?.collect();
    let listener = TcpListener::bind(addresses.as_slice())?;
    // Small answers go out at once, not after the acknowledgement of the one before.
    sockopt::set_tcp_nodelay(&listener, true)?;
    // A client that vanished without a word is noticed at last.
    sockopt::set_socket_keepalive(&listener, true)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}
