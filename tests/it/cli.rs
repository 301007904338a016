//! The program from outside: command line, environment, output, signals and exit status.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::operations::metrics_at;
use crate::support::client::{Answer, Client, PATIENCE, exchange, get};
use crate::support::directory::{Directory, http_proxy, pass_everything, route};
use crate::support::endpoint::{Endpoint, Next, Recorded, nobody};

/// The options of `serve`, and a value that each can take.
const OPTIONS: [(&str, &str); 19] = [
    ("--root", "."),
    ("--listen", "127.0.0.1:0"),
    ("--admin", "off"),
    ("--workers", "3"),
    ("--max-connections", "100"),
    ("--access-log", "off"),
    ("--log-level", "warn"),
    ("--log-format", "text"),
    ("--upstream-ca", ""),
    ("--dns-ttl", "1"),
    ("--lambda-endpoint", "http://127.0.0.1:3001"),
    ("--trusted-proxy", "10.0.0.0/8"),
    ("--region", "eu-west-1"),
    ("--account-id", "000000000001"),
    ("--head-timeout", "10"),
    ("--body-timeout", "10"),
    ("--idle-timeout", "10"),
    ("--write-timeout", "10"),
    ("--grace", "1"),
];

/// Much less than the grace that is given beside it.
const AT_ONCE: Duration = Duration::from_secs(8);

// ---- The harness ----

/// The program with an environment that says nothing to it.
pub fn program() -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_apigateway")))
}

/// A command with an environment that says nothing to the program, and pipes.
pub fn prepared(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("APIGATEWAY_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A process that does not outlive its test.
pub struct Running {
    pub child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    said: Vec<String>,
    complained: Vec<String>,
}

/// All that a process left behind.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
}

impl Running {
    pub fn spawn(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = child.stderr.take().map_or_else(|| channel().1, lines);
        Running {
            child,
            stdout,
            stderr,
            said: Vec::new(),
            complained: Vec::new(),
        }
    }

    /// The next line of stdout, waited for.
    pub fn says(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.said.push(line.clone());
                line
            }
            Err(error) => panic!("{error}; stderr: {:?}", self.stderr.try_iter().collect::<Vec<_>>()),
        }
    }

    /// Reads stderr until a line holds that text.
    pub fn complains(&mut self, text: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error}: no {text:?} in {:?}", self.complained));
            self.complained.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end. Both pipes close with the process, so there is nothing to poll.
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        drain(&self.stdout, &mut self.said, until);
        drain(&self.stderr, &mut self.complained, until);
        Ended {
            status: self.child.wait().unwrap(),
            stdout: std::mem::take(&mut self.said),
            stderr: std::mem::take(&mut self.complained),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn drain(pipe: &Receiver<String>, lines: &mut Vec<String>, until: Instant) {
    loop {
        match pipe.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => panic!("the program does not end; so far {lines:?}"),
        }
    }
}

/// A command that is expected to end by itself.
fn run(arguments: &[&str]) -> Ended {
    let mut command = program();
    command.args(arguments);
    Running::spawn(command).end()
}

fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = program();
    command.args(arguments).envs(environment.iter().copied());
    Running::spawn(command).end()
}

fn check(directory: &Directory) -> Ended {
    run(&["check", "--root", directory.path().to_str().unwrap()])
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// It failed with 1 and one line on stderr, and nothing on stdout.
    fn refusal(&self) -> &str {
        assert_eq!(self.code(), 1, "{self:?}");
        assert_eq!(self.stdout, [""; 0], "{self:?}");
        assert_eq!(self.stderr.len(), 1, "{self:?}");
        &self.stderr[0]
    }
}

/// A gateway in a process of its own.
pub struct Served {
    pub running: Running,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

/// The address that a line announces after `what`.
pub fn announced(line: &str, what: &str) -> SocketAddr {
    let address = line.strip_prefix(what).unwrap_or_else(|| panic!("{line:?}"));
    address.parse().unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

pub fn serve(directory: &Directory, more: &[&str]) -> Served {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(directory.path()).args(more);
    served_by(command)
}

/// The gateway that a command starts, once it serves.
pub fn served_by(command: Command) -> Served {
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    let admin = announced(&running.says(), "admin on http://");
    Served {
        running,
        address,
        admin,
    }
}

impl Served {
    /// Waits until no connection is taken, which is the first thing that a stop does.
    pub fn is_stopping(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < until, "connections are still accepted");
            thread::yield_now();
        }
    }
}

/// An endpoint that tells of a request and answers it only when it is let to.
pub fn waiting_endpoint() -> (Endpoint, Sender<()>) {
    let (release, gate) = channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let endpoint = Endpoint::start(move |stream: &mut TcpStream, _: &Recorded| {
        let _ = gate.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
        Next::KeepAlive
    });
    (endpoint, release)
}

