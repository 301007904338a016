//! A gateway for tests of other crates: on a free port, in the test's own process, gone when it is dropped.
//!
//! # Example
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use apigateway::testing::Gateway;
//!
//! // What is tested: a service that tells the path that it is asked for.
//! let service = TcpListener::bind("127.0.0.1:0")?;
//! let address = service.local_addr()?;
//! std::thread::spawn(move || {
//!     let (mut stream, _) = service.accept().unwrap();
//!     let mut head = [0; 4096];
//!     let count = stream.read(&mut head).unwrap();
//!     let path = String::from_utf8_lossy(&head[..count]).split(' ').nth(1).unwrap().to_owned();
//!     write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).unwrap();
//! });
//!
//! let gateway = Gateway::builder()
//!     .route("GET /pets/{id}", format!("http://{address}/v2/pets/{{id}}"))
//!     .start()?;
//!
//! // Any client will do; `gateway.url("/pets/7")` is what most want.
//! let mut client = TcpStream::connect(gateway.address())?;
//! write!(client, "GET /pets/7 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("\r\n\r\n/v2/pets/7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde_json::json;

use crate::data_plane::access_log::Destination;
use crate::data_plane::gateway::Settings;
use crate::data_plane::trusted_proxies::TrustedProxies;
use crate::definition::store::Store;
use crate::definition::unit::{File, Listing, UnitName};
use crate::front::listener_limits::Limits;
use crate::identity::aws::{self, AwsAccess, parse_endpoint};
use crate::outbound::function::launcher;
use crate::outbound::upstream;
use crate::platform::clock::Clock;
use crate::server::{ConsoleOptions, FrontKind, Options, Server, StartError, default_loops};

/// Most requests that are answered at once.
const WORKERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// A gateway that is being served until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
}

/// What a gateway is to serve.
#[derive(Debug, Default)]
pub struct Builder {
    directory: Option<PathBuf>,
    resources: BTreeMap<String, String>,
    upstream_ca: Option<PathBuf>,
    clock: Option<Clock>,
    aws_endpoint_url: Option<String>,
}

impl Gateway {
    /// Begins to say what is served.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The URL of a path of the API with that id.
    ///
    /// A client that sends `Host: <id>.execute-api.localhost` reaches the API by a path alone.
    pub fn api_url(&self, api_id: &str, path: &str) -> String {
        self.url(&format!("/_aws/execute-api/{api_id}{path}"))
    }
}

impl Builder {
    /// Serves the files of a directory, as they are when it is started. Resources that are given in code replace those
    /// of the same path, so that a test can send an integration to a server of its own.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Builder {
        self.directory = Some(directory.into());
        self
    }

    /// Serves a resource, by its path below the directory: `routes/pets.json`, and its JSON.
    pub fn resource(mut self, path: impl Into<String>, json: impl ToString) -> Builder {
        self.resources.insert(path.into(), json.to_string());
        self
    }

    /// Serves a route and an HTTP integration for it, which keeps the client's method.
    pub fn route(mut self, route_key: &str, integration_uri: impl AsRef<str>) -> Builder {
        add_route(&mut self.resources, "", route_key, integration_uri.as_ref());
        self
    }

    /// Serves another API besides the root API: what `build` gives it stands in `apis/<id>/`. Where `build` gives no stage,
    /// the default stage serves every route.
    ///
    /// # Example
    /// ```
    /// use apigateway::testing::Gateway;
    ///
    /// let gateway = Gateway::builder()
    ///     .api("orders", |api| api.route("GET /orders/{id}", "http://127.0.0.1:9/orders/{id}"))
    ///     .api("pets", |api| api.route("GET /pets/{id}", "http://127.0.0.1:9/pets/{id}"))
    ///     .domain("api.test", &[("orders", "orders", "$default"), ("", "pets", "$default")])
    ///     .start()?;
    /// let url = gateway.api_url("orders", "/orders/7");
    /// assert!(url.ends_with("/_aws/execute-api/orders/orders/7"));
    /// # Ok::<(), apigateway::server::StartError>(())
    /// ```
    pub fn api(mut self, id: &str, build: impl FnOnce(ApiBuilder) -> ApiBuilder) -> Builder {
        let api = build(ApiBuilder {
            prefix: format!("apis/{id}/"),
            resources: BTreeMap::new(),
        });
        self.resources.extend(api.resources);
        let file = self.resources.entry(format!("apis/{id}/api.json"));
        file.or_insert_with(|| "{}".to_owned());
        self
    }

    /// Serves a custom domain with mappings: the key, empty for the catch-all, the API's id, and the stage.
    pub fn domain(self, name: &str, mappings: &[(&str, &str, &str)]) -> Builder {
        let mapping =
            |(key, api, stage): &(&str, &str, &str)| json!({"ApiMappingKey": key, "ApiId": api, "Stage": stage});
        let mappings: Vec<_> = mappings.iter().map(mapping).collect();
        self.resource(format!("domains/{name}.json"), json!({"ApiMappings": mappings}))
    }

    /// Trusts the roots of a PEM file for TLS with integrations, besides the built-in ones.
    pub fn upstream_ca(mut self, file: impl Into<PathBuf>) -> Builder {
        self.upstream_ca = Some(file.into());
        self
    }

    /// Sends what is meant for AWS's services (SQS, EventBridge, Kinesis, Step Functions, AppConfig) to a stand-in at
    /// that URL. Defaults to what the variables of AWS's SDKs say.
    pub fn aws_endpoint_url(mut self, url: impl Into<String>) -> Builder {
        self.aws_endpoint_url = Some(url.into());
        self
    }

    /// Takes time and ids from another clock, such as [`Clock::fixed`], so that a test can compare to the letter.
    /// Defaults to the machine's.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = Some(clock);
        self
    }

    /// Serves on a free port of the loopback interface, without an access log. Where no stage is given, the default stage
    /// serves every route.
    ///
    /// # Errors
    /// The resources cannot be served: all problems, as `apigateway check` prints them; or an option cannot be met.
    pub fn start(self) -> Result<Gateway, StartError> {
        let mut listing = match &self.directory {
            Some(directory) => Store::at(directory).load(),
            None => Listing::default(),
        };
        for (path, text) in self.resources {
            listing.put(File::new(path, text));
        }
        let mut prefixes: BTreeSet<String> = listing
            .units
            .keys()
            .filter(|name| name.is_api())
            .map(UnitName::prefix)
            .collect();
        if prefixes.is_empty() {
            prefixes.insert(String::new());
        }
        for prefix in prefixes {
            let stages = format!("{prefix}stages/");
            if !listing.files().any(|file| file.path.starts_with(&stages)) {
                listing.put(File::new(format!("{stages}$default.json"), "{}"));
            }
        }
        let endpoint_url = self.aws_endpoint_url.as_deref().map(parse_endpoint).transpose();
        let endpoint_url =
            endpoint_url.map_err(|error| StartError::Option(format!("the endpoint of AWS's services: {error}")))?;
        let options = Options {
            #[cfg(feature = "fleet")]
            fleet: None,
            root: self.directory.unwrap_or_default(),
            template: None,
            listen: "127.0.0.1:0".to_owned(),
            admin: None,
            control_plane: None,
            public_url: None,
            admin_hosts: Vec::new(),
            console: ConsoleOptions::default(),
            workers: WORKERS,
            loops: default_loops(),
            tls: None,
            upstream_ca: self.upstream_ca,
            dns_ttl: upstream::DNS_TTL,
            access_log: Destination::Off,
            hang_up: None,
            limits: Limits::default(),
            front: FrontKind::Own,
            settings: Settings {
                launcher: launcher::own_executable(),
                region: "us-east-1".to_owned(),
                lambda_endpoint: None,
                aws: AwsAccess::new(aws::Settings {
                    endpoint_url,
                    ..aws::Settings::default()
                }),
                clock: self.clock.unwrap_or_else(Clock::system),
                account_id: "123456789012".to_owned(),
                trusted_proxies: TrustedProxies::default(),
            },
        };
        let server = Server::serve(&listing, options)?;
        Ok(Gateway { server })
    }
}

