//! The [Lambda runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) of one process.
//!
//! Each process has a listener of its own, so it can answer only what it was asked.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::outbound::function::connection::Connection;
use crate::outbound::function::http::{Body, HttpError, Reader, RuntimeRequest};
use crate::outbound::function::invocation::{Answer, Outcome, PendingInvocation};
use crate::outbound::function::limits::{MAX_PAYLOAD_LENGTH, STACK_SIZE};
use crate::outbound::function::output::escaped;
use crate::platform::process;

/// Most bytes of an answer: Lambda's limit, with what its emulator allows for the envelope.
const MAX_ANSWER_LENGTH: usize = MAX_PAYLOAD_LENGTH + 100;

/// Most bytes of an error's text that are told to the operator.
const MAX_ERROR_LENGTH: usize = 2048;

/// How long a listener waits after an error, such as having no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the paths of the API begin with.
const PREFIX: &str = "/2018-06-01/runtime/";

/// What a runtime that asks for an event gets.
pub(super) enum Next {
    /// This one.
    Event(Arc<PendingInvocation>),
    /// None yet; the worker that brings one writes it to the connection.
    Wait,
    /// None any more.
    Gone,
}

/// What is said to a runtime that reports something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    WrongId,
    WrongState,
}

/// A function, as the runtimes of its processes see it. A process is told from others by its number.
pub(super) trait RuntimeEvents: Send + Sync + 'static {
    /// The function's name.
    fn name(&self) -> &str;

    /// How long a runtime may take to read an event.
    fn timeout(&self) -> Duration;

    /// Whether that process is still served.
    fn is_served(&self, number: u64) -> bool;

    /// Whether that process may have one more connection.
    fn admit(&self, number: u64, connection: &Arc<Connection>) -> bool;

    /// `GET …/invocation/next`.
    fn next(self: &Arc<Self>, number: u64, connection: &Arc<Connection>) -> Next;

    /// Writes an event to a runtime that has asked for it.
    fn deliver(self: &Arc<Self>, number: u64, connection: &Connection, job: &Arc<PendingInvocation>);

    /// `POST …/invocation/<id>/response` and `…/error`.
    fn answer(&self, number: u64, id: &str, outcome: Outcome) -> Verdict;

    /// `POST …/init/error`.
    fn init_failed(self: &Arc<Self>, number: u64, cause: &str) -> Verdict;

    /// A connection has ended. If the process waited for an event on it, it may come back.
    fn disconnected(&self, number: u64, connection: &Arc<Connection>);
}

/// Serves a process until it has ended.
pub(super) fn listen<F: RuntimeEvents>(function: &Arc<F>, number: u64, listener: &TcpListener) {
    loop {
        let accepted = listener.accept();
        if !function.is_served(number) {
            return;
        }
        let Ok((stream, peer)) = accepted else {
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        // Every user of this machine can connect, but the events are none of theirs.
        if is_of_another_user(&stream, peer) {
            log::warn!(
                "function {}: a process of another user asked for its events",
                function.name()
            );
            continue;
        }
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(function.timeout()));
        let connection = Arc::new(Connection::new(stream));
        if !function.admit(number, &connection) {
            connection.close();
            continue;
        }
        let function = Arc::clone(function);
        let serve = move || {
            serve(&function, number, &connection);
            function.disconnected(number, &connection);
            connection.close();
        };
        let builder = thread::Builder::new().name("function-runtime".to_owned());
        // Without a thread the connection is dropped, and its client sees that.
        let _ = builder.stack_size(STACK_SIZE).spawn(serve);
    }
}

fn is_of_another_user(stream: &TcpStream, peer: SocketAddr) -> bool {
    let user = stream.local_addr().ok().and_then(|local| process::user_of(peer, local));
    user.is_some_and(|user| !user.is_root() && user != rustix::process::geteuid())
}

/// Reads requests and answers them, until the connection ends.
fn serve<F: RuntimeEvents>(function: &Arc<F>, number: u64, connection: &Arc<Connection>) {
    let mut reader = Reader::new(connection.stream());
    loop {
        let request = match reader.next(MAX_ANSWER_LENGTH) {
            Ok(Some(request)) => request,
            Ok(None) | Err(HttpError::Broken) => return,
            Err(HttpError::Malformed(reason)) => {
                let name = function.name();
                log::warn!("function {name}: its runtime sent what is no request: {reason}");
                let _ = connection.reply(400, &error("InvalidRequest", &reason));
                return;
            }
        };
        let keeps_connection = request.keeps_connection;
        let sent = match answer(function, number, connection, request) {
            Reaction::Reply(status, json) => connection.reply(status, &json),
            Reaction::Event(job) => {
                function.deliver(number, connection, &job);
                Ok(())
            }
            // The event is written by the worker that brings it; meanwhile the end of the connection is waited for.
            Reaction::Wait => continue,
            Reaction::Close => return,
        };
        if sent.is_err() || !keeps_connection {
            return;
        }
    }
}

