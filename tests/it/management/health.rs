//! `/healthz` of the management listener is ok while an API is served and no stop has begun.

use rustix::process::Signal;

use crate::support::client::{exchange, get};
use crate::support::program::{in_flight, serve, small_api};

#[test]
fn health_is_ok_while_an_api_is_served() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    let answer = get(served.admin, "/healthz");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let answer = exchange(served.admin, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(get(served.admin, "/nothing").status, 404);
    // The API's listener has none of these pages.
    assert_eq!(get(served.address, "/healthz").status, 503);
}

#[test]
fn health_is_not_ok_once_a_stop_has_begun() {
    let (served, mut client, _endpoint, release, _directory) = in_flight(&[]);
    assert_eq!(get(served.admin, "/healthz").status, 200);
    served.running.signal(Signal::TERM);
    served.is_stopping();
    assert_eq!(get(served.admin, "/healthz").status, 503);
    release.send(()).unwrap();
    assert_eq!(client.answer_to("GET").text(), "late");
}
