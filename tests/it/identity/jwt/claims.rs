//! Integrations and mappings get the claims of a token as text.

use serde_json::{Value, json};

use crate::support::jwt::now;
use crate::support::jwt_api::Api;

/// R8.16–R8.19, in both events.
#[test]
fn claims_are_delivered_as_text() {
    let (api, issuer, signer) = Api::and_issuer();
    let claims = format!(
        r#"{{"iss":"{}","aud":["api","x"],"exp":{},"sub":"user-7","yes":true,"no":false,"none":null,"big":12345678901234567890123,
        "fraction":1.50,"cognito:groups":["Admins","Readers"],"one":["a"],"empty":[],"mixed":[1,true,"b c"],"map":{{"a":{{"b":[1]}}}},
        "text":"a b","nothing":"","snow":"\u2603","scope":"orders/read x"}}"#,
        issuer.url,
        now() + 3600
    );
    let token = signer.token_of(&signer.header().to_string(), claims);
    let expected = json!({
        "iss": issuer.url, "aud": "[api x]", "exp": (now() + 3600).to_string(), "sub": "user-7", "yes": "true", "no": "false",
        "big": "12345678901234567890123", "fraction": "1.50", "cognito:groups": "[Admins Readers]", "one": "[a]", "empty": "[]",
        "mixed": "[1 true b c]", "map": "{\"a\":{\"b\":[1]}}", "text": "a b", "nothing": "", "snow": "\u{2603}",
        "scope": "orders/read x",
    });
    let list = json!(["orders/read", "x"]);
    for (target, block) in [
        ("/me", json!({"jwt": {"claims": expected, "scopes": null}})),
        ("/orders", json!({"jwt": {"claims": expected, "scopes": list}})),
        ("/v1", json!({"claims": expected, "scopes": null})),
        ("/v1s", json!({"claims": expected, "scopes": list})),
    ] {
        let event = api.event(target, &token);
        assert_eq!(event["requestContext"]["authorizer"], block, "{target}");
    }
    let answer = api.bear("/open", &token);
    assert_eq!(answer.status, 200);
    let event: Value = serde_json::from_slice(&api.up.next().body).unwrap();
    assert_eq!(
        event["requestContext"].get("authorizer"),
        None,
        "an open route knows nobody"
    );
}

/// §10: in mappings.
#[test]
fn claims_are_sources_of_mappings() {
    let (api, issuer, signer) = Api::and_issuer();
    let claims = issuer.claims_with(json!({"groups": ["a", "b"]}));
    assert_eq!(api.bear("/mapped", &signer.token(&claims)).status, 200);
    let recorded = api.up.next();
    assert_eq!(recorded.headers("x-sub"), ["user-7"]);
    assert_eq!(recorded.headers("x-exp"), [(now() + 3600).to_string()]);
    assert_eq!(recorded.headers("x-groups"), ["[a b]"]);
    for absent in ["x-none", "x-all", "x-principal", "x-arn"] {
        assert_eq!(recorded.headers(absent), [""; 0], "{absent}");
    }
    assert_eq!(recorded.request(), "GET /mapped?who=user%3Auser-7");
    // A claim is no second field.
    let evil = signer.token(&issuer.claims_with(json!({"sub": "a\r\nX-Evil: 1"})));
    let answer = api.bear("/mapped", &evil);
    for recorded in api.up.rest() {
        assert_eq!(recorded.headers("x-evil"), [""; 0]);
    }
    assert_eq!(answer.header("x-evil"), None);
}
