//! Functions that run as child processes: what they are given, and what comes of all that can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use apigateway::function::{Answer, Definition, FunctionError, Functions, Invocation, MAX_PAYLOAD_LENGTH, Settings};
use apigateway::message::{Client, ClientConnection};
use apigateway::resource::ROOT_NAMES;
use apigateway::signals::StopSignals;
use serde_json::{Value, json};

use crate::support::directory::Directory;
use crate::support::log;
use crate::support::runtime::{self, Api};
use crate::support::rust_function;

/// A gateway's functions, and one of them.
struct Local {
    functions: Arc<Functions>,
    definition: Arc<Definition>,
    directory: Directory,
}

/// A function in a directory of its own, with a name of its own.
fn definition(directory: &Directory) -> Definition {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    Definition {
        name: format!("f{}x", COUNT.fetch_add(1, Ordering::Relaxed)),
        region: "eu-north-1".to_owned(),
        command: runtime::command(),
        environment: BTreeMap::new(),
        working_directory: directory.path().to_owned(),
        root: directory.path().to_owned(),
        root_names: &ROOT_NAMES,
        timeout: Duration::from_secs(20),
        concurrency: NonZeroUsize::MIN,
        memory_size: 128,
        watch: Vec::new(),
    }
}

fn functions() -> Arc<Functions> {
    log::keep();
    Functions::new(Settings {
        launcher: Some(PathBuf::from(env!("CARGO_BIN_EXE_apigateway"))),
        share: NonZeroUsize::MAX,
    })
}

fn local(change: impl FnOnce(&mut Definition)) -> Local {
    let directory = Directory::empty();
    let mut definition = definition(&directory);
    change(&mut definition);
    Local {
        functions: functions(),
        definition: Arc::new(definition),
        directory,
    }
}

fn starting(how: &'static str) -> impl FnOnce(&mut Definition) {
    move |definition| {
        definition.environment.insert("START".to_owned(), how.to_owned());
    }
}

fn concurrency(most: usize) -> impl FnOnce(&mut Definition) {
    move |definition| definition.concurrency = NonZeroUsize::new(most).unwrap()
}

impl Local {
    fn invoke_within(&self, event: &Value, timeout: Duration) -> Result<Answer, FunctionError> {
        let event = event.to_string();
        let invocation = Invocation {
            event: event.as_bytes(),
            timeout,
            trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            function_arn: "arn:aws:lambda:eu-north-1:123456789012:function:f",
            client: None,
        };
        self.functions.invoke(&self.definition, invocation)
    }

    fn invoke(&self, event: &Value) -> Result<Answer, FunctionError> {
        self.invoke_within(event, Duration::from_secs(30))
    }

    /// The answer to an event that succeeds.
    fn payload(&self, event: &Value) -> Value {
        match self.invoke(event) {
            Ok(Answer::Payload(bytes)) => serde_json::from_slice(&bytes).unwrap(),
            other => panic!("{event}: {other:?}"),
        }
    }

    /// The message of an event that fails.
    fn failure(&self, event: &Value) -> String {
        match self.invoke(event) {
            Ok(Answer::Failed { message, .. }) => {
                assert!(
                    message.starts_with(&format!("function {}: ", self.definition.name)),
                    "{message}"
                );
                message
            }
            other => panic!("{event}: {other:?}"),
        }
    }

