//! A gateway that is killed in a storm of writes (contract §4): what was answered is there, and of what was not, all or
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::{PATIENCE, parse};
use crate::support::directory::Directory;
use crate::support::program::serve;
use crate::support::properties::Chance;

/// How often the gateway is killed; `CRASHES=1000` for more of it.
const CRASHES: u64 = 100;

/// Writers at once, each with an API of its own.
const WRITERS: usize = 3;

/// What an API's files say of what the storm changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    is_there: bool,
    routes: BTreeSet<String>,
    /// The burst limit of each route that has settings.
    settings: BTreeMap<String, u64>,
    /// Whether there is a stage `s`.
    has_stage: bool,
    deployments: usize,
    /// Whether the stage serves a deployment that is there.
    is_deployed: bool,
}

/// One call, and what it makes of a state.
struct Step {
    method: &'static str,
    path: String,
    body: Value,
    after: State,
}

/// The next call, for an API in that state.
fn step(api: &str, state: &State, ids: &BTreeMap<String, String>, number: u64, chance: &mut Chance) -> Step {
    let mut after = state.clone();
    let of_api = |below: &str| format!("/v2/apis/{api}{below}");
    if !state.is_there {
        after.is_there = true;
        after.routes.insert("$default".to_owned());
        let body = json!({
            "name": "x", "protocolType": "HTTP", "target": "http://127.0.0.1:9/", "tags": {"_custom_id_": api},
        });
        return Step {
            method: "POST",
            path: "/v2/apis".to_owned(),
            body,
            after,
        };
    }
    let keys: Vec<&String> = state.routes.iter().filter(|key| ids.contains_key(*key)).collect();
    let any = keys.get(chance.below(keys.len().max(1))).map(|key| (*key).clone());
    match (chance.below(12), any) {
        (0, _) if number > 20 => Step {
            method: "DELETE",
            path: of_api(""),
            body: Value::Null,
            after: State::default(),
        },
        (1 | 2, _) if !state.has_stage => {
            after.has_stage = true;
            Step {
                method: "POST",
                path: of_api("/stages"),
                body: json!({"stageName": "s"}),
                after,
            }
        }
        (1 | 2, _) if !state.routes.is_empty() => {
            after.deployments += 1;
            after.is_deployed = true;
            Step {
                method: "POST",
                path: of_api("/deployments"),
                body: json!({"stageName": "s", "description": "x".repeat(chance.below(900))}),
                after,
            }
        }
        (3 | 4, Some(key)) => {
            after.routes.remove(&key);
            after.settings.remove(&key);
            Step {
                method: "DELETE",
                path: of_api(&format!("/routes/{}", ids[&key])),
                body: Value::Null,
                after,
            }
        }
        (5..=7, Some(key)) => {
            after.settings.insert(key.clone(), number);
            let settings = json!({"routeSettings": {key: {"throttlingBurstLimit": number}}});
            Step {
                method: "PATCH",
                path: of_api("/stages/%24default"),
                body: settings,
                after,
            }
        }
        _ => {
            let key = format!("GET /r{number}");
            after.routes.insert(key.clone());
            Step {
                method: "POST",
                path: of_api("/routes"),
                body: json!({"routeKey": key, "operationName": "x".repeat(1 + chance.below(60))}),
                after,
            }
        }
    }
}

