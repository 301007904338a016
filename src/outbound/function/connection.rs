//! What is written to a connection of a process: events, and answers to what its runtime reports.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::http1::response_writer::message;
use crate::outbound::function::invocation::PendingInvocation;

/// The field of all that is written.
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A connection of a process. An event is written by the thread that has it; all else by the thread that reads.
#[derive(Debug)]
pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection(stream)
    }

    /// What requests are read from.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Hands the event of an invocation to the runtime that asked for it.
    pub(super) fn send_event(&self, job: &PendingInvocation, deadline_ms: u128) -> io::Result<()> {
        let deadline = deadline_ms.to_string();
        let mut fields = vec![
            JSON,
            ("Lambda-Runtime-Aws-Request-Id", job.id.as_str()),
            ("Lambda-Runtime-Deadline-Ms", &deadline),
        ];
        for (name, value) in [
            ("Lambda-Runtime-Invoked-Function-Arn", &job.function_arn),
            ("Lambda-Runtime-Trace-Id", &job.trace_id),
        ] {
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        (&self.0).write_all(&message(200, &fields, &job.event))
    }

    /// Answers a request.
    pub(super) fn reply(&self, status: u16, json: &Value) -> io::Result<()> {
        (&self.0).write_all(&message(status, &[JSON], json.to_string().as_bytes()))
    }

    /// Ends it, while other threads may read or write.
    pub(super) fn close(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
