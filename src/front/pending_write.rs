//! The end of an answer that its client has not taken yet.

use std::fmt;
use std::io;

use crate::front::listener_limits::TURN_LENGTH;
use crate::front::memory_budget::Reservation;
use crate::front::socket::Socket;
use crate::front::transfer_rate::TransferRate;
use crate::front::write_queue::WriteQueue;
use crate::http1::message::CompletionHook;

/// The end of an answer that the client has not taken yet.
pub(super) struct PendingWrite {
    queue: WriteQueue,
    then: AfterWrite,
    /// What it takes of the budget.
    reservation: Reservation,
    rate: TransferRate,
    completion: Option<Box<dyn CompletionHook>>,
}

impl PendingWrite {
    /// `completion` is told of what the client does not take.
    pub(super) fn new(
        queue: WriteQueue,
        then: AfterWrite,
        reservation: Reservation,
        completion: Option<Box<dyn CompletionHook>>,
    ) -> PendingWrite {
        PendingWrite {
            queue,
            then,
            reservation,
            rate: TransferRate::begin(),
            completion,
        }
    }
}

impl PendingWrite {
    /// Sends on; tells how many bytes that were, and how far it got.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn write_on(&mut self, socket: &Socket) -> io::Result<(usize, Written)> {
        let sent = self.queue.send(TURN_LENGTH, |bytes| socket.send_now(bytes));
        let count = sent.inspect_err(|_| {
            if let Some(completion) = &mut self.completion {
                completion.abandoned();
            }
        })?;
        // Less than before is always had.
        let _ = self.reservation.resize(self.queue.held().min(self.reservation.held()));
        if count > 0 {
            self.rate.note(count);
        }
        let written = if self.queue.is_empty() {
            Written::All(self.then)
        } else if count == TURN_LENGTH {
            Written::TurnOver
        } else {
            Written::Part(count)
        };
        Ok((count, written))
    }

    /// Bytes of memory that it holds of the budget.
    pub(super) fn held(&self) -> usize {
        self.reservation.held()
    }

    /// How fast the client goes on.
    pub(super) fn rate(&self) -> &TransferRate {
        &self.rate
    }
}

impl fmt::Debug for PendingWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingWrite({} bytes, then {:?})", self.queue.left(), self.then)
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        if let Some(completion) = &mut self.completion {
            completion.undelivered(self.queue.left() as u64);
        }
    }
}

/// How far the rest of an answer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it is sent.
    All(AfterWrite),
    /// As much as one client gets before the others have their turn; it would take more.
    TurnOver,
    /// What the client took, which may be nothing.
    Part(usize),
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterWrite {
    /// It takes the next request.
    KeepAlive,
    /// It is closed once the client has read the answer, whether the client or we asked for it: there may always be
    /// bytes that we have not read, and they would cost the end of the answer.
    Linger,
}
