//! The side of an exchange that sends: the head, and the content, here whole or added part by part.

use crate::http1::framing::Framing;
use crate::http1::request_writer::{LAST_CHUNK, append_chunk};

/// Bytes of content that go with the head in one piece.
const BEGINNING: usize = 64 * 1024;

/// What is sent of a request.
#[derive(Debug)]
pub(super) struct RequestSide {
    /// The head and the beginning of the content, or the last part of the content that was added.
    piece: Vec<u8>,
    /// Content of which the beginning is in the piece, and how long that is.
    content: Vec<u8>,
    begun: usize,
    /// Bytes of all these that were sent.
    sent: usize,
    feed: Feed,
    /// There is content.
    has_content: bool,
    /// The upstream takes no more, or has said that it wants no more.
    is_stopped: bool,
}

/// What is still to be added to the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    Nothing,
    Sized(u64),
    Chunks,
}

impl RequestSide {
    /// A request with that head, and with content that is here whole. The head should have room for the beginning of it,
    /// see [`RequestSide::beginning`].
    pub(super) fn whole(mut head: Vec<u8>, content: Vec<u8>) -> RequestSide {
        let begun = RequestSide::beginning(content.len());
        head.extend_from_slice(content.get(..begun).unwrap_or_default());
        let has_content = !content.is_empty();
        RequestSide {
            piece: head,
            content: if begun < content.len() { content } else { Vec::new() },
            begun,
            sent: 0,
            feed: Feed::Nothing,
            has_content,
            is_stopped: false,
        }
    }

    /// A request with that head, whose content is [added](RequestSide::add_content) part by part. It cannot be sent again.
    pub(super) fn fed(head: Vec<u8>, framing: Framing) -> RequestSide {
        let mut request = RequestSide::whole(head, Vec::new());
        request.feed = match framing {
            Framing::Length(0) => Feed::Nothing,
            Framing::Length(length) => Feed::Sized(length),
            Framing::Chunked => Feed::Chunks,
        };
        request.has_content = request.feed != Feed::Nothing;
        request
    }

    /// How much of so much content is sent with the head.
    pub(super) fn beginning(content: usize) -> usize {
        content.min(BEGINNING)
    }

    /// Forgets what was sent.
    pub(super) fn begin_again(&mut self) {
        self.sent = 0;
        self.is_stopped = false;
    }

    /// Gives back the memory of what was sent, which cannot be sent again then. Nothing more is sent.
    pub(super) fn release(&mut self) {
        self.is_stopped |= !self.is_sent();
        self.piece = Vec::new();
        self.content = Vec::new();
    }

    /// What is to be sent now.
    pub(super) fn output(&self) -> &[u8] {
        if self.is_stopped {
            return &[];
        }
        match self.piece.get(self.sent..) {
            Some([]) | None => {
                let at = self.sent.saturating_sub(self.piece.len()) + self.begun;
                self.content.get(at..).unwrap_or_default()
            }
            Some(piece) => piece,
        }
    }

    /// So many bytes of the output were sent.
    pub(super) fn note_sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Whether a part of the content must be added when all before it is sent.
    pub(super) fn awaits_content(&self) -> bool {
        !self.is_stopped && self.feed != Feed::Nothing
    }

    /// Adds a part of the content when all before it is sent; an empty one ends the content. What is more than was told is
    /// left out.
    pub(super) fn add_content(&mut self, part: &[u8]) {
        self.piece.clear();
        self.sent = 0;
        match &mut self.feed {
            Feed::Nothing => {}
            Feed::Chunks if part.is_empty() => self.piece.extend_from_slice(LAST_CHUNK),
            Feed::Chunks => append_chunk(&mut self.piece, part),
            Feed::Sized(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let part = part.get(..most).unwrap_or(part);
                self.piece.extend_from_slice(part);
                *left -= part.len() as u64;
            }
        }
        if part.is_empty() || self.feed == Feed::Sized(0) {
            self.feed = Feed::Nothing;
        }
    }

    /// Whether there is content.
    pub(super) fn has_content(&self) -> bool {
        self.has_content
    }

    /// Nothing more is sent.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Whether all of it is sent.
    pub(super) fn is_sent(&self) -> bool {
        !self.is_stopped && self.feed == Feed::Nothing && self.output().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"POST / HTTP/1.1\r\n\r\n";

    /// What is sent in small parts, as a slow upstream takes them.
    fn sent(request: &mut RequestSide) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !request.output().is_empty() {
            let part = request.output()[..request.output().len().min(1_000)].to_vec();
            request.note_sent(part.len());
            bytes.extend_from_slice(&part);
        }
        bytes
    }

    #[test]
    fn a_request_is_sent_whole_however_it_is_given() {
        let content: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, BEGINNING - 1, BEGINNING, BEGINNING + 1, content.len()] {
            let content = &content[..length];
            let mut whole = RequestSide::whole(HEAD.to_vec(), content.to_vec());
            let expected = [HEAD, content].concat();
            assert!(sent(&mut whole) == expected && whole.is_sent(), "{length}");
            assert_eq!(whole.has_content(), length > 0);
            // Once more, on another connection.
            whole.stop();
            assert!(whole.output().is_empty() && !whole.is_sent());
            whole.begin_again();
            assert!(sent(&mut whole) == expected && whole.is_sent(), "{length} again");
            whole.release();
            assert!(whole.is_sent() && whole.output().is_empty() && whole.has_content() == (length > 0));
            assert_eq!(whole.piece.capacity() + whole.content.capacity(), 0);
            let mut cut = RequestSide::whole(HEAD.to_vec(), content.to_vec());
            cut.note_sent(1);
            cut.release();
            assert!(!cut.is_sent() && cut.output().is_empty());
            let mut fed = RequestSide::fed(HEAD.to_vec(), Framing::Length(length as u64));
            let mut bytes = sent(&mut fed);
            let mut parts = content.chunks(60_000);
            while fed.awaits_content() {
                assert!(!fed.is_sent());
                let part = parts.next().unwrap();
                // What is more than was told is left out.
                let more: &[u8] = if parts.len() == 0 { b"more" } else { b"" };
                fed.add_content(&[part, more].concat());
                bytes.extend(sent(&mut fed));
            }
            assert!(bytes == expected && fed.is_sent(), "{length} in parts");
        }
    }

    #[test]
    fn content_of_an_unknown_length_goes_in_chunks() {
        let mut chunks = RequestSide::fed(HEAD.to_vec(), Framing::Chunked);
        let mut bytes = sent(&mut chunks);
        for part in ["hello", "0123456789abcdef", ""] {
            assert!(chunks.awaits_content());
            chunks.add_content(part.as_bytes());
            bytes.extend(sent(&mut chunks));
        }
        assert!(!chunks.awaits_content() && chunks.is_sent());
        let expected = [HEAD, b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"].concat();
        assert_eq!(bytes, expected);
    }
}
