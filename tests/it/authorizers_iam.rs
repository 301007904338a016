//! Signed requests: which signature holds, which does not, and what the integration learns of who signed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use apigateway::definition::store::Store;
use apigateway::deployment::Deployment;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::directory::{Directory, http_proxy, lambda_proxy};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::log;
use crate::support::sigv4::{Request, Signer, encoded, sha256};

const UP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}";

const ALICE: &str = "AKIDALICE";
const ALICE_SECRET: &str = "nobody-logs-the-secret-of-alice";
const BOB: &str = "ASIABOB";
const BOB_SECRET: &str = "nobody-logs-the-secret-of-bob";
const BOB_TOKEN: &str = "nobody/logs+the==token-of-bob";

fn alice() -> Signer {
    Signer::new(ALICE, ALICE_SECRET)
}

/// Bob has a session token, and another account.
fn bob() -> Signer {
    Signer::new(BOB, BOB_SECRET).with_token(BOB_TOKEN)
}

fn credentials() -> Value {
    json!({"Credentials": [
        {"AccessKeyId": ALICE, "SecretAccessKey": ALICE_SECRET, "UserArn": "arn:aws:iam::111122223333:user/alice", "UserId": "AIDAALICE"},
        {
            "AccessKeyId": BOB,
            "SecretAccessKey": BOB_SECRET,
            "SessionToken": BOB_TOKEN,
            "UserArn": "arn:aws:sts::444455556666:assumed-role/reader/bob",
            "UserId": "AROAREADER:bob",
        },
    ]})
}

fn files(up: &Endpoint) -> Vec<(&'static str, Value)> {
    let iam = |key: &str, integration: &str| json!({"RouteKey": key, "Target": format!("integrations/{integration}"), "AuthorizationType": "AWS_IAM"});
    let mut mapped = http_proxy(format!("http://{}/mapped", up.address));
    mapped["RequestParameters"] = json!({
        "overwrite:header.x-account": "$context.identity.accountId",
        "overwrite:header.x-caller": "$context.identity.caller",
        "overwrite:header.x-user": "$context.identity.user",
        "overwrite:header.x-arn": "$context.identity.userArn",
        "overwrite:header.x-org": "$context.identity.principalOrgId",
        "overwrite:header.x-cognito": "$context.identity.cognitoIdentityId",
        "overwrite:header.x-claim": "$context.authorizer.claims.sub",
        "overwrite:header.x-principal": "$context.authorizer.principalId",
    });
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("stages/beta.json", json!({"Name": "beta"})),
        ("routes/all.json", iam("ANY /{proxy+}", "v2")),
        ("routes/v1.json", iam("ANY /v1", "v1")),
        ("routes/mapped.json", iam("ANY /mapped", "mapped")),
        (
            "routes/open.json",
            json!({"RouteKey": "ANY /open", "Target": "integrations/mapped"}),
        ),
        ("integrations/v2.json", lambda_proxy("up", "2.0")),
        ("integrations/v1.json", lambda_proxy("up", "1.0")),
        ("integrations/mapped.json", mapped),
        (
            "functions/up.json",
            json!({"InvokeUri": format!("http://{}/invoke", up.address)}),
        ),
        ("credentials.json", credentials()),
    ]
}

struct Api {
    gateway: Gateway,
    up: Endpoint,
}

impl Api {
    fn new() -> Api {
        let up = Endpoint::answering(UP);
        let gateway = Gateway::serve(&files(&up));
        Api { gateway, up }
    }

    fn send(&self, request: &Request) -> Answer {
        self.gateway.exchange(request.bytes())
    }

    fn passes(&self, request: &Request, what: &str) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{what}: {}", answer.head);
        serde_json::from_slice(&self.up.next().body).unwrap()
    }

    fn refuses(&self, request: &Request, what: &str) {
        let answer = self.send(request);
        assert_eq!(answer.status, 403, "{what}: {}", answer.head);
        assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#, "{what}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(answer.header("www-authenticate"), None, "{what}");
        assert!(self.up.rest().is_empty(), "{what}: it was passed on");
    }
}

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

