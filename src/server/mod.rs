//! Puts the rooms together and runs them; the fixture for users' own tests.

mod access_to_calls;
mod console_options;
mod announcement;
mod either_front;
mod own_host;
pub mod testing;
#[cfg(feature = "fleet")]
pub mod fleet;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crate::control_plane::api::settings::{Mode, PublicUrl};
use crate::control_plane::api::{ControlPlane, recovery, settings};
use crate::control_plane::reloader::{self, Files, Reloader};
use crate::control_plane::source::TemplateOption;
use crate::control_plane::watcher::Watcher;
use crate::data_plane::access_log::{AccessLog, Destination};
use crate::data_plane::gateway::{Gateway, Settings};
#[cfg(not(feature = "fleet"))]
use crate::data_plane::throttle::Throttle;
use crate::definition::problem::{Problem, Problems};
use crate::definition::store::{Store, TlsFiles};
use crate::definition::unit::Listing;
use crate::deployment::compiler::Compiler;
use crate::deployment::configuration::Configuration;
use crate::front::acceptor;
use crate::front::listener_limits::{Allowed, Limits};
use crate::management::admin::Admin;
use crate::management::console::Console;
use crate::management::sample_service;
use crate::outbound::upstream::{self, Upstream, tls};
use crate::platform::concurrency;
use crate::platform::reload_gate::ReloadGate;
use crate::platform::signals::HangUp;
pub use crate::server::console_options::ConsoleOptions;
use crate::server::either_front::Front;
pub use crate::server::either_front::FrontKind;
use crate::server::own_host::OwnHost;
use crate::template::message::Message;
use crate::template::source::TemplateSource;

/// Most requests to the management listener that are answered at once.
const ADMIN_WORKERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// How long a stop waits for the last lines of the access log to be taken.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// How many loops serve clients unless an option says otherwise: one for each processor.
pub fn default_loops() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// The directory that holds the API; of a template, what goes with it.
    pub root: PathBuf,
    /// The template that is served instead of the API below the root.
    pub template: Option<TemplateOption>,
    /// Where the API is served, `HOST:PORT`.
    pub listen: String,
    /// Where the management pages are served, if at all.
    pub admin: Option<String>,
    /// Whether AWS's own API answers at the management listener; where none is said, to all on loopback, and else to
    /// administrators.
    pub control_plane: Option<Mode>,
    /// What calls to it say of the address of an API, if not that on this machine.
    pub public_url: Option<PublicUrl>,
    /// Names under which it may be called besides those of this machine.
    pub admin_hosts: Vec<String>,
    /// The page for people at the management listener, and what is captured for it.
    pub console: ConsoleOptions,
    /// Most workers, each of which answers a request at a time.
    pub workers: NonZeroUsize,
    /// Loops that serve clients, see [`default_loops`]. With none, workers answer all requests.
    pub loops: usize,
    /// What clients may do.
    pub limits: Limits,
    /// What listens to clients.
    pub front: FrontKind,
    /// The certificate with which the listener speaks TLS, and nothing else.
    pub tls: Option<TlsFiles>,
    /// PEM roots that are trusted for upstreams besides the built-in ones.
    pub upstream_ca: Option<PathBuf>,
    /// How long the addresses of an upstream's name are used before it is looked up again.
    pub dns_ttl: Duration,
    /// Where a line goes for each request.
    pub access_log: Destination,
    /// The signal that asks for a reload, where there is one.
    pub hang_up: Option<HangUp>,
    /// What the gateway knows besides its files.
    pub settings: Settings,
    /// What throttles are shared through with other gateways.
    #[cfg(feature = "fleet")]
    pub fleet: Option<fleet::FleetOptions>,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The files cannot be served; all that is wrong, warnings too.
    Problems(Problems),
    /// The template cannot be served; all that is to be told of it.
    Template(Vec<Message>),
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
            StartError::Template(messages) => {
                let lines: Vec<String> = messages.iter().map(Message::to_string).collect();
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
    pages: Arc<Admin>,
    gate: Arc<ReloadGate>,
    gateway: Arc<Gateway>,
    access_log: AccessLog,
    /// Dropped with the server.
    _watcher: Option<Watcher>,
}

