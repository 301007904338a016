//! The upstream that everything is proxied to: nginx, on two ports.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::api::Ports;
use crate::certificate::{self, Certificate};
use crate::http::Connection;
use crate::process::Running;
use crate::programs::{NGINX, cores};
use crate::token::{self, Issued};
use crate::{Outcome, http};

/// The small answer, 96 bytes.
const SMALL: &str =
    r#"{"pets":[{"id":1,"name":"Rex","type":"dog"},{"id":2,"name":"Tom","type":"cat"}],"total":2,"a":1}"#;

/// Length of the large answer.
const LARGE: usize = 1024 * 1024;

/// How long a program may take until it answers.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// nginx, as it serves.
#[derive(Debug)]
pub struct Upstream {
    _process: Running,
    /// Where it listens.
    pub ports: Ports,
    /// What its TLS port shows.
    pub certificate: Certificate,
    /// What it publishes as an issuer of tokens, and a token.
    pub issued: Issued,
}

/// Starts it, with its files below the directory.
///
/// # Errors
/// It does not answer.
pub fn start(directory: &Path) -> Outcome<Upstream> {
    let ports = Ports {
        plain: http::free_port()?,
        tls: http::free_port()?,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.plain));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let issued = token::issue(
        &format!("http://{address}"),
        now.map_or(0, |now| now.as_secs()) + 86_400,
    )?;
    let certificate = certificate::make(directory)?;
    let pages = directory.join("pages");
    write_page(&pages, "large", &vec![b'x'; LARGE])?;
    write_page(&pages, "keys", issued.keys.to_string().as_bytes())?;
    write_page(
        &pages,
        ".well-known/openid-configuration",
        issued.discovery.to_string().as_bytes(),
    )?;
    let mut process = start_nginx(directory, "upstream", &servers(ports, &certificate, &pages))?;
    wait_for(&mut process, address, "/small", "", PATIENCE)?;
    Ok(Upstream {
        _process: process,
        ports,
        certificate,
        issued,
    })
}

fn write_page(pages: &Path, name: &str, content: &[u8]) -> Outcome<()> {
    let path = pages.join(name);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = written.and_then(|()| fs::write(&path, content));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn servers(ports: Ports, certificate: &Certificate, pages: &Path) -> String {
    let Ports { plain, tls } = ports;
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let pages = pages.display();
    format!(
        "server {{
            listen 127.0.0.1:{plain} backlog=4096;
            listen 127.0.0.1:{tls} ssl backlog=4096;
            ssl_certificate {chain};
            ssl_certificate_key {key};
            default_type application/json;
            client_max_body_size 20m;
            location = /small {{ return 200 '{SMALL}'; }}
            location = /post {{ return 200 '{SMALL}'; }}
            location / {{ root {pages}; }}
        }}"
    )
}

/// Starts nginx with these blocks of `http`, in the foreground, with nothing outside the directory.
///
/// # Errors
/// It cannot be started.
pub fn start_nginx(directory: &Path, name: &str, http: &str) -> Outcome<Running> {
    let own = directory.join(name);
    fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    let path = own.join("nginx.conf");
    fs::write(&path, nginx_conf(&own, http)?).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut command = NGINX.command()?;
    command.arg("-p").arg(&own).arg("-c").arg(&path).arg("-e").arg("stderr");
    Running::start(&mut command, directory, name)
}

fn nginx_conf(own: &Path, http: &str) -> Outcome<String> {
    let is_root = fs::metadata(own).is_ok_and(|own| own.uid() == 0);
    // Workers of root would be nobody, who cannot read the directory.
    let user = if is_root { "user root;" } else { "" };
    let mut temporary = String::new();
    for module in temporary_modules()? {
        let at: PathBuf = own.join(module);
        temporary.push_str(&format!("    {module}_temp_path {};\n", at.display()));
    }
    Ok(format!(
        "daemon off;
{user}
worker_processes {};
worker_rlimit_nofile 32768;
pid nginx.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    client_header_timeout 3600s;
    client_body_buffer_size 64k;
{temporary}
    {http}
}}
",
        cores()
    ))
}

/// The modules that make a directory at the start, which is not where this nginx thinks.
fn temporary_modules() -> Outcome<Vec<&'static str>> {
    let mut command: Command = NGINX.command()?;
    let output = command.arg("-V").output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let optional = ["fastcgi", "uwsgi", "scgi"];
    let built = optional
        .into_iter()
        .filter(|module| !text.contains(&format!("--without-http_{module}_module")));
    Ok(["client_body", "proxy"].into_iter().chain(built).collect())
}

/// Waits until a program answers a path with 200.
///
/// # Errors
/// It ends, or does not answer in that time.
pub fn wait_for(
    process: &mut Running,
    address: SocketAddr,
    path: &str,
    fields: &str,
    patience: Duration,
) -> Outcome<()> {
    let ask = || Connection::open(address, path, fields, patience)?.ask();
    wait_until_ok(process, ask, patience)
}

/// Waits until a program answers with 200 what it is asked in that way.
///
/// # Errors
/// It ends, or does not answer in that time.
pub fn wait_until_ok(process: &mut Running, ask: impl Fn() -> Outcome<u16>, patience: Duration) -> Outcome<()> {
    let deadline = Instant::now() + patience;
    loop {
        let asked = ask();
        if asked == Ok(200) {
            return Ok(());
        }
        if process.has_ended() {
            return Err(format!("it has ended: {}", process.last_words()));
        }
        if Instant::now() > deadline {
            return Err(format!("it says {asked:?}: {}", process.last_words()));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
