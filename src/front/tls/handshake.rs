//! A TLS handshake, turn by turn. What comes is collected without a calculation; a worker does each turn of which at
//! least one record is whole.

use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::server::{Accepted, Acceptor, ServerConnection};
use rustls::{CertificateError, Error, HandshakeKind};

use crate::front::handler::{Handler, TlsIdentity};
use crate::front::memory_budget::{Class, MemoryBudget, Reservation};
use crate::front::tls::records::{first_length, whole_length};
use crate::front::tls::session::{TlsSession, flush, open_records};
use crate::http1::message::TlsNote;

/// Bytes that a client may send until its handshake is whole. A chain of four certificates is a few thousand.
const MAX_RECEIVED: usize = 64 * 1024;

/// Turns of a handshake that a worker does. An honest client takes two or three, and more where its records come one by
/// one.
const MAX_TURNS: u32 = 32;

/// Memory that the beginning of a handshake takes without asking for it.
const FREE_LENGTH: usize = 4 * 1024;

/// A handshake that is not over.
pub(crate) struct Handshake {
    stage: Stage,
    /// What was received and not taken yet.
    pub(crate) input: Vec<u8>,
    /// What is to be sent.
    pub(crate) outgoing: Vec<u8>,
    received: usize,
    turns: u32,
    reservation: Reservation,
    identity: Option<Arc<dyn TlsIdentity>>,
}

enum Stage {
    /// The client's first message is not whole.
    Hello(Acceptor),
    /// It is, and nothing was made of it.
    Accepted(Accepted),
    /// Turns of the client are awaited.
    Going(ServerConnection),
    /// It is over.
    Over,
}

/// What is next with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More of the client's turn must come.
    Wait,
    /// A worker goes on.
    Turn,
    /// The client speaks plain HTTP.
    PlainHttp,
    /// It is over, without a connection.
    Fail,
}

/// What a turn leads to.
#[expect(clippy::large_enum_variant, reason = "it lives for a moment")]
pub(crate) enum Turn {
    /// The client's next turn is awaited.
    Wait,
    /// The handshake is whole.
    Done(Established),
    /// It failed, for that reason; of a client without a certificate that holds, with the domain that asks for one.
    Failed(String, Option<Arc<dyn TlsIdentity>>),
}

/// A connection whose handshake is whole.
pub(crate) struct Established {
    pub(crate) session: TlsSession,
    /// What came of the first request.
    pub(crate) plain: Vec<u8>,
    pub(crate) note: TlsNote,
    pub(crate) is_resumed: bool,
}

impl Handshake {
    pub(crate) fn begin(budget: &Arc<MemoryBudget>) -> Handshake {
        Handshake {
            stage: Stage::Hello(Acceptor::default()),
            input: Vec::new(),
            outgoing: Vec::new(),
            received: 0,
            turns: 0,
            reservation: budget.reserve(Class::Body),
            identity: None,
        }
    }

    /// Whether the client has not sent anything.
    pub(crate) fn is_untouched(&self) -> bool {
        self.received == 0
    }

    /// Whether the client's first message is all that has come, and is not answered.
    pub(crate) fn has_only_begun(&self) -> bool {
        matches!(self.stage, Stage::Hello(_) | Stage::Accepted(_))
    }

    /// Notes that so many bytes more have come; only parses.
    pub(crate) fn note_received(&mut self, count: usize) -> Step {
        if self.received == 0 && self.input.first().is_some_and(u8::is_ascii_alphabetic) {
            return Step::PlainHttp;
        }
        self.received += count;
        let has_memory = self.received <= FREE_LENGTH || self.reservation.resize(self.received);
        if self.received > MAX_RECEIVED || !has_memory {
            return Step::Fail;
        }
        self.next_step()
    }

