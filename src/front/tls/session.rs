//! A connection whose handshake is over: opens the records that come, and seals what is sent.

use std::fmt;
use std::io::{self, Read, Write};
use std::mem;

use rustls::Error;
use rustls::server::ServerConnection;

use crate::front::tls::records::{CONTENT_LENGTH, whole_length};

/// Bytes that may wait to be sent before all else: tickets, and answers to a client's new keys.
const MAX_OUTGOING: usize = 64 * 1024;

/// The records of one connection.
pub(crate) struct TlsSession {
    connection: ServerConnection,
    /// The beginning of a record.
    partial: Vec<u8>,
    /// What is to be sent before all else.
    outgoing: Vec<u8>,
    /// A record could not be opened. Nothing more is read or sent.
    is_broken: bool,
    /// The client has said that it sends no more.
    has_ended: bool,
    /// It was said that no more is sent.
    has_closed: bool,
}

impl TlsSession {
    /// `outgoing` is what the handshake has left to send, and `partial` what it has not read.
    pub(crate) fn new(
        connection: ServerConnection,
        outgoing: Vec<u8>,
        mut partial: Vec<u8>,
        has_ended: bool,
    ) -> TlsSession {
        // Thousands may wait with it.
        partial.shrink_to_fit();
        TlsSession {
            connection,
            partial,
            outgoing,
            is_broken: false,
            has_ended,
            has_closed: false,
        }
    }

    /// Whether a record could not be opened.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether the client sends no more behind what was opened.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended || self.is_broken
    }

    /// Whether the beginning of a record is here.
    pub(crate) fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The beginning of a record, to which more is added.
    pub(crate) fn take_partial(&mut self) -> Vec<u8> {
        mem::take(&mut self.partial)
    }

    /// Keeps the beginning of a record.
    pub(crate) fn put_partial(&mut self, partial: &[u8]) {
        self.partial.extend_from_slice(partial);
    }

    /// Sends what comes before all else through that function, which tells how much it has taken. What is taken leaves no
    /// memory behind: thousands of connections wait after their handshakes.
    pub(crate) fn send_first(&mut self, send: impl FnOnce(&[u8]) -> usize) {
        if self.outgoing.is_empty() {
            return;
        }
        let sent = send(&self.outgoing);
        match sent < self.outgoing.len() {
            true => drop(self.outgoing.drain(..sent)),
            false => self.outgoing = Vec::new(),
        }
    }

    /// Opens the whole records of what was received, and keeps the beginning of another one.
    pub(crate) fn open(&mut self, received: &[u8], plain: &mut Vec<u8>) {
        let whole = whole_length(received);
        let (records, partial) = received.split_at_checked(whole).unwrap_or((received, &[]));
        match open_records(&mut self.connection, records, plain) {
            Ok(has_ended) => self.has_ended |= has_ended,
            Err(error) => {
                log::debug!("a TLS connection is broken: {error}");
                self.is_broken = true;
            }
        }
        self.partial.extend_from_slice(partial);
        flush(&mut self.connection, &mut self.outgoing);
        self.is_broken |= self.outgoing.len() > MAX_OUTGOING;
    }

    /// Seals bytes behind those that are there.
    pub(crate) fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        sealed.append(&mut mem::take(&mut self.outgoing));
        for part in plain.chunks(CONTENT_LENGTH) {
            let is_taken = self
                .connection
                .writer()
                .write(part)
                .is_ok_and(|count| count == part.len());
            flush(&mut self.connection, sealed);
            if !is_taken {
                self.is_broken = true;
                return;
            }
        }
    }

    /// Says that nothing more is sent, once.
    pub(crate) fn close(&mut self, sealed: &mut Vec<u8>) {
        sealed.append(&mut mem::take(&mut self.outgoing));
        if !mem::replace(&mut self.has_closed, true) && !self.is_broken {
            self.connection.send_close_notify();
            flush(&mut self.connection, sealed);
        }
    }
}

/// Opens records, and takes out what is in them: no more than 16 KiB may be left inside. Tells whether the client sends
/// no more behind them.
///
/// # Errors
/// A record does not hold. There may be an alert to send.
pub(crate) fn open_records(
    connection: &mut ServerConnection,
    mut records: &[u8],
    plain: &mut Vec<u8>,
) -> Result<bool, Error> {
    let general = |error: io::Error| Error::General(error.to_string());
    let mut has_ended = false;
    while !records.is_empty() && !has_ended {
        let count = connection.read_tls(&mut records).map_err(general)?;
        let state = connection.process_new_packets()?;
        let opened = state.plaintext_bytes_to_read();
        if opened > 0 {
            plain.reserve(opened);
            let mut reader = connection.reader().take(opened as u64);
            reader.read_to_end(plain).map_err(general)?;
        }
        has_ended = state.peer_has_closed() || count == 0;
    }
    Ok(has_ended)
}

/// Takes out what is to be sent.
pub(crate) fn flush(connection: &mut ServerConnection, sealed: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    while connection.wants_write() && connection.write_tls(sealed).is_ok_and(|count| count > 0) {}
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").finish_non_exhaustive()
    }
}