/// A gateway with a request in flight, of which the endpoint knows already.
fn in_flight(more: &[&str]) -> (Served, Client, Endpoint, Sender<()>, Directory) {
    let (endpoint, release) = waiting_endpoint();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let served = serve(&directory, more);
    let mut client = Client::connect(served.address);
    client.send("GET /slow HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    endpoint.next();
    (served, client, endpoint, release, directory)
}

/// An API that can be served and calls nobody.
pub fn small_api() -> Directory {
    Directory::of(&pass_everything(nobody()))
}

// ---- Commands and options ----

#[test]
fn the_version_is_the_package_s() {
    let ended = run(&["--version"]);
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout, [concat!("apigateway ", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn help_tells_the_commands() {
    let ended = run(&["--help"]);
    assert_eq!(ended.code(), 0);
    assert!(ended.stdout[0].starts_with("Usage: apigateway "), "{ended:?}");
    let text = ended.stdout.join("\n");
    for word in ["serve", "check", "routes", "--version", "--help", "APIGATEWAY_"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn help_of_serve_lists_every_option_with_its_default() {
    let ended = run(&["serve", "--help"]);
    assert_eq!(ended.code(), 0);
    let mut listed: Vec<&str> = ended
        .stdout
        .iter()
        .filter_map(|line| line.strip_prefix("  --")?.split([' ', ',']).next())
        .collect();
    listed.sort_unstable();
    if cfg!(feature = "tiny_http") {
        listed.retain(|name| *name != "front");
    }
    let mut options: Vec<&str> = OPTIONS.iter().map(|(name, _)| &name[2..]).chain(["help"]).collect();
    options.sort_unstable();
    assert_eq!(listed, options);
    let text = ended.stdout.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    for (option, default) in [
        ("--root", "."),
        ("--listen", "127.0.0.1:8000"),
        ("--admin", "127.0.0.1:8001"),
        ("--workers", "512"),
        ("--region", "us-east-1"),
        ("--access-log", "-"),
        ("--log-level", "info"),
        ("--log-format", "text on a terminal, else json"),
        ("--account-id", "123456789012"),
        ("--max-connections", "10000"),
        ("--head-timeout", "10"),
        ("--body-timeout", "30"),
        ("--dns-ttl", "5"),
        ("--idle-timeout", "75"),
        ("--write-timeout", "30"),
        ("--grace", "25"),
    ] {
        let described = text.rsplit(&format!("{option} ")).next().unwrap();
        let own = described.split(" --").next().unwrap();
        assert!(own.ends_with(&format!("default: {default}")), "{option}: {own}");
    }
}

#[test]
fn help_of_check_lists_its_options() {
    let ended = run(&["check", "--help"]);
    assert_eq!(ended.code(), 0);
    assert!(
        ended.stdout.iter().any(|line| line.starts_with("  --root ")),
        "{ended:?}"
    );
    assert!(!ended.stdout.iter().any(|line| line.contains("--listen")), "{ended:?}");
}

#[test]
fn without_a_command_it_serves_the_directory_it_stands_in() {
    let directory = small_api();
    let mut command = program();
    command.current_dir(directory.path());
    command
        .env("APIGATEWAY_LISTEN", "127.0.0.1:0")
        .env("APIGATEWAY_ADMIN", "off");
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert_eq!(get(address, "/x").status, 503);
}

/// Whoever gives a port alone gets it on loopback, and never on the network.
#[test]
fn a_port_alone_is_one_of_loopback() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for port in ["0", ":0"] {
        let mut by_flag = program();
        by_flag.args(["serve", "--root", root, "--listen", port, "--admin", port]);
        let mut by_variable = program();
        by_variable
            .env("APIGATEWAY_ROOT", root)
            .env("APIGATEWAY_LISTEN", port)
            .env("APIGATEWAY_ADMIN", port);
        for command in [by_flag, by_variable] {
            let served = served_by(command);
            for address in [served.address, served.admin] {
                assert_eq!(address.ip().to_string(), "127.0.0.1");
            }
            assert_eq!(get(served.address, "/x").status, 503);
            assert_eq!(get(served.admin, "/healthz").text(), "ok");
        }
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for listen in [port.clone(), format!(":{port}")] {
        let ended = run(&["serve", "--root", root, "--listen", &listen, "--admin", "off"]);
        assert!(ended.refusal().contains(&format!("127.0.0.1:{port}")), "{ended:?}");
    }
}

#[test]
fn options_without_a_command_are_those_of_serve() {
    let directory = small_api();
    let mut command = program();
    command
        .args(["--admin", "off", "--listen", "127.0.0.1:0", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert_eq!(get(address, "/x").status, 503);
}

#[test]
fn a_directory_may_be_called_like_a_command() {
    let directory = small_api();
    for name in ["check", "serve"] {
        std::os::unix::fs::symlink(directory.path(), directory.path().join(name)).unwrap();
        let mut command = program();
        command.current_dir(directory.path());
        command.args(["--root", name, "--listen", "127.0.0.1:0", "--admin", "off"]);
        let mut running = Running::spawn(command);
        announced(&running.says(), "listening on http://");
    }
}

#[test]
fn unknown_options_and_commands_are_refused_by_name() {
    for (arguments, named) in [
        (&["--bogus"][..], "--bogus"),
        (&["--bogus", "x"], "--bogus"),
        (&["serve", "--bogus", "x"], "--bogus"),
        (&["check", "--listen", "127.0.0.1:0"], "--listen"),
        (&["check", "more"], "more"),
        (&["serve", "more"], "more"),
        (&["frobnicate"], "frobnicate"),
        (&["Serve"], "Serve"),
    ] {
        let ended = run(arguments);
        assert!(ended.refusal().contains(named), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn an_option_without_a_value_is_refused_by_name() {
    for (option, _) in OPTIONS {
        let ended = run(&["serve", option]);
        assert!(ended.refusal().contains(option), "{ended:?}");
    }
}

#[test]
fn an_option_twice_is_refused_by_name() {
    for (option, value) in OPTIONS.into_iter().filter(|(option, _)| *option != "--trusted-proxy") {
        let ended = run(&["serve", option, value, option, value]);
        assert!(ended.refusal().contains(option), "{ended:?}");
    }
}

#[test]
fn a_refusal_is_one_line_whatever_was_given() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0"];
    for arguments in [
        &["serve", "--root", "no\nwhere"][..],
        &["serve", "--root", root, "--listen", "no\nwhere"],
        &[&serve[..], &["--admin", "no\nwhere"]].concat(),
        &[&serve[..], &["--admin", "off", "--upstream-ca", "no\nwhere"]].concat(),
        &["serve", "--grace", "1\n2"],
        &["serve", "--workers", "1\n2"],
        &["serve", "--bo\ngus", "x"],
        &["frob\nnicate"],
    ] {
        run(arguments).refusal();
    }
}

#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    let mut command = program();
    command
        .arg("serve")
        .arg("--root")
        .arg(OsString::from_vec(b"/\xff".to_vec()));
    let ended = Running::spawn(command).end();
    assert!(ended.refusal().contains("UTF-8"), "{ended:?}");
}

/// Values that an option cannot have, for the flag and for the variable.
const BAD_VALUES: [(&str, &[&str]); 17] = [
    ("--access-log", &["", "/nowhere/access.log", "/"]),
    ("--log-level", &["", "Info", "trace", "off"]),
    ("--log-format", &["", "JSON", "xml"]),
    (
        "--listen",
        &[
            "nonsense",
            "127.0.0.1",
            "127.0.0.1:65536",
            "127.0.0.1:http",
            "65536",
            ":65536",
            "::8000",
            "+8000",
            "-1",
            ":http",
            ":",
            "",
        ],
    ),
    ("--admin", &["nonsense", "Off", "127.0.0.1:-1", "65536", ":99999", ""]),
    (
        "--lambda-endpoint",
        &["nonsense", "ftp://h", "http://h?a=b", "http://h/{a}", ""],
    ),
    (
        "--trusted-proxy",
        &["nonsense", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8 ::1", ""],
    ),
    ("--region", &["US-EAST-1", "us east", "eu/west", ""]),
    (
        "--account-id",
        &["12345678901", "1234567890123", "12345678901x", "+12345678901", ""],
    ),
    ("--workers", &["0", "-1", "1.5", "many", "", "99999999999999999999999"]),
    ("--max-connections", &["0", "-1", "1.5", "many", ""]),
    ("--dns-ttl", &["0", "-1", "1.5", "1s", "", "99999999999"]),
    ("--head-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--body-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--idle-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--write-timeout", &["0", "-1", "1.5", "1s", ""]),
    (
        "--grace",
        &["-1", "1.5", "1s", "forever", "", "99999999999999999999999"],
    ),
];

#[test]
fn bad_values_are_refused_with_the_option_s_name() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (option, values) in BAD_VALUES {
        for value in values {
            let mut arguments = vec!["serve", "--root", root];
            for (name, good) in [("--listen", "127.0.0.1:0"), ("--admin", "off")] {
                if name != option {
                    arguments.extend([name, good]);
                }
            }
            arguments.extend([option, value]);
            let ended = run(&arguments);
            let line = ended.refusal();
            assert!(
                line.contains(option) && line.contains(value),
                "{option} {value:?}: {line}"
            );
        }
    }
}

#[test]
fn bad_values_in_the_environment_are_refused_with_the_option_s_or_the_variable_s_name() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (option, values) in BAD_VALUES {
        let variable = variable(option);
        for value in values {
            let mut environment = vec![
                ("APIGATEWAY_ROOT", root),
                ("APIGATEWAY_LISTEN", "127.0.0.1:0"),
                ("APIGATEWAY_ADMIN", "off"),
            ];
            environment.push((variable.as_str(), value));
            let ended = run_with(&["serve"], &environment);
            let line = ended.refusal();
            assert!(
                (line.contains(option) || line.contains(&variable)) && line.contains(value),
                "{variable}={value:?}: {line}"
            );
        }
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_refused_by_name() {
    for (option, _) in OPTIONS {
        let mut command = program();
        command.arg("serve");
        command.env(variable(option), OsString::from_vec(b"\xff".to_vec()));
        let ended = Running::spawn(command).end();
        assert!(ended.refusal().contains(&variable(option)), "{ended:?}");
    }
}

fn variable(option: &str) -> String {
    format!("APIGATEWAY_{}", option[2..].replace('-', "_").to_uppercase())
}

#[test]
fn the_environment_gives_root_listen_and_admin() {
    let directory = small_api();
    let mut command = program();
    command.arg("serve");
    command.env("APIGATEWAY_ROOT", directory.path());
    command
        .env("APIGATEWAY_LISTEN", "localhost:0")
        .env("APIGATEWAY_ADMIN", "127.0.0.1:0");
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    let admin = announced(&running.says(), "admin on http://");
    assert_eq!(get(address, "/x").status, 503);
    assert_eq!(get(admin, "/healthz").text(), "ok");
}

#[test]
fn the_flag_wins_over_the_environment() {
    let directory = small_api();
    let mut command = program();
    for (option, _) in OPTIONS {
        command.env(variable(option), "neither a path, an address nor a number");
    }
    let roots = Directory::empty();
    roots.write("ca.pem", include_str!("cli_ca.pem"));
    command.arg("serve");
    for (option, value) in OPTIONS {
        match option {
            "--admin" => command.args([option, "127.0.0.1:0"]),
            "--root" | "--upstream-ca" => &mut command,
            _ => command.args([option, value]),
        };
    }
    command.arg("--root").arg(directory.path());
    command.arg("--upstream-ca").arg(roots.path().join("ca.pem"));
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    announced(&running.says(), "admin on http://");
    assert_eq!(get(address, "/x").status, 503);
}

#[test]
fn check_takes_its_root_from_the_environment_too() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let ended = run_with(&["check"], &[("APIGATEWAY_ROOT", root)]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    let ended = run_with(&["check", "--root", root], &[("APIGATEWAY_ROOT", "/nowhere")]);
    assert_eq!(ended.code(), 0, "{ended:?}");
}

#[test]
fn the_environment_gives_grace() {
    let (endpoint, _release) = waiting_endpoint();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut command = program();
    command.env("APIGATEWAY_GRACE", "0").env("APIGATEWAY_ADMIN", "off");
    command
        .args(["--listen", "127.0.0.1:0", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    Client::connect(address).send("GET /slow HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    endpoint.next();
    let start = Instant::now();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), 0);
    assert!(start.elapsed() < AT_ONCE);
}

#[test]
fn workers_from_flag_and_environment_limit_what_is_handled_at_once() {
    for from_flag in [true, false] {
        let (endpoint, release) = waiting_endpoint();
        let directory = Directory::of(&pass_everything(endpoint.address));
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"])
            .arg(directory.path());
        if from_flag {
            command.args(["--workers", "1"]).env("APIGATEWAY_WORKERS", "50");
        } else {
            command.env("APIGATEWAY_WORKERS", "1");
        }
        let mut running = Running::spawn(command);
        let address = announced(&running.says(), "listening on http://");
        let request = "GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n";
        let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(address)).collect();
        clients[0].send(request);
        endpoint.next();
        // The second waits for the only worker, or is refused; it does not reach the endpoint beside the first.
        clients[1].send(request);
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            assert_eq!(endpoint.rest(), []);
            thread::yield_now();
        }
        release.send(()).unwrap();
        assert_eq!(clients[0].answer_to("GET").text(), "late");
        release.send(()).unwrap();
        assert!([200, 503].contains(&clients[1].answer_to("GET").status));
    }
}

// ---- What keeps it from starting ----

#[test]
fn an_address_in_use_is_refused_with_option_and_address() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (listen, admin, option) in [
        (address.as_str(), "off", "--listen"),
        ("127.0.0.1:0", address.as_str(), "--admin"),
    ] {
        let ended = run(&["serve", "--root", root, "--listen", listen, "--admin", admin]);
        let line = ended.refusal();
        assert!(line.contains(option) && line.contains(&address), "{line}");
    }
}

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let file = Directory::empty();
    file.write("file", "");
    for root in ["/nowhere/at/all", file.path().join("file").to_str().unwrap()] {
        let ended = run(&["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"]);
        let line = ended.refusal();
        assert!(line.contains(root) && line.contains(": error: "), "{line}");
        let ended = run(&["check", "--root", root]);
        assert_eq!(ended.code(), 1);
        assert_eq!(ended.stdout, [line, "1 errors, 0 warnings"]);
    }
}

#[test]
fn each_missing_directory_is_an_error_and_optional_ones_are_not() {
    let directory = Directory::empty();
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "integrations#: error: the directory is missing",
            "routes#: error: the directory is missing",
            "stages#: error: the directory is missing",
            "3 errors, 0 warnings"
        ]
    );
    let ended = check(&Directory::of(&[]));
    assert_eq!(ended.code(), 0);
    assert_eq!(
        ended.stdout,
        [
            "stages#: warning: there is no stage: every request is answered 404",
            "0 errors, 1 warnings"
        ]
    );
}

#[test]
fn a_file_where_a_directory_should_be_is_an_error() {
    let directory = Directory::empty();
    directory.write("stages", "");
    directory.write("routes/.keep", "");
    directory.write("integrations/.keep", "");
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "stages#: error: the directory cannot be read: Not a directory (os error 20)",
            "1 errors, 0 warnings"
        ]
    );
}

#[test]
fn files_that_cannot_be_read_are_errors_with_the_reason() {
    let directory = small_api();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("routes/directory.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("routes/link.json")).unwrap();
    std::os::unix::fs::symlink("loop.json", at("routes/loop.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("api.json")).unwrap();
    std::fs::write(at("integrations/latin1.json"), b"{\"Description\": \"caf\xe9\"}").unwrap();
    let full = "x".repeat(1024 * 1024 - 2);
    directory.write("integrations/most.json", &format!("\"{full}\""));
    directory.write("integrations/more.json", &format!("\"{full}x\""));
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#: error: cannot be read: No such file or directory (os error 2)",
            "integrations/latin1.json#: error: is not UTF-8: invalid utf-8 sequence of 1 bytes from index 20",
            "integrations/more.json#: error: is larger than 1048576 bytes",
            "integrations/most.json#: error: must be a JSON object, not a string",
            "routes/directory.json#: error: is not a regular file",
            "routes/link.json#: error: cannot be read: No such file or directory (os error 2)",
            "routes/loop.json#: error: cannot be read: Too many levels of symbolic links (os error 40)",
            "7 errors, 0 warnings"
        ]
    );
}

/// The bytes of a text in UTF-16 or UTF-32, with its byte order mark or without.
fn encoded(text: &str, width: usize, is_little: bool) -> Vec<u8> {
    let units: Vec<u32> = match width {
        2 => text.encode_utf16().map(u32::from).collect(),
        _ => text.chars().map(u32::from).collect(),
    };
    let bytes = |unit: u32| match is_little {
        true => unit.to_le_bytes()[..width].to_vec(),
        false => unit.to_be_bytes()[4 - width..].to_vec(),
    };
    units.into_iter().flat_map(bytes).collect()
}

#[test]
fn files_in_other_encodings_are_told_by_their_name() {
    let directory = small_api();
    for width in [2, 4] {
        for is_little in [true, false] {
            for mark in ["", "\u{feff}"] {
                let bytes = encoded(&format!("{mark}{{\"Name\": \"a\"}}"), width, is_little);
                std::fs::write(directory.path().join("api.json"), bytes).unwrap();
                let ended = check(&directory);
                let line = format!(
                    "api.json#: error: is UTF-{}, not UTF-8: PowerShell's > writes UTF-16",
                    width * 8
                );
                assert!(
                    ended.stdout[0].starts_with(&line),
                    "{width} {is_little} {mark:?}: {ended:?}"
                );
                assert_eq!((ended.code(), ended.stdout.len()), (1, 2));
            }
        }
    }
}

/// As PowerShell 5 writes all of them.
#[test]
fn files_with_a_byte_order_mark_are_served() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&[]);
    for (path, json) in pass_everything(endpoint.address) {
        directory.write(path, &format!("\u{feff}{json}"));
    }
    directory.write("credentials.json", "\u{feff}{\"Credentials\": []}");
    directory.write("ca.pem", &format!("\u{feff}{}", include_str!("cli_ca.pem")));
    let ca = directory.path().join("ca.pem");
    let served = serve(&directory, &["--upstream-ca", ca.to_str().unwrap()]);
    assert_eq!(get(served.address, "/x").status, 200);
    assert_eq!(check(&directory).stdout, ["0 errors, 0 warnings"]);
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let directory = small_api();
    for name in ["routes/x.json", "api.json"] {
        let made = Command::new("mkfifo")
            .arg(directory.path().join(name))
            .status()
            .unwrap();
        assert!(made.success());
    }
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#: error: is not a regular file",
            "routes/x.json#: error: is not a regular file",
            "2 errors, 0 warnings"
        ]
    );
}