    /// What is next by what has come.
    pub(crate) fn next_step(&mut self) -> Step {
        let step = match &mut self.stage {
            Stage::Hello(acceptor) => {
                let outgoing = &mut self.outgoing;
                match accept(acceptor, &mut self.input, outgoing) {
                    Some(Ok(accepted)) => {
                        self.stage = Stage::Accepted(accepted);
                        Step::Turn
                    }
                    Some(Err(())) => Step::Fail,
                    None => Step::Wait,
                }
            }
            Stage::Accepted(_) => Step::Turn,
            Stage::Going(_) if whole_length(&self.input) > 0 => Step::Turn,
            Stage::Going(_) => Step::Wait,
            Stage::Over => Step::Fail,
        };
        if step == Step::Turn && self.turns == MAX_TURNS {
            return Step::Fail;
        }
        step
    }

    /// Does a turn, which takes as long as its signatures do.
    pub(crate) fn do_turn(&mut self, handler: &dyn Handler) -> Turn {
        self.turns += 1;
        let mut connection = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Accepted(accepted) => match self.choose(accepted, handler) {
                Ok(connection) => connection,
                Err(error) => return self.failed(&error),
            },
            Stage::Going(connection) => connection,
            Stage::Hello(_) | Stage::Over => return self.failed(&Error::HandshakeNotComplete),
        };
        let mut plain = Vec::new();
        let read = self.read(&mut connection, &mut plain);
        flush(&mut connection, &mut self.outgoing);
        let has_ended = match read {
            Ok(has_ended) => has_ended,
            Err(error) => return self.failed(&error),
        };
        if connection.is_handshaking() && has_ended {
            return self.failed(&Error::HandshakeNotComplete);
        }
        if connection.is_handshaking() {
            self.stage = Stage::Going(connection);
            return Turn::Wait;
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        let Some(note) = self.identity.as_ref().map(|identity| identity.note(chain)) else {
            return self.failed(&Error::HandshakeNotComplete);
        };
        Turn::Done(Established {
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            session: TlsSession::new(
                connection,
                mem::take(&mut self.outgoing),
                mem::take(&mut self.input),
                has_ended,
            ),
            plain,
            note,
        })
    }

    /// Chooses the settings by the name that the client asks for, and answers its first message.
    fn choose(&mut self, accepted: Accepted, handler: &dyn Handler) -> Result<ServerConnection, Error> {
        let name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
        let Some(identity) = handler.tls_identity(name.as_deref()) else {
            return Err(Error::General("there is no certificate".to_owned()));
        };
        let config = identity.config();
        self.identity = Some(identity);
        accepted.into_connection(config).map_err(|(error, mut alert)| {
            // Writing to a Vec cannot fail.
            let _ = alert.write_all(&mut self.outgoing);
            error
        })
    }

    fn read(&mut self, connection: &mut ServerConnection, plain: &mut Vec<u8>) -> Result<bool, Error> {
        let whole = whole_length(&self.input);
        let has_ended = open_records(connection, self.input.get(..whole).unwrap_or_default(), plain)?;
        self.input.drain(..whole);
        Ok(has_ended)
    }

    fn failed(&mut self, error: &Error) -> Turn {
        let is_about_certificate = matches!(error, Error::InvalidCertificate(_) | Error::NoCertificatesPresented);
        let reason = match error {
            Error::InvalidCertificate(CertificateError::Other(reason)) => reason.to_string(),
            error => error.to_string(),
        };
        let identity = self
            .identity
            .take()
            .filter(|identity| is_about_certificate && identity.asks_for_certificate());
        Turn::Failed(reason, identity)
    }
}

/// Gives record by record to the acceptor until the client's first message is whole; an error leaves an alert.
fn accept(acceptor: &mut Acceptor, input: &mut Vec<u8>, outgoing: &mut Vec<u8>) -> Option<Result<Accepted, ()>> {
    loop {
        let length = first_length(input).filter(|length| *length > 0)?;
        let mut record = input.get(..length).unwrap_or_default();
        while !record.is_empty() {
            if !matches!(acceptor.read_tls(&mut record), Ok(1..)) {
                return Some(Err(()));
            }
        }
        input.drain(..length);
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Some(Ok(accepted)),
            Err((error, mut alert)) => {
                log::debug!("a TLS handshake failed: {error}");
                // Writing to a Vec cannot fail.
                let _ = alert.write_all(outgoing);
                return Some(Err(()));
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handshake({} bytes, {} turns)", self.received, self.turns)
    }
}
