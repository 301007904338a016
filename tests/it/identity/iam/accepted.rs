//! Good signatures pass, and the integration learns of their signer.

use serde_json::json;

use super::{ALICE, Api, BOB, UP, alice, bob, files};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::sigv4::{Request, sha256};

/// R8.38: requests as clients sign them, in the header and in the query.
#[test]
fn good_signatures_pass() {
    let api = Api::new();
    for target in [
        "/",
        "/items",
        "/items/",
        "/beta/items",
        "/items?a=1",
        "/items?b=2&a=1",
        "/items?a=2&a=1",
        "/items?a=1&a=1",
        "/items?a",
        "/items?a=",
        "/items?=a",
        "/items?a=b=c",
        "/items?a=b%20c&d=%2F",
        "/items?A=1&a=2&B=3",
        "/items?a-b=1&a=2",
        "/items?%61=1",
        "/items?x=%C3%A4",
        "/items?x=~-._",
        "/items?x=*",
        "/items?x=%2a",
        "/items?x='()!",
        "/a%20b",
        "/a%2Fb",
        "/a%2fb",
        "/a+b",
        "/caf%C3%A9",
        "/a;b=c,d",
        "/a:b@c",
        "/a~b",
        "/%7Eb",
        "/a*b",
        "/a$b&c=d",
        "/%25",
        "/%2525",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            for who in [alice(), bob()] {
                let body = if method == "POST" { "{\"a\": 1}" } else { "" };
                let request = Request::new(method, target).body(body);
                let what = format!("{method} {target} by {}", who.access_key_id);
                api.passes(&who.sign(request.clone()), &what);
                if method == "GET" {
                    api.passes(&who.presign(request, "300"), &format!("presigned {what}"));
                }
            }
        }
    }
}

/// Fields: more than the least may be signed, in any case and with any blanks.
#[test]
fn good_fields_pass() {
    let api = Api::new();
    let base = || Request::new("POST", "/items").body("hello");
    for (what, request) in [
        (
            "a content type",
            base().header("Content-Type", "text/plain; charset=utf-8"),
        ),
        ("a field in capitals", base().header("X-CUSTOM", "Value")),
        ("runs of blanks", base().header("X-Custom", "a   b    c")),
        ("an empty field", base().header("X-Custom", "")),
        ("a field twice", base().header("X-Custom", "b").header("X-Custom", "a")),
        (
            "the hash of the body",
            base().header("X-Amz-Content-Sha256", &sha256(b"hello")),
        ),
        (
            "other fields of AWS",
            base()
                .header("X-Amz-Target", "x")
                .header("X-Amzn-Trace-Id", "Root=1-6a5145a9-000102030405060708090a0b"),
        ),
        ("a host with its port", base().replaced("host", "gw.test:8443")),
    ] {
        api.passes(&alice().sign(request), what);
    }
    // What is not signed may be there, unless it is AWS's own.
    let least = alice().sign_with(
        base().header("Accept", "*/*"),
        Some(&["host", "x-amz-date"]),
        &sha256(b"hello"),
    );
    api.passes(&least, "the least that is signed");
    let event = api.passes(&alice().sign(base()), "the body");
    assert_eq!(event["isBase64Encoded"], true);
    // Blanks and their lack in the field itself.
    let signed = alice().sign(base());
    for value in [
        signed.value("authorization").replace(", ", ","),
        signed.value("authorization").replace(", ", ",  "),
    ] {
        api.passes(&signed.clone().replaced("authorization", &value), &value);
    }
}

/// A body of a megabyte is hashed as it was sent, chunked or not.
#[test]
fn long_bodies_are_hashed() {
    let api = Api::new();
    let body = "x".repeat(1 << 20);
    api.passes(&alice().sign(Request::new("PUT", "/items").body(body.clone())), "1 MiB");
    let signed = alice().sign(Request::new("PUT", "/items").body(body.clone()));
    let mut altered = signed.clone();
    altered.body[1 << 19] = b'y';
    api.refuses(&altered, "one byte in a megabyte");
    // The same in chunks.
    let mut text = String::from("PUT /items HTTP/1.1\r\nTransfer-Encoding: chunked\r\n");
    for (name, value) in &signed.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    let chunks: Vec<u8> = body
        .as_bytes()
        .chunks(10_000)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .collect();
    let whole = [text.as_bytes(), &chunks, b"0\r\n\r\n"].concat();
    assert_eq!(api.gateway.exchange(&whole).status, 200);
    assert!(api.up.next().complete);
    let other = String::from_utf8(whole)
        .unwrap()
        .replacen("xxxxx\r\n0\r\n", "xxxxy\r\n0\r\n", 1);
    assert_eq!(api.gateway.exchange(&other).status, 403);
    assert!(api.up.rest().is_empty());
}

/// R8.40, §10: who signed, in both events and in mappings.
#[test]
fn the_integration_learns_who_signed() {
    let api = Api::new();
    for (who, key, account, id, arn) in [
        (
            alice(),
            ALICE,
            "111122223333",
            "AIDAALICE",
            "arn:aws:iam::111122223333:user/alice",
        ),
        (
            bob(),
            BOB,
            "444455556666",
            "AROAREADER:bob",
            "arn:aws:sts::444455556666:assumed-role/reader/bob",
        ),
    ] {
        let event = api.passes(&who.sign(Request::new("GET", "/items")), key);
        let block = json!({"iam": {
            "accessKey": key, "accountId": account, "callerId": id, "cognitoIdentity": null, "principalOrgId": null,
            "userArn": arn, "userId": id,
        }});
        assert_eq!(event["requestContext"]["authorizer"], block);
        // The account of the API is not the caller's.
        assert_eq!(event["requestContext"]["accountId"], "123456789012");

        let event = api.passes(&who.presign(Request::new("GET", "/v1"), "60"), key);
        let identity = json!({
            "accessKey": key, "accountId": account, "caller": id, "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
            "principalOrgId": null, "sourceIp": "127.0.0.1", "user": id, "userAgent": "", "userArn": arn,
        });
        assert_eq!(event["requestContext"]["identity"], identity);
        assert_eq!(event["requestContext"].get("authorizer"), None);

        assert_eq!(api.send(&who.sign(Request::new("GET", "/mapped"))).status, 200);
        let recorded = api.up.next();
        for (field, value) in [("x-account", account), ("x-caller", id), ("x-user", id), ("x-arn", arn)] {
            assert_eq!(recorded.headers(field), [value], "{field}");
        }
        for absent in ["x-org", "x-cognito", "x-claim", "x-principal"] {
            assert_eq!(recorded.headers(absent), [""; 0], "{absent}");
        }
    }
    // R8.41: on an open route nobody is known, whatever is signed.
    assert_eq!(api.send(&alice().sign(Request::new("GET", "/open"))).status, 200);
    let recorded = api.up.next();
    for absent in ["x-account", "x-caller", "x-user", "x-arn"] {
        assert_eq!(recorded.headers(absent), [""; 0], "{absent}");
    }
}

/// `--region` is the region of the scope.
#[test]
fn the_region_is_the_gateway_s() {
    let up = Endpoint::answering(UP);
    let directory = Directory::of(&files(&up));
    let mut options = options(&directory);
    options.settings.region = "eu-west-1".into();
    let api = Api {
        gateway: Gateway::start(directory, options),
        up,
    };
    let mut signer = alice();
    api.refuses(&signer.sign(Request::new("GET", "/items")), "us-east-1");
    signer.region = "eu-west-1".to_owned();
    api.passes(&signer.sign(Request::new("GET", "/items")), "eu-west-1");
}
