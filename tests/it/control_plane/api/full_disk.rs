//! A disk that is full, and files that may not grow: a call that cannot be written changes nothing (contract §4).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::control_plane::api::open_api::{document, tree};
use crate::support::calls::{call, expect};
use crate::support::directory::Directory;
use crate::support::program::{Served, prepared, served_by};

/// A gateway that a shell starts: `$0` is the program, `$1` the root.
fn served_in(mut shell: Command, script: &str, root: &Path) -> Served {
    let serve = r#"exec "$0" serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --access-log off --root "$1""#;
    shell.arg("-c").arg(format!("{script}{serve}"));
    shell.arg(env!("CARGO_BIN_EXE_apigateway")).arg(root);
    served_by(prepared(shell))
}

/// Calls until one is let through, `more` room each time; each that is not is 503, and has changed nothing.
fn refused_until_there_is_room(
    served: &Served,
    root: &Path,
    (method, path, body): (&str, &str, &str),
    mut make_room: impl FnMut() -> bool,
) -> usize {
    let mut refused = 0;
    loop {
        let before = tree(root);
        let answer = call(served.admin, method, path, body.as_bytes());
        if matches!(answer.status, 200..=204) {
            return refused;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("x-amzn-errortype"), Some("ServiceUnavailableException"));
        assert!(
            answer.text().starts_with(r#"{"message":"cannot write "#),
            "{}",
            answer.text()
        );
        let mut after = tree(root);
        // What is left over of room is no part of it.
        after
            .remove("filler")
            .zip(before.get("filler"))
            .inspect(|(after, before)| assert_eq!(after, *before));
        let expected = before.iter().filter(|(path, _)| *path != "filler");
        assert!(
            expected.eq(after.iter()),
            "{method} {path}: {:?}\n{:?}",
            before.keys(),
            after.keys()
        );
        let listed = call(served.admin, "GET", "/v2/apis", b"");
        assert_eq!(listed.status, 200, "reads go on");
        refused += 1;
        assert!(make_room(), "no room is enough: {}", answer.text());
    }
}

/// A root on a file system of its own with a mebibyte; none, and a word about it, where the system makes none.
fn on_small_disk(directory: &Directory) -> Option<(Served, PathBuf)> {
    let mut probe = Command::new("unshare");
    let script = "mount -t tmpfs -o size=1m none /mnt";
    let probe = probe
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .stdin(Stdio::null())
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        let text = b"\nNOT TESTED: a full disk, since this user may mount none\n";
        std::io::stderr().lock().write_all(text).unwrap();
        return None;
    }
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh"]);
    let served = served_in(shell, r#"mount -t tmpfs -o size=1m none "$1" && "#, directory.path());
    // As the process sees it.
    let root = format!("/proc/{}/root{}", served.running.child.id(), directory.path().display());
    Some((served, root.into()))
}

/// Takes all room of a disk but so many bytes.
fn fill(root: &Path, room: u64) {
    let path = root.join("filler");
    let mut file = File::create(&path).unwrap();
    let mut length = 0;
    while file.write_all(&[b' '; 4096]).is_ok() {
        length += 4096;
    }
    file.set_len(length - room.min(length)).unwrap();
}

#[test]
fn a_full_disk_changes_nothing() {
    let directory = Directory::empty();
    let Some((served, root)) = on_small_disk(&directory) else {
        return;
    };
    let old = json!({"body": document(20, "old")});
    let api = expect(served.admin, 201, "PUT", "/v2/apis", &old)["apiId"]
        .as_str()
        .unwrap()
        .to_owned();
    let of_api = |below: &str| format!("/v2/apis/{api}{below}");
    expect(
        served.admin,
        201,
        "POST",
        &of_api("/stages"),
        &json!({"stageName": "s"}),
    );
    let new = json!({"body": document(20, "new")}).to_string();
    let route = json!({"routeKey": "GET /x", "operationName": "x".repeat(60)}).to_string();
    let deployment = json!({"stageName": "s"}).to_string();
    for (method, path, body) in [
        ("PUT", "/v2/apis".to_owned(), new.as_str()),
        ("PUT", of_api(""), new.as_str()),
        ("POST", of_api("/routes"), route.as_str()),
        ("POST", of_api("/deployments"), deployment.as_str()),
    ] {
        let mut room = 0;
        fill(&root, room);
        let make_room = || {
            room += 4 * 4096;
            fill(&root, room);
            room < 900 * 1024
        };
        let refused = refused_until_there_is_room(&served, &root, (method, &path, body), make_room);
        assert!(refused > 0, "{method} {path} needed no room");
        fs::remove_file(root.join("filler")).unwrap();
    }
}

#[test]
fn a_file_that_may_not_grow_changes_nothing() {
    let directory = Directory::empty();
    // A file may have 2 KiB, and a longer one is an error instead of a signal.
    let limit = "trap '' XFSZ; ulimit -f 4; ";
    let served = served_in(Command::new("sh"), limit, directory.path());
    let root = directory.path();
    let api = expect(
        served.admin,
        201,
        "PUT",
        "/v2/apis",
        &json!({"body": document(20, "old")}),
    );
    let api = api["apiId"].as_str().unwrap().to_owned();
    let of_api = |below: &str| format!("/v2/apis/{api}{below}");
    expect(
        served.admin,
        201,
        "POST",
        &of_api("/stages"),
        &json!({"stageName": "s"}),
    );
    // The deployment is too long, after which the stage would have been changed.
    let deployment = json!({"stageName": "s"}).to_string();
    // One integration of many is.
    let long = document(20, "new").replace("/new/19", &format!("/new/{}", "x".repeat(2000)));
    for (method, path, body) in [
        ("POST", of_api("/deployments"), deployment),
        ("PUT", of_api(""), json!({"body": long}).to_string()),
        ("PUT", "/v2/apis".to_owned(), json!({"body": long}).to_string()),
    ] {
        let before = tree(root);
        let answer = call(served.admin, method, &path, body.as_bytes());
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("cannot write"), "{}", answer.text());
        assert_eq!(tree(root), before, "{method} {path}");
    }
}
