//! These tests call services of AWS's: what cases cannot say of signatures, attempts and credentials.

mod attempts;
mod credentials;
mod metadata_servers;
mod moto;
mod secrets;
mod signature;
mod tls;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::directory::{Directory, route};
use crate::support::gateway::{self, Gateway, aws_access};

const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/orders";

/// The one static key of these tests.
const KEY: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG"),
];

/// An integration with a service.
fn service(subtype: &str, parameters: Value) -> Value {
    json!({
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": subtype,
        "PayloadFormatVersion": "1.0",
        "CredentialsArn": "arn:aws:iam::123456789012:role/api",
        "RequestParameters": parameters,
    })
}

/// `POST /send` puts a message into a queue, `GET /flags` asks for a configuration.
fn files() -> Vec<(&'static str, Value)> {
    let regional = json!({"QueueUrl": QUEUE_URL, "MessageBody": "m", "Region": "$request.querystring.r"});
    let flags = json!({"Application": "shop", "Environment": "$request.querystring.e", "Configuration": "flags", "ClientId": "c"});
    let send = json!({"QueueUrl": QUEUE_URL, "MessageBody": "$request.body"});
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/send.json", route("POST /send", "send")),
        ("routes/regional.json", route("GET /regional", "regional")),
        ("integrations/regional.json", service("SQS-SendMessage", regional)),
        ("routes/flags.json", route("GET /flags", "flags")),
        ("integrations/send.json", service("SQS-SendMessage", send)),
        ("integrations/flags.json", service("AppConfig-GetConfiguration", flags)),
    ]
}

/// A gateway whose services are at that address, with these variables and no others.
fn serve(endpoint: SocketAddr, variables: &[(&str, &str)]) -> Gateway {
    let directory = Directory::of(&files());
    let mut options = gateway::options(&directory);
    options.settings.aws = aws_access(Some(&format!("http://{endpoint}")), None, variables);
    Gateway::start(directory, options)
}

const SEND: &str = "POST /send HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 4\r\n\r\nbody";
const FLAGS: &str = "GET /flags?e=prod HTTP/1.1\r\nHost: gw.test\r\n\r\n";
