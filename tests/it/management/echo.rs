//! `/echo` of the management listener describes the request that it gets.

use serde_json::json;

use crate::support::client::exchange;
use crate::support::program::{json_of, serve, small_api};

#[test]
fn echo_describes_a_request_without_content() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let request =
        "GET /echo?a=1&a=2&b=x%20y+z&c HTTP/1.1\r\nHost: echo.test:81\r\nX-Thing: one\r\nX-Thing: two\r\n\r\n";
    let echoed = json_of(&exchange(served.admin, request));
    assert_eq!(
        echoed,
        json!({
            "args": {"a": ["1", "2"], "b": "x y z", "c": ""},
            "headers": {"host": "echo.test:81", "x-thing": "one, two"},
            "url": "http://echo.test:81/echo?a=1&a=2&b=x%20y+z&c",
        })
    );
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "PUT", "POST"] {
        let answer = exchange(
            served.admin,
            format!("{method} /echo/below HTTP/1.1\r\nHost: h\r\n\r\n"),
        );
        assert_eq!(json_of(&answer)["url"], "http://h/echo/below", "{method}");
    }
}

#[test]
fn echo_describes_content_by_its_type() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let echoed = |content_type: &str, body: &str| {
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let echoed = json_of(&exchange(served.admin, request));
        assert_eq!((&echoed["args"], &echoed["url"]), (&json!({}), &json!("http://h/echo")));
        assert_eq!(echoed["headers"]["content-type"], content_type);
        [echoed["data"].clone(), echoed["form"].clone(), echoed["json"].clone()]
    };
    let object = json!({"a": [1, null]});
    assert_eq!(
        echoed("application/json", "{\"a\": [1, null]}"),
        [object.clone(), json!({}), object]
    );
    assert_eq!(
        echoed("text/plain", "caf\u{e9}"),
        [json!("café"), json!({}), json!(null)]
    );
    let form = json!({"a": "1 2", "b": ""});
    assert_eq!(
        echoed("application/x-www-form-urlencoded", "a=1+2&b="),
        [json!(""), form.clone(), form]
    );
    assert_eq!(echoed("application/json", "{"), [json!("{"), json!({}), json!(null)]);
}
