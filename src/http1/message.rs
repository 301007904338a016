//! What travels: a request, a response, their header fields and bodies.
//!
//! Nothing here knows how the bytes came or where they go; the front, the gateway and the upstream
//! speak to each other in these types.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

pub use crate::http1::body::{Body, BodyError, CompletionHook, Deadline, Handover, LongClient, Replacement, Stream};
pub use crate::http1::grammar::is_token;
pub use crate::http1::headers::{Headers, InvalidField, is_hop_by_hop};

/// A method that a route key can name (`R1.2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the method of that name")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    /// Every method an HTTP API serves.
    pub const ALL: [Method; 7] = [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Head,
        Method::Options,
    ];

    /// The method of that name, which is case sensitive (RFC 9110 §9.1).
    pub fn parse(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name as it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
        }
    }

    /// Whether the method is safe, so that a request may be made twice (RFC 9110 §9.2.1).
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }
}

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, one request a connection unless it asks otherwise.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// What a client asked for.
#[derive(Debug)]
pub struct Request {
    /// The method as sent; it may be one that no route can have.
    pub method: String,
    /// The target's path as sent, still encoded; `*` for `OPTIONS *`.
    pub path: String,
    /// What follows the first `?` of the target, as sent.
    pub query: Option<String>,
    /// The protocol version.
    pub version: Version,
    /// All fields, hop-by-hop ones too.
    pub headers: Headers,
    /// The content, already freed of its transfer coding.
    pub body: Body,
    /// Bytes of the request line and the fields with their line ends.
    pub head_length: usize,
    /// Who is at the other end of the connection.
    pub peer: SocketAddr,
    /// The listener's address; unspecified where it takes any.
    pub local: SocketAddr,
    /// Who waits for the answer, where the front can tell.
    pub client: Option<Client>,
    /// What the handler noted of the connection's TLS handshake; none where the connection is in plain text.
    pub tls: Option<TlsNote>,
    /// When its first byte came, where it did not come whole.
    pub first_byte: Option<Instant>,
}

/// What the handler noted when the TLS handshake of a connection was over. It is the same for each request on it.
pub type TlsNote = Arc<dyn Any + Send + Sync>;

/// How often a wait for a client looks whether the client is still there.
pub const CLIENT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The client's connection, as far as those behind the front need it.
pub trait ClientConnection: fmt::Debug + Send + Sync {
    /// Whether the answer has no reader any more: the client has reset the connection or hung up, or has ended its side
    /// since the head of the answer was sent. A client that ended it before still reads.
    fn is_gone(&self) -> bool;
}

/// A client that waits for its answer. It keeps no connection open.
#[derive(Clone, Debug)]
pub struct Client(Weak<dyn ClientConnection>);

impl Client {
    /// The client of that connection.
    pub fn of(connection: Weak<dyn ClientConnection>) -> Client {
        Client(connection)
    }

    /// Whether the answer has no reader any more. It takes a system call.
    pub fn is_gone(&self) -> bool {
        self.0.upgrade().is_none_or(|connection| connection.is_gone())
    }
}

/// The parts of a request for an integration that a parameter mapping can change.
#[derive(Debug)]
pub struct RequestParts {
    /// The path as it stands in a request line.
    pub path: String,
    /// The query as it stands in a request line, without its `?`.
    pub query: Option<String>,
    /// End-to-end fields.
    pub headers: Headers,
}

impl Request {
    /// The host that the client names, perhaps with a port: the target's, else that of `Host`; empty where there is none.
    pub fn host(&self) -> &[u8] {
        self.headers.get("host").unwrap_or_default()
    }

    /// What stands for a request that could not be read: it says nothing, but a client sent it.
    pub fn unread(peer: SocketAddr, local: SocketAddr) -> Request {
        Request {
            method: String::new(),
            path: String::new(),
            query: None,
            version: Version::Http11,
            headers: Headers::new(),
            body: Body::Empty,
            head_length: 0,
            peer,
            local,
            client: None,
            tls: None,
            first_byte: None,
        }
    }

    /// Whether no client waits for the answer any more. It takes a system call.
    pub fn is_abandoned(&self) -> bool {
        self.client.as_ref().is_some_and(Client::is_gone)
    }

    /// The same request, without its content.
    pub fn without_content(&self) -> Request {
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            version: self.version,
            headers: self.headers.clone(),
            body: Body::Empty,
            head_length: self.head_length,
            peer: self.peer,
            local: self.local,
            client: self.client.clone(),
            tls: self.tls.clone(),
            first_byte: self.first_byte,
        }
    }
}

/// What a client gets.
///
/// The front adds what belongs to the connection (`Date`, `Connection`, the body's framing). A `content-length`
/// among the headers is sent as it is where the answer has no content but tells its length (HEAD, 304).
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// End-to-end fields.
    pub headers: Headers,
    /// The content.
    pub body: Body,
}

impl From<Replacement> for Response {
    fn from(replacement: Replacement) -> Response {
        Response {
            status: replacement.status,
            headers: replacement.headers,
            body: match replacement.content.is_empty() {
                true => Body::Empty,
                false => Body::Bytes(replacement.content),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        for name in ["get", "Get", "TRACE", "CONNECT", "ANY", ""] {
            assert_eq!(Method::parse(name), None, "{name}");
        }
    }
}