#[test]
fn a_symbolic_link_to_a_file_is_read() {
    let directory = small_api();
    let elsewhere = Directory::empty();
    elsewhere.write("a", &route("GET /a", "up").to_string());
    std::os::unix::fs::symlink(elsewhere.path().join("a"), directory.path().join("routes/a.json")).unwrap();
    let ended = check(&directory);
    // `GET /a` has no {proxy}, but another route of the integration has.
    assert_eq!((ended.code(), ended.stdout.len()), (0, 1), "{ended:?}");
}

#[test]
fn upstream_ca_must_be_a_file_with_certificates() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let files = Directory::empty();
    files.write("empty.pem", "");
    files.write("prose.pem", "There is no certificate in here.\n");
    files.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    );
    files.write(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    files.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    files.write("good.pem", include_str!("cli_ca.pem"));
    files.write(
        "mixed.pem",
        &format!(
            "{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            include_str!("cli_ca.pem")
        ),
    );
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"];
    for name in [
        "missing.pem",
        "empty.pem",
        "prose.pem",
        "broken.pem",
        "garbage.pem",
        "key.pem",
        "mixed.pem",
        ".",
    ] {
        let path = files.path().join(name);
        let path = path.to_str().unwrap();
        let ended = run(&[&serve[..], &["--upstream-ca", path]].concat());
        let line = ended.refusal();
        assert!(line.contains("--upstream-ca") && line.contains(path), "{line}");
        let ended = run_with(&serve, &[("APIGATEWAY_UPSTREAM_CA", path)]);
        let line = ended.refusal();
        let named = line.contains("--upstream-ca") || line.contains("APIGATEWAY_UPSTREAM_CA");
        assert!(named && line.contains(path), "{line}");
    }
    let good = files.path().join("good.pem");
    let mut command = program();
    command.args(serve).arg("--upstream-ca").arg(good);
    announced(&Running::spawn(command).says(), "listening on http://");
}

