//! Runs a function in a child process, without a gateway before it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::definition::unit::ROOT_NAMES;
use apigateway::outbound::function::{Answer, Definition, FunctionError, Functions, Invocation, Settings};
use serde_json::{Value, json};

use crate::support::directory::Directory;
use crate::support::{log, runtime};

/// A gateway's functions, and one of them.
pub struct Local {
    pub functions: Arc<Functions>,
    pub definition: Arc<Definition>,
    pub directory: Directory,
}

/// A function in a directory of its own, with a name of its own.
pub fn definition(directory: &Directory) -> Definition {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    Definition {
        name: format!("f{}x", COUNT.fetch_add(1, Ordering::Relaxed)),
        region: "eu-north-1".to_owned(),
        command: runtime::command(),
        managed: None,
        layers: Vec::new(),
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

pub fn functions() -> Arc<Functions> {
    log::keep();
    Functions::new(Settings {
        launcher: Some(PathBuf::from(env!("CARGO_BIN_EXE_apigateway"))),
        share: NonZeroUsize::MAX,
    })
}

pub fn local(change: impl FnOnce(&mut Definition)) -> Local {
    let directory = Directory::empty();
    let mut definition = definition(&directory);
    change(&mut definition);
    Local {
        functions: functions(),
        definition: Arc::new(definition),
        directory,
    }
}

pub fn starting(how: &'static str) -> impl FnOnce(&mut Definition) {
    move |definition| {
        definition.environment.insert("START".to_owned(), how.to_owned());
    }
}

pub fn concurrency(most: usize) -> impl FnOnce(&mut Definition) {
    move |definition| definition.concurrency = NonZeroUsize::new(most).unwrap()
}

impl Local {
    pub fn invoke_within(&self, event: &Value, timeout: Duration) -> Result<Answer, FunctionError> {
        let invocation = Invocation {
            event: event.to_string().into_bytes(),
            timeout,
            trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            function_arn: "arn:aws:lambda:eu-north-1:123456789012:function:f",
            client: None,
        };
        self.functions.invoke(&self.definition, invocation)
    }

    pub fn invoke(&self, event: &Value) -> Result<Answer, FunctionError> {
        self.invoke_within(event, Duration::from_secs(30))
    }

    /// The answer to an event that succeeds.
    pub fn payload(&self, event: &Value) -> Value {
        match self.invoke(event) {
            Ok(Answer::Payload(bytes)) => serde_json::from_slice(&bytes).unwrap(),
            other => panic!("{event}: {other:?}"),
        }
    }

    /// The message of an event that fails.
    pub fn failure(&self, event: &Value) -> String {
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
    pub fn reason(&self) -> String {
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

    pub fn pid(&self) -> u64 {
        self.payload(&json!({}))["pid"].as_u64().unwrap()
    }

    pub fn verdicts(&self) -> Vec<String> {
        serde_json::from_value(self.payload(&json!({"do": "tell"}))["verdicts"].clone()).unwrap()
    }
}

/// Waits until a process is no more, not even a zombie.
pub fn wait_for_end(pid: u64) {
    let until = Instant::now() + Duration::from_secs(10);
    while Path::new(&format!("/proc/{pid}/exe")).canonicalize().is_ok() {
        assert!(Instant::now() < until, "{pid} is still there");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The life of a gateway that will be killed.
pub fn run_until_killed(directory: PathBuf) {
    let mut local = local(|definition| definition.working_directory = directory);
    local.functions = functions();
    local
        .invoke(&json!({"do": "sleep", "number": 60_000, "file": "pid"}))
        .unwrap();
}
