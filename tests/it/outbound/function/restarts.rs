//! A function is restarted for edits of its code alone, in a root where gateway and programs write too.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ask, scripted, told, wait_for};
use crate::support::client::PATIENCE;
use crate::support::directory::{Directory, lambda_proxy, route};
use crate::support::program::{Served, program, serve, served_by};
use crate::support::runtime;

/// An API with the function `f`, and with `marker`, which runs in a directory elsewhere.
struct Api {
    root: Directory,
    marker: Directory,
}

impl std::ops::Deref for Api {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.root
    }
}

fn api(fields: Value) -> Api {
    let root = Directory::of(&[("stages/$default.json", json!({"Name": "$default"}))]);
    let marker = Directory::empty();
    add(&root, "f", fields);
    marker.write("app.py", "0");
    add(&root, "marker", json!({"WorkingDirectory": marker.path()}));
    root.write("app.py", "one");
    Api { root, marker }
}

fn add(directory: &Directory, name: &str, fields: Value) {
    directory.write(&format!("functions/{name}.json"), &scripted(fields).to_string());
    directory.write(
        &format!("integrations/{name}.json"),
        &lambda_proxy(name, "2.0").to_string(),
    );
    directory.write(
        &format!("routes/{name}.json"),
        &route(&format!("ANY /{name}"), name).to_string(),
    );
}

/// The process that answers.
fn pid(address: SocketAddr, target: &str) -> u64 {
    told(&ask(address, target, &json!({})))["pid"].as_u64().unwrap()
}

/// Waits until the gateway has looked at the files, which it shows by restarting the function `marker`.
fn looked_at(address: SocketAddr, api: &Api) {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let before = pid(address, "/marker");
    settle();
    api.marker
        .write("app.py", &COUNT.fetch_add(1, Ordering::SeqCst).to_string());
    restarted(address, "/marker", before);
}

