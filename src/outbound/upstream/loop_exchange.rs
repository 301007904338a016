//! Drives an exchange for a loop: it moves what bytes there are, and never waits. Only plain connections are made here;
//! those over TLS are made by workers, and used here once they are kept.

mod answer;
mod connecting;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http1::framing::Framing;
use crate::http1::message::{Body, Headers, Method};
use crate::http1::request_writer;
use crate::outbound::upstream::blocking::{PATIENCE_AFTER_REFUSAL, is_gone};
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::{Exchange, Wants};
use crate::outbound::upstream::loop_content::LoopContent;
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::request::IntegrationRequest;
use crate::outbound::upstream::request_side::RequestSide;
use crate::outbound::upstream::resolver::Resolved;
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::unconnected::Unconnected;
use crate::outbound::upstream::waits::Waits;
use crate::outbound::upstream::watched::{Place, Watched};
use crate::outbound::upstream::watcher::{Seat, Watcher};
use crate::platform::concurrency::ConcurrencyPermit;

/// Bytes that an exchange sends or receives before others have their turn.
const TURN: usize = 256 * 1024;

/// An exchange that a loop drives.
#[derive(Debug)]
pub struct LoopExchange {
    server: Arc<Server>,
    /// What it holds of its destination.
    slot: ConcurrencyPermit,
    waits: Waits,
    exchange: Exchange,
    stage: Stage,
    /// It may be sent again, where its kept connection turns out to be closed.
    may_repeat: bool,
    /// The connection was made for it.
    is_new: bool,
    is_to_head: bool,
    may_stream: bool,
    /// Bytes of the answer's content that are read before its head is passed on.
    looks_at: usize,
    /// When an upstream that has refused the request is taken to want no more of it.
    refused_until: Option<Instant>,
    head: Option<(u16, Headers)>,
    extent: Extent,
    content: Vec<u8>,
}

#[derive(Debug)]
enum Stage {
    /// It wants the addresses of its host.
    Resolving,
    Connecting(Connecting),
    Open(Watched),
    Over,
}

/// How much content an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// So much, which is read whole.
    Short(usize),
    /// That is not known. It is read whole where it comes at once.
    Unknown,
    Long,
}

/// A connection that is being made.
#[derive(Debug)]
struct Connecting {
    addresses: Resolved,
    /// How many of them were tried, the present one with them.
    tried: usize,
    socket: OwnedFd,
    address: SocketAddr,
    seat: Seat,
    place: Place,
    /// When the next address is tried.
    until: Instant,
    /// The upstream has sent something, or ended it, before the connection was looked at.
    told: (bool, bool),
}

/// How far an exchange got.
#[derive(Debug)]
pub enum Driven {
    /// Nothing more can be done before its socket is ready, or its name looked up, or that moment.
    Waits(Instant),
    /// It would go on, but others have their turn.
    Yields,
    /// It is over.
    Over(Result<IntegrationResponse, UpstreamError>),
    /// It wants a new connection over TLS, which a worker makes.
    Connects(Box<Unconnected>),
    /// The head of its answer is here. Its content is on its way.
    Streams(Box<IntegrationResponse>, LoopContent),
}

/// What is next inside the exchange.
enum Step {
    Again,
    Wait,
    Yield,
    Over(IntegrationResponse),
    Stream,
    Connect,
}

