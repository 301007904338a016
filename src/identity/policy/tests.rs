//! What policies allow and deny.

use super::*;

const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:abc/$default/GET/pets/7";

fn read(statements: &str) -> Result<Policy, InvalidPolicy> {
    Policy::read(&Json::parse(&format!(r#"{{"Statement": {statements}}}"#)).unwrap())
}

#[test]
fn statements_are_weighed_as_iam_does() {
    const ALLOW: &str = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
    for (statements, expected) in [
        ("[]".to_owned(), false),
        (ALLOW.to_owned(), true),
        (format!("[{ALLOW}]"), true),
        (
            format!(r#"[{ALLOW}, {{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "{ARN}"}}]"#),
            false,
        ),
        (
            format!(r#"[{ALLOW}, {{"Effect": "Deny", "Action": "execute-api:*", "Resource": "*/PUT/*"}}]"#),
            true,
        ),
        (
            format!(r#"[{ALLOW}, {{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}]"#),
            true,
        ),
        (
            format!(
                r#"[{ALLOW}, {{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {{"Bool": {{"a": "b"}}}}}}]"#
            ),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "Action": "EXECUTE-API:invoke", "Resource": "*"}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "Action": "execute-api:Inv?ke", "Resource": "*"}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*"}"#.to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "NotAction": ["s3:*", "execute-api:*"], "Resource": "*"}"#.to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "NotResource": "*/PUT/*"}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "NotResource": "*/pets/?"}"#.to_owned(),
            false,
        ),
        (
            format!(r#"[{ALLOW}, {{"Effect": "Deny", "Action": "*", "Resource": "*/${{aws:x}}"}}]"#),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*${aws:x}"}"#.to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "NotResource": "a${aws:x}"}"#.to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:x": false}}}"#
                .to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {}}}"#.to_owned(),
            false,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": ["a", "*:abc/*/GET/pets/*"]}"#.to_owned(),
            true,
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "Resource": "ARN:AWS:*"}"#.to_owned(),
            false,
        ),
    ] {
        assert_eq!(
            read(&statements).map(|policy| policy.allows(ARN)),
            Ok(expected),
            "{statements}"
        );
    }
}

#[test]
fn what_is_not_understood_is_not_passed_over() {
    for (statements, says) in [
        ("null", "Statement is null"),
        (r#""Allow""#, "Statement is a string"),
        ("[1]", "a statement is a number"),
        (r#"[{"Action": "*", "Resource": "*"}]"#, "Effect"),
        (r#"[{"Effect": "allow", "Action": "*", "Resource": "*"}]"#, "Effect"),
        (
            r#"[{"Effect": "Allow", "Effect": "Deny", "Action": "*", "Resource": "*"}]"#,
            "twice",
        ),
        (
            r#"[{"Effect": "Allow", "Resource": "*"}]"#,
            "either Action or NotAction",
        ),
        (
            r#"[{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]"#,
            "either Action or NotAction",
        ),
        (
            r#"[{"Effect": "Allow", "Action": "*"}]"#,
            "either Resource or NotResource",
        ),
        (r#"[{"Effect": "Allow", "Action": 1, "Resource": "*"}]"#, "not a string"),
        (
            r#"[{"Effect": "Allow", "Action": [["*"]], "Resource": "*"}]"#,
            "not a string",
        ),
        (
            r#"[{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": []}]"#,
            "Condition is a list",
        ),
        (
            r#"[{"Effect": "Allow", "Action": "*", "Resource": "*", "condition": {}}]"#,
            "not known",
        ),
        (r#"[{"Effect": "Allow", "Action": "*", "Resource": []}]"#, "is empty"),
        (r#"[{"Effect": "Allow", "NotAction": [], "Resource": "*"}]"#, "is empty"),
        (
            r#"[{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]"#,
            "Principal",
        ),
    ] {
        let InvalidPolicy(text) = read(statements).expect_err(statements);
        assert!(text.contains(says), "{statements}: {text}");
    }
    assert!(Policy::read(&Json::parse("{}").unwrap()).is_err());
}

#[test]
fn stars_cost_no_more_than_their_number() {
    let pattern = "*a".repeat(500);
    let text = "a".repeat(5_000) + "b";
    assert!(!matches(&pattern, &text));
    for (pattern, text, expected) in [
        ("", "", true),
        ("*", "", true),
        ("?", "", false),
        ("a*c", "abbc", true),
        ("a*c", "abbcd", false),
        ("*b*", "abc", true),
        ("a?c", "abc", true),
        ("a", "ab", false),
        ("**", "x", true),
        ("a?c", "a\u{e9}c", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
