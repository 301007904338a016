//! Files with errors are not taken up, and the last valid ones stay in force.

use std::fs;

use serde_json::json;

use super::{NOT_FOUND, check_stays, wait_for};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::edited_api::{files, is_refused, point_to, served};
use crate::support::endpoint::{Endpoint, nobody};
use crate::support::gateway::options;

#[test]
fn a_broken_edit_is_not_taken_up() {
    let (endpoint, gateway) = served();
    let good = files(&endpoint);
    for (path, broken) in [
        ("integrations/up.json", "{".to_owned()),
        ("integrations/up.json", String::new()),
        ("integrations/up.json", http_proxy("not a URI").to_string()),
        ("integrations/up.json", "[]".to_owned()),
        ("routes/a.json", route("GET /a", "nowhere").to_string()),
        ("routes/a.json", route("GET a", "up").to_string()),
        ("routes/b.json", route("GET /a", "up").to_string()),
        ("routes/b.json", "\u{0}".to_owned()),
        ("stages/$default.json", json!({"Name": "other"}).to_string()),
        (
            "stages/new.json",
            json!({"Name": "new", "Routes": ["routes/nowhere"]}).to_string(),
        ),
        ("api.json", "nothing".to_owned()),
    ] {
        gateway.directory.write(path, &broken);
        // What is good in the same edit is not taken up either.
        gateway
            .directory
            .write("routes/good.json", &route("GET /good", "up").to_string());
        gateway.server.reload();
        assert_eq!(gateway.get("/a").text(), "/v1", "{path}: {broken:?}");
        assert_eq!(gateway.get("/good").text(), NOT_FOUND, "{path}: {broken:?}");
        match good.iter().find(|(name, _)| *name == path) {
            Some((_, json)) => gateway.directory.write(path, &json.to_string()),
            None => gateway.directory.remove(path),
        }
        gateway.server.reload();
        assert_eq!(gateway.get("/good").text(), "/v1", "{path}: repaired");
        gateway.directory.remove("routes/good.json");
        gateway.server.reload();
        assert_eq!(gateway.get("/good").text(), NOT_FOUND, "{path}");
    }
}

#[test]
fn a_broken_edit_is_not_taken_up_by_itself_either() {
    let (endpoint, gateway) = served();
    gateway.directory.write("integrations/up.json", "{");
    check_stays(&gateway, "/a", "/v1");
    point_to(&gateway, &endpoint, "v2");
    wait_for(&gateway, "/a", "/v1", "/v2");
}

#[test]
fn a_directory_that_vanishes_takes_nothing_with_it() {
    let (_endpoint, gateway) = served();
    let root = gateway.directory.path().to_owned();
    // What may be missing may go; the root may not.
    let away = root.with_extension("away");
    fs::rename(&root, &away).unwrap();
    gateway.server.reload();
    assert_eq!(gateway.get("/a").text(), "/v1");
    fs::rename(&away, &root).unwrap();
    gateway
        .directory
        .write("routes/b.json", &route("GET /b", "up").to_string());
    wait_for(&gateway, "/b", NOT_FOUND, "/v1");
}

#[test]
fn what_cannot_be_served_does_not_start() {
    for (path, text) in [("routes/a.json", "{"), ("stages/$default.json", r#"{"Name": "other"}"#)] {
        let mut all = files(&Endpoint::telling_the_target());
        all.retain(|(name, _)| *name != path);
        let directory = Directory::of(&all);
        directory.write(path, text);
        let mut options = options(&directory);
        // Free before and free afterwards: nothing is left listening.
        options.listen = nobody().to_string();
        let address = options.listen.parse().unwrap();
        assert!(apigateway::server::Server::start(options).is_err(), "{path}");
        assert!(is_refused(address), "{path}");
    }
}
