//! A request to a listener of this process, over a socket as any client sends one. It goes nowhere else, whatever its host
//! and its target say.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use crate::http1::body_decoder::BodyDecoder;
use crate::http1::message::Headers;
use crate::http1::response_head::{ResponseHead, ResponseReader};

/// Bytes read at once.
const READ_LENGTH: usize = 16 * 1024;

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct OwnRequest {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The fields as they are sent, with `Host` but without those that frame the content.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content; without one, nothing is said of its length.
    pub content: Option<Vec<u8>>,
}

/// What is answered.
#[derive(Debug)]
pub struct OwnResponse {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    /// The beginning of the content.
    pub content: Vec<u8>,
    /// Whether it goes on, or broke off.
    pub cut: bool,
}

/// What TLS with the listener needs.
#[derive(Clone, Debug)]
pub struct OwnTls {
    /// The name that is asked for.
    pub name: String,
    /// The certificate that the listener has for that name. No other is taken.
    pub certificate: CertificateDer<'static>,
}

/// A connection to the listener.
#[derive(Debug)]
pub struct OwnConnection {
    socket: TcpStream,
    tls: Option<OwnTls>,
    until: Instant,
}

impl OwnConnection {
    /// Connects to a listener; all is over at that moment.
    ///
    /// # Errors
    /// It does not answer.
    pub fn open(listener: SocketAddr, tls: Option<OwnTls>, until: Instant) -> io::Result<OwnConnection> {
        let socket = TcpStream::connect_timeout(&reachable(listener), left(until)?)?;
        socket.set_nodelay(true)?;
        Ok(OwnConnection { socket, tls, until })
    }

    /// The address that the listener sees.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends a request, and reads the answer with so many bytes of its content.
    ///
    /// # Errors
    /// The request cannot be written, or there is no answer in time.
    pub fn exchange(self, request: &OwnRequest, most: usize) -> io::Result<OwnResponse> {
        let message = message(request)?;
        let is_to_head = request.method == "HEAD";
        let socket = Deadlined {
            socket: self.socket,
            until: self.until,
        };
        match self.tls {
            None => exchange(socket, &message, is_to_head, most),
            Some(tls) => {
                let stream = StreamOwned::new(client(tls)?, socket);
                exchange(stream, &message, is_to_head, most)
            }
        }
    }
}

/// Where a listener can be reached that takes connections at any address.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// The whole request.
fn message(request: &OwnRequest) -> io::Result<Vec<u8>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    // What checks names and values.
    let mut checked = Headers::new();
    checked
        .append(&request.method, b"")
        .map_err(|_| invalid("the method is no token"))?;
    if !request.target.starts_with('/') || request.target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(invalid(
            "the path must begin with / and have neither blanks nor control characters",
        ));
    }
    let mut message = Vec::with_capacity(1024);
    for part in [&request.method, " ", &request.target, " HTTP/1.1\r\n"] {
        message.extend_from_slice(part.as_bytes());
    }
    for (name, value) in &request.fields {
        checked
            .append(name, value)
            .map_err(|_| invalid(&format!("the field {name:?} cannot stand in a request")))?;
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            message.extend_from_slice(part);
        }
    }
    if let Some(content) = &request.content {
        message.extend_from_slice(format!("content-length: {}\r\n", content.len()).as_bytes());
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(request.content.as_deref().unwrap_or_default());
    Ok(message)
}

fn exchange(mut stream: impl Read + Write, message: &[u8], is_to_head: bool, most: usize) -> io::Result<OwnResponse> {
    // A listener that refuses a request may say so before it has read it.
    let sent = stream.write_all(message).and_then(|()| stream.flush());
    let mut input = Vec::new();
    let mut reader = ResponseReader::new(is_to_head);
    let mut taken = 0;
    let head = loop {
        let rest = input.get(taken..).unwrap_or_default();
        if !rest.is_empty() {
            let (more, head) = reader.read(rest).map_err(io::Error::other)?;
            taken += more;
            if let Some(head) = head {
                break head;
            }
        }
        if read(&mut stream, &mut input)? == 0 {
            sent?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    input.drain(..taken);
    Ok(content(stream, head, input, most))
}

/// The beginning of the content, until it ends, breaks off, or takes too long.
fn content(mut stream: impl Read, head: ResponseHead, mut input: Vec<u8>, most: usize) -> OwnResponse {
    let mut decoder = BodyDecoder::of_response(head.framing);
    let mut content = Vec::new();
    let is_whole = loop {
        match decoder.decode(&input, &mut content) {
            Ok(taken) => drop(input.drain(..taken)),
            Err(_) => break false,
        }
        if decoder.is_done() {
            break true;
        }
        if content.len() > most {
            break false;
        }
        match read(&mut stream, &mut input) {
            Ok(0) => break decoder.end(),
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    let cut = !is_whole || content.len() > most;
    content.truncate(most);
    OwnResponse {
        status: head.status,
        headers: head.headers,
        content,
        cut,
    }
}

/// Reads a part; none at the end, also where TLS does not tell it.
fn read(stream: &mut impl Read, input: &mut Vec<u8>) -> io::Result<usize> {
    let start = input.len();
    input.resize(start + READ_LENGTH, 0);
    let read = stream.read(input.get_mut(start..).unwrap_or_default());
    let count = match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    };
    input.truncate(start + count.as_ref().copied().unwrap_or_default());
    count
}

/// A socket whose every call ends at one moment.
struct Deadlined {
    socket: TcpStream,
    until: Instant,
}

impl Deadlined {
    fn in_time<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }
}

impl Read for Deadlined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.until)?))?;
        let read = self.socket.read(buffer);
        self.in_time(read)
    }
}

impl Write for Deadlined {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.until)?))?;
        let written = self.socket.write(buffer);
        self.in_time(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn client(tls: OwnTls) -> io::Result<ClientConnection> {
    let provider = Arc::new(crypto::ring::default_provider());
    let name = ServerName::try_from(tls.name).map_err(io::Error::other)?;
    let verifier = Pinned {
        certificate: tls.certificate,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

/// Trusts one certificate, which is known from elsewhere, whoever signed it and whatever its name is.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *end_entity == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
