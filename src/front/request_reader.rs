//! A request whose content is on its way, and what becomes of it: a whole request, or a refusal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::front::listener_limits::LEAST_BODY_RATE;
use crate::front::memory_budget::{Class, MemoryBudget, Reservation};
use crate::front::transfer_rate::TransferRate;
use crate::http1::body_decoder::{BodyDecoder, DecodeError};
use crate::http1::error::RequestError;
use crate::http1::framing::Framing;
use crate::http1::message::{Body, Request};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::http1::request_head::Head;

/// A request of which the head is here.
#[derive(Debug)]
pub struct RequestReader {
    head: Head,
    decoder: BodyDecoder,
    content: Vec<u8>,
    /// What the content takes of the budget.
    reservation: Reservation,
    rate: TransferRate,
    begun: Instant,
    /// When something came last.
    last: Instant,
}

/// A request that is here whole.
#[derive(Debug)]
pub struct CompleteRequest {
    /// Its head, with the content.
    pub head: Head,
    /// What its content takes of the budget.
    pub reservation: Option<Reservation>,
}

/// A request that gets no further.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub error: RequestError,
    /// The request was HEAD.
    pub head_only: bool,
    /// What is known of the request: its head, where that came so far, for the log and for browsers, which want to read
    /// the answer too.
    pub request: Box<Request>,
}

impl RequestReader {
    /// A request without its content yet.
    ///
    /// # Errors
    /// The content is too long by what the head says of it.
    pub fn begin(head: Head, budget: &Arc<MemoryBudget>) -> Result<RequestReader, Refusal> {
        let decoder = BodyDecoder::new(head.framing).map_err(|error| Refusal::of(error_of(error), &head))?;
        let mut reservation = budget.reserve(Class::Body);
        // A small body may take its time, and its head takes more memory than it meanwhile.
        if !reservation.set_apart(head.memory()) {
            return Err(Refusal::of(no_memory(), &head));
        }
        let now = Instant::now();
        Ok(RequestReader {
            head,
            decoder,
            content: Vec::new(),
            reservation,
            rate: TransferRate::begin(),
            begun: now,
            last: now,
        })
    }

    /// Takes what is here of the content out of `input`, and tells whether it is whole.
    ///
    /// # Errors
    /// The content is malformed or too long, or there is no memory for it.
    pub fn take(&mut self, input: &mut Vec<u8>) -> Result<bool, Refusal> {
        let most = match self.head.framing {
            Framing::Length(length) => length,
            Framing::Chunked => MAX_BODY_LENGTH,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let more = input.len().min(most.saturating_sub(self.content.len()));
        if !self.reservation.make_room(&mut self.content, more, most) {
            return Err(self.refusal(no_memory()));
        }
        let taken = self
            .decoder
            .decode(input, &mut self.content)
            .map_err(|error| Refusal::of(error_of(error), &self.head))?;
        input.drain(..taken);
        self.rate.note(taken);
        let is_done = self.decoder.is_done();
        if taken > 0 && !is_done {
            self.last = Instant::now();
        }
        Ok(is_done)
    }

    /// The request with its content.
    pub fn into_whole(self) -> CompleteRequest {
        let mut head = self.head;
        if !self.content.is_empty() {
            head.request.body = Body::Bytes(self.content);
        }
        CompleteRequest {
            head,
            reservation: Some(self.reservation),
        }
    }

    /// A refusal of the request.
    pub fn refusal(&self, error: RequestError) -> Refusal {
        Refusal::of(error, &self.head)
    }

    /// Bytes of memory that it holds of the budget.
    pub fn held(&self) -> usize {
        self.reservation.held()
    }

    /// When the content is late unless more of it comes: after that time without any, and after that time when it has come
    /// at less than [`LEAST_BODY_RATE`] on average.
    pub fn due(&self, timeout: Duration) -> Instant {
        due(self.begun, self.last, self.content.len(), timeout)
    }

    /// How fast the client goes on.
    pub fn rate(&self) -> &TransferRate {
        &self.rate
    }
}

fn due(begun: Instant, last: Instant, content: usize, timeout: Duration) -> Instant {
    let content = u32::try_from(content).unwrap_or(u32::MAX);
    let at_least_rate = Duration::from_secs(1) * content / LEAST_BODY_RATE;
    (last + timeout).min(begun + timeout.max(at_least_rate))
}

impl Refusal {
    /// A refusal of the request with that head.
    pub fn of(error: RequestError, head: &Head) -> Refusal {
        Refusal {
            error,
            head_only: head.request.method == "HEAD",
            request: Box::new(head.request.without_content()),
        }
    }
}

fn no_memory() -> RequestError {
    RequestError::Overloaded("the memory for messages is spent")
}

fn error_of(error: DecodeError) -> RequestError {
    match error {
        DecodeError::Malformed(reason) => RequestError::Malformed(reason.to_owned()),
        DecodeError::TooLarge => RequestError::BodyTooLarge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_late_when_it_is_silent_or_slow_on_average() {
        let begun = Instant::now();
        for (last, content, due_after) in [
            // It has the whole time at first, however little has come.
            (0, 0, 30),
            (10, 100, 30),
            (29, 30 * 8192, 30),
            // Then it has as long as it has come at the rate for.
            (29, 40 * 8192, 40),
            (39, 40 * 8192, 40),
            // Much at once is no leave to be silent.
            (5, 1000 * 8192, 35),
            (100, 1000 * 8192, 130),
        ] {
            let got = due(
                begun,
                begun + Duration::from_secs(last),
                content,
                Duration::from_secs(30),
            );
            assert_eq!(got - begun, Duration::from_secs(due_after), "{content} until {last}");
        }
    }
}