    /// Why it does not start.
    fn reason(&self) -> String {
        match self.invoke(&json!({})) {
            Err(FunctionError::NotStarted(reason)) => {
                assert!(
                    reason.starts_with(&format!("function {}: ", self.definition.name)),
                    "{reason}"
                );
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    fn pid(&self) -> u64 {
        self.payload(&json!({}))["pid"].as_u64().unwrap()
    }

    fn verdicts(&self) -> Vec<String> {
        serde_json::from_value(self.payload(&json!({"do": "tell"}))["verdicts"].clone()).unwrap()
    }
}

/// Waits until a process is no more, not even a zombie.
fn wait_for_end(pid: u64) {
    let until = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{pid}/exe")).canonicalize().is_ok() {
        assert!(Instant::now() < until, "{pid} is still there");
        thread::sleep(Duration::from_millis(2));
    }
}

const ACCEPTED: &str = r#"202 {"status":"OK"}"#;
const WRONG_ID: &str = r#"400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#;

#[test]
fn a_function_is_told_what_lambda_tells() {
    let local = local(|definition| {
        definition.memory_size = 512;
        definition.timeout = Duration::from_secs(7);
        for (name, value) in [
            ("TABLE", "t"),
            ("TZ", "Europe/Berlin"),
            ("AWS_LAMBDA_RUNTIME_API", "nobody:1"),
        ] {
            definition.environment.insert(name.to_owned(), value.to_owned());
        }
    });
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let told = local.payload(&json!({"do": "tell", "text": "ä"}));
    assert_eq!(told["event"]["text"], "ä");
    let headers = &told["headers"];
    assert_eq!(headers["Content-Type"], "application/json");
    assert_eq!(
        headers["Lambda-Runtime-Trace-Id"],
        "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"
    );
    assert_eq!(
        headers["Lambda-Runtime-Invoked-Function-Arn"],
        "arn:aws:lambda:eu-north-1:123456789012:function:f"
    );
    let deadline: u128 = headers["Lambda-Runtime-Deadline-Ms"].as_str().unwrap().parse().unwrap();
    assert!((before + 7000..before + 17000).contains(&deadline), "{deadline}");
    let id = headers["Lambda-Runtime-Aws-Request-Id"].as_str().unwrap();
    assert_eq!((id.len(), &id[8..9], &id[14..15]), (36, "-", "4"), "{id}");
    let environment = &told["environment"];
    let name = local.definition.name.as_str();
    for (variable, expected) in [
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{name}")),
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("LAMBDA_TASK_ROOT", local.directory.path().to_str().unwrap()),
        ("_HANDLER", "--quiet"),
        ("TABLE", "t"),
        ("TZ", "Europe/Berlin"),
    ] {
        assert_eq!(environment[variable], expected, "{variable}");
    }
    assert!(
        environment["AWS_LAMBDA_RUNTIME_API"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(environment["PATH"], std::env::var("PATH").unwrap());
    let directory = local.directory.path().canonicalize().unwrap();
    assert_eq!(told["directory"], directory.to_str().unwrap());
}

#[test]
fn a_process_is_kept_for_the_next_event() {
    let local = local(concurrency(5));
    let pids: BTreeSet<u64> = (0..50).map(|_| local.pid()).collect();
    assert_eq!(pids.len(), 1, "one after another needs one process");
}

#[test]
fn what_waits_gets_a_process_up_to_the_concurrency() {
    let local = local(concurrency(3));
    let together = |count: usize| -> BTreeSet<u64> {
        let sleep = json!({"do": "sleep", "number": 300});
        thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .map(|_| scope.spawn(|| local.payload(&sleep)["pid"].as_u64().unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    assert_eq!(together(3).len(), 3);
    let began = Instant::now();
    assert_eq!(together(9).len(), 3);
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "more than one event at a time"
    );
}

#[test]
fn many_at_once_are_all_answered_with_their_own() {
    let local = local(concurrency(4));
    thread::scope(|scope| {
        for client in 0..32 {
            let local = &local;
            scope.spawn(move || {
                for number in 0..50 {
                    let event = json!({"client": client, "mine": number});
                    assert_eq!(local.payload(&event)["event"], event);
                }
            });
        }
    });
}

#[test]
fn large_events_arrive_and_larger_ones_do_not() {
    let local = local(|_| {});
    let text = "a".repeat(MAX_PAYLOAD_LENGTH - 100);
    assert_eq!(local.payload(&json!({"text": text}))["event"]["text"], text);
    let text = "a".repeat(MAX_PAYLOAD_LENGTH);
    assert_eq!(local.invoke(&json!({"text": text})), Err(FunctionError::TooLarge));
}

#[test]
fn an_answer_over_6_mb_is_a_failure_and_the_process_goes_on() {
    let local = local(|_| {});
    let pid = local.pid();
    let message = local.failure(&json!({"do": "large", "number": 7 * 1024 * 1024}));
    assert!(
        message.ends_with("its answer is larger than 6291556 bytes"),
        "{message}"
    );
    let verdicts = local.verdicts();
    assert!(
        verdicts[1].starts_with("413 ") && verdicts[1].contains("RequestEntityTooLarge"),
        "{verdicts:?}"
    );
    assert_eq!(local.pid(), pid);
}

#[test]
fn an_error_of_the_handler_is_a_failure_and_the_process_goes_on() {
    let local = local(|_| {});
    let pid = local.pid();
    let message = local.failure(&json!({"do": "error"}));
    assert!(message.ends_with("ValueError: bad\\nluck"), "{message}");
    assert_eq!(local.pid(), pid);
    assert_eq!(local.verdicts(), [ACCEPTED, ACCEPTED, ACCEPTED]);
}

#[test]
fn a_process_that_ends_while_it_works_is_a_failure_and_another_comes() {
    let local = local(|_| {});
    let pid = local.pid();
    let message = local.failure(&json!({"do": "exit", "number": 7}));
    assert!(
        message.ends_with("its process exited with status 7; the last that it printed: out of luck"),
        "{message}"
    );
    assert_ne!(local.pid(), pid);
}

#[test]
fn a_process_that_takes_too_long_is_killed_and_another_comes() {
    let local = local(|definition| definition.timeout = Duration::from_secs(1));
    let pid = local.pid();
    let began = Instant::now();
    let message = local.failure(&json!({"do": "sleep", "number": 60_000}));
    assert!(message.ends_with("Task timed out after 1.00 seconds"), "{message}");
    assert!((1000..5000).contains(&began.elapsed().as_millis()));
    assert_ne!(local.pid(), pid);
    wait_for_end(pid);
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped_and_the_process_is_free_again() {
    let local = local(|_| {});
    let pid = local.pid();
    let event = json!({"do": "sleep", "number": 400});
    assert_eq!(
        local.invoke_within(&event, Duration::from_millis(100)),
        Err(FunctionError::TimedOut)
    );
    // This one waits in the queue in vain, unless the process is so late that it is still to be started.
    assert!(matches!(
        local.invoke_within(&event, Duration::from_millis(100)),
        Err(FunctionError::Busy {
            begun_after: None,
            processes: NonZeroUsize::MIN
        } | FunctionError::TimedOut)
    ));
    assert_eq!(local.pid(), pid);
    assert_eq!(local.verdicts(), [ACCEPTED; 3]);
}

#[test]
fn a_second_answer_and_a_wrong_id_are_refused() {
    let local = local(|_| {});
    local.payload(&json!({"do": "twice"}));
    let verdicts = local.verdicts();
    assert_eq!(verdicts[0], ACCEPTED);
    assert!(
        verdicts[1].starts_with("403 ") && verdicts[1].contains("InvalidStateTransition"),
        "{verdicts:?}"
    );
    assert_eq!(verdicts[2], WRONG_ID);
}

#[test]
fn a_runtime_that_asks_again_without_an_answer_has_failed() {
    let local = local(|_| {});
    let message = local.failure(&json!({"do": "forget"}));
    assert!(
        message.ends_with("its runtime asked for another event without an answer"),
        "{message}"
    );
    local.pid();
}

#[test]
fn answers_in_chunks_after_a_continue_and_with_trailers_are_read() {
    let local = local(|_| {});
    let head = "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\n";
    let chunked =
        format!("{head}Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n");
    let raw = |request: String, after: &str| json!({"do": "raw", "request": request, "after": after});
    assert_eq!(
        local.payload(&raw(format!("{chunked}2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"), "")),
        json!([1, 2])
    );
    let trailer = "0\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\r\n";
    let message = local.failure(&raw(format!("{chunked}2\r\n[1\r\n{trailer}"), ""));
    assert!(
        message.ends_with("its streamed answer broke off: Runtime.StreamError"),
        "{message}"
    );
    let expecting = format!("{head}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(local.payload(&raw(expecting, "[3]")), json!([3]));
    assert_eq!(local.verdicts(), [ACCEPTED; 3]);
}

#[test]
fn what_is_no_request_is_refused_and_named_in_the_log() {
    let local = local(|_| {});
    let pid = local.payload(&json!({"do": "garbage"}))["pid"].clone();
    let verdicts = local.verdicts();
    assert!(verdicts[0].starts_with("400 "), "{verdicts:?}");
    log::wait_for(&[&format!("function {}: ", local.definition.name), "what is no request"]);
    assert_eq!(local.pid(), pid.as_u64().unwrap());
}

#[test]
fn paths_that_are_not_the_api_s_are_not_found() {
    let local = local(|_| {});
    let address = local.payload(&json!({"do": "tell"}))["environment"]["AWS_LAMBDA_RUNTIME_API"].clone();
    let mut api = Api::connect_to(address.as_str().unwrap());
    for (request, status) in [
        ("GET /", 404),
        ("GET /2018-06-01/runtime/invocation", 404),
        ("POST /2018-06-01/runtime/invocation/next", 404),
        ("POST /2018-06-01/runtime/invocation/x/y", 404),
        ("DELETE /2018-06-01/runtime/invocation/next", 405),
        ("POST /2018-06-01/runtime/invocation/x/error", 400),
        ("POST /2018-06-01/runtime/init/error", 403),
    ] {
        api.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(api.receive().unwrap().status, status, "{request}");
    }
    // Connections are bounded, and those that are too many do no harm.
    let many: Vec<Api> = (0..100).map(|_| Api::connect_to(address.as_str().unwrap())).collect();
    local.pid();
    drop(many);
}

#[test]
fn what_does_not_start_is_told_with_its_cause_and_not_tried_at_once_again() {
    let exits = local(starting("exit"));
    let reason = exits.reason();
    let expected = "its process has not asked for an event: exited with status 3; \
                    the last that it printed: no module named app";
    assert!(reason.ends_with(expected), "{reason}");
    let name = format!("function {}: ", exits.definition.name);
    for _ in 0..1000 {
        exits.reason();
    }
    assert!(
        log::lines_with(&format!("{name}no module named app")).len() < 20,
        "it is started over and over"
    );

    let reports = local(starting("init-error"));
    let reason = reports.reason();
    assert!(
        reason.ends_with("cannot start: Runtime.ImportModuleError: no module named app"),
        "{reason}"
    );
    log::wait_for(&[&format!("function {}: init error: {ACCEPTED}", reports.definition.name)]);

    let missing = local(|definition| definition.command = vec!["no-such-command".to_owned()]);
    let reason = missing.reason();
    assert!(
        reason.contains("no-such-command cannot be run: No such file"),
        "{reason}"
    );

    // Code that only defines a handler ends without a complaint.
    let script = local(|definition| definition.command = vec!["true".to_owned()]);
    let reason = script.reason();
    assert!(
        reason.contains("exited with status 0; the Command must start a runtime client"),
        "{reason}"
    );

    let nowhere = local(|definition| definition.working_directory = PathBuf::from("/no/such/directory"));
    let reason = nowhere.reason();
    assert!(
        reason.contains("its working directory /no/such/directory is not there"),
        "{reason}"
    );
}

#[test]
fn a_runtime_that_never_asks_is_given_up() {
    let local = local(starting("sleep"));
    let began = Instant::now();
    assert_eq!(
        local.invoke_within(&json!({}), Duration::from_millis(200)),
        Err(FunctionError::NotReady)
    );
    let reason = local.reason();
    assert!(reason.ends_with("has not asked for an event within 10 s"), "{reason}");
    assert!((9..15).contains(&began.elapsed().as_secs()));
}

#[test]
fn without_a_launcher_a_function_runs_as_well() {
    let mut local = local(|_| {});
    local.functions = Functions::new(Settings {
        launcher: None,
        share: NonZeroUsize::MAX,
    });
    local.pid();
    local.definition = Arc::new(Definition {
        command: vec!["./no-such-command".to_owned()],
        ..(*local.definition).clone()
    });
    let reason = local.reason();
    assert!(
        reason.contains("no-such-command cannot be run: No such file"),
        "{reason}"
    );
}

#[test]
fn a_program_below_the_working_directory_is_found_there() {
    let local = local(|definition| {
        let run = definition.command[1..].join(" ");
        let script = format!("#!/bin/sh\nexec '{}' {run}\n", definition.command[0]);
        let path = definition.working_directory.join("bootstrap");
        std::fs::write(&path, script).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        definition.command = vec!["./bootstrap".to_owned()];
    });
    assert_eq!(
        local.payload(&json!({"do": "tell"}))["environment"]["_HANDLER"],
        "./bootstrap"
    );
}

#[test]
fn a_function_that_prints_a_lot_is_slowed_by_nothing_and_fills_nothing() {
    let local = local(|_| {});
    let began = Instant::now();
    // 256 MiB.
    local.payload(&json!({"do": "print", "number": 256 * 1024}));
    let name = format!("function {}: ", local.definition.name);
    let logged = log::lines_with(&name).len();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!(logged > 100 && logged <= 600 * seconds, "{logged} lines in {seconds} s");
    log::wait_for(&[&name, "lines are left out"]);
}

#[test]
fn a_change_of_a_source_file_restarts_and_what_works_is_let_finish() {
    let local = local(|_| {});
    local.directory.write("app.py", "one");
    for left_out in [
        ".git/index",
        "node_modules/a.js",
        "__pycache__/a.pyc",
        "env/pyvenv.cfg",
        "env/lib/a.py",
        "b.py~",
    ] {
        local.directory.write(left_out, "one");
    }
    settle();
    let pid = local.pid();
    local.functions.look_for_changes(None);
    assert_eq!(local.pid(), pid);
    for left_out in [
        ".git/index",
        "node_modules/a.js",
        "__pycache__/a.pyc",
        "env/lib/a.py",
        "b.py~",
    ] {
        local.directory.write(left_out, "another");
    }
    local.functions.look_for_changes(None);
    assert_eq!(local.pid(), pid);
    thread::scope(|scope| {
        let slow = scope.spawn(|| local.payload(&json!({"do": "sleep", "number": 500})));
        thread::sleep(Duration::from_millis(200));
        local.directory.write("app.py", "two");
        settle();
        next_look(&local.functions);
        // The old process still works, and takes nothing new.
        assert_ne!(local.pid(), pid);
        assert_eq!(slow.join().unwrap()["pid"], pid);
    });
    wait_for_end(pid);
}

/// Lets the files grow older than what a time stamp can tell apart.
fn settle() {
    thread::sleep(Duration::from_millis(40));
}

/// A look is left out soon after one that took long.
fn next_look(functions: &Functions) {
    for _ in 0..10 {
        functions.look_for_changes(None);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn watch_names_what_counts_instead() {
    let local = local(|definition| definition.watch = vec!["lib".into(), "one.json".into()]);
    for file in ["app.py", "lib/a.py", "one.json"] {
        local.directory.write(file, "one");
    }
    settle();
    let pid = local.pid();
    local.directory.write("app.py", "another");
    next_look(&local.functions);
    assert_eq!(local.pid(), pid);
    // What changes while it works may be its own doing.
    settle();
    local.directory.write("lib/b.py", "new");
    settle();
    next_look(&local.functions);
    let second = local.pid();
    assert_ne!(second, pid);
    settle();
    local.directory.remove("one.json");
    next_look(&local.functions);
    assert_ne!(local.pid(), second);
}

#[test]
fn a_change_ends_the_pause_after_a_failed_start() {
    let local = local(|definition| definition.command = vec!["sh".to_owned(), "./run.sh".to_owned()]);
    settle();
    for _ in 0..3 {
        local.reason();
        thread::sleep(Duration::from_millis(120));
    }
    let command: Vec<String> = runtime::command().iter().map(|word| format!("'{word}'")).collect();
    local.directory.write("run.sh", &format!("exec {}", command.join(" ")));
    settle();
    next_look(&local.functions);
    local.pid();
}

#[test]
fn a_stop_kills_all_that_was_started() {
    let local = local(concurrency(2));
    let started = local.payload(&json!({"do": "start"}));
    let (pid, child) = (started["pid"].as_u64().unwrap(), started["child"].as_u64().unwrap());
    thread::scope(|scope| {
        let slow = scope.spawn(|| local.invoke(&json!({"do": "sleep", "number": 60_000})));
        thread::sleep(Duration::from_millis(100));
        local.functions.stop();
        assert_eq!(slow.join().unwrap(), Err(FunctionError::Stopped));
    });
    assert_eq!(local.invoke(&json!({})), Err(FunctionError::Stopped));
    wait_for_end(pid);
    wait_for_end(child);
}

#[test]
fn what_is_dropped_is_stopped() {
    let local = local(|_| {});
    let pid = local.pid();
    drop(local);
    wait_for_end(pid);
}

#[test]
fn the_end_of_a_process_takes_with_it_what_it_has_started() {
    let local = local(|_| {});
    let child = local.payload(&json!({"do": "start"}))["child"].as_u64().unwrap();
    local.failure(&json!({"do": "exit", "number": 1}));
    wait_for_end(child);
}

#[test]
fn only_what_is_deployed_is_kept() {
    let one = local(|_| {});
    let directory = Directory::empty();
    let other = Local {
        functions: Arc::clone(&one.functions),
        definition: Arc::new(definition(&directory)),
        directory,
    };
    let (pid, other_pid) = (one.pid(), other.pid());
    assert_ne!(pid, other_pid);
    // An equal definition is the same function.
    let kept = Arc::new((*one.definition).clone());
    thread::scope(|scope| {
        let slow = scope.spawn(|| other.payload(&json!({"do": "sleep", "number": 400})));
        thread::sleep(Duration::from_millis(150));
        one.functions.keep_only(&[Arc::clone(&kept)]);
        assert_eq!(slow.join().unwrap()["pid"], other_pid);
    });
    wait_for_end(other_pid);
    assert_eq!(one.pid(), pid);
    // A request of the deployment before.
    let late = other.pid();
    wait_for_end(late);
    one.functions.look_for_changes(None);
    // A deployment that has it again.
    one.functions.keep_only(&[kept, Arc::clone(&other.definition)]);
    assert_eq!(other.pid(), other.pid());
    assert_eq!(one.pid(), pid);
}

#[test]
fn functions_do_not_harm_one_another() {
    let good = local(|_| {});
    let mut bad = local(|definition| definition.timeout = Duration::from_secs(2));
    bad.functions = Arc::clone(&good.functions);
    let pid = good.pid();
    thread::scope(|scope| {
        let bad = &bad;
        for event in [
            json!({"do": "exit", "number": 1}),
            json!({"do": "sleep", "number": 9000}),
        ] {
            scope.spawn(move || bad.failure(&event));
        }
        for _ in 0..200 {
            assert_eq!(good.pid(), pid);
        }
    });
    // Nor can the one answer what the other was asked.
    let address = good.payload(&json!({"do": "tell"}))["environment"]["AWS_LAMBDA_RUNTIME_API"].clone();
    let bad_address = bad.payload(&json!({"do": "tell"}))["environment"]["AWS_LAMBDA_RUNTIME_API"].clone();
    assert_ne!(address, bad_address);
}

/// Somebody who has gone.
#[derive(Debug)]
struct Gone;

impl ClientConnection for Gone {
    fn is_gone(&self) -> bool {
        true
    }
}

/// Contract §3: a function's invocation that has begun runs on; one that waits for a process is not begun.
#[test]
fn an_invocation_whose_client_is_gone_runs_on_if_it_has_begun() {
    let local = local(|_| {});
    let pid = local.pid();
    let gone: Arc<dyn ClientConnection> = Arc::new(Gone);
    let start = Instant::now();
    let invoke = |event: &Value| {
        let event = event.to_string();
        local.functions.invoke(
            &local.definition,
            Invocation {
                event: event.as_bytes(),
                timeout: Duration::from_secs(30),
                trace_id: "",
                function_arn: "",
                client: Some(Client::of(Arc::downgrade(&gone))),
            },
        )
    };
    // The second waits for the process, which the first has for itself.
    let begun = invoke(&json!({"do": "sleep", "number": 3_000}));
    let waiting = invoke(&json!({"do": "exit", "number": 7}));
    assert_eq!(
        (begun, waiting),
        (Err(FunctionError::ClientGone), Err(FunctionError::ClientGone))
    );
    assert!(start.elapsed() < Duration::from_secs(3), "somebody was waited for");
    // It waits until the first has ended. Had the second begun, the process would be another one.
    assert_eq!(local.pid(), pid);
    assert!(start.elapsed() >= Duration::from_secs(3), "the first was cut");
}

#[test]
fn too_many_that_wait_are_throttled() {
    let local = local(|_| {});
    local.pid();
    let event = json!({"do": "sleep", "number": 60_000, "text": "a".repeat(5 * 1024 * 1024)}).to_string();
    let invocation = Invocation {
        event: event.as_bytes(),
        timeout: Duration::from_secs(60),
        trace_id: "",
        function_arn: "",
        client: None,
    };
    let (sender, outcomes) = channel();
    thread::scope(|scope| {
        for _ in 0..20 {
            let (local, sender) = (&local, sender.clone());
            let invocation = invocation.clone();
            scope.spawn(move || sender.send(local.functions.invoke(&local.definition, invocation)));
        }
        // One is worked on, and 64 MB may wait.
        for _ in 0..7 {
            let outcome = outcomes.recv().unwrap();
            assert!(matches!(outcome, Err(FunctionError::Throttled { .. })), "{outcome:?}");
        }
        local.functions.stop();
        for _ in 0..13 {
            assert_eq!(outcomes.recv().unwrap(), Err(FunctionError::Stopped));
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_function_that_hangs_holds_its_share_of_the_workers() {
    const SHARE: usize = 3;
    let mut local = local(concurrency(2));
    let settings = Settings {
        launcher: None,
        share: NonZeroUsize::new(SHARE).unwrap(),
    };
    let other = Arc::new(definition(&local.directory));
    local.functions = Functions::new(settings);
    let (sender, outcomes) = channel();
    let sleep = json!({"do": "sleep", "number": 60_000});
    thread::scope(|scope| {
        for _ in 0..10 {
            let (local, sender, sleep) = (&local, sender.clone(), &sleep);
            scope.spawn(move || sender.send(local.invoke(sleep)));
        }
        let overloaded = FunctionError::Overloaded(NonZeroUsize::new(SHARE).unwrap());
        for _ in SHARE..10 {
            assert_eq!(outcomes.recv().unwrap(), Err(overloaded.clone()));
        }
        // Its next version, while they still wait for this one, is the same function.
        let changed = Local {
            functions: Arc::clone(&local.functions),
            definition: Arc::new(Definition {
                memory_size: 256,
                ..(*local.definition).clone()
            }),
            directory: Directory::empty(),
        };
        assert_eq!(changed.invoke(&json!({})), Err(overloaded));
        // Another one is not.
        let other = Local {
            functions: Arc::clone(&local.functions),
            definition: other,
            directory: Directory::empty(),
        };
        other.pid();
        local.functions.stop();
        for _ in 0..SHARE {
            assert_eq!(outcomes.recv().unwrap(), Err(FunctionError::Stopped));
        }
    });
}

#[test]
fn a_function_blocks_no_signals_though_the_gateway_does() {
    let _blocked = StopSignals::block().unwrap();
    let local = local(|_| {});
    let status = local.payload(&json!({"do": "tell"}))["status"].clone();
    let line = status
        .as_str()
        .unwrap()
        .lines()
        .find(|line| line.starts_with("SigBlk:"))
        .unwrap()
        .to_owned();
    assert_eq!(line.trim_start_matches("SigBlk:").trim(), "0000000000000000");
}

/// The life of a gateway that will be killed.
pub fn run_until_killed(directory: PathBuf) {
    let mut local = local(|definition| definition.working_directory = directory);
    local.functions = functions();
    local
        .invoke(&json!({"do": "sleep", "number": 60_000, "file": "pid"}))
        .unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_gateway_that_is_killed_takes_its_functions_with_it() {
    let directory = Directory::empty();
    let mut gateway = Command::new(std::env::current_exe().unwrap())
        .args([runtime::GATEWAY, "--exact", "--quiet"])
        .env("RUN_FUNCTION_IN", directory.path())
        .spawn()
        .unwrap();
    let pid = loop {
        let text = std::fs::read_to_string(directory.path().join("pid")).unwrap_or_default();
        if let Some(pid) = text.strip_suffix('\n') {
            break pid.parse().unwrap();
        }
        assert!(gateway.try_wait().unwrap().is_none(), "it has ended by itself");
        thread::sleep(Duration::from_millis(5));
    };
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    wait_for_end(pid);
}

#[test]
fn the_runtime_client_of_aws_for_rust_works() {
    let local = local(|definition| definition.command = runtime::command_of(rust_function::TEST));
    let event = |parameters: Value| {
        json!({
            "version": "2.0",
            "routeKey": "GET /pets/{id}",
            "rawPath": "/pets/7",
            "rawQueryString": "q=1",
            "headers": {"host": "api.example.com"},
            "queryStringParameters": {"q": "1"},
            "pathParameters": parameters,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "http": {"method": "GET", "path": "/pets/7", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "stage": "$default",
                "time": "10/Jul/2026:19:19:05 +0000",
                "timeEpoch": 1_783_711_145_000_u64
            },
            "isBase64Encoded": false
        })
    };
    for _ in 0..3 {
        let answer = local.payload(&event(json!({"id": "7"})));
        assert_eq!(answer["statusCode"], 201);
        assert_eq!(answer["headers"]["x-kind"], "rust");
        assert_eq!(answer["body"], "GET 7 Some(\"1\")");
        let message = local.failure(&event(json!({})));
        assert!(message.ends_with(": there is no id"), "{message}");
    }
}
