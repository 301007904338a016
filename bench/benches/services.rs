//! A call of SQS through the gateway beside a bare client that signs: `cargo bench --manifest-path bench/Cargo.toml --bench
//! services`.
//!
//! Both send the same message over a kept connection to the same stand-in, which answers at once. They take turns, and
//! each difference is taken round by round. A third table is one step in this process: the form and the signature.

#![expect(
    clippy::unwrap_used,
    reason = "what is set up here holds, or there is nothing to measure"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use apigateway::data_plane::access_log::Destination;
use apigateway::data_plane::gateway::Settings;
use apigateway::data_plane::integration::service;
use apigateway::data_plane::integration::service::parameters::read;
use apigateway::data_plane::trusted_proxies::TrustedProxies;
use apigateway::definition::credentials::Secret;
use apigateway::definition::notation::integration_subtype::IntegrationSubtype;
use apigateway::definition::notation::service_parameter::ParameterValue;
use apigateway::definition::unit::{File, Listing};
use apigateway::deployment::service::{ServiceIntegration, ServiceParameter, ValueSource};
use apigateway::front::listener_limits::Limits;
use apigateway::http1::message::{Headers, Method, RequestParts};
use apigateway::identity::aws::{self, AwsAccess};
use apigateway::identity::sigv4::{Signer, sign};
use apigateway::outbound::upstream::DNS_TTL;
use apigateway::platform::clock::Clock;
use apigateway::server::{FrontKind, Options, Server, default_loops};
use serde_json::json;

const ROUNDS: usize = 9;
const CALLS: usize = 2_000;

const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/orders";
const BODY: &str =
    r#"{"order":"0123456789","pets":[{"name":"Rex","kind":"dog"},{"name":"Tom","kind":"cat"}],"note":"please ring"}"#;
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn main() {
    // Under `cargo test` it is only to build.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let stand_in = stand_in();
    let gateway = gateway(stand_in);
    let mut bare = Client::to(stand_in);
    let mut through = Client::to(gateway.local_addr());
    let secret = Secret::new(SECRET.to_owned());
    let to_gateway = format!(
        "POST /orders HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut ask_bare = || bare.ask(&signed(stand_in, &secret));
    let mut ask_through = || through.ask(to_gateway.as_bytes());
    // Both warm up.
    median(&mut ask_bare);
    median(&mut ask_through);
    let mut rounds: Vec<[f64; 2]> = Vec::new();
    for round in 0..ROUNDS {
        let (first, second);
        if round % 2 == 0 {
            (first, second) = (median(&mut ask_bare), median(&mut ask_through));
        } else {
            let reversed = (median(&mut ask_through), median(&mut ask_bare));
            (first, second) = (reversed.1, reversed.0);
        }
        rounds.push([first, second]);
    }
    let of = |value: fn(&[f64; 2]) -> f64| middle(rounds.iter().map(value).collect());
    println!("| SQS-SendMessage, one connection | p50 µs |");
    println!("|---|--:|");
    println!("| bare signed client | {:.1} |", of(|round| round[0]));
    println!("| through the gateway | {:.1} |", of(|round| round[1]));
    println!("| more, round by round | {:.1} |", of(|round| round[1] - round[0]));
    println!("| ratio, round by round | {:.2} |", of(|round| round[1] / round[0]));
    println!();
    println!("| step in this process | µs |");
    println!("|---|--:|");
    for (name, micros) in steps(stand_in, &secret) {
        println!("| {name} | {micros:.1} |");
    }
    drop(gateway);
}

/// Answers every request at once, as SQS does.
fn stand_in() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let xml = "<?xml version=\"1.0\"?><SendMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">\
        <SendMessageResult><MD5OfMessageBody>fafb00f5732ab283681e124bf8747ed1</MD5OfMessageBody>\
        <MessageId>5fea7756-0ea4-451a-a703-a558b933e274</MessageId></SendMessageResult></SendMessageResponse>";
    let length = xml.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{xml}");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut client, answer) = (Client::of(stream.unwrap()), answer.clone());
            thread::spawn(move || {
                while client.message().is_some() {
                    client.stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    address
}

fn gateway(stand_in: SocketAddr) -> Server {
    let integration = json!({
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": "SQS-SendMessage",
        "CredentialsArn": "arn:aws:iam::123456789012:role/api",
        "RequestParameters": {"QueueUrl": QUEUE_URL, "MessageBody": "$request.body"},
    });
    let files = [
        ("stages/$default.json", json!({})),
        (
            "routes/orders.json",
            json!({"RouteKey": "POST /orders", "Target": "integrations/orders"}),
        ),
        ("integrations/orders.json", integration),
    ];
    let files = files.into_iter().map(|(path, json)| File::new(path, json.to_string()));
    let listing = Listing::of("", files);
    let variables = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let options = Options {
        root: PathBuf::new(),
        template: None,
        listen: "127.0.0.1:0".to_owned(),
        admin: None,
        control_plane: None,
        public_url: None,
        admin_hosts: Vec::new(),
        console: apigateway::server::ConsoleOptions::default(),
        workers: NonZeroUsize::MIN.saturating_add(63),
        loops: default_loops(),
        limits: Limits::default(),
        front: FrontKind::Own,
        tls: None,
        upstream_ca: None,
        dns_ttl: DNS_TTL,
        fleet: None,
        access_log: Destination::Off,
        hang_up: None,
        settings: Settings {
            clock: Clock::system(),
            launcher: None,
            region: "us-east-1".to_owned(),
            account_id: "123456789012".to_owned(),
            trusted_proxies: TrustedProxies::default(),
            lambda_endpoint: None,
            aws: AwsAccess::new(aws::Settings {
                endpoint_url: Some(aws::parse_endpoint(&format!("http://{stand_in}")).unwrap()),
                region: None,
                environment: aws::Environment::Given(variables),
            }),
        },
    };
    Server::serve(&listing, options).unwrap()
}

/// A connection that is kept.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Client {
    fn to(address: SocketAddr) -> Client {
        Client::of(TcpStream::connect(address).unwrap())
    }

    fn of(stream: TcpStream) -> Client {
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            buffer: vec![0; 64 * 1024],
            filled: 0,
        }
    }

    fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).unwrap();
        let head = self.message().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }

    /// The head of the next message, when its content is here too; none at the end of the connection.
    fn message(&mut self) -> Option<String> {
        loop {
            let held = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(end) = held.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(held.get(..end).unwrap_or_default()).into_owned();
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.parse::<usize>().unwrap())
                });
                let whole = end + 4 + length.unwrap_or_default();
                if self.filled >= whole {
                    self.buffer.copy_within(whole..self.filled, 0);
                    self.filled -= whole;
                    return Some(head);
                }
            }
            match self.stream.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.filled += count,
            }
        }
    }
}

