//! What an attacker would try.

use super::*;

#[test]
fn what_is_signed_cannot_be_changed() {
    assert_eq!(good().verify().as_deref(), Ok("AKID"));
    assert_eq!(
        good().set("x-b", "changed").verify().as_deref(),
        Ok("AKID"),
        "not signed"
    );
    let mismatch = Refusal::SignatureMismatch;
    for method in ["PUT", "post", "GET"] {
        Sent { method, ..good() }.is_refused(mismatch);
    }
    for path in [
        "/prod/pets/",
        "/prod/Pets",
        "/prod/pet%73",
        "/pets",
        "/prod%2Fpets",
        "/prod/pets/.",
        "/",
    ] {
        let path = path.to_owned();
        Sent { path, ..good() }.is_refused(mismatch);
    }
    for query in ["a=1&b=2", "a=1", "a=1&b=&c", "A=1&b", "a=1&b=&a=1", ""] {
        good().with_query(query).is_refused(mismatch);
    }
    Sent { query: None, ..good() }.is_refused(mismatch);
    for query in ["a=1&b=", "%61=%31&b", "&b&&a=1"] {
        assert_eq!(good().with_query(query).verify().as_deref(), Ok("AKID"), "{query}");
    }
    good().set("host", "other").is_refused(mismatch);
    good().set("x-a", "2").is_refused(mismatch);
    good().add("x-a", "1").is_refused(mismatch);
    for body in [&b""[..], b"{\"a\":2}", b"{\"a\":1} "] {
        let body = body.to_vec();
        Sent { body, ..good() }.is_refused(mismatch);
    }
    // Another time within the skew, and other secrets.
    good().set("x-amz-date", "20150830T123601Z").is_refused(mismatch);
    good()
        .replace("Credential=AKID/", "Credential=OTHER/")
        .is_refused(mismatch);
}

#[test]
fn a_presigned_request_cannot_be_changed() {
    let good = || presigned("AKID", "3600", None);
    assert_eq!(good().verify().as_deref(), Ok("AKID"));
    let mismatch = Refusal::SignatureMismatch;
    good().replace("Expires=3600", "Expires=3601").is_refused(mismatch);
    good().replace("a=1", "a=2").is_refused(mismatch);
    good()
        .replace("Date=20150830T123600Z", "Date=20150830T123601Z")
        .is_refused(mismatch);
    good().set("host", "other").is_refused(mismatch);
    Sent {
        method: "DELETE",
        ..good()
    }
    .is_refused(mismatch);
    Sent {
        body: b"x".to_vec(),
        ..good()
    }
    .is_refused(mismatch);
    good()
        .replace("SignedHeaders=host", "SignedHeaders=host%3Bx-a")
        .is_incomplete();
    good().replace("SignedHeaders=host", "SignedHeaders=").is_incomplete();
    let twice = |name: &str| format!("{}&{name}", good().query.unwrap());
    for name in [
        "X-Amz-Signature=0",
        "X-Amz-Date=20150830T123600Z",
        "%58-Amz-Expires=3600",
        "X-Amz-Credential",
    ] {
        good().with_query(&twice(name)).is_incomplete();
    }
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
    ] {
        good().replace(name, "x").is_incomplete();
    }
    good().replace("X-Amz-Signature", "x-amz-signature").is_incomplete();
    // A field that must be signed is not.
    let unsigned = Refusal::NotSigned("a field whose name begins with x-amz-");
    good().add("x-amz-meta", "1").is_refused(unsigned);
    assert!(
        good()
            .add("x-amz-cf-id", "1")
            .add("x-amzn-trace-id", "1")
            .verify()
            .is_ok()
    );
}

