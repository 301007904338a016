//! The properties of `support/properties.rs` for seeded bytes: good examples, changed bit by bit. A fuzzer goes deeper
//! (`fuzz/`); this is what each run of the tests can afford. `PROPERTY_ROUNDS` is how many rounds each gets.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::properties::{self as of, Chance};
use crate::support::response_properties as of_responses;

type Property = (
    &'static str,
    fn(&[u8]),
    &'static [&'static str],
    &'static [&'static str],
);

/// Each with examples to begin with, and with texts that mean something to its parser.
const PROPERTIES: &[Property] = &[
    (
        "head",
        of::head,
        &[
            "GET /a?b HTTP/1.1\r\nHost: h\r\nX: \t v \r\n\r\nGET",
            "POST http://a.test:1/x?y HTTP/1.0\r\nhost: h:80\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
            "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\n",
        ],
        &[
            "\r\n",
            "\r",
            "\n",
            "\r\n\r\n",
            ":",
            " ",
            "\t",
            "Host: h\r\n",
            "://",
            "http://",
            "?",
            "#",
            "HTTP/1.0",
            "\0",
            "*",
            "@",
            "chunked",
        ],
    ),
    (
        "chunked",
        of::chunked,
        &[
            "3\r\nabc\r\n0\r\n\r\nGET",
            "A;a=\"b\\\"\";c\r\n0123456789\r\n1 ;x\r\ny\r\n000\r\nX: a\r\nY:b\r\n\r\n",
        ],
        &[
            "\r\n",
            "0\r\n\r\n",
            "\r",
            "\n",
            ";",
            "\"",
            "\\",
            "ffffffff",
            "a00000\r\n",
            "1\r\nx\r\n",
            " ",
            ":",
            "0",
        ],
    ),
    (
        "response",
        of_responses::response,
        &[
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: \t v \r\n\r\nabc",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.0 404 x\r\n\r\n",
            "HTTP/1.1 302\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\n\r\n0\r\n\r\n",
        ],
        &[
            "\r\n",
            "\r",
            "\n",
            "\r\n\r\n",
            ":",
            " ",
            "\t",
            "HTTP/1.1 ",
            "HTTP/1.0",
            "204",
            "304",
            "101",
            "Content-Length: 0\r\n",
            "Transfer-Encoding: ",
            "chunked",
            "\0",
            "5",
        ],
    ),
    (
        "response_body",
        of_responses::response_body,
        &[
            "3\r\nabc\r\n0\r\n\r\nHTTP",
            " 00A\t;a=\"b\\\"\";c\r\n0123456789\r\n1 ;x\r\ny\r\n000\r\nX: a\r\nY:b\r\n\r\n",
        ],
        &[
            "\r\n",
            "0\r\n\r\n",
            "\r",
            "\n",
            ";",
            "\"",
            "\\",
            "ffffffff",
            "1\r\nx\r\n",
            " ",
            ":",
            "0",
            "+",
        ],
    ),
    (
        "framed",
        of::framed,
        &[
            "l: 5\nx:y",
            "l:5\nl:5",
            "t:chunked",
            "t:Chunked\nl:0",
            "l:18446744073709551615",
        ],
        &["l:", "t:", "\n", "chunked", "gzip", ",", " ", "+", "-", "0", "9", "5"],
    ),
    (
        "path",
        of::path,
        &["/v0/a%2Fb/c%20d", "/caf%c3%a9/%25%32%65", "//a/.../b", "/%2e%2e"],
        &[
            "/", "%2f", "%2F", "%2e", ".", "%", "%25", "%ff", "?", "#", "\u{e9}", " ",
        ],
    ),
    (
        "query",
        of::query,
        &["a=1&b=x+y&a=%32", "&&=&a", "a%20=%&%61=2", "a=b=c;d"],
        &["&", "=", "+", "%", "%61", "a", "%ff", "%26", ";", "\u{e9}"],
    ),
    (
        "forwarded",
        of::forwarded,
        &[
            "for=192.0.2.1;proto=https, for=\"[2001:db8::1]:4711\", for=_hidden",
            "For=\"a\\\"b,c\" ; by=x,,for=unknown;for=::1",
            "::ffff:192.0.2.1",
            "192.0.2.1:80",
        ],
        &["\"", "\\", ",", ";", "for=", "[", "]", "::1", "1.2.3.4", " ", "\\\""],
    ),
    (
        "uri",
        of::uri,
        &[
            "http://h.test:80/a/{b}?c={d}&e",
            "HTTPS://[::1]/x{y}z{w}",
            "http://1.2.3.4?{q}",
        ],
        &[
            "{", "}", "{a}", "/", "?", "#", "@", ":", "://", "%2e", "%", "..", "[", "]", ":0", "H",
        ],
    ),
    (
        "route_key",
        of::route_key,
        &[
            "GET /pets/{id}",
            "ANY /{proxy+}",
            "$default",
            "POST /a/{b}/c/{d+}",
            "HEAD /",
        ],
        &[
            "{",
            "}",
            "+",
            "/",
            " ",
            "{a}",
            "{b+}",
            "ANY",
            "$default",
            "..",
            "%",
            "/a/a/a/a/a/a/a/a",
        ],
    ),
    (
        "mapping_value",
        of::mapping_value,
        &[
            "$request.header.x",
            "a${stageVariables.v}b${context.requestId}",
            "$request.body.a[0]['b}c']",
            "$stageVariables.v",
            "${response.header.x}",
            "$request.querystring.a",
        ],
        &[
            "$",
            "${",
            "}",
            "request.",
            "body",
            ".",
            "[",
            "]",
            "'",
            "\"",
            "context.",
            "stageVariables.v",
            "\u{e9}",
            "[*]",
        ],
    ),
    (
        "json_path",
        of::json_path,
        &[
            ".a[0].b\n{\"a\":[{\"b\":\"c\"}]}",
            "['a','b'][-1]\n{\"a\":[1.0,2e5],\"b\":[null]}",
            ".*[0:2]\n[[1,2,3],{\"x\":\"\\u00e9\"}]",
            "[::-1]\n \"text\" ",
        ],
        &[
            "[",
            "]",
            "'",
            "\"",
            ".",
            "*",
            ":",
            "-",
            ",",
            "{",
            "}",
            "\n",
            "\\",
            "\\u00e9",
            "9223372036854775808",
            "[0]",
            " ",
        ],
    ),
    (
        "route_arn",
        of::route_arn,
        &["pol/*\npol/secret", "pol/secre?\npol/secret", "a/%2A\na/*", "${a}\nb"],
        &[
            "*", "?", "%2A", "%3F", "\n", "/", "$", "${", "}", "s", "\u{e9}", "\"", "\\",
        ],
    ),
    (
        "arn",
        of::arn,
        &[
            "arn:aws:lambda:us-east-1:123456789012:function:pets:prod",
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:pets/invocations",
            "arn:aws-cn:lambda:eu-west-1:123456789012:function:p:$LATEST",
        ],
        &[
            ":",
            "/",
            "arn",
            "aws-",
            "$LATEST",
            "function",
            "lambda",
            "/invocations",
            ":lambda:path/2015-03-31/functions/",
            "1",
            "a",
        ],
    ),
];

