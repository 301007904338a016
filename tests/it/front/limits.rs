//! Bodies, heads, connections and waiting requests have limits, and a request beyond them is refused.

use std::io::Write;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{GET, TEN_MIB, assert_one, assert_refused, check_next, ended, holding, number, serve, serve_with};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::content::{chunked, content};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;
use crate::support::metrics::metrics_at;
use crate::support::wait::wait_until;

#[test]
fn a_length_over_10_mib_is_refused_before_the_body_comes() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for length in [TEN_MIB as u64 + 1, 1 << 31, 1 << 62, u64::MAX] {
        for part in [0, 100_000] {
            let what = format!("{length} bytes, {part} sent");
            let mut client = Client::connect(gateway.address);
            client.send(format!(
                "POST /large HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {length}\r\n\r\n"
            ));
            // The gateway may have ended the connection already.
            let _ = client.stream.write_all(&content(part));
            let answer = client.answer_to("POST");
            assert_refused(&answer, 413, "Request Entity Too Large", &what);
            assert!(ended(&mut client), "{what}");
        }
    }
    assert_eq!(gateway.get("/later").text(), "/later");
    let arrived: Vec<String> = endpoint.rest().iter().map(|r| r.request().to_owned()).collect();
    assert_eq!(arrived, ["GET /later"]);
}

#[test]
fn a_length_beyond_any_number_does_no_harm() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /large HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 99999999999999999999999\r\n\r\n");
    let answer = client.answer_to("POST");
    assert!([400, 413].contains(&answer.status), "{}", answer.status);
    assert!(ended(&mut client));
    assert_eq!(gateway.get("/later").text(), "/later");
}

#[test]
fn chunks_over_10_mib_are_refused_and_never_look_whole_upstream() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /large HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let _ = client.stream.write_all(&chunked(&content(TEN_MIB + 1), 65_536));
    let answer = client.answer_to("POST");
    assert_refused(&answer, 413, "Request Entity Too Large", "chunked");
    check_next(&mut client, &answer, "chunked");
    assert_no_whole(&endpoint, &gateway, "/large");
}

/// Sends a request as a mark, and sees that before it nothing whole with that target came to the endpoint.
fn assert_no_whole(endpoint: &Endpoint, gateway: &Gateway, target: &str) {
    assert_eq!(gateway.get("/mark").text(), "/mark");
    loop {
        let recorded = endpoint.next();
        if recorded.line().contains("/mark") {
            return;
        }
        assert!(
            !recorded.complete || !recorded.line().contains(target),
            "upstream took this for whole: {}",
            recorded.head
        );
    }
}

/// A request whose head has that many bytes, all lines counted.
fn head_of(length: usize, padding: &str) -> String {
    let start = "GET /head HTTP/1.1\r\nHost: gw.test\r\nX-Long: ";
    let end = "\r\n\r\n";
    let rest = length - start.len() - end.len();
    let value = match padding {
        "value" => "a".repeat(rest),
        "spaces" => format!("{}a", " ".repeat(rest - 1)),
        _ => {
            let mut fields = String::from("a");
            while fields.len() + 80 < rest {
                fields += &format!("\r\nX-N: {}", "b".repeat(70));
            }
            let missing = rest - fields.len();
            fields + &"b".repeat(missing)
        }
    };
    format!("{start}{value}{end}")
}

#[test]
fn a_head_may_have_10240_bytes() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    check_heads(&gateway, &["value", "fields"]);
    let long = "a".repeat(10_300);
    let answer = gateway.get(&format!("/{long}"));
    assert_refused(&answer, 431, "Request Header Fields Too Large", "target");
}

fn check_heads(gateway: &Gateway, paddings: &[&str]) {
    for padding in paddings {
        for (length, status) in [(10_240, 200), (10_241, 431), (40_000, 431)] {
            let request = head_of(length, padding);
            assert_eq!(request.len(), length);
            let mut client = Client::connect(gateway.address);
            let answer = client.send(request).answer_to("GET");
            assert_eq!(answer.status, status, "{length} bytes by {padding}");
            if status == 431 {
                assert_refused(&answer, 431, "Request Header Fields Too Large", padding);
            }
        }
    }
}

