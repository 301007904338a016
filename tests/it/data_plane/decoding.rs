//! Routing and what leaves agree on one decoding (`R1.31`, `R1.32`): no request reaches by one route what another one
//! guards.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::directory::{Directory, route};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::properties::Chance;

const TABLES: u64 = 150;
const REQUESTS: usize = 60;

/// Few names, so that routes and requests meet; some are what another one is when it is decoded.
const LITERALS: [&str; 5] = ["a", "admin", "b+c", "...", "x;y=1"];

/// An integration that sends on the path that it was asked for, in one of the ways in which a file can say so.
fn mirror(key: &str, id: &str, endpoint: &Endpoint, chance: &mut Chance) -> Value {
    let address = endpoint.address;
    let path = key.split_once(' ').map_or("", |(_, path)| path);
    let uri_path = path.replace("+}", "}");
    let (uri, overwrite) = match chance.below(5) {
        // Without an `overwrite:path`, `$default` appends the request's path.
        _ if key == "$default" => (String::new(), None),
        0 => ("/else".to_owned(), Some("$request.path".to_owned())),
        1 => ("/else".to_owned(), Some(uri_path.replace('{', "${request.path."))),
        // R4.5: names end at the slash.
        2 => {
            let bare = uri_path.replace('{', "$request.path.").replace('}', "");
            ("/else".to_owned(), Some(bare))
        }
        _ => (uri_path, None),
    };
    let mut parameters = json!({"overwrite:header.x-route": id});
    if let Some(overwrite) = overwrite {
        parameters["overwrite:path"] = json!(overwrite);
    }
    json!({
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "ANY",
        "IntegrationUri": format!("http://{address}{uri}"),
        "RequestParameters": parameters,
    })
}

fn key(chance: &mut Chance) -> String {
    if chance.below(12) == 0 {
        return "$default".to_owned();
    }
    let method = ["GET", "ANY"][chance.below(2)];
    let length = 1 + chance.below(3);
    let segments: Vec<String> = (0..length)
        .map(|at| match chance.below(5) {
            0 => format!("{{v{at}}}"),
            1 | 2 if at + 1 == length => format!("{{v{at}+}}"),
            _ => LITERALS[chance.below(LITERALS.len())].to_owned(),
        })
        .collect();
    format!("{method} /{}", segments.join("/"))
}

/// A path whose bytes are percent-encoded up to three times, here and there.
fn path(chance: &mut Chance) -> String {
    const PIECES: [&str; 12] = [
        "a",
        "admin",
        "b+c",
        "...",
        "x;y=1",
        "/",
        "/",
        "",
        "%",
        "?",
        "*",
        "caf\u{e9}",
    ];
    let mut path = "/".to_owned();
    let how_often = chance.below(3);
    for _ in 0..1 + chance.below(5) {
        for character in PIECES[chance.below(PIECES.len())].chars() {
            let mut text = character.to_string();
            let times = if chance.below(4) < how_often {
                1 + chance.below(3)
            } else {
                0
            };
            // A request line holds these in their encoding only.
            let times = if "%?\u{e9}".contains(character) {
                times.max(1)
            } else {
                times
            };
            for time in 0..times {
                let encoded = |byte: u8| format!("%{byte:02X}");
                text = match time {
                    0 => text.bytes().map(encoded).collect(),
                    _ => text.replace('%', "%25"),
                };
            }
            path += &text;
        }
        if chance.below(2) == 0 {
            path += ["/", "/", "%2f", "%252F"][chance.below(4)];
        }
    }
    path
}

/// What the upstream got: the path, and the route that let it pass.
fn passed(endpoint: &Endpoint) -> (String, String) {
    let recorded = endpoint.next();
    let target = recorded.request().split_once(' ').unwrap().1.to_owned();
    (target, recorded.headers("x-route")[0].to_owned())
}

fn get(client: &mut Client, path: &str) -> Answer {
    client
        .send(format!("GET {path} HTTP/1.1\r\nHost: gw.test\r\n\r\n"))
        .answer_to("GET")
}

/// What the upstream receives, sent to the gateway as it stands, selects the same route.
#[test]
fn what_the_upstream_receives_selects_the_same_route() {
    let endpoint = Endpoint::ok();
    let (mut passed_on, mut encoded, mut refused) = (0, 0, 0);
    for seed in 0..TABLES {
        let mut chance = Chance(seed);
        let keys: BTreeSet<String> = (0..2 + chance.below(8)).map(|_| key(&mut chance)).collect();
        let directory = Directory::of(&[("stages/$default.json", json!({"Name": "$default"}))]);
        let mut forms = BTreeSet::new();
        for (number, key) in keys.iter().enumerate() {
            // Two keys that take the same requests are an error.
            let form: String = key.chars().filter(|character| !character.is_ascii_digit()).collect();
            if !forms.insert(form) {
                continue;
            }
            let id = format!("r{number}");
            directory.write(&format!("routes/{id}.json"), &route(key, &id).to_string());
            let integration = mirror(key, &id, &endpoint, &mut chance);
            directory.write(&format!("integrations/{id}.json"), &integration.to_string());
        }
        let settings = options(&directory);
        let gateway = Gateway::start(directory, settings);
        let mut client = Client::connect(gateway.address);
        for _ in 0..REQUESTS {
            let asked = path(&mut chance);
            let answer = get(&mut client, &asked);
            if answer.status != 200 {
                assert!(matches!(answer.status, 400 | 404), "{asked}: {}", answer.status);
                refused += 1;
                continue;
            }
            let (sent, by) = passed(&endpoint);
            let again = get(&mut client, &sent);
            assert_eq!(again.status, 200, "{keys:?}: {asked} went out as {sent} by {by}");
            let (sent_again, by_again) = passed(&endpoint);
            assert_eq!(by_again, by, "{keys:?}: {asked} went out as {sent}");
            assert_eq!(sent_again, sent, "{keys:?}: {asked}");
            passed_on += 1;
            encoded += usize::from(asked.contains("%25"));
        }
    }
    // The tables meet the requests, and the requests are encoded more than once.
    assert!(
        passed_on > 2_000 && encoded > 500 && refused > 500,
        "{passed_on} {encoded} {refused}"
    );
}
