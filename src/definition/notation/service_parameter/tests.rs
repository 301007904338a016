//! The values that each kind of parameter takes, and those that it refuses.

use super::*;

fn read(kind: ParameterKind, text: &str) -> Result<ParameterValue, String> {
    kind.read(text.as_bytes().to_vec())
}

#[test]
fn numbers_are_digits_in_their_range() {
    let kind = ParameterKind::Integer { least: 1, most: 10 };
    for (text, expected) in [
        ("1", Some(1)),
        ("10", Some(10)),
        ("007", Some(7)),
        ("0", None),
        ("11", None),
        ("", None),
        ("+1", None),
        ("-1", None),
        (" 1", None),
        ("1 ", None),
        ("1.0", None),
        ("1e0", None),
        ("99999999999999999999", None),
        ("\u{661}", None),
    ] {
        assert_eq!(read(kind, text).ok(), expected.map(ParameterValue::Integer), "{text:?}");
    }
}

#[test]
fn lists_are_json_or_have_commas() {
    for (text, expected) in [
        ("All", Some(&["All"][..])),
        ("a,b", Some(&["a", "b"])),
        (" a , b ", Some(&["a", "b"])),
        ("[\"a,b\", \"c\"]", Some(&["a,b", "c"])),
        ("[]", Some(&[])),
        ("[\"\"]", None),
        ("[\"a\", 1]", None),
        ("[\"a\"", None),
        ("[\"a\"] x", None),
        (" [\"a\"]", Some(&["[\"a\"]"])),
        ("a,,b", None),
        ("a,", None),
        ("", None),
    ] {
        let expected = expected.map(|items| ParameterValue::Strings(items.iter().map(ToString::to_string).collect()));
        assert_eq!(read(ParameterKind::Strings, text).ok(), expected, "{text:?}");
    }
}

