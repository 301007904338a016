//! The gateway goes on if the machine is short of something: a reader of the log, descriptors, threads, memory.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{OFlags, fcntl_setfl};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::Signal;

use crate::support::client::{Client, get};
use crate::support::directory::{Directory, pass_everything, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::loops;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use crate::support::metrics::metrics_at;
use crate::support::program::{Running, Served, prepared, program, serve, served_by, small_api, waiting_endpoint};
use crate::support::wait::wait_until;

// ---- A log that nobody reads ----

/// A pipe into which nothing goes any more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

#[test]
fn a_reader_of_stderr_that_stops_reading_holds_up_nothing() {
    let directory = small_api();
    let (mut reader, writer) = full_pipe();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command
        .args(["--log-level", "debug", "--log-format", "text", "--root"])
        .arg(directory.path());
    command.stderr(Stdio::from(writer));
    let served = served_by(command);
    let mut client = Client::connect(served.address);
    for _ in 0..100 {
        // Each is a line.
        client.send("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.answer_to("GET").status, 400);
    }
    assert_eq!(get(served.admin, "/healthz").status, 200);
    // Read again, it goes on where it was.
    let mut text = vec![0; 70_000];
    let mut length = 0;
    while !String::from_utf8_lossy(&text[..length]).contains("400 ") {
        length += reader.read(&mut text[length..]).unwrap();
    }
    let text = String::from_utf8_lossy(&text[..length])
        .trim_start_matches('.')
        .to_owned();
    assert!(text.starts_with("info: serving "), "{text}");
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().code(), 0);
}

#[test]
fn a_stop_and_a_failed_start_do_not_wait_for_a_reader_of_stderr() {
    let directory = small_api();
    let (_reader, writer) = full_pipe();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(directory.path()).stderr(writer.try_clone().unwrap());
    let served = served_by(command);
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().code(), 0);

    let directory = Directory::empty();
    directory.write("api.json", "{");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"]);
    command.arg(directory.path()).stderr(writer);
    assert_eq!(Running::spawn(command).end().code(), 1);
}

#[test]
fn clients_that_go_away_are_no_warnings() {
    let endpoint = Endpoint::start(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let part = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut sent = stream.write_all(head.as_bytes());
        while sent.is_ok() {
            sent = stream.write_all(part.as_bytes());
        }
        Next::Close
    });
    let directory = Directory::of(&pass_everything(endpoint.address));
    let served = serve(&directory, &["--log-format", "text"]);
    for _ in 0..50 {
        let mut client = Client::connect(served.address);
        client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");
        // Gone with bytes that it has not read, which is a reset.
        assert!(!client.next_bytes().is_empty());
    }
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    assert_eq!(ended.code(), 0, "{ended:?}");
    // It is no fault of the gateway's or the integration's; each is counted, and 499 in the access log.
    assert!(!ended.stderr.iter().any(|line| line.contains("is cut")), "{ended:?}");
}

// ---- Descriptors ----

/// A gateway that may have so many descriptors and no more.
fn serve_within(descriptors: usize, directory: &Directory) -> Served {
    let mut command = prepared(Command::new("sh"));
    command
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_apigateway"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"])
        .arg(directory.path());
    served_by(command)
}