#[test]
fn a_signature_is_read_to_the_letter() {
    good().replace(", ", ",").verify().unwrap();
    good().replace(", ", "  ,\t").verify().unwrap();
    good().replace("SHA256 ", "SHA256   ").verify().unwrap();
    good()
        .replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
        .is_refused(Refusal::Algorithm);
    for (from, to) in [
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA512 "),
        ("AWS4-HMAC-SHA256 ", "aws4-hmac-sha256 "),
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256\t"),
        ("AWS4-HMAC-SHA256 ", ""),
        ("AWS4-HMAC-SHA256 ", "Bearer "),
        ("Credential=", "credential="),
        ("Credential=", "Credential=,Credential="),
        ("Credential=", "Extra=1, Credential="),
        ("Credential=", ", Credential="),
        ("SignedHeaders=", ""),
        ("Signature=", "Signature= "),
        ("Signature=", "Signature=0"),
        ("Signature=", "Signature=\""),
        ("/aws4_request", ""),
        ("/aws4_request", "/aws4_request/"),
        ("/aws4_request", "/AWS4_REQUEST"),
        ("/execute-api", ""),
        ("host;x-a;x-amz-date", "x-a;host;x-amz-date"),
        ("host;x-a;x-amz-date", "host;host;x-a;x-amz-date"),
        ("host;x-a;x-amz-date", "Host;x-a;x-amz-date"),
        ("host;x-a;x-amz-date", "host;x-a;x-amz-date;"),
        ("host;x-a;x-amz-date", "host;;x-a;x-amz-date"),
        ("host;x-a;x-amz-date", "host;x-a;x-amz-date;x-c"),
        ("host;x-a;x-amz-date", ""),
    ] {
        good().replace(from, to).is_incomplete();
    }
    good().replace("/us-east-1/", "/us-west-2/").is_refused(Refusal::Region);
    good().replace("/us-east-1/", "/US-EAST-1/").is_refused(Refusal::Region);
    good().replace("/us-east-1/", "//").is_refused(Refusal::Region);
    good().replace("/execute-api/", "/s3/").is_refused(Refusal::Service);
    good()
        .replace("/20150830/", "/20150831/")
        .is_refused(Refusal::ScopeDate);
    good().replace("/20150830/", "/2015083/").is_refused(Refusal::ScopeDate);
    good()
        .replace("host;x-a;x-amz-date", "x-a;x-amz-date")
        .is_refused(Refusal::NotSigned("Host"));
    let unsigned = Refusal::NotSigned("a field whose name begins with x-amz-");
    good().replace("host;x-a;x-amz-date", "host;x-a").is_refused(unsigned);
    let authorization = good().fields.pop().unwrap().1;
    good().add("authorization", &authorization).is_incomplete();
    good().set("authorization", "").is_incomplete();
    good()
        .set("authorization", b"AWS4-HMAC-SHA256 Credential=\xff")
        .is_incomplete();
    let (start, mac) = authorization.split_at(authorization.len() - 64);
    let upper = [start, mac.to_ascii_uppercase().as_slice()].concat();
    assert_ne!(upper, authorization);
    good().set("authorization", upper).is_incomplete();
    let shorter = &authorization[..authorization.len() - 1];
    good().set("authorization", shorter).is_incomplete();
    good()
        .set("authorization", [start, "0".repeat(64).as_bytes()].concat())
        .is_refused(Refusal::SignatureMismatch);
}

#[test]
fn a_request_has_one_signature() {
    let mut unsigned = good();
    unsigned.fields.pop();
    unsigned.is_refused(Refusal::MissingToken);
    assert_eq!(Refusal::MissingToken.error_type(), Some("IncompleteSignatureException"));
    // What makes no signature on its own.
    unsigned
        .with_query("X-Amz-Date=1&x-amz-signature=1")
        .is_refused(Refusal::MissingToken);
    let mut both = presigned("AKID", "60", None);
    both = both.add("authorization", &good().fields.pop().unwrap().1);
    both.is_incomplete();
    good().with_query("a=1&b=&X-Amz-Signature=1").is_incomplete();
    good().with_query("a=1&b=&%58-Amz-Algorithm").is_incomplete();
    presigned("AKID", "60", None)
        .add("authorization", "Bearer x")
        .is_incomplete();
    // The same signature in the other place.
    presigned("AKID", "60", None)
        .replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
        .is_refused(Refusal::Algorithm);
}

#[test]
fn keys_and_secrets_belong_together() {
    for id in ["NOBODY", "akid", "", "AKID%20"] {
        let to = format!("Credential={id}/");
        good().replace("Credential=AKID/", &to).is_refused(Refusal::UnknownKey);
    }
    // Whoever reads this source knows what an unknown key is checked against; it opens nothing.
    let canonical = format!("GET\n/\n\nhost:h\nx-amz-date:{TIME}\n\nhost;x-amz-date\n{EMPTY}");
    let mac = sign(NOBODY, "execute-api", canonical.as_bytes());
    let fields = [("host", &b"h"[..]), ("x-amz-date", TIME.as_bytes())];
    let sent = with_fields("/", &fields, "host;x-amz-date", canonical.as_bytes());
    assert!(sent.verify().is_ok());
    let sent = sent.set("authorization", authorization("NOBODY", "host;x-amz-date", &mac));
    sent.is_refused(Refusal::UnknownKey);
    // Signed for another service, whatever the scope says.
    let mac = sign(SUITE_SECRET, "s3", canonical.as_bytes());
    let sent = sent.set("authorization", authorization("AKID", "host;x-amz-date", &mac));
    sent.is_refused(Refusal::SignatureMismatch);
}