impl LoopExchange {
    /// Begins an exchange now. Nothing is sent yet. The request's content must be here whole.
    ///
    /// # Errors
    /// It cannot be sent, or there are as many for its destination as may be.
    pub fn begin(
        pool: &LoopPool,
        request: IntegrationRequest,
        now: Instant,
    ) -> Result<Box<LoopExchange>, UpstreamError> {
        let server = pool.server(&request)?;
        let slot = server.destination.take_slot_on_loops()?;
        let waits = Waits::begin_at(now, request.timeout, request.client, request.runs_on);
        let content = match request.body {
            Body::Empty => Vec::new(),
            Body::Bytes(content) => content,
            Body::Stream(_) => return Err(UpstreamError::Unsendable("its content is not here".to_owned())),
        };
        let is_harmless = content.is_empty() && request.method.is_safe() || request.is_repeatable;
        let framing = Framing::Length(content.len() as u64);
        let room = RequestSide::beginning(content.len());
        let head = request_writer::head(request.method, &request.parts, framing, room);
        let head = head.map_err(|reason| UpstreamError::Unsendable(reason.to_owned()))?;
        let is_to_head = request.method == Method::Head;
        Ok(Box::new(LoopExchange {
            server,
            slot,
            waits,
            exchange: Exchange::new(RequestSide::whole(head, content), is_to_head),
            stage: Stage::Resolving,
            may_repeat: is_harmless && !request.is_single_attempt,
            is_new: false,
            is_to_head,
            may_stream: request.may_stream,
            looks_at: request.looks_at,
            refused_until: None,
            head: None,
            extent: Extent::Unknown,
            content: Vec::new(),
        }))
    }

    /// What goes on elsewhere; nothing more can be done with it here.
    fn take_out(&mut self) -> (Waits, Exchange) {
        let none = Exchange::new(RequestSide::whole(Vec::new(), Vec::new()), false);
        let nobody = Waits::begin(Duration::ZERO, None, false);
        (
            std::mem::replace(&mut self.waits, nobody),
            std::mem::replace(&mut self.exchange, none),
        )
    }

    /// Whether it waits for the look-up of a name.
    pub fn is_resolving(&self) -> bool {
        matches!(self.stage, Stage::Resolving)
    }

    /// Notes what its socket is ready for.
    pub fn note_ready(&mut self, is_readable: bool, has_ended: bool) {
        match &mut self.stage {
            Stage::Open(watched) => watched.note_ready(is_readable, has_ended),
            Stage::Connecting(connecting) => {
                connecting.told.0 |= is_readable;
                connecting.told.1 |= has_ended;
            }
            Stage::Resolving | Stage::Over => {}
        }
    }

    /// Ends it, since nobody waits for it any more.
    pub fn abandon(&mut self, watcher: &mut dyn Watcher) -> UpstreamError {
        self.close(watcher);
        UpstreamError::ClientGone
    }