#[test]
fn a_hundred_fields_pass_in_both_directions() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let fields: String = recorded
            .head
            .split_inclusive("\r\n")
            .filter(|line| line.to_ascii_lowercase().starts_with("x-field"))
            .collect();
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").as_bytes());
        Next::KeepAlive
    });
    let gateway = serve(&endpoint);
    let fields: String = (0..100)
        .map(|number| format!("X-Field-{number}: {number}\r\n"))
        .collect();
    let answer = gateway.exchange(format!("GET /many HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n"));
    assert_eq!(answer.status, 200);
    let recorded = endpoint.next();
    for number in 0..100 {
        let name = format!("x-field-{number}");
        let value = number.to_string();
        assert_eq!(recorded.headers(&name), [value.as_str()]);
        assert_eq!(answer.header(&name), Some(value.as_str()));
    }
}

#[test]
fn a_connection_too_many_is_told_so_and_the_place_is_free_again() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.max_connections = number(3));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    let (begin, end) = GET.split_at(10);
    for client in &mut clients {
        assert_one(&client.send(GET).answer_to("GET"));
        // An idle one would give way.
        client.send(begin);
    }
    // Also more than are listened to until they have read it.
    for _ in 0..40 {
        let mut client = Client::connect(gateway.address);
        let answer = client.answer_to("GET");
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
        assert_eq!(answer.text(), "{\"message\":\"Service Unavailable\"}");
        assert!(answer.header("apigw-requestid").is_some());
        assert!(client.is_closed());
    }
    assert_one(&clients[0].send(end).answer_to("GET"));
    drop(clients);
    wait_until("free", || get(gateway.address, "/one").status == 200);
}

#[test]
fn refused_clients_are_listened_to_and_not_for_ever() {
    const OPEN: &str = "apigateway_connections_open";
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| {
        options.limits.max_connections = number(1);
        options.limits.lingering_over_limit = 3;
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut first = Client::connect(gateway.address);
    // An idle one would give way.
    first.send("GET /one HTTP/1.1\r\n");
    let start = Instant::now();
    let mut others: Vec<Client> = (0..20).map(|_| Client::connect(gateway.address)).collect();
    for other in &mut others {
        assert_eq!(other.answer_to("GET").status, 503);
    }
    // The first, and so many that have not ended their side.
    wait_until("as many as are listened to", || {
        (3.5..4.5).contains(&metrics_at(admin)[OPEN])
    });
    // They never do, and are closed all the same.
    wait_until("closed", || metrics_at(admin)[OPEN] < 2.0);
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn who_goes_on_sending_after_a_refusal_is_reset() {
    const LISTENED_TO: usize = 64 << 20;
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send("\0");
    assert_eq!(client.answer_to("GET").status, 400);
    let part = vec![b'x'; 1 << 20];
    let mut sent = 0;
    // Sockets hold some more.
    while sent < 2 * LISTENED_TO && client.stream.write_all(&part).is_ok() {
        sent += part.len();
    }
    assert!(sent < 2 * LISTENED_TO, "{sent}");
}

#[test]
fn more_requests_than_the_queue_holds_are_refused_in_words() {
    // As `MAX_QUEUED` has it.
    const QUEUED: usize = 2048;
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |options| {
        // Requests that wait for a worker are the subject.
        options.loops = 0;
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
        // The length of the queue is the subject, and not how long it lasts.
        options.limits.queue_timeout = PATIENCE;
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut held = Client::connect(gateway.address);
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    endpoint.next();
    let mut queued: Vec<Client> = (0..QUEUED).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut queued {
        client.send(GET);
    }
    wait_until("queued", || {
        metrics_at(admin)["apigateway_queue_depth"] > QUEUED as f64 - 0.5
    });
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        let answer = client.send(GET).answer_to("GET");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed());
    }
    assert_eq!(metrics_at(admin)["apigateway_requests_refused_total"], 3.0);
    // A burst of so many is answered whole.
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    for client in &mut queued {
        assert_one(&client.answer_to("GET"));
    }
}

#[test]
fn a_burst_is_answered_whole_and_at_the_same_time() {
    const BURST: usize = 200;
    let arrived = (Mutex::new(0), Condvar::new());
    let endpoint = Endpoint::start(move |stream, _| {
        let (count, all) = &arrived;
        *count.lock().unwrap() += 1;
        all.notify_all();
        // Each is answered when all are here.
        let are_missing = |count: &mut usize| *count < BURST;
        let waited = all.wait_timeout_while(count.lock().unwrap(), PATIENCE, are_missing);
        let length = if waited.unwrap().1.timed_out() { "none" } else { "4" };
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n/one").as_bytes());
        Next::KeepAlive
    });
    let gateway = serve_with(&endpoint, |options| options.workers = number(240));
    let mut clients: Vec<Client> = (0..BURST).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_one(&client.answer_to("GET"));
    }
}
