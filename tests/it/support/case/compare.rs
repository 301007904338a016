//! Compares what came of a case with what it expects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::endpoint::Recorded;

/// Pointer, expected and got of all that differs.
#[derive(Default)]
pub struct Differences(pub Vec<String>);

impl Differences {
    pub fn check(&mut self, pointer: &str, expected: &Value, got: impl Into<Value>) {
        let got = got.into();
        if *expected != got {
            let (expected, got) = (shortened(expected), shortened(&got));
            self.0
                .push(format!("/expect/{pointer}\n  expected {expected}\n  got      {got}"));
        }
    }
}

/// A value as it is shown: events may have megabytes.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{} ... {} bytes in all", &text[..end], text.len()),
        None => text,
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

pub fn compare_problems(expected: &Value, got: &[String], differences: &mut Differences) {
    let is_met = |(expected, got): (&Value, &String)| match expected {
        Value::String(line) => line == got,
        other => {
            let mut texts = other["contains"].as_array().into_iter().flatten();
            got.starts_with(other["starts"].as_str().unwrap()) && texts.all(|text| got.contains(text.as_str().unwrap()))
        }
    };
    let lines = expected.as_array().unwrap();
    if lines.len() != got.len() || !lines.iter().zip(got).all(is_met) {
        differences.check("problems", expected, got);
    }
}

fn compare_lines(pointer: &str, expect: &Value, head: &str, differences: &mut Differences) {
    for line in expect["lines"].as_array().into_iter().flatten() {
        let is_there = head.split("\r\n").any(|found| found == line);
        let got = if is_there { line.clone() } else { json!(head) };
        differences.check(pointer, line, got);
    }
}

pub fn compare_answer(expect: &Value, answer: &Answer, differences: &mut Differences) {
    if let Some(status) = expect.get("status") {
        differences.check("status", status, answer.status);
    }
    if let Some(body) = expect.get("body") {
        differences.check("body", body, latin1(&answer.body));
    }
    differences.check("complete", &json!(true), answer.complete);
    compare_lines("lines", expect, &answer.head, differences);
    let fields: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    compare_headers("headers", expect.get("headers"), &fields, differences);
}

fn compare_headers(pointer: &str, expect: Option<&Value>, fields: &[(&str, &str)], differences: &mut Differences) {
    for (name, expected) in expect.and_then(Value::as_object).into_iter().flatten() {
        let mut values: Vec<Value> = fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| json!(value))
            .collect();
        let got = match (expected, values.len()) {
            (Value::Array(_), _) => Value::Array(values),
            (_, 0) => Value::Null,
            (_, 1) => values.remove(0),
            _ => Value::Array(values),
        };
        let is_another = expected.get("not").is_some_and(|not| got.is_string() && got != *not);
        let expected = if is_another { &got.clone() } else { expected };
        differences.check(&format!("{pointer}/{name}"), expected, got);
    }
}

pub fn compare_route(expect: &Value, keys: &Value, arrived: &[Recorded], differences: &mut Differences) {
    let first = arrived.first();
    if let Some(key) = expect.get("route") {
        let target = first.map(|recorded| recorded.request().split_once(' ').unwrap().1.to_owned());
        let (number, query) = target
            .as_deref()
            .map_or(("", ""), |target| target[1..].split_once('?').unwrap());
        // `$default` appends the path of the request.
        let number = number.split('/').next().unwrap();
        let got = number
            .parse::<usize>()
            .ok()
            .map_or(Value::Null, |number| keys[number].clone());
        differences.check("route", key, got);
        if let Some(variables) = expect.get("variables") {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let decoded = |text: &str| {
                percent_encoding::percent_decode_str(text)
                    .decode_utf8()
                    .unwrap()
                    .into_owned()
            };
            let got: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
            differences.check("variables", variables, json!(got));
        }
    }
}

/// What arrived at the endpoint that `name` is about.
pub fn compare_upstream(name: &str, expect: &Value, arrived: &[Recorded], differences: &mut Differences) {
    let first = arrived.first();
    let Some(upstream) = expect.get(name) else {
        return;
    };
    if upstream.is_null() || first.is_none() {
        let got: Vec<&str> = arrived.iter().map(Recorded::request).collect();
        differences.check(name, upstream, if got.is_empty() { Value::Null } else { json!(got) });
        return;
    }
    let recorded = first.unwrap();
    if let Some(count) = upstream.get("count") {
        differences.check(&format!("{name}/count"), count, arrived.len());
    }
    compare_lines(&format!("{name}/lines"), upstream, &recorded.head, differences);
    if let Some(line) = upstream.get("request") {
        differences.check(&format!("{name}/request"), line, recorded.request());
    }
    if let Some(body) = upstream.get("body") {
        differences.check(&format!("{name}/body"), body, latin1(&recorded.body));
    }
    let fields: Vec<(&str, &str)> = recorded
        .head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .collect();
    compare_headers(
        &format!("{name}/headers"),
        upstream.get("headers"),
        &fields,
        differences,
    );
}

pub fn compare_event(name: &str, expect: &Value, arrived: Option<&Recorded>, differences: &mut Differences) {
    let body = arrived.map(|recorded| String::from_utf8_lossy(&recorded.body).into_owned());
    let to_the_letter = format!("{name}_text");
    if let Some(text) = expect.get(&to_the_letter) {
        differences.check(&to_the_letter, text, json!(body));
    }
    let Some(event) = expect.get(name) else {
        return;
    };
    match body.as_deref().map(serde_json::from_str::<Value>) {
        Some(Ok(got)) => compare_member(name, event, Some(&got), differences),
        _ => differences.check(name, event, json!(body)),
    }
}

/// What is there at a place of the event.
fn compare_member(pointer: &str, expected: &Value, got: Option<&Value>, differences: &mut Differences) {
    let marks = |name: &str| expected.as_object().filter(|object| object.len() == 1)?.get(name);
    if marks("absent") == Some(&json!(true)) {
        if let Some(got) = got {
            differences.check(pointer, expected, got.clone());
        }
        return;
    }
    let Some(got) = got else {
        return differences.check(pointer, expected, json!({"absent": true}));
    };
    if let Some(whole) = marks("exactly") {
        return differences.check(pointer, whole, got.clone());
    }
    match (expected, got) {
        (Value::Object(members), Value::Object(_)) => {
            for (name, member) in members {
                compare_member(&format!("{pointer}/{name}"), member, got.get(name), differences);
            }
        }
        _ => differences.check(pointer, expected, got.clone()),
    }
}
