//! The command: flags and environment, signals, exit codes.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use apigateway::clock::Clock;
use apigateway::deployment::Deployment;
use apigateway::problem::Severity;
use apigateway::server::{Options, Server};
use apigateway::signals::{HangUp, StopSignals};
use apigateway::store::Store;
use argh::FromArgs;

/// What the names of environment variables begin with.
const ENVIRONMENT_PREFIX: &str = "APIGATEWAY_";

/// Serves an Amazon API Gateway HTTP API from the JSON files in a directory.
///
/// Without a command it serves. Each option of a command can also come from the environment: --listen as
/// APIGATEWAY_LISTEN.
#[derive(FromArgs)]
struct Arguments {
    /// print the version
    #[argh(switch)]
    version: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Serve(ServeArguments),
    Check(CheckArguments),
}

/// Serve the API found under the root.
#[derive(FromArgs, Default)]
#[argh(subcommand, name = "serve")]
struct ServeArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    root: Option<String>,

    /// HOST:PORT of the API, port 0 picks a free one; default: 127.0.0.1:8000
    #[argh(option, arg_name = "address")]
    listen: Option<String>,

    /// HOST:PORT of the management pages, or off; default: 127.0.0.1:8001
    #[argh(option, arg_name = "address")]
    admin: Option<String>,

    /// most requests handled at once; default: 512
    #[argh(option, arg_name = "n")]
    workers: Option<String>,

    /// PEM file of roots that are trusted for upstream TLS besides the built-in ones
    #[argh(option, arg_name = "file")]
    upstream_ca: Option<String>,

    /// seconds that a stop waits for requests in flight; default: 25
    #[argh(option, arg_name = "seconds")]
    grace: Option<String>,
}

/// Read and compile the same files, print every problem, serve nothing.
#[derive(FromArgs, Default)]
#[argh(subcommand, name = "check")]
struct CheckArguments {
    /// directory that holds stages/, routes/ and integrations/; default: .
    #[argh(option, arg_name = "dir")]
    root: Option<String>,
}

fn main() -> ExitCode {
    install_logger();
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
            say(&format!("apigateway {}\n", env!("CARGO_PKG_VERSION")));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Arguments {
            command: Some(Command::Check(arguments)),
            ..
        }) => check(arguments),
        Ok(Arguments {
            command: Some(Command::Serve(arguments)),
            ..
        }) => serve(arguments),
        Ok(Arguments { command: None, .. }) => serve(ServeArguments::default()),
        Err(exit) if exit.status.is_ok() => {
            say(&exit.output);
            Ok(ExitCode::SUCCESS)
        }
        Err(exit) => Err(exit.output.trim_end().replace('\n', " ")),
    }
}

/// Reads the command line. `apigateway --listen …` is `apigateway serve --listen …`.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Result<Arguments, argh::EarlyExit>, String> {
    let mut texts = Vec::new();
    for argument in arguments.skip(1) {
        let text = argument.into_string();
        texts.push(text.map_err(|argument| format!("the argument {} is not UTF-8", argument.display()))?);
    }
    let first = texts.first().map(String::as_str).unwrap_or_default();
    if first.starts_with("--") && !["--version", "--help"].contains(&first) {
        texts.insert(0, "serve".to_owned());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(Arguments::from_args(&["apigateway"], &texts))
}

/// The value of an option: the flag's, else the environment's, else the default.
fn option<T: FromStr>(name: &str, flag: Option<String>, default: T, wanted: &str) -> Result<T, String> {
    let variable = format!(
        "{ENVIRONMENT_PREFIX}{}",
        name.trim_start_matches('-').replace('-', "_").to_uppercase()
    );
    let (source, text) = match flag {
        Some(text) => (name, text),
        None => match std::env::var_os(&variable) {
            Some(value) => match value.into_string() {
                Ok(text) => (variable.as_str(), text),
                Err(value) => return Err(format!("{variable}: {} is not UTF-8", value.display())),
            },
            None => return Ok(default),
        },
    };
    text.parse().map_err(|_| format!("{source}: {text:?} is not {wanted}"))
}

fn root(flag: Option<String>) -> Result<String, String> {
    option("--root", flag, ".".to_owned(), "a directory")
}

fn check(arguments: CheckArguments) -> Result<ExitCode, String> {
    let store = Store::at(root(arguments.root)?);
    let (_, problems) = Deployment::of(&store.load());
    let mut output = String::new();
    for problem in &problems {
        output += &format!("{problem}\n");
    }
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    output += &format!("{errors} errors, {warnings} warnings\n");
    say(&output);
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn serve(arguments: ServeArguments) -> Result<ExitCode, String> {
    let address = "HOST:PORT".to_owned();
    let admin = option("--admin", arguments.admin, "127.0.0.1:8001".to_owned(), &address)?;
    let default_workers = NonZeroUsize::MIN.saturating_add(511);
    let upstream_ca = option("--upstream-ca", arguments.upstream_ca, String::new(), "a file")?;
    let grace = Duration::from_secs(option("--grace", arguments.grace, 25_u32, "a whole number of seconds")?.into());
    // Before any other thread is started, since threads inherit what is blocked.
    let stop = StopSignals::block().map_err(|error| error.to_string())?;
    let hang_up = HangUp::block().map_err(|error| error.to_string())?;
    let options = Options {
        root: root(arguments.root)?.into(),
        listen: option("--listen", arguments.listen, "127.0.0.1:8000".to_owned(), &address)?,
        admin: (admin != "off").then_some(admin),
        workers: option(
            "--workers",
            arguments.workers,
            default_workers,
            "a whole number above 0",
        )?,
        upstream_ca: (!upstream_ca.is_empty()).then(|| upstream_ca.into()),
        hang_up: Some(hang_up),
        clock: Clock::system(),
    };
    let server = Server::start(options).map_err(|error| error.to_string())?;
    say(&format!("listening on http://{}\n", server.local_addr()));
    if let Some(address) = server.admin_addr() {
        say(&format!("admin on http://{address}\n"));
    }
    stop.wait();
    // Who asks a second time does not want to wait.
    std::thread::spawn(move || std::process::exit(128 + stop.wait()));
    let left = server.stop(grace);
    if left > 0 {
        log::warn!("requests cut after {} s of grace: {left}", grace.as_secs());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes to stdout; nobody listening there is no reason to stop.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes lines to stderr. What else could begin a line is taken out: it may come from a file or from the network.
fn complain(text: impl Display) {
    let printable = |character: char| {
        if character.is_control() && character != '\n' {
            ' '
        } else {
            character
        }
    };
    let text: String = text.to_string().chars().map(printable).collect();
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn install_logger() {
    // It can only fail if there is one already.
    if log::set_logger(&StderrLogger).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

/// One line a message on stderr.
struct StderrLogger;

impl log::Log for StderrLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // What the packages below say at their info level is for their authors.
        // tiny_http calls the end of its listener an error, which it is not.
        let level = metadata.level();
        metadata.target().starts_with("apigateway")
            || (level <= log::Level::Warn && !metadata.target().starts_with("tiny_http"))
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            complain(format!("{level}: {}", record.args()).replace('\n', " "));
        }
    }

    fn flush(&self) {}
}
