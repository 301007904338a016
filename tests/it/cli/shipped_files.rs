//! The API that comes with the sources has no problem, and its files are those that the article prints.

use serde_json::{Value, json};

use crate::support::client::{exchange, get};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::program::{Running, announced, json_of, program, run, serve};
use crate::support::repository::{root, text_of};

/// A copy of the shipped files.
fn shipped() -> Directory {
    let directory = Directory::empty();
    for kind in ["stages", "routes", "integrations", "functions"] {
        for entry in std::fs::read_dir(root().join(kind)).unwrap() {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap();
            directory.write(&format!("{kind}/{}", entry.file_name().to_str().unwrap()), &text);
        }
    }
    directory
}

#[test]
fn the_shipped_api_has_no_problem() {
    let ended = run(&["check", "--root", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
}

/// The article that describes the files prints these three.
const ARTICLE: [(&str, &str); 3] = [
    (
        "stages/v0.json",
        r#"{
  "Name": "v0",
  "Routes": ["routes/ja32tiv"]
}"#,
    ),
    (
        "routes/ja32tiv.json",
        r#"{
  "RouteKey": "GET /postman",
  "Target": "integrations/pa09itl"
}"#,
    ),
    (
        "integrations/pa09itl.json",
        r#"{
  "IntegrationType": "HTTP_PROXY",
  "IntegrationUri": "https://postman-echo.com/get"
}"#,
    ),
];

#[test]
fn the_articles_files_have_no_problem_and_are_served() {
    let directory = Directory::empty();
    for (path, text) in ARTICLE {
        directory.write(path, text);
    }
    let ended = run(&["check", "--root", directory.path().to_str().unwrap()]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    // Where that service cannot be reached it is 503, by the gateway.
    let served = serve(&directory, &[]);
    let answer = get(served.address, "/v0/postman?a=b");
    assert_ne!(answer.status, 404, "{answer:?}");
    assert!(answer.header("apigw-requestid").is_some(), "{answer:?}");
    assert_eq!(get(served.address, "/v0/other").status, 404);
    // The same with a service that is here.
    let endpoint = Endpoint::ok();
    let text = ARTICLE[2]
        .1
        .replace("https://postman-echo.com", &format!("http://{}", endpoint.address));
    directory.write(ARTICLE[2].0, &text);
    let served = serve(&directory, &[]);
    assert_eq!(get(served.address, "/v0/postman?a=b").status, 200);
    assert_eq!(endpoint.next().line(), "GET /get?a=b HTTP/1.1");
}

/// Other members and more routes may stand beside the article's.
#[test]
fn the_shipped_files_have_what_the_article_prints() {
    for (path, text) in ARTICLE {
        let shipped = text_of(path);
        let (shipped, article): (Value, Value) = (
            serde_json::from_str(&shipped).unwrap(),
            serde_json::from_str(text).unwrap(),
        );
        for (name, value) in article.as_object().unwrap() {
            match (value, &shipped[name]) {
                (Value::Array(some), Value::Array(all)) => {
                    assert!(some.iter().all(|entry| all.contains(entry)), "{path}: {name}");
                }
                (value, shipped) => assert_eq!(shipped, value, "{path}: {name}"),
            }
        }
    }
    let integration = text_of(ARTICLE[2].0);
    assert!(!integration.contains("IntegrationMethod"), "{integration}");
}

#[test]
fn the_shipped_api_answers_by_its_own_echo_whatever_the_management_listener_is() {
    let directory = shipped();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--admin", "off", "--root"]);
    command.arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    let echoed = json_of(&get(address, "/v0/echo?a=b"));
    assert_eq!(echoed["args"], json!({"a": "b"}));
    assert_eq!(echoed["url"], "http://apigateway.localhost/echo?a=b");
    assert_eq!(echoed["headers"]["host"], "apigateway.localhost");
    let echoed = json_of(&get(address, "/echo/x/y%20z"));
    assert_eq!(echoed["url"], "http://apigateway.localhost/echo/x/y%20z");
    let post =
        "POST /v0/echo HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    assert_eq!(json_of(&exchange(address, post))["json"], json!({"a": 1}));
}

#[test]
fn the_shipped_api_says_at_its_root_what_to_try() {
    let served = serve(&shipped(), &[]);
    let answer = exchange(served.address, "GET / HTTP/1.1\r\nHost: gw.test:80\r\n\r\n");
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text();
    assert!(text.starts_with("apigateway works: "), "{text}");
    assert!(text.contains("curl 'http://gw.test:80/echo/pets?a=b'"), "{text}");
    // What a client calls itself is no command.
    let answer = exchange(served.address, "GET / HTTP/1.1\r\nHost: a;rm\r\n\r\n");
    assert!(answer.status == 400 || !answer.text().contains("rm/"), "{answer:?}");
}