#[test]
fn broken_files_are_told_on_stderr_as_check_tells_them() {
    let directory = small_api();
    directory.write("routes/b.json", "{}");
    directory.write("stages/v0.json", "{\"Colour\": 1}");
    let ended = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.stdout, [""; 0]);
    let mut told = check(&directory).stdout;
    assert_eq!(told.pop().as_deref(), Some("1 errors, 2 warnings"));
    assert_eq!(ended.stderr, told);
}

#[test]
fn broken_files_are_told_before_anything_is_bound() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = small_api();
    directory.write("routes/b.json", "");
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&[
        "serve",
        "--listen",
        &address,
        "--admin",
        "off",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert!(ended.refusal().starts_with("routes/b.json#: error: "), "{ended:?}");
}

// ---- check ----

#[test]
fn check_prints_a_line_a_problem_and_the_counts() {
    let directory = small_api();
    let ended = check(&directory);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    assert_eq!(ended.stderr, [""; 0]);

    directory.write("api.json", "{\"Colour\": \"red\"}");
    let ended = check(&directory);
    assert_eq!(ended.code(), 0, "a warning is no error");
    assert_eq!(
        ended.stdout,
        ["api.json#/Colour: warning: unknown field", "0 errors, 1 warnings"]
    );

    directory.write(
        "routes/b.json",
        "{\"RouteKey\": \"GET /b/\", \"Target\": \"integrations/up\"}",
    );
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#/Colour: warning: unknown field",
            "routes/b.json#/RouteKey: error: the path must not end in '/'",
            "1 errors, 1 warnings"
        ]
    );
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn check_binds_and_writes_nothing() {
    let directory = small_api();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let root = directory.path().to_str().unwrap();
    let ended = run_with(
        &["check", "--root", root],
        &[("APIGATEWAY_LISTEN", &address), ("APIGATEWAY_ADMIN", &address)],
    );
    assert_eq!(ended.code(), 0, "{ended:?}");
    let names = std::fs::read_dir(root).unwrap().count();
    assert_eq!(names, 3);
}

#[test]
fn check_tells_programs_in_json() {
    let directory = small_api();
    directory.write(
        "routes/all.json",
        r#"{"RouteKey": "GET a\u0007", "Target": "integrations/up", "Colour": 1}"#,
    );
    let ended = run(&[
        "check",
        "--format",
        "json",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert_eq!((ended.code(), ended.stdout.len()), (1, 1), "{ended:?}");
    let json: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&json!(1), &json!(1)));
    assert_eq!(json["problems"][1]["file"], "routes/all.json");
    assert_eq!(json["problems"][1]["pointer"], "/RouteKey");
    assert_eq!(json["problems"][1]["severity"], "error");
    assert!(json["problems"][1]["text"].as_str().unwrap().len() > 10);
    assert_eq!(json["problems"][0]["severity"], "warning");
    assert_eq!(json["problems"].as_array().unwrap().len(), 2);
    let ended = run(&["check", "--format", "xml"]);
    assert!(ended.refusal().contains("--format"));
}

// ---- routes ----

/// A stage of its own, precedence among four routes, and throttles.
fn served_routes() -> Directory {
    Directory::of(&[
        (
            "stages/v0.json",
            json!({"DefaultRouteSettings": {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20},
            "RouteSettings": {"$default": {"ThrottlingRateLimit": 0}, "GET /pets/{id}": {"ThrottlingRateLimit": 0.25}}}),
        ),
        ("stages/$default.json", json!({"Routes": ["routes/one"]})),
        ("routes/one.json", route("GET /pets/{id}", "pets")),
        ("routes/any.json", route("ANY /pets/{id}", "pets")),
        ("routes/below.json", route("GET /pets/{all+}", "below")),
        ("routes/rest.json", route("$default", "pets")),
        ("integrations/pets.json", http_proxy("http://127.0.0.1:9/x")),
        ("integrations/below.json", http_proxy("http://127.0.0.1:9/{all}")),
    ])
}

