//! Which mapping a path belongs to, and what names and keys may be.

use std::path::Path;

use serde_json::json;

use crate::definition::unit::{File, Unit, UnitName};
use crate::deployment::domain::Domain;
use crate::deployment::domain::check::{MAX_KEY_LENGTH, check_key, check_name};

fn domain(keys: &[&str]) -> Domain {
    let mappings: Vec<_> = keys
        .iter()
        .map(|key| json!({"ApiId": "a", "Stage": "$default", "ApiMappingKey": key}))
        .collect();
    let mut unit = Unit::empty(UnitName::Domain("a.test".to_owned()));
    let text = json!({ "ApiMappings": mappings }).to_string();
    unit.put(File::new("domains/a.test.json", text));
    let (domain, problems) = Domain::compile("a.test", Path::new("/"), &unit);
    assert!(!problems.has_errors(), "{problems:?}");
    domain.unwrap()
}

#[test]
fn the_longest_key_of_whole_segments_is_found() {
    let with_all = domain(&["", "v1", "orders", "orders/v1", "a/b/c"]);
    let without = domain(&["v1", "orders/v1"]);
    for (path, all, few) in [
        ("/v1", Some(("v1", "")), Some(("v1", ""))),
        ("/v1/", Some(("v1", "/")), Some(("v1", "/"))),
        (
            "/v1/pets/a%20b",
            Some(("v1", "/pets/a%20b")),
            Some(("v1", "/pets/a%20b")),
        ),
        ("/v1x", Some(("", "/v1x")), None),
        ("/V1", Some(("", "/V1")), None),
        ("/orders/v1/x", Some(("orders/v1", "/x")), Some(("orders/v1", "/x"))),
        ("/orders/v2/x", Some(("orders", "/v2/x")), None),
        ("/orders%2Fv1/x", Some(("", "/orders%2Fv1/x")), None),
        ("/%6Frders/v1/x", Some(("orders/v1", "/x")), Some(("orders/v1", "/x"))),
        ("/%256Frders/v1", Some(("", "/%256Frders/v1")), None),
        ("//orders/v1", Some(("", "//orders/v1")), None),
        ("/orders//v1", Some(("orders", "//v1")), None),
        ("/a/b", Some(("", "/a/b")), None),
        ("/a/b/c", Some(("a/b/c", "")), None),
        ("/%ff/v1", Some(("", "/%ff/v1")), None),
        ("/", Some(("", "/")), None),
        ("", Some(("", "")), None),
        ("*", Some(("", "*")), None),
    ] {
        let shown = |domain: &Domain| {
            let found = domain.mapping(path);
            found.map(|(mapping, rest)| (mapping.key.clone(), rest.to_owned()))
        };
        let expected = |found: Option<(&str, &str)>| found.map(|(key, rest)| (key.to_owned(), rest.to_owned()));
        assert_eq!(shown(&with_all), expected(all), "{path}");
        assert_eq!(shown(&without), expected(few), "{path}");
    }
}

#[test]
fn names_and_keys() {
    for (name, holds) in [
        ("api.example.com", true),
        ("gateway", true),
        ("*.example.com", true),
        ("a_b-c.test", true),
        ("1.2.3", true),
        ("Api.example.com", false),
        ("1.2.3.4", false),
        ("a..b", false),
        ("a.", false),
        (".a", false),
        ("", false),
        ("*", false),
        ("*.", false),
        ("*.*.a", false),
        ("a.*.b", false),
        ("a*.b", false),
        ("a:80", false),
        ("[::1]", false),
    ] {
        assert_eq!(check_name(name).is_ok(), holds, "{name}");
    }
    let longest = "a".repeat(MAX_KEY_LENGTH);
    for (key, holds) in [
        ("", true),
        ("v1", true),
        ("a/b/c", true),
        ("$-_.+!*'()", true),
        (longest.as_str(), true),
        (&format!("{longest}a"), false),
        ("/a", false),
        ("a/", false),
        ("a//b", false),
        (".", false),
        ("..", false),
        ("a/../b", false),
        ("a.b/..c", true),
        ("a b", false),
        ("a%20b", false),
        ("é", false),
        ("~", false),
    ] {
        assert_eq!(check_key(key).is_ok(), holds, "{key}");
    }
}
