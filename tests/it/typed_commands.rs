//! The commands of the README and of `docs/` that need no internet are typed, and print what is shown.
//!
//! A block of the language `console` is a session: a line that begins with `$ ` is typed, and the lines after it are what
//! is printed. The blocks of a page are typed into one shell, in a directory of their own, in which the files of the page
//! are written where they stand: a block after a line such as "`routes/pets.json`:". A command that ends in ` &` goes on
//! while the next ones are typed. A line `…` stands for any lines, and `…` at the end of a line for the rest of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::documents::{blocks, documents};
use crate::support::client::PATIENCE;
use crate::support::directory::Directory;
use crate::support::program::{lines, prepared};
use crate::support::repository::{root, text_of};

/// What ends the output of a command.
const MARK: &str = "-- the end of a command --";

/// The ports of the two listeners in the documents.
const LISTENERS: [(&str, &str); 2] = [("listening on http://", "8000"), ("admin on http://", "8001")];

/// What is different each time: what comes before it, and what ends it.
const VARYING: [(&str, &[char]); 10] = [
    ("Root=1-", &['"', ';']),
    ("curl/", &['"', '\n']),
    ("\"requestId\":\"", &['"']),
    ("\"time\":\"", &['"']),
    ("\"timeEpoch\":", &[',', '}']),
    ("\"apiId\":\"", &['"']),
    ("hash ", &['\n', ':']),
    ("\"hash\":\"", &['"']),
    ("apigw-requestid: ", &['\n']),
    ("date: ", &['\n']),
];

/// A shell in a directory of its own.
struct Session {
    child: Child,
    output: Receiver<String>,
    directory: Directory,
    /// The ports that stand for those of the documents.
    ports: BTreeMap<String, String>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Session {
    fn start() -> Session {
        let directory = Directory::empty();
        let mut path = vec![root().join("target/python/bin")];
        path.insert(
            0,
            std::path::Path::new(env!("CARGO_BIN_EXE_apigateway"))
                .parent()
                .unwrap()
                .to_owned(),
        );
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut shell = prepared(Command::new("sh"));
        shell
            .env("PATH", std::env::join_paths(path).unwrap())
            .envs([
                ("APIGATEWAY_LISTEN", "127.0.0.1:0"),
                ("APIGATEWAY_ADMIN", "127.0.0.1:0"),
                ("APIGATEWAY_ACCESS_LOG", "off"),
                ("PYTHONUNBUFFERED", "1"),
            ])
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = shell.spawn().unwrap();
        let output = lines(child.stdout.take().unwrap());
        Session {
            child,
            output,
            directory,
            ports: BTreeMap::new(),
        }
    }

    /// A text of a document with the ports of this session.
    fn with_ports(&mut self, text: &str) -> String {
        for (at, _) in text.match_indices("127.0.0.1:9") {
            let port: String = text[at + 10..].chars().take_while(char::is_ascii_digit).collect();
            if port.len() == 4 {
                let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                self.ports.entry(port).or_insert_with(|| free().to_string());
            }
        }
        let replace =
            |text: String, (port, own): (&String, &String)| text.replace(&format!(":{port}"), &format!(":{own}"));
        self.ports.iter().fold(text.to_owned(), replace)
    }

    /// A text of the session as the documents would have it.
    fn as_shown(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (port, own)| {
            let text = text.replace(&format!(":{own}"), &format!(":{port}"));
            text.replace(&format!("\"{own}\""), &format!("\"{port}\""))
        })
    }

    fn send(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).unwrap();
    }

    fn line(&mut self, command: &str) -> String {
        let line = self.output.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{command}: {error}"));
        for (prefix, port) in LISTENERS {
            if let Some(own) = line.strip_prefix(prefix).and_then(|address| address.rsplit(':').next()) {
                self.ports.insert(port.to_owned(), own.to_owned());
            }
        }
        line
    }

    /// Types a command; tells what it prints. Of one that goes on, that is as many lines as are shown.
    fn type_command(&mut self, command: &str, shown: usize) -> String {
        let typed = self.with_ports(command);
        let mut printed = Vec::new();
        match typed.strip_suffix(" &") {
            Some(goes_on) => {
                self.send(&format!("{goes_on} 2>/dev/null </dev/null &\n"));
                printed.extend((0..shown).map(|_| self.line(command)));
            }
            None => {
                // In this shell, so that variables and the working directory stay.
                self.send(&format!("{{ {typed}\n}} 2>&1 </dev/null\necho; echo '{MARK}'\n"));
                loop {
                    match self.line(command) {
                        line if line == MARK => break,
                        line => printed.push(line),
                    }
                }
                // The mark stands on a line of its own, also after what ends without one.
                if printed.last().is_some_and(String::is_empty) {
                    printed.pop();
                }
            }
        }
        self.as_shown(&printed.join("\n"))
    }
}

