//! What must hold of the parsers for whatever bytes come. Each property takes bytes and panics where it does not hold;
//! `tests/it/properties.rs` gives it seeded ones, and the targets of `fuzz/` those of a fuzzer.

use std::net::{IpAddr, SocketAddr};

use apigateway::definition::json::Json;
use apigateway::definition::notation::arn::{FunctionArn, RouteArn};
use apigateway::definition::notation::forwarded as forwarded_field;
use apigateway::definition::notation::json_path::JsonPath;
use apigateway::definition::notation::mapping_key::Side;
use apigateway::definition::notation::mapping_value::MappingValue;
use apigateway::definition::notation::path::{self as request_path, RequestPath};
use apigateway::definition::notation::query as query_string;
use apigateway::definition::notation::route_key::{MAX_SEGMENTS, RouteKey, RouteMethod, Segment};
use apigateway::definition::notation::uri::{IntegrationUri, Part};
use apigateway::http1::body_decoder::{BodyDecoder, DecodeError};
use apigateway::http1::framing::{Framing, framing};
use apigateway::http1::head_scanner::HeadScanner;
use apigateway::http1::message::{Headers, Version};
use apigateway::http1::message_limits::{MAX_BODY_LENGTH, MAX_FIELDS, MAX_REQUEST_HEAD_LENGTH};
use apigateway::http1::request_head::{self, Head};
use apigateway::identity::policy::Policy;

/// A small generator of numbers (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// The bytes, cut at places that depend on them alone: single bytes, halves, and all else.
pub fn cuts(bytes: &[u8]) -> Vec<Vec<usize>> {
    let mut chance = Chance(bytes.iter().fold(7, |sum, byte| {
        sum.wrapping_mul(1_000_003).wrapping_add(u64::from(*byte))
    }));
    let mut some: Vec<usize> = (0..4).map(|_| chance.below(bytes.len() + 1)).collect();
    some.sort_unstable();
    let each = if bytes.len() <= 4096 {
        (0..bytes.len()).collect()
    } else {
        Vec::new()
    };
    vec![each, vec![bytes.len() / 2], some]
}

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

