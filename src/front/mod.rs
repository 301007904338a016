//! Accepts connections, reads requests, writes responses. Knows its handler only as a trait.
//!
//! One thread accepts ([`acceptor`]), and deals each connection to a loop (`home`). A loop waits for its connections
//! (`connection_table`), reads their requests until they are whole (`event_loop`), and answers those that need no wait,
//! with what it asks of integrations (`loop_exchanges`). The threads of [`worker_pool`] answer the others (`exchange`).
//!
//! # How it works
//!
//! Loops that never wait, and workers that may; no slow client ever holds either. A connection is one value,
//! `connection::Connection`, that one thread owns at a time; its `State` says what it waits for.
//!
//! | Thread | Does | File |
//! |---|---|---|
//! | accept | accepts, whatever fails; over the limit, closes an idle connection, takes one in reserve, or answers 503 | `front/acceptor`, `front/admission` |
//! | loop, as many as are wanted | holds its connections while they have nothing to do, each with its deadline; reads requests until they are whole; answers those that need no wait; sends what slow clients have not taken yet | `front/connection_table`, `front/slots`, `EventLoop::run` |
//! | workers | answer whole requests that have to wait for something | `front/exchange` |
//! | count | adds workers, refuses requests that have waited too long for one | `front/worker_pool` |
//!
//! `http1::request_head` reads heads (`framing`, `target`: the parts with rules of their own), `http1::body_decoder`
//! frees content of its framing as it comes, `request_reader` makes a whole request of both, or a refusal,
//! `http1::response_writer` makes bytes of an answer; none of them knows sockets. `socket` is the one file with
//! system calls on a connection; each call says whether it may wait, so that a blocking socket serves both kinds of
//! thread without being switched. `memory_budget` is the memory that all messages share. `listener_limits` has every number,
//! with its reason, `connection_log` what is logged of connections that fail.
//!
//! **A batch.** A loop looks at its sockets, and takes first what integrations have sent, so that no connection is taken
//! for a request whose end is already known. Then it receives from all clients that are ready, looks once whether a
//! reload is asked for, and begins their requests (`Handler::begin`). A request that was sent after `kill` returned is
//! read after that, and so acted on after a look. While a reload is asked for, loops hold requests back, for a
//! second at most (`event_loop/held_back`).
//! What is answered goes out, and its connection waits for the next batch, also where the next request is already here.
//! So there is one request of a connection in a batch.
//!
//! **An exchange on a loop** has its client, its socket and its state in one place (`loop_exchanges::Place`), and no lock.
//! Sockets to integrations are watched for everything from the first to the last, edge-triggered. Deadlines are as those
//! of connections: an entry may be too early, so a request costs the set nothing. The end of a client's connection
//! comes as an event. What of an answer is held while it comes is of the memory that all share. Content that is not here
//! whole has a reader that never waits (`upstream/loop_content`), so a loop passes it on with what workers pass answers on
//! with (`response_stream`): `on_loop` gives each a turn of 64 KiB, or 256 KiB where nothing else is ready. All of a
//! loop's answers are read into the same piece of memory as long as their clients take everything.
//!
//! A connection over TLS is made by a worker, which gets the first answer on it (`upstream/unconnected`). One for each
//! server is kept where all loops and workers find it, the others with their loops.
//!
//! **Without loops** (`--loops 0`, and the management listener) one thread waits for all connections, and workers answer
//! everything. What follows of workers that wait for the next request holds there.
//!
//! **From hand to hand.** While there are few connections (64, no more than workers, fewer than there may be) and no
//! request waits, a worker that has answered waits for the next request itself, for 2 ms, and answers it: there is no
//! hand-off, and a request costs the front one `recv` and one `send`. Were there more connections than workers, one
//! that waits would keep a request waiting. Else the connection goes back to the waiting thread, which wakes no
//! worker while all are busy. So a request costs the same two calls, and a share of one look at many connections.
//!
//! **TLS.** Where the handler speaks TLS (`Handler::speaks_tls`), a connection begins in the state `Handshake`. The waiting
//! thread collects the client's turn and parses it; it calculates nothing. A turn with a whole record goes to a worker
//! (`tls/handshake`), by a queue of its own (`tls/handshake_queue`), so that a flood of handshakes takes neither the
//! workers nor the queue of requests. It goes behind the requests that wait already, and is closed where it waits longer than
//! those may. After that, who reads opens the records and who has the answer seals it, with `close_notify` behind a last
//! one that is whole, before any of it waits: what a slow client has not taken is ciphertext, and counts for the memory.
//! Once a record is sealed it is sent or the connection ends, since those behind it count on it. rustls is given whole
//! records only, so the beginning of one is known, and has a head's time.
//!
//! **Readiness** is mio: it needs no unsafe code (polling's `add` does), works where developers work (rustix has
//! epoll for Linux only), and lets any thread put a connection in without waking the one that waits. It is
//! edge-triggered, and a connection stays watched while a worker has it: what happens meanwhile is noted in its slot,
//! and who parks it next gets it back to look at it. That a read took all there was is known without another read,
//! because it filled less than its room; only an end behind it is not seen so, and is kept with the connection when
//! it is told. Deadlines are an ordered set with one entry for each slot, which may be too early and is then put
//! right; the waiting thread is woken only for one that is nearer than all others.
//!
//! **Over the limit** of connections, the one that is idle for longest is closed for the new one. Who looks for it
//! reads it once more before, since its request may have come. The order in which connections are idle is another set
//! with one entry for each slot, which may be too early and is put right when it is looked at; it is made when it is
//! first asked for, and dropped when there are half as many connections. So a request costs nothing for it, and a
//! flood of connections a share of one look at each. Where the limit is small, a client may connect anew before the
//! worker that has answered it has registered its connection, so the accepting thread looks again for 200 ms before
//! it refuses. A connection that is closed in this way no longer counts. It is lingered for only if its last answer
//! is recent.
//!
//! The management listener keeps some connections in reserve, on which only vital requests are answered
//! (`Handler::is_vital`): probes find room whatever other clients do with theirs. Each gets one answer, and the
//! oldest that has not asked gives way to a new one, or the oldest that takes no answer. `quota` counts who is open
//! against the limit, in reserve, and lingered for over the limit; each has its share of the descriptors. What is
//! vital is also the first in the queue for a worker.
//!
//! **Answers.** An answer of a known length up to 10 MB is sent as the client takes it. What the client does not take is
//! read into memory, and the rest is left to the connection's loop. Where memory is spent, or the answer is longer, no more
//! is read before the client has taken what there is. A worker keeps an answer in the first way when it has waited for the
//! client for 100 ms in all. It streams all other answers, and at most half of the workers do that at once. There answers
//! over 64 KiB take turns (`front/stream_scheduler`); one that waits has no worker, and no slot of its destination.
//!
//! **The end of a connection** is lingered for, whichever side asked for it: our side is closed after the last
//! answer, and what still comes is discarded for a while by the waiting thread. Closed at once, the connection would
//! be reset by a single byte that we have not read, and the end of the answer lost.
//!
//! **A client that ends its side** may have gone, or only tell that no other request follows; TCP does not say which.
//! While a request is under way and the head of its answer is not sent, the end is taken for the second. In the
//! queue, only an end right behind the request is: the end of a connection is noted with its time in its slot, and
//! `queued_request` reads that. After the head, only an end that came before it is.
//!
//! **A refusal** ends the connection, since nothing behind it can be trusted to be a request. Requests of a
//! connection are read one after the other, so a refusal never passes an earlier answer.
//!
//! **The pool.** threadpool's threads each run one endless job, `worker_pool::work`, which takes requests from a
//! queue of ours. That makes the pool elastic: it ends a thread that comes back from its job while as many others as
//! it may have are at theirs, and all others are. Every 2 ms in which requests wait, threads are added for those that
//! the present ones, at the pace of those 2 ms, would not get to soon; so an integration that takes long gets
//! threads, and busy processors do not. The thread that became idle last is taken first, so that those that are not
//! needed stay idle, and end.
//!
//! A request waits in the queue for 2 s at most. No worker may be there to see that, so the thread that adds workers
//! does: it sleeps until the oldest request is due, which spares each later one to wake it. A long answer that has
//! its turn was begun before, goes first, and is never due.
//!
//! **A stop.** What waits in the backlog is accepted and served. Connections without a request get 250 ms, in which
//! what was sent before arrives, and are closed; whatever is asked meanwhile is answered with `connection: close`.
//!
//! `front/tiny_http` is the front on tiny_http, behind the feature of that name. tiny_http lets nobody at a client's
//! socket, so where a connection must be ended, `client_socket` asks the kernel for a copy of the process's own
//! descriptor (`pidfd_getfd`), found by the peer's address. Its known limits: a refusal is written only when the
//! client's earlier requests are answered, else the connection is closed without one; where a sandbox forbids the
//! copy, a broken answer leaves its connection open without an end; a body announced with more than 1 GiB costs a
//! thread and two descriptors; blanks round a value do not count for the head's length.