/// A text without what is different each time.
fn without_varying(text: &str) -> String {
    let mut text = text.trim_end().to_owned();
    for (before, ends) in VARYING {
        let mut rest = text.as_str();
        let mut whole = String::new();
        while let Some(at) = rest.find(before) {
            let from = at + before.len();
            let length = rest[from..].find(ends).unwrap_or(rest.len() - from);
            whole += &rest[..from];
            whole.push('*');
            rest = &rest[from + length..];
        }
        text = whole + rest;
    }
    text
}

/// Whether a text is what a document shows.
fn is_as_shown(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.first(), printed.first()) {
        (None, None) => true,
        (Some(&"…"), None) => is_as_shown(&shown[1..], printed),
        (Some(&"…"), Some(_)) => is_as_shown(&shown[1..], printed) || is_as_shown(shown, &printed[1..]),
        (Some(shown_line), Some(line)) => {
            let is_same = match shown_line.strip_suffix('…') {
                Some(begin) => line.starts_with(begin),
                None => shown_line == line,
            };
            is_same && is_as_shown(&shown[1..], &printed[1..])
        }
        _ => false,
    }
}

/// The commands of a session, each with what is shown below it.
fn commands(block: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((command, shown))) if command.ends_with('\\') && shown.is_empty() => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, shown))) => shown.push(line.to_owned()),
            (None, None) => panic!("a session begins with a command: {block}"),
        }
    }
    commands
}

fn is_there(program: &str) -> bool {
    let own = root().join("target/python/bin").join(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.is_file() || std::env::split_paths(&path).any(|place| place.join(program).is_file())
}

/// The programs that a session needs besides the shell's own and this one.
fn missing_program(block: &str) -> Option<&'static str> {
    let programs = ["curl", "python3", "node", "aws", "openssl"];
    let words: Vec<&str> = block.split(|c: char| !c.is_alphanumeric()).collect();
    programs
        .into_iter()
        .find(|program| words.contains(program) && !is_there(program))
}

#[expect(clippy::print_stderr, reason = "the one who runs the tests is to know")]
fn tell_untyped(document: &str, program: &str) {
    eprintln!("{document}: {program} is not here: THE REST OF THE PAGE IS NOT TYPED");
}

/// Types the sessions of a document; tells how many commands that were.
fn type_document(document: &str) -> usize {
    let text = text_of(document);
    let blocks = blocks(&text);
    if !blocks.iter().any(|(language, ..)| *language == "console") {
        return 0;
    }
    let mut session = Session::start();
    let mut count = 0;
    for (language, before, block) in blocks {
        if language == "console" {
            if let Some(program) = missing_program(&block) {
                tell_untyped(document, program);
                break;
            }
            for (command, shown) in commands(&block) {
                let printed = without_varying(&session.type_command(&command, shown.len()));
                let shown = without_varying(&shown.join("\n"));
                let is_same = is_as_shown(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>());
                assert!(is_same, "{document}: $ {command}\nshown:\n{shown}\nprinted:\n{printed}");
                count += 1;
            }
        } else if let Some(name) = before.strip_suffix(':').and_then(|before| before.rsplit('`').nth(1))
            && name.contains('.')
        {
            let text = session.with_ports(&block);
            session.directory.write(name, &(text + "\n"));
        }
    }
    count
}

#[test]
fn what_is_typed_prints_what_the_documents_show() {
    let counts: Vec<(String, usize)> = documents()
        .into_iter()
        .map(|document| {
            let count = type_document(&document);
            (document, count)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    assert!(counts.iter().any(|(document, _)| document == "README.md"), "{counts:?}");
    assert!(all > 20, "{counts:?}");
}

#[test]
fn what_is_shown_is_compared_but_for_what_varies() {
    let equal = |shown: &str, printed: &str| {
        let (shown, printed) = (without_varying(shown), without_varying(printed));
        is_as_shown(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>())
    };
    for (shown, printed, expected) in [
        ("a\nb", "a\nb", true),
        ("a", "b", false),
        ("a", "a\nb", false),
        ("a\n…", "a\nb\nc", true),
        ("…\nc", "a\nb\nc", true),
        ("…\nd", "a\nb\nc", false),
        ("ab…", "abc", true),
        ("ab…", "ac", false),
        ("hash 1: x", "hash 2: x", true),
        ("hash 1: x", "hash 2: y", false),
        ("{\"requestId\":\"a\",\"b\":1}", "{\"requestId\":\"z\",\"b\":1}", true),
        ("{\"requestId\":\"a\",\"b\":1}", "{\"requestId\":\"a\",\"b\":2}", false),
    ] {
        assert_eq!(equal(shown, printed), expected, "{shown:?} {printed:?}");
    }
    let session = commands("$ a \\\n  b\nout\n$ c &\nx\ny");
    assert_eq!(session[0], ("a \\\n  b".to_owned(), vec!["out".to_owned()]));
    assert_eq!(session[1], ("c &".to_owned(), vec!["x".to_owned(), "y".to_owned()]));
}