/// The end of a head is the same however the bytes are cut, what is read is bounded, and reads as itself again.
pub fn head(bytes: &[u8]) {
    let whole = HeadScanner::default().find_end(bytes);
    for cut in cuts(bytes) {
        let mut scanner = HeadScanner::default();
        let found = cut
            .into_iter()
            .chain([bytes.len()])
            .map(|end| scanner.find_end(&bytes[..end]))
            .find(|found| !matches!(found, Ok(None)))
            .unwrap_or(Ok(None));
        match (&whole, &found) {
            (Ok(expected), Ok(found)) => assert_eq!(expected, found),
            // A head that is too long may be found out before its control byte is there.
            (Err(_), Err(_)) => {}
            _ => panic!("whole {whole:?}, in parts {found:?}"),
        }
    }
    let Ok(Some(end)) = whole else {
        return;
    };
    assert!(end <= MAX_REQUEST_HEAD_LENGTH && bytes[..end].ends_with(b"\r\n\r\n") || bytes[..end] == *b"\r\n");
    let Ok(read) = request_head::parse(&bytes[..end], peer(), peer()) else {
        return;
    };
    let request = &read.request;
    assert!(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
    assert!(
        request
            .path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
    );
    assert!(request.version == Version::Http10 || request.headers.get_all("host").count() == 1);
    assert!(request.headers.get_all("host").count() <= 1);
    for (name, value) in request.headers.iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
        assert!(
            !value
                .iter()
                .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        );
        assert!(!matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']));
    }
    // The host of an absolute target may be one field more.
    if request.headers.iter().count() <= MAX_FIELDS {
        let again = emit(&read);
        let reread = request_head::parse(&again, peer(), peer()).unwrap();
        assert_eq!(again, emit(&reread));
        assert_eq!(read.framing, reread.framing);
        assert_eq!(read.keeps_connection(), reread.keeps_connection());
    }
}

fn emit(head: &Head) -> Vec<u8> {
    let request = &head.request;
    let query = request
        .query
        .as_ref()
        .map_or(String::new(), |query| format!("?{query}"));
    let version = if request.version == Version::Http11 {
        "1.1"
    } else {
        "1.0"
    };
    let mut bytes = format!("{} {}{query} HTTP/{version}\r\n", request.method, request.path).into_bytes();
    for (name, value) in request.headers.iter() {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// What became of a body: the content, the bytes taken, whether it is whole.
type Decoded = (Vec<u8>, Result<(usize, bool), DecodeError>);

fn decode(bytes: &[u8], cut: &[usize], framing: Framing) -> Decoded {
    let mut content = Vec::new();
    let mut decoder = match BodyDecoder::new(framing) {
        Ok(decoder) => decoder,
        Err(error) => return (content, Err(error)),
    };
    let mut taken = 0;
    for end in cut.iter().copied().chain([bytes.len()]) {
        match decoder.decode(&bytes[taken.min(end)..end], &mut content) {
            Ok(count) => taken += count,
            Err(error) => return (content, Err(error)),
        }
        assert!(decoder.is_done() || taken == end, "bytes are left, and it is not whole");
    }
    let taken_behind = if decoder.is_done() { 0 } else { usize::MAX };
    if taken_behind == 0 {
        assert_eq!(decoder.decode(b"GET", &mut content), Ok(0), "bytes behind the end");
    }
    let is_done = decoder.is_done();
    (content, Ok((taken, is_done)))
}

/// A chunked body gives the same content however it is cut, and the same once it is coded anew.
pub fn chunked(bytes: &[u8]) {
    let whole = decode(bytes, &[], Framing::Chunked);
    assert!(whole.0.len() <= bytes.len() && whole.0.len() as u64 <= MAX_BODY_LENGTH);
    for cut in cuts(bytes) {
        assert_eq!(decode(bytes, &cut, Framing::Chunked), whole);
    }
    if let (content, Ok((taken, true))) = &whole {
        assert!(*taken <= bytes.len());
        let mut again = Vec::new();
        for part in content.chunks(content.len() / 3 + 1) {
            again.extend_from_slice(format!("{:X}\r\n", part.len()).as_bytes());
            again.extend_from_slice(part);
            again.extend_from_slice(b"\r\n");
        }
        again.extend_from_slice(b"0\r\n\r\n");
        let length = again.len();
        again.extend_from_slice(b"GET / HTTP/1.1\r\n");
        assert_eq!(
            decode(&again, &[], Framing::Chunked),
            (content.clone(), Ok((length, true)))
        );
    }
    // A body of a told length is those bytes, and none of the next request's.
    let length = bytes.len() / 2;
    for cut in cuts(bytes) {
        let told = decode(bytes, &cut, Framing::Length(length as u64));
        assert_eq!(told, (bytes[..length].to_vec(), Ok((length, true))));
    }
}

/// Each line is a field; a framing that is taken has one reading, whatever stands round it.
pub fn framed(bytes: &[u8]) {
    let mut headers = Headers::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let name = match name {
            b"l" => "content-length",
            b"t" => "transfer-encoding",
            other => str::from_utf8(other).unwrap_or("x"),
        };
        // What is no field is not added.
        let _ = headers.append(name, value);
    }
    let lengths: Vec<Vec<u8>> = headers.get_all("content-length").map(<[u8]>::to_vec).collect();
    let codings: Vec<Vec<u8>> = headers.get_all("transfer-encoding").map(<[u8]>::to_vec).collect();
    for version in [Version::Http10, Version::Http11] {
        match framing(&headers, version) {
            Ok(Framing::Chunked) => {
                assert!(version == Version::Http11 && lengths.is_empty());
                assert!(codings.len() == 1 && codings[0].eq_ignore_ascii_case(b"chunked"));
            }
            Ok(Framing::Length(told)) => {
                assert!(codings.is_empty() && lengths.len() <= 1);
                let digits = lengths.first().map_or(&b"0"[..], Vec::as_slice);
                assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
                let exact = digits.iter().fold(0_u64, |sum, digit| {
                    sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                });
                assert_eq!(told, exact);
                assert_eq!(BodyDecoder::new(Framing::Length(told)).is_err(), told > MAX_BODY_LENGTH);
            }
            Err(_) => assert!(!lengths.is_empty() || !codings.is_empty()),
        }
        let mut only = Headers::new();
        for (name, value) in headers.iter().filter(|(name, _)| name.contains("en")) {
            only.append(name, value).unwrap();
        }
        assert_eq!(framing(&only, version), framing(&headers, version));
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A path has no dot segment once decoded, and reads as itself when it is passed on.
pub fn path(bytes: &[u8]) {
    let text = text(bytes);
    for encoded in [
        request_path::encode_segment(&text).to_string(),
        request_path::encode_segments(&text).to_string(),
        request_path::encode_query_value(&text).to_string(),
    ] {
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded:?}");
        assert_eq!(request_path::decode_again(&encoded).unwrap(), text);
    }
    assert!(
        !request_path::encode_segment(&text)
            .to_string()
            .contains(['/', '?', '#'])
    );
    let written = request_path::encode_bytes(bytes).to_string();
    assert_eq!(query_string::decoded(&written.replace('+', "%2B")), bytes);
    let Ok(read) = RequestPath::parse(&text) else {
        return;
    };
    assert_eq!(read.raw(), text);
    assert!(read.decoded().starts_with('/') && read.decoded().len() <= text.len());
    assert!(!read.segments().any(|segment| segment == "." || segment == ".."));
    assert_eq!(
        read.segments().fold(String::new(), |all, segment| all + "/" + segment),
        read.decoded()
    );
    let passed = request_path::passed_path(&text).to_string();
    assert!(
        passed
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
    );
    assert_eq!(RequestPath::parse(&passed).unwrap().decoded(), read.decoded());
    let below = read.below_first_segment();
    assert_eq!(RequestPath::parse(below.raw()).unwrap(), below);
}

/// A parameter that is taken out is gone, and one that is put in is found.
pub fn query(bytes: &[u8]) {
    let text = text(bytes);
    assert_eq!(query_string::decoded(&query_string::encoded(bytes).to_string()), bytes);
    let passed = request_path::passed_query(&text).to_string();
    assert!(
        passed.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'),
        "{passed:?}"
    );
    let names: Vec<String> = text
        .split('&')
        .filter_map(|part| String::from_utf8(query_string::decoded(part.split('=').next()?).into_owned()).ok())
        .take(8)
        .chain(["a".to_owned()])
        .collect();
    for name in names.iter().filter(|name| !name.is_empty()) {
        let without = query_string::without(&text, name);
        assert_eq!(query_string::value(&without, name), None);
        assert_eq!(query_string::without(&without, name), without);
        assert!(without.len() <= text.len());
        let put = format!(
            "{without}&{}={}",
            query_string::encoded(name.as_bytes()),
            query_string::encoded(bytes)
        );
        assert_eq!(query_string::value(&put, name).as_deref(), Some(bytes));
    }
}

/// What is written closes its quotes, and an element behind such a field is read as itself.
pub fn forwarded(bytes: &[u8]) {
    for push in [forwarded_field::push_value, forwarded_field::push_translated_node] {
        let mut written = Vec::new();
        push(&mut written, bytes);
        assert!(forwarded_field::closes_its_quotes(&written));
        assert_eq!(forwarded_field::elements(&[b"for=", &written[..]].concat()).len(), 1);
    }
    let elements = forwarded_field::elements(bytes);
    assert!(elements.len() <= bytes.iter().filter(|byte| **byte == b',').count() + 1);
    if forwarded_field::closes_its_quotes(bytes) {
        let all = forwarded_field::elements(&[bytes, b", by=192.0.2.7;for=192.0.2.1;host=h;proto=http"].concat());
        let ours = forwarded_field::Element {
            node: Some(IpAddr::from([192, 0, 2, 1])),
            proto: Some(b"http".to_vec()),
            host: Some(b"h".to_vec()),
        };
        assert_eq!(all.len(), elements.len() + 1);
        assert_eq!(all.last(), Some(&ours));
        assert_eq!(all[..elements.len()], elements);
    }
    if let Some(address) = forwarded_field::address(bytes).filter(|address| !address.is_unspecified()) {
        let mut written = b"for=".to_vec();
        forwarded_field::push_node(&mut written, address);
        let read = forwarded_field::elements(&written);
        assert_eq!(
            read.iter().map(|element| element.node).collect::<Vec<_>>(),
            [Some(address)]
        );
    }
}

fn parts(parts: &[Part]) -> String {
    let write = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Variable(name) => format!("{{{name}}}"),
    };
    parts.iter().map(write).collect()
}

/// A URI that is read can be written, and is then read as itself.
pub fn uri(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(read) = IntegrationUri::parse(&text) else {
        return;
    };
    let query = read.query().map_or(String::new(), |query| format!("?{}", parts(query)));
    let written = format!(
        "{}://{}{}{query}",
        read.scheme().as_str(),
        read.authority(),
        parts(read.path())
    );
    assert!(written.eq_ignore_ascii_case(&text), "{written:?}");
    assert_eq!(IntegrationUri::parse(&written), Ok(read.clone()));
    assert!(!read.authority().contains(['@', '/', '{', ' ']) && !read.authority().is_empty());
    assert!(read.variables().count() <= text.len() / 3);
}

/// A route key that is read can be written, and is then read as itself.
pub fn route_key(bytes: &[u8]) {
    let text = text(bytes);
    let Ok(read) = RouteKey::parse(&text) else {
        return;
    };
    let written = match &read {
        RouteKey::Default => "$default".to_owned(),
        RouteKey::Path { method, path } => {
            assert!((1..=MAX_SEGMENTS).contains(&path.len()));
            let method = match method {
                RouteMethod::Any => "ANY",
                RouteMethod::Exact(method) => method.as_str(),
            };
            let segment = |segment: &Segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Variable(name) => format!("/{{{name}}}"),
                Segment::Greedy(name) => format!("/{{{name}+}}"),
            };
            format!("{method} {}", path.iter().map(segment).collect::<String>())
        }
    };
    assert_eq!(written, text);
    let mut names: Vec<&str> = read.variables().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name that occurs twice");
}

/// A mapping's value is bounded, and has no stage variables left once they are put in.
pub fn mapping_value(bytes: &[u8]) {
    let text = text(bytes);
    for side in [Side::Request, Side::Response] {
        for read in [
            MappingValue::parse(&text, side),
            MappingValue::parse_any_header(&text, side),
        ] {
            let Ok(read) = read else {
                continue;
            };
            assert!(read.sources().count() <= text.len());
            assert_eq!(MappingValue::parse_any_header(&text, side).as_ref(), Ok(&read));
            if let Some(filled) = read.with_stage_variables(|_| Some("v")) {
                assert!(!filled.sources().any(|source| source.stage_variable().is_some()));
                assert_eq!(filled.with_stage_variables(|_| None), Some(filled.clone()));
            }
        }
    }
}

/// The first line is a path, the rest a body: what is found in a body is found again in itself.
pub fn json_path(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, body) = bytes.split_at(at);
    let root = JsonPath::parse("").unwrap();
    if let Some(all) = root.find(body)
        && !body.trim_ascii_start().starts_with(b"\"")
    {
        assert!(all.len() <= body.len());
        assert_eq!(root.find(all.as_bytes()).as_deref(), Some(all.as_str()));
    }
    let Ok(path) = JsonPath::parse(&text(path)) else {
        return;
    };
    assert_eq!(path.find(body), path.find(body));
    assert_eq!(path.find(b""), None);
    assert_eq!(path.find(b"[1,"), None);
}

