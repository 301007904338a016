//! Requests of the gateway's own are signed as botocore signs them (contract S12).
//!
//! `tests/vectors/sigv4_botocore_services.json` holds requests in the form in which the gateway makes them, signed by
//! botocore 1.44.8 with its clock at 2026-07-10T19:19:05Z.

use serde_json::Value;

use super::vectors::{SUITE_SECRET, at, credential};
use crate::definition::credentials::Secret;
use crate::http1::message::{Headers, Method, RequestParts};
use crate::identity::sigv4::*;

const BOTOCORE: &str = include_str!("../../../../tests/vectors/sigv4_botocore_services.json");

const NOW: u64 = 1_783_711_145;

/// A case's request without its signature, and its body.
fn parts<'a>(case: &'a Value, text: &impl Fn(&str) -> Option<&'a str>) -> RequestParts {
    let mut headers = Headers::new();
    for field in case["fields"].as_array().unwrap() {
        let (name, value) = (field[0].as_str().unwrap(), field[1].as_str().unwrap());
        headers.append(name, value.as_bytes()).unwrap();
    }
    headers.append("host", text("host").unwrap().as_bytes()).unwrap();
    RequestParts {
        path: text("path").unwrap().to_owned(),
        query: text("query").map(str::to_owned),
        headers,
    }
}

#[test]
fn botocore_signs_the_same() {
    let cases: Vec<Value> = serde_json::from_str(BOTOCORE).unwrap();
    for case in &cases {
        let text = |name: &str| case.get(name).map(|value| value.as_str().unwrap());
        let token = text("token").map(|token| Secret::new(token.to_owned()));
        let secret = Secret::new(SUITE_SECRET.to_owned());
        let (region, service) = (text("region").unwrap(), text("service").unwrap());
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: &secret,
            session_token: token.as_ref(),
            region,
            service,
            now: at(NOW),
        };
        let body = text("body").unwrap().as_bytes();
        let method = Method::parse(text("method").unwrap()).unwrap();
        let mut parts = parts(case, &text);
        sign(method, &mut parts, body, &signer).unwrap();
        let authorization = str::from_utf8(parts.headers.get("authorization").unwrap()).unwrap();
        assert_eq!(Some(authorization), text("authorization"), "{case}");
        assert_eq!(parts.headers.get("x-amz-date"), Some(&b"20260710T191905Z"[..]));
        let token = parts.headers.get("x-amz-security-token");
        assert_eq!(token, text("token").map(str::as_bytes));
        // What the gateway signs, it verifies.
        let request = SignedRequest {
            method: method.as_str(),
            path: &parts.path,
            query: parts.query.as_deref(),
            headers: &parts.headers,
            body,
        };
        let known = vec![credential("AKIDEXAMPLE", SUITE_SECRET, text("token"))];
        let known = Credentials::from(known);
        let verified = verify_for(service, &request, &known, region, at(NOW));
        assert!(verified.is_ok(), "{case}");
    }
    assert_eq!(cases.len(), 10);
}

#[test]
fn a_token_with_a_line_break_is_refused() {
    let secret = Secret::new("a".to_owned());
    let token = Secret::new("a\r\nx: y".to_owned());
    let signer = Signer {
        access_key_id: "A",
        secret_access_key: &secret,
        session_token: Some(&token),
        region: "us-east-1",
        service: "sqs",
        now: at(NOW),
    };
    assert!(!format!("{signer:?}").contains("x: y"));
    let mut parts = RequestParts {
        path: "/".to_owned(),
        query: None,
        headers: Headers::of(&[("host", "h")]),
    };
    assert!(sign(Method::Post, &mut parts, b"", &signer).is_err());
}