fn routes(directory: &Directory, more: &[&str]) -> Ended {
    let mut arguments = vec!["routes", "--root", directory.path().to_str().unwrap()];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn routes_are_shown_in_the_order_of_precedence() {
    let ended = routes(&served_routes(), &[]);
    assert_eq!((ended.code(), &ended.stderr), (0, &Vec::new()));
    let expected = [
        "STAGE     METHOD  PATH          AUTHORIZER  INTEGRATION         THROTTLE",
        "$default  GET     /pets/{id}    -           integrations/pets   -",
        "v0        GET     /pets/{id}    -           integrations/pets   0.25/s, burst 20",
        "v0        ANY     /pets/{id}    -           integrations/pets   10/s, burst 20",
        "v0        GET     /pets/{all+}  -           integrations/below  10/s, burst 20",
        "v0        ANY     $default      -           integrations/pets   closed",
    ];
    assert_eq!(ended.stdout, expected);
}

#[test]
fn a_match_tells_the_route_and_why() {
    let ended = routes(&served_routes(), &["--match", "GET /v0/pets/a%20b?x=1"]);
    assert_eq!(ended.code(), 0);
    let expected = [
        "stage        v0: the first segment of the path",
        "route        GET /pets/{id} (routes/one.json)",
        "before       ANY /pets/{id} (routes/any.json): the method itself comes before ANY",
        "before       GET /pets/{all+} (routes/below.json): a path without a greedy variable comes first",
        "before       $default (routes/rest.json): $default comes last",
        "variable     id = \"a b\"",
        "authorizer   -: anybody may call it",
        "integration  integrations/pets",
        "throttle     0.25/s, burst 20",
    ];
    assert_eq!(ended.stdout, expected);
}

/// A route for each kind of authorizer, and functions.
fn guarded_routes() -> Directory {
    let guarded = |key: &str, kind: &str, authorizer: Option<&str>| {
        let mut route = route(key, "up");
        route["AuthorizationType"] = json!(kind);
        route["AuthorizerId"] = json!(authorizer);
        route
    };
    let mut scoped = guarded("GET /scoped", "JWT", Some("idp"));
    scoped["AuthorizationScopes"] = json!(["pets/read", "pets/write"]);
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:123456789012:function:{name}");
    let lambda = |name: &str| json!({"IntegrationType": "AWS_PROXY", "IntegrationUri": arn(name), "PayloadFormatVersion": "2.0"});
    let directory = Directory::of(&[
        ("api.json", json!({"CorsConfiguration": {"AllowOrigins": ["*"]}})),
        ("stages/$default.json", json!({"StageVariables": {"fn": "hello"}})),
        ("routes/a.json", guarded("ANY /jwt", "JWT", Some("authorizers/idp"))),
        ("routes/b.json", scoped),
        ("routes/c.json", guarded("GET /lambda", "CUSTOM", Some("keys"))),
        ("routes/d.json", guarded("GET /signed", "AWS_IAM", None)),
        ("routes/e.json", route("GET /open", "live")),
        ("integrations/up.json", lambda("${stageVariables.fn}")),
        ("integrations/live.json", lambda("hello:live")),
        (
            "authorizers/idp.json",
            json!({
                "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Issuer": "https://idp.test", "Audience": ["api"]},
            }),
        ),
        (
            "authorizers/keys.json",
            json!({
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": arn("check-key"),
                "AuthorizerPayloadFormatVersion": "2.0",
                "EnableSimpleResponses": true,
            }),
        ),
    ]);
    for name in ["hello", "check-key"] {
        let function = json!({"InvokeUri": "http://127.0.0.1:9/"});
        directory.write(&format!("functions/{name}.json"), &function.to_string());
    }
    directory.write("credentials.json", r#"{"Credentials": []}"#);
    directory
}

#[test]
fn routes_show_who_may_pass_and_which_function_answers() {
    let ended = routes(&guarded_routes(), &[]);
    assert_eq!((ended.code(), &ended.stderr), (0, &Vec::new()));
    let rows: Vec<Vec<&str>> = ended.stdout[1..].iter().map(|row| row.split("  ").collect()).collect();
    let mut cells: Vec<Vec<&str>> = Vec::new();
    for row in rows {
        let row = row.into_iter().map(str::trim).filter(|cell| !cell.is_empty());
        cells.push(row.collect());
    }
    cells.sort_unstable();
    let expected = [
        ["$default", "ANY", "/jwt", "JWT idp", "function hello", "-"],
        ["$default", "GET", "/lambda", "CUSTOM keys", "function hello", "-"],
        ["$default", "GET", "/open", "-", "function hello:live", "-"],
        ["$default", "GET", "/scoped", "JWT idp", "function hello", "-"],
        ["$default", "GET", "/signed", "AWS_IAM", "function hello", "-"],
    ];
    assert_eq!(cells, expected);
}

#[test]
fn a_match_tells_who_would_be_asked() {
    let directory = guarded_routes();
    for (request, told) in [
        (
            "GET /jwt",
            &[
                "JWT idp: a token of https://idp.test",
                "function hello (integrations/up)",
            ][..],
        ),
        (
            "GET /scoped",
            &["JWT idp: a token of https://idp.test with the scope pets/read or pets/write"],
        ),
        ("GET /lambda", &["CUSTOM keys: function check-key"]),
        ("GET /signed", &["AWS_IAM: a signature of somebody in credentials.json"]),
        (
            "GET /open",
            &["-: anybody may call it", "function hello:live (integrations/live)"],
        ),
        // R7.9: the authorizer comes first.
        (
            "OPTIONS /jwt",
            &[
                "JWT idp: a token of https://idp.test",
                "401 or 403 by the authorizer, for browsers send preflights without credentials; else 204 by the CORS \
                 configuration",
            ],
        ),
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!(ended.code(), 0, "{request}: {ended:?}");
        let lines = ended.stdout.iter().filter_map(|line| line.split_once("  "));
        let values: Vec<&str> = lines
            .filter(|(name, _)| ["authorizer", "integration", "answer"].contains(&name.trim()))
            .map(|(_, value)| value.trim())
            .collect();
        assert_eq!(&values[..told.len()], told, "{request}");
    }
}

#[test]
fn a_match_takes_a_whole_url() {
    let directory = served_routes();
    let expected = routes(&directory, &["--match", "GET /v0/pets/7?x=1"]).stdout;
    assert_eq!(expected[1], "route        GET /pets/{id} (routes/one.json)");
    for request in [
        "GET http://127.0.0.1:8000/v0/pets/7?x=1",
        "GET HTTPS://abc123.execute-api.us-east-1.amazonaws.com/v0/pets/7#top",
        "GET http://[::1]/v0/pets/7",
        "http://localhost:8000/v0/pets/7",
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!((ended.code(), &ended.stdout), (0, &expected), "{request}: {ended:?}");
    }
    // The path of such a URL is a slash, for which the default stage has no route.
    for request in ["GET http://gw.test", "http://gw.test?x=/v0/pets/7"] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!(ended.code(), 1, "{request}: {ended:?}");
        assert_eq!(ended.stdout[0], "stage        $default: no stage is named \"\"");
    }
}

