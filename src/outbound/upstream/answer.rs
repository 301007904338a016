//! An answer on its way from the transport to ureq: freed of all that ureq would stumble over.

use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::http1::response_head::{self, Found};
use crate::outbound::upstream::chunks::Chunks;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;

/// The answer that is being read.
#[derive(Debug)]
pub(super) struct Answer {
    step: Step,
    /// The request was HEAD.
    is_to_head: bool,
    /// Bytes of interim answers so far.
    interim: usize,
}

#[derive(Debug)]
enum Step {
    Head,
    Chunks(Chunks),
    /// What comes is passed on as it is.
    AsItIs,
}

/// What becomes of bytes that have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many of them are for ureq.
    Ready(usize),
    /// So many of them are to be given again, with what follows them.
    Held(usize),
}

impl Answer {
    /// The answer to a request with that head.
    pub(super) fn to(request: &[u8]) -> Answer {
        Answer {
            step: Step::Head,
            is_to_head: request.starts_with(b"HEAD "),
            interim: 0,
        }
    }

    /// Takes bytes, of which those that are left stand at the begin; the fields of a head are given to the exchange.
    ///
    /// # Errors
    /// They are no answer that HTTP/1.1 allows.
    pub(super) fn take(&mut self, input: &mut [u8], exchange: &Exchange) -> Result<Taken, UpstreamError> {
        let mut length = input.len();
        loop {
            let input = input.get_mut(..length).unwrap_or_default();
            match &mut self.step {
                Step::AsItIs => return Ok(Taken::Ready(length)),
                Step::Chunks(chunks) => return Ok(Taken::Ready(chunks.take(input).map_err(malformed)?)),
                Step::Head => {}
            }
            match response_head::take(input, self.is_to_head).map_err(malformed)? {
                Found::Part => return Ok(Taken::Held(length)),
                Found::Interim(count) => {
                    self.interim += count;
                    if self.interim > MAX_RESPONSE_HEAD_LENGTH {
                        return Err(malformed("its interim answers do not end"));
                    }
                    input.copy_within(count.., 0);
                    length -= count;
                }
                Found::Final(head) => {
                    exchange.set_fields(head.fields);
                    let mut left = head.content;
                    self.step = Step::AsItIs;
                    if head.is_chunked {
                        let mut chunks = Chunks::begin();
                        let content = input.get_mut(head.length..head.length + left).unwrap_or_default();
                        left = chunks.take(content).map_err(malformed)?;
                        self.step = Step::Chunks(chunks);
                    }
                    return Ok(Taken::Ready(head.length + left));
                }
            }
        }
    }

    /// Whether an end of the connection cuts it in a way that ureq does not see.
    pub(super) fn is_cut(&self) -> bool {
        matches!(&self.step, Step::Chunks(chunks) if chunks.is_in_trailer())
    }
}

fn malformed(reason: impl Into<String>) -> UpstreamError {
    UpstreamError::Malformed(reason.into())
}
