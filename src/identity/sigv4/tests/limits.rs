//! Where the limits lie: of time, of size, of what can be signed at all.

use super::*;

#[test]
fn a_presigned_request_expires() {
    for (expires, from_now, refusal) in [
        ("3600", 3600, None),
        ("3600", 3601, Some(Refusal::Expired)),
        ("1", 1, None),
        ("1", 2, Some(Refusal::Expired)),
        ("604800", 604_800, None),
        ("604800", -300, None),
        ("604800", -301, Some(Refusal::SkewedClock)),
    ] {
        let verified = presigned("AKID", expires, None).verify_at(SUITE_TIME.saturating_add_signed(from_now));
        assert_eq!(verified.err(), refusal, "{expires} {from_now}");
    }
    for expires in [
        "0",
        "604801",
        "-1",
        "%2B60",
        "",
        "60s",
        "99999999999999999999",
        "1.5",
        "%2060",
    ] {
        presigned("AKID", expires, None).is_incomplete();
    }
}

#[test]
fn the_clocks_may_differ_by_five_minutes() {
    for (from_now, refusal) in [
        (300, None),
        (301, Some(Refusal::Expired)),
        (-300, None),
        (-301, Some(Refusal::SkewedClock)),
        (86_400, Some(Refusal::Expired)),
        (-(SUITE_TIME as i64), Some(Refusal::SkewedClock)),
    ] {
        let verified = good().verify_at(SUITE_TIME.saturating_add_signed(from_now));
        assert_eq!(verified.err(), refusal, "{from_now}");
    }
    good()
        .set("x-amz-date", "99991231T235959Z")
        .is_refused(Refusal::ScopeDate);
    good()
        .set("x-amz-date", "20150829T235959Z")
        .is_refused(Refusal::ScopeDate);
    for time in [
        "",
        "2015-08-30T12:36:00Z",
        "Sun, 30 Aug 2015 12:36:00 GMT",
        "1440938160",
        "caf\u{e9}",
    ] {
        good().set("x-amz-date", time).is_incomplete();
    }
    good().add("x-amz-date", TIME).is_incomplete();
}

#[test]
fn the_body_is_always_signed() {
    let request = |said: &str, hash: &str| {
        let signed = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!("GET\n/\n\nhost:h\nx-amz-content-sha256:{said}\nx-amz-date:{TIME}\n\n{signed}\n{hash}");
        let fields = [
            ("host", &b"h"[..]),
            ("x-amz-content-sha256", said.as_bytes()),
            ("x-amz-date", TIME.as_bytes()),
        ];
        with_fields("/", &fields, signed, canonical.as_bytes())
    };
    assert!(request(EMPTY, EMPTY).verify().is_ok());
    let upper = EMPTY.to_uppercase();
    for said in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "",
        &upper,
        "0",
    ] {
        request(said, said).is_refused(Refusal::PayloadHash);
        request(said, EMPTY).is_refused(Refusal::PayloadHash);
    }
    let body = b"x".to_vec();
    Sent {
        body,
        ..request(EMPTY, EMPTY)
    }
    .is_refused(Refusal::PayloadHash);
    request(EMPTY, EMPTY)
        .with_query("X-Amz-Content-Sha256=UNSIGNED-PAYLOAD")
        .is_refused(Refusal::PayloadHash);
}

#[test]
fn values_of_any_bytes_can_be_signed() {
    let mut canonical = b"GET\n/\n\nhost:h\nx-a:caf".to_vec();
    canonical.extend_from_slice(b"\xe9 \xff,2");
    canonical.extend_from_slice(format!("\nx-amz-date:{TIME}\n\nhost;x-a;x-amz-date\n{EMPTY}").as_bytes());
    let fields = [
        ("host", &b"h"[..]),
        ("x-a", b"caf\xe9  \xff"),
        ("x-amz-date", TIME.as_bytes()),
        ("x-a", b" 2 "),
    ];
    let sent = with_fields("/", &fields, "host;x-a;x-amz-date", &canonical);
    assert!(sent.verify().is_ok());
    sent.clone()
        .set("x-a", b"caf\xc3\xa9 \xff,2")
        .is_refused(Refusal::SignatureMismatch);
    // One field of both values is the same to every reader.
    assert!(sent.set("x-a", b"caf\xe9 \xff,2").verify().is_ok());
}

#[test]
fn a_date_field_counts_when_it_is_signed() {
    let date = "Sun, 30 Aug 2015 12:36:00 GMT";
    let canonical = format!("GET\n/\n\ndate:{date}\nhost:h\n\ndate;host\n{EMPTY}");
    let fields = [("date", date.as_bytes()), ("host", b"h")];
    let sent = with_fields("/", &fields, "date;host", canonical.as_bytes());
    assert!(sent.verify().is_ok());
    assert_eq!(sent.verify_at(SUITE_TIME + 301).err(), Some(Refusal::Expired));
    let unsigned = format!("GET\n/\n\nhost:h\n\nhost\n{EMPTY}");
    with_fields("/", &fields, "host", unsigned.as_bytes()).is_refused(Refusal::NotSigned("Date"));
    with_fields("/", &[("host", b"h")], "host", unsigned.as_bytes()).is_incomplete();
    sent.add("date", date).is_incomplete();
}

#[test]
fn size_and_shape_have_bounds() {
    let mut long = good();
    for number in 0..5000 {
        long = long.add(&format!("x-{number}"), "v".repeat(100));
    }
    assert!(long.verify().is_ok());
    good()
        .replace("Credential=", &format!("Credential={}", "/".repeat(100_000)))
        .is_incomplete();
    good()
        .set("authorization", format!("AWS4-HMAC-SHA256 {}", "a=1,".repeat(100_000)))
        .is_incomplete();
    good()
        .set("authorization", format!("AWS4-HMAC-SHA256 {}", "é".repeat(100_000)))
        .is_incomplete();
    good()
        .with_query(&"%".repeat(100_000))
        .is_refused(Refusal::SignatureMismatch);
    good()
        .with_query(&"&=".repeat(100_000))
        .is_refused(Refusal::SignatureMismatch);
    Sent {
        method: "POST\n/",
        ..good()
    }
    .is_incomplete();
    Sent {
        path: "*".to_owned(),
        ..good()
    }
    .is_refused(Refusal::SignatureMismatch);
    Sent {
        path: String::new(),
        ..good()
    }
    .is_refused(Refusal::SignatureMismatch);
    // What would end a line of the canonical request is encoded.
    Sent {
        path: "/prod/pets\na=1&b=\nhost:h".to_owned(),
        ..good()
    }
    .is_refused(Refusal::SignatureMismatch);
}

#[test]
fn a_hundred_fields_can_be_signed() {
    let request = |count: usize| {
        let names: Vec<String> = (100..100 + count).map(|number| format!("z{number}")).collect();
        let mut fields = vec![("host", &b"h"[..]), ("x-amz-date", TIME.as_bytes())];
        fields.extend(names.iter().map(|name| (name.as_str(), &b"v"[..])));
        let lines: String = names.iter().map(|name| format!("{name}:v\n")).collect();
        let signed = format!("host;x-amz-date;{}", names.join(";"));
        let canonical = format!("GET\n/\n\nhost:h\nx-amz-date:{TIME}\n{lines}\n{signed}\n{EMPTY}");
        with_fields("/", &fields, &signed, canonical.as_bytes())
    };
    assert!(request(98).verify().is_ok());
    request(99).is_incomplete();
}
