//! A gateway on a free port, in this process, with a clock that stands still.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, UNIX_EPOCH};

use apigateway::data_plane::access_log::Destination;
use apigateway::data_plane::gateway::Settings;
use apigateway::data_plane::trusted_proxies::TrustedProxies;
use apigateway::front::listener_limits::Limits;
use apigateway::identity::aws::{self, AwsAccess};
use apigateway::outbound::upstream::DNS_TTL;
use apigateway::platform::clock::Clock;
use apigateway::server::{ConsoleOptions, FrontKind, Options, Server};
use serde_json::Value;

use super::client::{self, Answer, PATIENCE};
use super::directory::Directory;

/// 2026-07-10 19:19:05 UTC.
pub const NOW: Duration = Duration::from_secs(1_783_711_145);

pub struct Gateway {
    pub directory: Directory,
    pub server: Server,
    pub address: SocketAddr,
}

/// As many loops as `APIGATEWAY_TEST_LOOPS` says, else two: more than one wherever the tests run.
pub fn loops() -> usize {
    std::env::var("APIGATEWAY_TEST_LOOPS").map_or(2, |loops| loops.parse().unwrap())
}

/// Options on free ports, with a fixed clock.
pub fn options(directory: &Directory) -> Options {
    Options {
        #[cfg(feature = "fleet")]
        fleet: None,
        root: directory.path().to_owned(),
        template: None,
        listen: "127.0.0.1:0".to_owned(),
        admin: None,
        control_plane: None,
        public_url: None,
        admin_hosts: Vec::new(),
        console: ConsoleOptions::default(),
        workers: NonZeroUsize::new(64).unwrap(),
        loops: loops(),
        // On a machine that is busy, requests may wait for a worker; where that is the subject, a test has its own limit.
        limits: Limits {
            queue_timeout: PATIENCE,
            ..Limits::default()
        },
        front: FrontKind::default(),
        tls: None,
        upstream_ca: None,
        dns_ttl: DNS_TTL,
        access_log: Destination::Off,
        hang_up: None,
        settings: Settings {
            clock: Clock::fixed(UNIX_EPOCH + NOW),
            launcher: Some(env!("CARGO_BIN_EXE_apigateway").into()),
            region: "us-east-1".into(),
            account_id: "123456789012".into(),
            trusted_proxies: TrustedProxies::default(),
            lambda_endpoint: None,
            aws: aws_access(None, None, &[]),
        },
    }
}

/// The way to AWS's services with these variables and no others; no metadata service is asked.
pub fn aws_access(endpoint_url: Option<&str>, region: Option<&str>, variables: &[(&str, &str)]) -> AwsAccess {
    let variables = [("AWS_EC2_METADATA_DISABLED", "true")]
        .into_iter()
        .chain(variables.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    AwsAccess::new(aws::Settings {
        endpoint_url: endpoint_url.map(|url| aws::parse_endpoint(url).unwrap()),
        region: region.map(str::to_owned),
        environment: aws::Environment::Given(variables.collect()),
    })
}

impl Gateway {
    pub fn serve(files: &[(&str, Value)]) -> Gateway {
        let directory = Directory::of(files);
        let options = options(&directory);
        Gateway::start(directory, options)
    }

    pub fn start(directory: Directory, options: Options) -> Gateway {
        let server = Server::start(options).unwrap();
        let address = server.local_addr();
        Gateway {
            directory,
            server,
            address,
        }
    }

    pub fn get(&self, target: &str) -> Answer {
        client::get(self.address, target)
    }

    pub fn exchange(&self, request: impl AsRef<[u8]>) -> Answer {
        client::exchange(self.address, request)
    }
}
