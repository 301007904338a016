//! Makes the connections below ureq, plain or over TLS, each attempt within the exchange's deadline.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::transport::{ConnectionDetails, Connector, LazyBuffers};

use crate::outbound::upstream::destinations::Destination;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::resolver::HostResolver;
use crate::outbound::upstream::socket::{self, Socket};
use crate::outbound::upstream::transport::{Connection, Stream};

/// Makes connections for one agent.
pub(super) struct GatewayConnector {
    exchange: Arc<Exchange>,
    resolver: HostResolver,
    destination: Arc<Destination>,
    tls: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl GatewayConnector {
    /// Where there is a `server_name`, certificates must be for it instead of the URI's host.
    pub(super) fn new(
        exchange: Arc<Exchange>,
        resolver: HostResolver,
        destination: Arc<Destination>,
        tls: Arc<ClientConfig>,
        server_name: Option<ServerName<'static>>,
    ) -> GatewayConnector {
        GatewayConnector {
            exchange,
            resolver,
            destination,
            tls,
            server_name,
        }
    }

    /// Notes what failed where ureq's error types cannot say it.
    fn fail(&self, failure: UpstreamError) -> ureq::Error {
        self.exchange.note_failure(failure);
        ureq::Error::ConnectionFailed
    }

    fn connect_tcp(&self, host: &str, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), ureq::Error> {
        let not_connected = |reason: String| UpstreamError::NotConnected {
            host: host.to_owned(),
            reason,
        };
        let mut failure = not_connected("it has no address".to_owned());
        for (tried, address) in addresses.iter().enumerate() {
            let wait = self.exchange.next_wait().map_err(|failure| self.fail(failure))?;
            // An address that is silent must leave time for those after it.
            let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
            match socket::connect(*address, wait / left, &self.exchange) {
                Ok(stream) => {
                    // Requests are written whole; waiting for more would only delay them.
                    stream.set_nodelay(true)?;
                    return Ok((stream, *address));
                }
                Err(error) => match error.downcast::<UpstreamError>() {
                    // The exchange is over.
                    Ok(UpstreamError::ClientGone) => return Err(self.fail(UpstreamError::ClientGone)),
                    Ok(over) => failure = over,
                    Err(error) if error.kind() == io::ErrorKind::TimedOut && left == 1 => {
                        failure = self.exchange.timed_out();
                    }
                    Err(error) => failure = not_connected(format!("{address}: {error}")),
                },
            }
        }
        // It may have moved.
        self.resolver.forget();
        Err(self.fail(failure))
    }

    fn start_tls(&self, details: &ConnectionDetails<'_>, socket: Socket) -> Result<Stream, ureq::Error> {
        let failed = |reason: String| {
            let host = details.uri.authority().map(ToString::to_string).unwrap_or_default();
            self.fail(UpstreamError::Tls { host, reason })
        };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => {
                let host = details.uri.host().unwrap_or_default();
                let host = host.trim_start_matches('[').trim_end_matches(']');
                ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?
            }
        };
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(|error| failed(error.to_string()))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                return Err(match error.downcast::<UpstreamError>() {
                    Ok(failure) => self.fail(failure),
                    // What rustls objects to is TLS; a connection that ends is what it is without TLS.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => failed(error.to_string()),
                    Err(error) => self.fail(UpstreamError::Broken(format!("in the TLS handshake: {error}"))),
                });
            }
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Connector<()> for GatewayConnector {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        self.exchange.note_connected();
        let host = details
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .unwrap_or_default();
        let (stream, peer) = self.connect_tcp(host, &details.addrs)?;
        let socket = Socket::new(stream, Arc::clone(&self.exchange));
        let stream = if details.needs_tls() {
            self.start_tls(details, socket)?
        } else {
            Stream::Plain(socket)
        };
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let connection = Connection::new(
            stream,
            self.resolver.clone(),
            Arc::clone(&self.destination),
            peer,
            buffers,
        );
        Ok(Some(connection))
    }
}

impl fmt::Debug for GatewayConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayConnector")
    }
}