/// The request that the gateway makes, as a client would that has nothing else to do.
fn signed(address: SocketAddr, secret: &Secret) -> Vec<u8> {
    let body = format!(
        "Action=SendMessage&Version=2012-11-05&QueueUrl={}&MessageBody={}",
        encoded(QUEUE_URL),
        encoded(BODY)
    );
    let mut headers = Headers::new();
    headers.put("content-type", "application/x-www-form-urlencoded");
    headers.put("host", &address.to_string());
    let mut parts = RequestParts {
        path: "/123456789012/orders".to_owned(),
        query: None,
        headers,
    };
    sign(Method::Post, &mut parts, body.as_bytes(), &signer(secret)).unwrap();
    let mut message = format!("POST {} HTTP/1.1\r\n", parts.path).into_bytes();
    parts.headers.write_to(&mut message, |_| false);
    message.extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    message
}

fn signer(secret: &Secret) -> Signer<'_> {
    Signer {
        access_key_id: ACCESS_KEY,
        secret_access_key: secret,
        session_token: None,
        region: "us-east-1",
        service: "sqs",
        now: SystemTime::now(),
    }
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded += &format!("%{other:02X}"),
        }
    }
    encoded
}

/// What the gateway does for a call besides what it does for every request.
fn steps(address: SocketAddr, secret: &Secret) -> Vec<(&'static str, f64)> {
    use apigateway::definition::notation::mapping_value::Source;
    let subtype = IntegrationSubtype::SendMessage;
    let parameter = |name: &str, value| ServiceParameter {
        parameter: subtype.parameter(name).unwrap(),
        written: String::new(),
        value,
    };
    let queue = ValueSource::Static(ParameterValue::Text(QUEUE_URL.to_owned()));
    let call = ServiceIntegration {
        subtype,
        parameters: vec![
            parameter("QueueUrl", queue),
            parameter("MessageBody", ValueSource::Source(Source::Body)),
        ],
    };
    let host = address.to_string();
    let form = || {
        let parameters = read(&call, |_| Some(black_box(BODY).as_bytes().into())).unwrap();
        service::request(subtype, parameters)
    };
    let both = || {
        let mut request = form();
        request.parts.headers.put("host", &host);
        sign(request.method, &mut request.parts, &request.body, &signer(secret)).unwrap();
        request
    };
    vec![
        ("parameters and body", each(|| drop(black_box(form())))),
        ("parameters, body and signature", each(|| drop(black_box(both())))),
    ]
}

/// Microseconds of one call, the least of several batches.
fn each(mut call: impl FnMut()) -> f64 {
    let batch = |_| {
        let began = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        micros(began.elapsed()) / CALLS as f64
    };
    (0..ROUNDS).map(batch).fold(f64::INFINITY, f64::min)
}

/// The median of many calls, in microseconds.
fn median(ask: &mut impl FnMut()) -> f64 {
    let time = |_| {
        let began = Instant::now();
        ask();
        micros(began.elapsed())
    };
    middle((0..CALLS).map(time).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
