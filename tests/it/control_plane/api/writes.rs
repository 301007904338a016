//! Writers at once, a person with an editor beside them, and files that cannot be written (contract §4).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::sync::mpsc::sync_channel;
use std::thread;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use serde_json::{Value, json};

use crate::support::calls::{ControlPlane, call, expect};
use crate::support::client::Client;
use crate::support::directory::Directory;
use crate::support::program::{program, served_by};

/// An API with a route for everything; its id.
fn quick_api(plane: &ControlPlane) -> String {
    let body = json!({"name": "x", "protocolType": "HTTP", "target": "http://127.0.0.1:9/"});
    let api = plane.expect(201, "POST", "/v2/apis", &body);
    api["apiId"].as_str().unwrap().to_owned()
}

#[test]
fn no_write_and_no_edit_is_lost() {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let plane = ControlPlane::empty();
    let api = quick_api(&plane);
    // Of saves that wait there is one for each of the other writers at most, so that no call begins anew too often.
    let (answered, heard) = sync_channel(0);
    let edits = thread::scope(|scope| {
        let (admin, root, api) = (plane.admin, plane.gateway.directory.path(), &api);
        for writer in 0..WRITERS {
            let answered = answered.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    let body = json!({"routeKey": format!("GET /w{writer}/{number}")});
                    expect(admin, 201, "POST", &format!("/v2/apis/{api}/routes"), &body);
                    let variables = json!({"stageVariables": {format!("w{writer}_{number}"): "1"}});
                    expect(
                        admin,
                        200,
                        "PATCH",
                        &format!("/v2/apis/{api}/stages/%24default"),
                        &variables,
                    );
                    answered.send(()).unwrap();
                }
            });
        }
        drop(answered);
        // A person saves files of the same API meanwhile, as editors do, while the others' calls are under way.
        let directory = root.join("apis").join(api).join("routes");
        let saved = heard.iter().enumerate().map(|(number, ())| {
            let text = json!({"RouteKey": format!("GET /hand/{number}")}).to_string();
            fs::write(directory.join(".swap"), text).unwrap();
            fs::rename(directory.join(".swap"), directory.join(format!("hand{number}.json"))).unwrap();
        });
        saved.count()
    });
    let mut expected: BTreeSet<String> = (0..WRITERS)
        .flat_map(|writer| (0..EACH).map(move |number| format!("GET /w{writer}/{number}")))
        .chain(["$default".to_owned()])
        .collect();
    expected.extend((0..edits).map(|number| format!("GET /hand/{number}")));
    let listed: Value = serde_json::from_slice(&plane.call("GET", &format!("/v2/apis/{api}/routes")).body).unwrap();
    let keys = listed["items"].as_array().unwrap().iter();
    let keys: BTreeSet<String> = keys
        .map(|route| route["routeKey"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, expected);
    let stage = plane.call("GET", &format!("/v2/apis/{api}/stages/%24default"));
    let stage: Value = serde_json::from_slice(&stage.body).unwrap();
    assert_eq!(stage["stageVariables"].as_object().unwrap().len(), WRITERS * EACH);
    let (configuration, problems) = Configuration::of(&Store::at(plane.gateway.directory.path()).load());
    assert!(configuration.is_some(), "{problems:?}");
}

#[test]
fn a_write_is_in_effect_when_it_is_answered() {
    let plane = ControlPlane::empty();
    let api = quick_api(&plane);
    let routes = format!("/v2/apis/{api}/routes");
    let host = format!("{api}.execute-api.localhost");
    // A connection that was open before, on which the next request must see it.
    let mut client = Client::connect(plane.gateway.address);
    for number in 0..50 {
        let body = json!({"routeKey": format!("GET /r{number}")});
        let route = plane.expect(201, "POST", &routes, &body);
        let request = format!("GET /r{number} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        // It has no target.
        assert_eq!(client.send(&request).answer_to("GET").status, 500);
        let path = format!("{routes}/{}", route["routeId"].as_str().unwrap());
        assert_eq!(plane.call("DELETE", &path).status, 204);
        // Nothing listens behind the route for everything.
        assert_eq!(client.send(&request).answer_to("GET").status, 503);
    }
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let plane = ControlPlane::empty();
    let api = quick_api(&plane);
    let path = plane
        .gateway
        .directory
        .path()
        .join(format!("apis/{api}/stages/$default.json"));
    let before = fs::metadata(&path).unwrap();
    let body = json!({"autoDeploy": true, "stageVariables": {}, "description": "", "routeSettings": {}});
    plane.expect(200, "PATCH", &format!("/v2/apis/{api}/stages/%24default"), &body);
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&before),
        std::os::unix::fs::MetadataExt::ino(&after)
    );
}