#[test]
fn descriptors_suffice_for_all_that_is_allowed() {
    for descriptors in [64, 256] {
        let (endpoint, release) = waiting_endpoint();
        let directory = Directory::of(&pass_everything(endpoint.address));
        let mut served = serve_within(descriptors, &directory);
        let line = served.running.complains("connections at most");
        let numbers: Vec<usize> = line
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        assert!(numbers.ends_with(&[descriptors, 512]), "{line}");
        let [.., clients, 10_000, managing, _, _] = numbers[..] else {
            panic!("{line}");
        };
        assert!(clients >= descriptors / 8, "{line}");

        // Each has a connection to the integration as well. On loops, one destination has no more than seven eighths; the
        // others are not idle.
        let most = match loops() {
            0 => clients,
            _ => clients - clients.div_ceil(8),
        };
        let mut clients: Vec<Client> = (0..clients).map(|_| Client::connect(served.address)).collect();
        let others = clients.split_off(most);
        for client in &mut clients {
            client.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
            endpoint.next();
        }
        let others: Vec<Client> = others
            .into_iter()
            .map(|mut other| {
                other.send("GET /one HTTP/1.1\r\nHost");
                other
            })
            .collect();
        let mut probes: Vec<Client> = Vec::new();
        for _ in 0..managing {
            let mut probe = Client::connect(served.admin);
            probe.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(probe.answer_to("GET").status, 200);
            // An idle one would give way; that in reserve ends with its answer.
            let _ = probe.stream.write_all(b"GET /metrics");
            probes.push(probe);
        }
        let too_many: Vec<Client> = [served.address, served.admin]
            .into_iter()
            .cycle()
            .take(40)
            .map(|address| {
                let mut client = Client::connect(address);
                // There is always room for a probe.
                let (asked, status) = match address == served.admin {
                    true => ("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200),
                    false => ("", 503),
                };
                assert_eq!(client.send(asked).answer_to("GET").status, status);
                client
            })
            .collect();
        // There are some left for the files.
        directory.write("routes/none.json", &route("GET /none", "none").to_string());
        served.running.signal(Signal::HUP);
        served.running.complains("not reloaded");
        directory.write("routes/none.json", &route("GET /none", "up").to_string());
        served.running.signal(Signal::HUP);
        served.running.complains("reloaded");
        drop(release);
        for client in &mut clients {
            assert_eq!(client.answer_to("GET").status, 200);
        }
        drop((clients, others, probes, too_many));
        served.running.signal(Signal::TERM);
        let ended = served.running.end();
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(!ended.stderr.iter().any(|line| line.contains("accepted")), "{ended:?}");
    }
}

/// From now on the process gets no descriptor more, or as many as it may have.
#[cfg(target_os = "linux")]
fn allow_descriptors(served: &Served, is_allowed: bool) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    // All numbers below 4 are taken; less would not let it poll.
    let current = if is_allowed { most } else { Some(4) };
    let limit = Rlimit { current, maximum: most };
    prlimit(Some(Pid::from_child(&served.running.child)), Resource::Nofile, limit).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_it_goes_on_and_accepts_again_when_there_are_some() {
    let endpoint = Endpoint::telling_the_target();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut served = serve(&directory, &[]);
    let mut old = Client::connect(served.address);
    let get_one = "GET /one HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(old.send(get_one).answer_to("GET").status, 200);

    allow_descriptors(&served, false);
    let mut new = Client::connect(served.address);
    new.send(get_one);
    served.running.complains("no connection can be accepted");
    assert_eq!(old.send(get_one).answer_to("GET").status, 200);
    allow_descriptors(&served, true);
    assert_eq!(new.answer_to("GET").status, 200);

    // What was connected when the stop began is served, too.
    allow_descriptors(&served, false);
    let mut waiting: Vec<Client> = (0..5).map(|_| Client::connect(served.address)).collect();
    for client in &mut waiting {
        client.send(get_one);
    }
    served.running.signal(Signal::TERM);
    served.running.complains("stopping");
    // Closed 250 ms after the beginning of the stop: by now the last loop has met the error.
    assert!(old.is_closed());
    allow_descriptors(&served, true);
    for client in &mut waiting {
        assert_eq!(client.answer_to("GET").status, 200);
    }
    assert_eq!(served.running.end().code(), 0);
}

// ---- Threads ----

/// The program for a user who has no other process, and may have so many threads.
fn program_within(threads: usize, executable: &Path, directory: &Directory) -> Command {
    let mut command = prepared(Command::new("sh"));
    // Shells do not agree on the letter.
    let script = format!("ulimit -u {threads} 2>/dev/null || ulimit -p {threads}; exec \"$0\" \"$@\"");
    let user = (1 << 30) + std::process::id() % (1 << 20);
    command
        .args(["-c", &script])
        .arg(executable)
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--log-level", "error", "--log-format", "text", "--root"])
        .arg(directory.path())
        // So that it wants more workers than it has.
        .env("APIGATEWAY_LOOPS", "0")
        .uid(user);
    command
}

#[test]
fn where_threads_are_refused_a_start_says_so_in_a_line_and_those_that_there_are_go_on() {
    if !rustix::process::geteuid().is_root() {
        // Only root may become a user whose threads are known.
        return;
    }
    let (endpoint, release) = waiting_endpoint();
    let directory = Directory::of(&pass_everything(endpoint.address));
    // Where others may run it.
    let executable = directory.path().join("apigateway");
    let built = env!("CARGO_BIN_EXE_apigateway");
    if fs::hard_link(built, &executable).is_err() {
        fs::copy(built, &executable).unwrap();
    }
    let mut refusals = 0;
    let served = (1..64).find(|threads| {
        let mut child = program_within(*threads, &executable, &directory).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let serves = line.starts_with("listening");
        if serves {
            child.kill().unwrap();
        }
        let mut complaint = String::new();
        child.stderr.as_mut().unwrap().read_to_string(&mut complaint).unwrap();
        let status = child.wait().unwrap();
        if !serves {
            assert_eq!(status.code(), Some(1), "{threads}: {complaint}");
            // The allocator tells of its own thread too.
            let ours: Vec<&str> = complaint
                .lines()
                .filter(|line| !line.starts_with("<jemalloc>"))
                .collect();
            assert!(ours.len() == 1 && ours[0].contains("the system refuses"), "{complaint}");
            refusals += 1;
        }
        serves
    });
    assert!(refusals > 5, "{refusals}");
    // Two more are for what is started after that line, and for the second signal.
    let threads = served.unwrap() + 2;
    let mut served = served_by(program_within(threads, &executable, &directory));
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(served.address)).collect();
    for client in &mut clients {
        client.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    served.running.complains("refuses another thread");
    drop(release);
    for client in &mut clients {
        assert_eq!(client.answer_to("GET").status, 200);
    }
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(!ended.stderr.iter().any(|line| line.contains("panic")), "{ended:?}");
}

// ---- Memory ----

/// MiB of a gateway's memory that are in RAM.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn resident(served: &Served) -> f64 {
    metrics_at(served.admin)["process_resident_memory_bytes"] / 1024.0 / 1024.0
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn what_a_flood_took_of_the_memory_is_given_back() {
    const CLIENTS: usize = 100;
    /// The system takes some 3 MB of each, and a destination has no more than seven eighths of the workers.
    const ANSWER: usize = 7_000_000;
    const LENGTH: usize = 2_500_000;
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + ANSWER, b'x');
    let endpoint = Endpoint::answering(answer);
    let directory = Directory::of(&pass_everything(endpoint.address));
    let served = serve(&directory, &[]);
    let mut cut = format!("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n").into_bytes();
    cut.resize(cut.len() + LENGTH - 1, b'x');
    let unread = b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
    for request in [&unread, &cut, &cut, &unread] {
        let clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(served.address)).collect();
        for client in &clients {
            set_socket_recv_buffer_size(&client.stream, 4096).unwrap();
            // For some there is no memory, and they may be gone before they have said all.
            let _ = (&client.stream).write_all(request);
        }
        wait_until("the memory is taken", || resident(&served) > 100.0);
        drop(clients);
        wait_until("the memory is given back", || resident(&served) <= 60.0);
    }
}
