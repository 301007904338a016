//! Runs the cases of a theme on a real gateway.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use apigateway::data_plane::access_log::Destination;
use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use apigateway::server::FrontKind;

use super::compare::{Differences, compare_answer, compare_event, compare_problems, compare_route, compare_upstream};
use super::format::{
    Addresses, DEFAULT_ANSWER, changed, files, function_answer, repeated, request, scripted, set_options,
};
use crate::support::client::{self, PATIENCE};
use crate::support::directory::Directory;
use crate::support::endpoint::{Endpoint, nobody};
use crate::support::gateway::{self, Gateway};
use crate::support::repository::root;

/// Runs every case of a theme, and fails with all that went wrong.
pub fn run_theme(theme: &str, at_least: usize) {
    run_theme_on(FrontKind::default(), theme, at_least);
}

/// As [`run_theme`], with what listens to clients.
pub fn run_theme_on(front: FrontKind, theme: &str, at_least: usize) {
    let directory = root().join("tests/cases").join(theme);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let (mut count, mut failed, mut failures) = (0, 0, Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value =
            serde_json::from_str(&repeated(&text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file["cases"].as_array().unwrap() {
            count += 1;
            let name = case["name"].as_str().expect("a case has a name");
            assert!(case["rule"].is_string(), "{name}: a case names its rule");
            // Why the front on tiny_http cannot do that.
            if case.get("not_tiny_http").is_some() && front != FrontKind::Own {
                continue;
            }
            let mut differences = Differences::default();
            // A gateway that does not answer, or not in HTTP, fails this case only.
            if catch_unwind(AssertUnwindSafe(|| run(front, &file, case, &mut differences))).is_err() {
                differences.0.push("the runner panicked, see above".to_owned());
            }
            failed += usize::from(!differences.0.is_empty());
            for difference in differences.0 {
                failures.push(format!(
                    "{theme}/{}: {name}: {difference}",
                    path.file_name().unwrap().display()
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{failed} of {count} cases fail:\n{}",
        failures.join("\n")
    );
    assert!(count >= at_least, "{theme} has {count} cases, {at_least} at least");
}

fn run(front: FrontKind, file: &Value, case: &Value, differences: &mut Differences) {
    let shared = |name: &str| case.get(name).or_else(|| file.get(name)).cloned();
    let unknown = |object: &Value, known: &[&str]| {
        let names = object.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| !known.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let known = [
        "name",
        "rule",
        "assumed",
        "not_tiny_http",
        "files",
        "change",
        "routes",
        "upstream",
        "function",
        "function_status",
        "function_headers",
        "authorizer",
        "authorizer_status",
        "authorizer_headers",
        "authorizer_upstream",
        "options",
        "environment",
        "request",
        "headers",
        "body",
        "head_length",
        "raw",
        "unused",
        "programs",
        "expect",
    ];
    assert_eq!(unknown(case, &known), [""; 0], "{case}");
    let known = [
        "status",
        "headers",
        "lines",
        "body",
        "route",
        "variables",
        "upstream",
        "event",
        "event_text",
        "authorizer",
        "authorizer_event",
        "authorizer_event_text",
        "problems",
        "log",
    ];
    assert_eq!(unknown(&case["expect"], &known), [""; 0], "{case}");

    let upstream = shared("upstream").unwrap_or_else(|| json!(DEFAULT_ANSWER));
    let endpoint = match case.get("function") {
        Some(payload) => Some(Endpoint::answering(function_answer(payload, case, "function"))),
        None => scripted(&upstream),
    };
    let authorizer = match (shared("authorizer_upstream"), shared("authorizer")) {
        (Some(upstream), _) => scripted(&upstream),
        (None, Some(payload)) => Some(Endpoint::answering(function_answer(&payload, case, "authorizer"))),
        (None, None) => None,
    };
    let address_of = |endpoint: &Option<Endpoint>| endpoint.as_ref().map_or_else(nobody, |endpoint| endpoint.address);
    let addresses = Addresses {
        endpoint: address_of(&endpoint),
        authorizer: address_of(&authorizer),
    };
    let keys = shared("routes").unwrap_or_else(|| json!([]));
    let expect = &addresses.put_into(&case["expect"]);
    let files = files(changed(shared("files"), &case["change"]), &keys, &addresses);
    let directory = Directory::of(&[]);
    for (path, content) in &files {
        directory.write(path, content.as_str().unwrap_or(&content.to_string()));
    }
    if let Some(problems) = expect.get("problems") {
        let (_, got) = Configuration::of(&Store::at(directory.path()).load());
        let mut got: Vec<String> = got.iter().map(ToString::to_string).collect();
        if case["unused"] != json!(true) {
            got.retain(|line| !line.contains(": warning: not used: "));
        }
        if case["programs"] != json!(true) {
            got.retain(|line| {
                !line.contains(": warning: the function cannot start: ") && !line.contains("#/Runtime: warning: ")
            });
        }
        compare_problems(problems, &got, differences);
        return;
    }
    let log = directory.path().join("access.log");
    let mut options = gateway::options(&directory);
    options.front = front;
    let given = shared("options").unwrap_or_default();
    let environment = shared("environment").unwrap_or_default();
    set_options(
        &mut options,
        &addresses.put_into(&given),
        &addresses.put_into(&environment),
    );
    if expect.get("log").is_some() {
        options.access_log = Destination::File(log.clone());
    }
    let gateway = Gateway::start(directory, options);
    let answer = client::exchange(gateway.address, request(case));
    let rest = |endpoint: Option<Endpoint>| endpoint.map(|endpoint| endpoint.rest()).unwrap_or_default();
    let (arrived, asked) = (rest(endpoint), rest(authorizer));
    compare_answer(expect, &answer, differences);
    compare_route(expect, &keys, &arrived, differences);
    compare_upstream("upstream", expect, &arrived, differences);
    compare_event("event", expect, arrived.first(), differences);
    compare_upstream("authorizer", expect, &asked, differences);
    compare_event("authorizer_event", expect, asked.first(), differences);
    if let Some(line) = expect.get("log") {
        gateway.server.stop(PATIENCE);
        let text = std::fs::read_to_string(log).unwrap();
        differences.check("log", line, text.strip_suffix('\n').unwrap_or(&text));
    }
}
