//! On a terminal a start prints the routes with their URLs, and levels and statuses have colours, unless `NO_COLOR` says no.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use crate::support::client::{PATIENCE, get};
use crate::support::directory::{Directory, route};
use crate::support::program::{announced, program};

/// A gateway whose stdout and stderr are a terminal.
struct OnTerminal {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl OnTerminal {
    fn start(directory: &Directory, environment: &[(&str, &str)]) -> OnTerminal {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = program();
        command
            .args(["--listen", "127.0.0.1:0", "--admin", "off", "--root"])
            .arg(directory.path())
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .stdout(terminal.try_clone().unwrap())
            .stderr(terminal);
        let child = command.spawn().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            // Where the program has ended, reading fails.
            for line in BufReader::new(File::from(controller)).lines().map_while(Result::ok) {
                if sender.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        OnTerminal {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Reads until a line has that text.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error}: no {text:?} in {:?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }
}

fn api() -> Directory {
    let integration = json!({"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://apigateway.localhost/echo"});
    Directory::of(&[
        ("stages/$default.json", json!({})),
        ("stages/v0.json", json!({})),
        ("routes/pets.json", route("GET /pets/{id}", "echo")),
        ("integrations/echo.json", integration),
    ])
}

#[test]
fn a_terminal_gets_urls_and_colours() {
    let directory = api();
    let mut gateway = OnTerminal::start(&directory, &[]);
    let address = announced(&gateway.line_with("listening on"), "listening on http://");
    let line = gateway.line_with("/pets/{id}");
    assert_eq!(line, format!("  GET     http://{address}/pets/{{id}}"));
    let line = gateway.line_with("/pets/{id}");
    assert_eq!(line, format!("  GET     http://{address}/v0/pets/{{id}}"));
    for (path, colour) in [("/pets/7", "32m200"), ("/birds", "33m404")] {
        get(address, path);
        let line = gateway.line_with(&format!("\"path\":\"{path}\""));
        assert!(
            line.contains(&format!("\"status\":\"\u{1b}[{colour}\u{1b}[0m\"")),
            "{line:?}"
        );
    }
    let has_level = |line: &String| line.starts_with("\u{1b}[32minfo:\u{1b}[0m serving ");
    if !gateway.seen.iter().any(has_level) {
        gateway.line_with("\u{1b}[32minfo:\u{1b}[0m serving ");
    }
}

#[test]
fn no_color_keeps_colours_off() {
    let directory = api();
    let mut gateway = OnTerminal::start(&directory, &[("NO_COLOR", "1")]);
    let address = announced(&gateway.line_with("listening on"), "listening on http://");
    get(address, "/pets/7");
    gateway.line_with("\"status\":\"200\"");
    if !gateway.seen.iter().any(|line| line.starts_with("info: serving ")) {
        gateway.line_with("info: serving ");
    }
    assert!(
        gateway.seen.iter().all(|line| !line.contains('\u{1b}')),
        "{:?}",
        gateway.seen
    );
}