    /// Goes on as far as it can now, without waiting. Once it is over, nothing more can be done with it.
    pub fn drive(&mut self, pool: &mut LoopPool, watcher: &mut dyn Watcher, now: Instant) -> Driven {
        // Nothing here waits, so that one look at the clock is enough.
        let mut late = self.waits.lateness(now);
        loop {
            let step = match late.take() {
                None => self.step(pool, watcher, now),
                Some(late) => Err(late),
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Yield) => return Driven::Yields,
                Ok(Step::Wait) => {
                    // What is held while it waits is of the memory that all share.
                    if !watcher.reserve(self.exchange.held() + self.content.capacity()) {
                        self.close(watcher);
                        return Driven::Over(Err(UpstreamError::NoMemory));
                    }
                    return Driven::Waits(self.until());
                }
                Ok(Step::Over(response)) => return Driven::Over(Ok(response)),
                Ok(Step::Connect) => return Driven::Connects(Box::new(self.hand_on(pool))),
                Ok(Step::Stream) => {
                    return match self.stream() {
                        Some((response, content)) => Driven::Streams(Box::new(response), content),
                        None => Driven::Over(Err(UpstreamError::Broken("it broke off before".to_owned()))),
                    };
                }
                Err(UpstreamError::Broken(_)) if self.is_stale() => {
                    self.close(watcher);
                    self.exchange.begin_again();
                    self.waits.set_sent(false);
                    (self.may_repeat, self.stage) = (false, Stage::Resolving);
                    self.refused_until = None;
                    // The second time the connection is a new one.
                    self.is_new = true;
                }
                Err(error) => {
                    if let Stage::Connecting(connecting) = &self.stage {
                        // The host may have moved.
                        pool.pool.resolver.forget(&self.server.host, &connecting.addresses);
                    }
                    self.close(watcher);
                    return Driven::Over(Err(error));
                }
            }
        }
    }

    /// Whether the request went out on a kept connection on which no byte came back, and may be sent again.
    fn is_stale(&self) -> bool {
        self.may_repeat && !self.is_new && matches!(self.stage, Stage::Open(_)) && self.exchange.is_unanswered()
    }

    /// When it is to be looked at again whatever happens.
    fn until(&self) -> Instant {
        let until = self.waits.until_after(Instant::now());
        let next = match &self.stage {
            Stage::Connecting(connecting) => Some(connecting.until),
            _ => self.refused_until,
        };
        next.map_or(until, |next| next.min(until))
    }

    fn step(&mut self, pool: &mut LoopPool, watcher: &mut dyn Watcher, now: Instant) -> Result<Step, UpstreamError> {
        match &self.stage {
            Stage::Resolving => {
                let Some(addresses) = pool.pool.resolver.resolve_now(&self.server.host) else {
                    return Ok(Step::Wait);
                };
                self.open(addresses?, pool, watcher, now)
            }
            Stage::Connecting(_) => self.go_on_connecting(pool, watcher),
            Stage::Open(_) => self.go_on(pool, watcher, now),
            Stage::Over => Err(UpstreamError::Broken("it is over".to_owned())),
        }
    }

    /// Goes on with the exchange on its connection.
    fn go_on(&mut self, pool: &mut LoopPool, watcher: &mut dyn Watcher, now: Instant) -> Result<Step, UpstreamError> {
        match self.exchange.wants() {
            Wants::Content => Err(UpstreamError::Unsendable("its content is not here".to_owned())),
            Wants::Send => self.send(pool),
            Wants::Receive => self.receive(pool),
            Wants::Nothing => self.read(pool, watcher, now),
        }
    }

    /// Sends what goes now; where none does, takes in what is answered meanwhile.
    fn send(&mut self, pool: &mut LoopPool) -> Result<Step, UpstreamError> {
        let Stage::Open(watched) = &mut self.stage else {
            return Ok(Step::Again);
        };
        let output = self.exchange.output();
        let part = output.get(..TURN).unwrap_or(output);
        match watched.connection.send(part) {
            Ok(count) => {
                let is_turn_over = count == TURN;
                self.exchange.note_sent(count);
                self.refused_until = None;
                return Ok(if is_turn_over { Step::Yield } else { Step::Again });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // An upstream that takes no more of a request may have said why before.
            Err(error) if is_gone(&error) && self.exchange.has_content() => {
                self.exchange.stop_sending();
                // One that had ended its side before breaks the pipe.
                watched.note_refusal(error.kind() != io::ErrorKind::BrokenPipe);
                return Ok(Step::Again);
            }
            Err(error) => return Err(UpstreamError::of_io(error)),
        }
        if watched.is_readable() && self.exchange.has_room() {
            return self.receive(pool);
        }
        if self.exchange.is_refused() {
            let now = Instant::now();
            if now >= *self.refused_until.get_or_insert(now + PATIENCE_AFTER_REFUSAL) {
                self.exchange.stop_sending();
                return Ok(Step::Again);
            }
        }
        Ok(Step::Wait)
    }

    /// Takes in what is here.
    fn receive(&mut self, pool: &mut LoopPool) -> Result<Step, UpstreamError> {
        let Stage::Open(watched) = &mut self.stage else {
            return Ok(Step::Again);
        };
        watched.flush();
        if !watched.is_readable() {
            return Ok(Step::Wait);
        }
        let input = self.exchange.input();
        if input.capacity() == 0 {
            *input = pool.take_buffer();
        }
        watched.receive(&mut self.exchange)?;
        Ok(Step::Again)
    }
}
