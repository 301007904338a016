//! The socket of a client, where the front's library does not give it away.
//!
//! Linux lets a process copy a descriptor that it has, but does not hold, by its number (`pidfd_getfd`). Elsewhere, and
//! where a sandbox forbids it, there is none.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::Shutdown;
use rustix::net::sockopt::{self, Timeout};

/// A gap of this many free descriptors ends the search: the kernel gives out the lowest free one.
#[cfg(target_os = "linux")]
const WIDEST_GAP: usize = 1024;

/// A copy of the descriptor of a client's connection.
#[derive(Debug)]
pub struct ClientSocket(OwnedFd);

impl ClientSocket {
    /// The connection between a client and a listener of this process.
    #[cfg(target_os = "linux")]
    pub fn find(peer: SocketAddr, listener: SocketAddr) -> Option<ClientSocket> {
        use rustix::process::{PidfdFlags, PidfdGetfdFlags, Resource, getpid, getrlimit, pidfd_getfd, pidfd_open};
        let process = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
        let mut gap = 0;
        for number in 0..i32::try_from(limit).unwrap_or(i32::MAX) {
            match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
                Ok(copy) if is_between(&copy, peer, listener) => return Some(ClientSocket(copy)),
                Ok(_) => gap = 0,
                Err(_) if gap > WIDEST_GAP => return None,
                Err(_) => gap += 1,
            }
        }
        None
    }

    /// There is no way to it.
    #[cfg(not(target_os = "linux"))]
    pub fn find(_: SocketAddr, _: SocketAddr) -> Option<ClientSocket> {
        None
    }

    /// Ends the connection at once.
    pub fn close(&self) {
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }

    /// Ends the connection with a reset, for a client that takes a plain end for the end of the content.
    pub fn reset(&self) {
        let _ = rustix::net::connect_unspec(&self.0);
        self.close();
    }

    /// Ends a connection whose client may still send; it is listened to for a while. Closed at once, the connection
    /// would be reset, and the answer lost with it.
    pub fn linger(&self, time: Duration) {
        let _ = rustix::net::shutdown(&self.0, Shutdown::Write);
        let _ = sockopt::set_socket_timeout(&self.0, Timeout::Recv, Some(time).filter(|time| !time.is_zero()));
        let until = Instant::now() + time;
        let mut discarded = [0; 4096];
        while Instant::now() < until && rustix::io::read(&self.0, &mut discarded).is_ok_and(|count| count > 0) {}
        self.close();
    }
}

#[cfg(target_os = "linux")]
fn is_between(socket: &OwnedFd, peer: SocketAddr, listener: SocketAddr) -> bool {
    let peer_name = rustix::net::getpeername(socket).ok().flatten();
    let own_name = rustix::net::getsockname(socket).ok();
    let own_port = own_name
        .and_then(|name| SocketAddr::try_from(name).ok())
        .map(|own| own.port());
    peer_name.and_then(|name| SocketAddr::try_from(name).ok()) == Some(peer) && own_port == Some(listener.port())
}

impl Write for &ClientSocket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, buffer)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    fn connection() -> (TcpStream, TcpStream, ClientSocket) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let found = ClientSocket::find(peer, listener.local_addr().unwrap()).unwrap();
        (client, server, found)
    }

    #[test]
    fn a_connection_is_found_and_ended() {
        let (mut client, _server, found) = connection();
        (&found).write_all(b"bye").unwrap();
        found.close();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye");
    }

    #[test]
    fn a_reset_is_not_an_end() {
        let (mut client, _server, found) = connection();
        found.reset();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn there_is_no_socket_of_a_stranger() {
        let (_client, _server, _) = connection();
        let stranger = SocketAddr::from(([192, 0, 2, 1], 1));
        assert!(ClientSocket::find(stranger, stranger).is_none());
    }
}