#[test]
fn a_match_that_nothing_answers_is_a_failure() {
    let directory = served_routes();
    for (request, told) in [
        ("GET /pets", "none: 404"),
        ("POST /pets/7", "none: 404"),
        ("TRACE /pets/7", "404: no route can have the method TRACE"),
        ("GET /pets/%zz", "400: "),
        ("GET /../x", "400: "),
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!((ended.code(), ended.stderr.len()), (1, 0), "{ended:?}");
        assert!(ended.stdout.join("\n").contains(told), "{request}: {ended:?}");
    }
    for request in [
        "",
        " ",
        "GET",
        "GET pets",
        "GET  /pets",
        "nonsense",
        "GET ?x=1",
        "/pets/7",
        "GET http://",
        "GET http:///pets/7",
        "GET ftp://gw.test/pets/7",
        "GET gw.test/pets/7",
        "GET http://gw.test/pets 7",
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert!(ended.refusal().contains("--match"), "{ended:?}");
    }
    directory.write("routes/one.json", "{");
    assert!(
        routes(&directory, &[])
            .refusal()
            .starts_with("routes/one.json#: error: not JSON")
    );
}

// ---- serve ----

#[test]
fn stdout_has_a_line_a_listener_and_then_one_a_request() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    assert!(served.address.ip().is_loopback() && served.address.port() != 0);
    assert_ne!(served.address, served.admin);
    let answer = get(served.address, "/x");
    assert_eq!(answer.status, 503);
    assert_eq!(get(served.admin, "/healthz").status, 200);
    served.running.signal(Signal::TERM);
    let expected = [
        format!("listening on http://{}", served.address),
        format!("admin on http://{}", served.admin),
    ];
    let ended = served.running.end();
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout[..2], expected);
    assert_eq!(ended.stdout.len(), 3, "{ended:?}");
    let line: Value = serde_json::from_str(&ended.stdout[2]).unwrap();
    assert_eq!(line["requestId"], answer.header("apigw-requestid").unwrap());
    assert_eq!(
        [
            &line["ip"],
            &line["httpMethod"],
            &line["path"],
            &line["routeKey"],
            &line["status"],
            &line["responseLength"]
        ],
        ["127.0.0.1", "GET", "/x", "ANY /{proxy+}", "503", "33"]
    );
    assert!(
        line["integrationErrorMessage"]
            .as_str()
            .unwrap()
            .contains("no connection to"),
        "{line}"
    );
}

/// The line without a format tells why a caller was refused, and so does the variable.
#[test]
fn a_refusal_tells_its_reason_in_the_access_log() {
    let directory = small_api();
    let jwt = json!({"AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Issuer": "http://127.0.0.1:9", "Audience": ["a"]}});
    directory.write("authorizers/jwt.json", &jwt.to_string());
    for (path, authorization) in [
        (
            "routes/jwt.json",
            json!({"AuthorizationType": "JWT", "AuthorizerId": "jwt"}),
        ),
        ("routes/iam.json", json!({"AuthorizationType": "AWS_IAM"})),
    ] {
        let mut route = authorization;
        route["RouteKey"] = json!(format!("GET /{}", &path[7..10]));
        route["Target"] = json!("integrations/up");
        directory.write(path, &route.to_string());
    }
    let served = serve(&directory, &[]);
    for (path, status) in [("/jwt", 401), ("/iam", 403), ("/none", 503)] {
        assert_eq!(get(served.address, path).status, status, "{path}");
    }
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let lines: Vec<Value> = ended.stdout[2..]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reason = |path: &str| {
        let line = lines.iter().find(|line| line["path"] == path).unwrap();
        line["authorizerError"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("/jwt"), "missing: token not provided");
    assert!(reason("/iam").len() > 1, "{lines:?}");
    assert_eq!(reason("/none"), "-");
}

/// A browser ends an event stream by leaving.
#[test]
fn a_client_that_leaves_an_event_stream_is_no_warning() {
    let endpoint = Endpoint::start(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.read(&mut [0]);
        Next::Close
    });
    for resets in [false, true] {
        let directory = Directory::of(&pass_everything(endpoint.address));
        let served = serve(&directory, &[]);
        let mut client = Client::connect(served.address);
        client.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        let mut got = Vec::new();
        while !got.windows(7).any(|bytes| bytes == b"data: 1") {
            got.extend(client.next_bytes());
        }
        if resets {
            set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        let until = Instant::now() + PATIENCE;
        while metrics_at(served.admin)["apigateway_requests_abandoned_total"] < 1.0 {
            assert!(Instant::now() < until, "resets: {resets}");
            thread::sleep(Duration::from_millis(20));
        }
        served.running.signal(Signal::TERM);
        let ended = served.running.end();
        let warnings: Vec<&String> = ended.stderr.iter().filter(|line| line.contains("warn")).collect();
        assert!(warnings.is_empty(), "resets: {resets}: {warnings:?}");
    }
}

#[test]
fn without_an_access_log_stdout_has_a_line_a_listener_and_no_more() {
    let directory = small_api();
    let served = serve(&directory, &["--access-log", "off"]);
    assert_eq!(get(served.address, "/x").status, 503);
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
}

/// Waits until a file has that many lines.
fn lines_of(path: &Path, count: usize) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "{lines:?}");
        thread::yield_now();
    }
}

#[test]
fn the_access_log_goes_on_in_a_new_file_after_sigusr1() {
    let directory = small_api();
    let (log, moved) = (
        directory.path().join("access.log"),
        directory.path().join("access.log.1"),
    );
    std::fs::write(&log, "before\n").unwrap();
    let mut served = serve(&directory, &["--access-log", log.to_str().unwrap()]);
    get(served.address, "/one");
    assert!(lines_of(&log, 2)[1].contains("\"/one\""));
    std::fs::rename(&log, &moved).unwrap();
    get(served.address, "/two");
    assert!(lines_of(&moved, 3)[2].contains("\"/two\""));
    served.running.signal(Signal::USR1);
    served.running.complains("opened anew");
    get(served.address, "/three");
    assert!(lines_of(&log, 1)[0].contains("\"/three\""));
    assert_eq!(lines_of(&moved, 3).len(), 3);
    // A second one, after a stop that must lose nothing.
    get(served.address, "/four");
    served.running.signal(Signal::TERM);
    served.running.end();
    assert_eq!(lines_of(&log, 2).len(), 2);
}

#[test]
fn a_log_that_is_a_pipe_is_written_and_one_that_nobody_reads_is_refused() {
    let directory = small_api();
    let pipe = directory.path().join("log");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (root, log) = (directory.path().to_str().unwrap(), pipe.to_str().unwrap());
    let ended = run(&[
        "serve",
        "--root",
        root,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--access-log",
        log,
    ]);
    assert!(ended.refusal().contains(log));
    // A reader that also writes opens a pipe without waiting.
    let reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let served = serve(&directory, &["--access-log", log]);
    get(served.address, "/x");
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(line.contains("\"/x\""), "{line}");
}

#[test]
fn sigusr1_is_harmless_without_a_file() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    served.running.signal(Signal::USR1);
    // A second request, so that a process which the signal kills has had the time to end.
    get(served.admin, "/healthz");
    assert_eq!(get(served.admin, "/healthz").status, 200);
}

