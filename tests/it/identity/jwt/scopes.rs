//! A route asks for one of its scopes.

use serde_json::{Value, json};

use super::{EXPIRED, SEGMENTS};
use crate::support::jwt_api::{Api, description};

/// R8.11, R8.12: the route's scopes stand in the challenge.
#[test]
fn a_challenge_names_the_scopes_of_the_route() {
    let (api, issuer, signer) = Api::and_issuer();
    let expired = signer.token(&issuer.claims_with(json!({"exp": 1})));
    for (target, scopes) in [
        ("/me", ""),
        ("/orders", "orders/read"),
        ("/many", "orders/read https://api.test/orders.write"),
    ] {
        for (token, text) in [(expired.as_str(), EXPIRED), ("nonsense", SEGMENTS)] {
            let answer = api.bear(target, token);
            assert_eq!(description(&answer, scopes, target), text);
        }
    }
}

/// R8.8 and contract §3.
#[test]
fn a_route_wants_one_of_its_scopes() {
    let (api, issuer, signer) = Api::and_issuer();
    let other = "https://api.test/orders.write";
    for (target, claims, scopes) in [
        ("/orders", json!({"scope": "orders/read"}), Some(json!(["orders/read"]))),
        (
            "/orders",
            json!({"scope": "a orders/read b"}),
            Some(json!(["a", "orders/read", "b"])),
        ),
        (
            "/orders",
            json!({"scp": "a orders/read"}),
            Some(json!(["a", "orders/read"])),
        ),
        (
            "/orders",
            json!({"scp": ["a", "orders/read"]}),
            Some(json!(["a", "orders/read"])),
        ),
        (
            "/orders",
            json!({"scope": "x", "scp": ["orders/read"]}),
            Some(json!(["orders/read"])),
        ),
        ("/many", json!({"scope": other}), Some(json!([other]))),
        ("/many", json!({"scope": "orders/read"}), Some(json!(["orders/read"]))),
        ("/orders", json!({"scope": "orders/read", "scp": ["x"]}), None),
        ("/orders", json!({"scope": "orders/read", "scp": []}), None),
        ("/orders", json!({}), None),
        ("/orders", json!({"scope": ""}), None),
        ("/orders", json!({"scope": "orders/reads"}), None),
        ("/orders", json!({"scope": "orders/rea"}), None),
        ("/orders", json!({"scope": "Orders/Read"}), None),
        ("/orders", json!({"scope": "orders"}), None),
        ("/orders", json!({"scope": "orders/read,x"}), None),
        ("/orders", json!({"scope": "*"}), None),
        ("/orders", json!({"scp": ["a orders/read"]}), None),
        ("/orders", json!({"scopes": "orders/read"}), None),
        ("/orders", json!({"roles": ["orders/read"]}), None),
        ("/many", json!({"scope": "x"}), None),
    ] {
        let token = signer.token(&issuer.claims_with(claims.clone()));
        match scopes {
            Some(scopes) => {
                let event = api.event(target, &token);
                assert_eq!(
                    event["requestContext"]["authorizer"]["jwt"]["scopes"], scopes,
                    "{claims}"
                );
            }
            None => {
                let answer = api.bear(target, &token);
                assert_eq!(answer.status, 403, "{target} {claims}");
                assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#);
                assert_eq!(answer.header("www-authenticate"), None);
                assert!(api.up.rest().is_empty());
            }
        }
        // The same token on a route that wants none.
        assert_eq!(api.bear("/me", &token).status, 200, "{claims}");
        api.up.next();
    }
}

/// A token that was verified once is bound to what it was verified for.
#[test]
fn a_verified_token_is_verified_for_its_route_only() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims_with(json!({"scope": "x"})));
    for _ in 0..2 {
        assert_eq!(api.bear("/me", &token).status, 200);
        assert_eq!(api.bear("/orders", &token).status, 403);
        assert_eq!(api.bear("/v1", &token).status, 200);
    }
    let good = signer.token(&issuer.claims_with(json!({"scope": "orders/read"})));
    api.up.rest();
    for _ in 0..2 {
        assert_eq!(
            api.event("/orders", &good)["requestContext"]["authorizer"]["jwt"]["scopes"],
            json!(["orders/read"])
        );
        assert_eq!(
            api.event("/me", &good)["requestContext"]["authorizer"]["jwt"]["scopes"],
            Value::Null
        );
    }
}
