//! Provides an authority, and a server over TLS whose certificate it signs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who signs, and what it says.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// A server's certificate for that name and its key, in PEM.
    #[cfg(feature = "fleet")]
    pub fn pair(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server's settings with a certificate for that name, valid until the end of that year.
    pub fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// A server over TLS: it sends an answer to each request, tells its line, and ends the connection if asked to.
pub struct TlsServer {
    pub address: SocketAddr,
    pub lines: Receiver<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TlsEnd {
    Open,
    /// With `close_notify`, which proves that nothing is missing.
    Notified,
    /// The same in one write with the answer, and the connection below stays open.
    NotifiedAndOpen,
    /// Without a word: anybody on the way could have done it.
    Cut,
}

impl TlsServer {
    pub fn start(config: Arc<ServerConfig>, answer: impl Into<Vec<u8>>, end: TlsEnd) -> TlsServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = answer.into();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(connection, stream.unwrap());
                let (answer, sender) = (answer.clone(), sender.clone());
                thread::spawn(move || serve_tls(stream, number, &answer, end, &sender));
            }
        });
        TlsServer { address, lines }
    }
}

fn serve_tls(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    number: usize,
    answer: &[u8],
    end: TlsEnd,
    sender: &Sender<(usize, String)>,
) {
    let mut seen = Vec::new();
    loop {
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(count) if count > 0 => seen.extend_from_slice(&part[..count]),
            _ => return,
        }
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = String::from_utf8_lossy(&seen).split("\r\n").next().unwrap().to_owned();
        let _ = sender.send((number, line));
        seen.clear();
        let _ = match end {
            TlsEnd::NotifiedAndOpen => stream.conn.writer().write_all(answer),
            _ => stream.write_all(answer).and_then(|()| stream.flush()),
        };
        if matches!(end, TlsEnd::Notified | TlsEnd::NotifiedAndOpen) {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        if !matches!(end, TlsEnd::Open | TlsEnd::NotifiedAndOpen) {
            return;
        }
    }
}
