//! The whole program but its flags and signals: listeners, gateway, watcher.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::admin::Admin;
use crate::clock::Clock;
use crate::deployment::Deployment;
use crate::front::listener;
use crate::front::tiny_http::Front;
use crate::gateway::Gateway;
use crate::problem::{Problem, Problems};
use crate::reload::ReloadGate;
use crate::signals::HangUp;
use crate::store::Store;
use crate::upstream::{Upstream, tls};
use crate::watcher::{self, Seen, Watcher};

/// Most requests to the management listener that are answered at once.
const ADMIN_WORKERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// The directory that holds the API.
    pub root: PathBuf,
    /// Where the API is served, `HOST:PORT`.
    pub listen: String,
    /// Where the management pages are served, if at all.
    pub admin: Option<String>,
    /// Most requests that are answered at once.
    pub workers: NonZeroUsize,
    /// PEM roots that are trusted for upstreams besides the built-in ones.
    pub upstream_ca: Option<PathBuf>,
    /// The signal that asks for a reload, where there is one.
    pub hang_up: Option<HangUp>,
    /// Time and ids.
    pub clock: Clock,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The files cannot be served; all that is wrong, warnings too.
    Problems(Problems),
    /// Something that an option names cannot be had.
    Option(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Problems(problems) => {
                let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            StartError::Option(text) => f.write_str(&text.replace('\n', " ")),
        }
    }
}

impl std::error::Error for StartError {}

/// A gateway that is being served, until it is stopped or dropped.
pub struct Server {
    data: Front,
    admin: Option<Front>,
    gate: Arc<ReloadGate>,
    /// Dropped with the server.
    _watcher: Watcher,
}

impl Server {
    /// Reads the files, binds the listeners, and serves.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(options: Options) -> Result<Server, StartError> {
        let seen = Seen::first(Store::at(&options.root));
        let (deployment, problems) = Deployment::of(seen.listing());
        let Some(deployment) = deployment else {
            return Err(StartError::Problems(problems));
        };
        watcher::report(&problems);
        let upstream = upstream(options.upstream_ca.as_deref())?;
        let data_listener = bind("--listen", &options.listen)?;
        let admin_listener = options
            .admin
            .as_deref()
            .map(|address| bind("--admin", address))
            .transpose()?;

        let name = deployment.api_name().unwrap_or("an API without a name").to_owned();
        let gate = Arc::new(ReloadGate::new(options.hang_up));
        let gateway = Arc::new(Gateway::new(deployment, upstream, options.clock, Arc::clone(&gate)));
        let refused = |error: io::Error| StartError::Option(format!("the system refuses what a server needs: {error}"));
        let handler = Arc::clone(&gateway);
        let data = Front::start("worker", data_listener, options.workers, handler).map_err(refused)?;
        let admin = admin_listener.map(|listener| Front::start("admin", listener, ADMIN_WORKERS, Arc::new(Admin)));
        let admin = admin.transpose().map_err(refused)?;
        let watcher = Watcher::start(seen, gateway, Arc::clone(&gate)).map_err(refused)?;
        let signalled = Arc::clone(&gate);
        let waiter = thread::Builder::new().name("hangup".to_owned());
        waiter.spawn(move || signalled.request_at_signals()).map_err(refused)?;
        log::info!("serving {name} from {}", options.root.display());
        Ok(Server {
            data,
            admin,
            gate,
            _watcher: watcher,
        })
    }

    /// Where the API is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.data.local_addr()
    }

    /// Where the management pages are served.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Front::local_addr)
    }

    /// Takes up the files as they are now; requests that come later see them.
    pub fn reload(&self) {
        self.gate.request();
    }

    /// Takes no more connections and waits for the requests in flight; tells how many are cut when time is up.
    pub fn stop(self, grace: Duration) -> usize {
        self.data.stop();
        self.data.drain(Instant::now() + grace)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.local_addr())
    }
}

fn bind(option: &str, address: &str) -> Result<TcpListener, StartError> {
    listener::bind(address).map_err(|error| StartError::Option(format!("{option} {address}: {error}")))
}

fn upstream(ca: Option<&Path>) -> Result<Upstream, StartError> {
    let unusable = |reason: String| {
        let path = ca.unwrap_or_else(|| "".as_ref()).display();
        StartError::Option(format!("--upstream-ca {path}: {reason}"))
    };
    let pem = ca.map(Store::read_option_file).transpose().map_err(unusable)?;
    let tls = tls::client_config(pem.as_deref()).map_err(|error| unusable(error.to_string()))?;
    Ok(Upstream::new(tls))
}
