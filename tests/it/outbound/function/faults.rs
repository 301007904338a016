//! A function or a runtime that does wrong fails its own event, and the next event is answered.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::outbound::function::FunctionError;
use serde_json::json;

use super::ACCEPTED;
use crate::support::local_function::{local, starting, wait_for_end};
use crate::support::log;
use crate::support::runtime::Api;

const WRONG_ID: &str = r#"400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#;

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
