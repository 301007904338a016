//! What travels: a request, a response, their header fields and bodies.
//!
//! Nothing here knows how the bytes came or where they go; the front, the gateway and the upstream
//! speak to each other in these types.

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;

/// Most bytes of a request's body: AWS's 10 MB (`R13.1`).
pub const MAX_BODY_LENGTH: u64 = 10 * 1024 * 1024;

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

    /// Whether a request that is made twice does what it does once (RFC 9110 §9.2.2).
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Patch)
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

/// Header fields in the order in which they came, names in lower case.
///
/// One buffer holds all the text, so that a message costs two allocations however many fields it has.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Copy)]
struct Field {
    name: usize,
    value: usize,
    end: usize,
}

/// A field that may not stand in a message: a name that is no token, or a value with a control byte.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidField;

impl Headers {
    /// No fields.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// Adds a field after all others.
    ///
    /// # Errors
    /// The name is not a token or the value holds a byte that could end the line (RFC 9110 §5.5).
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidField> {
        if !is_token(name.as_bytes()) || !value.iter().copied().all(is_field_byte) {
            return Err(InvalidField);
        }
        self.add(name, value.iter().copied());
        Ok(())
    }

    /// Replaces every field of that name by one that the gateway made itself.
    ///
    /// A byte that may not stand in a value is left out, so that no value can begin a new line.
    pub fn put(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.add(name, value.bytes().filter(|byte| is_field_byte(*byte)));
    }

    fn add(&mut self, name: &str, value: impl Iterator<Item = u8>) {
        let start = self.text.len();
        self.text.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        let middle = self.text.len();
        self.text.extend(value);
        self.fields.push(Field {
            name: start,
            value: middle,
            end: self.text.len(),
        });
    }

    /// Drops every field of that name.
    pub fn remove(&mut self, name: &str) {
        self.retain(|field, _| !field.eq_ignore_ascii_case(name));
    }

    /// Keeps the fields for which `keep(name, value)` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        let text = &self.text;
        self.fields.retain(|field| {
            let (name, value) = field.parts(text);
            keep(name, value)
        });
    }

    /// All fields, name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| field.parts(&self.text))
    }

    /// The values of every field of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The members of a comma-separated list that may be spread over several fields, trimmed, without empty ones.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|member| member.trim_ascii())
            .filter(|member| !member.is_empty())
    }

    /// Whether a list of tokens such as `Connection` has that member, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name)
            .any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl Field {
    fn parts(self, text: &[u8]) -> (&str, &[u8]) {
        let name = text.get(self.name..self.value).unwrap_or_default();
        let value = text.get(self.value..self.end).unwrap_or_default();
        (str::from_utf8(name).unwrap_or_default(), value)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value))))
            .finish()
    }
}

/// Whether the text is a token (RFC 9110 §5.6.2), as a method or a field name must be.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Whether a byte may stand in a field value: tab, visible, or obs-text (RFC 9110 §5.5).
fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// A message's content.
pub enum Body {
    /// No content at all.
    Empty,
    /// Content that is here whole.
    Bytes(Vec<u8>),
    /// Content that is still on its way.
    Stream(Stream),
}

/// Content that is read part by part, and never held whole.
pub struct Stream {
    /// Bytes that will come, when the sender said so.
    pub length: Option<u64>,
    /// Where they come from. The end (`Ok(0)`) means that the content is complete, an error that it is not.
    pub reader: Box<dyn Read + Send>,
}

impl Body {
    /// Bytes of content, as far as it is known beforehand.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream(stream) => stream.length,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::Stream(stream) => write!(f, "Stream({:?})", stream.length),
        }
    }
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

#[cfg(test)]
impl Headers {
    /// Fields for a test.
    pub(crate) fn of(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            assert_eq!(headers.append(name, value.as_bytes()), Ok(()), "{name}: {value}");
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_their_duplicates() {
        let mut headers = Headers::new();
        headers.append("X-B", b"1").unwrap();
        headers.append("x-a", b"caf\xe9").unwrap();
        headers.append("X-b", b"2, 3").unwrap();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("x-b", &b"1"[..]), ("x-a", b"caf\xe9"), ("x-b", b"2, 3")]);
        assert_eq!(headers.list("X-B").collect::<Vec<_>>(), [b"1", b"2", b"3"]);
        headers.put("x-b", "4");
        assert_eq!(headers.get_all("x-b").collect::<Vec<_>>(), [b"4"]);
    }

    #[test]
    fn nothing_can_begin_a_new_line() {
        let mut headers = Headers::new();
        for (name, value) in [
            ("x", &b"a\r\nb: c"[..]),
            ("x", b"a\nb"),
            ("x", b"\0"),
            ("x", b"\x7f"),
            ("x y", b"a"),
            ("", b"a"),
            ("x:", b"a"),
            ("x\r\ny", b"a"),
        ] {
            assert_eq!(headers.append(name, value), Err(InvalidField), "{name:?}: {value:?}");
        }
        headers.put("x", "a\r\nb: c");
        assert_eq!(headers.get("x"), Some(&b"ab: c"[..]));
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        for name in ["get", "Get", "TRACE", "CONNECT", "ANY", ""] {
            assert_eq!(Method::parse(name), None, "{name}");
        }
    }
}
