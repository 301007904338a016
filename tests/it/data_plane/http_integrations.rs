//! These tests of HTTP integrations are those that cases cannot express: options of the command, bodies in parts,
//! bodies that are cut.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::directory::{Directory, http_proxy, pass_everything, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};

fn trusting(blocks: &[&str], files: &[(&str, Value)]) -> Gateway {
    let directory = Directory::of(files);
    let mut options = options(&directory);
    if !blocks.is_empty() {
        options.settings.trusted_proxies = blocks.join(",").parse().unwrap();
    }
    Gateway::start(directory, options)
}

/// Contract §1: `--trusted-proxy` decides for `Forwarded` and for `$context.identity.sourceIp` alike.
#[test]
fn a_trusted_proxy_names_the_client() {
    let endpoint = Endpoint::ok();
    let mut files = pass_everything(endpoint.address);
    files[2].1["RequestParameters"] = json!({"overwrite:header.ip": "$context.identity.sourceIp"});
    for (trusted, fields, client, forwarded) in [
        (&[][..], "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1", "for=192.0.2.1,"),
        (
            &["127.0.0.1"],
            "X-Forwarded-For: 192.0.2.1\r\n",
            "192.0.2.1",
            "for=192.0.2.1,",
        ),
        (
            &["127.0.0.0/8"],
            "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
            "192.0.2.1",
            "for=1.1.1.1;proto=https,for=192.0.2.1,by=127.0.0.1;for=192.0.2.1;host=gw.test;proto=https",
        ),
        // One element of the gateway's own, with what the proxy says.
        (
            &["127.0.0.1"],
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.test:8443\r\n",
            "192.0.2.1",
            "for=192.0.2.1;host=\"api.test:8443\";proto=https,by=127.0.0.1;for=192.0.2.1;host=\"api.test:8443\";proto=https",
        ),
        (
            &["127.0.0.1"],
            "Forwarded: for=192.0.2.1;proto=https;host=api.test\r\n",
            "192.0.2.1",
            "for=192.0.2.1;proto=https;host=api.test,by=127.0.0.1;for=192.0.2.1;host=api.test;proto=https",
        ),
        (
            &["10.0.0.0/8"],
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: api.test\r\n",
            "127.0.0.1",
            "host=api.test;proto=https,",
        ),
        (
            &["127.0.0.1", "10.0.0.0/8"],
            "Forwarded: for=1.1.1.1, for=192.0.2.1, for=\"10.0.0.7:80\"\r\n",
            "192.0.2.1",
            "for=1.1.1.1, for=192.0.2.1, for=\"10.0.0.7:80\",",
        ),
        (&["127.0.0.1"], "", "127.0.0.1", ""),
        (
            &["10.0.0.0/8"],
            "X-Forwarded-For: 192.0.2.1\r\n",
            "127.0.0.1",
            "for=192.0.2.1,",
        ),
        (
            &["127.0.0.1"],
            "X-Forwarded-For: hidden\r\n",
            "127.0.0.1",
            "for=hidden,",
        ),
    ] {
        let gateway = trusting(trusted, &files);
        let answer = gateway.exchange(format!("GET /x HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n"));
        assert_eq!(answer.status, 200);
        let recorded = endpoint.next();
        assert_eq!(recorded.headers("ip"), [client], "{trusted:?} {fields:?}");
        let expected = match forwarded {
            whole if whole.contains("by=") => whole.to_owned(),
            before => format!("{before}by=127.0.0.1;for={client};host=gw.test;proto=http"),
        };
        assert_eq!(recorded.headers("forwarded"), [expected], "{trusted:?} {fields:?}");
    }
}

/// Reads parts of a body into fields, and hands on the whole.
fn mapped(endpoint: &Endpoint) -> Gateway {
    let mut integration = http_proxy(format!("http://{}/up", endpoint.address));
    integration["RequestParameters"] = json!({"overwrite:header.name": "$request.body.name"});
    integration["ResponseParameters"] = json!({"200": {"overwrite:header.name": "$response.body.name"}});
    Gateway::serve(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/up.json", route("ANY /up", "up")),
        ("integrations/up.json", integration),
    ])
}

