//! Reads the metrics page, and forgives nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::client;
use crate::support::directory::Directory;
use crate::support::gateway::{Gateway, options};

/// One number of the page, with its labels as they are written.
pub type Samples = BTreeMap<String, f64>;

/// Reads the text format 0.0.4, and forgives nothing.
fn parse(page: &str) -> Samples {
    assert!(page.ends_with('\n'));
    let mut samples = Samples::new();
    let mut families: BTreeMap<String, String> = BTreeMap::new();
    let mut helped: Option<String> = None;
    let mut current = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(
                is_metric_name(name) && help.len() > 5 && !families.contains_key(name),
                "{line}"
            );
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name.to_owned(), kind.to_owned());
            current = name.to_owned();
        } else {
            assert!(!line.starts_with('#') && helped.is_none(), "{line}");
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let suffixes: &[&str] = match families[&current].as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let is_of_family = suffixes.iter().any(|suffix| name == format!("{current}{suffix}"));
            assert!(is_of_family, "{line} in {current}");
            check_labels(&series[name.len()..]);
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert_eq!(samples.insert(series.to_owned(), value), None, "{line} occurs twice");
        }
    }
    for (series, count) in samples.iter().filter(|(series, _)| series.contains("le=\"+Inf\"")) {
        let (name, labels) = series.split_once("_bucket{").unwrap();
        // A histogram may have no labels of its own.
        let labels = labels.strip_suffix("le=\"+Inf\"}").unwrap();
        let of_count = match labels.strip_suffix(',') {
            Some(labels) => format!("{name}_count{{{labels}}}"),
            None => format!("{name}_count"),
        };
        assert_eq!(samples.get(&of_count), Some(count), "{series}");
        let bucket = format!("{name}_bucket{{{labels}le=\"");
        let mut bounds: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(series, count)| {
                let bound = series.strip_prefix(&bucket)?.strip_suffix("\"}")?;
                Some((bound.replace("+Inf", "inf").parse().unwrap(), *count))
            })
            .collect();
        bounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(
            bounds.len() > 10 && bounds.is_sorted_by(|one, other| one.1 <= other.1),
            "{bounds:?}"
        );
    }
    samples
}

fn is_metric_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || "_:".contains(c);
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// `{name="value",…}` or nothing.
fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let mut rest = labels.strip_prefix('{').unwrap();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(is_metric_name(name) && !name.contains(':'), "{labels}");
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => assert!("\\\"n".contains(characters.next().unwrap().1), "{labels}"),
                (at, '"') => break at,
                _ => {}
            }
        };
        rest = &after[end + 1..];
        if rest == "}" {
            return;
        }
        rest = rest.strip_prefix(',').unwrap();
    }
}

pub fn with_admin(files: &[(&str, Value)]) -> Gateway {
    let directory = Directory::of(files);
    let mut options = options(&directory);
    options.admin = Some("127.0.0.1:0".to_owned());
    Gateway::start(directory, options)
}

pub fn metrics(gateway: &Gateway) -> Samples {
    metrics_at(gateway.server.admin_addr().unwrap())
}

pub fn metrics_at(address: std::net::SocketAddr) -> Samples {
    let answer = client::get(address, "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    parse(&answer.text())
}
