//! The sockets of a listener's clients, wherever each is served, to end what is left when time is up.

use std::net::Shutdown;
use std::sync::{Mutex, PoisonError, Weak};

use crate::front::socket::{Socket, Stream};

/// Room that is not worth a look at what may be forgotten.
const FEW: usize = 64;

/// Clients that are there, or were. It keeps no socket open.
#[derive(Debug, Default)]
pub(crate) struct OpenSockets(Mutex<Vec<Weak<Stream>>>);

impl OpenSockets {
    /// Notes a client. Half of what is noted is of clients that are there, or it is little.
    pub(crate) fn note(&self, socket: &Socket) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= FEW && noted.len() == noted.capacity() {
            noted.retain(|stream| stream.strong_count() > 0);
            let room = noted.len().max(FEW);
            noted.reserve_exact(room);
        }
        noted.push(socket.shared());
    }

    /// Ends the connections of all of them: whoever works for one sees that it is gone.
    pub(crate) fn shut_down(&self) {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in noted.iter().filter_map(Weak::upgrade) {
            // A client that is gone already is as well.
            let _ = stream.tcp.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn those_that_are_gone_are_forgotten() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = OpenSockets::default();
        let connect = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, Socket::of(listener.accept().unwrap().0))
        };
        let (mut client, kept) = connect();
        sockets.note(&kept);
        for _ in 0..10 * FEW {
            let (_, gone) = connect();
            sockets.note(&gone);
        }
        assert!(sockets.0.lock().unwrap().len() <= 2 * FEW + 1);
        sockets.shut_down();
        assert_eq!(std::io::Read::read(&mut client, &mut [0]).unwrap(), 0);
    }
}