/// Waits until another process answers; returns it.
fn restarted(address: SocketAddr, target: &str, before: u64) -> u64 {
    // What changes just before it works cannot be told from what changes while it does.
    settle();
    let until = Instant::now() + PATIENCE;
    loop {
        match pid(address, target) {
            same if same == before => assert!(Instant::now() < until, "{target} is not restarted"),
            other => return other,
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What is written after it is not written while a function works, by the clock of a file system.
fn settle() {
    thread::sleep(Duration::from_millis(60));
}

#[test]
fn an_edit_restarts_and_the_log_names_the_file() {
    let directory = api(json!({}));
    directory.write("lib/pets.py", "one");
    directory.write("config.txt", "one");
    let mut served = serve(&directory, &[]);
    let mut before = pid(served.address, "/f");
    for file in ["app.py", "lib/pets.py", "config.txt"] {
        settle();
        directory.write(file, "another");
        let line = served
            .running
            .complains(&format!("function f: {file} has changed, so it is started anew"));
        let now = pid(served.address, "/f");
        assert_ne!(now, before, "{line}");
        before = now;
    }
}

/// Also an edit while it works: nobody writes his own code.
#[test]
fn code_restarts_whenever_it_is_edited_and_whatever_its_name() {
    let directory = api(json!({}));
    let words: Vec<String> = runtime::command().iter().map(|word| format!("'{word}'")).collect();
    let script = |comment: &str| format!("# {comment}\nexec {}\n", words.join(" "));
    directory.write("start", &script("one"));
    add(&directory, "f", json!({"Command": ["sh", "start"]}));
    let elsewhere = Directory::empty();
    let (begun, release) = (elsewhere.path().join("begun"), elsewhere.path().join("release"));
    let mut served = serve(&directory, &[]);
    let address = served.address;
    let before = pid(address, "/f");
    thread::scope(|scope| {
        let event = json!({"do": "wait", "begun": begun, "file": release});
        let at_work = scope.spawn(move || told(&ask(address, "/f", &event))["pid"].as_u64().unwrap());
        wait_for(&begun);
        directory.write("start", &script("another"));
        served
            .running
            .complains("function f: start has changed, so it is started anew");
        // It is let finish, and takes nothing new.
        assert_ne!(pid(address, "/f"), before);
        std::fs::write(&release, "").unwrap();
        assert_eq!(at_work.join().unwrap(), before);
        assert_ne!(pid(address, "/f"), before);
    });
}

/// Its outputs are known by what they are, not by their names, also when they are moved away.
#[test]
fn the_gateway_s_own_outputs_in_the_root_restart_nothing() {
    let directory = api(json!({}));
    let requests = directory.path().join("requests.txt");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(directory.path()).arg("--access-log").arg(&requests);
    command.stderr(File::create(directory.path().join("gateway.txt")).unwrap());
    let served = served_by(command);
    let first = pid(served.address, "/f");
    for _ in 0..2 {
        looked_at(served.address, &directory);
        assert_eq!(pid(served.address, "/f"), first);
    }
    std::fs::rename(&requests, directory.path().join("requests.before.txt")).unwrap();
    std::fs::rename(
        directory.path().join("gateway.txt"),
        directory.path().join("gateway.before.txt"),
    )
    .unwrap();
    served.running.signal(Signal::USR1);
    wait_for(&requests);
    for _ in 0..2 {
        looked_at(served.address, &directory);
        assert_eq!(pid(served.address, "/f"), first);
    }
}

#[test]
fn what_programs_write_restarts_nothing() {
    let directory = api(json!({}));
    let served = serve(&directory, &[]);
    let first = pid(served.address, "/f");
    let files = [
        "app.log",
        "app.log.1",
        "db.sqlite3",
        "db.sqlite3-journal",
        "pets.db",
        "pets.db-wal",
        "cache/page",
        "tmp/upload",
        "a.pid",
        "yarn.lock",
        "__pycache__/app.pyc",
        "x.swp",
        "made/CACHEDIR.TAG",
        "made/thing.txt",
    ];
    for content in ["one", "another"] {
        settle();
        for file in files {
            directory.write(file, content);
        }
        looked_at(served.address, &directory);
        assert_eq!(pid(served.address, "/f"), first);
    }
}

#[test]
fn what_a_function_writes_while_it_works_restarts_neither_it_nor_its_neighbour() {
    let directory = api(json!({}));
    add(&directory, "neighbour", json!({}));
    let served = serve(&directory, &[]);
    let address = served.address;
    let write = |name: &str, text: &str| {
        let event = json!({"do": "write", "file": directory.path().join(name), "text": text});
        told(&ask(address, "/f", &event))["pid"].as_u64().unwrap()
    };
    let (first, neighbour) = (write("output.txt", "0"), pid(address, "/neighbour"));
    for text in ["1", "22"] {
        assert_eq!(write("output.txt", text), first);
        assert_eq!(write(&format!("output-{text}.json"), text), first);
        looked_at(address, &directory);
        assert_eq!((pid(address, "/f"), pid(address, "/neighbour")), (first, neighbour));
    }
    // What it deletes is gone by its own doing too.
    let file = directory.path().join("output.txt");
    told(&ask(address, "/f", &json!({"do": "remove", "file": file})));
    looked_at(address, &directory);
    assert_eq!((pid(address, "/f"), pid(address, "/neighbour")), (first, neighbour));
    // The same file, but by somebody else.
    settle();
    directory.write("output-1.json", "333");
    restarted(address, "/f", first);
}

#[test]
fn what_a_function_writes_while_it_starts_restarts_nothing() {
    let directory = api(json!({}));
    let made = directory.path().join("made.json");
    let variables = json!({"START": "write", "START_IN": made});
    add(&directory, "f", json!({"Environment": variables}));
    let served = serve(&directory, &[]);
    let first = pid(served.address, "/f");
    assert_eq!(std::fs::read_to_string(&made).unwrap(), first.to_string());
    looked_at(served.address, &directory);
    assert_eq!(pid(served.address, "/f"), first);
}

/// A control plane writes into them.
#[test]
fn the_api_s_resources_restart_nothing_but_code_beside_them_does() {
    let directory = api(json!({}));
    directory.write("api.json", r#"{"Name": "pets"}"#);
    directory.write("functions/pets/app.py", "one");
    let served = serve(&directory, &[]);
    let first = pid(served.address, "/f");
    settle();
    directory.write("api.json", r#"{"Name": "cats"}"#);
    directory.write("routes/more.json", &route("GET /more", "f").to_string());
    directory.write("routes/notes.txt", "x");
    directory.write("stages/beta.json", r#"{"Name": "beta"}"#);
    directory.write("credentials.json", r#"{"Credentials": []}"#);
    add(&directory, "other", json!({"InvokeUri": null}));
    for file in [
        "apis/a/routes/x.json",
        "apis/.b/api.json",
        "domains/x.json",
        "deployments/x.json",
        "vpclinks/x.json",
    ] {
        directory.write(file, "{}");
    }
    // The new route is there, so the files were read.
    let until = Instant::now() + PATIENCE;
    while ask(served.address, "/other", &json!({})).status == 404 {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(20));
    }
    looked_at(served.address, &directory);
    assert_eq!(pid(served.address, "/f"), first);
    directory.remove("routes/more.json");
    looked_at(served.address, &directory);
    assert_eq!(pid(served.address, "/f"), first);
    settle();
    directory.write("functions/pets/app.py", "another");
    restarted(served.address, "/f", first);
}

#[test]
fn what_watch_names_itself_counts_whatever_its_name() {
    let directory = api(json!({"Watch": ["rules.db", "routes"]}));
    directory.write("rules.db", "one");
    let served = serve(&directory, &[]);
    let mut before = pid(served.address, "/f");
    for file in ["rules.db", "routes/notes.txt"] {
        settle();
        directory.write(file, "another");
        before = restarted(served.address, "/f", before);
    }
    settle();
    directory.write("app.py", "another");
    looked_at(served.address, &directory);
    assert_eq!(pid(served.address, "/f"), before);
}

fn started_in(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("started-")).count()
}

#[test]
fn a_process_that_is_still_starting_answers_one_event_before_it_is_restarted() {
    let elsewhere = Directory::empty();
    let variables = json!({"START": "wait", "START_IN": elsewhere.path()});
    let directory = api(json!({"Environment": variables}));
    let served = serve(&directory, &[]);
    let address = served.address;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pid(address, "/f"));
        let until = Instant::now() + PATIENCE;
        while started_in(elsewhere.path()) == 0 {
            assert!(Instant::now() < until, "it does not start");
            thread::sleep(Duration::from_millis(2));
        }
        for text in ["two", "three"] {
            directory.write("app.py", text);
            looked_at(address, &directory);
        }
        elsewhere.write("go", "");
        let first = waiting.join().unwrap();
        assert_eq!(started_in(elsewhere.path()), 1, "another one was started");
        assert_ne!(pid(address, "/f"), first, "it is outdated");
    });
}

#[test]
fn restarts_are_bounded_and_a_warning_tells_of_the_file_and_of_watch() {
    let directory = api(json!({}));
    let mut served: Served = serve(&directory, &[]);
    let (address, done) = (served.address, AtomicBool::new(false));
    let began = Instant::now();
    let (written, until) = (&done, began + 3 * PATIENCE);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if written.load(Ordering::SeqCst) || Instant::now() > until {
                    return;
                }
                directory.write("data.txt", &number.to_string());
                settle();
                pid(address, "/f");
                settle();
            }
        });
        let warning = served.running.complains("has caused 3 restarts one after the other");
        assert!(
            warning.contains("data.txt") && warning.contains("Watch in functions/f.json"),
            "{warning}"
        );
        served.running.complains("since there were so many restarts before");
        done.store(true, Ordering::SeqCst);
    });
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let restarts = ended
        .stderr
        .iter()
        .filter(|line| line.contains("so it is started anew"))
        .count();
    let most = 5 + began.elapsed().as_secs() / 10 + 1;
    assert!(u64::try_from(restarts).unwrap() <= most, "{restarts} restarts");
}
