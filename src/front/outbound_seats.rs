//! Where a loop watches its sockets to integrations.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::front::connection::Connection;
use crate::front::connection_table::ConnectionTable;
use crate::front::memory_budget::Reservation;
use crate::outbound::upstream::watcher::{Seat, Watcher};

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Nobody's: there is none.
    Nobody,
    /// It is kept for another exchange.
    Kept,
    /// The exchange's with that number.
    Exchange(usize),
}

/// The seats of all sockets to integrations of one loop.
#[derive(Debug, Default)]
pub(super) struct OutboundSeats {
    users: Vec<User>,
    free: Vec<Seat>,
}

impl OutboundSeats {
    /// Whose the socket at a seat is.
    pub(super) fn user(&self, seat: Seat) -> User {
        self.users.get(seat).copied().unwrap_or(User::Nobody)
    }

    /// What the exchange of that number asks of its loop, or what belongs to none.
    pub(super) fn watcher<'a>(
        &'a mut self,
        table: &'a ConnectionTable<Connection>,
        number: Option<usize>,
    ) -> ExchangeWatcher<'a> {
        ExchangeWatcher {
            table,
            seats: self,
            number,
            answer: None,
        }
    }

    fn set(&mut self, seat: Seat, user: User) {
        if let Some(place) = self.users.get_mut(seat) {
            *place = user;
        }
    }

    fn take_free(&mut self) -> Seat {
        self.free.pop().unwrap_or_else(|| {
            self.users.push(User::Nobody);
            self.users.len() - 1
        })
    }
}

/// What one exchange asks of its loop.
pub(super) struct ExchangeWatcher<'a> {
    table: &'a ConnectionTable<Connection>,
    seats: &'a mut OutboundSeats,
    /// The exchange's number; none for what belongs to no exchange.
    number: Option<usize>,
    /// What its answer holds of the memory, where that is counted here.
    answer: Option<&'a mut Reservation>,
}

impl<'a> ExchangeWatcher<'a> {
    /// The same, where what the exchange holds is counted.
    pub(super) fn counting(self, answer: &'a mut Reservation) -> ExchangeWatcher<'a> {
        ExchangeWatcher {
            answer: Some(answer),
            ..self
        }
    }

    fn own(&self) -> User {
        self.number.map_or(User::Nobody, User::Exchange)
    }
}

impl Watcher for ExchangeWatcher<'_> {
    fn watch(&mut self, socket: BorrowedFd<'_>) -> io::Result<Seat> {
        let seat = self.seats.take_free();
        match self.table.watch_outbound(socket.as_raw_fd(), seat) {
            Ok(()) => {
                self.seats.set(seat, self.own());
                Ok(seat)
            }
            Err(error) => {
                self.seats.free.push(seat);
                Err(error)
            }
        }
    }

    fn take(&mut self, seat: Seat) {
        self.seats.set(seat, self.own());
    }

    fn keep(&mut self, seat: Seat) {
        self.seats.set(seat, User::Kept);
    }

    fn vacate(&mut self, seat: Seat) {
        self.seats.set(seat, User::Nobody);
        self.seats.free.push(seat);
    }

    fn give_away(&mut self, seat: Seat, socket: BorrowedFd<'_>) {
        self.table.forget_outbound(socket.as_raw_fd());
        self.vacate(seat);
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        self.answer.as_mut().is_none_or(|answer| answer.resize(bytes))
    }
}
