//! These tests sign requests with Signature Version 4.

mod accepted;
mod refused;
mod presigned;
mod credentials;

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::directory::{http_proxy, lambda_proxy};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::sigv4::{Request, Signer};

const UP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}";
const ALICE: &str = "AKIDALICE";
const ALICE_SECRET: &str = "nobody-logs-the-secret-of-alice";
const BOB: &str = "ASIABOB";
const BOB_SECRET: &str = "nobody-logs-the-secret-of-bob";
const BOB_TOKEN: &str = "nobody/logs+the==token-of-bob";

fn alice() -> Signer {
    Signer::new(ALICE, ALICE_SECRET)
}

/// Bob has a session token, and another account.
fn bob() -> Signer {
    Signer::new(BOB, BOB_SECRET).with_token(BOB_TOKEN)
}

fn credentials() -> Value {
    json!({"Credentials": [
        {"AccessKeyId": ALICE, "SecretAccessKey": ALICE_SECRET, "UserArn": "arn:aws:iam::111122223333:user/alice", "UserId": "AIDAALICE"},
        {
            "AccessKeyId": BOB,
            "SecretAccessKey": BOB_SECRET,
            "SessionToken": BOB_TOKEN,
            "UserArn": "arn:aws:sts::444455556666:assumed-role/reader/bob",
            "UserId": "AROAREADER:bob",
        },
    ]})
}

fn files(up: &Endpoint) -> Vec<(&'static str, Value)> {
    let iam = |key: &str, integration: &str| json!({"RouteKey": key, "Target": format!("integrations/{integration}"), "AuthorizationType": "AWS_IAM"});
    let mut mapped = http_proxy(format!("http://{}/mapped", up.address));
    mapped["RequestParameters"] = json!({
        "overwrite:header.x-account": "$context.identity.accountId",
        "overwrite:header.x-caller": "$context.identity.caller",
        "overwrite:header.x-user": "$context.identity.user",
        "overwrite:header.x-arn": "$context.identity.userArn",
        "overwrite:header.x-org": "$context.identity.principalOrgId",
        "overwrite:header.x-cognito": "$context.identity.cognitoIdentityId",
        "overwrite:header.x-claim": "$context.authorizer.claims.sub",
        "overwrite:header.x-principal": "$context.authorizer.principalId",
    });
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("stages/beta.json", json!({"Name": "beta"})),
        ("routes/all.json", iam("ANY /{proxy+}", "v2")),
        ("routes/v1.json", iam("ANY /v1", "v1")),
        ("routes/mapped.json", iam("ANY /mapped", "mapped")),
        (
            "routes/open.json",
            json!({"RouteKey": "ANY /open", "Target": "integrations/mapped"}),
        ),
        ("integrations/v2.json", lambda_proxy("up", "2.0")),
        ("integrations/v1.json", lambda_proxy("up", "1.0")),
        ("integrations/mapped.json", mapped),
        (
            "functions/up.json",
            json!({"InvokeUri": format!("http://{}/invoke", up.address)}),
        ),
        ("credentials.json", credentials()),
    ]
}

struct Api {
    gateway: Gateway,
    up: Endpoint,
}

impl Api {
    fn new() -> Api {
        let up = Endpoint::answering(UP);
        let gateway = Gateway::serve(&files(&up));
        Api { gateway, up }
    }

    fn send(&self, request: &Request) -> Answer {
        self.gateway.exchange(request.bytes())
    }

    fn passes(&self, request: &Request, what: &str) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{what}: {}", answer.head);
        serde_json::from_slice(&self.up.next().body).unwrap()
    }

    fn refuses(&self, request: &Request, what: &str) {
        let answer = self.send(request);
        assert_eq!(answer.status, 403, "{what}: {}", answer.head);
        assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#, "{what}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(answer.header("www-authenticate"), None, "{what}");
        assert!(self.up.rest().is_empty(), "{what}: it was passed on");
    }
}