#[test]
fn a_reader_of_stdout_that_stops_reading_stalls_no_request() {
    let directory = small_api();
    let mut command = program();
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            "--log-level",
            "warn",
            "--root",
        ])
        .arg(directory.path());
    let mut child = command.spawn().unwrap();
    // Its stdout is read to the first line only, and its stderr not at all.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = announced(line.trim_end(), "listening on http://");
    let fill = "x".repeat(7000);
    let mut client = Client::connect(address);
    for _ in 0..200 {
        client.send(format!("GET /{fill} HTTP/1.1\r\nHost: gw.test\r\n\r\n"));
        assert_eq!(client.answer_to("GET").status, 503);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_log_is_json_where_nobody_watches_and_text_where_it_is_asked_for() {
    let directory = small_api();
    let mut served = serve(&directory, &[]);
    let line: Value = serde_json::from_str(&served.running.complains("serving")).unwrap();
    assert_eq!(line["level"], "info");
    assert!(
        line["message"]
            .as_str()
            .unwrap()
            .starts_with("serving an API without a name from ")
    );
    let mut served = serve(&directory, &["--log-format", "text"]);
    assert!(served.running.complains("serving").starts_with("info: serving "));
    let served = serve(&directory, &["--log-level", "error"]);
    get(served.address, "/x");
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().stderr, [""; 0]);
    let mut served = serve(&directory, &["--log-level", "debug"]);
    get(served.address, "/%zz");
    served
        .running
        .complains(": 400 the path has a '%' without two hex digits");
    Client::connect(served.address).send("TRACE / HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    served.running.complains(": 404 Not Found");
}

#[test]
fn failures_of_an_integration_do_not_flood_the_log() {
    let directory = small_api();
    let served = serve(&directory, &["--log-format", "text"]);
    let mut client = Client::connect(served.address);
    let began = Instant::now();
    for _ in 0..100 {
        client.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET");
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let failures: Vec<&String> = ended
        .stderr
        .iter()
        .filter(|line| line.contains("no connection to"))
        .collect();
    assert!((1..=seconds + 2).contains(&failures.len()), "{failures:?}");
    assert!(failures[0].starts_with("warn: request ") && failures[0].contains("integrations/up.json"));
}

#[test]
fn a_reload_tells_what_has_changed() {
    let directory = small_api();
    let mut served = serve(&directory, &["--log-format", "text"]);
    directory.write("stages/$default.json", r#"{"Description": "another"}"#);
    let line = served.running.complains("reloaded");
    assert!(line.ends_with(": changed stages/$default.json"), "{line}");
    served.running.signal(Signal::HUP);
    get(served.address, "/x");
    let line = served.running.complains("reloaded");
    assert!(line.ends_with(": no file has changed"), "{line}");
}

#[test]
fn a_reload_tells_all_that_differs_from_what_was_served() {
    let directory = small_api();
    let mut served = serve(&directory, &["--log-format", "text"]);
    let new = r#"{"RouteKey": "GET /new", "Target": "integrations/up"}"#;
    for (path, text, start, ending) in [
        ("api.json", "{", "error: not reloaded", ": added api.json"),
        (
            "routes/new.json",
            new,
            "error: not reloaded",
            ": added api.json, routes/new.json",
        ),
        (
            "api.json",
            r#"{"Name": "new"}"#,
            "info: reloaded",
            ": added api.json, routes/new.json",
        ),
        ("api.json", "{", "error: not reloaded", ": changed api.json"),
        // Back to what is served.
        (
            "api.json",
            r#"{"Name": "new"}"#,
            "info: reloaded",
            ": no file has changed",
        ),
        ("api.json", "{}", "info: reloaded", ": changed api.json"),
    ] {
        directory.write(path, text);
        // A file may be seen before all of its text is there, so there may be another line first.
        let is_meant = |line: &str| line.starts_with(start) && line.ends_with(ending);
        while !is_meant(&served.running.complains("reloaded")) {}
    }
}

#[test]
fn without_admin_there_is_one_line() {
    let directory = small_api();
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let line = running.says();
    announced(&line, "listening on http://");
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout, [line]);
}

#[test]
fn warnings_do_not_keep_it_from_serving_and_go_to_stderr() {
    let directory = small_api();
    directory.write("api.json", "{\"Colour\": \"red\"}");
    let mut served = serve(&directory, &[]);
    served.running.complains("api.json#/Colour: warning: unknown field");
    assert_eq!(get(served.address, "/x").status, 503);
}

#[test]
fn an_ipv6_address_is_announced_as_a_url_has_it() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let directory = small_api();
    let mut command = program();
    command
        .args(["serve", "--listen", "[::1]:0", "--admin", "off", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert!(address.is_ipv6());
    assert_eq!(get(address, "/x").status, 503);
}

// ---- The management listener ----

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.header("content-type").unwrap().starts_with("application/json"),
        "{answer:?}"
    );
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn health_is_ok_while_an_api_is_served() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let answer = get(served.admin, "/healthz");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let answer = exchange(served.admin, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(get(served.admin, "/nothing").status, 404);
    // The API's listener has none of these pages.
    assert_eq!(get(served.address, "/healthz").status, 503);
}

#[test]
fn health_is_not_ok_once_a_stop_has_begun() {
    let (served, mut client, _endpoint, release, _directory) = in_flight(&[]);
    assert_eq!(get(served.admin, "/healthz").status, 200);
    served.running.signal(Signal::TERM);
    served.is_stopping();
    assert_eq!(get(served.admin, "/healthz").status, 503);
    release.send(()).unwrap();
    assert_eq!(client.answer_to("GET").text(), "late");
}

#[test]
fn echo_describes_a_request_without_content() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let request =
        "GET /echo?a=1&a=2&b=x%20y+z&c HTTP/1.1\r\nHost: echo.test:81\r\nX-Thing: one\r\nX-Thing: two\r\n\r\n";
    let echoed = json_of(&exchange(served.admin, request));
    assert_eq!(
        echoed,
        json!({
            "args": {"a": ["1", "2"], "b": "x y z", "c": ""},
            "headers": {"host": "echo.test:81", "x-thing": "one, two"},
            "url": "http://echo.test:81/echo?a=1&a=2&b=x%20y+z&c",
        })
    );
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "PUT", "POST"] {
        let answer = exchange(
            served.admin,
            format!("{method} /echo/below HTTP/1.1\r\nHost: h\r\n\r\n"),
        );
        assert_eq!(json_of(&answer)["url"], "http://h/echo/below", "{method}");
    }
}

#[test]
fn echo_describes_content_by_its_type() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let echoed = |content_type: &str, body: &str| {
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let echoed = json_of(&exchange(served.admin, request));
        assert_eq!((&echoed["args"], &echoed["url"]), (&json!({}), &json!("http://h/echo")));
        assert_eq!(echoed["headers"]["content-type"], content_type);
        [echoed["data"].clone(), echoed["form"].clone(), echoed["json"].clone()]
    };
    let object = json!({"a": [1, null]});
    assert_eq!(
        echoed("application/json", "{\"a\": [1, null]}"),
        [object.clone(), json!({}), object]
    );
    assert_eq!(
        echoed("text/plain", "caf\u{e9}"),
        [json!("café"), json!({}), json!(null)]
    );
    let form = json!({"a": "1 2", "b": ""});
    assert_eq!(
        echoed("application/x-www-form-urlencoded", "a=1+2&b="),
        [json!(""), form.clone(), form]
    );
    assert_eq!(echoed("application/json", "{"), [json!("{"), json!({}), json!(null)]);
}

// ---- The API that comes with the sources ----

