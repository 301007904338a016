//! The same against servers of somebody else's: moto, where it is installed.
//!
//! `APIGATEWAY_MOTO_SERVER` names its program, else `target/moto/bin/moto_server` is taken, which `.ci/run` installs:
//! `python3 -m venv target/moto && target/moto/bin/pip install 'moto[server]'`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;

use apigateway::platform::clock::FIXED_REQUEST_ID;
use apigateway::server::Server;
use serde_json::{Value, json};

use super::service;
use crate::support::client::{self, Answer, PATIENCE, exchange};
use crate::support::directory::{Directory, route};
use crate::support::gateway::{self, Gateway, aws_access};
use crate::support::program::lines;
use crate::support::repository::root;

const FORM: &str = "application/x-www-form-urlencoded";

/// A process that does not outlive its test.
struct Moto {
    process: std::process::Child,
    address: SocketAddr,
    /// Read to its end, so that the process can write.
    _stderr: Receiver<String>,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn moto() -> Option<Moto> {
    let given = std::env::var_os("APIGATEWAY_MOTO_SERVER").map(PathBuf::from);
    let is_given = given.is_some();
    let program = given.unwrap_or_else(|| root().join("target/moto/bin/moto_server"));
    let mut command = Command::new(&program);
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = match command.spawn() {
        Ok(process) => process,
        Err(error) => {
            assert!(!is_given, "{}: {error}", program.display());
            // Not by a macro, whose output is shown for tests that fail only.
            let mut stderr = std::io::stderr();
            let name = program.display();
            let _ = writeln!(
                stderr,
                "\nSKIPPED: services against moto, since there is no {name}: {error}\n"
            );
            return None;
        }
    };
    let stderr = lines(process.stderr.take().unwrap());
    loop {
        let line = stderr.recv_timeout(PATIENCE).expect("moto says where it listens");
        if let Some(address) = line.trim().strip_prefix("* Running on http://") {
            return Some(Moto {
                process,
                address: address.parse().unwrap(),
                _stderr: stderr,
            });
        }
    }
}

impl Moto {
    /// Asks moto itself, which takes any signature and tells the service from its scope.
    fn ask(&self, service: &str, target: &str, content_type: &str, body: &str) -> Answer {
        let scope = format!("test/20260710/us-east-1/{service}/aws4_request");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, \
             Signature=0\r\nX-Amz-Target: {target}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let answer = exchange(self.address, request);
        assert_eq!(answer.status, 200, "{target} {body}: {}", answer.text());
        answer
    }

    fn json(&self, service: &str, target: &str, body: &Value) -> Value {
        let answer = self.ask(service, target, "application/x-amz-json-1.1", &body.to_string());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn create_queue(&self, name: &str) -> String {
        let body = format!("Action=CreateQueue&Version=2012-11-05&QueueName={name}");
        let form = exchange_form(self, &body);
        element(&form, "QueueUrl")
    }
}

/// SQS by the query protocol, which has no target.
fn exchange_form(moto: &Moto, body: &str) -> String {
    moto.ask("sqs", "", FORM, body).text()
}

fn element(text: &str, name: &str) -> String {
    let found = text.split(&format!("<{name}>")).nth(1);
    let found = found.and_then(|rest| rest.split(&format!("</{name}>")).next());
    found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

fn post(gateway: &Gateway, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: gw.test\r\nX-Tenant: a\"b\r\nContent-Length: {length}\r\n\r\n{body}");
    gateway.exchange(request)
}

#[test]
fn messages_events_records_and_executions() {
    let Some(moto) = moto() else { return };
    let (orders, from_bus) = (moto.create_queue("orders"), moto.create_queue("from-bus"));
    moto.json(
        "events",
        "AWSEvents.PutRule",
        &json!({"Name": "r", "EventPattern": "{\"source\": [\"shop\"]}"}),
    );
    let target = json!({"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:from-bus"});
    moto.json(
        "events",
        "AWSEvents.PutTargets",
        &json!({"Rule": "r", "Targets": [target]}),
    );
    moto.json(
        "kinesis",
        "Kinesis_20131202.CreateStream",
        &json!({"StreamName": "s", "ShardCount": 1}),
    );
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}).to_string();
    let role = "arn:aws:iam::123456789012:role/a";
    let machine = json!({"name": "m", "definition": definition, "roleArn": role});
    let machine = moto.json("states", "AWSStepFunctions.CreateStateMachine", &machine);
    let machine = machine["stateMachineArn"].as_str().unwrap();

    let attributes = r#"{"tenant":{"DataType":"String","StringValue":"${request.header.x-tenant}"}}"#;
    let apis = [
        (
            "send",
            "SQS-SendMessage",
            json!({"QueueUrl": orders, "MessageBody": "$request.body", "MessageAttributes": attributes}),
        ),
        (
            "receive",
            "SQS-ReceiveMessage",
            json!({"QueueUrl": "$request.body", "MaxNumberOfMessages": "10", "MessageAttributeNames": "All"}),
        ),
        (
            "delete",
            "SQS-DeleteMessage",
            json!({"QueueUrl": orders, "ReceiptHandle": "$request.body"}),
        ),
        ("purge", "SQS-PurgeQueue", json!({"QueueUrl": orders})),
        (
            "event",
            "EventBridge-PutEvents",
            json!({"Detail": "$request.body", "DetailType": "order", "Source": "shop", "Time": "$context.requestTimeEpoch", "Resources": "arn:a,arn:b"}),
        ),
        (
            "record",
            "Kinesis-PutRecord",
            json!({"StreamName": "s", "Data": "$request.body", "PartitionKey": "p"}),
        ),
        (
            "start",
            "StepFunctions-StartExecution",
            json!({"StateMachineArn": machine, "Input": "$request.body"}),
        ),
        (
            "stop",
            "StepFunctions-StopExecution",
            json!({"ExecutionArn": "$request.body", "Cause": "c", "Error": "e"}),
        ),
    ];
    let directory = Directory::of(&[("stages/$default.json", json!({}))]);
    for (name, subtype, parameters) in apis {
        directory.write(
            &format!("routes/{name}.json"),
            &route(&format!("POST /{name}"), name).to_string(),
        );
        directory.write(
            &format!("integrations/{name}.json"),
            &service(subtype, parameters).to_string(),
        );
    }
    let mut options = gateway::options(&directory);
    options.settings.aws = aws_access(Some(&format!("http://{}", moto.address)), None, &[]);
    let gateway = Gateway::start(directory, options);

