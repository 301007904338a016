//! Accepts connections, reads requests, writes responses. Knows its handler only as a trait.
//!
//! One thread accepts ([`acceptor`]). One waits for all connections that have nothing to do (`connection_table`) and
//! reads their requests until they are whole (`event_loop`). The threads of [`worker_pool`] answer them (`exchange`).

#[cfg(feature = "tiny_http")]
pub mod client_socket;
pub mod handler;
pub mod limits;
pub mod memory_budget;
pub mod acceptor;
pub mod write_queue;
pub mod transfer_rate;
pub mod request_reader;
pub mod connection_log;
mod queue;
pub mod worker_pool;
pub mod stream_scheduler;
mod socket;
mod pending_write;
mod quota;
mod slots;
mod connection_table;
mod connection;
mod shared;
mod outcome;
mod send;
mod response_stream;
mod exchange;
mod queued;
mod room;
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
pub use crate::front::handler::Handler;
use crate::front::limits::{Limits, STOP_PATIENCE};
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
    /// Serves a listener in threads of its own, `most_workers` requests at once.
    ///
    /// # Errors
    /// The system refuses what a listener needs.
    pub fn start(
        name: &'static str,
        listener: TcpListener,
        most_workers: NonZeroUsize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Front> {
        let local = listener.local_addr()?;
        let (event_loop, watch) = EventLoop::new(name, most_workers, limits, handler)?;
        let (stop, accepting) = io::pipe()?;
        let watching = Arc::clone(&event_loop);
        let watcher = thread::Builder::new().name(format!("{name}-wait"));
        watcher.spawn(move || watching.run(watch))?;
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

    /// Waits for what is under way, until a moment; tells how many requests are left then.
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
                self.event_loop.shared.give_up();
                return self.event_loop.shared.in_flight();
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
        Front::start("test", listener, NonZeroUsize::MIN, limits, Arc::new(Unlucky)).unwrap()
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
