//! What is compared: proxies before the upstream, each with the plain good configuration of its kind.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api::{self, Api};
use crate::certificate::NAME;
use crate::https::{self, HttpsClient};
use crate::process::Running;
use crate::programs::{CADDY, HAPROXY, cores};
use crate::upstream::{PATIENCE, Upstream, start_nginx, wait_for, wait_until_ok};
use crate::{Outcome, http};

/// What lets workers answer everything.
pub const WITHOUT_LOOPS: [&str; 2] = ["--loops", "0"];

/// What may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reference.
    Nginx,
    /// Where it is installed.
    Haproxy,
    /// Where it is installed.
    Caddy,
    /// See [`crate::relay`].
    Floor,
    /// This repository's program, or each of those that were named.
    Gateway(Api),
    /// The same without loops: workers answer everything.
    Workers,
}

/// A program of the gateway with the name that it has in tables.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where it is.
    pub program: PathBuf,
    /// What it is called.
    pub label: String,
}

/// What a peer is to do.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Where its files go.
    pub directory: &'a Path,
    /// What it stands before.
    pub upstream: &'a Upstream,
    /// Whether it speaks TLS with that.
    pub over_tls: bool,
    /// Whether clients speak HTTPS.
    pub https: bool,
    /// What it is asked for until it answers, with a token.
    pub path: &'a str,
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its processes.
    pub process: Running,
}

impl Kind {
    /// What it is called in tables.
    pub fn label(self, gateway: &Gateway) -> String {
        let gateway = &gateway.label;
        match self {
            Kind::Nginx => "nginx".to_owned(),
            Kind::Haproxy => "haproxy".to_owned(),
            Kind::Caddy => "caddy".to_owned(),
            Kind::Floor => "floor".to_owned(),
            Kind::Gateway(Api::Plain | Api::Tls) => gateway.clone(),
            Kind::Gateway(Api::ManyRoutes) => format!("{gateway}, {} routes", api::ROUTES),
            Kind::Gateway(Api::Mapping) => format!("{gateway}, mapping"),
            Kind::Gateway(Api::Accounts) => format!("{gateway}, accounts"),
            Kind::Gateway(Api::Jwt) => format!("{gateway}, JWT"),
            Kind::Workers => format!("{gateway}, --loops 0"),
        }
    }
}

