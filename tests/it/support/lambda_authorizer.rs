//! Makes the files of a Lambda authorizer and of the function behind it.

use std::net::SocketAddr;

use serde_json::{Value, json};

pub fn invoke_uri(address: SocketAddr) -> Value {
    json!({"InvokeUri": format!("http://{address}/2015-03-31/functions/function/invocations")})
}

pub fn authorizer(name: &str, sources: &[&str], ttl: u64) -> Value {
    json!({
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
        "AuthorizerPayloadFormatVersion": "2.0",
        "EnableSimpleResponses": true,
        "IdentitySource": sources,
        "AuthorizerResultTtlInSeconds": ttl,
    })
}
