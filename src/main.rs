//! The command: what it does, signals, exit codes.

#[path = "main/arguments.rs"]
mod arguments;
#[path = "main/command_line.rs"]
mod command_line;
#[path = "main/log_options.rs"]
mod log_options;
#[path = "main/console.rs"]
mod console;
#[path = "main/control_plane.rs"]
mod control_plane;
#[path = "main/commands.rs"]
mod commands;
#[path = "main/template_commands.rs"]
mod template_commands;
#[path = "main/inspection.rs"]
mod inspection;
#[path = "main/init.rs"]
mod init;
#[path = "main/shells.rs"]
mod shells;
#[path = "main/output.rs"]
mod output;
#[path = "main/loops.rs"]
mod loops;
#[path = "main/tls_files.rs"]
mod tls_files;
#[path = "main/allocator.rs"]
mod allocator;
#[cfg(feature = "fleet")]
#[path = "main/fleet.rs"]
mod fleet;

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use apigateway::control_plane::api::settings::Mode;
use apigateway::data_plane::gateway::Settings;
use apigateway::data_plane::trusted_proxies::TrustedProxies;
use apigateway::identity::aws::{self, AwsAccess};
use apigateway::outbound::function::launcher;
use apigateway::outbound::upstream;
use apigateway::platform::clock::Clock;
use apigateway::platform::logging::{self, END_PATIENCE, SHORT_PATIENCE};
use apigateway::platform::signals::{self, HangUp, ReopenSignal, StopSignals};
use apigateway::server::{Options, Server};

