//! One exchange with an integration without sockets and without a clock: bytes of the request out, bytes of the answer in.
//!
//! It says what it [wants](Exchange::wants); a driver moves the bytes, and waits. An answer may come while the request
//! is still sent (RFC 9112 §9.3).

use crate::http1::body_decoder::{BodyDecoder, DecodeError};
use crate::http1::error::ResponseError;
use crate::http1::framing::ResponseFraming;
use crate::http1::message::Headers;
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::http1::response_head::ResponseReader;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::request_side::RequestSide;

/// Bytes of an answer that are held while the request is still sent. An upstream that sends back what it gets has as
/// much to send as a request may have.
const MAX_BACKLOG: usize = 10 * 1024 * 1024 + MAX_RESPONSE_HEAD_LENGTH;

/// An exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    request: RequestSide,
    is_to_head: bool,
    answer: AnswerSide,
}

/// What has come.
#[derive(Debug)]
struct AnswerSide {
    reader: ResponseReader,
    input: Vec<u8>,
    /// Bytes of the input that were taken.
    taken: usize,
    /// What is read behind the head.
    content: Option<Content>,
    end: End,
}

#[derive(Debug)]
struct Content {
    status: u16,
    /// Until they are taken.
    headers: Headers,
    framing: ResponseFraming,
    keeps_connection: bool,
    decoder: BodyDecoder,
}

/// How the connection stands, as far as bytes of the answer are concerned.
#[derive(Debug)]
enum End {
    None,
    InOrder,
    /// The connection broke, for that reason.
    Broken(String),
}

/// What an exchange wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// More of the request's content, from its sender.
    Content,
    /// To [send](Exchange::output), and to receive what comes meanwhile.
    Send,
    /// To receive.
    Receive,
    /// Nothing: the head of the answer is here, and the request needs no more.
    Nothing,
}

/// What there is of the answer's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes.
    Bytes(usize),
    /// Nothing before more is received.
    Wait,
    /// Nothing any more.
    End,
}

impl Exchange {
    /// An exchange for that request, which is HEAD or not.
    pub(super) fn new(request: RequestSide, is_to_head: bool) -> Exchange {
        Exchange {
            request,
            is_to_head,
            answer: AnswerSide::new(is_to_head),
        }
    }

    /// Forgets what was sent, for another connection. The content must be here whole.
    pub(super) fn begin_again(&mut self) {
        self.request.begin_again();
        self.answer = AnswerSide::new(self.is_to_head);
    }

    /// Gives back the memory of the request, of which nothing is sent any more.
    pub(super) fn release_request(&mut self) {
        self.request.release();
    }

    /// What is next, until the head of the answer is here and the request is sent.
    pub(super) fn wants(&self) -> Wants {
        if !self.request.output().is_empty() {
            Wants::Send
        } else if self.request.awaits_content() {
            Wants::Content
        } else if self.answer.content.is_none() {
            Wants::Receive
        } else {
            Wants::Nothing
        }
    }

    /// What is to be sent now.
    pub(super) fn output(&self) -> &[u8] {
        self.request.output()
    }

    /// So many bytes of the output were sent.
    pub(super) fn note_sent(&mut self, count: usize) {
        self.request.note_sent(count);
    }

    /// Adds a part of the content when all before it is sent; an empty one ends the content.
    pub(super) fn add_content(&mut self, part: &[u8]) {
        self.request.add_content(part);
    }

    /// Whether the request has content. An upstream that takes no more of it may have said why before.
    pub(super) fn has_content(&self) -> bool {
        self.request.has_content()
    }

    /// The rest of the request is not sent, and the connection is of no use afterwards.
    pub(super) fn stop_sending(&mut self) {
        self.request.stop();
    }

    /// Whether the upstream has answered, before it has the whole request, that it does not want it. An answer that is
    /// no refusal says nothing against the rest.
    pub(super) fn is_refused(&self) -> bool {
        let content = self.answer.content.as_ref();
        content.is_some_and(|content| !(200..=299).contains(&content.status))
    }

    /// Whether more of the answer is taken in while the request is sent.
    pub(super) fn has_room(&self) -> bool {
        self.answer.rest().len() < MAX_BACKLOG
    }

    /// Whether nothing of the answer has come, so that the request may not have arrived.
    pub(super) fn is_unanswered(&self) -> bool {
        let answer = &self.answer;
        answer.content.is_none() && answer.taken == 0 && answer.input.is_empty()
    }

    /// Where bytes that are received are appended, before [`Exchange::take_in`].
    pub(super) fn input(&mut self) -> &mut Vec<u8> {
        let answer = &mut self.answer;
        if answer.taken == answer.input.len() && answer.content.is_some() {
            answer.input.clear();
            answer.taken = 0;
        }
        &mut answer.input
    }

    /// Takes in what was received.
    ///
    /// # Errors
    /// It is no answer that HTTP/1.1 allows.
    pub(super) fn take_in(&mut self) -> Result<(), UpstreamError> {
        let answer = &mut self.answer;
        if answer.content.is_some() {
            return Ok(());
        }
        let input = answer.input.get(answer.taken..).unwrap_or_default();
        let (taken, head) = answer.reader.read(input).map_err(malformed)?;
        answer.taken += taken;
        if let Some(head) = head {
            answer.content = Some(Content {
                keeps_connection: head.keeps_connection(),
                decoder: BodyDecoder::of_response(head.framing),
                status: head.status,
                framing: head.framing,
                headers: head.headers,
            });
        }
        Ok(())
    }