/// Sends a call; none where the gateway is gone before its whole answer came.
fn send(admin: SocketAddr, step: &Step) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(admin).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let content = match &step.body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (method, path, length) = (step.method, &step.path, content.len());
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + &content).as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let (answer, _) = parse(&bytes, step.method, false)?;
    Some((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

/// What a writer knows at the end: the state after its last answer, and the one after a call that had none.
struct Known {
    api: String,
    state: State,
    unanswered: Option<State>,
}

fn write(api: String, admin: SocketAddr, start: State, seed: u64, killed: &AtomicBool) -> Known {
    let (mut state, mut ids, mut chance) = (start, BTreeMap::new(), Chance(seed));
    for number in 1.. {
        let step = step(&api, &state, &ids, number, &mut chance);
        match send(admin, &step) {
            Some((200..=204, answer)) => {
                if let (Some(key), Some(id)) = (answer["routeKey"].as_str(), answer["routeId"].as_str()) {
                    ids.insert(key.to_owned(), id.to_owned());
                }
                if !step.after.is_there {
                    ids.clear();
                }
                state = step.after;
            }
            Some((status, answer)) => panic!("{} {} {}: {status} {answer}", step.method, step.path, step.body),
            None => {
                assert!(killed.load(Ordering::SeqCst), "no answer, but nobody killed it");
                return Known {
                    api,
                    state,
                    unanswered: Some(step.after),
                };
            }
        }
    }
    unreachable!()
}

/// What the files of an API say.
fn found(root: &Path, api: &str) -> State {
    let directory = root.join("apis").join(api);
    let json = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    if !directory.exists() {
        return State::default();
    }
    let all = |name: &str| -> Vec<(String, Value)> {
        let entries = fs::read_dir(directory.join(name)).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), json(&path)))
            .collect()
    };
    let deployments = all("deployments");
    let stages: BTreeMap<String, Value> = all("stages").into_iter().collect();
    let settings = stages["$default"]["RouteSettings"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let served = stages.get("s").and_then(|stage| stage["DeploymentId"].as_str());
    State {
        is_there: true,
        routes: all("routes")
            .iter()
            .map(|(_, route)| route["RouteKey"].as_str().unwrap().to_owned())
            .collect(),
        settings: settings
            .iter()
            .map(|(key, value)| (key.clone(), value["ThrottlingBurstLimit"].as_u64().unwrap()))
            .collect(),
        has_stage: stages.contains_key("s"),
        deployments: deployments.len(),
        is_deployed: served.is_some_and(|id| deployments.iter().any(|(known, _)| known == id)),
    }
}

/// Hidden files below a directory.
fn leftovers(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with('.') {
            found.push(path.display().to_string());
        }
        if path.is_dir() {
            found.extend(leftovers(&path));
        }
    }
    found
}

#[test]
fn what_was_answered_outlives_a_crash() {
    let crashes = std::env::var("CRASHES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(CRASHES);
    let directory = Directory::empty();
    let mut chance = Chance(4711);
    let mut answered = 0;
    for round in 0..crashes {
        let mut served = serve(&directory, &["--log-level", "error", "--access-log", "off"]);
        assert_eq!(leftovers(directory.path()), [""; 0], "round {round}");
        let killed = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (killed, admin) = (Arc::clone(&killed), served.admin);
                let (api, seed) = (format!("w{round}-{number}"), chance.next());
                thread::spawn(move || write(api, admin, State::default(), seed, &killed))
            })
            .collect();
        thread::sleep(Duration::from_millis(20 + chance.below(120) as u64));
        killed.store(true, Ordering::SeqCst);
        served.running.signal(Signal::KILL);
        served.running.child.wait().unwrap();
        let known: Vec<Known> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let (configuration, problems) = Configuration::of(&Store::at(directory.path()).load());
        assert!(configuration.is_some(), "round {round}: {problems:?}");
        // What a crash has interrupted is finished at the next start.
        drop(serve(&directory, &["--log-level", "error", "--access-log", "off"]));
        for known in known {
            let found = found(directory.path(), &known.api);
            let is_whole = found == known.state || Some(&found) == known.unanswered.as_ref();
            assert!(
                is_whole,
                "round {round}, {}: {found:?}\nis neither {:?}\nnor {:?}",
                known.api, known.state, known.unanswered
            );
            answered += known.state.routes.len();
            let _ = fs::remove_dir_all(directory.path().join("apis").join(&known.api));
        }
    }
    assert!(answered > 0, "nothing was written");
}
