//! A function process starts, is restarted after a change, and ends with its gateway.

use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use apigateway::outbound::function::{Definition, FunctionError, Functions, Settings};
use apigateway::platform::signals::StopSignals;
use serde_json::json;

use crate::support::directory::Directory;
use crate::support::local_function::{Local, concurrency, definition, local, wait_for_end};
use crate::support::runtime;
use crate::support::wait::wait_until;

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
    // What was not deployed may be taken down a moment later.
    wait_until("its process is kept", || other.pid() == other.pid());
    assert_eq!(one.pid(), pid);
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
