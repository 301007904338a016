//! The front on tiny_http and threadpool, as the design card draws it.
//!
//! tiny_http has no limits of its own and cannot end a connection on demand, so this front is for trusted networks.
//! What can be mended from outside is mended here: ambiguous framing is refused, bodies are held to their limit,
//! and an answer that breaks off cuts its connection.

mod content;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::front::client_socket::ClientSocket;
use crate::front::handler::Handler;
use crate::front::tiny_http::content::{Content, Slot, asks_for_upgrade, discard, sending};
use crate::front::worker_pool::{Full, Urgency, Workers};
use crate::http1::error::RequestError;
use crate::http1::framing::{Framing, framing};
use crate::http1::message::{Body, Headers, Request, Response, Stream, Version, is_token};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::http1::response_writer::{ResponseWriter, SendError};
use crate::http1::target::{check_host, split_target};
use crate::platform::metrics::{FrontMetrics, InFlightGuard};

/// How often the accept loop looks up from its work.
const TICK: Duration = Duration::from_millis(100);

/// How long a client that sends too much is listened to after its refusal, so that it can read it.
const LINGER: Duration = Duration::from_millis(500);

/// The largest body that tiny_http can be let to discard: it allocates what is left of it at once.
const MAX_DISCARDED: u64 = 1 << 30;

/// A listener that is being served.
pub struct Front {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    local: SocketAddr,
    stopping: AtomicBool,
    busy: Arc<AtomicUsize>,
    metrics: Arc<FrontMetrics>,
    /// Requests that have no answer yet, by client and in order: pipelined ones are read before their turn.
    unanswered: Mutex<HashMap<SocketAddr, VecDeque<u64>>>,
    accepted: AtomicU64,
}

