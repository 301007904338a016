//! Header fields: their order is kept, and none of them can end its line.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use crate::http1::capitals;
use crate::http1::grammar::{is_field_byte, is_field_value, is_token};

/// Header fields in the order in which they came, names in lower case.
///
/// One buffer holds all names and one all values, so that a message costs three allocations however many fields it has. Of
/// a message that was read, each of both holds all lines, so that no field is copied by itself.
#[derive(Clone, Default)]
pub struct Headers {
    names: String,
    values: Vec<u8>,
    fields: Vec<Field>,
}

/// Bytes of names and of values that can be added to lines that were read.
const ROOM: usize = 64;

/// Where a field stands in the two buffers.
#[derive(Clone, Copy)]
struct Field {
    name: usize,
    name_end: usize,
    value: usize,
    value_end: usize,
    /// Which letters of the name were capitals.
    capitals: u64,
}

/// A field that may not stand in a message: a name that is no token, or a value with a control byte.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidField;

impl Headers {
    /// No fields.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// No fields, and room for a head of that many bytes.
    pub fn with_capacity(bytes: usize) -> Headers {
        Headers {
            names: String::with_capacity(bytes / 2),
            values: Vec::with_capacity(bytes),
            fields: Vec::with_capacity(16),
        }
    }

    /// No fields, but the lines in which they stand: see [`Headers::add_line`].
    pub(super) fn of_lines(lines: &str) -> Headers {
        let mut headers = Headers {
            names: String::with_capacity(lines.len() + ROOM),
            values: Vec::with_capacity(lines.len() + ROOM),
            fields: Vec::with_capacity(16),
        };
        headers.names.push_str(lines);
        headers.names.make_ascii_lowercase();
        headers.values.extend_from_slice(lines.as_bytes());
        headers
    }

    /// Adds the field of the line that begins there: the places of its colon and its value are those in the line. Nothing may
    /// have been added in another way, and who has found the line has seen that it has no control byte but tab.
    ///
    /// # Errors
    /// Its name is not a token.
    pub(super) fn add_line(&mut self, line: usize, colon: usize, value: Range<usize>) -> Result<(), InvalidField> {
        let name_end = line + colon;
        let name = self.values.get(line..name_end).filter(|name| is_token(name));
        let capitals = capitals::capitals(name.ok_or(InvalidField)?);
        self.fields.push(Field {
            name: line,
            name_end,
            value: line + value.start,
            value_end: line + value.end,
            capitals,
        });
        Ok(())
    }

