//! A broken file opens no route, and a withdrawn issuer lets no token pass.

use serde_json::{Value, json};

use super::AUDIENCE;
use crate::support::jwt_api::{Api, authorizer};

/// Issue E.5 with tokens: an edit that does not compile leaves the old files in force.
#[test]
fn a_broken_edit_opens_nothing() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims());
    for broken in [
        "{".to_owned(),
        "{}".to_owned(),
        json!({"AuthorizerType": "JWT"}).to_string(),
        json!({"AuthorizerType": "NONE", "IdentitySource": ["$request.header.a"]}).to_string(),
    ] {
        api.gateway.directory.write("authorizers/jwt.json", &broken);
        let open = json!({"RouteKey": "ANY /me", "Target": "integrations/v2"}).to_string();
        api.gateway.directory.write("routes/me.json", &open);
        api.gateway.server.reload();
        assert_eq!(
            api.ask("/me", &[]).header("www-authenticate"),
            Some("Bearer"),
            "{broken}"
        );
        api.passes(&token, &broken);
    }
    // An authorizer for others, which compiles, holds at once, for tokens too that have passed before.
    let mut others = authorizer(&issuer.url);
    others["JwtConfiguration"]["Audience"] = json!(["others"]);
    api.gateway.directory.write("authorizers/jwt.json", &others.to_string());
    let closed =
        json!({"RouteKey": "ANY /me", "Target": "integrations/v2", "AuthorizationType": "JWT", "AuthorizerId": "jwt"});
    api.gateway.directory.write("routes/me.json", &closed.to_string());
    api.gateway.server.reload();
    assert_eq!(api.refuses(&token, "another audience"), AUDIENCE);
}

/// Whose trust is taken out of the files lets nobody pass any more, whatever other files say; not for a token either that
/// has passed before.
#[test]
fn an_issuer_that_is_withdrawn_lets_nobody_pass_while_another_file_is_broken() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims());
    let directory = &api.gateway.directory;
    let write = |authorizer: &Value| {
        directory.write("authorizers/jwt.json", &authorizer.to_string());
        api.gateway.server.reload();
    };
    let good = authorizer(&issuer.url);
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed["JwtConfiguration"][field] = value;
        changed
    };
    directory.write("routes/broken.json", "{");
    write(&good);
    api.passes(&token, "beside a broken file");
    for (what, changed) in [
        ("another issuer", with("Issuer", json!("http://other.test"))),
        ("fewer audiences", with("Audience", json!(["https://api.test/"]))),
        ("another type", {
            json!({
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:up",
                "AuthorizerPayloadFormatVersion": "2.0",
            })
        }),
    ] {
        write(&changed);
        assert_eq!(api.refuses(&token, what), "issuer does not match", "{what}");
        // What was withdrawn does not come back because the file breaks, nor does an error besides keep it.
        directory.write("authorizers/jwt.json", "{");
        api.gateway.server.reload();
        api.refuses(&token, &format!("{what}, then broken"));
        write(&good);
        api.passes(&token, &format!("restored after: {what}"));
        let mut faulty = changed.clone();
        faulty["IdentitySource"] = json!(5);
        write(&faulty);
        api.refuses(&token, &format!("{what} beside an error"));
        write(&good);
        api.passes(&token, &format!("restored once more after: {what}"));
    }
    write(&with("Audience", json!(["more", "https://api.test/", "api"])));
    api.passes(&token, "more audiences");
    directory.remove("authorizers/jwt.json");
    api.gateway.server.reload();
    assert_eq!(api.refuses(&token, "it is gone"), "issuer does not match");
    assert_eq!(api.ask("/open", &[]).status, 200);
}
