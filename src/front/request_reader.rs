//! A request whose content is on its way, and what becomes of it: a whole request, or a refusal.

use std::sync::Arc;

use crate::front::memory_budget::{Budget, Class, Share};
use crate::front::transfer_rate::Pace;
use crate::http1::body_decoder::{BodyError, Decoder};
use crate::http1::error::RequestError;
use crate::http1::framing::Framing;
use crate::http1::limits::MAX_BODY_LENGTH;
use crate::http1::message::{Body, Request};
use crate::http1::request_head::Head;

/// A request of which the head is here.
#[derive(Debug)]
pub struct Receiving {
    head: Head,
    decoder: Decoder,
    content: Vec<u8>,
    /// What the content takes of the budget.
    share: Share,
    pace: Pace,
}

/// A request that is here whole.
#[derive(Debug)]
pub struct Whole {
    /// Its head, with the content.
    pub head: Head,
    /// What its content takes of the budget.
    pub share: Option<Share>,
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

impl Receiving {
    /// A request without its content yet.
    ///
    /// # Errors
    /// The content is too long by what the head says of it.
    pub fn begin(head: Head, budget: &Arc<Budget>) -> Result<Receiving, Refusal> {
        let decoder = Decoder::new(head.framing).map_err(|error| Refusal::of(error_of(error), &head))?;
        let mut share = budget.share(Class::Body);
        // A small body may take its time, and its head takes more memory than it meanwhile.
        if !share.set_apart(head.memory()) {
            return Err(Refusal::of(no_memory(), &head));
        }
        Ok(Receiving {
            head,
            decoder,
            content: Vec::new(),
            share,
            pace: Pace::begin(),
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
        if !self.share.make_room(&mut self.content, more, most) {
            return Err(self.refusal(no_memory()));
        }
        let taken = self
            .decoder
            .decode(input, &mut self.content)
            .map_err(|error| Refusal::of(error_of(error), &self.head))?;
        input.drain(..taken);
        self.pace.note(taken);
        Ok(self.decoder.is_done())
    }

    /// The request with its content.
    pub fn into_whole(self) -> Whole {
        let mut head = self.head;
        if !self.content.is_empty() {
            head.request.body = Body::Bytes(self.content);
        }
        Whole {
            head,
            share: Some(self.share),
        }
    }

    /// A refusal of the request.
    pub fn refusal(&self, error: RequestError) -> Refusal {
        Refusal::of(error, &self.head)
    }

    /// Bytes of memory that it holds of the budget.
    pub fn held(&self) -> usize {
        self.share.held()
    }

    /// How fast the client goes on.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }
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

fn error_of(error: BodyError) -> RequestError {
    match error {
        BodyError::Malformed(reason) => RequestError::Malformed(reason.to_owned()),
        BodyError::TooLarge => RequestError::BodyTooLarge,
    }
}
