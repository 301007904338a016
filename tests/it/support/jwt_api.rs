//! An API whose routes ask for tokens of one issuer.

use serde_json::{Value, json};

use super::client::Answer;
use super::directory::{http_proxy, lambda_proxy};
use super::endpoint::Endpoint;
use super::gateway::Gateway;
use super::jwt::{Issuer, Signer};

const UP: &str = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}";

/// The gateway, and what stands behind it.
pub struct Api {
    pub gateway: Gateway,
    pub up: Endpoint,
}

fn jwt(key: &str, integration: &str, scopes: &[&str]) -> Value {
    json!({
        "RouteKey": key,
        "Target": format!("integrations/{integration}"),
        "AuthorizationType": "JWT",
        "AuthorizerId": "authorizers/jwt",
        "AuthorizationScopes": scopes,
    })
}

/// An authorizer of that issuer for the audiences `api` and `https://api.test/`.
pub fn authorizer(issuer: &str) -> Value {
    json!({
        "AuthorizerType": "JWT",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Issuer": issuer, "Audience": ["api", "https://api.test/"]},
    })
}

/// `/me` wants a token; `/orders` one scope, `/many` one of two; `/v1` has the other event, `/mapped` a mapping; `/open`
/// wants nothing.
pub fn files(up: &Endpoint, authorizer: Value) -> Vec<(&'static str, Value)> {
    let mut mapped = http_proxy(format!("http://{}/mapped", up.address));
    mapped["RequestParameters"] = json!({
        "overwrite:header.x-sub": "$context.authorizer.claims.sub",
        "overwrite:header.x-exp": "$context.authorizer.claims.exp",
        "overwrite:header.x-groups": "$context.authorizer.claims.groups",
        "overwrite:header.x-none": "$context.authorizer.claims.none",
        "overwrite:header.x-all": "$context.authorizer.claims",
        "overwrite:header.x-principal": "$context.authorizer.principalId",
        "overwrite:header.x-arn": "$context.identity.userArn",
        "append:querystring.who": "user:${context.authorizer.claims.sub}",
    });
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("stages/beta.json", json!({"Name": "beta"})),
        ("routes/me.json", jwt("ANY /me", "v2", &[])),
        ("routes/orders.json", jwt("ANY /orders", "v2", &["orders/read"])),
        (
            "routes/many.json",
            jwt("ANY /many", "v2", &["orders/read", "https://api.test/orders.write"]),
        ),
        ("routes/v1.json", jwt("ANY /v1", "v1", &[])),
        ("routes/v1s.json", jwt("ANY /v1s", "v1", &["orders/read"])),
        ("routes/mapped.json", jwt("ANY /mapped", "mapped", &[])),
        (
            "routes/open.json",
            json!({"RouteKey": "ANY /open", "Target": "integrations/v2"}),
        ),
        ("integrations/v2.json", lambda_proxy("up", "2.0")),
        ("integrations/v1.json", lambda_proxy("up", "1.0")),
        ("integrations/mapped.json", mapped),
        ("authorizers/jwt.json", authorizer),
        (
            "functions/up.json",
            json!({"InvokeUri": format!("http://{}/invoke", up.address)}),
        ),
    ]
}

impl Api {
    pub fn of(issuer: &Issuer) -> Api {
        Api::with(authorizer(&issuer.url))
    }

    pub fn with(authorizer: Value) -> Api {
        let up = Endpoint::answering(UP);
        let gateway = Gateway::serve(&files(&up, authorizer));
        Api { gateway, up }
    }

    /// An issuer with one RS256 key, and an API that trusts it.
    pub fn and_issuer() -> (Api, Issuer, Signer) {
        let signer = Signer::new("k1", "RS256");
        let issuer = Issuer::with(&[&signer]);
        (Api::of(&issuer), issuer, signer)
    }

    /// A GET with these fields.
    pub fn ask(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n");
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        self.gateway.exchange(request + "\r\n")
    }

    /// A GET with a token.
    pub fn bear(&self, target: &str, token: &str) -> Answer {
        self.ask(target, &[("Authorization", &format!("Bearer {token}"))])
    }

    /// The event that an allowed request led to.
    pub fn event(&self, target: &str, token: &str) -> Value {
        let answer = self.bear(target, token);
        assert_eq!(answer.status, 200, "{}", answer.head);
        serde_json::from_slice(&self.up.next().body).unwrap()
    }

    /// The token passes.
    pub fn passes(&self, token: &str, what: &str) {
        let answer = self.bear("/me", token);
        assert_eq!(answer.status, 200, "{what}: {}", answer.head);
        self.up.next();
    }

    /// The token is refused as invalid, and nothing reaches the integration; the description.
    pub fn refuses(&self, token: &str, what: &str) -> String {
        let answer = self.bear("/me", token);
        let description = description(&answer, "", what);
        assert!(self.up.rest().is_empty(), "{what}: it was passed on");
        description
    }
}

/// The `error_description` of a 401 that is right in all else (R8.11, §14).
pub fn description(answer: &Answer, scopes: &str, what: &str) -> String {
    assert_eq!(answer.status, 401, "{what}: {}", answer.head);
    assert_eq!(answer.text(), r#"{"message":"Unauthorized"}"#, "{what}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert_eq!(answer.header("content-length"), Some("26"), "{what}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let before = format!("Bearer scope=\"{scopes}\" error=\"invalid_token\" error_description=\"");
    let inside = challenge.strip_prefix(&before).and_then(|rest| rest.strip_suffix('"'));
    let inside = inside.unwrap_or_else(|| panic!("{what}: www-authenticate: {challenge}"));
    assert!(!inside.contains('"') && !inside.is_empty(), "{what}: {challenge}");
    inside.to_owned()
}
