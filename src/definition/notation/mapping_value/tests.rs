//! Values of mappings: what is read, and what is refused with which words.

use super::*;
use crate::definition::notation::context_variable::ContextVariable;
use crate::definition::notation::json_path::JsonPath;

fn parse(text: &str) -> Result<MappingValue, InvalidValue> {
    MappingValue::parse(text, Side::Request)
}

#[test]
fn a_source_alone() {
    let path = |text| Source::BodyValue(JsonPath::parse(text).unwrap());
    for (text, source) in [
        ("$request.header.X-A", Source::Header("x-a".into())),
        ("$request.querystring.Name", Source::Querystring("Name".into())),
        ("$request.querystring.a b.c", Source::Querystring("a b.c".into())),
        ("$request.body", Source::Body),
        ("$request.body.a[0]", path(".a[0]")),
        ("$request.body[0]", path("[0]")),
        ("$request.path", Source::Path),
        ("$request.path.id", Source::PathParameter("id".into())),
        ("$request.path.a.b:c-d", Source::PathParameter("a.b:c-d".into())),
        ("$context.requestId", Source::Context(ContextVariable::RequestId)),
        ("$stageVariables.a_1", Source::StageVariable("a_1".into())),
    ] {
        assert_eq!(parse(text), Ok(MappingValue::Source(source.clone())), "{text}");
        let braced = format!("${{{}}}", &text[1..]);
        assert_eq!(
            parse(&braced),
            Ok(MappingValue::Pieces(vec![Piece::Source(source)])),
            "{braced}"
        );
    }
}

#[test]
fn text_stays_text() {
    for text in [
        "a",
        "a b",
        "$",
        "$5.00",
        "costs $5",
        "$foo",
        "$foo bar.x",
        "{a}",
        "}",
        "$requests",
        "caf\u{e9}",
        "a$b",
    ] {
        assert_eq!(
            parse(text),
            Ok(MappingValue::Pieces(vec![Piece::Text(text.into())])),
            "{text}"
        );
    }
}

/// R4.5.
#[test]
fn a_bare_source_within_text_is_put_in() {
    for (bare, braced) in [
        ("/$request.path.proxy", "/${request.path.proxy}"),
        ("$request.path.a/x", "${request.path.a}/x"),
        (
            "$request.path.a-$request.path.b.",
            "${request.path.a}-${request.path.b}.",
        ),
        ("id: $request.header.X-Id!", "id: ${request.header.X-Id}!"),
        ("$request.header.a b", "${request.header.a} b"),
        (
            "$request.header.a$request.header.b",
            "${request.header.a}${request.header.b}",
        ),
        (
            "$request.querystring.a$context.stage",
            "${request.querystring.a}${context.stage}",
        ),
        (
            "${request.path}$context.requestId",
            "${request.path}${context.requestId}",
        ),
        ("$request.body.a, $5 $foo", "${request.body.a}, $5 $foo"),
        ("$stageVariables.a:$request.path", "${stageVariables.a}:${request.path}"),
        ("<$request.body.a-b_c.d>", "<${request.body.a-b_c.d}>"),
        ("$$context.stage", "$${context.stage}"),
        (
            "$request.body.a [see $context.stage]",
            "${request.body.a} [see ${context.stage}]",
        ),
    ] {
        let value = parse(bare);
        assert!(
            matches!(&value, Ok(MappingValue::Pieces(pieces)) if pieces.len() > 1),
            "{bare}: {value:?}"
        );
        assert_eq!(value, parse(braced), "{bare}");
    }
}

#[test]
fn a_brace_in_a_json_path_does_not_end_it() {
    let value = parse("<${request.body['a}b']}>").unwrap();
    let path = Source::BodyValue(JsonPath::parse("['a}b']").unwrap());
    let pieces = vec![Piece::Text("<".into()), Piece::Source(path), Piece::Text(">".into())];
    assert_eq!(value, MappingValue::Pieces(pieces));
}

#[test]
fn what_is_no_value() {
    let long = "x".repeat(513);
    for (text, side, says) in [
        ("", Side::Request, "empty"),
        (long.as_str(), Side::Request, "513 characters, 512 at most"),
        ("a\r\nb: c", Side::Request, "control character '\\r'"),
        ("$response.header.a", Side::Request, "not there yet"),
        ("${response.body}", Side::Request, "not there yet"),
        ("$request.path", Side::Response, "when a response is mapped"),
        ("$request", Side::Request, "not a source"),
        ("$request.", Side::Request, "not a source"),
        ("$request.header", Side::Request, "not a source"),
        ("$request.header.", Side::Request, "not a source"),
        ("$request.Header.a", Side::Request, "not a source"),
        ("$request.bodyx", Side::Request, "not a source"),
        ("$request.path.", Side::Request, "not a source"),
        ("$request.querystring.", Side::Request, "not a source"),
        ("$request.multivaluequerystring.a", Side::Request, "not a source"),
        ("$request.body..a", Side::Request, "recursive descent"),
        ("$response.body[?(@.a)]", Side::Response, "a filter"),
        ("$response.path", Side::Response, "not a source"),
        ("$context.nope", Side::Request, "no context variable \"nope\""),
        ("$context.requestid", Side::Request, "did you mean \"requestId\"?"),
        ("$context.resourcePath", Side::Request, "one of REST or WebSocket APIs"),
        ("$context", Side::Request, "not a source"),
        ("$stageVariables.a-b", Side::Request, "not a source"),
        ("${stageVariables}", Side::Request, "not a source"),
        ("${method.request.header.a}", Side::Request, "not a source"),
        ("a ${request.path", Side::Request, "no closing brace"),
        ("${}", Side::Request, "not a source"),
        ("x $request.nope", Side::Request, "${…} says where the name ends"),
        ("x $context.requestId-x", Side::Request, "${…} says where the name ends"),
        ("x $response.body", Side::Request, "not there yet"),
        ("x $request.body[0]", Side::Request, "at the bracket behind it"),
        ("x $request.header.Authorization", Side::Request, "reserved"),
        (
            "$integration.response.header.x",
            Side::Response,
            "did you mean \"$response.header.x\"?",
        ),
        (
            "x $method.request.path.id",
            Side::Request,
            "did you mean \"$request.path.id\"?",
        ),
        (
            "${integration.request.header.x}",
            Side::Request,
            "did you mean \"$request.header.x\"?",
        ),
        (
            "$authorizer.claims.sub",
            Side::Request,
            "did you mean \"$context.authorizer.claims.sub\"?",
        ),
        (
            "$Context.requestId",
            Side::Request,
            "did you mean \"$context.requestId\"?",
        ),
        (
            "$stageVariable.a/b",
            Side::Request,
            "did you mean \"$stageVariables.a\"?",
        ),
        ("$header.x", Side::Request, "did you mean \"$request.header.x\"?"),
        ("$foo.bar", Side::Request, "begins with $request, $response"),
        ("$header.x", Side::Response, "did you mean \"$response.header.x\"?"),
        ("x ${header.x}", Side::Response, "did you mean \"$response.header.x\"?"),
        ("$request.header.Authorization", Side::Request, "reserved"),
        ("${response.header.Apigw-Requestid}", Side::Response, "reserved"),
    ] {
        let error = MappingValue::parse(text, side).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
