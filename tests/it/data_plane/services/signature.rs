//! What arrives is signed as AWS's description says: checked by a signer that shares no line with the gateway's.

use super::{FLAGS, KEY, SEND, serve};
use crate::support::endpoint::{Endpoint, Recorded};
use crate::support::sigv4::{Request, Signer, sha256};

/// The `Authorization` that the request should have, over the fields that it says are signed.
fn expected(recorded: &Recorded, service: &str, token: Option<&str>) -> String {
    let (method, target) = recorded.request().split_once(' ').unwrap();
    let mut request = Request::new(method, target).without("host");
    for line in recorded.head.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        let is_added = ["authorization", "x-amz-security-token"].contains(&name);
        if !is_added {
            request = request.header(name, value);
        }
    }
    let mut signer = Signer::new(KEY[0].1, KEY[1].1);
    signer.service = service.to_owned();
    signer.session_token = token.map(str::to_owned);
    let authorization = recorded.headers("authorization")[0];
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap();
    let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
    let hash = sha256(&recorded.body);
    let request = signer.sign_with(request.body(recorded.body.clone()), Some(&signed), &hash);
    request.value("authorization").to_owned()
}

#[test]
fn every_request_has_the_signature_that_its_bytes_ask_for() {
    let endpoint = Endpoint::ok();
    for token in [None, Some("FwoGZXIvYXdz//token+/==")] {
        let token_variable = token.map(|token| ("AWS_SESSION_TOKEN", token));
        let variables: Vec<_> = KEY.into_iter().chain(token_variable).collect();
        let gateway = serve(endpoint.address, &variables);
        let long = "e=a%2Fb%20c%2Bd~*%C3%A9&x=1";
        let encoded = FLAGS.replace("e=prod", long);
        for (sent, service, names) in [
            (SEND, "sqs", "content-type;host;x-amz-date"),
            (FLAGS, "appconfig", "host;x-amz-date"),
            (&encoded, "appconfig", "host;x-amz-date"),
        ] {
            assert_eq!(gateway.exchange(sent).status, 200);
            let recorded = endpoint.next();
            let authorization = recorded.headers("authorization");
            assert_eq!(
                authorization,
                [expected(&recorded, service, token)],
                "{}",
                recorded.head
            );
            let mut names = names.to_owned();
            if token.is_some() {
                names += ";x-amz-security-token";
            }
            // S12: all that is there of those, and nothing else.
            assert!(
                authorization[0].contains(&format!("SignedHeaders={names},")),
                "{authorization:?}"
            );
            assert_eq!(recorded.headers("x-amz-security-token"), Vec::from_iter(token));
        }
    }
}

/// `Region` is signed, and changes nothing else where there is an endpoint of one's own (S10, S17).
#[test]
fn the_region_of_a_call_is_in_its_signature_alone() {
    let endpoint = Endpoint::ok();
    let gateway = serve(endpoint.address, &KEY);
    for (target, region) in [("/regional?r=eu-west-1", "eu-west-1"), ("/regional", "us-east-1")] {
        assert_eq!(gateway.get(target).status, 200);
        let recorded = endpoint.next();
        let authorization = recorded.headers("authorization");
        assert!(
            authorization[0].contains(&format!("/20260710/{region}/sqs/aws4_request")),
            "{authorization:?}"
        );
        assert_eq!(recorded.headers("host"), [endpoint.address.to_string()]);
        let body = String::from_utf8(recorded.body).unwrap();
        assert!(!body.contains("Region"), "{body}");
    }
}