#[test]
fn moments() {
    for (text, expected) in [
        ("2026-07-10T19:19:05Z", Some(1_783_711_145_000)),
        ("2026-07-10t19:19:05z", Some(1_783_711_145_000)),
        ("2026-07-10T21:19:05+02:00", Some(1_783_711_145_000)),
        ("2026-07-10T18:49:05-00:30", Some(1_783_711_145_000)),
        ("2026-07-10T19:19:05.5Z", Some(1_783_711_145_500)),
        ("2026-07-10T19:19:05.1239999Z", Some(1_783_711_145_123)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59.25Z", Some(-750)),
        ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
        ("1783711145766", Some(1_783_711_145_766)),
        ("100000000000", Some(100_000_000_000)),
        ("99999999999", Some(99_999_999_999_000)),
        ("1783711145", Some(1_783_711_145_000)),
        ("0", Some(0)),
        ("253402300799999", Some(253_402_300_799_999)),
        ("253402300800000", None),
        ("99999999999999999999", None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("2026-07-10", None),
        ("2026-07-10T19:19:05", None),
        ("2026-07-10 19:19:05Z", None),
        ("2026-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-00-01T00:00:00Z", None),
        ("2026-04-31T00:00:00Z", None),
        ("2026-07-10T24:00:00Z", None),
        ("2026-07-10T19:60:05Z", None),
        ("2026-07-10T19:19:61Z", None),
        ("2026-07-10T19:19:05.Z", None),
        ("2026-07-10T19:19Z", None),
        ("2026-07-10T19:19:05+0200", None),
        ("2026-07-10T19:19:05+24:00", None),
        ("26-07-10T19:19:05Z", None),
        ("T", None),
        ("now", None),
    ] {
        let expected = expected.map(ParameterValue::Time);
        assert_eq!(read(ParameterKind::Time, text).ok(), expected, "{text:?}");
    }
}

#[test]
fn urls_of_queues() {
    let long = "a".repeat(80);
    for (text, is_url) in [
        ("https://sqs.us-east-1.amazonaws.com/123456789012/orders", true),
        ("http://localhost:4566/000000000000/orders.fifo", true),
        ("http://[::1]:9324/0/a-b_C", true),
        (&format!("http://h/1/{long}"), true),
        (&format!("http://h/1/{long}a"), false),
        ("http://h/123456789012345678901/q", false),
        ("http://h/12x/q", false),
        ("http://h/1/q/", false),
        ("http://h/1/q?a=b", false),
        ("http://h/1/q?", false),
        ("http://h/1/q#a", false),
        ("http://u@h/1/q", false),
        ("http://h//q", false),
        ("http://h/1/", false),
        ("http://h/1/.fifo", false),
        ("http://h/1/q.fifo.fifo", false),
        ("http://h/1/q%2F", false),
        ("http://h/1/..", false),
        ("http:///1/q", false),
        ("ftp://h/1/q", false),
        ("/1/q", false),
        ("orders", false),
        ("", false),
    ] {
        assert_eq!(read(ParameterKind::QueueUrl, text).is_ok(), is_url, "{text}");
    }
    assert_eq!(path_of_queue("https://h:1/2/q"), "/2/q");
}

#[test]
fn arns_regions_and_segments() {
    let (arn, region, segment) = (
        ParameterKind::StatesArn,
        ParameterKind::Region,
        ParameterKind::PathSegment,
    );
    for (kind, text, is_good) in [
        (arn, "arn:aws:states:us-east-1:123456789012:stateMachine:a", true),
        (arn, "arn:aws-cn:states:cn-north-1:123456789012:execution:a:b", true),
        (arn, "arn:aws:states", true),
        (arn, "arn:aws:lambda:us-east-1:123456789012:function:a", false),
        (arn, "arn:states:aws", false),
        (arn, "states", false),
        (region, "us-east-1", true),
        (region, "us-gov-west-1", true),
        (region, "ap-southeast-12", true),
        (region, "us-east", false),
        (region, "us-1", false),
        (region, "us-east-123", false),
        (region, "usa-east-1", false),
        (region, "US-east-1", false),
        (region, "us-east-1.evil.test", false),
        (region, "us-east-1/", false),
        (region, "us--1", false),
        (region, "", false),
        (segment, "..", false),
        (segment, ".", false),
        (segment, "...", true),
        (segment, "a/../b", true),
    ] {
        assert_eq!(read(kind, text).is_ok(), is_good, "{text}");
    }
}

#[test]
fn attributes_of_messages() {
    let attribute = |number: usize| format!("\"a{number}\":{{\"DataType\":\"String\",\"StringValue\":\"\"}}");
    let many = |count: usize| format!("{{{}}}", (0..count).map(attribute).collect::<Vec<_>>().join(","));
    for (text, error) in [
        ("{}", ""),
        (r#"{"a":{"DataType":"String","StringValue":"x"}}"#, ""),
        (r#"{"a":{"BinaryValue":"AAE=","DataType":"Binary.png"}}"#, ""),
        (&many(10), ""),
        (&many(11), "there are 11 attributes, 10 at most"),
        ("", "not JSON"),
        ("[]", "must be a JSON object, not a list"),
        (
            r#"{"a":"b"}"#,
            "the attribute \"a\" must be a JSON object, not a string",
        ),
        (r#"{"a":{"StringValue":"x"}}"#, "has no DataType"),
        (r#"{"a":{"DataType":"","StringValue":"x"}}"#, "has no DataType"),
        (
            r#"{"a":{"DataType":"String"}}"#,
            "has neither StringValue nor BinaryValue",
        ),
        (
            r#"{"a":{"DataType":"Number","StringValue":1}}"#,
            "has a StringValue that is no string but a number",
        ),
        (r#"{"a":{"DataType":"Binary","BinaryValue":"x"}}"#, "is not base64"),
        (
            r#"{"a":{"DataType":"String","StringValue":"x","BinaryValue":"AAE="}}"#,
            "one value, not two",
        ),
        (
            r#"{"a":{"DataType":"String","StringValue":"x","StringValue":"y"}}"#,
            "one value, not two",
        ),
        (
            r#"{"a":{"DataType":"String","StringValue":"x","StringListValues":[]}}"#,
            "no string but a list",
        ),
        (
            r#"{"a":{"DataType":"String","StringValue":"x","evil":"1"}}"#,
            "has \"evil\"",
        ),
        (
            r#"{"a":{"DataType":"String","StringValue":"x"},"a":{"DataType":"String","StringValue":"y"}}"#,
            "occurs twice",
        ),
        (r#"{"":{"DataType":"String","StringValue":"x"}}"#, "an empty name"),
    ] {
        match read(ParameterKind::Attributes, text) {
            Ok(_) => assert_eq!(error, "", "{text}"),
            Err(got) => assert!(!error.is_empty() && got.contains(error), "{text}: {got}"),
        }
    }
}

#[test]
fn bytes_are_any_and_texts_are_utf_8() {
    let bytes = vec![0xff, 0, b'a'];
    assert_eq!(
        ParameterKind::Bytes.read(bytes.clone()),
        Ok(ParameterValue::Bytes(bytes.clone()))
    );
    assert!(ParameterKind::Text.read(bytes).is_err());
    assert_eq!(read(ParameterKind::Text, "é"), Ok(ParameterValue::Text("é".to_owned())));
}