/// An example, changed at a few places.
fn bytes(chance: &mut Chance, examples: &[&str], tokens: &[&str]) -> Vec<u8> {
    let mut bytes = examples[chance.below(examples.len())].as_bytes().to_vec();
    for _ in 0..chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(8)).min(bytes.len());
        let put: Vec<u8> = match chance.below(6) {
            0 | 1 => tokens[chance.below(tokens.len())].into(),
            2 => vec![u8::try_from(chance.below(256)).unwrap()],
            3 => Vec::new(),
            4 => bytes[at..end].repeat(1 + chance.below(3)),
            _ => {
                let other = examples[chance.below(examples.len())].as_bytes();
                other[chance.below(other.len())..].to_vec()
            }
        };
        // Half of the changes only add.
        let end = if chance.below(2) == 0 { at } else { end };
        bytes.splice(at..end, put);
    }
    // Now and then something long, for the limits.
    if chance.below(500) == 0 && !bytes.is_empty() {
        let at = chance.below(bytes.len());
        let long = bytes[at..(at + 9).min(bytes.len())].repeat(1500);
        bytes.splice(at..at, long);
    }
    bytes
}

#[test]
fn the_parsers_keep_their_promises_for_whatever_comes() {
    let rounds = std::env::var("PROPERTY_ROUNDS").map_or(1_500, |rounds| rounds.parse().unwrap());
    for (name, property, examples, tokens) in PROPERTIES {
        for example in *examples {
            property(example.as_bytes());
        }
        for seed in 0..rounds {
            let bytes = bytes(&mut Chance(seed), examples, tokens);
            if catch_unwind(AssertUnwindSafe(|| property(&bytes))).is_err() {
                panic!("{name} does not hold for {:?}", bytes.escape_ascii().to_string());
            }
        }
    }
}
