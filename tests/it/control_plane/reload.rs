//! Edited files take effect, by themselves or at a reload, and no request is lost.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use serde_json::json;

use super::{NOT_FOUND, check_stays, wait_for};
use crate::support::client::Client;
use crate::support::directory::{Directory, route};
use crate::support::edited_api::{files, integration, point_to, served, served_slowly, waiting_client};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};

#[test]
fn an_edit_takes_effect_by_itself() {
    let (endpoint, gateway) = served();
    point_to(&gateway, &endpoint, "v2");
    wait_for(&gateway, "/a", "/v1", "/v2");
    gateway
        .directory
        .write("routes/a.json", &route("GET /b", "up").to_string());
    wait_for(&gateway, "/b", NOT_FOUND, "/v2");
    assert_eq!(gateway.get("/a").text(), NOT_FOUND);
    gateway.directory.write(
        "stages/$default.json",
        &json!({"Name": "$default", "Routes": []}).to_string(),
    );
    wait_for(&gateway, "/b", "/v2", NOT_FOUND);
}

#[test]
fn an_edit_takes_effect_at_the_next_request_after_a_reload() {
    let (endpoint, gateway) = served();
    let mut client = Client::connect(gateway.address);
    for number in 2..40 {
        let version = format!("v{number}");
        point_to(&gateway, &endpoint, &version);
        gateway.server.reload();
        // In turn on a connection that is kept and on a new one.
        let answer = if number % 2 == 0 {
            gateway.get("/a")
        } else {
            client.send("GET /a HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET")
        };
        assert_eq!(answer.text(), format!("/{version}"));
    }
}

#[test]
fn files_come_and_go_and_change_their_names() {
    for by_reload in [false, true] {
        let (_endpoint, gateway) = served();
        let root = gateway.directory.path().to_owned();
        let check = |target: &str, old: &str, new: &str| {
            if by_reload {
                gateway.server.reload();
                assert_eq!(gateway.get(target).text(), new);
            } else {
                wait_for(&gateway, target, old, new);
            }
        };
        gateway
            .directory
            .write("routes/b.json", &route("GET /b", "up").to_string());
        check("/b", NOT_FOUND, "/v1");
        gateway.directory.remove("routes/b.json");
        check("/b", "/v1", NOT_FOUND);
        // An editor's way to save: a new file takes the old one's name.
        gateway
            .directory
            .write("routes/.a.json.swp", &route("GET /c", "up").to_string());
        fs::rename(root.join("routes/.a.json.swp"), root.join("routes/a.json")).unwrap();
        check("/c", NOT_FOUND, "/v1");
        assert_eq!(gateway.get("/a").text(), NOT_FOUND);
        // The name is the id, so the route's target is gone, and then there again.
        fs::rename(root.join("integrations/up.json"), root.join("integrations/down.json")).unwrap();
        gateway.server.reload();
        assert_eq!(gateway.get("/c").text(), "/v1");
        gateway
            .directory
            .write("routes/a.json", &route("GET /d", "down").to_string());
        check("/d", NOT_FOUND, "/v1");
        // A stage gets its name from its file.
        gateway
            .directory
            .write("stages/dev.json", &json!({"Name": "dev"}).to_string());
        check("/dev/d", NOT_FOUND, "/v1");
        gateway.directory.remove("stages/dev.json");
        check("/dev/d", "/v1", NOT_FOUND);
    }
}

/// A version of the API as a ConfigMap mount writes it.
fn write_version(directory: &Directory, version: &str, endpoint: &Endpoint, target: &str) {
    for (path, json) in files(endpoint) {
        let text = if path.starts_with("integrations/") {
            integration(endpoint, target)
        } else {
            json.to_string()
        };
        let path = format!("{version}/{path}");
        directory.write(&path, &text);
        // The same time in each version, as archives and images have it.
        let file = fs::File::options()
            .append(true)
            .open(directory.path().join(path))
            .unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))
            .unwrap();
    }
}

fn swap(link: &Path, target: &str) {
    let new = link.with_file_name("..new");
    symlink(target, &new).unwrap();
    fs::rename(&new, link).unwrap();
}

#[test]
fn a_mounted_configmap_is_swapped_as_a_whole() {
    for by_reload in [false, true] {
        let endpoint = Endpoint::telling_the_target();
        let directory = Directory::empty();
        let root = directory.path().to_owned();
        write_version(&directory, "..1", &endpoint, "v1");
        symlink("..1", root.join("..data")).unwrap();
        for name in ["stages", "routes", "integrations"] {
            symlink(format!("..data/{name}"), root.join(name)).unwrap();
        }
        let options = options(&directory);
        let gateway = Gateway::start(directory, options);
        assert_eq!(gateway.get("/a").text(), "/v1");
        for number in 2..5 {
            let (before, now) = (format!("/v{}", number - 1), format!("/v{number}"));
            write_version(&gateway.directory, &format!("..{number}"), &endpoint, &now[1..]);
            swap(&root.join("..data"), &format!("..{number}"));
            if by_reload {
                gateway.server.reload();
                assert_eq!(gateway.get("/a").text(), now);
            } else {
                wait_for(&gateway, "/a", &before, &now);
            }
            fs::remove_dir_all(root.join(format!("..{}", number - 1))).unwrap();
        }
    }
}

#[test]
fn a_mount_for_each_directory_is_swapped_too() {
    let endpoint = Endpoint::telling_the_target();
    let directory = Directory::empty();
    let root = directory.path().to_owned();
    for (path, json) in files(&endpoint) {
        let (parent, name) = path.split_once('/').unwrap();
        directory.write(&format!("{parent}/..1/{name}"), &json.to_string());
        symlink("..1", root.join(parent).join("..data")).unwrap();
        symlink(format!("..data/{name}"), root.join(path)).unwrap();
    }
    let options = options(&directory);
    let gateway = Gateway::start(directory, options);
    assert_eq!(gateway.get("/a").text(), "/v1");
    gateway
        .directory
        .write("integrations/..2/up.json", &integration(&endpoint, "v2"));
    swap(&root.join("integrations/..data"), "..2");
    wait_for(&gateway, "/a", "/v1", "/v2");
}

