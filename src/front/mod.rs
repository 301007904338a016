//! Sockets in: bytes become requests, answers become bytes, and nobody behind knows which front did it.
//!
//! One thread accepts ([`listener`]), one waits for all connections that have nothing to do (`parking`) and reads their
//! requests until they are whole, and [`workers`] answer them (`exchange`). See ARCHITECTURE.md.

#[cfg(feature = "tiny_http")]
pub mod client_socket;
pub mod limits;
pub mod budget;
pub mod framing;
pub mod target;
pub mod head;
pub mod body;
pub mod listener;
pub mod pieces;
pub mod pace;
pub mod receiving;
pub mod rest;
pub mod reply;
pub mod notices;
mod queue;
pub mod workers;
pub mod turns;
mod socket;
mod unsent;
mod quota;
mod connection;
mod lot;
mod parking;
mod service;
mod admission;
mod passing;
mod exchange;
#[cfg(feature = "tiny_http")]
pub mod tiny_http;

use std::io::{self, PipeWriter};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::admin::Admin;
use crate::error::GatewayError;
use crate::front::admission::Admission;
use crate::front::limits::{Limits, STOP_PATIENCE};
use crate::front::service::Service;
use crate::gateway::Gateway;
use crate::message::{Request, Response};
use crate::metrics::FrontMetrics;

/// What answers the requests of a listener: the API, or the management pages.
pub trait Handler: Send + Sync {
    /// Answers a request.
    fn handle(&self, request: Request) -> Response;

    /// The answer to what the front could not make a request of.
    ///
    /// `request` is what is known of it, without content.
    fn refuse(&self, error: GatewayError, request: &Request) -> Response;

    /// Whether a request is to be answered also where there is no room for others, and before them. It must take little
    /// time. Defaults to none.
    fn is_vital(&self, _: &Request) -> bool {
        false
    }
}

impl Handler for Gateway {
    fn handle(&self, request: Request) -> Response {
        Gateway::handle(self, request)
    }

    fn refuse(&self, error: GatewayError, request: &Request) -> Response {
        Gateway::refuse(self, error, request)
    }
}

impl Handler for Admin {
    fn handle(&self, request: Request) -> Response {
        Admin::handle(self, request)
    }

    fn refuse(&self, error: GatewayError, _: &Request) -> Response {
        error.response()
    }

    fn is_vital(&self, request: &Request) -> bool {
        Admin::is_vital(request)
    }
}

/// How often a drain looks whether it is done.
const DRAIN_TICK: Duration = Duration::from_millis(5);

/// A listener that is being served.
pub struct Front {
    local: SocketAddr,
    service: Arc<Service>,
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
        let (service, watch) = Service::new(name, most_workers, limits, handler)?;
        let (stop, accepting) = io::pipe()?;
        let watching = Arc::clone(&service);
        let watcher = thread::Builder::new().name(format!("{name}-wait"));
        watcher.spawn(move || watching.watch(watch))?;
        let mut front = Front {
            local,
            service: Arc::clone(&service),
            accepting: Mutex::new(Some(accepting)),
            accepter: None,
        };
        let accepter = thread::Builder::new().name(format!("{name}-accept"));
        let spawned = accepter.spawn({
            let service = Arc::clone(&service);
            move || {
                let mut admission = Admission::new(Arc::clone(&service), local);
                listener::accept(
                    &listener,
                    &stop,
                    || service.is_given_up(),
                    |stream, peer| admission.admit(stream, peer),
                );
                // The port is free for another process.
                drop(listener);
                service.end_accepting();
            }
        });
        match spawned {
            Ok(accepter) => front.accepter = Some(accepter),
            Err(error) => {
                service.end_accepting();
                return Err(error);
            }
        }
        Ok(front)
    }

    /// What is counted of connections and requests.
    pub fn metrics(&self) -> Arc<FrontMetrics> {
        Arc::clone(&self.service.metrics)
    }

    /// The address that clients connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes no more connections, but for those that wait already. Requests that were sent on open connections are
    /// answered, as the last there; connections without a request are closed.
    pub fn stop(&self) {
        self.service.begin_stop();
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits for what is under way, until a moment; tells how many requests are left then.
    pub fn drain(&self, until: Instant) -> usize {
        let mut finished_at = None;
        loop {
            if self.service.has_accepted_all() && self.service.unfinished() == 0 {
                // Clients that have their answer close their side; the end of the process would cut those that send.
                let since: &Instant = finished_at.get_or_insert_with(Instant::now);
                if self.service.open() == 0 || since.elapsed() > STOP_PATIENCE {
                    return 0;
                }
            }
            if Instant::now() >= until {
                self.service.give_up();
                return self.service.in_flight();
            }
            thread::sleep(DRAIN_TICK);
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop();
        self.service.give_up();
        // The port is free when the front is gone. The thread waits for nobody once it is given up.
        if let Some(accepter) = self.accepter.take() {
            let _ = accepter.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Headers, Response};
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

        fn refuse(&self, error: GatewayError, _: &Request) -> Response {
            match error {
                GatewayError::InternalServerError(_) => error.response(),
                _ => panic!("on purpose: {error:?}"),
            }
        }
    }

    fn front(max_connections: usize) -> Front {
        let listener = listener::bind("127.0.0.1:0").unwrap();
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
