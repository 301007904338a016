//! Runs the built program in a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::client::{Answer, Client, PATIENCE};
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::{Endpoint, Next, Recorded, nobody};
use crate::support::gateway::loops;

/// The program with an environment that says nothing to it.
pub fn program() -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_apigateway")))
}

/// A command with an environment that says nothing to the program, and pipes.
pub fn prepared(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("APIGATEWAY_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("APIGATEWAY_LOOPS", loops().to_string())
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

pub fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
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
pub fn run(arguments: &[&str]) -> Ended {
    let mut command = program();
    command.args(arguments);
    Running::spawn(command).end()
}

pub fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = program();
    command.args(arguments).envs(environment.iter().copied());
    Running::spawn(command).end()
}

pub fn check(directory: &Directory) -> Ended {
    run(&["check", "--root", directory.path().to_str().unwrap()])
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// It failed with 1 and one line on stderr, and nothing on stdout.
    pub fn refusal(&self) -> &str {
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
    serve_by(directory, more, "http")
}

/// As [`serve`], by a scheme.
pub fn serve_by(directory: &Directory, more: &[&str], scheme: &str) -> Served {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(directory.path()).args(more);
    served_with(command, scheme)
}

/// The gateway that a command starts, once it serves.
pub fn served_by(command: Command) -> Served {
    served_with(command, "http")
}

fn served_with(command: Command, scheme: &str) -> Served {
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), &format!("listening on {scheme}://"));
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
pub fn in_flight(more: &[&str]) -> (Served, Client, Endpoint, Sender<()>, Directory) {
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

pub fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.header("content-type").unwrap().starts_with("application/json"),
        "{answer:?}"
    );
    serde_json::from_slice(&answer.body).unwrap()
}