impl Server {
    /// Reads the files, binds the listeners, and serves.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn start(options: Options) -> Result<Server, StartError> {
        recovery::recover(&options.root);
        let store = Store::at(&options.root).with_tls(options.tls.clone());
        let (files, configuration, problems) = match &options.template {
            None => Files::first(store).map_err(StartError::Problems)?,
            Some(template) => {
                let source = TemplateSource::new(template.path.clone(), template.options.clone(), store);
                Files::of_template(source.map_err(StartError::Option)?).map_err(StartError::Template)?
            }
        };
        Server::launch(configuration, &problems, Some(files), options)
    }

    /// Binds the listeners, and serves files that do not change any more, in plain text.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running.
    pub fn serve(listing: &Listing, options: Options) -> Result<Server, StartError> {
        match Configuration::by(&mut Compiler::without_tls(), listing) {
            (Some(mut configuration), problems) => {
                configuration.note_files(listing);
                Server::launch(configuration, &problems, None, options)
            }
            (None, problems) => Err(StartError::Problems(problems)),
        }
    }

    /// Serves a configuration, and what becomes of its files where they are watched.
    fn launch(
        configuration: Configuration,
        problems: &Problems,
        watched: Option<Files>,
        options: Options,
    ) -> Result<Server, StartError> {
        match &watched {
            Some(files) => files.report(problems),
            None => reloader::report(problems),
        }
        reloader::remind(&configuration);
        #[cfg(feature = "tiny_http")]
        if options.front == FrontKind::TinyHttp && configuration.speaks_tls() {
            return Err(StartError::Option(
                "--tls-certificate: the front tiny-http does not speak TLS".to_owned(),
            ));
        }
        let (region, account_id) = (&options.settings.region, &options.settings.account_id);
        reloader::report(&configuration.review_options(region, account_id));
        if configuration.apis().any(|api| api.calls_services()) {
            options.settings.aws.check().map_err(StartError::Option)?;
        }
        let Allowed {
            clients: limits,
            management: for_management,
            on_loops,
        } = options.limits.within_descriptors(options.workers, options.loops > 0);
        let most_exchanges = options.workers.min(limits.max_connections).get();
        let upstream = upstream(&options, most_exchanges, on_loops, for_management)?;
        let access_log = access_log(options.access_log)?;
        let data_listener = bind("--listen", &options.listen)?;
        let admin_listener = options
            .admin
            .as_deref()
            .map(|address| bind("--admin", address))
            .transpose()?;

        #[cfg(feature = "fleet")]
        let throttle = fleet::throttle(options.fleet, options.upstream_ca).map_err(StartError::Option)?;
        #[cfg(not(feature = "fleet"))]
        let throttle = Throttle::default();
        let scheme = scheme(&configuration);
        let has_administrator = configuration.credentials().has_administrator();
        let control_plane = settings::Settings {
            mode: access_to_calls::mode(options.control_plane, admin_listener.as_ref(), has_administrator),
            hosts: access_to_calls::hosts(options.admin_hosts, options.admin.as_deref()),
            public_url: match options.public_url {
                Some(url) => url,
                None => PublicUrl::local(scheme, data_listener.local_addr().map_or(0, |address| address.port())),
            },
            region: region.clone(),
            account_id: account_id.clone(),
        };
        let capture = options.console.capture(admin_listener.as_ref(), control_plane.mode);
        let capture = capture.map_err(StartError::Option)?;
        let gate = Arc::new(ReloadGate::new(options.hang_up));
        let gateway = Gateway::new(
            configuration,
            upstream,
            options.settings,
            Arc::clone(&gate),
            access_log.clone(),
            throttle,
        );
        let gateway = Arc::new(gateway.with_capture(capture.clone()));
        let refused = |error: io::Error| StartError::Option(format!("the system refuses what a server needs: {error}"));
        let handler = Arc::clone(&gateway);
        let (kind, workers, loops) = (options.front, options.workers, options.loops);
        let data = Front::start(kind, "worker", data_listener, workers, loops, limits, handler).map_err(refused)?;
        let reloader = watched.map(|files| Arc::new(Reloader::new(files, Arc::clone(&gateway))));
        let pages = Arc::new(Admin {
            gateway: Arc::clone(&gateway),
            front: data.metrics(),
            console: capture.map(|capture| {
                let (settings, listener) = (control_plane.clone(), data.local_addr());
                Console::new(&gateway, &capture, reloader.as_ref(), settings, scheme, listener)
            }),
            control_plane: reloader
                .as_ref()
                .map(|reloader| ControlPlane::new(reloader, control_plane)),
            is_stopping: AtomicBool::new(false),
        });
        let start_admin = |listener| {
            let pages = Arc::clone(&pages);
            Front::start(kind, "admin", listener, ADMIN_WORKERS, 0, for_management, pages)
        };
        let admin = admin_listener.map(start_admin).transpose().map_err(refused)?;
        let watcher = reloader.map(|reloader| Watcher::start(reloader, Arc::clone(&gate)));
        let watcher = watcher.transpose().map_err(refused)?;
        let signalled = Arc::clone(&gate);
        let waiter = thread::Builder::new().name("hangup".to_owned());
        waiter.spawn(move || signalled.request_at_signals()).map_err(refused)?;
        let (served, address) = (gateway.configuration_now(), data.local_addr());
        match &options.template {
            Some(template) => announcement::log_template(&served, &template.path, scheme, address),
            None => announcement::log_root(&served, &options.root),
        }
        Ok(Server {
            data,
            admin,
            pages,
            gate,
            gateway,
            access_log,
            _watcher: watcher,
        })
    }

    /// Where the API is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.data.local_addr()
    }

    /// What the API's listener speaks: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        scheme(&self.gateway.configuration_now())
    }

    /// A line for each route that is served, with its whole URL; those of the first APIs, if there are very many.
    pub fn route_lines(&self) -> Vec<String> {
        announcement::route_lines(&self.gateway.configuration_now(), self.scheme(), self.local_addr())
    }

    /// Where the management pages are served.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Front::local_addr)
    }

    /// Lets lines of the access log go to stdout. Until then they wait: what a program says first comes before them.
    pub fn begin_access_log(&self) {
        self.access_log.begin();
    }

    /// Where a line goes for each request.
    pub fn access_log(&self) -> &AccessLog {
        &self.access_log
    }

    /// Takes up the files as they are now; requests that come later see them.
    pub fn reload(&self) {
        self.gate.request();
    }

    /// Takes no more connections and waits for the requests in flight; tells how many are cut when time is up.
    pub fn stop(self, grace: Duration) -> usize {
        self.pages.begin_stop();
        self.data.stop();
        let left = self.data.drain(Instant::now() + grace);
        self.access_log.close(LOG_PATIENCE);
        left
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pages.begin_stop();
        self.gateway.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.local_addr())
    }
}

