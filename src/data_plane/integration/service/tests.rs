//! No value of a request adds a field, a parameter or a segment, nor chooses a host (contract S7, S11): hostile values in
//! every parameter of every call.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::data_plane::integration::service::parameters::read;
use crate::definition::notation::integration_subtype::Parameter;
use crate::definition::notation::mapping_value::Source;
use crate::definition::notation::query;
use crate::definition::notation::service_parameter::ParameterKind;
use crate::deployment::service::{ServiceIntegration, ServiceParameter, ValueSource};

const HOSTILE: [&str; 14] = [
    "\"",
    "x\",\"evil\":\"1",
    "x\"},\"evil\":{\"a\":\"1\"}",
    "\\",
    "\\u0022,\"evil\":1",
    "a&Action=PurgeQueue&evil=1",
    "a=b;c%26d",
    "a/../../evil",
    "?evil=1#evil",
    "\r\nevil: 1\r\n\r\n",
    "\0",
    "http://evil.test/1/q",
    "$request.header.evil ${context.evil}",
    "\u{e9}\u{2028}\u{1f600}",
];

/// What a request gives for a parameter: a hostile value where any text may be, else one of its kind.
fn value(kind: ParameterKind, hostile: &str) -> &str {
    match kind {
        ParameterKind::Integer { .. } => "7",
        ParameterKind::Attributes => r#"{"a":{"DataType":"String","StringValue":"v"}}"#,
        ParameterKind::Strings => "one,two",
        ParameterKind::Time => "1783711145",
        ParameterKind::QueueUrl => "http://127.0.0.1:1/42/q",
        ParameterKind::StatesArn => "arn:aws:states:us-east-1:123456789012:execution:a:b",
        ParameterKind::Region => "eu-west-1",
        ParameterKind::Bytes | ParameterKind::PathSegment | ParameterKind::Text => hostile,
    }
}

/// The request of a call whose every parameter comes from the client.
fn made(subtype: IntegrationSubtype, hostile: &str) -> ServiceRequest {
    let from_client = |parameter: &'static Parameter| ServiceParameter {
        parameter,
        written: format!("$request.header.{}", parameter.name),
        value: ValueSource::Source(Source::Header(parameter.name.to_owned())),
    };
    let service = ServiceIntegration {
        subtype,
        parameters: subtype.parameters().map(from_client).collect(),
    };
    let get = |source: &Source| {
        let Source::Header(name) = source else { return None };
        let kind = subtype.parameter(name)?.kind;
        Some(value(kind, hostile).as_bytes().into())
    };
    let parameters = read(&service, get).unwrap();
    assert_eq!(parameters.region.as_deref(), Some("eu-west-1"));
    request(subtype, parameters)
}

fn members(value: &Value) -> BTreeSet<String> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(|name| name.to_lowercase())
        .collect()
}

/// The names of the parameters that are sent.
fn names(subtype: IntegrationSubtype) -> BTreeSet<String> {
    let sent = subtype.parameters().filter(|parameter| parameter.name != "Region");
    sent.map(|parameter| parameter.name.to_lowercase()).collect()
}

fn check_json(subtype: IntegrationSubtype, made: &ServiceRequest, hostile: &str) {
    let json: Value = serde_json::from_slice(&made.body).unwrap();
    let object = match json.get("Entries") {
        Some(entries) => {
            assert_eq!(
                (entries.as_array().unwrap().len(), json.as_object().unwrap().len()),
                (1, 1)
            );
            &entries[0]
        }
        None => &json,
    };
    assert_eq!(members(object), names(subtype), "{json}");
    for (name, value) in object.as_object().unwrap() {
        let parameter = subtype
            .parameters()
            .find(|one| one.name.eq_ignore_ascii_case(name))
            .unwrap();
        if parameter.kind == ParameterKind::Text {
            assert_eq!(value, hostile, "{name}");
        }
    }
    assert_eq!(made.parts.path, "/");
}

fn check_form(subtype: IntegrationSubtype, made: &ServiceRequest, hostile: &str) {
    let form = str::from_utf8(&made.body).unwrap();
    let unreserved = |character: char| character.is_ascii_alphanumeric() || "-._~%=&".contains(character);
    assert!(form.chars().all(unreserved), "{form}");
    let mut sent = BTreeSet::new();
    for pair in form.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        let top = name.split('.').next().unwrap();
        let parameter = subtype
            .parameters()
            .find(|one| one.name == top || one.name.strip_suffix('s') == Some(top));
        match (top, parameter) {
            ("Action", _) => assert_eq!(value, subtype.action()),
            ("Version", _) => assert_eq!(value, "2012-11-05"),
            (_, Some(parameter)) => {
                if parameter.kind == ParameterKind::Text {
                    assert_eq!(query::decoded(value), hostile.as_bytes(), "{name}");
                }
                sent.insert(parameter.name.to_lowercase());
            }
            (_, None) => panic!("{name} is no parameter of {subtype:?}"),
        }
    }
    assert_eq!(sent, names(subtype));
    assert_eq!(made.parts.path, "/42/q");
}

fn check_path(made: &ServiceRequest, hostile: &str) {
    let segments: Vec<&str> = made.parts.path.split('/').collect();
    let [
        "",
        "applications",
        application,
        "environments",
        environment,
        "configurations",
        configuration,
    ] = segments.as_slice()
    else {
        panic!("{}", made.parts.path);
    };
    for segment in [application, environment, configuration] {
        assert!(!segment.contains(['?', '#', '/', ' ', '\r', '\n', '\0']), "{segment}");
        assert_eq!(query::decoded(segment), hostile.as_bytes());
    }
    let parameters = made.parts.query.as_deref().unwrap();
    let names: Vec<&str> = parameters
        .split('&')
        .map(|pair| pair.split_once('=').unwrap().0)
        .collect();
    assert_eq!(names, ["client_id", "client_configuration_version"]);
    assert_eq!(
        query::value(parameters, "client_id").as_deref(),
        Some(hostile.as_bytes())
    );
}

#[test]
fn a_hostile_value_stays_the_value_of_its_parameter() {
    for subtype in IntegrationSubtype::ALL {
        for hostile in HOSTILE {
            let made = made(subtype, hostile);
            match subtype.service() {
                Service::AppConfig => check_path(&made, hostile),
                Service::Sqs => check_form(subtype, &made, hostile),
                _ => check_json(subtype, &made, hostile),
            }
            // Fields are the gateway's own.
            let fields: Vec<&str> = made.parts.headers.iter().map(|(name, _)| name).collect();
            assert!(
                fields
                    .iter()
                    .all(|name| ["content-type", "x-amz-target"].contains(name)),
                "{fields:?}"
            );
        }
    }
}
