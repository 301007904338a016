//! What a JSON path finds in a body. Values are not parsed but for the way to them, so they stay as they were written.

use serde_json::value::RawValue;

use super::{JsonPath, Selector};
use crate::definition::notation::raw_json::{Members, compact, text};

/// Most values that a path may find. Unions of unions grow with each step; this is more than a header could list.
const MAX_FOUND: usize = 10_000;

impl JsonPath {
    /// What the path leads to in a body: a string as its text, all else as compact JSON.
    ///
    /// None where the body is not JSON, or has nothing there, or more than 10,000 values.
    pub fn find(&self, body: &[u8]) -> Option<String> {
        let mut found: Vec<&RawValue> = vec![serde_json::from_slice(body).ok()?];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in found {
                for selector in step {
                    selector.select(value.get(), &mut next);
                    if next.len() > MAX_FOUND {
                        return None;
                    }
                }
            }
            found = next;
        }
        if self.is_definite() {
            return text(found.first()?.get());
        }
        if found.is_empty() {
            return None;
        }
        let members: Vec<String> = found.iter().map(|value| compact(value.get())).collect();
        Some(format!("[{}]", members.join(",")))
    }
}

impl Selector {
    fn select<'a>(&self, json: &'a str, found: &mut Vec<&'a RawValue>) {
        match json.as_bytes().first() {
            Some(b'{') => {
                let Ok(Members(members)) = serde_json::from_str(json) else {
                    return;
                };
                match self {
                    // Of a name that occurs twice the last one counts, as most readers of JSON have it.
                    Selector::Name(wanted) => {
                        let last = members.iter().rev().find(|(name, _)| name == wanted);
                        found.extend(last.map(|(_, value)| *value));
                    }
                    Selector::All => found.extend(members.iter().map(|(_, value)| *value)),
                    Selector::Index(_) | Selector::Slice { .. } => {}
                }
            }
            Some(b'[') => {
                let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else {
                    return;
                };
                match self {
                    Selector::Name(_) => {}
                    Selector::All => found.extend(&items),
                    Selector::Index(index) => {
                        found.extend(position(*index, items.len()).and_then(|at| items.get(at)));
                    }
                    Selector::Slice { start, end, step } => slice(&items, *start, *end, *step, found),
                }
            }
            _ => {}
        }
    }
}

/// The place that an index means; a negative one counts from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// RFC 9535 §2.3.4.2.2.
fn slice<'a>(items: &[&'a RawValue], start: Option<i64>, end: Option<i64>, step: i64, found: &mut Vec<&'a RawValue>) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let normal = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let item = |at: i64| usize::try_from(at).ok().and_then(|at| items.get(at));
    if step > 0 {
        let mut at = normal(start.unwrap_or(0)).clamp(0, length);
        let end = normal(end.unwrap_or(length)).clamp(0, length);
        while at < end {
            found.extend(item(at));
            at = at.saturating_add(step);
        }
    } else if step < 0 {
        let mut at = start.map_or(length - 1, normal).clamp(-1, length - 1);
        let end = end.map_or(-1, |end| normal(end).clamp(-1, length - 1));
        while at > end {
            found.extend(item(at));
            at = at.saturating_add(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_and_written_as_r4_18_says() {
        let body = r#" {"a": {"b": [10, 1.50, 1e3, -0, true, null, "x\ny", {"k" : [ ] , "z": "\" :"}]},
            "a b": 1, "dup": 1, "dup": 2, "é": "ü", "": 3, "o": {"y": 1, "x": 2}, "q'": 4} "#;
        for (path, expected) in [
            ("", Some(compact(body))),
            (".a.b[0]", Some("10".into())),
            (".a.b[1]", Some("1.50".into())),
            (".a.b[2]", Some("1e3".into())),
            (".a.b[3]", Some("-0".into())),
            (".a.b[4]", Some("true".into())),
            (".a.b[5]", Some("null".into())),
            (".a.b[6]", Some("x\ny".into())),
            (".a.b[-1]", Some(r#"{"k":[],"z":"\" :"}"#.into())),
            (".a.b[-1].z", Some("\" :".into())),
            (".a.b[-9]", None),
            (".a.b[8]", None),
            (".a.b[0:2]", Some("[10,1.50]".into())),
            (".a.b[::-4]", Some(r#"[{"k":[],"z":"\" :"},-0]"#.into())),
            (".a.b[0:2:0]", None),
            (".a.b[0,0]", Some("[10,10]".into())),
            (".o.*", Some("[1,2]".into())),
            (".o['x','y']", Some("[2,1]".into())),
            (".o[*]", Some("[1,2]".into())),
            (".o[ 'x' ]", Some("2".into())),
            (".o.[\"x\"]", Some("2".into())),
            ("['a b']", Some("1".into())),
            ("['q\\'']", Some("4".into())),
            ("['']", Some("3".into())),
            (".dup", Some("2".into())),
            (".é", Some("ü".into())),
            (".a.c", None),
            (".a[0]", None),
            (".a.b.c", None),
            (".a b", None),
        ] {
            let parsed = JsonPath::parse(path);
            assert_eq!(parsed.is_ok(), path != ".a b", "{path}");
            let found = parsed.ok().and_then(|parsed| parsed.find(body.as_bytes()));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn a_body_that_is_not_json_has_nothing() {
        let path = JsonPath::parse(".a").unwrap();
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        for body in [
            &b""[..],
            b"{\"a\":1",
            b"{\"a\":1}}",
            b"a=1",
            b"{\"a\":\"\xff\"}",
            b"[1]",
        ] {
            assert_eq!(path.find(body), None, "{body:?}");
        }
        // Depth costs no stack.
        assert_eq!(path.find(deep.as_bytes()).map(|found| found.len()), Some(10_001));
        // A path that finds too much finds nothing.
        let wide = format!("[{}1]", "1,".repeat(MAX_FOUND));
        assert_eq!(JsonPath::parse("[*]").unwrap().find(wide.as_bytes()), None);
        assert!(JsonPath::parse("[0:10000]").unwrap().find(wide.as_bytes()).is_some());
    }
}
