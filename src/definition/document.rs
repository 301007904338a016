//! The text of a JSON file, edited member by member: what is not edited stays to the letter. The items of a list have
//! their places as names.
//!
//! # Example
//! ```
//! use apigateway::definition::document::Document;
//! use apigateway::definition::json::Json;
//!
//! let mut document = Document::of("{\n  \"Rate\": 1.50,\n  \"Name\": \"a\"\n}\n").unwrap();
//! document.set(&["Name"], &Json::String("b".to_owned()), &[]);
//! document.set(&["Tags", "team"], &Json::String("x".to_owned()), &[]);
//! let expected = "{\n  \"Rate\": 1.50,\n  \"Name\": \"b\",\n  \"Tags\": {\n    \"team\": \"x\"\n  }\n}\n";
//! assert_eq!(document.text(), expected);
//! assert!(document.remove(&["Rate"]));
//! ```

use std::ops::Range;

use crate::definition::json::Json;

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How far what stands in an object is indented beyond it.
const INDENT: &str = "  ";

/// A text that is one JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    text: String,
}

/// Where a member or an item stands in the text.
#[derive(Debug)]
struct Member {
    name: String,
    /// Where its name begins, with the quote; of an item, its value.
    begin: usize,
    value: Range<usize>,
}

/// Where an object or a list stands in the text, and its members.
#[derive(Debug)]
struct Container {
    span: Range<usize>,
    members: Vec<Member>,
    is_list: bool,
}

impl Document {
    /// Takes a text over.
    ///
    /// # Errors
    /// It is no JSON object; a sentence without its subject.
    pub fn of(text: &str) -> Result<Document, String> {
        match Json::parse(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)) {
            Ok(Json::Object(_)) => Ok(Document { text: text.to_owned() }),
            Ok(other) => Err(format!("must be a JSON object, not {}", other.kind())),
            Err(error) => Err(format!("not JSON: {error}")),
        }
    }

    /// The text of a new file with these members: two blanks a level, and a newline at the end.
    pub fn write(members: Vec<(String, Json)>) -> String {
        let mut text = pretty(&Json::Object(members), "");
        text.push('\n');
        text
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The members of the whole.
    pub fn members(&self) -> Vec<(String, Json)> {
        let text = self.text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.text);
        match Json::parse(text) {
            Ok(Json::Object(members)) => members,
            _ => Vec::new(),
        }
    }

    /// The value that names lead to, through objects.
    pub fn get(&self, path: &[&str]) -> Option<Json> {
        let span = self.find(path)?;
        Json::parse(self.text.get(span)?).ok()
    }

    /// Puts a value at the end of a path of names, through objects that are made where there are none. A value that is
    /// there already is not written again.
    ///
    /// A new member stands behind the last of those before it in `order`; where none is there, it stands last.
    pub fn set(&mut self, path: &[&str], value: &Json, order: &[&str]) {
        let Some((name, parents)) = path.split_last() else {
            return;
        };
        if let Some(span) = self.find(path) {
            let before = self.text.get(span.clone()).map(Json::parse);
            if matches!(before, Some(Ok(before)) if before == *value) {
                return;
            }
            let is_spread = self.is_spread(parents);
            let indent = self.indent_of(span.start);
            self.text.replace_range(span, &written(value, &indent, is_spread));
            return;
        }
        let Some(object) = self.container(parents) else {
            let wrapped = Json::Object(vec![((*name).to_owned(), value.clone())]);
            return self.set(parents, &wrapped, order);
        };
        self.insert(&object, name, value, order, self.is_spread(parents));
    }

    /// Takes a member out; tells whether it was there.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((name, parents)) = path.split_last() else {
            return false;
        };
        let Some(object) = self.container(parents) else {
            return false;
        };
        let Some(place) = object.members.iter().position(|member| member.name == *name) else {
            return false;
        };
        let at = |place: usize| object.members.get(place);
        let Some(member) = at(place) else { return false };
        let span = match (place.checked_sub(1).and_then(at), at(place + 1)) {
            (_, Some(next)) => member.begin..next.begin,
            (Some(previous), None) => previous.value.end..member.value.end,
            (None, None) => object.span.start + 1..object.span.end - 1,
        };
        self.text.replace_range(span, "");
        true
    }

    fn insert(&mut self, object: &Container, name: &str, value: &Json, order: &[&str], is_spread: bool) {
        let place = |name: &str| order.iter().position(|known| *known == name);
        let own = place(name);
        let is_before = |member: &&Member| own.is_none() || place(&member.name).is_none_or(|at| Some(at) < own);
        let previous = object.members.iter().rev().find(is_before);
        let quoted = Json::String(name.to_owned());
        let quoted = serde_json::to_string(&quoted).unwrap_or_default();
        let first = object.members.first();
        let indent = match first {
            Some(first) => self.indent_of(first.begin),
            None => self.indent_of(object.span.start) + INDENT,
        };
        let written = written(value, &indent, is_spread);
        let text = match object.is_list {
            true => written,
            false => format!("{quoted}: {written}"),
        };
        let between = match is_spread {
            true => format!("\n{indent}"),
            false => " ".to_owned(),
        };
        match (previous, first) {
            (Some(previous), _) => self.text.insert_str(previous.value.end, &format!(",{between}{text}")),
            (None, Some(first)) => self.text.insert_str(first.begin, &format!("{text},{between}")),
            (None, None) => {
                let outer = self.indent_of(object.span.start);
                let inner = match is_spread {
                    true => format!("{between}{text}\n{outer}"),
                    false => text,
                };
                self.text
                    .replace_range(object.span.start + 1..object.span.end - 1, &inner);
            }
        }
    }

    /// Whether the members of an object, or of the one that holds it, stand on lines of their own.
    fn is_spread(&self, path: &[&str]) -> bool {
        let object = self.container(path);
        let first = object
            .as_ref()
            .and_then(|object| Some((object, object.members.first()?)));
        match first {
            Some((object, first)) => {
                let lead = self.text.get(object.span.start..first.begin);
                lead.is_none_or(|lead| lead.contains('\n'))
            }
            None => path.split_last().is_none_or(|(_, parents)| self.is_spread(parents)),
        }
    }

    /// The blanks at the beginning of the line of a place.
    fn indent_of(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let end = line.find(|letter: char| letter != ' ' && letter != '\t');
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    }

    fn find(&self, path: &[&str]) -> Option<Range<usize>> {
        let (name, parents) = path.split_last()?;
        let object = self.container(parents)?;
        let member = object.members.into_iter().find(|member| member.name == *name)?;
        Some(member.value)
    }

    /// The object or the list at the end of a path.
    fn container(&self, path: &[&str]) -> Option<Container> {
        let mut container = container_at(&self.text, self.text.find('{')?)?;
        for name in path {
            let member = container.members.into_iter().find(|member| member.name == *name)?;
            container = container_at(&self.text, member.value.start)?;
        }
        Some(container)
    }
}