#[test]
fn a_root_that_is_a_link_may_lead_elsewhere() {
    let endpoint = Endpoint::telling_the_target();
    let directory = Directory::empty();
    let root = directory.path().to_owned();
    write_version(&directory, "first", &endpoint, "v1");
    write_version(&directory, "other", &endpoint, "v2");
    symlink("first", root.join("current")).unwrap();
    let mut options = options(&directory);
    options.root = root.join("current");
    let gateway = Gateway::start(directory, options);
    assert_eq!(gateway.get("/a").text(), "/v1");
    swap(&root.join("current"), "other");
    wait_for(&gateway, "/a", "/v1", "/v2");
    swap(&root.join("current"), "first");
    gateway.server.reload();
    assert_eq!(gateway.get("/a").text(), "/v1");
}

#[test]
fn a_request_in_flight_keeps_the_api_that_it_came_to() {
    for by_reload in [false, true] {
        let (endpoint, go_on, gateway) = served_slowly();
        let mut client = waiting_client(&gateway, &endpoint);
        point_to(&gateway, &endpoint, "v2");
        gateway
            .directory
            .write("routes/a.json", &route("GET /b", "up").to_string());
        if by_reload {
            gateway.server.reload();
            assert_eq!(gateway.get("/b").text(), "/v2");
        } else {
            wait_for(&gateway, "/b", NOT_FOUND, "/v2");
        }
        assert_eq!(gateway.get("/a").text(), NOT_FOUND);
        go_on.send(()).unwrap();
        let answer = client.answer_to("GET");
        assert_eq!((answer.status, answer.text().as_str()), (200, "/slow"));
        let answer = client.send("GET /b HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET");
        assert_eq!(answer.text(), "/v2", "the next request on the old connection");
    }
}

/// Two edits in one tick of the file system's clock, of the same length: names, sizes and times tell nothing.
#[test]
fn an_edit_right_after_another_is_not_missed() {
    let (endpoint, gateway) = served();
    let mut before = "/v1".to_owned();
    for round in 0..6 {
        let (first, second) = (format!("x{round}"), format!("y{round}"));
        point_to(&gateway, &endpoint, &first);
        if round % 2 == 0 {
            // Taken up at once, and then the next one comes.
            gateway.server.reload();
            assert_eq!(gateway.get("/a").text(), format!("/{first}"));
            before = format!("/{first}");
            point_to(&gateway, &endpoint, &second);
            wait_for(&gateway, "/a", &before, &format!("/{second}"));
        } else {
            wait_for(&gateway, "/a", &before, &format!("/{first}"));
            point_to(&gateway, &endpoint, &second);
            wait_for(&gateway, "/a", &format!("/{first}"), &format!("/{second}"));
        }
        before = format!("/{second}");
    }
}

/// A tool that restores times (rsync, tar) leaves the same length and the same time behind.
#[test]
fn an_edit_that_hides_its_time_is_not_missed() {
    let endpoint = Endpoint::telling_the_target();
    let directory = Directory::of(&files(&endpoint));
    let path = directory.path().join("integrations/up.json");
    let hide_time = || {
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000))
            .unwrap();
    };
    hide_time();
    let options = options(&directory);
    let gateway = Gateway::start(directory, options);
    // Until all has been quiet for some looks of the watcher.
    check_stays(&gateway, "/a", "/v1");
    // In place, so that the directory's time stays too.
    point_to(&gateway, &endpoint, "v2");
    hide_time();
    wait_for(&gateway, "/a", "/v1", "/v2");
}

#[test]
fn a_thousand_reloads_cost_no_request() {
    const RELOADS: u32 = 1_000;
    let (endpoint, gateway) = served();
    let is_over = Arc::new(AtomicBool::new(false));
    let address = gateway.address;
    // One connection for all requests, and a new one for every few.
    let load = [true, false].map(|keeps| {
        let over = Arc::clone(&is_over);
        thread::spawn(move || {
            let mut client = Client::connect(address);
            let (mut count, mut last) = (0, 1);
            let mut is_last = false;
            while !is_last {
                // One request more, so that it has seen the end however little it came to ask.
                is_last = over.load(Ordering::SeqCst);
                if !keeps && count % 8 == 0 {
                    client = Client::connect(address);
                }
                let answer = client.send("GET /a HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET");
                assert_eq!(answer.status, 200, "{}", answer.text());
                let version: u32 = answer.text().strip_prefix("/v").unwrap().parse().unwrap();
                assert!(version >= last, "{version} after {last}");
                last = version;
                count += 1;
            }
            (count, last)
        })
    });
    let mut client = Client::connect(address);
    for number in 2..=RELOADS + 1 {
        // Written beside and renamed, so that nobody reads half a file.
        let root = gateway.directory.path();
        gateway
            .directory
            .write("integrations/.new", &integration(&endpoint, &format!("v{number}")));
        fs::rename(root.join("integrations/.new"), root.join("integrations/up.json")).unwrap();
        gateway.server.reload();
        let answer = client.send("GET /a HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET");
        assert_eq!(answer.text(), format!("/v{number}"));
    }
    is_over.store(true, Ordering::SeqCst);
    for requests in load {
        let (count, last) = requests.join().unwrap();
        assert!(count > 0);
        assert_eq!(last, RELOADS + 1);
    }
}