/// R8.39: who does not sign.
#[test]
fn unsigned_requests_are_refused() {
    let api = Api::new();
    for (what, request) in [
        ("nothing", Request::new("GET", "/items")),
        (
            "a date alone",
            Request::new("GET", "/items").header("X-Amz-Date", "20260710T191905Z"),
        ),
        (
            "an empty field",
            Request::new("GET", "/items").header("Authorization", ""),
        ),
        (
            "basic",
            Request::new("GET", "/items").header("Authorization", "Basic dXNlcjpwYXNz"),
        ),
        (
            "a token",
            Request::new("GET", "/items").header("Authorization", "Bearer a.b.c"),
        ),
        (
            "the algorithm alone",
            Request::new("GET", "/items").header("Authorization", "AWS4-HMAC-SHA256"),
        ),
        (
            "the algorithm and a blank",
            Request::new("GET", "/items").header("Authorization", "AWS4-HMAC-SHA256 "),
        ),
        (
            "a query without the rest",
            Request::new("GET", "/items?X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        ),
        (
            "a signature alone",
            Request::new("GET", &format!("/items?X-Amz-Signature={}", "0".repeat(64))),
        ),
        ("POST", Request::new("POST", "/items").body("x")),
        ("OPTIONS", Request::new("OPTIONS", "/items")),
        ("a stage", Request::new("GET", "/beta/items")),
    ] {
        api.refuses(&request, what);
    }
    // R8.39, as it was seen once.
    let answer = api.gateway.get("/items");
    assert_eq!(answer.header("x-amzn-errortype"), Some("IncompleteSignatureException"));
    let head = api.gateway.exchange("HEAD /items HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    assert_eq!((head.status, head.text().as_str()), (403, ""));
    assert_eq!(api.gateway.get("/open").status, 200);
}

/// A good request, changed on its way.
#[test]
fn whatever_is_altered_is_refused() {
    let api = Api::new();
    let base = || {
        Request::new("POST", "/items/7?a=1&b=2")
            .header("Content-Type", "text/plain")
            .header("X-Role", "user")
            .body("hello")
    };
    let good = alice().sign(base());
    api.passes(&good, "the good one itself");
    let altered = |change: &dyn Fn(&mut Request)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    type Change = Box<dyn Fn(&mut Request)>;
    let set = |name: &'static str, value: &str| -> Change {
        let value = value.to_owned();
        Box::new(move |request| *request = request.clone().replaced(name, &value))
    };
    let authorization = good.value("authorization").to_owned();
    let auth = |from: &str, to: &str| {
        assert!(authorization.contains(from), "{from}");
        set("authorization", &authorization.replacen(from, to, 1))
    };
    let query = |query: &'static str| -> Change { Box::new(move |request| request.query = Some(query.to_owned())) };
    let path = |path: &'static str| -> Change { Box::new(move |request| request.path = path.to_owned()) };
    let signature = authorization.rsplit('=').next().unwrap();
    let all: Vec<(&str, Change)> = vec![
        ("the method", Box::new(|request| request.method = "PUT".to_owned())),
        ("the path", path("/items/8")),
        ("a stage", path("/beta/items/7")),
        ("a slash", path("/items/7/")),
        ("an encoding of the path", path("/items/%37")),
        ("the case of the path", path("/Items/7")),
        ("a parameter", query("a=1&b=3")),
        ("one more parameter", query("a=1&b=2&c=3")),
        ("one parameter less", query("a=1")),
        ("a parameter twice", query("a=1&a=1&b=2")),
        ("no query", Box::new(|request| request.query = None)),
        ("the body", Box::new(|request| request.body = b"hellO".to_vec())),
        ("a longer body", Box::new(|request| request.body = b"hello ".to_vec())),
        ("no body", Box::new(|request| request.body.clear())),
        ("the host", set("host", "other.test")),
        ("the host's case", set("host", "GW.test")),
        ("a signed field", set("x-role", "admin")),
        (
            "a signed field is gone",
            Box::new(|request| *request = request.clone().without("x-role")),
        ),
        (
            "a signed field twice",
            Box::new(|request| *request = request.clone().header("X-Role", "admin")),
        ),
        (
            "a signed field twice alike",
            Box::new(|request| *request = request.clone().header("X-Role", "user")),
        ),
        ("the date by a second", set("x-amz-date", "20260710T191906Z")),
        (
            "no date",
            Box::new(|request| *request = request.clone().without("x-amz-date")),
        ),
        (
            "two dates",
            Box::new(|request| *request = request.clone().header("X-Amz-Date", "20260710T191905Z")),
        ),
        (
            "one more field of AWS",
            Box::new(|request| *request = request.clone().header("X-Amz-Security-Token", "x")),
        ),
        (
            "two signatures",
            Box::new(|request| {
                let field = request.value("authorization").to_owned();
                *request = request.clone().header("Authorization", &field);
            }),
        ),
        ("the signature in capitals", auth(signature, &signature.to_uppercase())),
        (
            "another last letter",
            auth(
                signature,
                &format!(
                    "{}{}",
                    &signature[..63],
                    if signature.ends_with('0') { '1' } else { '0' }
                ),
            ),
        ),
        ("a shorter signature", auth(signature, &signature[..62])),
        ("a longer signature", auth(signature, &format!("{signature}00"))),
        ("an empty signature", auth(signature, "")),
        ("zeros", auth(signature, &"0".repeat(64))),
        ("no signature", auth(&format!(", Signature={signature}"), "")),
        (
            "the signature twice",
            auth(
                &format!("Signature={signature}"),
                &format!("Signature={signature}, Signature={signature}"),
            ),
        ),
        ("another access key", auth(ALICE, BOB)),
        ("an unknown access key", auth(ALICE, "AKIDNOBODY")),
        ("no access key", auth(ALICE, "")),
        ("an access key in lower case", auth(ALICE, "akidalice")),
        ("another region", auth("us-east-1", "eu-west-1")),
        ("another service", auth("execute-api", "s3")),
        ("another day", auth("/20260710/", "/20260709/")),
        ("another end of the scope", auth("aws4_request", "aws5_request")),
        ("a shorter scope", auth("/aws4_request", "")),
        ("a longer scope", auth("aws4_request", "aws4_request/x")),
        ("another algorithm", auth("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")),
        ("SigV4A", auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        (
            "the algorithm in lower case",
            auth("AWS4-HMAC-SHA256", "aws4-hmac-sha256"),
        ),
        ("names in another order", auth("content-type;host", "host;content-type")),
        ("names in capitals", auth("content-type;host", "Content-Type;Host")),
        ("one name less", auth("host;x-amz-date;x-role", "host;x-amz-date")),
        ("one name more", auth("x-amz-date;x-role", "x-amz-date;x-other;x-role")),
        ("a name twice", auth("host;x-amz-date", "host;host;x-amz-date")),
        ("no names", auth("content-type;host;x-amz-date;x-role", "")),
        ("no credential", auth("Credential=", "Credentia=")),
        ("something more", auth("SignedHeaders=", "Extra=1, SignedHeaders=")),
    ];
    for (what, change) in &all {
        let request = altered(change.as_ref());
        assert!(request.bytes() != good.bytes(), "{what} is no change");
        api.refuses(&request, what);
    }
    api.passes(&good, "the good one again");
}

/// Signed well, but not what this gateway takes.
#[test]
fn a_good_signature_for_something_else_is_refused() {
    let api = Api::new();
    let base = || Request::new("GET", "/items");
    let with = |change: &dyn Fn(&mut Signer)| {
        let mut signer = alice();
        change(&mut signer);
        signer
    };
    for (what, signer) in [
        ("another secret", Signer::new(ALICE, "another-secret")),
        ("an empty secret", Signer::new(ALICE, "")),
        ("another's secret", Signer::new(ALICE, BOB_SECRET)),
        ("an unknown key", Signer::new("AKIDNOBODY", ALICE_SECRET)),
        ("another region", with(&|signer| signer.region = "eu-west-1".to_owned())),
        ("no region", with(&|signer| signer.region = String::new())),
        ("another service", with(&|signer| signer.service = "lambda".to_owned())),
        (
            "a service in capitals",
            with(&|signer| signer.service = "Execute-Api".to_owned()),
        ),
        ("another end", with(&|signer| signer.terminator = "aws4".to_owned())),
        (
            "another day than the date's",
            with(&|signer| signer.day = Some("20260709".to_owned())),
        ),
        ("a token that alice does not have", alice().with_token("x")),
        ("bob's token for alice", alice().with_token(BOB_TOKEN)),
        ("no token for bob", Signer::new(BOB, BOB_SECRET)),
        ("another token for bob", Signer::new(BOB, BOB_SECRET).with_token("x")),
        (
            "a longer token for bob",
            Signer::new(BOB, BOB_SECRET).with_token(&format!("{BOB_TOKEN}x")),
        ),
        ("an empty token for bob", Signer::new(BOB, BOB_SECRET).with_token("")),
    ] {
        api.refuses(&signer.sign(base()), what);
        api.refuses(&signer.presign(base(), "300"), &format!("presigned, {what}"));
    }
    api.refuses(
        &alice().sign_with(base(), Some(&["x-amz-date"]), &sha256(b"")),
        "the host is not signed",
    );
    api.refuses(
        &alice().sign_with(
            base().header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD").body("x"),
            None,
            "UNSIGNED-PAYLOAD",
        ),
        "no hash of the body",
    );
    api.refuses(
        &alice().sign_with(base().body("x"), None, &sha256(b"y")),
        "the hash of another body",
    );
    api.refuses(
        &alice().sign_with(
            base().header("X-Amz-Content-Sha256", &sha256(b"y")).body("x"),
            None,
            &sha256(b"y"),
        ),
        "a field with the hash of another body",
    );
    api.refuses(
        &alice().sign_with(
            base().header("X-Amz-Content-Sha256", &sha256(b"y")).body("x"),
            None,
            &sha256(b"x"),
        ),
        "a field that contradicts the body",
    );
    let both = alice().presign(alice().sign(base()), "300");
    api.refuses(&both, "a header and a query");
    let both = alice()
        .presign(base(), "300")
        .header("Authorization", "AWS4-HMAC-SHA256 x");
    api.refuses(&both, "a query and a header of nonsense");
}

/// Contract §3: five minutes either way, by the gateway's clock (19:19:05).
#[test]
fn dates_may_be_five_minutes_off() {
    let api = Api::new();
    for (date, passes) in [
        ("20260710T191905Z", true),
        ("20260710T191405Z", true),
        ("20260710T192405Z", true),
        ("20260710T191404Z", false),
        ("20260710T192406Z", false),
        ("20260710T181905Z", false),
        ("20260709T191905Z", false),
        ("20270710T191905Z", false),
        ("19700101T000000Z", false),
        ("99991231T235959Z", false),
    ] {
        let signed = alice().at(date).sign(Request::new("GET", "/items"));
        if passes {
            api.passes(&signed, date);
        } else {
            api.refuses(&signed, date);
        }
    }
    for date in [
        "20260710T191905",
        "2026-07-10T19:19:05Z",
        "20260710T191965Z",
        "20261310T191905Z",
        "20260732T191905Z",
        "20260710t191905z",
        "20260710 191905Z",
        "1783711145",
        "20260710T191905+0000",
        "\u{661}0260710T191905Z",
    ] {
        let mut signer = alice().at(date);
        signer.day = Some("20260710".to_owned());
        api.refuses(&signer.sign(Request::new("GET", "/items")), date);
    }
}

/// Contract §3: a presigned request holds from its date for so many seconds.
#[test]
fn a_presigned_request_holds_for_its_time() {
    let api = Api::new();
    for (date, expires, passes) in [
        ("20260710T191905Z", "1", true),
        ("20260710T191904Z", "60", true),
        ("20260710T181905Z", "3601", true),
        ("20260709T191906Z", "86400", true),
        ("20260703T191906Z", "604800", true),
        ("20260710T191804Z", "60", false),
        ("20260710T181905Z", "3599", false),
        ("20260709T191904Z", "86400", false),
        ("20260710T192406Z", "60", false),
        ("20260711T191905Z", "60", false),
        ("20260710T191905Z", "0", false),
        ("20260710T191905Z", "-1", false),
        ("20260710T191905Z", "604801", false),
        ("20260710T191905Z", "", false),
        ("20260710T191905Z", "abc", false),
        ("20260710T191905Z", "1e3", false),
        ("20260710T191905Z", "60.5", false),
        ("20260710T191905Z", "99999999999999999999", false),
    ] {
        let signed = alice().at(date).presign(Request::new("GET", "/items?a=1"), expires);
        let what = format!("{date} for {expires} s");
        if passes {
            api.passes(&signed, &what);
        } else {
            api.refuses(&signed, &what);
        }
    }
}

/// A presigned request, changed on its way.
#[test]
fn whatever_is_altered_in_a_presigned_request_is_refused() {
    let api = Api::new();
    let good = bob().presign(Request::new("GET", "/items?a=1"), "300");
    api.passes(&good, "the good one itself");
    let query = good.query.clone().unwrap();
    let signature = query.rsplit('=').next().unwrap();
    let credential = format!("X-Amz-Credential={}", encoded(&format!("{BOB}/{}", bob().scope())));
    for (what, from, to) in [
        ("a parameter", "a=1", "a=2"),
        ("the time it holds", "X-Amz-Expires=300", "X-Amz-Expires=3000"),
        ("the date", "X-Amz-Date=20260710T191905Z", "X-Amz-Date=20260710T191906Z"),
        ("the access key", BOB, ALICE),
        ("the algorithm", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
        ("the names", "X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
        ("the signature", &signature[..8], "00000000"),
        ("no signature", "X-Amz-Signature=", "X-Amz-Signatur="),
        ("an empty signature", signature, ""),
        ("no time", "&X-Amz-Expires=300", ""),
        ("no date", "&X-Amz-Date=20260710T191905Z", ""),
        ("no credential", &format!("&{credential}"), ""),
        ("no names", "&X-Amz-SignedHeaders=host", ""),
        ("no algorithm", "X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
        ("another token", &encoded(BOB_TOKEN), "x"),
        ("no token", &format!("&X-Amz-Security-Token={}", encoded(BOB_TOKEN)), ""),
        (
            "the time twice",
            "X-Amz-Expires=300",
            "X-Amz-Expires=300&X-Amz-Expires=604800",
        ),
        (
            "the credential twice",
            &credential,
            &format!("{credential}&{credential}"),
        ),
        (
            "the signature twice",
            "&X-Amz-Signature=",
            &format!("&X-Amz-Signature={}&X-Amz-Signature=", "0".repeat(64)),
        ),
        ("one more parameter", "a=1", "a=1&b=2"),
    ] {
        assert!(query.contains(from), "{what}: {query}");
        let mut request = good.clone();
        request.query = Some(query.replacen(from, to, 1));
        assert_ne!(request.query, good.query, "{what}");
        api.refuses(&request, what);
    }
    let mut request = good.clone();
    request.method = "DELETE".to_owned();
    api.refuses(&request, "the method");
    let mut request = good.clone();
    request.path = "/items2".to_owned();
    api.refuses(&request, "the path");
    api.refuses(&good.clone().replaced("host", "other.test"), "the host");
    api.refuses(&good.clone().body("x"), "a body");
    api.passes(&good, "the good one again");
}

/// Requests that are no requests, and more than anybody signs: an answer, and no panic.
#[test]
fn garbage_is_refused() {
    let api = Api::new();
    for field in [
        "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=;;;, Signature=",
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=",
        "AWS4-HMAC-SHA256 =, =, =",
        "AWS4-HMAC-SHA256 ,,,,",
        "AWS4-HMAC-SHA256 Credential",
        "AWS4-HMAC-SHA256 Credential=AKIDALICE/20260710/us-east-1/execute-api/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AKIDALICE/20260710/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=\u{e9}\u{e9}",
        "AWS4-HMAC-SHA256 Credential=%41KIDALICE/20260710/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=00",
    ] {
        let request = Request::new("GET", "/items")
            .header("X-Amz-Date", "20260710T191905Z")
            .header("Authorization", field);
        api.refuses(&request, field);
    }
    let names: Vec<String> = (0..1_500).map(|number| format!("h{number}")).collect();
    let many = format!(
        "AWS4-HMAC-SHA256 Credential={ALICE}/{}, SignedHeaders={}, Signature={}",
        alice().scope(),
        names.join(";"),
        "0".repeat(64)
    );
    api.refuses(
        &Request::new("GET", "/items")
            .header("X-Amz-Date", "20260710T191905Z")
            .header("Authorization", &many),
        "1,500 names",
    );
    for query in [
        "X-Amz-Algorithm=%FF",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%FF%FE",
        "X-Amz-Signature&X-Amz-Credential&X-Amz-Algorithm=AWS4-HMAC-SHA256",
    ] {
        api.refuses(&Request::new("GET", &format!("/items?{query}")), query);
    }
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

/// The canonical path has no empty segments. Whoever was given a signature cannot choose another route or stage by adding
/// some.
#[test]
fn a_signature_opens_no_other_route_by_more_slashes() {
    let up = Endpoint::answering(UP);
    let iam = |key: &str| json!({"RouteKey": key, "Target": "integrations/v2", "AuthorizationType": "AWS_IAM"});
    let mut files = files(&up);
    files.extend([
        ("routes/one.json", iam("GET /files/{id}")),
        ("routes/two.json", iam("GET /files/{a}/{b}")),
    ]);
    let api = Api {
        gateway: Gateway::serve(&files),
        up,
    };
    for (signed, sent, passes) in [
        ("/files/x", "/files/x", true),
        ("/files/x", "/files//x", false),
        ("/files/x", "//files/x", false),
        ("/files/x", "/files///x", false),
        ("/files/x/y", "/files/x//y", false),
        ("/beta/files/x", "/beta/files/x", true),
        ("/beta/files/x", "//beta/files/x", false),
        ("/beta/files/x", "/beta//files/x", false),
        // The same route, so that clients which merge slashes before they sign are served.
        ("/other/x", "/other//x", true),
        ("/other/x", "//other/x", true),
        ("/other/x/", "/other/x//", true),
    ] {
        let mut request = alice().sign(Request::new("GET", signed));
        request.path = sent.to_owned();
        match passes {
            true => drop(api.passes(&request, sent)),
            false => api.refuses(&request, sent),
        }
    }
}

/// A field that was signed cannot be taken away afterwards by naming it in `Connection`.
#[test]
fn connection_takes_no_signed_field_away() {
    let api = Api::new();
    let request = || Request::new("GET", "/items").header("X-Limit", "readonly");
    let signed = alice().sign(request());
    api.passes(&signed, "as it was signed");
    let mut named = alice().sign(request());
    named.headers.push(("Connection".to_owned(), "X-Limit".to_owned()));
    api.refuses(&named, "with the field named by Connection");
}

/// Some servers take `X_Role` for `X-Role`: one that is not signed does not stand beside one that is.
#[test]
fn a_signed_field_has_no_twin_that_is_not_signed() {
    let api = Api::new();
    let signed = alice().sign(Request::new("GET", "/items").header("X-Role", "user"));
    api.passes(&signed, "as it was signed");
    for twin in ["X_Role", "X.Role", "x_role", "X_Amz_Date"] {
        let mut request = alice().sign(Request::new("GET", "/items").header("X-Role", "user"));
        request.headers.push((twin.to_owned(), "admin".to_owned()));
        api.refuses(&request, twin);
    }
    let both = Request::new("GET", "/items")
        .header("X-Role", "user")
        .header("X_Role", "user");
    api.passes(&alice().sign(both), "both are signed");
}

/// R8.42: who signs correctly learns of the limit.
#[test]
fn a_long_arn_is_refused_after_the_signature() {
    let api = Api::new();
    let long = format!("/{}", "a".repeat(1_600));
    assert_eq!(api.send(&alice().sign(Request::new("GET", &long))).status, 414);
    api.refuses(&Request::new("GET", &long), "without a signature");
    assert!(api.up.rest().is_empty());
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
        let (deployment, problems) = Deployment::of(&Store::at(directory.path()).load());
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
        let (_, problems) = Deployment::of(&Store::at(directory.path()).load());
        for problem in problems.iter() {
            let text = problem.to_string();
            for secret in [ALICE_SECRET, BOB_SECRET, BOB_TOKEN] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
    let directory = Directory::of(&files(&up));
    directory.write("credentials.json", &credentials().to_string().replace("\"UserId\"", ""));
    let (deployment, problems) = Deployment::of(&Store::at(directory.path()).load());
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