fn written(value: &Json, indent: &str, is_spread: bool) -> String {
    match is_spread {
        true => pretty(value, indent),
        false => serde_json::to_string(value).unwrap_or_default(),
    }
}

/// A value over several lines; those after the first begin with `indent`.
fn pretty(value: &Json, indent: &str) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // A newline in a text is escaped, so that each one here ends a line.
    text.replace('\n', &format!("\n{indent}"))
}

/// The object or the list that begins there; none where the text has neither there.
fn container_at(text: &str, start: usize) -> Option<Container> {
    let bytes = text.as_bytes();
    let (is_list, close) = match bytes.get(start)? {
        b'{' => (false, b'}'),
        b'[' => (true, b']'),
        _ => return None,
    };
    let mut members = Vec::new();
    let mut at = skip_blanks(bytes, start + 1);
    while bytes.get(at).is_some_and(|byte| *byte != close) {
        let begin = at;
        let (name, value) = match is_list {
            true => (members.len().to_string(), begin),
            false => {
                let end = value_end(bytes, begin);
                let name: String = serde_json::from_str(text.get(begin..end)?).ok()?;
                let colon = skip_blanks(bytes, end);
                (name, skip_blanks(bytes, colon + 1))
            }
        };
        let end = value_end(bytes, value);
        members.push(Member {
            name,
            begin,
            value: value..end,
        });
        at = skip_blanks(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = skip_blanks(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&close)).then_some(Container {
        span: start..at + 1,
        members,
        is_list,
    })
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    from + blanks
}

/// The end of the value that begins there. The text is known to be JSON.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return if depth == 1 { at + 1 } else { at },
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return at,
            byte if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests;
