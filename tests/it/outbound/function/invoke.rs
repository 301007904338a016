//! An invocation tells a function what Lambda tells, runs within its concurrency, and has a largest size.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use apigateway::http1::message::{Client, ClientConnection};
use apigateway::outbound::function::{Definition, FunctionError, Functions, Invocation, MAX_PAYLOAD_LENGTH, Settings};
use serde_json::{Value, json};

use super::ACCEPTED;
use crate::support::directory::Directory;
use crate::support::local_function::{Local, concurrency, definition, local};
use crate::support::{runtime, rust_function};

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
        local.functions.invoke(
            &local.definition,
            Invocation {
                event: event.to_string().into_bytes(),
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
        event: event.into_bytes(),
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