/// What the API's listener speaks.
fn scheme(configuration: &Configuration) -> &'static str {
    match configuration.speaks_tls() {
        true => "https",
        false => "http",
    }
}

fn bind(option: &str, address: &str) -> Result<TcpListener, StartError> {
    acceptor::bind(address).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => format!(": does another gateway run there? {option} chooses another port"),
            _ => String::new(),
        };
        StartError::Option(format!("{option} {address}: {error}{hint}"))
    })
}

fn access_log(destination: Destination) -> Result<AccessLog, StartError> {
    let shown = match &destination {
        Destination::Off => "off".to_owned(),
        Destination::Stdout => "-".to_owned(),
        Destination::File(path) => path.display().to_string(),
    };
    AccessLog::start(destination).map_err(|error| StartError::Option(format!("--access-log {shown}: {error}")))
}

fn upstream(
    options: &Options,
    most_connections: usize,
    on_loops: NonZeroUsize,
    limits: Limits,
) -> Result<Upstream, StartError> {
    let ca = options.upstream_ca.as_deref();
    let unusable = |reason: String| {
        let path = ca.unwrap_or_else(|| "".as_ref()).display();
        StartError::Option(format!("--upstream-ca {path}: {reason}"))
    };
    let pem = ca.map(Store::read_option_file).transpose().map_err(unusable)?;
    let tls = tls::client_config(pem.as_deref()).map_err(|error| unusable(error.to_string()))?;
    let own_host = OwnHost::new(options.front, limits);
    let settings = upstream::Settings {
        tls,
        most_connections,
        share: concurrency::share(options.workers),
        share_on_loops: concurrency::share(on_loops),
        most_on_loops: on_loops.get(),
        dns_ttl: options.dns_ttl,
    };
    Ok(Upstream::with_own_host(settings, sample_service::HOST, move || {
        own_host.address()
    }))
}