/// A copy of the shipped files; the stage variable `echo` is put to that address.
fn shipped(echo: Option<SocketAddr>) -> Directory {
    let directory = Directory::empty();
    for kind in ["stages", "routes", "integrations"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)).unwrap() {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            directory.write(&format!("{kind}/{}", entry.file_name().to_str().unwrap()), &text);
        }
    }
    if let Some(echo) = echo {
        point_echo_to(&directory, echo);
    }
    directory
}

fn point_echo_to(directory: &Directory, echo: SocketAddr) {
    let text = std::fs::read_to_string(directory.path().join("stages/v0.json")).unwrap();
    let mut stage: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        stage["StageVariables"]["echo"], "127.0.0.1:8001",
        "the default of --admin"
    );
    stage["StageVariables"]["echo"] = json!(echo.to_string());
    directory.write("stages/v0.json", &stage.to_string());
}

#[test]
fn the_shipped_api_has_no_problem() {
    let ended = run(&["check", "--root", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
}

/// The article that describes the files prints these three.
const ARTICLE: [(&str, &str); 3] = [
    (
        "stages/v0.json",
        r#"{
  "Name": "v0",
  "Routes": ["routes/ja32tiv"]
}"#,
    ),
    (
        "routes/ja32tiv.json",
        r#"{
  "RouteKey": "GET /postman",
  "Target": "integrations/pa09itl"
}"#,
    ),
    (
        "integrations/pa09itl.json",
        r#"{
  "IntegrationType": "HTTP_PROXY",
  "IntegrationUri": "https://postman-echo.com/get"
}"#,
    ),
];

#[test]
fn the_articles_files_have_no_problem_and_are_served() {
    let directory = Directory::empty();
    for (path, text) in ARTICLE {
        directory.write(path, text);
    }
    let ended = run(&["check", "--root", directory.path().to_str().unwrap()]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    // Where that service cannot be reached it is 503, by the gateway.
    let served = serve(&directory, &[]);
    let answer = get(served.address, "/v0/postman?a=b");
    assert_ne!(answer.status, 404, "{answer:?}");
    assert!(answer.header("apigw-requestid").is_some(), "{answer:?}");
    assert_eq!(get(served.address, "/v0/other").status, 404);
    // The same with a service that is here.
    let endpoint = Endpoint::ok();
    let text = ARTICLE[2]
        .1
        .replace("https://postman-echo.com", &format!("http://{}", endpoint.address));
    directory.write(ARTICLE[2].0, &text);
    let served = serve(&directory, &[]);
    assert_eq!(get(served.address, "/v0/postman?a=b").status, 200);
    assert_eq!(endpoint.next().line(), "GET /get?a=b HTTP/1.1");
}

/// Other members and more routes may stand beside the article's.
#[test]
fn the_shipped_files_have_what_the_article_prints() {
    for (path, text) in ARTICLE {
        let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let (shipped, article): (Value, Value) = (
            serde_json::from_str(&shipped).unwrap(),
            serde_json::from_str(text).unwrap(),
        );
        for (name, value) in article.as_object().unwrap() {
            match (value, &shipped[name]) {
                (Value::Array(some), Value::Array(all)) => {
                    assert!(some.iter().all(|entry| all.contains(entry)), "{path}: {name}");
                }
                (value, shipped) => assert_eq!(shipped, value, "{path}: {name}"),
            }
        }
    }
    let integration = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(ARTICLE[2].0)).unwrap();
    assert!(!integration.contains("IntegrationMethod"), "{integration}");
}

#[test]
fn the_shipped_api_answers_by_its_own_echo() {
    let directory = shipped(None);
    let mut served = serve(&directory, &[]);
    point_echo_to(&directory, served.admin);
    served.running.signal(Signal::HUP);
    served.running.complains("reloaded");
    let echoed = json_of(&get(served.address, "/v0/echo?a=b"));
    assert_eq!(echoed["args"], json!({"a": "b"}));
    assert_eq!(echoed["url"], format!("http://{}/echo?a=b", served.admin));
    assert_eq!(echoed["headers"]["host"], served.admin.to_string());
    let echoed = json_of(&get(served.address, "/v0/echo/x/y%20z"));
    assert_eq!(echoed["url"], format!("http://{}/echo/x/y%20z", served.admin));
    let post =
        "POST /v0/echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert_eq!(json_of(&exchange(served.address, post))["json"], json!({"a": 1}));
    assert_eq!(get(served.address, "/echo").status, 404, "there is no default stage");
}

// ---- Signals ----

#[test]
fn term_and_int_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = small_api();
        let served = serve(&directory, &[]);
        // A connection without a request is no reason to wait.
        let idle = Client::connect(served.address);
        let mut used = Client::connect(served.address);
        used.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        assert_eq!(used.answer_to("GET").status, 503);
        let start = Instant::now();
        served.running.signal(signal);
        let ended = served.running.end();
        assert_eq!(ended.code(), 0, "{signal:?}: {ended:?}");
        assert!(start.elapsed() < AT_ONCE, "{signal:?}: {:?}", start.elapsed());
        assert!(used.is_closed());
        drop(idle);
    }
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    let (served, mut client, _endpoint, release, _directory) = in_flight(&[]);
    served.running.signal(Signal::TERM);
    served.is_stopping();
    release.send(()).unwrap();
    let answer = client.answer_to("GET");
    assert_eq!(
        (answer.status, answer.text().as_str(), answer.complete),
        (200, "late", true)
    );
    let start = Instant::now();
    let ended = served.running.end();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(start.elapsed() < AT_ONCE);
    assert!(!ended.stderr.iter().any(|line| line.contains("cut")), "{ended:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::TERM),
        (Signal::TERM, Signal::INT),
    ] {
        let (served, _client, _endpoint, _release, _directory) = in_flight(&["--grace", "600"]);
        served.running.signal(first);
        served.is_stopping();
        let start = Instant::now();
        served.running.signal(second);
        served.running.end();
        assert!(
            start.elapsed() < AT_ONCE,
            "{first:?}, {second:?}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn when_the_grace_runs_out_it_ends_and_tells_how_much_was_cut() {
    let (served, mut client, _endpoint, _release, _directory) = in_flight(&["--grace", "1"]);
    let start = Instant::now();
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let took = start.elapsed();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(1) + AT_ONCE,
        "{took:?}"
    );
    let line = ended.stderr.iter().find(|line| line.contains("cut"));
    let line = line.unwrap_or_else(|| panic!("{ended:?}"));
    assert!(
        line.split(|c: char| !c.is_ascii_digit()).any(|number| number == "1"),
        "{line}"
    );
    assert!(client.is_closed());
}

#[test]
fn the_request_after_a_hangup_sees_the_edit() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    for round in 0..20 {
        let endpoint = Endpoint::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{round:02}"));
        directory.write(
            "integrations/up.json",
            &http_proxy(format!("http://{}/", endpoint.address)).to_string(),
        );
        served.running.signal(Signal::HUP);
        assert_eq!(get(served.address, "/x").text(), format!("{round:02}"));
    }
}

#[test]
fn a_hangup_with_broken_files_changes_nothing_and_is_told() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut served = serve(&directory, &[]);
    directory.write("routes/all.json", "{");
    served.running.signal(Signal::HUP);
    served.running.complains("routes/all.json#: error: not JSON");
    assert_eq!(get(served.address, "/x").text(), "ok");
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().code(), 0);
}