enum Reaction {
    Reply(u16, Value),
    Event(Arc<PendingInvocation>),
    Wait,
    Close,
}

fn answer<F: RuntimeEvents>(
    function: &Arc<F>,
    number: u64,
    connection: &Arc<Connection>,
    request: RuntimeRequest,
) -> Reaction {
    let RuntimeRequest {
        method,
        path,
        error_type,
        body,
        ..
    } = request;
    let Some(path) = path.strip_prefix(PREFIX) else {
        return not_found();
    };
    match (method.as_str(), path) {
        ("GET", "invocation/next") => match function.next(number, connection) {
            Next::Event(job) => Reaction::Event(job),
            Next::Wait => Reaction::Wait,
            Next::Gone => Reaction::Close,
        },
        ("POST", "init/error") => verdict(function.init_failed(number, &error_text(error_type, &body.bytes))),
        ("POST", path) => {
            let parts = path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/'));
            let Some((id, "response" | "error")) = parts else {
                return not_found();
            };
            let is_too_large = body.is_too_large;
            let outcome = outcome(function.name(), path.ends_with("/error"), error_type, body);
            match verdict(function.answer(number, id, outcome)) {
                Reaction::Reply(202, _) if is_too_large => too_large(),
                reaction => reaction,
            }
        }
        (_, "invocation/next" | "init/error") => {
            Reaction::Reply(405, error("MethodNotAllowed", "this method is not for this path"))
        }
        _ => not_found(),
    }
}

/// What an answer means for the invocation.
fn outcome(name: &str, is_error: bool, error_type: Option<String>, body: Body) -> Outcome {
    let message = if is_error {
        format!("function {name}: {}", error_text(error_type, &body.bytes))
    } else if body.is_too_large {
        format!("function {name}: its answer is larger than {MAX_ANSWER_LENGTH} bytes")
    } else if let Some(error_type) = error_type.or(body.error_type) {
        format!(
            "function {name}: its streamed answer broke off: {}",
            shown(error_type.as_bytes())
        )
    } else {
        return Ok(Answer::Payload(body.bytes));
    };
    let report = if is_error { body.bytes } else { Vec::new() };
    Ok(Answer::Failed { message, report })
}

/// An error as the runtime reports it, for the operator: `TypeError: x is not a function`.
fn error_text(error_type: Option<String>, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Reported {
        #[serde(rename = "errorType")]
        error_type: Option<String>,
        #[serde(rename = "errorMessage")]
        message: Option<String>,
    }
    let reported: Option<Reported> = serde_json::from_slice(body).ok();
    let (inner_type, message) = reported.map_or((None, None), |reported| (reported.error_type, reported.message));
    let message = message.map_or_else(|| shown(body), |message| shown(message.as_bytes()));
    match inner_type.or(error_type) {
        Some(error_type) if message.is_empty() => shown(error_type.as_bytes()),
        Some(error_type) => format!("{}: {message}", shown(error_type.as_bytes())),
        None if message.is_empty() => "an error without a text".to_owned(),
        None => message,
    }
}

fn shown(text: &[u8]) -> String {
    let cut = text.get(..MAX_ERROR_LENGTH);
    let mark = if cut.is_some_and(|cut| cut.len() < text.len()) {
        " …"
    } else {
        ""
    };
    format!("{}{mark}", escaped(cut.unwrap_or(text)))
}

fn verdict(verdict: Verdict) -> Reaction {
    match verdict {
        Verdict::Accepted => Reaction::Reply(202, json!({"status": "OK"})),
        Verdict::WrongId => Reaction::Reply(400, error("InvalidRequestID", "Invalid request ID")),
        Verdict::WrongState => Reaction::Reply(
            403,
            error(
                "InvalidStateTransition",
                "State transition failed for runtime: nothing waits for this",
            ),
        ),
    }
}

fn too_large() -> Reaction {
    let text = format!("Exceeded maximum allowed payload size ({MAX_ANSWER_LENGTH} bytes).");
    Reaction::Reply(413, error("RequestEntityTooLarge", &text))
}

fn not_found() -> Reaction {
    Reaction::Reply(404, error("NotFound", "the runtime API has no such path"))
}

fn error(error_type: &str, message: &str) -> Value {
    json!({"errorMessage": message, "errorType": error_type})
}
