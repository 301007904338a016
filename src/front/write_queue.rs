//! Bytes that are to be sent, in pieces: none is moved when more come, and each is given back once it is sent.

use std::collections::VecDeque;
use std::io;
use std::mem;

use crate::http1::message_limits::PIECE_LENGTH;

/// A part gets a new piece where the last one has less room than this, which is what is read of an integration at once
/// in the worst case.
const LEAST_ROOM: usize = 16 * 1024;

/// Bytes that are to be sent.
#[derive(Debug, Default)]
pub struct WriteQueue {
    /// Those that nothing is added to; none is empty.
    full: VecDeque<Vec<u8>>,
    /// Where more is added; kept when it is sent.
    last: Vec<u8>,
    /// How much of the first one is sent.
    sent: usize,
    /// Bytes of memory that they take.
    held: usize,
}

impl WriteQueue {
    /// One piece with those bytes.
    pub fn of(bytes: Vec<u8>) -> WriteQueue {
        WriteQueue {
            held: bytes.capacity(),
            last: bytes,
            ..WriteQueue::default()
        }
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.full.is_empty() && self.last.is_empty()
    }

    /// Bytes that are not sent.
    pub fn left(&self) -> usize {
        let full: usize = self.full.iter().map(Vec::len).sum();
        full + self.last.len() - self.sent
    }

    /// Bytes of memory that they take.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes of memory that they will take once [`WriteQueue::room`] was asked for.
    pub fn held_with_room(&self) -> usize {
        if self.has_room() {
            self.held
        } else if self.last.is_empty() {
            self.held - self.last.capacity() + PIECE_LENGTH
        } else {
            self.held + PIECE_LENGTH
        }
    }

    fn has_room(&self) -> bool {
        self.last.capacity() - self.last.len() >= LEAST_ROOM
    }

    /// Where more can be added, behind what is there; no more than there is capacity for.
    pub fn room(&mut self) -> &mut Vec<u8> {
        if !self.has_room() {
            self.held = self.held_with_room();
            let last = mem::replace(&mut self.last, Vec::with_capacity(PIECE_LENGTH));
            if !last.is_empty() {
                self.full.push_back(last);
            }
        }
        &mut self.last
    }

    /// Lends a piece to it, where it has no room for more.
    pub fn lend(&mut self, piece: Vec<u8>) {
        if self.last.is_empty() && piece.capacity() > self.last.capacity() {
            self.held = self.held.saturating_sub(self.last.capacity()) + piece.capacity();
            self.last = piece;
        }
    }

    /// Takes back the piece where all is sent, for another queue.
    pub fn take_back(&mut self) -> Vec<u8> {
        if !self.is_empty() {
            return Vec::new();
        }
        self.held = self.held.saturating_sub(self.last.capacity());
        mem::take(&mut self.last)
    }

    /// Sends through that function until it takes less than it is given, or `most` bytes are sent; tells how many were.
    ///
    /// # Errors
    /// Those of the function.
    pub fn send(&mut self, most: usize, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let first = self.full.front().unwrap_or(&self.last);
            let rest = first.get(self.sent..).unwrap_or_default();
            let rest = rest.get(..most - total).unwrap_or(rest);
            if rest.is_empty() {
                return Ok(total);
            }
            let count = send(rest)?;
            let is_taken = count == rest.len();
            let is_sent = self.sent + count == first.len();
            total += count;
            self.sent += count;
            if is_sent {
                self.end_first();
            }
            if !is_taken {
                return Ok(total);
            }
        }
    }

    fn end_first(&mut self) {
        self.sent = 0;
        match self.full.pop_front() {
            Some(first) => self.held -= first.capacity(),
            None => self.last.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes that many bytes at each call and keeps them.
    fn take(pieces: &mut WriteQueue, most: usize, at_once: usize, taken: &mut Vec<u8>) -> usize {
        let send = |bytes: &[u8]| {
            let count = bytes.len().min(at_once);
            taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        };
        pieces.send(most, send).unwrap()
    }

    #[test]
    fn what_is_added_is_sent_in_order_and_given_back() {
        let mut pieces = WriteQueue::of(b"head".to_vec());
        let mut expected = b"head".to_vec();
        for number in 0..40_u8 {
            let part = vec![number; 10_000];
            let held = pieces.held_with_room();
            let room = pieces.room();
            let capacity = room.capacity();
            room.extend_from_slice(&part);
            assert_eq!(room.capacity(), capacity, "it had room");
            expected.extend_from_slice(&part);
            assert_eq!(pieces.held(), held);
        }
        assert!(pieces.held() < 400_000 + 3 * PIECE_LENGTH, "{}", pieces.held());
        let mut taken = Vec::new();
        assert_eq!(take(&mut pieces, usize::MAX, 3, &mut taken), 3);
        assert_eq!(take(&mut pieces, 5, 100, &mut taken), 5);
        assert_eq!(take(&mut pieces, 100_000, usize::MAX, &mut taken), 100_000);
        assert!(pieces.held() < 300_000 + 3 * PIECE_LENGTH, "{}", pieces.held());
        assert!(!pieces.is_empty());
        take(&mut pieces, usize::MAX, usize::MAX, &mut taken);
        assert!(taken == expected && pieces.is_empty());
        assert_eq!((pieces.held(), pieces.held_with_room()), (PIECE_LENGTH, PIECE_LENGTH));
        assert_eq!(take(&mut pieces, usize::MAX, 9, &mut taken), 0);
        let piece = pieces.take_back();
        assert_eq!((pieces.held(), piece.capacity()), (0, PIECE_LENGTH));
        pieces.lend(piece);
        assert_eq!((pieces.held(), pieces.held_with_room()), (PIECE_LENGTH, PIECE_LENGTH));
        pieces.room().push(b'x');
        assert!(pieces.take_back().capacity() == 0, "it is not sent");
        pieces.lend(Vec::with_capacity(2 * PIECE_LENGTH));
        assert_eq!((pieces.held(), pieces.left()), (PIECE_LENGTH, 1), "it has one");
    }
}
