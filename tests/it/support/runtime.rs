//! A Lambda function that does what its events say, on raw sockets. It is this test binary once more: the test
//! [`scripted_runtime`] does nothing unless a runtime API is named in its environment.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// What runs the scripted function.
pub fn command() -> Vec<String> {
    command_of("support::runtime::scripted_runtime")
}

/// What runs a function that is a test of this binary.
pub fn command_of(test: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let arguments = [test, "--exact", "--nocapture", "--quiet"];
    std::iter::once(program).chain(arguments.map(str::to_owned)).collect()
}

/// An answer of the runtime API.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// A connection to the runtime API.
pub struct Api(BufReader<TcpStream>);

impl Api {
    pub fn connect() -> Api {
        let address = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
        Api::connect_to(&address)
    }

    pub fn connect_to(address: &str) -> Api {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Api(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Reads an answer; none at the end of the connection.
    pub fn receive(&mut self) -> Option<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_owned(), value.to_owned());
        }
        let length = headers
            .get("Content-Length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Reply { status, headers, body })
    }

    pub fn post(&mut self, path: &str, fields: &str, body: &[u8]) -> Reply {
        let length = body.len();
        let mut message =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {length}\r\n\r\n").into_bytes();
        message.extend_from_slice(body);
        self.send(&message);
        self.receive().unwrap()
    }

    pub fn next(&mut self) -> Option<Reply> {
        self.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
        self.receive()
    }
}

pub fn path(id: &str, end: &str) -> String {
    format!("/2018-06-01/runtime/invocation/{id}/{end}")
}

/// The arguments of a gateway that runs a function until it is killed, see [`scripted_gateway`].
pub const GATEWAY: &str = "support::runtime::scripted_gateway";

#[test]
fn scripted_gateway() {
    if let Some(directory) = std::env::var_os("RUN_FUNCTION_IN") {
        crate::support::local_function::run_until_killed(directory.into());
    }
}

#[test]
fn scripted_runtime() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    match std::env::var("START").as_deref() {
        Ok("exit") => {
            std::io::stderr().write_all(b"no module named app\n").unwrap();
            std::process::exit(3);
        }
        Ok("wait") => {
            // It tells that it is starting, and goes on when it is let to.
            let directory = std::env::var("START_IN").unwrap();
            let begun = format!("{directory}/started-{}", std::process::id());
            std::fs::write(begun, "").unwrap();
            wait_for_file(&format!("{directory}/go"));
        }
        Ok("write") => std::fs::write(std::env::var("START_IN").unwrap(), format!("{}", std::process::id())).unwrap(),
        Ok("sleep") => std::thread::sleep(Duration::from_secs(1000)),
        Ok("init-error") => {
            let error = json!({"errorType": "Runtime.ImportModuleError", "errorMessage": "no module named app"});
            let reply = Api::connect().post("/2018-06-01/runtime/init/error", "", error.to_string().as_bytes());
            let text = format!(
                "init error: {} {}\n",
                reply.status,
                String::from_utf8_lossy(&reply.body)
            );
            std::io::stdout().write_all(text.as_bytes()).unwrap();
            std::process::exit(1);
        }
        _ => {}
    }
    let mut api = Api::connect();
    // What the runtime API said about the answers to the events before.
    let mut verdicts = Vec::new();
    while let Some(next) = api.next() {
        work(&mut api, &next, &mut verdicts);
    }
    std::process::exit(0);
}

fn wait_for_file(path: &str) {
    while !std::path::Path::new(path).exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn work(api: &mut Api, next: &Reply, verdicts: &mut Vec<String>) {
    let id = next.headers["Lambda-Runtime-Aws-Request-Id"].clone();
    let mut event: Value = serde_json::from_slice(&next.body).unwrap();
    // An event of a gateway has it in its body.
    if let Some(body) = event["body"].as_str() {
        event = serde_json::from_str(body).unwrap();
    }
    let number = event["number"].as_u64().unwrap_or_default();
    let mut answer = json!({"pid": std::process::id(), "event": event});
    match event["do"].as_str().unwrap_or_default() {
        "tell" => {
            answer["headers"] = json!(next.headers);
            answer["environment"] = json!(std::env::vars().collect::<BTreeMap<_, _>>());
            answer["directory"] = json!(std::env::current_dir().unwrap());
            answer["status"] = json!(std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default());
            answer["verdicts"] = json!(std::mem::take(verdicts));
        }
        "sleep" => {
            if let Some(file) = event["file"].as_str() {
                std::fs::write(file, format!("{}\n", std::process::id())).unwrap();
            }
            std::thread::sleep(Duration::from_millis(number));
        }
        "write" => {
            let file = event["file"].as_str().unwrap();
            std::fs::write(file, event["text"].as_str().unwrap()).unwrap();
        }
        "remove" => std::fs::remove_file(event["file"].as_str().unwrap()).unwrap(),
        "meet" => {
            // All of so many are there at the same time, or it never answers.
            let directory = event["file"].as_str().unwrap();
            std::fs::write(format!("{directory}/{}", std::process::id()), "").unwrap();
            while std::fs::read_dir(directory).unwrap().count() < usize::try_from(number).unwrap() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        "wait" => {
            // It tells that it has begun, and goes on when it is let to.
            std::fs::write(event["begun"].as_str().unwrap(), "").unwrap();
            wait_for_file(event["file"].as_str().unwrap());
        }
        "exit" => {
            std::io::stderr().write_all(b"out of luck\n").unwrap();
            std::process::exit(i32::try_from(number).unwrap())
        }
        "large" => answer["large"] = json!("a".repeat(usize::try_from(number).unwrap())),
        "print" => {
            let line = format!("{}\n", "x".repeat(1023));
            let mut output = std::io::stdout().lock();
            for _ in 0..number {
                output.write_all(line.as_bytes()).unwrap();
            }
        }
        "start" => {
            // The child keeps our output open, too.
            let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
            answer["child"] = json!(child.id());
            std::thread::spawn(move || child.wait());
        }
        "garbage" => {
            let mut other = Api::connect();
            other.send(b"\x16\x03\x01 hello\r\n\r\n");
            let reply = other.receive().unwrap();
            assert!(other.receive().is_none());
            verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
        }
        "error" => {
            let error = json!({"errorType": "ValueError", "errorMessage": "bad\nluck", "stackTrace": []});
            let reply = api.post(&path(&id, "error"), "", error.to_string().as_bytes());
            verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
            return;
        }
        "raw" => {
            // The rest of the request, as the event says it; `{id}` stands for the request id.
            let text = event["request"].as_str().unwrap().replace("{id}", &id);
            api.send(text.as_bytes());
            let mut reply = api.receive().unwrap();
            if reply.status == 100 {
                api.send(event["after"].as_str().unwrap().as_bytes());
                reply = api.receive().unwrap();
            }
            verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
            return;
        }
        "forget" => return,
        _ => {}
    }
    let reply = api.post(&path(&id, "response"), "", answer.to_string().as_bytes());
    verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
    if event["do"] == "twice" {
        let reply = api.post(&path(&id, "response"), "", b"{}");
        verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
        let reply = api.post(&path("00000000-0000-4000-8000-000000000000", "response"), "", b"{}");
        verdicts.push(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
    }
}
