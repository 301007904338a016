//! An API that is exported and imported again is the same, for every API of the cases that `check` passes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use apigateway::control_plane::import::carry_out;
use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use apigateway::template::export;
use apigateway::template::import::plan;
use apigateway::template::openapi::write::{Settings, write};
use apigateway::template::options::Options;
use apigateway::template::reading::{Reading, read};
use serde_json::Value;

use crate::support::directory::Directory;
use crate::support::repository::root;

/// Cases in which something is that no document can say: a file that is no resource, and a route without a target.
const NOT_SAID: [&str; 5] = [
    "a file that is no resource",
    "a name in capitals",
    "what editors leave behind",
    "a directory below routes",
    "a route without a target",
];

fn exported(path: &Path, settings: &Settings, as_json: bool) -> String {
    let document = write(&export::chosen(&Store::at(path).load(), None, None).unwrap(), settings).unwrap();
    match as_json {
        true => document.to_json(),
        false => document.to_yaml(),
    }
}

fn imported(text: &str, as_json: bool) -> (Directory, Reading) {
    let directory = Directory::of(&[]);
    let name = if as_json { "document.json" } else { "document.yaml" };
    directory.write(name, text);
    let reading = read(&directory.path().join(name), &Options::default());
    assert!(!reading.has_errors(), "{:#?}\n{text}", reading.messages);
    let written = Directory::of(&[]);
    let plan = plan(&reading, written.path(), None, false).unwrap();
    carry_out(&plan, written.path()).unwrap();
    (written, reading)
}

fn files(directory: &Directory) -> BTreeMap<String, String> {
    let listing = Store::at(directory.path()).load();
    let files = listing.files();
    files
        .map(|file| (file.path.clone(), file.text.clone().unwrap()))
        .collect()
}

/// Writes the files of a case; tells whether `check` passes them.
fn passes(directory: &Directory, files: &serde_json::Map<String, Value>) -> bool {
    for (path, file) in files {
        let text = match file.as_str() {
            Some(text) => text.to_owned(),
            None => file.to_string(),
        };
        let text = text
            .replace("{endpoint}", "127.0.0.1:9")
            .replace("{authorizer}", "127.0.0.1:8");
        let path = directory.path().join(path.replace("{endpoint-port}", "9"));
        if fs::create_dir_all(path.parent().unwrap()).is_ok() {
            let _ = fs::write(path, text);
        }
    }
    let listing = Store::at(directory.path()).load();
    // A case may have no API, or several.
    let apis = listing.units.keys().filter(|name| name.is_api()).count();
    apis == 1 && Configuration::of(&listing).0.is_some()
}

fn round_trip(name: &str, files_of_case: &serde_json::Map<String, Value>, is_for_all_forms: bool) -> bool {
    let directory = Directory::of(&[]);
    if !passes(&directory, files_of_case) {
        return false;
    }
    let forms = [(false, false), (true, false), (false, true)];
    for (as_json, ids) in forms.into_iter().take(if is_for_all_forms { 3 } else { 1 }) {
        let settings = Settings {
            ids,
            endpoint: "http://127.0.0.1:8000".to_owned(),
            ..Settings::default()
        };
        let text = exported(directory.path(), &settings, as_json);
        assert_eq!(
            text,
            exported(directory.path(), &settings, as_json),
            "{name}: the same bytes"
        );
        let (once, reading) = imported(&text, as_json);
        let (twice, _) = imported(&exported(once.path(), &settings, as_json), as_json);
        assert_eq!(files(&once), files(&twice), "{name}: after one import nothing changes");
        let keys = |path: &Path| -> BTreeSet<String> {
            let files = export::chosen(&Store::at(path).load(), None, None).unwrap();
            let routes = files.iter().filter(|(path, _)| path.starts_with("routes/"));
            routes
                .map(|(_, json)| serde_json::to_value(json).unwrap()["RouteKey"].to_string())
                .collect()
        };
        assert_eq!(reading.apis.len(), 1, "{name}");
        if NOT_SAID.contains(&name) || name == "it is answered 500" {
            continue;
        }
        assert_eq!(keys(directory.path()), keys(once.path()), "{name}: the same routes");
        if ids {
            let of_api = |path: &String| {
                ["routes/", "integrations/", "authorizers/"]
                    .iter()
                    .any(|kind| path.starts_with(kind))
            };
            let ids =
                |directory: &Directory| -> BTreeSet<String> { files(directory).into_keys().filter(of_api).collect() };
            assert_eq!(ids(&directory), ids(&once), "{name}: hand-chosen ids");
        }
    }
    true
}

#[test]
fn an_api_survives_its_export() {
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    for theme in fs::read_dir(root().join("tests/cases")).unwrap() {
        for file in fs::read_dir(theme.unwrap().path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            let file: Value = serde_json::from_str(&text).unwrap();
            for case in file["cases"].as_array().unwrap() {
                let files = case.get("files").unwrap_or(&file["files"]);
                let Some(files) = files.as_object() else { continue };
                if seen.insert(Value::from(files.clone()).to_string()) {
                    let is_for_all_forms = seen.len() % 5 == 0;
                    count += usize::from(round_trip(case["name"].as_str().unwrap(), files, is_for_all_forms));
                }
            }
        }
    }
    assert!(count > 200, "{count} APIs passed check");
}
