//! What the path variables of a route stand for in a request (`R1.31`, `R1.32`, `R3.4`).
//!
//! A value has two readings. The path is decoded once before a route is chosen; functions and mappings read the value
//! decoded once more. Only the first may go into another path. What is decoded further can be a path that another route
//! guards.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::definition::notation::path::{
    InvalidPath, decode_again, encode_query_value, encode_query_values, encode_segment, encode_segments,
};
use crate::definition::notation::route_key::{RouteKey, Segment};
use crate::http1::target::has_dot_segment;

/// What a path variable stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathParameter {
    /// The name in the route key.
    pub name: String,
    /// Decoded once, as it was when the route was chosen.
    selected: String,
    /// Decoded once more, where that differs.
    decoded: Option<String>,
    /// Whether it may be several segments.
    is_greedy: bool,
}

impl PathParameter {
    /// What the variables of a key stand for, in the order of the key; the segments are those of a path that it matches.
    ///
    /// # Errors
    /// A value is not UTF-8 after its second decoding.
    pub fn capture(key: &RouteKey, segments: &[&str]) -> Result<Vec<PathParameter>, InvalidPath> {
        let RouteKey::Path { path, .. } = key else {
            return Ok(Vec::new());
        };
        let mut parameters = Vec::new();
        for (at, segment) in path.iter().enumerate() {
            let (name, selected, is_greedy) = match segment {
                Segment::Literal(_) => continue,
                Segment::Variable(name) => (name, segments.get(at).copied().unwrap_or_default().to_owned(), false),
                Segment::Greedy(name) => (name, segments.get(at..).unwrap_or_default().join("/"), true),
            };
            let decoded = match decode_again(&selected)? {
                Cow::Borrowed(_) => None,
                Cow::Owned(decoded) => Some(decoded),
            };
            parameters.push(PathParameter {
                name: name.clone(),
                selected,
                decoded,
                is_greedy,
            });
        }
        Ok(parameters)
    }

    /// What functions and mappings read: decoded twice (`R1.32`).
    pub fn value(&self) -> &str {
        self.decoded.as_deref().unwrap_or(&self.selected)
    }

    /// Writes it into the path of a URI, so that it stays what it was: one segment, or several of a greedy variable
    /// (`R3.4`). The path that comes of it selects the same route again.
    ///
    /// # Errors
    /// After either decoding it is or holds a `.` or `..` segment, which a server might resolve.
    pub fn write_to_path(&self, path: &mut String) -> Result<(), InvalidPath> {
        self.refuse_dot_segment()?;
        match self.is_greedy {
            true => push(path, encode_segments(&self.selected)),
            false => push(path, encode_segment(&self.selected)),
        }
        Ok(())
    }

    /// Writes it into the query of a URI, so that it stays one value.
    ///
    /// # Errors
    /// See [`PathParameter::write_to_path`].
    pub fn write_to_query(&self, query: &mut String) -> Result<(), InvalidPath> {
        self.refuse_dot_segment()?;
        match self.is_greedy {
            true => push(query, encode_query_values(&self.selected)),
            false => push(query, encode_query_value(&self.selected)),
        }
        Ok(())
    }

    /// No path has one after the first decoding alone, see [`InvalidPath`].
    fn refuse_dot_segment(&self) -> Result<(), InvalidPath> {
        match has_dot_segment(self.value()) {
            true => Err(InvalidPath::DotSegment),
            false => Ok(()),
        }
    }
}

fn push(target: &mut String, text: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(target, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_path_is_decoded_as_it_was_for_the_choice_of_the_route() {
        let key = RouteKey::parse("ANY /{one}/{all+}").unwrap();
        for (segments, one, all, path, query) in [
            (&["a", "b", "c"][..], "a", "b/c", "a|b/c", "a|b/c"),
            (&["%61", "%2e%2E%2f"], "a", "../", "", ""),
            (&["a%2Fb", "%2F"], "a/b", "/", "a%252Fb|%252F", "a%252Fb|%252F"),
            (&["%2561", "100%"], "%61", "100%", "%252561|100%25", "%252561|100%25"),
            (&["a b&c", ""], "a b&c", "", "a%20b&c|", "a%20b%26c|"),
        ] {
            let found = PathParameter::capture(&key, segments).unwrap();
            let values: Vec<&str> = found.iter().map(PathParameter::value).collect();
            assert_eq!(values, [one, all], "{segments:?}");
            let written = |write: fn(&PathParameter, &mut String) -> Result<(), InvalidPath>| {
                let texts: Result<Vec<String>, InvalidPath> = found
                    .iter()
                    .map(|parameter| {
                        let mut text = String::new();
                        write(parameter, &mut text).map(|()| text)
                    })
                    .collect();
                texts.unwrap_or_default().join("|")
            };
            assert_eq!(written(PathParameter::write_to_path), path, "{segments:?}");
            assert_eq!(written(PathParameter::write_to_query), query, "{segments:?}");
        }
        assert_eq!(PathParameter::capture(&key, &["%ff", "a"]), Err(InvalidPath::NotUtf8));
    }
}
