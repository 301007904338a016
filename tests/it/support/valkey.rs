//! A server of Valkey or Redis in a process of its own, gone with its test; and one that says what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::client::PATIENCE;
use crate::support::directory::Directory;

/// A server that does not outlive its test.
pub struct Valkey {
    child: Child,
    pub port: u16,
    /// What it writes, and what its files are.
    pub directory: Directory,
    more: Vec<String>,
}

/// The server that is installed. `APIGATEWAY_VALKEY_SERVER` names one, and then a test cannot do without it.
fn program() -> Option<String> {
    if let Ok(given) = std::env::var("APIGATEWAY_VALKEY_SERVER") {
        return Some(given);
    }
    let is_there = |program: &&str| {
        let outcome = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        outcome.is_ok_and(|status| status.success())
    };
    ["valkey-server", "redis-server"]
        .into_iter()
        .find(is_there)
        .map(str::to_owned)
}

/// A server with these further options; where there is none, says so loudly.
pub fn valkey(more: &[&str]) -> Option<Valkey> {
    valkey_in(Directory::empty(), more)
}

pub fn valkey_in(directory: Directory, more: &[&str]) -> Option<Valkey> {
    let Some(program) = program() else {
        // Not by a macro, whose output is shown for tests that fail only.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: a test of fleets, since neither valkey-server nor redis-server is installed\n"
        );
        return None;
    };
    let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
    // Another process may take the port in between.
    (0..20)
        .find_map(|_| {
            let port = free_port();
            let child = start(&program, port, &directory, &more)?;
            Some((child, port))
        })
        .map(|(child, port)| Valkey {
            child,
            port,
            directory,
            more,
        })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, port: u16, directory: &Directory, more: &[String]) -> Option<Child> {
    let mut child = Command::new(program)
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &port.to_string(),
        ])
        .arg("--dir")
        .arg(directory.path())
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let mut is_ready = false;
    let mut lines = lines.lines().map_while(Result::ok);
    for line in lines.by_ref() {
        if line.contains("eady to accept connections") {
            is_ready = true;
            break;
        }
    }
    if !is_ready {
        let _ = child.wait();
        return None;
    }
    thread::spawn(move || lines.for_each(drop));
    Some(child)
}

impl Valkey {
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The answer to a command, as text: numbers as they are, strings without their frame, elements on lines.
    pub fn command(&self, words: &[&str]) -> String {
        command_at(self.port, words)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it anew on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        let program = program().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(child) = start(&program, self.port, &self.directory, &self.more) {
                self.child = child;
                return;
            }
            assert!(Instant::now() < until, "the port is taken");
        }
    }

    /// How many commands of that name were called, also within scripts.
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.command(&["INFO", "commandstats"]);
        let prefix = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(&prefix));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command_at(port: u16, words: &[&str]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    stream.write_all(&bytes).unwrap();
    read_value(&mut BufReader::new(stream))
}

fn read_value(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let line = line.trim_end();
    let (kind, rest) = line.split_at(1);
    match kind {
        "$" => {
            let Ok(length) = rest.parse::<usize>() else {
                return "(nil)".to_owned();
            };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text).unwrap();
            text.truncate(length);
            String::from_utf8(text).unwrap()
        }
        "*" => {
            let count = rest.parse::<usize>().unwrap_or(0);
            let elements: Vec<String> = (0..count).map(|_| read_value(reader)).collect();
            elements.join("\n")
        }
        ":" | "+" => rest.to_owned(),
        _ => line.to_owned(),
    }
}

/// One command that a scripted server got.
pub type Words = Vec<String>;

/// A server that answers as a test says.
pub struct Scripted {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    commands: Arc<Mutex<Vec<Words>>>,
}

impl Scripted {
    /// `answer` gives the bytes for a command, or none to hang up.
    pub fn start(answer: impl Fn(&Words) -> Option<Vec<u8>> + Send + Sync + 'static) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, commands) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, log, answer) = (Arc::clone(&connections), Arc::clone(&commands), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    while let Some(words) = read_command(&mut reader) {
                        log.lock().unwrap().push(words.clone());
                        match answer(&words) {
                            Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                            _ => return,
                        }
                    }
                });
            }
        });
        Scripted {
            address,
            connections,
            commands,
        }
    }

    pub fn commands(&self) -> Vec<Words> {
        self.commands.lock().unwrap().clone()
    }
}

/// What an obliging server says until calls for tokens come: those are answered by `tokens`, which gets the key and what
/// is wanted.
pub fn obliging(words: &Words, tokens: impl Fn(&str, i64) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    match words[0].as_str() {
        "SCRIPT" if words[2].contains("ZADD") => Some(format!("$40\r\n{}\r\n", "b".repeat(40)).into_bytes()),
        "SCRIPT" => Some(format!("$40\r\n{}\r\n", "a".repeat(40)).into_bytes()),
        "EVALSHA" if words[1].starts_with('b') => Some(b"*1\r\n:1\r\n".to_vec()),
        "EVALSHA" => tokens(&words[3], words[6].parse().unwrap()),
        "ZREM" => Some(b":1\r\n".to_vec()),
        _ => Some(b"+OK\r\n".to_vec()),
    }
}

fn read_command(reader: &mut impl BufRead) -> Option<Words> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let count: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
    (0..count)
        .map(|_| {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let length: usize = line.trim_end().strip_prefix('$')?.parse().ok()?;
            let mut word = vec![0; length + 2];
            reader.read_exact(&mut word).ok()?;
            word.truncate(length);
            String::from_utf8(word).ok()
        })
        .collect()
}
