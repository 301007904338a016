//! Events can be read with the types of the crate that functions in Rust are written with.

use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;

/// Requests that make every part of an event appear.
const REQUESTS: [&str; 4] = [
    "GET /v0/pets/7?a=1&a=2&b= HTTP/1.1\r\nHost: gw.test\r\nCookie: a=1; b=2\r\nUser-Agent: test\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
    "POST /v0/pets/a%20b HTTP/1.1\r\nHost: gw.test:8000\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    "PUT /v0/pets/7 HTTP/1.1\r\nHost: gw.test\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\n\u{1}\u{2}\u{3}",
    "DELETE /v0/pets/7 HTTP/1.0\r\n\r\n",
];

fn events(version: &str) -> Vec<Vec<u8>> {
    let endpoint = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let gateway = Gateway::serve(&[
        (
            "stages/v0.json",
            json!({"Name": "v0", "StageVariables": {"color": "blue"}}),
        ),
        (
            "routes/pets.json",
            json!({"RouteKey": "ANY /pets/{id}", "Target": "integrations/pets"}),
        ),
        (
            "integrations/pets.json",
            json!({
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": "arn:aws:lambda:us-east-1:123456789012:function:pets",
                "PayloadFormatVersion": version,
            }),
        ),
        (
            "functions/pets.json",
            json!({"InvokeUri": format!("http://{}/", endpoint.address)}),
        ),
    ]);
    REQUESTS
        .iter()
        .map(|request| {
            assert_eq!(gateway.exchange(request).status, 200, "{request}");
            endpoint.next().body
        })
        .collect()
}

/// What the types make of an event, and what stands in it, where they have the same name for it.
fn same(typed: &impl serde::Serialize, event: &Value, pointers: &[&str]) {
    let typed = serde_json::to_value(typed).unwrap();
    for pointer in pointers {
        let missing = |value: &Value| value.pointer(pointer).filter(|value| !value.is_null()).cloned();
        assert_eq!(missing(&typed), missing(event), "{pointer} of {event}");
    }
}

#[test]
fn format_2_0_is_what_rust_functions_read() {
    for event in events("2.0") {
        let typed: ApiGatewayV2httpRequest = serde_json::from_slice(&event).unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        same(
            &typed,
            &event,
            &[
                "/version",
                "/routeKey",
                "/rawPath",
                "/rawQueryString",
                "/cookies",
                "/headers",
                "/pathParameters",
                "/stageVariables",
                "/body",
                "/isBase64Encoded",
                "/requestContext/accountId",
                "/requestContext/stage",
                "/requestContext/http/method",
                "/requestContext/http/sourceIp",
                "/requestContext/timeEpoch",
            ],
        );
        assert_eq!(typed.path_parameters.len(), 1);
    }
}

#[test]
fn format_1_0_is_what_rust_functions_read() {
    for event in events("1.0") {
        let typed: ApiGatewayProxyRequest = serde_json::from_slice(&event).unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        same(
            &typed,
            &event,
            &[
                "/resource",
                "/path",
                "/httpMethod",
                "/pathParameters",
                "/stageVariables",
                "/body",
                "/isBase64Encoded",
                "/requestContext/accountId",
                "/requestContext/resourcePath",
                "/requestContext/identity/sourceIp",
                "/requestContext/requestTimeEpoch",
            ],
        );
        assert!(typed.multi_value_headers.contains_key("x-amzn-trace-id"));
    }
}
