//! The options of a fleet: what cannot be right is refused, and no password is shown (`F11`, `F12`).

use std::fs;

use serde_json::json;

use crate::support::client::get;
use crate::support::directory::{Directory, http_proxy, route, throttled_stage};
use crate::support::endpoint::nobody;
use crate::support::program::{Running, announced, program, run, run_with, serve, small_api};
use crate::support::valkey::valkey;

#[test]
fn what_cannot_be_right_ends_the_start_with_its_reason() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    directory.write("password", "secret-one\n");
    directory.write("empty", "\n");
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (password, empty, absent) = (file("password"), file("empty"), file("absent"));
    let url = "redis://127.0.0.1:1";
    let long = "p".repeat(65);
    for (options, environment, reason) in [
        (
            vec!["--valkey", "http://u:secret-one@h"],
            None,
            "--valkey: it begins with none of redis://",
        ),
        (
            vec!["--valkey", "redis://u:secret-one@"],
            None,
            "--valkey: it has no host",
        ),
        (vec!["--valkey", "redis://:secret-one@h?x=1"], None, "query"),
        (vec!["--valkey", "redis://:secret-one@h#x"], None, "fragment"),
        (
            vec!["--valkey", "redis://:secret-one@h/1x"],
            None,
            "number of a database",
        ),
        (
            vec![],
            Some(("APIGATEWAY_VALKEY", "redis://u:secret-one@h:x")),
            "APIGATEWAY_VALKEY: its port",
        ),
        (
            vec!["--valkey", "redis://:secret-one@h", "--valkey-password-file", &password],
            None,
            "--valkey and --valkey-password-file both have a password",
        ),
        (
            vec!["--valkey", url, "--valkey-password-file", &password],
            Some(("APIGATEWAY_VALKEY_PASSWORD", "secret-one")),
            "--valkey-password-file and APIGATEWAY_VALKEY_PASSWORD both have a password",
        ),
        (
            vec!["--valkey", "redis://:secret-one@h"],
            Some(("APIGATEWAY_VALKEY_PASSWORD", "secret-one")),
            "--valkey and APIGATEWAY_VALKEY_PASSWORD both have a password",
        ),
        (
            vec!["--valkey", url, "--valkey-password-file", &absent],
            None,
            "absent: cannot be read",
        ),
        (
            vec!["--valkey", url, "--valkey-password-file", &empty],
            None,
            "empty: is empty",
        ),
        (vec!["--valkey", url, "--valkey-ca", &absent], None, "--valkey-ca"),
        (vec!["--valkey", url, "--valkey-ca", &password], None, "--valkey-ca"),
        (vec!["--valkey", url, "--valkey-prefix", ""], None, "--valkey-prefix"),
        (
            vec!["--valkey", url, "--valkey-prefix", "a{b}"],
            None,
            "--valkey-prefix",
        ),
        (vec!["--valkey", url, "--valkey-prefix", &long], None, "--valkey-prefix"),
        (
            vec!["--valkey", url, "--valkey-timeout-ms", "0"],
            None,
            "--valkey-timeout-ms",
        ),
        (
            vec!["--valkey", url, "--valkey-timeout-ms", "1001"],
            None,
            "--valkey-timeout-ms",
        ),
        (
            vec!["--valkey", url, "--valkey-timeout-ms", "2.5"],
            None,
            "--valkey-timeout-ms",
        ),
    ] {
        let mut arguments = vec!["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"];
        arguments.extend(&options);
        let ended = run_with(&arguments, environment.as_slice());
        let refusal = ended.refusal();
        assert!(refusal.contains(reason), "{options:?}: {refusal}");
        assert!(!refusal.contains("secret-one"), "{refusal}");
    }
}

#[test]
fn a_password_is_told_to_valkey_alone() {
    let Some(valkey) = valkey(&["--requirepass", "never-to-be-shown"]) else {
        return;
    };
    let directory = Directory::of(&[
        ("stages/$default.json", throttled_stage(0.001, 2)),
        ("routes/x.json", route("GET /x", "up")),
        ("integrations/up.json", http_proxy(format!("http://{}/", nobody()))),
    ]);
    let url = valkey.url();
    for password in ["never-to-be-shown", "another-secret"] {
        let mut command = program();
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--log-level",
            "debug",
        ]);
        command
            .args(["--valkey", &url, "--valkey-timeout-ms", "500", "--root"])
            .arg(directory.path());
        command.env("APIGATEWAY_VALKEY_PASSWORD", password);
        let mut running = Running::spawn(command);
        let address = announced(&running.says(), "listening on http://");
        let admin = announced(&running.says(), "admin on http://");
        let statuses = [(); 3].map(|()| get(address, "/x").status);
        assert_eq!(statuses, [503, 503, 429], "{password}");
        let page = get(admin, "/metrics").text();
        let up = format!("apigateway_valkey_up {}\n", u8::from(password == "never-to-be-shown"));
        assert!(page.contains(&up), "{page}");
        assert!(!page.contains(password));
        running.signal(rustix::process::Signal::TERM);
        let ended = running.end();
        assert_eq!(ended.code(), 0);
        let said = ended.stderr.join("\n") + &ended.stdout.join("\n");
        assert!(!said.contains(password), "{said}");
        if password == "another-secret" {
            assert!(
                said.contains("valkey: the server refuses: WRONGPASS; limits of this process alone, 1/1 each"),
                "{said}"
            );
        }
    }
}

#[test]
fn check_tells_the_hash_in_json_alone() {
    // F13.
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let of = |arguments: &[&str]| run(arguments).stdout.join("\n");
    let json: serde_json::Value = serde_json::from_str(&of(&["check", "--root", root, "--format", "json"])).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&json!(0), &json!(0)));
    assert_eq!(of(&["check", "--root", root]), "0 errors, 0 warnings");
    let served = serve(&directory, &[]);
    let page = get(served.admin, "/metrics").text();
    let hash = json["hash"].as_str().unwrap();
    assert!(
        page.contains(&format!("apigateway_deployment_info{{hash=\"{hash}\"}} 1\n")),
        "{page}"
    );
    // As anybody can compute it.
    let mut files: Vec<(String, String)> = Vec::new();
    for name in ["stages", "routes", "integrations"] {
        for entry in fs::read_dir(directory.path().join(name)).unwrap() {
            let path = entry.unwrap().path();
            let below = path
                .strip_prefix(directory.path())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.push((below, fs::read_to_string(path).unwrap()));
        }
    }
    files.sort();
    let bytes: Vec<u8> = files
        .iter()
        .flat_map(|(path, text)| format!("{path}\0{}\0{text}", text.len()).into_bytes())
        .collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let expected: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, expected);
}
