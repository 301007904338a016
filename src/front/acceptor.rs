//! Listening sockets, and the loop that accepts connections from one.

use std::io::{self, PipeReader};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;

/// Connections that the kernel completes while none is accepted. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// How long nothing is accepted after the system refused what a connection needs. Connections wait in the backlog.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// How often such a refusal is logged at most.
const LOG_PAUSE: Duration = Duration::from_secs(10);

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

/// Accepts connections until the other end of the pipe is closed, and then those that wait already.
///
/// No error ends it before: where descriptors or memory have run out, it waits until there are some again, or until
/// the wait is given up.
pub fn accept(
    listener: &TcpListener,
    stop: &PipeReader,
    is_given_up: impl Fn() -> bool,
    mut admit: impl FnMut(TcpStream, SocketAddr),
) {
    // A client may have gone between the look and the accept, which must not wait for the next one then.
    if let Err(error) = listener.set_nonblocking(true) {
        log::error!("a stop may have to wait for the next connection: {error}");
    }
    let mut logged: Option<Instant> = None;
    while !wait(Some(listener), stop, None) {
        match listener.accept() {
            Ok((stream, peer)) => admit_blocking(stream, peer, &mut admit),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() > LOG_PAUSE) {
                    log::error!("no connection can be accepted for now: {error}");
                    logged = Some(Instant::now());
                }
                wait(None, stop, Some(REFUSED_PAUSE));
            }
        }
    }
    // These clients were told that they are connected.
    loop {
        match listener.accept() {
            Ok((stream, peer)) => admit_blocking(stream, peer, &mut admit),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if is_about_one_connection(&error) => {}
            // Connections that end give their descriptors back.
            Err(error) if is_about_want(&error) && !is_given_up() => thread::sleep(REFUSED_PAUSE),
            Err(error) => {
                log::error!("connections that waited are lost: {error}");
                return;
            }
        }
    }
}

fn admit_blocking(stream: TcpStream, peer: SocketAddr, admit: &mut impl FnMut(TcpStream, SocketAddr)) {
    // Linux does not pass it on to accepted sockets, others do.
    #[cfg(not(target_os = "linux"))]
    if stream.set_nonblocking(false).is_err() {
        return;
    }
    // A panic is a defect of ours, and must not cost the connections that come later.
    let _ = catch_unwind(AssertUnwindSafe(|| admit(stream, peer)));
}

/// Whether an error is for want of what may be there again soon.
fn is_about_want(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM].contains(&errno))
}

/// Whether an error is no reason to pause: the next connection may be accepted at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Waits for a connection, or for the end of the pipe; tells whether that has come.
fn wait(listener: Option<&TcpListener>, stop: &PipeReader, at_most: Option<Duration>) -> bool {
    let timeout = at_most.and_then(|time| Timespec::try_from(time).ok());
    let stopping = PollFd::new(stop, PollFlags::IN);
    let count = match listener {
        Some(listener) => {
            let mut both = [stopping, PollFd::new(listener, PollFlags::IN)];
            let _ = poll(&mut both, timeout.as_ref());
            both.map(|end| end.revents())
        }
        None => {
            let mut one = [stopping];
            let _ = poll(&mut one, timeout.as_ref());
            let [end] = one;
            [end.revents(), PollFlags::empty()]
        }
    };
    let [stop, _] = count;
    !stop.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn what_waits_when_it_stops_is_still_accepted() {
        let listener = bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        let clients: Vec<_> = (0..5).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut peers = Vec::new();
        accept(&listener, &reader, || false, |_, peer| peers.push(peer));
        let expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(peers, expected);
    }

    #[test]
    fn it_stops_while_it_waits() {
        let listener = bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let (sender, accepted) = channel();
        let thread = thread::spawn(move || accept(&listener, &reader, || false, |_, peer| sender.send(peer).unwrap()));
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(accepted.recv(), Ok(client.local_addr().unwrap()));
        drop(writer);
        thread.join().unwrap();
        assert!(accepted.recv().is_err());
    }
}