#[cfg(feature = "tiny_http")]
pub mod client_socket;
pub mod handler;
pub mod listener_limits;
pub mod memory_budget;
pub mod acceptor;
pub mod write_queue;
pub mod transfer_rate;
pub mod request_reader;
pub mod connection_log;
mod tls;
mod job_queue;
pub mod worker_pool;
pub mod stream_scheduler;
mod socket;
mod pending_write;
mod quota;
mod slots;
mod home;
mod connection_table;
mod connection_tables;
mod connection;
mod shared;
mod outcome;
mod send;
mod response_stream;
mod detached_client;
mod exchange;
mod queued_request;
mod eviction;
mod outbound_seats;
mod loop_exchanges;
mod watchdog;
mod event_loop;
mod admission;
#[cfg(feature = "tiny_http")]
pub mod tiny_http;

use std::io::{self, PipeWriter};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::front::admission::Admission;
use crate::front::event_loop::EventLoop;
pub use crate::front::handler::{Handler, TlsIdentity};
use crate::front::listener_limits::{CUT_PATIENCE, Limits, STOP_PATIENCE};
use crate::platform::metrics::FrontMetrics;

/// How often a drain looks whether it is done.
const DRAIN_TICK: Duration = Duration::from_millis(5);

/// A listener that is being served.
pub struct Front {
    local: SocketAddr,
    event_loop: Arc<EventLoop>,
    /// Closed to stop the accept loop.
    accepting: Mutex<Option<PipeWriter>>,
    /// The thread that accepts; none is waited for twice.
    accepter: Option<JoinHandle<()>>,
}