/// A JSON body with a name, and of about that length.
fn body(length: usize) -> String {
    format!(r#"{{"name": "Rex", "fill": "{}"}}"#, "x".repeat(length))
}

/// R4.3: the window is 100 KB. The body is whole on either side, however it came.
#[test]
fn a_body_that_a_mapping_reads_arrives_whole() {
    for (length, is_found) in [
        (1, true),
        (60_000, true),
        (102_000, true),
        (103_000, false),
        (3_000_000, false),
    ] {
        let body = body(length);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let endpoint = Endpoint::answering(answer);
        let gateway = mapped(&endpoint);
        let sized = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let chunked = format!(
            "Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            body.len() - 1,
            &body[1..]
        );
        for framed in [sized, chunked] {
            let answer = gateway.exchange(format!("POST /up HTTP/1.1\r\nHost: gw.test\r\n{framed}"));
            let recorded = endpoint.next();
            assert_eq!(recorded.body.len(), body.len(), "{length}");
            assert!(recorded.body == body.as_bytes(), "{length}: another body arrived");
            let names = recorded.headers("name");
            assert_eq!(names, if is_found { vec!["Rex"] } else { vec![] }, "{length}");
            assert!(
                answer.complete && answer.body == body.as_bytes(),
                "{length}: another body came back"
            );
            assert_eq!(answer.header("name"), is_found.then_some("Rex"), "{length}");
        }
    }
}

/// §13 and docs/limits.md: what a mapping makes too large is refused.
#[test]
fn a_mapping_has_its_limits() {
    for (length, request_status, response_status) in [(20_000, 200, 200), (40_000, 431, 200), (70_000, 431, 500)] {
        let body = format!(r#"{{"name": "{}"}}"#, "x".repeat(length));
        let endpoint = Endpoint::answering(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let gateway = mapped(&endpoint);
        let sized = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = gateway.exchange(format!("POST /up HTTP/1.1\r\nHost: gw.test\r\n{sized}"));
        // What is refused on its way does not come back, so each way is asked for itself.
        if request_status != 200 {
            assert_eq!(answer.status, request_status, "{length}");
            assert!(endpoint.rest().is_empty(), "{length}");
        }
        let answer = gateway.get("/up");
        assert_eq!(answer.status, response_status, "{length}");
    }
}

/// R4.10, R4.11: a mapped Date takes the place of ours.
#[test]
fn a_mapped_date_stands_alone() {
    let endpoint = Endpoint::ok();
    let mut files = pass_everything(endpoint.address);
    files[2].1["ResponseParameters"] = json!({"200": {"overwrite:header.date": "Thu, 01 Jan 1970 00:00:00 GMT"}});
    let answer = Gateway::serve(&files).get("/x");
    let dates: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("date"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(dates, ["Thu, 01 Jan 1970 00:00:00 GMT"]);
}

/// Connections are kept for each upstream, however many there are.
#[test]
fn every_upstream_has_its_kept_connection() {
    let endpoints: Vec<Endpoint> = (0..8).map(|_| Endpoint::ok()).collect();
    let directory = Directory::of(&[("stages/$default.json", json!({"Name": "$default"}))]);
    for (number, endpoint) in endpoints.iter().enumerate() {
        let integration = http_proxy(format!("http://{}/", endpoint.address));
        directory.write(&format!("integrations/i{number}.json"), &integration.to_string());
        let route = route(&format!("GET /{number}"), &format!("i{number}"));
        directory.write(&format!("routes/r{number}.json"), &route.to_string());
    }
    let mut options = options(&directory);
    // Each loop keeps connections of its own.
    options.loops = options.loops.min(1);
    let gateway = Gateway::start(directory, options);
    for _ in 0..5 {
        for number in 0..endpoints.len() {
            assert_eq!(gateway.get(&format!("/{number}")).status, 200);
        }
    }
    for endpoint in &endpoints {
        assert_eq!(endpoint.connections(), 1);
    }
}

/// A body that a mapping reads and that breaks off is neither mapped nor passed on.
#[test]
fn a_cut_body_is_not_mapped() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n{\"name\": \"Rex\", ");
        Next::Close
    });
    let gateway = mapped(&endpoint);
    let answer = gateway.get("/up");
    assert_eq!((answer.status, answer.header("name")), (503, None));

    let endpoint = Endpoint::ok();
    let gateway = mapped(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /up HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 90000\r\n\r\n{\"name\": \"Rex\"}");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer_to("POST").status, 400);
    assert!(endpoint.rest().is_empty(), "a cut body was passed on");
}

/// R4.12 and §4: events are not waited for.
#[test]
fn a_mapping_does_not_hold_back_an_event_stream() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    let endpoint = Endpoint::start(move |stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}data: 1\n\n").as_bytes());
        let _ = receiver.lock().unwrap().recv();
        let _ = stream.write_all(b"data: 2\n\n");
        Next::Close
    });
    let gateway = mapped(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("GET /up HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    let mut seen = Vec::new();
    client.read_until(&mut seen, "data: 1");
    sender.send(()).unwrap();
    client.read_until(&mut seen, "data: 2");
}
