//! Requests that others signed, as data: AWS's published test suite, and botocore.
//!
//! `tests/vectors/sigv4_suite.json` holds the facts of the suite (requests, canonical requests, strings to sign,
//! signatures), in the version of awslabs/aws-c-auth. A case with `refused` is one where this gateway differs on
//! purpose: dot segments, which are 400 before they come here; a path that is not normalized; a token that is not
//! signed. `tests/vectors/sigv4_botocore.json` holds requests signed by botocore 1.44.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::*;
use crate::definition::credentials::{Secret, UserArn};
use crate::http1::message::Headers;

const SUITE: &str = include_str!("../../../../tests/vectors/sigv4_suite.json");
const BOTOCORE: &str = include_str!("../../../../tests/vectors/sigv4_botocore.json");

/// 2015-08-30T12:36:00Z, when every request of the suite was signed.
pub(super) const SUITE_TIME: u64 = 1_440_938_160;

pub(super) const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(super) fn credential(id: &str, secret: &str, token: Option<&str>) -> Credential {
    Credential {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
        user_arn: UserArn::parse("arn:aws:iam::123456789012:user/ann").unwrap(),
        user_id: "AIDAEXAMPLE".to_owned(),
    }
}

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(case: &'a Value, name: &str) -> Option<&'a str> {
    case.get(name).map(|value| value.as_str().unwrap())
}

fn fields(case: &Value) -> Headers {
    let mut headers = Headers::new();
    for field in case["fields"].as_array().unwrap() {
        let (name, value) = (field[0].as_str().unwrap(), field[1].as_str().unwrap());
        headers.append(name, value.as_bytes()).unwrap();
    }
    headers
}

fn request<'a>(case: &'a Value, headers: &'a Headers) -> SignedRequest<'a> {
    SignedRequest {
        method: text(case, "method").unwrap(),
        path: text(case, "path").unwrap(),
        query: text(case, "query"),
        headers,
        body: text(case, "body").unwrap_or_default().as_bytes(),
    }
}

#[test]
fn the_suite_of_aws() {
    let cases = cases(SUITE);
    let mut counts = [0, 0];
    for case in &cases {
        let name = text(case, "name").unwrap();
        let headers = fields(case);
        let request = request(case, &headers);
        let credentials = Credentials::from(vec![credential("AKIDEXAMPLE", SUITE_SECRET, text(case, "token"))]);
        let verified = verify_for("service", &request, &credentials, "us-east-1", at(SUITE_TIME));
        if let Some(refusal) = text(case, "refused") {
            let shown = format!("{:?}", verified.unwrap_err());
            assert!(shown.starts_with(refusal), "{name}: {shown}");
            counts[1] += 1;
            continue;
        }
        let parameters = QueryParameters::of(request.query.unwrap_or_default());
        let signature = Signature::of(&request, &parameters).unwrap();
        let hash = payload_hash(&request, &parameters).unwrap();
        let canonical = canonical::request(&request, &parameters, &signature.signed_headers, &hash);
        assert_eq!(str::from_utf8(&canonical).ok(), text(case, "canonical"), "{name}");
        let to_sign = string_to_sign(signature.scope(), &canonical);
        assert_eq!(Some(to_sign.as_str()), text(case, "string_to_sign"), "{name}");
        let caller = verified.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(caller.account_id, "123456789012");
        counts[0] += 1;
    }
    assert_eq!(counts, [62, 14], "verified and refused");
}

#[test]
fn requests_that_botocore_signed() {
    let credentials = Credentials::from(vec![
        credential("AKIDEXAMPLE", SUITE_SECRET, None),
        credential(
            "ASIAEXAMPLE",
            "short+secret/==",
            Some("FwoGZXIvYXdzEXAMPLE//token+with/=="),
        ),
    ]);
    for case in &cases(BOTOCORE) {
        let headers = fields(case);
        let request = request(case, &headers);
        let now = at(case["now"].as_u64().unwrap());
        let region = text(case, "region").unwrap();
        let caller = verify(&request, &credentials, region, now).unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
        assert_eq!(
            Some(caller.credential.access_key_id.as_str()),
            text(case, "key"),
            "{case}"
        );
        let other = if region == "us-east-1" {
            "us-west-1"
        } else {
            "us-east-1"
        };
        assert_eq!(
            verify(&request, &credentials, other, now).err(),
            Some(Refusal::Region),
            "{case}"
        );
    }
}
