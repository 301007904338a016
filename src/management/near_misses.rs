//! Which routes a request has just missed: what its sender may have meant.

use crate::definition::notation::path::RequestPath;
use crate::definition::notation::route_key::{RouteKey, RouteMethod, Segment};
use crate::deployment::routes::Route;
use crate::deployment::stage::Stage;
use crate::http1::message::Method;

/// Routes that are named at most.
const MAX_ROUTES: usize = 3;

/// The routes of a stage that differ from a request in one thing, in the order of precedence, with what that is.
pub(super) fn of<'s>(stage: &'s Stage, method: Method, path: &RequestPath) -> Vec<(&'s Route, String)> {
    let sent: Vec<&str> = path.segments().collect();
    let missed = stage.routes.iter().filter_map(|route| {
        let difference = difference(&route.key, method, &sent)?;
        Some((route.as_ref(), difference))
    });
    missed.take(MAX_ROUTES).collect()
}

/// What a request would have to have otherwise for that key, where that is one thing.
fn difference(key: &RouteKey, method: Method, sent: &[&str]) -> Option<String> {
    let RouteKey::Path {
        method: wanted,
        path: segments,
    } = key
    else {
        return None;
    };
    let in_path = difference_of_paths(segments, sent)?;
    let is_method = match wanted {
        RouteMethod::Any => true,
        RouteMethod::Exact(wanted) => *wanted == method,
    };
    match (in_path, is_method) {
        (None, false) => Some("the method is another".to_owned()),
        (difference, true) => difference,
        (Some(_), false) => None,
    }
}

/// None where they differ in more than one segment, and nothing within where they do not differ.
#[expect(clippy::option_option, reason = "too far, the same, or what differs")]
fn difference_of_paths(segments: &[Segment], sent: &[&str]) -> Option<Option<String>> {
    let with_slash = |sent: &[&str]| sent.len() > 1 && sent.last().is_some_and(|last| last.is_empty());
    let mut different = None;
    let mut rest = sent.iter();
    for segment in segments {
        let literal = match segment {
            Segment::Greedy(_) if rest.len() > 0 => return Some(different),
            Segment::Greedy(name) => {
                return different
                    .is_none()
                    .then(|| Some(format!("a segment for {{{name}+}} is missing")));
            }
            Segment::Variable(_) => None,
            Segment::Literal(literal) => Some(literal.as_str()),
        };
        let text = match (rest.next(), different.is_none()) {
            (Some(part), _) if literal.is_none_or(|literal| literal == *part) => continue,
            (_, false) => return None,
            (Some(part), true) => {
                let literal = literal.unwrap_or_default();
                if !is_alike(literal, part) {
                    return None;
                }
                format!("the path has {part:?} in place of {literal:?}")
            }
            (None, true) => match segment {
                Segment::Variable(name) => format!("a segment for {{{name}}} is missing"),
                _ => return None,
            },
        };
        different = Some(text);
    }
    match (rest.len(), &different) {
        (0, _) => Some(different),
        (1, None) if with_slash(sent) => Some(Some("the path ends in a slash".to_owned())),
        _ => None,
    }
}

/// Whether two segments differ in case, or in one letter that is missing, added, changed or swapped.
fn is_alike(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (
        one.to_lowercase().chars().collect(),
        other.to_lowercase().chars().collect(),
    );
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (
        one.get(same..).unwrap_or_default(),
        other.get(same..).unwrap_or_default(),
    );
    match (one, other) {
        ([], []) => true,
        // One letter is not enough to be alike.
        _ if same == 0 && one.len().min(other.len()) < 2 => false,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([_, one @ ..], other) | (other, [_, one @ ..]) if one == other => true,
        ([a, b, one @ ..], [c, d, other @ ..]) => (a, b) == (d, c) && one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_one_thing() {
        for (key, method, path, expected) in [
            ("GET /pets", Method::Post, "/pets", Some("the method is another")),
            (
                "GET /pets",
                Method::Get,
                "/Pets",
                Some("the path has \"Pets\" in place of \"pets\""),
            ),
            (
                "GET /pets",
                Method::Get,
                "/pet",
                Some("the path has \"pet\" in place of \"pets\""),
            ),
            (
                "GET /pets",
                Method::Get,
                "/ptes",
                Some("the path has \"ptes\" in place of \"pets\""),
            ),
            (
                "GET /pets",
                Method::Get,
                "/pots",
                Some("the path has \"pots\" in place of \"pets\""),
            ),
            ("GET /pets", Method::Get, "/pets/", Some("the path ends in a slash")),
            (
                "ANY /pets/{id}",
                Method::Get,
                "/pets",
                Some("a segment for {id} is missing"),
            ),
            (
                "GET /pets/{all+}",
                Method::Get,
                "/pets",
                Some("a segment for {all+} is missing"),
            ),
            (
                "GET /pets/{id}/toys",
                Method::Get,
                "/pet/7/toys",
                Some("the path has \"pet\" in place of \"pets\""),
            ),
            (
                "GET /pets/{id}/{all+}",
                Method::Get,
                "/pet/7/x/y",
                Some("the path has \"pet\" in place of \"pets\""),
            ),
            ("GET /pets/{id}", Method::Get, "/cats/7", None),
            ("GET /pets/{id}", Method::Post, "/pet/7", None),
            ("GET /pets/toys", Method::Get, "/pet/toy", None),
            ("GET /pets", Method::Get, "/pets/7", None),
            ("GET /pets/{id}/{toy}", Method::Get, "/pets", None),
            ("GET /a", Method::Get, "/b", None),
            ("$default", Method::Get, "/pets", None),
        ] {
            let parsed = RouteKey::parse(key).unwrap();
            let sent = RequestPath::parse(path).unwrap();
            let sent: Vec<&str> = sent.segments().collect();
            assert_eq!(
                difference(&parsed, method, &sent).as_deref(),
                expected,
                "{key}: {method:?} {path}"
            );
        }
    }
}