    /// The upstream has ended its side in order. It takes no more of the request either.
    ///
    /// # Errors
    /// There is no answer, or a part of its head.
    pub(super) fn note_end(&mut self) -> Result<(), UpstreamError> {
        self.end(End::InOrder, "it ended before the answer")
    }

    /// The connection broke. What has come of the answer before counts.
    ///
    /// # Errors
    /// There is no answer, or a part of its head.
    pub(super) fn note_break(&mut self, reason: String) -> Result<(), UpstreamError> {
        let text = reason.clone();
        self.end(End::Broken(reason), &text)
    }

    fn end(&mut self, end: End, why: &str) -> Result<(), UpstreamError> {
        self.answer.end = end;
        self.stop_sending();
        match &self.answer.content {
            Some(_) => Ok(()),
            None => Err(UpstreamError::Broken(why.to_owned())),
        }
    }

    /// Status and fields of the answer, once.
    pub(super) fn take_head(&mut self) -> Option<(u16, Headers)> {
        let content = self.answer.content.as_mut()?;
        Some((content.status, std::mem::take(&mut content.headers)))
    }

    /// Bytes of the answer's content, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self.answer.content.as_ref()?.framing {
            ResponseFraming::Length(length) => Some(length),
            ResponseFraming::Chunked | ResponseFraming::UntilEnd => None,
        }
    }

    /// Moves content that was received to a buffer, which is not empty.
    ///
    /// # Errors
    /// The answer is malformed, or the connection ended inside it.
    pub(super) fn read_content(&mut self, buffer: &mut [u8]) -> Result<Progress, UpstreamError> {
        let answer = &mut self.answer;
        let Some(content) = &mut answer.content else {
            return Ok(Progress::Wait);
        };
        let input = answer.input.get(answer.taken..).unwrap_or_default();
        let (taken, filled) = content.decoder.decode_to(input, buffer).map_err(of_decoder)?;
        answer.taken += taken;
        if filled > 0 {
            return Ok(Progress::Bytes(filled));
        }
        match &answer.end {
            _ if content.decoder.is_done() => Ok(Progress::End),
            End::None => Ok(Progress::Wait),
            End::InOrder if content.decoder.end() => Ok(Progress::End),
            End::InOrder => Err(UpstreamError::Broken("it ended inside the answer".to_owned())),
            End::Broken(reason) => Err(UpstreamError::Broken(reason.clone())),
        }
    }

    /// How many bytes that are received next are content, with nothing before them that was received already.
    pub(super) fn content_ahead(&self) -> usize {
        let answer = &self.answer;
        match &answer.content {
            Some(content) if answer.rest().is_empty() => {
                usize::try_from(content.decoder.content_ahead()).unwrap_or(usize::MAX)
            }
            _ => 0,
        }
    }

    /// Gives back memory that holds nothing.
    pub(super) fn shrink(&mut self) {
        let answer = &mut self.answer;
        if answer.content.is_some() && answer.rest().is_empty() {
            (answer.input, answer.taken) = (Vec::new(), 0);
        }
    }

    /// Bytes of memory that hold what has come.
    pub(super) fn held(&self) -> usize {
        self.answer.input.capacity()
    }

    /// So many bytes of the content ahead were received elsewhere.
    pub(super) fn pass(&mut self, count: usize) {
        if let Some(content) = &mut self.answer.content {
            content.decoder.pass(count);
        }
    }

    /// Whether the answer has been read to its end.
    pub(super) fn is_over(&self) -> bool {
        let content = self.answer.content.as_ref();
        content.is_some_and(|content| content.decoder.is_done())
    }

    /// Whether bytes of the content are here that were not read, or its end is known.
    pub(super) fn has_input(&self) -> bool {
        !self.answer.rest().is_empty() || !matches!(self.answer.end, End::None) || self.is_over()
    }

    /// Whether bytes came behind the answer, which is over: they are none of it.
    pub(super) fn has_surplus(&self) -> bool {
        !self.answer.rest().is_empty()
    }

    /// Whether the connection can take another request, after an answer that is over.
    pub(super) fn keeps_connection(&self) -> bool {
        let content = self.answer.content.as_ref();
        self.request.is_sent()
            && matches!(self.answer.end, End::None)
            && !self.has_surplus()
            && content.is_some_and(|content| content.keeps_connection && content.decoder.is_done())
    }
}

impl AnswerSide {
    fn new(is_to_head: bool) -> AnswerSide {
        AnswerSide {
            reader: ResponseReader::new(is_to_head),
            input: Vec::new(),
            taken: 0,
            content: None,
            end: End::None,
        }
    }

    /// What was received and not taken.
    fn rest(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }
}

fn malformed(error: ResponseError) -> UpstreamError {
    UpstreamError::Malformed(error.to_string())
}

fn of_decoder(error: DecodeError) -> UpstreamError {
    UpstreamError::Malformed(match error {
        DecodeError::Malformed(reason) => reason.to_owned(),
        DecodeError::TooLarge => "it has no end".to_owned(),
    })
}

#[cfg(test)]
mod tests;