/// Starts a peer and waits until it answers.
///
/// # Errors
/// It does not.
pub fn start(kind: Kind, gateway: &Gateway, setup: &Setup<'_>) -> Outcome<Peer> {
    let port = http::free_port()?;
    let mut process = match kind {
        Kind::Nginx => nginx(setup, port)?,
        Kind::Haproxy => haproxy(setup, port)?,
        Kind::Caddy => caddy(setup, port)?,
        Kind::Floor => floor(setup, port)?,
        Kind::Gateway(api) => {
            let mut command = gateway_command(&gateway.program, api, setup, port)?;
            Running::start(&mut command, setup.directory, &format!("gateway-{port}"))?
        }
        Kind::Workers => {
            let mut command = gateway_command(&gateway.program, Api::Plain, setup, port)?;
            command.args(WITHOUT_LOOPS);
            Running::start(&mut command, setup.directory, &format!("gateway-{port}"))?
        }
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let fields = token_field(setup.upstream);
    if setup.https {
        let settings = https::settings(false)?;
        let ask = || HttpsClient::open(address, &settings, PATIENCE)?.ask(setup.path, &fields);
        wait_until_ok(&mut process, ask, PATIENCE)?;
    } else {
        wait_for(&mut process, address, setup.path, &fields, PATIENCE)?;
    }
    Ok(Peer { address, process })
}

/// The field with a token, as a line of a head.
pub fn token_field(upstream: &Upstream) -> String {
    format!("Authorization: Bearer {}\r\n", upstream.issued.token)
}

/// A command that serves an API, whose files it writes.
///
/// # Errors
/// They cannot be written.
pub fn gateway_command(program: &Path, api: Api, setup: &Setup<'_>, port: u16) -> Outcome<Command> {
    let root = setup.directory.join(format!("api-{port}"));
    api::write(&api::files(api, setup.upstream.ports), &root)?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--root").arg(&root);
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    command.arg("--upstream-ca").arg(&setup.upstream.certificate.ca);
    if setup.https {
        let certificate = &setup.upstream.certificate;
        command.arg("--tls-certificate").arg(&certificate.chain);
        command.arg("--tls-key").arg(&certificate.key);
    }
    // So that idle connections outlast all rounds, as they do with the others.
    command.args(["--idle-timeout", "3600"]);
    match api {
        Api::Accounts => {
            let log = setup.directory.join(format!("access-{port}.log"));
            command.arg("--access-log").arg(log);
            command.arg("--admin").arg(format!("127.0.0.1:{}", http::free_port()?));
        }
        _ => {
            command.args(["--access-log", "off", "--admin", "off"]);
        }
    }
    Ok(command)
}

fn nginx(setup: &Setup<'_>, port: u16) -> Outcome<Running> {
    let (scheme, upstream) = match setup.over_tls {
        true => ("https", setup.upstream.ports.tls),
        false => ("http", setup.upstream.ports.plain),
    };
    let certificate = &setup.upstream.certificate;
    let ca = certificate.ca.display();
    let (ssl, own) = match setup.https {
        true => (
            " ssl",
            format!(
                "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3; keepalive_requests 100000000;",
                certificate.chain.display(),
                certificate.key.display()
            ),
        ),
        false => ("", String::new()),
    };
    let http = format!(
        "upstream pages {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port}{ssl} backlog=4096;
        {own}
        client_max_body_size 20m;
        location / {{
            proxy_pass {scheme}://pages;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_max_temp_file_size 0;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca};
            proxy_ssl_name {NAME};
            proxy_ssl_server_name on;
        }}
    }}"
    );
    start_nginx(setup.directory, &format!("nginx-{port}"), &http)
}

fn haproxy(setup: &Setup<'_>, port: u16) -> Outcome<Running> {
    let ports = setup.upstream.ports;
    let server = match setup.over_tls {
        true => format!(
            "127.0.0.1:{} ssl verify required ca-file {} sni str({NAME}) verifyhost {NAME}",
            ports.tls,
            setup.upstream.certificate.ca.display()
        ),
        false => format!("127.0.0.1:{}", ports.plain),
    };
    let bind = match setup.https {
        true => {
            let certificate = &setup.upstream.certificate;
            let read = |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
            let both = [read(&certificate.chain)?, read(&certificate.key)?].concat();
            let path = write(setup.directory, &format!("haproxy-{port}.pem"), &both)?;
            format!(" ssl crt {}", path.display())
        }
        false => String::new(),
    };
    let text = format!(
        "global
    maxconn 4000
    nbthread {}
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
    http-reuse always
frontend clients
    bind 127.0.0.1:{port}{bind}
    default_backend pages
backend pages
    server upstream {server}
",
        cores()
    );
    let path = write(setup.directory, &format!("haproxy-{port}.cfg"), &text)?;
    let mut command = HAPROXY.command()?;
    command.arg("-db").arg("-f").arg(path);
    Running::start(&mut command, setup.directory, &format!("haproxy-{port}"))
}

fn caddy(setup: &Setup<'_>, port: u16) -> Outcome<Running> {
    let text = format!(
        "{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port}, http://bench:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{} {{
        transport http {{
            keepalive_idle_conns_per_host 256
        }}
    }}
}}
",
        setup.upstream.ports.plain
    );
    let path = write(setup.directory, &format!("Caddyfile-{port}"), &text)?;
    let mut command = CADDY.command()?;
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(path);
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, setup.directory);
    }
    Running::start(&mut command, setup.directory, &format!("caddy-{port}"))
}

fn floor(setup: &Setup<'_>, port: u16) -> Outcome<Running> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(own);
    command
        .arg("floor")
        .arg(port.to_string())
        .arg(setup.upstream.ports.plain.to_string());
    Running::start(&mut command, setup.directory, &format!("floor-{port}"))
}

fn write(directory: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
