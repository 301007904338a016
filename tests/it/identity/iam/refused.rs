//! Requests that are unsigned, altered, or signed for something else are refused.

use serde_json::json;

use super::{ALICE, ALICE_SECRET, Api, BOB, BOB_SECRET, BOB_TOKEN, UP, alice, files};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::sigv4::{Request, Signer, sha256};

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