    // A message is sent, received and deleted.
    let body = "{\"a\": \"é & <b>\"}";
    let sent = post(&gateway, "/send", body);
    let sent_text = sent.text();
    assert_eq!(
        (sent.status, sent_text.contains("<SendMessageResponse")),
        (200, true),
        "{sent_text}"
    );
    let received = post(&gateway, "/receive", &orders).text();
    let message = element(&received, "Body")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    assert_eq!(message.replace("&amp;", "&"), body);
    assert!(
        element(&received, "StringValue").replace("&quot;", "\"") == "a\"b",
        "{received}"
    );
    let deleted = post(&gateway, "/delete", &element(&received, "ReceiptHandle"));
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(post(&gateway, "/purge", "").status, 200);
    let none = post(&gateway, "/receive", &orders);
    assert!(none.status == 200 && !none.text().contains("<Body>"), "{}", none.text());

    // An event goes through a rule into a queue.
    let event = post(&gateway, "/event", "{\"n\": 1}");
    assert_eq!(event.status, 200, "{}", event.text());
    let result: Value = serde_json::from_slice(&event.body).unwrap();
    assert_eq!(result["FailedEntryCount"], 0, "{result}");
    let received = post(&gateway, "/receive", &from_bus).text();
    let event: Value = serde_json::from_str(&element(&received, "Body").replace("&quot;", "\"")).unwrap();
    assert_eq!(
        (&event["detail"], &event["detail-type"]),
        (&json!({"n": 1}), &json!("order")),
        "{event}"
    );
    assert_eq!(
        (&event["resources"], &event["time"]),
        (&json!(["arn:a", "arn:b"]), &json!("2026-07-10T19:19:05Z")),
        "{event}"
    );

    // A record is read back with the bytes that were sent.
    let record = post(&gateway, "/record", body);
    assert_eq!(record.status, 200, "{}", record.text());
    let shard = serde_json::from_slice::<Value>(&record.body).unwrap()["ShardId"].clone();
    let ask = json!({"StreamName": "s", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = moto.json("kinesis", "Kinesis_20131202.GetShardIterator", &ask);
    let records = moto.json(
        "kinesis",
        "Kinesis_20131202.GetRecords",
        &json!({"ShardIterator": iterator["ShardIterator"]}),
    );
    assert_eq!(records["Records"][0]["Data"], "eyJhIjogIsOpICYgPGI+In0=", "{records}");

    // An execution is started, described and stopped.
    let started = post(&gateway, "/start", "{\"in\": 1}");
    assert_eq!(started.status, 200, "{}", started.text());
    let execution = serde_json::from_slice::<Value>(&started.body).unwrap()["executionArn"].clone();
    let described = moto.json(
        "states",
        "AWSStepFunctions.DescribeExecution",
        &json!({"executionArn": execution}),
    );
    assert_eq!(
        (&described["stateMachineArn"], &described["input"]),
        (&json!(machine), &json!("{\"in\": 1}")),
        "{described}"
    );
    assert_eq!(post(&gateway, "/stop", execution.as_str().unwrap()).status, 200);

    // Errors of the service are the client's.
    let gone = post(
        &gateway,
        "/receive",
        "http://sqs.us-east-1.amazonaws.com/123456789012/none",
    );
    assert!(
        gone.status == 400 && gone.text().contains("NonExistentQueue"),
        "{} {}",
        gone.status,
        gone.text()
    );
    let gone = post(
        &gateway,
        "/stop",
        "arn:aws:states:us-east-1:123456789012:execution:m:none",
    );
    assert!(
        gone.status == 400 && gone.text().contains("__type"),
        "{} {}",
        gone.status,
        gone.text()
    );
}

/// The API that `examples/queue` has, with its stand-in.
#[test]
fn the_example_with_a_queue() {
    let Some(moto) = moto() else { return };
    moto.create_queue("orders");
    let mut options = gateway::options(&Directory::empty());
    options.root = root().join("examples/queue");
    options.settings.aws = aws_access(Some(&format!("http://{}", moto.address)), None, &[]);
    let server = Server::start(options).unwrap();
    let sent = exchange(
        server.local_addr(),
        "POST /orders HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 10\r\n\r\n{\"pet\": 7}",
    );
    assert_eq!(sent.status, 202, "{}", sent.text());
    let received = client::get(server.local_addr(), "/orders").text();
    assert_eq!(element(&received, "Body").replace("&quot;", "\""), "{\"pet\": 7}");
    assert_eq!(element(&received, "StringValue"), FIXED_REQUEST_ID, "{received}");
}