use crate::arguments::{
    AccountId, Address, Endpoint, Region, ServeArguments, access_log, front, limits, option, root, seconds,
};
use crate::command_line::{Arguments, Command, parse};
use crate::control_plane::{ControlPlaneMode, Hosts, Public};
use crate::log_options::{LogFormat, LogLevel};
use crate::loops::loops;
use crate::output::{complain, print, printable, say};
use crate::template_commands::{Template, given};
use crate::tls_files::tls_files;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == launcher::ARGUMENT) {
        let Err((text, status)) = launcher::launch(arguments);
        complain(&text);
        return ExitCode::from(status);
    }
    match run() {
        Ok(code) => code,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let arguments = parse(std::env::args_os())?;
    match arguments {
        Ok(Arguments { version: true, .. }) => {
            say(&format!("apigateway {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Arguments {
            command: Some(Command::Check(arguments)),
            ..
        }) => inspection::check(arguments),
        Ok(Arguments {
            command: Some(Command::Routes(arguments)),
            ..
        }) => inspection::routes(arguments),
        Ok(Arguments {
            command: Some(Command::Import(arguments)),
            ..
        }) => template_commands::import(arguments),
        Ok(Arguments {
            command: Some(Command::Export(arguments)),
            ..
        }) => template_commands::export(arguments),
        Ok(Arguments {
            command: Some(Command::Init(arguments)),
            ..
        }) => init::init(arguments),
        Ok(Arguments {
            command: Some(Command::Completions(arguments)),
            ..
        }) => {
            let shell = &arguments.shell;
            let text = shells::completions(shell);
            print(&text.ok_or_else(|| format!("completions: {shell:?} is not bash, zsh or fish"))?)
        }
        Ok(Arguments {
            command: Some(Command::Man(_)),
            ..
        }) => print(&shells::manual_page()),
        Ok(Arguments {
            command: Some(Command::Serve(arguments)),
            ..
        }) => serve(arguments),
        Ok(Arguments { command: None, .. }) => serve(ServeArguments::default()),
        Err(exit) if exit.status.is_ok() => {
            say(&exit.output)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(exit) => Err(command_line::refusal(&exit)),
    }
}

fn install_log(level: Option<String>, format: Option<String>) -> Result<(), String> {
    let levels = "one of error, warn, info, debug";
    let LogLevel(level) = option("--log-level", level, LogLevel(log::LevelFilter::Info), levels)?;
    let default = LogFormat(logging::Format::for_stderr());
    let LogFormat(format) = option("--log-format", format, default, "text or json")?;
    logging::install(level, format);
    Ok(())
}

fn serve(mut arguments: ServeArguments) -> Result<ExitCode, String> {
    install_log(arguments.log_level.take(), arguments.log_format.take())?;
    // From here on nothing waits for the reader of stderr.
    let code = match serve_until_stopped(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            logging::say_last(printable(&text));
            ExitCode::FAILURE
        }
    };
    logging::finish(END_PATIENCE);
    Ok(code)
}

fn serve_until_stopped(mut arguments: ServeArguments) -> Result<(), String> {
    let address = |name, flag, default: &str| {
        option(
            name,
            flag,
            Address(default.to_owned()),
            "HOST:PORT or a port up to 65535",
        )
        .map(|Address(address)| address)
    };
    let (limits, front) = (limits(&mut arguments)?, front(&mut arguments)?);
    let loops = loops(&mut arguments)?;
    #[cfg(feature = "fleet")]
    let fleet = fleet::fleet(&mut arguments)?;
    #[cfg(not(feature = "fleet"))]
    if std::env::var_os("APIGATEWAY_VALKEY").is_some_and(|url| !url.is_empty()) {
        return Err("APIGATEWAY_VALKEY: this program is built without the feature fleet".to_owned());
    }
    let tls = tls_files(arguments.tls_certificate.take(), arguments.tls_key.take())?;
    let admin = address("--admin", arguments.admin, "127.0.0.1:8001")?;
    let modes = "one of off, open, signed";
    let ControlPlaneMode(control_plane) = option(
        "--control-plane",
        arguments.control_plane,
        ControlPlaneMode(None),
        modes,
    )?;
    if admin == "off" && control_plane.is_some_and(|mode| mode != Mode::Off) {
        return Err(
            "--control-plane: calls are answered by the management listener, which --admin off leaves out".to_owned(),
        );
    }
    let places = "an http:// or https:// URL with no other places than {ApiId} and {Region}";
    let Public(public_url) = option("--public-url", arguments.public_url, Public(None), places)?;
    let hosts = (!arguments.admin_host.is_empty()).then(|| arguments.admin_host.join(","));
    let Hosts(admin_hosts) = option("--admin-host", hosts, Hosts(Vec::new()), "a host name without a port")?;
    let console = console::console(
        arguments.console,
        arguments.capture,
        arguments.capture_secrets,
        admin == "off",
    )?;
    let default_workers = NonZeroUsize::MIN.saturating_add(511);
    let upstream_ca = option("--upstream-ca", arguments.upstream_ca, String::new(), "a file")?;
    let grace = Duration::from_secs(option("--grace", arguments.grace, 25_u32, "a whole number of seconds")?.into());
    let given = given!(arguments);
    let account_id = account_id(arguments.account_id)?;
    // Each flag is one block; the environment has them in one variable, with commas between them.
    let proxies = (!arguments.trusted_proxy.is_empty()).then(|| arguments.trusted_proxy.join(","));
    let blocks = "an address or a block of addresses such as 10.0.0.0/8";
    let endpoint = option(
        "--lambda-endpoint",
        arguments.lambda_endpoint,
        Endpoint(None),
        "an http:// or https:// URL",
    )?;
    let template = Template::given(given, endpoint.0.is_some())?;
    let aws_endpoint = option(
        "--aws-endpoint-url",
        arguments.aws_endpoint_url,
        Endpoint(None),
        "an http:// or https:// URL without a query",
    )?;
    let given_region = given_region(arguments.region)?;
    let settings = Settings {
        clock: Clock::system(),
        launcher: launcher::own_executable(),
        region: given_region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        account_id,
        lambda_endpoint: endpoint.0,
        aws: AwsAccess::new(aws::Settings {
            endpoint_url: aws_endpoint.0,
            region: given_region,
            environment: aws::Environment::Process,
        }),
        trusted_proxies: option("--trusted-proxy", proxies, TrustedProxies::default(), blocks)?,
    };
    // Before the first secret is read.
    if let Err(error) = signals::forbid_core_dumps() {
        log::warn!("secrets could get into a core dump: {error}");
    }
    // Before any other thread is started, since threads inherit what is blocked.
    let stop = StopSignals::block().map_err(|error| error.to_string())?;
    let reopen = ReopenSignal::block().map_err(|error| error.to_string())?;
    let hang_up = HangUp::block().map_err(|error| error.to_string())?;
    allocator::give_back()?;
    logging::begin().map_err(refused)?;
    let options = Options {
        root: root(arguments.root)?.into(),
        template: template.map(Template::into_option),
        listen: address("--listen", arguments.listen, "127.0.0.1:8000")?,
        admin: (admin != "off").then_some(admin),
        control_plane,
        public_url,
        admin_hosts,
        console,
        workers: option(
            "--workers",
            arguments.workers,
            default_workers,
            "a whole number above 0",
        )?,
        loops,
        limits,
        front,
        tls,
        upstream_ca: (!upstream_ca.is_empty()).then(|| upstream_ca.into()),
        dns_ttl: seconds("--dns-ttl", arguments.dns_ttl, upstream::DNS_TTL)?,
        access_log: access_log(arguments.access_log)?,
        hang_up: Some(hang_up),
        settings,
        #[cfg(feature = "fleet")]
        fleet,
    };
    let server = Server::start(options).map_err(|error| error.to_string())?;
    let mut lines = format!("listening on {}://{}\n", server.scheme(), server.local_addr());
    if let Some(address) = server.admin_addr() {
        lines.push_str(&format!("admin on http://{address}\n"));
    }
    if std::io::stdout().is_terminal() {
        // For a person: what a program reads is the lines above.
        lines.extend(server.route_lines().iter().flat_map(|line| [line, "\n"]));
    }
    // Requests are served also where nobody can be told.
    if let Err(error) = say(&lines) {
        log::warn!("{error}");
    }
    server.begin_access_log();
    let access_log = server.access_log().clone();
    let reopening = std::thread::Builder::new().spawn(move || {
        loop {
            reopen.wait();
            access_log.reopen();
        }
    });
    reopening.map_err(refused)?;
    stop.wait();
    log::info!("stopping: requests in flight have {} s to end", grace.as_secs());
    // Who asks a second time does not want to wait.
    let second = std::thread::Builder::new().spawn(move || {
        let signal = stop.wait();
        logging::finish(SHORT_PATIENCE);
        std::process::exit(128 + signal)
    });
    if let Err(error) = second {
        log::error!("a second signal will not be seen: {error}");
    }
    let left = server.stop(grace);
    if left > 0 {
        log::warn!("requests cut after {} s of grace: {left}", grace.as_secs());
    }
    log::info!("stopped");
    Ok(())
}

/// The region where no option says another.
const DEFAULT_REGION: &str = "us-east-1";

fn region(flag: Option<String>) -> Result<String, String> {
    Ok(given_region(flag)?.unwrap_or_else(|| DEFAULT_REGION.to_owned()))
}

/// The region, where the command line or the environment has it.
fn given_region(flag: Option<String>) -> Result<Option<String>, String> {
    let Region(region) = option("--region", flag, Region(None), "a region")?;
    Ok(region)
}

fn account_id(given: Option<String>) -> Result<String, String> {
    let default = AccountId("123456789012".to_owned());
    let AccountId(account_id) = option("--account-id", given, default, "12 digits")?;
    Ok(account_id)
}

fn refused(error: std::io::Error) -> String {
    format!("the system refuses a thread: {error}")
}