/// What another API than the root API is to serve.
#[derive(Debug)]
pub struct ApiBuilder {
    prefix: String,
    resources: BTreeMap<String, String>,
}

impl ApiBuilder {
    /// Serves a resource, by its path below the API's directory: `routes/pets.json`, and its JSON.
    pub fn resource(mut self, path: impl AsRef<str>, json: impl ToString) -> ApiBuilder {
        let path = format!("{}{}", self.prefix, path.as_ref());
        self.resources.insert(path, json.to_string());
        self
    }

    /// Serves a route and an HTTP integration for it, which keeps the client's method.
    pub fn route(mut self, route_key: &str, integration_uri: impl AsRef<str>) -> ApiBuilder {
        add_route(&mut self.resources, &self.prefix, route_key, integration_uri.as_ref());
        self
    }
}

/// Adds a route and its integration to the API with that prefix.
fn add_route(resources: &mut BTreeMap<String, String>, prefix: &str, route_key: &str, integration_uri: &str) {
    let id = format!("test-{}", resources.len());
    let integration = json!({
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "ANY",
        "IntegrationUri": integration_uri,
    });
    let route = json!({"RouteKey": route_key, "Target": format!("integrations/{id}")});
    resources.insert(format!("{prefix}integrations/{id}.json"), integration.to_string());
    resources.insert(format!("{prefix}routes/{id}.json"), route.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_as_check_does() {
        let started = Gateway::builder()
            .resource("routes/a.json", json!({"RouteKey": "GET"}))
            .start();
        let text = started.unwrap_err().to_string();
        assert!(text.contains("routes/a.json#/RouteKey: error: "), "{text}");
        assert!(
            text.contains("routes/a.json#/Target: warning: the field is missing"),
            "{text}"
        );
    }

    #[test]
    fn resources_in_code_replace_those_of_a_directory() {
        let root = env!("CARGO_MANIFEST_DIR");
        assert!(Gateway::builder().directory(root).start().is_ok());
        let replaced = Gateway::builder()
            .directory(root)
            .resource("integrations/pa09itl.json", "{}")
            .start();
        let text = replaced.unwrap_err().to_string();
        assert!(text.starts_with("integrations/pa09itl.json#"), "{text}");
        assert!(Gateway::builder().directory("/nowhere").start().is_err());
    }

    #[test]
    fn the_port_is_free_again_when_it_is_dropped() {
        let is_free_again = |_| {
            let gateway = Gateway::builder()
                .route("$default", "http://127.0.0.1:9")
                .start()
                .unwrap();
            let address = gateway.address();
            assert_eq!(gateway.url("/a"), format!("http://{address}/a"));
            drop(gateway);
            std::net::TcpStream::connect(address).is_err()
        };
        // Whatever else runs on this machine may have taken the port by then.
        assert!((0..5).any(is_free_again));
    }
}