impl Front {
    /// Serves a listener in threads of its own, `most_workers` requests at once.
    ///
    /// # Errors
    /// The system refuses what a listener needs.
    pub fn start(
        name: &'static str,
        listener: TcpListener,
        most_workers: NonZeroUsize,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Front> {
        let workers = Workers::new(name, most_workers, None)?;
        let shared = Arc::new(Shared {
            handler,
            local: listener.local_addr()?,
            stopping: AtomicBool::new(false),
            busy: Arc::default(),
            metrics: Arc::default(),
            unanswered: Mutex::default(),
            accepted: AtomicU64::new(0),
        });
        let server = tiny_http::Server::from_listener(listener.try_clone()?, None).map_err(io::Error::other)?;
        let accepting = Arc::clone(&shared);
        thread::Builder::new()
            .name(format!("{name}-accept"))
            .spawn(move || accepting.accept(&server, workers))?;
        Ok(Front { listener, shared })
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// What is counted of the requests; of connections, tiny_http tells nothing.
    pub fn metrics(&self) -> Arc<FrontMetrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Takes no more connections. Requests on open ones are answered, as the last there.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes tiny_http's accept, which then fails; the port is free for another process.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }

    /// Waits for the requests in flight, until a moment; tells how many are left then.
    pub fn drain(&self, until: Instant) -> usize {
        let mut quiet_ticks = 0;
        loop {
            let busy = self.shared.busy.load(Ordering::SeqCst);
            // What was sent just before is still on its way through tiny_http's threads.
            quiet_ticks = if busy == 0 { quiet_ticks + 1 } else { 0 };
            if quiet_ticks > 2 || Instant::now() >= until {
                return busy;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// The blocking accept loop: hands each request to a worker.
    fn accept(self: Arc<Shared>, server: &tiny_http::Server, workers: Workers) {
        loop {
            match server.recv_timeout(TICK) {
                Ok(Some(request)) => self.hand_over(request, &workers),
                Ok(None) if self.stopping.load(Ordering::SeqCst) && self.busy.load(Ordering::SeqCst) == 0 => {
                    return;
                }
                Ok(None) => {}
                // The listener is shut; what was accepted before is still served.
                Err(_) if self.stopping.load(Ordering::SeqCst) => {}
                Err(error) => log::error!("no more connections are accepted: {error}"),
            }
        }
    }

    fn hand_over(self: &Arc<Shared>, request: tiny_http::Request, workers: &Workers) {
        let exchange = Exchange::new(request, Arc::clone(self));
        self.metrics.queue_depth.rise();
        if let Err(Full(exchange)) = workers.submit(exchange, Urgency::Ordinary, |exchange, _| exchange.serve()) {
            self.metrics.queue_depth.fall();
            let response = self.handler.refuse(
                RequestError::Overloaded("the queue is full"),
                &exchange.unread_request(),
            );
            // Everybody else waits for this thread, so it must not wait for this client.
            exchange.refuse(response, Duration::ZERO);
        }
    }

    fn unanswered(&self) -> MutexGuard<'_, HashMap<SocketAddr, VecDeque<u64>>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request for as long as it lives, also where it panics.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn count(counter: &Arc<AtomicUsize>) -> Busy {
        counter.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(counter))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A request's place among those of its client, kept until it is answered.
struct Turn {
    _busy: Busy,
    shared: Arc<Shared>,
    peer: SocketAddr,
    number: u64,
}

impl Turn {
    fn take(shared: Arc<Shared>, peer: SocketAddr) -> Turn {
        let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
        shared.unanswered().entry(peer).or_default().push_back(number);
        Turn {
            _busy: Busy::count(&shared.busy),
            shared,
            peer,
            number,
        }
    }

    /// Whether all earlier requests of the client are answered.
    fn has_come(&self) -> bool {
        let unanswered = self.shared.unanswered();
        unanswered.get(&self.peer).and_then(VecDeque::front) == Some(&self.number)
    }

    /// The client's socket, to end its connection.
    fn socket(&self) -> Option<ClientSocket> {
        ClientSocket::find(self.peer, self.shared.local)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut unanswered = self.shared.unanswered();
        if let Some(numbers) = unanswered.get_mut(&self.peer) {
            numbers.retain(|number| *number != self.number);
            if numbers.is_empty() {
                unanswered.remove(&self.peer);
            }
        }
    }
}

/// One request and its answer.
struct Exchange {
    request: tiny_http::Request,
    version: Version,
    turn: Turn,
}

impl Exchange {
    fn new(request: tiny_http::Request, shared: Arc<Shared>) -> Exchange {
        let is_old = *request.http_version() == tiny_http::HTTPVersion(1, 0);
        let peer = request.remote_addr().copied().unwrap_or(shared.local);
        Exchange {
            request,
            version: if is_old { Version::Http10 } else { Version::Http11 },
            turn: Turn::take(shared, peer),
        }
    }

    fn serve(self) {
        let shared = Arc::clone(&self.turn.shared);
        shared.metrics.queue_depth.fall();
        let _busy = InFlightGuard::new(&shared.metrics.workers_busy);
        let (error, request) = match self.head() {
            Err(reason) => (RequestError::Malformed(reason.to_owned()), self.unread_request()),
            Ok((request, Framing::Length(length))) if length > MAX_BODY_LENGTH => (RequestError::BodyTooLarge, request),
            Ok((request, framing)) => return self.answer(request, framing, &*shared.handler),
        };
        self.refuse(shared.handler.refuse(error, &request), LINGER);
    }

    /// What stands for a request of which nothing is known but who sent it.
    fn unread_request(&self) -> Request {
        Request::unread(self.turn.peer, self.turn.shared.local)
    }

    /// The request but for its content, and how that is framed.
    fn head(&self) -> Result<(Request, Framing), &'static str> {
        let method = self.request.method().to_string();
        let target = self.request.url();
        let mut head_length = method.len() + target.len() + "  HTTP/1.1\r\n\r\n".len();
        let mut headers = Headers::new();
        for header in self.request.headers() {
            let (name, value) = (header.field.as_str().as_str(), header.value.as_bytes());
            head_length += name.len() + value.len() + ": \r\n".len();
            headers
                .append(name, value)
                .map_err(|_| "a header field has a character that it cannot have")?;
        }
        if !is_token(method.as_bytes()) {
            return Err("the method is not a token");
        }
        check_host(&headers, self.version)?;
        let framing = framing(&headers, self.version)?;
        let (path, query) = split_target(target)?;
        let request = Request {
            tls: None,
            first_byte: None,
            client: None,
            method,
            path,
            query,
            version: self.version,
            headers,
            body: Body::Empty,
            head_length,
            peer: self.turn.peer,
            local: self.turn.shared.local,
        };
        Ok((request, framing))
    }

    /// Has the request answered, and writes the answer.
    fn answer(self, mut head: Request, framing: Framing, handler: &dyn Handler) {
        let slot = Arc::new(Slot::default());
        let reader = Box::new(Content(Arc::clone(&slot)));
        head.body = match framing {
            Framing::Length(0) => Body::Empty,
            // A request that asks for an upgrade has all that follows as its body, so the length is kept here.
            Framing::Length(length) => Body::Stream(Stream::new(Some(length), reader.take(length))),
            Framing::Chunked => Body::Stream(Stream::new(None, reader)),
        };
        let mut reply = self.reply();
        let (upgrades, closes_itself) = (asks_for_upgrade(&head.headers), reply.close);
        let Exchange { request, turn, .. } = self;
        *slot.lock() = Some(request);
        let response = handler.handle(head);
        let Some(mut request) = slot.lock().take() else { return };
        let can_be_read = !upgrades && !slot.is_broken.load(Ordering::SeqCst);
        let is_read = framing == Framing::Length(0) || (can_be_read && discard(request.as_reader()));
        reply.close |= !is_read || turn.shared.stopping.load(Ordering::SeqCst);
        let mut writer = request.into_writer();
        match reply.write(sending(&mut writer), response) {
            Ok(true) => {}
            Ok(false) if is_read && closes_itself => {}
            Ok(false) => drop(turn.socket().map(|socket| socket.linger(LINGER))),
            Err(incomplete) => {
                let level = match incomplete.is_abandonment() {
                    true => log::Level::Debug,
                    false => log::Level::Warn,
                };
                log::log!(level, "the answer to {} is cut: {incomplete}", turn.peer);
                match turn.socket() {
                    Some(socket) if reply.version == Version::Http10 => socket.reset(),
                    Some(socket) => socket.close(),
                    // The client has gone, so nothing can follow that would be taken for the rest.
                    None if matches!(incomplete, SendError::Client(_)) => drop(writer),
                    // The answer would be filled up with the next one; without an end, it is at least not wrong.
                    None => std::mem::forget(writer),
                }
            }
        }
    }

    fn reply(&self) -> ResponseWriter {
        ResponseWriter {
            head_only: *self.request.method() == tiny_http::Method::Head,
            version: self.version,
            close: self.wants_close(),
            date: SystemTime::now(),
        }
    }

    /// Whether tiny_http ends the connection after this request, by its own reading of `Connection`.
    fn wants_close(&self) -> bool {
        let mut fields = self.request.headers().iter();
        let connection = fields.find(|header| header.field.equiv("Connection"));
        let connection = connection.map(|header| header.value.as_str().to_ascii_lowercase());
        match connection {
            Some(value) if value.contains("close") || value.contains("upgrade") => true,
            Some(value) => self.version == Version::Http10 && !value.contains("keep-alive"),
            None => self.version == Version::Http10,
        }
    }

    /// Answers without having read the body, and ends the connection.
    fn refuse(self, response: Response, lingering: Duration) {
        let reply = ResponseWriter {
            close: true,
            ..self.reply()
        };
        let length = self.request.body_length().unwrap_or(0) as u64;
        let Some(socket) = self.turn.socket() else {
            // tiny_http's way is the only one: it reads the body first.
            if length <= MAX_DISCARDED {
                let _ = reply.write(sending(&mut self.request.into_writer()), response);
            } else {
                std::mem::forget(self.request);
            }
            return;
        };
        // Past tiny_http's order of answers; where an earlier one is under way, this one would stand inside it.
        if self.turn.has_come() {
            let _ = reply.write(sending(&mut &socket), response);
        }
        socket.linger(lingering);
        if length > MAX_DISCARDED {
            log::warn!(
                "a request of {} announced {length} bytes: its two descriptors are lost",
                self.turn.peer
            );
            std::mem::forget(self.request);
        }
        // Else the request is dropped, and what tiny_http answers goes to a closed socket.
    }
}
