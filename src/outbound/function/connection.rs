//! What is written to a connection of a process: events, and answers to what its runtime reports.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::http1::response_writer::write_status_line;
use crate::outbound::function::invocation::PendingInvocation;

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
        let mut message = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {}\r\n\
             Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n",
            job.id
        );
        for (name, value) in [("Invoked-Function-Arn", &job.function_arn), ("Trace-Id", &job.trace_id)] {
            // A line break in it would make fields of its own.
            if !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                message.push_str(&format!("Lambda-Runtime-{name}: {value}\r\n"));
            }
        }
        message.push_str(&format!("Content-Length: {}\r\n\r\n", job.event.len()));
        let mut message = message.into_bytes();
        message.extend_from_slice(&job.event);
        (&self.0).write_all(&message)
    }

    /// Answers a request.
    pub(super) fn reply(&self, status: u16, json: &Value) -> io::Result<()> {
        let (mut message, body) = (Vec::new(), json.to_string());
        write_status_line(&mut message, status);
        // Writing to a Vec cannot fail.
        let _ = write!(
            message,
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        (&self.0).write_all(&message)
    }

    /// Ends it, while other threads may read or write.
    pub(super) fn close(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
