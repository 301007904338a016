//! `credentials.json` is read again when it changes, and no secret in it is told or logged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use serde_json::{Value, json};

use super::{ALICE, ALICE_SECRET, Api, BOB, BOB_SECRET, BOB_TOKEN, UP, alice, bob, credentials, files};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::log;
use crate::support::sigv4::{Request, Signer};

/// Whoever leaves the file is refused from the next request on; a broken file opens and closes nothing.
#[test]
fn credentials_are_read_again() {
    let api = Api::new();
    let signed = alice().sign(Request::new("GET", "/items"));
    api.passes(&signed, "at first");
    for broken in ["{", "", "[]", r#"{"Credentials": 1}"#] {
        api.gateway.directory.write("credentials.json", broken);
        api.gateway.server.reload();
        api.passes(&signed, broken);
        api.refuses(&Request::new("GET", "/items"), broken);
    }
    let mut without = credentials();
    without["Credentials"].as_array_mut().unwrap().remove(0);
    api.gateway.directory.write("credentials.json", &without.to_string());
    api.gateway.server.reload();
    api.refuses(&signed, "alice is gone");
    api.passes(&bob().sign(Request::new("GET", "/items")), "bob is still there");
    api.gateway.directory.remove("credentials.json");
    api.gateway.server.reload();
    api.refuses(&bob().sign(Request::new("GET", "/items")), "nobody is known");
}

/// Contract §3: what is taken out or changed holds at the next look, whatever other files say.
#[test]
fn credentials_hold_while_another_file_is_broken() {
    let api = Api::new();
    let signed = |signer: Signer| signer.sign(Request::new("GET", "/items"));
    let write = |json: &Value| {
        api.gateway.directory.write("credentials.json", &json.to_string());
        api.gateway.server.reload();
    };
    api.passes(&signed(alice()), "at first");
    api.gateway.directory.write("routes/broken.json", "{");
    write(&credentials());
    api.passes(&signed(alice()), "beside a broken file");
    api.passes(&signed(bob()), "beside a broken file");

    let mut changed = credentials();
    changed["Credentials"][0]["SecretAccessKey"] = json!("another-secret");
    write(&changed);
    api.refuses(&signed(alice()), "alice's secret is another one");
    api.passes(&signed(Signer::new(ALICE, "another-secret")), "alice's new secret");

    changed["Credentials"].as_array_mut().unwrap().remove(0);
    write(&changed);
    api.refuses(&signed(alice()), "alice is gone");
    api.refuses(&signed(Signer::new(ALICE, "another-secret")), "alice is gone");
    api.passes(&signed(bob()), "bob is still there");

    // The file itself is broken, so it says nothing.
    api.gateway.directory.write("credentials.json", "{");
    api.gateway.server.reload();
    api.passes(&signed(bob()), "a broken credentials.json");
    api.refuses(&signed(alice()), "alice does not come back");

    // A list says whom it does not name, whatever else is wrong with it; who is named with an error has lost the key.
    write(&credentials());
    let incomplete = json!({"AccessKeyId": "AKIDOTHER"});
    let broken_bob = json!({"AccessKeyId": BOB, "SecretAccessKey": 7});
    let all = credentials()["Credentials"].clone();
    for (what, list, has_alice, has_bob) in [
        (
            "an incomplete key besides",
            json!([all[0], all[1], incomplete]),
            true,
            true,
        ),
        (
            "alice is gone beside an incomplete key",
            json!([all[1], incomplete]),
            false,
            true,
        ),
        ("bob is broken", json!([all[0], broken_bob]), true, false),
        ("alice is gone, bob twice", json!([all[1], all[1]]), false, true),
        ("nobody but an incomplete key", json!([incomplete]), false, false),
    ] {
        write(&credentials());
        write(&json!({"Credentials": list}));
        for (signer, passes) in [(alice(), has_alice), (bob(), has_bob)] {
            match passes {
                true => drop(api.passes(&signed(signer), what)),
                false => api.refuses(&signed(signer), what),
            }
        }
    }
    // A file that names nobody.
    for without in [json!({}), json!({"Credentials": null})] {
        write(&credentials());
        api.passes(&signed(bob()), "before the list is gone");
        write(&without);
        api.refuses(&signed(bob()), &without.to_string());
    }
    // A link that leads nowhere is what is left of a secret that was taken away.
    write(&credentials());
    api.passes(&signed(bob()), "before the link");
    api.gateway.directory.remove("credentials.json");
    let path = api.gateway.directory.path().join("credentials.json");
    std::os::unix::fs::symlink("gone.json", path).unwrap();
    api.gateway.server.reload();
    api.refuses(&signed(bob()), "a link that leads nowhere");
    api.gateway.directory.remove("credentials.json");
    write(&credentials());
    api.passes(&signed(bob()), "bob is back");

    api.gateway.directory.remove("credentials.json");
    api.gateway.server.reload();
    api.refuses(&signed(bob()), "nobody is known");
    write(&credentials());
    api.passes(&signed(alice()), "alice is back");
    // Nothing but the credentials has changed.
    assert_eq!(api.gateway.get("/open").status, 200);
}