    /// Adds a field after all others.
    ///
    /// # Errors
    /// The name is not a token or the value holds a byte that could end the line (RFC 9110 §5.5).
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), InvalidField> {
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(InvalidField);
        }
        self.add(name, value);
        Ok(())
    }

    /// Replaces every field of that name by one that the gateway made itself, see [`Headers::append_own`].
    pub fn put(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.append_own(name, value.as_bytes());
    }

    /// Adds a field of the gateway's own, whose name is in lower case.
    ///
    /// A byte that may not stand in a value is left out, so that no value can begin a new line.
    pub fn append_own(&mut self, name: &'static str, value: &[u8]) {
        let start = self.names.len();
        self.names.push_str(name);
        if is_field_value(value) {
            self.add_value(start, 0, value);
        } else {
            let value: Vec<u8> = value.iter().copied().filter(|byte| is_field_byte(*byte)).collect();
            self.add_value(start, 0, &value);
        }
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        let start = self.names.len();
        self.names.push_str(name);
        if let Some(name) = self.names.get_mut(start..) {
            name.make_ascii_lowercase();
        }
        self.add_value(start, capitals::capitals(name.as_bytes()), value);
    }

    /// Adds the field whose name is the end of all names, in lower case.
    fn add_value(&mut self, name: usize, capitals: u64, value: &[u8]) {
        let start = self.values.len();
        self.values.extend_from_slice(value);
        self.fields.push(Field {
            name,
            name_end: self.names.len(),
            value: start,
            value_end: self.values.len(),
            capitals,
        });
    }

    /// A copy of the fields whose names are wanted, with room for so many bytes more.
    pub fn filtered(&self, more: usize, wanted: impl Fn(&str) -> bool) -> Headers {
        let mut copy = Headers::with_capacity(self.values.len() + more);
        for (name, value) in self.iter().filter(|(name, _)| wanted(name)) {
            let start = copy.names.len();
            copy.names.push_str(name);
            copy.add_value(start, 0, value);
        }
        copy
    }

    /// As [`Headers::filtered`], in place.
    pub fn narrow(&mut self, wanted: impl Fn(&str) -> bool) {
        let names = &self.names;
        self.fields.retain_mut(|field| {
            field.capitals = 0;
            wanted(field.name(names))
        });
    }

    /// Bytes of all fields with what stands between and after them in a message.
    pub fn length(&self) -> usize {
        const SEPARATORS: usize = ": \r\n".len();
        let lengths = self.fields.iter().map(Field::length);
        lengths.map(|length| length + SEPARATORS).sum()
    }

    /// Appends all fields as they stand in a message, but those whose names are left out.
    pub fn write_to(&self, message: &mut Vec<u8>, is_left_out: impl Fn(&[u8]) -> bool) {
        for (name, value) in self.iter() {
            let name = name.as_bytes();
            if !is_left_out(name) {
                for part in [name, b": ", value, b"\r\n"] {
                    message.extend_from_slice(part);
                }
            }
        }
    }

    /// Drops every field of that name.
    pub fn remove(&mut self, name: &str) {
        let names = &self.names;
        self.fields.retain(|field| !field.is_named(name, names));
    }

    /// Drops the fields that some servers take for one of that name: those which hand fields to programs as CGI does
    /// make all that is no letter and no digit the same (RFC 3875 §4.1.18). Fields of that very name stay.
    pub fn remove_twins(&mut self, name: &str) {
        self.retain(|field, _| !is_twin(field, name));
    }

    /// The names of fields that some servers take for that one, see [`Headers::remove_twins`].
    pub fn twins<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .map(|(field, _)| field)
            .filter(move |field| is_twin(field, name))
    }

    /// Drops the fields that `Connection` names, as they concern one connection (RFC 9110 §7.6.1). `Host` is none of
    /// those, and what is hop-by-hop anyway is left to the code that passes fields on.
    pub fn remove_fields_of_connection(&mut self) {
        if self.get("connection").is_none() {
            return;
        }
        let is_of_connection = |name: &&[u8]| {
            let is_known = |known: &[u8]| name.eq_ignore_ascii_case(known);
            !is_known(b"close") && !is_known(b"keep-alive") && !is_known(b"host")
        };
        let named: Vec<Vec<u8>> = self
            .list("connection")
            .filter(is_of_connection)
            .map(<[u8]>::to_vec)
            .collect();
        if !named.is_empty() {
            let is_named = |name: &str| named.iter().any(|token| token.eq_ignore_ascii_case(name.as_bytes()));
            self.retain(|name, _| !is_named(name) || is_hop_by_hop(name));
        }
    }

    /// Keeps the fields for which `keep(name, value)` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        let (names, values) = (&self.names, &self.values);
        self.fields.retain(|field| keep(field.name(names), field.value(values)));
    }

    /// All fields, name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.name(&self.names), field.value(&self.values)))
    }

    /// All fields, with their names as they were sent.
    pub fn iter_as_sent(&self) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
        self.fields.iter().map(|field| {
            let name = capitals::restored(field.name(&self.names), field.capitals);
            (name, field.value(&self.values))
        })
    }

    /// All fields: name, which of its letters were capitals as it was sent, and value.
    pub fn iter_with_capitals(&self) -> impl ExactSizeIterator<Item = (&str, u64, &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.name(&self.names), field.capitals, field.value(&self.values)))
    }

    /// All names one behind the other, and all values: also those of fields that were removed.
    pub fn texts(&self) -> (&[u8], &[u8]) {
        (self.names.as_bytes(), &self.values)
    }

    /// The values of every field of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.fields.iter().filter(|field| field.is_named(name, &self.names));
        fields.map(|field| field.value(&self.values))
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|field| field.is_named(name, &self.names));
        field.map(|field| field.value(&self.values))
    }

    /// The members of a comma-separated list that may be spread over several fields, trimmed, without empty ones.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|member| member.trim_ascii())
            .filter(|member| !member.is_empty())
    }

    /// Whether the content is server-sent events, each of which must reach the client when it comes.
    pub fn announce_event_stream(&self) -> bool {
        let essence = self
            .get("content-type")
            .and_then(|value| value.split(|byte| *byte == b';').next());
        essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    }

    /// Whether a list of tokens such as `Connection` has that member, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let is_token = |member: &[u8]| member.trim_ascii().eq_ignore_ascii_case(token.as_bytes());
        // A value that is shorter has no such member, and one that is as long has no other.
        self.get_all(name).any(|value| match value.len().cmp(&token.len()) {
            Ordering::Less => false,
            Ordering::Equal => is_token(value),
            Ordering::Greater => value.split(|byte| *byte == b',').any(is_token),
        })
    }
}

impl Field {
    fn name(self, names: &str) -> &str {
        names.get(self.name..self.name_end).unwrap_or_default()
    }

    /// Bytes of name and value.
    fn length(&self) -> usize {
        self.name_end - self.name + self.value_end - self.value
    }

    fn value(self, values: &[u8]) -> &[u8] {
        values.get(self.value..self.value_end).unwrap_or_default()
    }

    /// Compares lengths first, which is all that it takes with most fields.
    fn is_named(self, name: &str, names: &str) -> bool {
        if self.name_end - self.name != name.len() {
            return false;
        }
        let own = self.name(names);
        own == name || own.eq_ignore_ascii_case(name)
    }
}

/// Whether a field's value is a secret, which no output shows.
fn holds_secret(name: &str) -> bool {
    name.ends_with("authorization") || name.ends_with("-token")
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, value)| match holds_secret(name) {
                true => (name, Cow::Borrowed("…")),
                false => (name, String::from_utf8_lossy(value)),
            }))
            .finish()
    }
}

/// Whether some servers take a field for one of another name, see [`Headers::remove_twins`].
fn is_twin(field: &str, name: &str) -> bool {
    !field.eq_ignore_ascii_case(name) && is_folded_the_same(field.as_bytes(), name.as_bytes())
}

/// Whether two names differ only in case, and in what is no letter and no digit.
fn is_folded_the_same(one: &[u8], other: &[u8]) -> bool {
    let folded = |byte: &u8| match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    };
    one.len() == other.len() && one.iter().map(folded).eq(other.iter().map(folded))
}

/// Whether a field concerns one connection, or is one that the gateway writes itself: it never passes (RFC 9110
/// §7.6.1).
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "expect"
            | "http2-settings"
            | "keep-alive"
            | "te"
            | "trailer"
            | "trailers"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("proxy-")
}

#[cfg(test)]
impl Headers {
    /// Fields for a test.
    pub(crate) fn of(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            assert_eq!(headers.append(name, value.as_bytes()), Ok(()), "{name}: {value}");
        }
        headers
    }
}

#[cfg(test)]
mod tests;