#[test]
fn a_temporary_key_holds_only_with_its_token() {
    let request = |id: &str, token: &str| {
        let signed = "host;x-amz-date;x-amz-security-token";
        let canonical =
            format!("GET\n/\n\nhost:h\nx-amz-date:{TIME}\nx-amz-security-token:{token}\n\n{signed}\n{EMPTY}");
        let mac = sign(SUITE_SECRET, "execute-api", canonical.as_bytes());
        let fields = [
            ("host", &b"h"[..]),
            ("x-amz-date", TIME.as_bytes()),
            ("x-amz-security-token", token.as_bytes()),
        ];
        let sent = with_fields("/", &fields, signed, canonical.as_bytes());
        sent.set("authorization", authorization(id, signed, &mac))
    };
    assert_eq!(request("ASIA", "token").verify().as_deref(), Ok("ASIA"));
    for (id, token) in [
        ("ASIA", "Token"),
        ("ASIA", "toke"),
        ("ASIA", "token2"),
        ("ASIA", ""),
        ("AKID", "token"),
        ("AKID", ""),
    ] {
        request(id, token).is_refused(Refusal::SessionToken);
    }
    // Without any token, although the key has one.
    let canonical = format!("GET\n/\n\nhost:h\nx-amz-date:{TIME}\n\nhost;x-amz-date\n{EMPTY}");
    let mac = sign(SUITE_SECRET, "execute-api", canonical.as_bytes());
    let fields = [("host", &b"h"[..]), ("x-amz-date", TIME.as_bytes())];
    let sent = with_fields("/", &fields, "host;x-amz-date", canonical.as_bytes());
    let sent = sent.set("authorization", authorization("ASIA", "host;x-amz-date", &mac));
    sent.is_refused(Refusal::SessionToken);
    let unsigned = Refusal::NotSigned("a field whose name begins with x-amz-");
    sent.add("x-amz-security-token", "token").is_refused(unsigned);
    request("ASIA", "token")
        .add("x-amz-security-token", "token")
        .is_incomplete();
    request("ASIA", "token")
        .with_query("X-Amz-Security-Token=token")
        .is_refused(Refusal::SessionToken);

    assert_eq!(presigned("ASIA", "60", Some("token")).verify().as_deref(), Ok("ASIA"));
    for (id, token) in [("ASIA", Some("other")), ("ASIA", None), ("AKID", Some("token"))] {
        presigned(id, "60", token).is_refused(Refusal::SessionToken);
    }
    let unsigned = presigned("ASIA", "60", None);
    let query = format!("{}&X-Amz-Security-Token=token", unsigned.query.clone().unwrap());
    unsigned.with_query(&query).is_refused(Refusal::SignatureMismatch);
    let twice = format!("{query}&X-Amz-Security-Token=token");
    presigned("ASIA", "60", None).with_query(&twice).is_incomplete();
}

#[test]
fn a_refusal_says_nothing_of_the_request() {
    for refusal in [
        good().replace("AKID", "hidden"),
        good().set("authorization", "hidden hidden"),
    ] {
        let refusal = refusal.verify().unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("hidden"), "{refusal:?}");
        assert!(refusal.to_string().len() > 10);
    }
}

#[test]
fn a_request_has_one_host_and_one_token() {
    let canonical = format!("GET\n/\n\nhost:h,h\nx-amz-date:{TIME}\n\nhost;x-amz-date\n{EMPTY}");
    let fields = [("host", &b"h"[..]), ("host", b"h"), ("x-amz-date", TIME.as_bytes())];
    let two = with_fields("/", &fields, "host;x-amz-date", canonical.as_bytes());
    two.is_incomplete();
    // To the canonical form it is one host of that odd name; a front refuses it.
    assert!(two.set("host", "h,h").verify().is_ok());

    let signed = "X-Amz-SignedHeaders=host%3Bx-amz-security-token";
    let query = |token: &str| {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIA%2F{DAY}%2F{REGION}%2Fexecute-api%2Faws4_request\
             &X-Amz-Date={TIME}&X-Amz-Expires=60{token}&{signed}"
        )
    };
    for token in ["", "&X-Amz-Security-Token=token"] {
        let query = query(token);
        let names = "host;x-amz-security-token";
        let canonical = format!("GET\n/\n{query}\nhost:h\nx-amz-security-token:token\n\n{names}\n{EMPTY}");
        let mac = sign(SUITE_SECRET, "execute-api", canonical.as_bytes());
        let mut sent = with_fields("/", &[("host", b"h"), ("x-amz-security-token", b"token")], "", b"");
        sent.fields.pop();
        let sent = sent.with_query(&format!("{query}&X-Amz-Signature={mac}"));
        sent.is_refused(Refusal::SessionToken);
    }
}