/// A secret that others can read is one that somebody should look at.
#[test]
fn credentials_that_others_can_read_are_warned_of() {
    let up = Endpoint::answering(UP);
    let directory = Directory::of(&files(&up));
    let path = directory.path().join("credentials.json");
    for (mode, is_warned) in [
        (0o600, false),
        (0o400, false),
        (0o644, true),
        // A group is how Kubernetes lets a container read its secrets.
        (0o640, false),
        (0o604, true),
        (0o666, true),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (deployment, problems) = Configuration::of(&Store::at(directory.path()).load());
        assert!(deployment.is_some(), "{mode:o}");
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let warned = lines
            .iter()
            .any(|line| line.starts_with("credentials.json#: warning: "));
        assert_eq!(warned, is_warned, "{mode:o}: {lines:?}");
    }
}

/// What is wrong with a credential is told without its secret.
#[test]
fn problems_do_not_tell_secrets() {
    let up = Endpoint::answering(UP);
    for (name, value) in [
        ("UserArn", json!("x")),
        ("UserArn", json!(1)),
        ("AccessKeyId", json!("")),
        ("SecretAccessKey", json!([ALICE_SECRET])),
        ("SecretAccessKey", json!({"x": ALICE_SECRET})),
        ("SecretAccessKey", json!(format!("{ALICE_SECRET}\n"))),
        ("SessionToken", json!([ALICE_SECRET])),
        ("SessionToken", json!(format!("{ALICE_SECRET}\u{0}"))),
        ("Colour", json!(ALICE_SECRET)),
    ] {
        let directory = Directory::of(&files(&up));
        let mut content = credentials();
        content["Credentials"][0][name] = value;
        directory.write("credentials.json", &content.to_string());
        let (_, problems) = Configuration::of(&Store::at(directory.path()).load());
        for problem in problems.iter() {
            let text = problem.to_string();
            for secret in [ALICE_SECRET, BOB_SECRET, BOB_TOKEN] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
    let directory = Directory::of(&files(&up));
    directory.write("credentials.json", &credentials().to_string().replace("\"UserId\"", ""));
    let (deployment, problems) = Configuration::of(&Store::at(directory.path()).load());
    assert!(deployment.is_none());
    for problem in problems.iter() {
        assert!(!problem.to_string().contains(ALICE_SECRET), "{problem}");
    }
}

/// Issue E.4: secrets and session tokens are neither logged nor told.
#[test]
fn secrets_are_not_logged() {
    for secret in [ALICE_SECRET, BOB_SECRET, BOB_TOKEN] {
        log::watch_for(secret);
    }
    let api = Api::new();
    let good = bob().sign(Request::new("GET", "/items"));
    api.passes(&good, "good");
    for request in [
        bob().at("20200101T000000Z").sign(Request::new("GET", "/items")),
        good.clone().replaced("x-amz-security-token", &format!("{BOB_TOKEN}x")),
        good.clone().replaced("host", "other.test"),
        bob().presign(Request::new("GET", "/items"), "x"),
        alice().with_token(BOB_TOKEN).sign(Request::new("GET", "/items")),
        Request::new("GET", "/items").header("Authorization", &format!("AWS4-HMAC-SHA256 {ALICE_SECRET}")),
    ] {
        let answer = api.send(&request);
        assert_eq!(answer.status, 403);
        for secret in [ALICE_SECRET, BOB_SECRET, BOB_TOKEN] {
            assert!(!answer.head.contains(secret) && !answer.text().contains(secret));
        }
    }
    for secret in [ALICE_SECRET, BOB_SECRET, BOB_TOKEN] {
        assert_eq!(log::leaks_of(secret), [""; 0]);
    }
}