/// A policy that repeats the ARN of one request allows another request only if both ask for the same path: no two paths
/// have one ARN. The paths have a line each.
pub fn route_arn(bytes: &[u8]) {
    let text = text(bytes);
    let mut lines = text.lines().map(|line| format!("/{line}"));
    let (one, other) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let arn = |path: &str| {
        let arn = RouteArn {
            region: "us-east-1",
            account_id: "123456789012",
            api_id: "a",
            stage: "$default",
            method: "GET",
            path,
        };
        arn.to_string()
    };
    let (of_one, of_other) = (arn(&one), arn(&other));
    assert!(!of_one.contains(['*', '?']));
    assert_eq!(of_one == of_other, one == other);
    for effect in ["Allow", "Deny"] {
        let statement = |effect: &str, resource: &str| {
            let members = [("Effect", effect), ("Action", "*"), ("Resource", resource)];
            let member = |(name, value): (&str, &str)| (name.to_owned(), Json::String(value.to_owned()));
            Json::Object(members.map(member).into())
        };
        let mut statements = vec![statement(effect, &of_one)];
        if effect == "Deny" {
            statements.push(statement("Allow", "*"));
        }
        let document = Json::Object(vec![("Statement".to_owned(), Json::Array(statements))]);
        let policy = Policy::read(&document).unwrap();
        // What looks like a variable stands for anything: it does not allow, and does deny.
        let is_certain = !of_one.contains("${");
        let is_same = of_one == of_other;
        let expected = if effect == "Allow" {
            is_certain && is_same
        } else {
            is_certain && !is_same
        };
        assert_eq!(policy.allows(&of_other), expected, "{effect} {one} {other}");
    }
}

/// An ARN that is read has bounded parts, and reads as itself.
pub fn arn(bytes: &[u8]) {
    let Ok(read) = FunctionArn::parse(&text(bytes)) else {
        return;
    };
    assert!((1..=64).contains(&read.name().len()));
    assert!(
        read.qualifier()
            .is_none_or(|qualifier| (1..=128).contains(&qualifier.len()))
    );
    let written = read.to_string();
    assert!(written.len() <= bytes.len());
    assert_eq!(FunctionArn::parse(&written), Ok(read));
}