#[test]
fn a_file_keeps_its_mode_and_a_new_one_is_readable() {
    let plane = ControlPlane::empty();
    let api = quick_api(&plane);
    let path = plane.gateway.directory.path().join(format!("apis/{api}/api.json"));
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o644);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    plane.expect(200, "PATCH", &format!("/v2/apis/{api}"), &json!({"name": "y"}));
    assert_eq!(mode(), 0o600);
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let plane = ControlPlane::empty();
    let root = plane.gateway.directory.path().to_owned();
    // What stands in the way of a directory.
    fs::write(root.join("domains"), "").unwrap();
    let answer = call(plane.admin, "POST", "/v2/domainnames", br#"{"domainName":"a.test"}"#);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("x-amzn-errortype"), Some("ServiceUnavailableException"));
    assert!(
        answer.text().starts_with(r#"{"message":"cannot write domains: "#),
        "{}",
        answer.text()
    );
    fs::remove_file(root.join("domains")).unwrap();
    plane.expect(201, "POST", "/v2/domainnames", &json!({"domainName": "a.test"}));
    // A link is replaced, so that nothing outside of the root is written.
    let outside = Directory::empty();
    outside.write("api.json", r#"{"Name": "outside"}"#);
    let api = quick_api(&plane);
    let path = root.join(format!("apis/{api}/api.json"));
    fs::remove_file(&path).unwrap();
    symlink(outside.path().join("api.json"), &path).unwrap();
    plane.expect(200, "PATCH", &format!("/v2/apis/{api}"), &json!({"name": "inside"}));
    let text = fs::read_to_string(outside.path().join("api.json")).unwrap();
    assert_eq!(text, r#"{"Name": "outside"}"#);
    assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[test]
fn a_root_that_may_not_be_written_can_be_read() {
    let directory = Directory::empty();
    directory.write("apis/a1/api.json", r#"{"Name": "x", "ProtocolType": "HTTP"}"#);
    let read_only = fs::Permissions::from_mode(0o555);
    let places = ["apis/a1", "apis", "."].map(|place| directory.path().join(place));
    for place in &places {
        fs::set_permissions(place, read_only.clone()).unwrap();
    }
    let copy = Directory::empty();
    let mut command = program();
    // The superuser may write all the same, and so may not run the gateway here.
    let is_superuser = fs::write(directory.path().join("probe"), "").is_ok();
    if is_superuser {
        let _ = fs::remove_file(directory.path().join("probe"));
        let binary = copy.path().join("apigateway");
        fs::copy(env!("CARGO_BIN_EXE_apigateway"), &binary).unwrap();
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command = std::process::Command::new(binary);
        command.current_dir("/").stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.uid(65534).gid(65534);
    }
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(directory.path());
    let served = served_by(command);
    for (method, path, content) in [
        ("POST", "/v2/apis", r#"{"name":"y","protocolType":"HTTP"}"#),
        ("PATCH", "/v2/apis/a1", r#"{"name":"y"}"#),
        ("POST", "/v2/apis/a1/routes", r#"{"routeKey":"GET /"}"#),
        ("DELETE", "/v2/apis/a1", ""),
    ] {
        let answer = call(served.admin, method, path, content.as_bytes());
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("x-amzn-errortype"), Some("AccessDeniedException"));
        assert!(answer.text().contains("cannot write apis"), "{}", answer.text());
    }
    let answer = call(served.admin, "GET", "/v2/apis/a1", b"");
    assert!(answer.text().contains(r#""name":"x""#), "{}", answer.text());
    drop(served);
    for place in places.iter().rev() {
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
