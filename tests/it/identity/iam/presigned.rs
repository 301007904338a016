//! A presigned request carries its signature in the query, and passes for its time only.

use super::{ALICE, Api, BOB, BOB_TOKEN, alice, bob};
use crate::support::sigv4::{Request, encoded};

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
