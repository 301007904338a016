//! What an exchange asks of the loop that drives it.

use std::io;
use std::os::fd::BorrowedFd;

/// Where a loop watches a socket.
pub type Seat = usize;

/// What an exchange asks of its loop.
pub trait Watcher {
    /// Watches a socket for the exchange, edge-triggered, for reading and for writing.
    ///
    /// # Errors
    /// The system does not watch another one.
    fn watch(&mut self, socket: BorrowedFd<'_>) -> io::Result<Seat>;

    /// A socket that was kept is the exchange's from now on.
    fn take(&mut self, seat: Seat);

    /// The exchange's socket is kept for another one.
    fn keep(&mut self, seat: Seat);

    /// A socket is closed.
    fn vacate(&mut self, seat: Seat);

    /// A socket is another thread's from now on.
    fn give_away(&mut self, seat: Seat, socket: BorrowedFd<'_>);

    /// Whether there is memory for so many bytes of the answer, instead of those before.
    fn reserve(&mut self, bytes: usize) -> bool;
}