impl Front {
    /// Serves a listener in threads of its own: so many loops, one at least, and `most_workers` workers at most.
    ///
    /// # Errors
    /// The system refuses what a listener needs.
    pub fn start(
        name: &'static str,
        listener: TcpListener,
        most_workers: NonZeroUsize,
        loops: usize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Front> {
        let local = listener.local_addr()?;
        let (event_loop, pollers) = EventLoop::new(name, most_workers, loops, limits, handler)?;
        let (stop, accepting) = io::pipe()?;
        for (number, poller) in pollers.into_iter().enumerate() {
            let watching = Arc::clone(&event_loop);
            let thread = thread::Builder::new().name(format!("{name}-loop-{number}"));
            if let Err(error) = thread.spawn(move || watching.run(number, poller)) {
                // Those that run end when nothing can come any more.
                event_loop.shared.begin_stop();
                event_loop.shared.end_accepting();
                return Err(error);
            }
        }
        let mut front = Front {
            local,
            event_loop: Arc::clone(&event_loop),
            accepting: Mutex::new(Some(accepting)),
            accepter: None,
        };
        let accepter = thread::Builder::new().name(format!("{name}-accept"));
        let spawned = accepter.spawn({
            let event_loop = Arc::clone(&event_loop);
            move || {
                let mut admission = Admission::new(Arc::clone(&event_loop), local);
                acceptor::accept(
                    &listener,
                    &stop,
                    || event_loop.shared.is_given_up(),
                    |stream, peer| admission.admit(stream, peer),
                );
                // The port is free for another process.
                drop(listener);
                event_loop.shared.end_accepting();
            }
        });
        match spawned {
            Ok(accepter) => front.accepter = Some(accepter),
            Err(error) => {
                event_loop.shared.end_accepting();
                return Err(error);
            }
        }
        Ok(front)
    }

    /// What is counted of connections and requests.
    pub fn metrics(&self) -> Arc<FrontMetrics> {
        Arc::clone(&self.event_loop.shared.metrics)
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes no more connections, but for those that wait already. Requests that were sent on open connections are
    /// answered, as the last there; connections without a request are closed.
    pub fn stop(&self) {
        self.event_loop.shared.begin_stop();
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits for what is under way, until a moment; tells how many requests are left then. Those are cut, and have a moment
    /// to be accounted for.
    pub fn drain(&self, until: Instant) -> usize {
        let mut finished_at = None;
        loop {
            if self.event_loop.shared.has_accepted_all() && self.event_loop.shared.unfinished() == 0 {
                // Clients that have their answer close their side; the end of the process would cut those that send.
                let since: &Instant = finished_at.get_or_insert_with(Instant::now);
                if self.event_loop.shared.open() == 0 || since.elapsed() > STOP_PATIENCE {
                    return 0;
                }
            }
            if Instant::now() >= until {
                let shared = &self.event_loop.shared;
                shared.give_up();
                let left = shared.in_flight();
                shared.sockets.shut_down();
                while shared.in_flight() > 0 && until.elapsed() < CUT_PATIENCE {
                    thread::sleep(DRAIN_TICK);
                }
                return left;
            }
            thread::sleep(DRAIN_TICK);
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop();
        self.event_loop.shared.give_up();
        // The port is free when the front is gone. The thread waits for nobody once it is given up.
        if let Some(accepter) = self.accepter.take() {
            let _ = accepter.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::error::RequestError;
    use crate::http1::message::{Body, Headers, Request, Response};
    use std::io::{Read, Write};
    use std::net::TcpStream;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Panics over requests for `/panic`, and over everything that it is to refuse.
    struct Unlucky;

    impl Handler for Unlucky {
        fn handle(&self, request: Request) -> Response {
            assert_ne!(request.path, "/panic", "on purpose");
            Response {
                status: 200,
                headers: Headers::new(),
                body: Body::Empty,
            }
        }

        fn refuse(&self, error: RequestError, _: &Request) -> Response {
            match error {
                RequestError::Panicked => Response {
                    status: 500,
                    headers: Headers::new(),
                    body: Body::Empty,
                },
                _ => panic!("on purpose: {error:?}"),
            }
        }
    }

    fn front(max_connections: usize) -> Front {
        let listener = acceptor::bind("127.0.0.1:0").unwrap();
        let limits = Limits {
            max_connections: NonZeroUsize::new(max_connections).unwrap(),
            ..Limits::default()
        };
        Front::start("test", listener, NonZeroUsize::MIN, 2, limits, Arc::new(Unlucky)).unwrap()
    }

    /// What comes back for that, until the other side waits or closes.
    fn answer(stream: &mut TcpStream, request: &str) -> String {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = vec![0; 10_000];
        // Answers are small, and come in one piece.
        let count = stream.read(&mut bytes).unwrap_or_default();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_panic_costs_one_request() {
        let front = front(10);
        let mut stream = TcpStream::connect(front.local_addr()).unwrap();
        for _ in 0..3 {
            let text = answer(&mut stream, "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
            let text = answer(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        }
    }

    #[test]
    fn a_panic_while_others_wait_costs_one_connection() {
        let front = front(10);
        for _ in 0..5 {
            let mut stream = TcpStream::connect(front.local_addr()).unwrap();
            assert_eq!(answer(&mut stream, "\0"), "", "closed without a word");
        }
        let mut stream = TcpStream::connect(front.local_addr()).unwrap();
        let text = answer(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    }

    #[test]
    fn a_panic_over_a_new_connection_costs_no_other() {
        let front = front(1);
        let mut first = TcpStream::connect(front.local_addr()).unwrap();
        // It is not idle, and gives way to nobody.
        first.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(front.local_addr()).unwrap();
            assert_eq!(answer(&mut stream, ""), "", "closed without a word");
        }
        drop(first);
        let until = Instant::now() + PATIENCE;
        loop {
            let mut stream = TcpStream::connect(front.local_addr()).unwrap();
            if answer(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 200 ") {
                break;
            }
            assert!(Instant::now() < until, "nothing is accepted any more");
        }
    }
}
