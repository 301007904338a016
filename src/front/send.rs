//! Sending an answer: now, to a client that must be waited for, and what follows when it is sent.

use std::io;
use std::time::SystemTime;

use crate::front::connection::{Connection, State};
use crate::front::memory_budget::Class;
use crate::front::outcome::Outcome;
use crate::front::pending_write::{AfterWrite, PendingWrite};
use crate::front::request_reader::Refusal;
use crate::front::shared::Shared;
use crate::front::socket::Socket;
use crate::front::transfer_rate::TransferRate;
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::message::Version;
use crate::http1::response_writer::{ResponseWriter, SendError};
use crate::platform::concurrency::{ConcurrencyPermit, Streaming, share};
use crate::platform::loops;

/// How far an answer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The socket has all of it.
    All,
    /// The client is slow; what is left is kept with the connection.
    Later,
}

/// Sends an answer that is here whole. What the client does not take at once is kept for it.
///
/// # Errors
/// The client is gone, or is slow and nothing can be kept for it.
pub(super) fn send(
    shared: &Shared,
    connection: &mut Connection,
    bytes: Vec<u8>,
    then: AfterWrite,
) -> Result<Sent, SendError> {
    match send_without_wait(shared, connection, bytes, then)? {
        Unwaited::Sent(sent) => Ok(sent),
        Unwaited::Stuck(mut queue) => wait_for_client(shared, &connection.socket, &mut queue).map(|()| Sent::All),
    }
}

/// How far an answer got for which nobody waits.
pub(super) enum Unwaited {
    Sent(Sent),
    /// The client is slow, and nothing can be kept for it: that is left.
    Stuck(WriteQueue),
}

/// As [`send`], without ever waiting for the client.
///
/// # Errors
/// The client is gone.
pub(super) fn send_without_wait(
    shared: &Shared,
    connection: &mut Connection,
    bytes: Vec<u8>,
    then: AfterWrite,
) -> Result<Unwaited, SendError> {
    let mut bytes = connection.socket.seal(bytes);
    if then == AfterWrite::Linger {
        connection.socket.seal_end(&mut bytes);
    }
    let sent = connection.socket.send_now(&bytes).map_err(SendError::Client)?;
    if sent == bytes.len() {
        return Ok(Unwaited::Sent(Sent::All));
    }
    let mut reservation = shared.budget.reserve(Class::Answer);
    let mut queue = WriteQueue::of(bytes);
    // As if it were sent once more.
    let _ = queue.send(sent, |bytes| Ok(bytes.len()));
    if reservation.resize(queue.held()) {
        connection.enter(State::Writing(PendingWrite::new(queue, then, reservation, None)));
        return Ok(Unwaited::Sent(Sent::Later));
    }
    Ok(Unwaited::Stuck(queue))
}

/// What follows an answer.
pub(super) fn after(
    shared: &Shared,
    mut connection: Box<Connection>,
    sent: Result<Sent, SendError>,
    then: AfterWrite,
    version: Version,
) -> Outcome {
    match sent {
        Ok(Sent::All) if then == AfterWrite::KeepAlive => {
            connection.enter(State::Idle);
            Outcome::NextRequest(connection)
        }
        Ok(Sent::All) => Outcome::Linger(connection),
        Ok(Sent::Later) => Outcome::Park(connection),
        Err(incomplete) => cut(shared, connection, version, &incomplete),
    }
}

/// Ends a connection whose answer is not whole, so that the client sees it.
fn cut(shared: &Shared, mut connection: Box<Connection>, version: Version, incomplete: &SendError) -> Outcome {
    shared.connection_log.cut(connection.peer, incomplete);
    // For HTTP/1.0 an end of the connection may be the end of the content. Otherwise a plain end lets the client read
    // what was sent.
    if version == Version::Http10 || matches!(incomplete, SendError::Client(_)) {
        connection.socket.reset();
        return Outcome::Closed;
    }
    connection.is_cut = true;
    Outcome::Linger(connection)
}

/// Why an answer ends for which no worker may wait.
pub(super) fn no_slot() -> SendError {
    SendError::Client(io::Error::other(
        "it is slow, and neither memory nor a worker is left for it",
    ))
}

/// Why an answer ends of which not even what has come can be kept.
pub(super) fn no_memory() -> SendError {
    SendError::Client(io::Error::other("it is slow, and no memory is left for it"))
}

/// Why an answer ends that nobody reads any more.
pub(super) fn client_gone() -> SendError {
    SendError::Client(io::ErrorKind::BrokenPipe.into())
}

/// Why an answer ends that its client does not take in time.
pub(super) fn too_slow() -> SendError {
    SendError::Client(io::ErrorKind::TimedOut.into())
}

/// Sends what cannot be kept for a client, and waits for it.
///
/// # Errors
/// No worker is left for that, or the client takes nothing.
pub(super) fn wait_for_client(shared: &Shared, socket: &Socket, queue: &mut WriteQueue) -> Result<(), SendError> {
    let Some(_slot) = StreamSlot::take(shared, None) else {
        return Err(no_slot());
    };
    wait_for_client_in_slot(shared, socket, queue)
}

/// As [`wait_for_client`], with leave to do so.
///
/// # Errors
/// The client takes nothing, or too little while others need the worker.
pub(super) fn wait_for_client_in_slot(
    shared: &Shared,
    socket: &Socket,
    queue: &mut WriteQueue,
) -> Result<(), SendError> {
    loops::may_wait("for a client");
    let timeout = shared.limits.write_timeout;
    // Only waiting for the client is measured: it begins anew when the client has everything.
    let mut rate = TransferRate::begin();
    let mut is_too_slow = |taken| {
        rate.note(taken);
        rate.is_slow() && shared.streams.held() > shared.streams.most().get() / 2
    };
    let sent = queue.send(usize::MAX, |bytes| {
        socket.send_all(bytes, timeout, &mut is_too_slow).map(|()| bytes.len())
    });
    sent.map_err(SendError::Client)?;
    Ok(())
}

/// Leave to wait for a client, given back when it is dropped.
pub(super) struct StreamSlot {
    _of_all: ConcurrencyPermit,
    /// Of these, the answers of one destination.
    _of_destination: Option<Streaming>,
}

impl StreamSlot {
    /// `slot` is the one that the answer holds of its destination: no destination has all that there are.
    pub(super) fn take(shared: &Shared, slot: Option<&mut ConcurrencyPermit>) -> Option<StreamSlot> {
        let of_destination = match slot {
            Some(slot) => Some(slot.slots().begin_stream(share(shared.streams.most()))?),
            None => None,
        };
        Some(StreamSlot {
            _of_all: shared.streams.take()?,
            _of_destination: of_destination,
        })
    }
}

/// The bytes of a refusal, which end the connection.
pub(super) fn refusal(shared: &Shared, refusal: Refusal) -> Vec<u8> {
    if let RequestError::Overloaded(reason) = refusal.error {
        shared.connection_log.overload(reason);
    }
    let response = shared.handler.refuse(refusal.error, &refusal.request);
    let reply = ResponseWriter {
        head_only: refusal.head_only,
        version: Version::Http11,
        close: true,
        date: SystemTime::now(),
    };
    reply.answer(response).bytes
}
