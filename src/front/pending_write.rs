//! The end of an answer that its client has not taken yet.

use std::fmt;
use std::io;

use crate::front::limits::TURN_LENGTH;
use crate::front::memory_budget::Share;
use crate::front::socket::Socket;
use crate::front::transfer_rate::Pace;
use crate::front::write_queue::Pieces;
use crate::http1::message::Receipt;

/// The end of an answer that the client has not taken yet.
pub(super) struct Unsent {
    pieces: Pieces,
    then: Then,
    /// What it takes of the budget.
    share: Share,
    pace: Pace,
    receipt: Option<Box<dyn Receipt>>,
}

impl Unsent {
    /// `receipt` is told of what the client does not take.
    pub(super) fn new(pieces: Pieces, then: Then, share: Share, receipt: Option<Box<dyn Receipt>>) -> Unsent {
        Unsent {
            pieces,
            then,
            share,
            pace: Pace::begin(),
            receipt,
        }
    }
}

impl Unsent {
    /// Sends on; tells how many bytes that were, and how far it got.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn write_on(&mut self, socket: &Socket) -> io::Result<(usize, Written)> {
        let sent = self.pieces.send(TURN_LENGTH, |bytes| socket.send_now(bytes));
        let count = sent.inspect_err(|_| {
            if let Some(receipt) = &mut self.receipt {
                receipt.abandoned();
            }
        })?;
        // Less than before is always had.
        let _ = self.share.resize(self.pieces.held().min(self.share.held()));
        if count > 0 {
            self.pace.note(count);
        }
        let written = if self.pieces.is_empty() {
            Written::All(self.then)
        } else if count == TURN_LENGTH {
            Written::Turn
        } else {
            Written::Part(count)
        };
        Ok((count, written))
    }

    /// Bytes of memory that it holds of the budget.
    pub(super) fn held(&self) -> usize {
        self.share.held()
    }

    /// How fast the client goes on.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }
}

impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unsent({} bytes, then {:?})", self.pieces.left(), self.then)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if let Some(receipt) = &mut self.receipt {
            receipt.not_taken(self.pieces.left() as u64);
        }
    }
}

/// How far the rest of an answer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it is sent.
    All(Then),
    /// As much as one client gets before the others have their turn; it would take more.
    Turn,
    /// What the client took, which may be nothing.
    Part(usize),
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It takes the next request.
    Keep,
    /// It is closed once the client has read the answer, whether the client or we asked for it: there may always be
    /// bytes that we have not read, and they would cost the end of the answer.
    Linger,
}
