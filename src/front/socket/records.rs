//! A client's socket with TLS: what is read is opened, what is to be sent is sealed first.

use std::cell::Cell;

use crate::front::listener_limits::TURN_LENGTH;
use crate::front::socket::{Received, Socket, Wait};
use crate::front::tls::records::{CONTENT_LENGTH, OVERHEAD};
use crate::front::tls::session::TlsSession;

thread_local! {
    /// Where records are received before they are opened.
    static RECORDS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Socket {
    /// From now on what is read is opened, and what is to be sent must be sealed.
    pub(crate) fn begin_tls(&mut self, session: TlsSession) {
        self.is_drained &= !session.has_ended();
        self.tls = Some(Box::new(session));
    }

    /// Whether it is not in plain text.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether something is here that is no byte of plain text yet.
    pub(crate) fn has_partial_record(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_partial())
    }

    /// Bytes as they are sent.
    pub(crate) fn seal(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return bytes;
        };
        let mut sealed = Vec::with_capacity(bytes.len() + bytes.len().div_ceil(CONTENT_LENGTH) * OVERHEAD + OVERHEAD);
        tls.seal(&bytes, &mut sealed);
        sealed
    }

    /// As [`Socket::seal`], behind what is there.
    pub(crate) fn seal_into(&mut self, bytes: &[u8], sealed: &mut Vec<u8>) {
        match &mut self.tls {
            Some(tls) => tls.seal(bytes, sealed),
            None => sealed.extend_from_slice(bytes),
        }
    }

    /// Says behind what is to be sent that nothing more is, where the connection itself has a word for it.
    pub(crate) fn seal_end(&mut self, sealed: &mut Vec<u8>) {
        if let Some(tls) = &mut self.tls {
            tls.close(sealed);
        }
    }

    /// Ends our side, and says so before, since all that was to be sent is sent.
    pub(crate) fn close(&mut self) {
        self.take_leave();
        self.half_close();
    }

    /// Says that nothing more is sent, where the connection has a word for it and has not said it.
    pub(crate) fn take_leave(&mut self) {
        let mut last = Vec::new();
        self.seal_end(&mut last);
        if !last.is_empty() {
            let _ = self.send_now(&last);
        }
    }

    pub(crate) fn receive_records(
        &mut self,
        tls: &mut TlsSession,
        buffer: &mut Vec<u8>,
        length: usize,
        mut patience: Wait,
    ) -> Received {
        if tls.has_ended() {
            self.is_drained = false;
            return Received::End;
        }
        let (start, mut count) = (buffer.len(), 0);
        let mut records = RECORDS.take();
        let received = loop {
            let mut partial = tls.take_partial();
            records.clear();
            // No more is read ahead than the caller wants, whatever room the last caller left.
            if records.capacity() > partial.len() + 2 * (length + OVERHEAD) {
                records = Vec::with_capacity(partial.len() + length + OVERHEAD);
            }
            records.append(&mut partial);
            match self.receive_raw(&mut records, length + OVERHEAD, patience) {
                Received::Bytes(more) => count += more,
                other => {
                    tls.put_partial(&records);
                    break other;
                }
            }
            patience = Wait::Never;
            tls.open(&records, buffer);
            tls.send_first(|bytes| self.send_now(bytes).unwrap_or_default());
            // An end that was told with the last bytes is seen at the next read.
            self.is_drained &= !tls.has_ended();
            match buffer.len() - start {
                0 if tls.has_ended() => break Received::End,
                0 if self.is_drained || count >= TURN_LENGTH => break Received::Nothing,
                0 => {}
                plain => break Received::Bytes(plain),
            }
        };
        records.clear();
        RECORDS.set(records);
        received
    }
}
